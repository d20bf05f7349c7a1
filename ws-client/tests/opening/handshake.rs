//! The opening handshake as a client sees it over a socket: CONTRACT "Opening handshake, client".

use super::common::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use ws_client::{Blame, ConnectError, HandshakeError, Message, Request};

/// The rule of the handshake that an answer breaks.
async fn broken(answer: &str) -> HandshakeError {
    match connect_to_answer(answer).await {
        Err(error @ ConnectError::Handshake { .. }) => {
            assert_eq!(error.blame(), Blame::Server);
            let ConnectError::Handshake { source, .. } = error else { unreachable!() };
            source
        }
        Err(other) => panic!("{answer:?} gave {other:?}"),
        Ok(_) => panic!("{answer:?} opened a WebSocket"),
    }
}

#[tokio::test]
async fn the_request_is_that_of_section_4_1() {
    let (address, serving) = answering(switching).await;
    let request = Request::new(&format!("ws://{address}/chat?room=1"))
        .unwrap()
        .header("Origin", "http://example.com")
        .unwrap()
        .subprotocol("a")
        .subprotocol("b");
    // The server chooses none of the subprotocols, which it may.
    let opened = ws_client::connect(request).await.unwrap();
    drop(opened);
    let head = serving.await.unwrap();
    assert!(head.starts_with("GET /chat?room=1 HTTP/1.1\r\n"), "{head}");
    assert_eq!(field(&head, "host"), Some(address.to_string().as_str()));
    assert_eq!(field(&head, "upgrade").map(str::to_ascii_lowercase).as_deref(), Some("websocket"));
    assert_eq!(field(&head, "connection").map(str::to_ascii_lowercase).as_deref(), Some("upgrade"));
    assert_eq!(field(&head, "sec-websocket-version"), Some("13"));
    assert_eq!(field(&head, "sec-websocket-protocol"), Some("a, b"));
    assert_eq!(field(&head, "origin"), Some("http://example.com"));
    assert_eq!(field(&head, "sec-websocket-key").map(str::len), Some(24));
}

#[tokio::test]
async fn field_names_are_sent_in_the_case_they_are_written_in_and_no_field_unasked() {
    let (address, serving) = answering(switching).await;
    let request = Request::new(&format!("ws://u:p@{address}/")).unwrap();
    let request = ["X-API-Key", "SOAPAction", "x-lower", "User-agent"]
        .iter()
        .fold(request, |request, name| request.header(*name, "1").unwrap());
    drop(ws_client::connect(request).await.unwrap());
    let head = serving.await.unwrap();
    let names: Vec<_> =
        head.lines().skip(1).filter_map(|line| line.split_once(": ")).map(|(n, _)| n).collect();
    let own = ["Authorization", "X-API-Key", "SOAPAction", "x-lower", "User-agent"];
    assert!(names.ends_with(&own), "{head}");
    let (address, serving) = answering(switching).await;
    drop(ws_client::connect(format!("ws://{address}/")).await.unwrap());
    assert_eq!(field(&serving.await.unwrap(), "user-agent"), None);
}

#[tokio::test]
async fn every_connection_sends_a_different_key() {
    let mut keys = std::collections::HashSet::new();
    for _ in 0..8 {
        let (address, serving) = answering(switching).await;
        drop(ws_client::connect(format!("ws://{address}")).await.unwrap());
        keys.insert(field(&serving.await.unwrap(), "sec-websocket-key").unwrap().to_owned());
    }
    assert_eq!(keys.len(), 8);
}

#[tokio::test]
async fn every_connection_masks_with_different_keys() {
    let mut keys = std::collections::HashSet::new();
    for _ in 0..8 {
        let (address, serving) = server(|mut stream| async move {
            let head = read_head(&mut stream).await;
            stream.write_all(&switching(&head)).await.unwrap();
            let mut frame = [0; 7];
            stream.read_exact(&mut frame).await.unwrap();
            frame
        })
        .await;
        let (mut ws, _) = ws_client::connect(format!("ws://{address}")).await.unwrap();
        ws.send("x").await.unwrap();
        let frame = serving.await.unwrap();
        assert_eq!(frame[..2], [0x81, 0x81]);
        keys.insert(frame[2..6].to_vec());
    }
    assert_eq!(keys.len(), 8);
}

