//! What a server writes: the 101, refusals, plain responses.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use ws_core::handshake::{
    Acceptance, HeadLimits, Opening, Refusal, RequestReader, ResponseError, UpgradeRequest,
    encode_head_response, encode_response,
};

fn upgrade(fields: &str) -> UpgradeRequest {
    let head = format!(
        "GET /chat?room=1 HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{fields}\r\n"
    );
    match RequestReader::new(HeadLimits::server()).receive(head.as_bytes()) {
        Ok(Some((Opening::Upgrade(upgrade), _))) => upgrade,
        other => panic!("{other:?}"),
    }
}

fn refusal(head: &str) -> String {
    let refusal = RequestReader::new(HeadLimits::server()).receive(head.as_bytes()).unwrap_err();
    String::from_utf8(refusal.encode()).unwrap()
}

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    fields
        .iter()
        .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

#[test]
fn the_example_of_rfc_6455_section_1_3_is_answered_to_the_byte() {
    let head = "GET /chat HTTP/1.1\r\n\
        Host: server.example.com\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Origin: http://example.com\r\n\
        Sec-WebSocket-Protocol: chat, superchat\r\n\
        Sec-WebSocket-Version: 13\r\n\r\n";
    let opening = RequestReader::new(HeadLimits::server()).receive(head.as_bytes()).unwrap();
    let Some((Opening::Upgrade(upgrade), length)) = opening else { panic!("no upgrade") };
    assert_eq!(length, head.len());
    assert_eq!(upgrade.subprotocols(), ["chat", "superchat"]);
    let subprotocol = upgrade.select_subprotocol(["chat"]);
    let answer = upgrade.accept(Acceptance::default().subprotocol(subprotocol)).unwrap();
    let expected = "HTTP/1.1 101 Switching Protocols\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
        Sec-WebSocket-Protocol: chat\r\n\r\n";
    assert_eq!(String::from_utf8(answer).unwrap(), expected);
}

#[test]
fn the_request_can_be_inspected_before_the_answer() {
    let upgrade = upgrade("Cookie: a=b\r\nSec-WebSocket-Extensions: x; y=\"1\", z\r\n");
    assert_eq!((upgrade.uri().path(), upgrade.uri().query()), ("/chat", Some("room=1")));
    assert_eq!(upgrade.host(), "server.example.com");
    assert_eq!(upgrade.request().headers()["cookie"], "a=b");
    let extensions: Vec<String> = upgrade.extensions().iter().map(ToString::to_string).collect();
    assert_eq!(extensions, ["x; y=1", "z"]);
    assert_eq!(upgrade.into_request().version(), http::Version::HTTP_11);
}

#[test]
fn a_request_that_is_taken_out_leaves_what_the_answer_needs() {
    let mut upgrade = upgrade("Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Extensions: x\r\n");
    let acceptance = || Acceptance::default().subprotocol(Some("a")).extensions(Some("x".into()));
    let before = upgrade.accept(acceptance()).unwrap();
    let request = upgrade.take_request();
    assert_eq!(
        (request.uri().path(), &request.headers()["sec-websocket-protocol"]),
        ("/chat", &"a".parse().unwrap())
    );
    assert_eq!((upgrade.host(), upgrade.request().headers().len()), ("", 0));
    assert_eq!(upgrade.accept(acceptance()).unwrap(), before);
}

#[test]
fn the_servers_order_of_subprotocols_decides() {
    let upgrade = upgrade("Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b, c\r\n");
    assert_eq!(upgrade.subprotocols(), ["a", "b", "c"]);
    assert_eq!(upgrade.select_subprotocol(["x", "c", "a"]), Some("c"));
    assert_eq!(upgrade.select_subprotocol(["A"]), None);
}

#[test]
fn extensions_and_further_fields_stand_in_the_101() {
    let upgrade = upgrade("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n");
    let answer = upgrade
        .accept(
            Acceptance::default()
                .subprotocol(None)
                .extensions(Some("permessage-deflate; client_max_window_bits=12".into()))
                .headers(headers(&[("set-cookie", "a=b"), ("set-cookie", "c=d")])),
        )
        .unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(
        answer.contains("\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=12\r\n")
    );
    assert!(answer.ends_with("\r\nset-cookie: c=d\r\n\r\n"), "{answer}");
    assert!(!answer.contains("Sec-WebSocket-Protocol"));
}

#[test]
fn what_must_not_stand_in_a_101_is_a_typed_error() {
    let upgrade = upgrade("Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: x\r\n");
    let subprotocol = |name| upgrade.accept(Acceptance::default().subprotocol(Some(name)));
    for name in ["", "chat\r\nX: y", "a b", "chat, chat", "é"] {
        assert_eq!(subprotocol(name), Err(ResponseError::InvalidSubprotocol(name.into())));
    }
    assert_eq!(subprotocol("other"), Err(ResponseError::SubprotocolNotOffered("other".into())));
    assert_eq!(subprotocol("Chat"), Err(ResponseError::SubprotocolNotOffered("Chat".into())));

    let extensions = |value: &str| upgrade.accept(Acceptance::default().extensions(Some(value.into())));
    for value in ["", "x\r\nY: z", "x;", "x, x", "x; y=\"\r\n\""] {
        assert_eq!(extensions(value), Err(ResponseError::InvalidExtensions(value.into())), "{value:?}");
    }
    assert_eq!(extensions("x, y"), Err(ResponseError::ExtensionNotOffered("y".into())));
    assert!(extensions("x; y=1").is_ok());
}