#[tokio::test]
async fn tokens_may_stand_in_lists_and_in_any_case() {
    let answer = "HTTP/1.1 101 Fine\r\nuPGRADE: WebSocket\r\nCONNECTION: keep-alive, Upgrade\r\nSec-WebSocket-Accept:{accept}\t\r\nX-Mine: 1\r\n\r\n";
    let (_ws, negotiated) = connect_to_answer(answer).await.unwrap();
    assert_eq!(negotiated.response().status(), 101);
    assert_eq!(negotiated.headers()["x-mine"], "1");
}

#[tokio::test]
async fn an_invalid_answer_never_opens_a_websocket() {
    let head = "HTTP/1.1 101 Switching Protocols\r\n";
    let upgrade = "Upgrade: websocket\r\n";
    let connection = "Connection: Upgrade\r\n";
    let accept = "Sec-WebSocket-Accept: {accept}\r\n";
    let error = broken(&format!("{head}{upgrade}{connection}Sec-WebSocket-Accept: AAAA\r\n\r\n")).await;
    assert!(matches!(error, HandshakeError::WrongAccept), "{error:?}");
    let error = broken(&format!("{head}{upgrade}{connection}\r\n")).await;
    assert!(matches!(error, HandshakeError::MissingAccept), "{error:?}");
    let error = broken(&format!("{head}{upgrade}{connection}{accept}{accept}\r\n")).await;
    assert!(matches!(error, HandshakeError::RepeatedAccept), "{error:?}");
    let error = broken(&format!("{head}{connection}{accept}\r\n")).await;
    assert!(matches!(error, HandshakeError::Upgrade), "{error:?}");
    let error = broken(&format!("{head}{upgrade}{accept}\r\n")).await;
    assert!(matches!(error, HandshakeError::Connection), "{error:?}");
    let error =
        broken(&format!("{head}{upgrade}{connection}{accept}Sec-WebSocket-Protocol: x\r\n\r\n")).await;
    assert!(matches!(error, HandshakeError::UnofferedSubprotocol(_)), "{error:?}");
    let error =
        broken(&format!("{head}{upgrade}{connection}{accept}Sec-WebSocket-Extensions: x\r\n\r\n")).await;
    assert!(matches!(error, HandshakeError::UnofferedExtension(_)), "{error:?}");
    let error = broken("SSH-2.0-OpenSSH_9.2\r\n").await;
    assert!(matches!(error, HandshakeError::Head(_)), "{error:?}");
}

#[tokio::test]
async fn a_failed_handshake_drops_the_socket() {
    let (address, serving) = server(|mut stream| async move {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 101 X\r\n\r\n").await.unwrap();
        // Ends only when the client closes.
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    })
    .await;
    assert!(ws_client::connect(format!("ws://{address}")).await.is_err());
    let sent_after = tokio::time::timeout(std::time::Duration::from_secs(5), serving).await.unwrap().unwrap();
    assert_eq!(sent_after.unwrap_or(0), 0);
}

#[tokio::test]
async fn what_the_server_agreed_to_is_returned_with_the_socket() {
    let answer = |fields: &'static str| {
        move |head: &str| {
            let mut answer = switching(head);
            answer.truncate(answer.len() - 2);
            [&answer, fields.as_bytes(), b"\r\n\r\n"].concat()
        }
    };
    let fields = "Sec-WebSocket-Protocol: chat.v1\r\n\
                  Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=10; server_no_context_takeover";
    let (address, _serving) = answering(answer(fields)).await;
    let request = Request::new(&format!("ws://{address}")).unwrap();
    let (_socket, negotiated) =
        ws_client::connect(request.subprotocol("chat.v2").subprotocol("chat.v1")).await.unwrap();
    assert_eq!(negotiated.subprotocol(), Some("chat.v1"));
    let [extension] = negotiated.extensions() else { panic!("{:?}", negotiated.extensions()) };
    assert_eq!((extension.name.as_str(), extension.parameters.len()), ("permessage-deflate", 2));
    #[cfg(feature = "deflate")]
    {
        let agreed = negotiated.deflate().unwrap();
        assert_eq!((agreed.client_max_window_bits.get(), agreed.server_no_context_takeover), (10, true));
    }
    assert_eq!(negotiated.into_response().headers()["sec-websocket-protocol"], "chat.v1");

    let (address, _serving) = answering(answer("X-Mine: 1")).await;
    let request = Request::new(&format!("ws://{address}")).unwrap().subprotocol("chat.v2");
    let (_socket, negotiated) = ws_client::connect(request).await.unwrap();
    assert_eq!((negotiated.subprotocol(), negotiated.extensions().len()), (None, 0));
    #[cfg(feature = "deflate")]
    assert!(negotiated.deflate().is_none());
    assert_eq!(negotiated.headers()["x-mine"], "1");
}

#[tokio::test]
async fn a_request_of_the_http_crate_is_sent_with_its_fields() {
    let (address, serving) = answering(switching).await;
    let template =
        http::Request::builder().uri(format!("ws://{address}/a?b")).header("x-mine", "1").body(()).unwrap();
    ws_client::connect(template).await.unwrap();
    let head = serving.await.unwrap();
    assert!(head.starts_with("GET /a?b HTTP/1.1\r\n"), "{head}");
    assert_eq!(field(&head, "x-mine"), Some("1"));
    let (address, serving) = answering(switching).await;
    ws_client::connect(format!("ws://{address}/c").parse::<http::Uri>().unwrap()).await.unwrap();
    assert!(serving.await.unwrap().starts_with("GET /c HTTP/1.1\r\n"));
}

#[tokio::test]
async fn eight_interim_responses_are_passed_over_and_a_ninth_is_not() {
    let good = "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n";
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    assert!(connect_to_answer(&format!("{}{good}", interim.repeat(8))).await.is_ok());
    let error = broken(&format!("{}{good}", interim.repeat(9))).await;
    assert!(matches!(error, HandshakeError::TooManyInterim { .. }), "{error:?}");
}

#[tokio::test]
async fn a_head_over_its_limits_is_an_error_that_names_them() {
    let long = format!("HTTP/1.1 101 X\r\nX: {}\r\n\r\n", "x".repeat(70_000));
    assert!(broken(&long).await.to_string().contains("65536"), "the limit is not named");
    let lines = format!("HTTP/1.1 101 X\r\n{}\r\n", "X: 1\r\n".repeat(101));
    assert!(broken(&lines).await.to_string().contains("100"), "the limit is not named");
}

#[tokio::test]
async fn the_end_of_the_stream_inside_the_head_is_an_error() {
    let (address, _) = server(|mut stream| async move {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 101 Switching").await.unwrap();
    })
    .await;
    let error = ws_client::connect(format!("ws://{address}")).await.unwrap_err();
    let ended = matches!(error, ConnectError::Handshake { source: HandshakeError::UnexpectedEnd { .. }, .. });
    assert!(ended, "{error:?}");
    assert!(!error.is_fatal());
}

#[tokio::test]
async fn a_server_that_closes_without_an_answer_may_require_tls() {
    let (address, _) = server(|mut stream| async move {
        read_head(&mut stream).await;
    })
    .await;
    let error = ws_client::connect(format!("ws://{address}")).await.unwrap_err();
    assert!(error.to_string().contains("wants TLS (wss://)"), "{error}");
}

#[tokio::test]
async fn frames_that_come_with_the_101_are_delivered() {
    let (address, serving) = answering(|head| {
        // In one write with the head: an unmasked text frame, and the start of a binary one.
        [switching(head), b"\x81\x05hello\x82\x02a".to_vec()].concat()
    })
    .await;
    let (mut ws, _) = ws_client::connect(format!("ws://{address}")).await.unwrap();
    assert_eq!(ws.recv().await.unwrap(), Some(Message::text("hello")));
    drop(ws);
    serving.await.unwrap();
}