#[test]
fn fields_of_the_handshake_cannot_be_overridden() {
    let upgrade = upgrade("");
    for name in [
        "upgrade",
        "connection",
        "content-length",
        "transfer-encoding",
        "trailer",
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "sec-websocket-protocol",
        "sec-websocket-version",
        "sec-websocket-anything",
    ] {
        let expected = ResponseError::OwnedHeader(HeaderName::from_static(name));
        let headers = headers(&[("server", "x"), (name, "1")]);
        let acceptance = Acceptance::default().headers(headers.clone());
        assert_eq!(upgrade.accept(acceptance), Err(expected.clone()), "{name}");
        let mut response = Response::new("");
        *response.headers_mut() = headers;
        assert_eq!(encode_response(&response), Err(expected), "{name}");
    }
}

#[test]
fn a_refusal_closes_and_says_how_long_it_is() {
    let expected = "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nallow: GET\r\n\
        content-type: text/plain; charset=utf-8\r\nContent-Length: 26\r\n\r\nonly GET is answered here\n";
    assert_eq!(refusal("POST / HTTP/1.1\r\n"), expected);
}

#[test]
fn a_426_names_protocol_and_version() {
    let answer = refusal(
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 7\r\n\r\n",
    );
    assert!(
        answer.starts_with("HTTP/1.1 426 Upgrade Required\r\nConnection: close, upgrade\r\n"),
        "{answer}"
    );
    assert!(answer.contains("\r\nupgrade: websocket\r\n"), "{answer}");
    assert!(answer.contains("\r\nsec-websocket-version: 13\r\n"), "{answer}");
}

#[test]
fn a_refusal_repeats_nothing_the_peer_sent() {
    let answer = refusal("GET /<script> HTTP/1.1\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"), "{answer}");
    assert!(!answer.contains("script"), "{answer}");
}

#[test]
fn a_refusal_of_a_head_request_has_no_body() {
    let with_body = refusal("GET / HTTP/1.1\r\n\r\n");
    let without = refusal("HEAD / HTTP/1.1\r\n\r\n");
    let (head, body) = with_body.split_once("\r\n\r\n").unwrap();
    assert!(!body.is_empty());
    assert_eq!(without, format!("{head}\r\n\r\n"));
    assert!(refusal("HEAD / HTTP/2.0\r\n").ends_with("\r\n\r\n"));
}

#[test]
fn a_refusal_is_never_a_success() {
    for status in [StatusCode::SWITCHING_PROTOCOLS, StatusCode::OK, StatusCode::NO_CONTENT, StatusCode::FOUND]
    {
        assert_eq!(Refusal::new(status, "no").status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
    let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many connections");
    assert_eq!((refusal.status().as_u16(), refusal.body()), (503, "too many connections\n"));
    assert_eq!(refusal.to_string(), "503 Service Unavailable: too many connections");
}

#[test]
fn a_plain_response_closes_and_says_how_long_it_is() {
    let response = Response::builder().header("content-type", "text/html").body("<p>hi").unwrap();
    let expected =
        "HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-type: text/html\r\nContent-Length: 5\r\n\r\n<p>hi";
    assert_eq!(encode_response(&response).unwrap(), expected.as_bytes());
    let expected = expected.strip_suffix("<p>hi").unwrap();
    assert_eq!(encode_head_response(&response).unwrap(), expected.as_bytes());
}

#[test]
fn a_plain_426_gets_what_it_must_have_and_a_405_keeps_what_the_caller_allows() {
    let answer = encode_response(&Response::builder().status(426).body("").unwrap()).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains("\r\nConnection: close, upgrade\r\n"), "{answer}");
    assert!(answer.contains("\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"), "{answer}");
    let response = Response::builder().status(405).header("allow", "GET, POST").body("").unwrap();
    let answer = String::from_utf8(encode_response(&response).unwrap()).unwrap();
    assert_eq!(answer.matches("allow: ").count(), 1, "{answer}");
    assert!(answer.contains("allow: GET, POST\r\n"), "{answer}");
}

#[test]
fn a_response_that_is_not_final_or_has_no_body_is_a_typed_error() {
    for status in [100, 101, 103] {
        let response = Response::builder().status(status).body("").unwrap();
        assert_eq!(encode_response(&response), Err(ResponseError::InterimStatus(response.status())));
    }
    for status in [204, 205, 304] {
        let response = Response::builder().status(status).body("x").unwrap();
        assert_eq!(encode_response(&response), Err(ResponseError::BodyNotAllowed(response.status())));
        assert_eq!(encode_head_response(&response), Err(ResponseError::BodyNotAllowed(response.status())));
    }
    let response = Response::builder().status(204).body("").unwrap();
    assert_eq!(encode_response(&response).unwrap(), b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    let response = Response::builder().status(299).body("").unwrap();
    let expected = b"HTTP/1.1 299 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(encode_response(&response).unwrap(), expected);
}