#[tokio::test]
async fn an_answer_that_arrives_byte_by_byte_opens() {
    let (address, serving) = server(|mut stream| async move {
        let head = read_head(&mut stream).await;
        stream.set_nodelay(true).unwrap();
        for byte in [switching(&head), b"\x81\x02hi\x88\x00".to_vec()].concat() {
            stream.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
    })
    .await;
    let (mut ws, _) = ws_client::connect(format!("ws://{address}")).await.unwrap();
    assert_eq!(ws.recv().await.unwrap(), Some(Message::text("hi")));
    assert_eq!(ws.recv().await.unwrap(), None);
    drop(ws);
    serving.await.unwrap();
}

#[tokio::test]
async fn a_websocket_opens_on_a_custom_stream() {
    let (near, mut far) = tokio::io::duplex(1024);
    let serving = tokio::spawn(async move {
        let head = read_head(&mut far).await;
        far.write_all(&[switching(&head), b"\x82\x01x".to_vec()].concat()).await.unwrap();
        (head, far)
    });
    let (mut ws, _) = ws_client::handshake("ws://example.com/x", near).await.unwrap();
    assert_eq!(ws.recv().await.unwrap(), Some(Message::binary(&b"x"[..])));
    let (head, _far) = serving.await.unwrap();
    assert_eq!(field(&head, "host"), Some("example.com"));
}

#[cfg(feature = "deflate")]
mod deflate {
    use super::*;
    use ws_client::Options;
    use ws_client::deflate::NegotiationError;

    fn answer(extension: &str) -> String {
        format!(
            "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: {{accept}}\r\nSec-WebSocket-Extensions: {extension}\r\n\r\n"
        )
    }

    #[tokio::test]
    async fn compression_is_offered_and_may_be_declined() {
        let (address, serving) = answering(switching).await;
        let (ws, _) = ws_client::connect(format!("ws://{address}")).await.unwrap();
        assert!(!ws.connection().is_compressing());
        drop(ws);
        let offer = serving.await.unwrap();
        let offer = field(&offer, "sec-websocket-extensions").unwrap();
        assert_eq!(offer, "permessage-deflate; client_no_context_takeover; client_max_window_bits");
    }

    #[tokio::test]
    async fn an_answer_to_the_offer_is_taken_and_messages_inflate() {
        let (address, _serving) = answering(|head| {
            let head = String::from_utf8(switching(head)).unwrap();
            let head = head.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
            // RFC 7692 section 7.2.3.1: "Hello".
            [head.as_bytes(), b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"].concat()
        })
        .await;
        let (mut ws, _) = ws_client::connect(format!("ws://{address}")).await.unwrap();
        assert!(ws.connection().is_compressing());
        assert_eq!(ws.recv().await.unwrap(), Some(Message::text("Hello")));
    }

    #[tokio::test]
    async fn an_answer_that_the_offer_does_not_allow_never_opens() {
        for extension in [
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; unknown",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; server_no_context_takeover=1",
        ] {
            let error = connect_to_answer(&answer(extension)).await.unwrap_err();
            assert!(matches!(error, ConnectError::Deflate { .. }), "{extension}: {error:?}");
            assert_eq!((error.blame(), error.is_fatal()), (Blame::Server, true));
        }
        let twice = answer("permessage-deflate, permessage-deflate");
        let error = connect_to_answer(&twice).await.unwrap_err();
        let repeated =
            matches!(error, ConnectError::Handshake { source: HandshakeError::RepeatedExtension(_), .. });
        assert!(repeated, "{error:?}");
    }

    #[tokio::test]
    async fn a_window_above_the_offer_is_refused() {
        let (address, _serving) = answering(|head| {
            answer("permessage-deflate; server_max_window_bits=12")
                .replace("{accept}", &accept(head))
                .into_bytes()
        })
        .await;
        let mut options = Options::default();
        let offered = options.deflate.as_mut().unwrap();
        offered.server_max_window_bits = ws_client::deflate::WindowBits::new(10).unwrap();
        let error = options.build().unwrap().connect(format!("ws://{address}")).await.unwrap_err();
        let above =
            matches!(error, ConnectError::Deflate { source: NegotiationError::AboveOffer { .. }, .. });
        assert!(above, "{error:?}");
    }

    #[tokio::test]
    async fn compression_that_was_not_offered_is_refused() {
        let (address, _serving) =
            answering(|head| answer("permessage-deflate").replace("{accept}", &accept(head)).into_bytes())
                .await;
        let mut options = Options::default();
        options.deflate = None;
        let error = options.build().unwrap().connect(format!("ws://{address}")).await.unwrap_err();
        let unoffered =
            matches!(error, ConnectError::Handshake { source: HandshakeError::UnofferedExtension(_), .. });
        assert!(unoffered, "{error:?}");
    }
}
