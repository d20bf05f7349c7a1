//! The opening handshake through an HTTP client of hyper's, against servers made of bytes.

use std::net::SocketAddr;
use std::time::Duration;

use super::common::*;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use ws_client::{Blame, Client, CloseCode, ConnectError, Message, Opened, Options, Request};

/// Opens through hyper; `with_upgrades` decides whether hyper may release its connection.
async fn open(
    client: &Client,
    address: SocketAddr,
    request: Request,
    with_upgrades: bool,
) -> Result<Opened, ConnectError> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    if with_upgrades {
        tokio::spawn(connection.with_upgrades());
    } else {
        tokio::spawn(connection);
    }
    let send = |request: http::Request<()>| sender.send_request(request.map(|()| Empty::<&[u8]>::new()));
    soon(client.upgrade(request, send)).await
}

fn request(address: SocketAddr) -> Request {
    Request::new(&format!("ws://{address}/chat?a=b")).unwrap()
}

#[tokio::test]
async fn a_websocket_opens_and_what_came_with_the_101_is_not_lost() {
    let (address, serving) = server(|mut stream| async move {
        let head = read_head(&mut stream).await;
        stream.write_all(&[&switching(&head)[..], b"\x81\x05first"].concat()).await.unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        (head, rest)
    })
    .await;
    let asked = request(address).header("x-token", "1").unwrap();
    // In a task, so that whoever opens it may be moved between threads.
    let opening = tokio::spawn(async move { open(&Client::new().unwrap(), address, asked, true).await });
    let (mut socket, negotiated) = opening.await.unwrap().unwrap();
    assert_eq!(negotiated.response().status(), 101);
    let tcp = socket.get_ref().tcp().expect("a layer is left between");
    assert!(tcp.nodelay().unwrap());
    assert_eq!(socket.recv().await.unwrap(), Some(Message::text("first")));
    drop(socket);
    let (head, rest) = serving.await.unwrap();
    assert!(head.starts_with("GET /chat?a=b HTTP/1.1\r\n"), "{head}");
    let head = head.to_lowercase();
    for field in
        [&format!("host: {address}"), "upgrade: websocket", "sec-websocket-version: 13", "x-token: 1"]
    {
        assert_eq!(head.matches(&format!("\r\n{field}\r\n")).count(), 1, "{field}: {head}");
    }
    // Close frame with 1001, masked.
    assert_eq!((rest[0], rest[1]), (0x88, 0x82));
}

#[tokio::test]
async fn a_refusal_carries_its_body_up_to_the_limit() {
    for (limit, body, complete) in [(1000, "not for you", true), (3, "not", false), (11, "not for you", true)]
    {
        let (address, serving) =
            answering(|_| b"HTTP/1.1 403 X\r\nContent-Length: 11\r\nX-Why: 1\r\n\r\nnot for you".to_vec())
                .await;
        let mut options = Options::default();
        options.max_refusal_body = limit;
        let client = options.build().unwrap();
        let error = open(&client, address, request(address), true).await.unwrap_err();
        let ConnectError::Refused(refused) = &error else { panic!("{error}") };
        assert_eq!(refused.response.status(), 403);
        assert_eq!(refused.response.headers()["x-why"], "1");
        assert_eq!((&refused.response.body()[..], refused.body_complete), (body.as_bytes(), complete));
        assert_eq!(error.blame(), Blame::Server);
        drop(serving);
    }
}

#[tokio::test]
async fn an_answer_that_breaks_a_rule_opens_nothing() {
    let (address, _serving) = answering(|head| {
        let good = String::from_utf8(switching(head)).unwrap();
        good.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: x\r\n\r\n").into_bytes()
    })
    .await;
    let error = open(&Client::new().unwrap(), address, request(address), true).await.unwrap_err();
    assert!(matches!(error, ConnectError::Handshake { .. }), "{error}");
    assert!(error.to_string().contains("not offered"), "{error}");
}

#[tokio::test]
async fn a_silent_proxy_ends_at_the_deadline() {
    let (address, _serving) = server(|mut stream| async move {
        read_head(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let error = open(&impatient(Duration::from_millis(100)), address, request(address), true).await;
    assert!(matches!(error, Err(ConnectError::Timeout { .. })), "{error:?}");
}

#[tokio::test]
async fn a_refusal_whose_body_never_ends_is_returned_within_the_deadline() {
    let (address, _serving) =
        answering(|_| b"HTTP/1.1 403 X\r\nContent-Length: 11\r\n\r\nnot".to_vec()).await;
    // After the deadline it would be another error.
    let client = impatient(Duration::from_secs(5));
    let error = open(&client, address, request(address), true).await.unwrap_err();
    let ConnectError::Refused(refused) = &error else { panic!("{error}") };
    assert_eq!((&refused.response.body()[..], refused.body_complete), (&b"not"[..], false));
}

#[tokio::test]
async fn a_connection_that_hyper_keeps_is_reported_as_a_mistake_of_the_program() {
    let (address, _serving) = answering(switching).await;
    let error = open(&Client::new().unwrap(), address, request(address), false).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server opened a WebSocket, but hyper keeps the connection: \
         spawn `connection.with_upgrades()` instead of `connection`"
    );
    assert_eq!((error.blame(), error.is_fatal()), (Blame::Caller, true));
}

#[tokio::test]
async fn a_client_that_dials_by_the_uri_opens_and_reports_every_cause() {
    let http: legacy::Client<_, Empty<&[u8]>> = legacy::Client::builder(TokioExecutor::new()).build_http();
    let send = |request: http::Request<()>| {
        let mut request = request.map(|()| Empty::new());
        let uri = format!("http://{}{}", request.headers()["host"].to_str().unwrap(), request.uri());
        *request.uri_mut() = uri.parse().unwrap();
        http.request(request)
    };
    let (address, serving) = answering(switching).await;
    let client = Client::new().unwrap();
    let (socket, _) = client.upgrade(request(address), send).await.unwrap();
    assert!(socket.get_ref().tcp().is_some(), "a layer is left between");
    drop(socket);
    assert!(serving.await.unwrap().starts_with("GET /chat?a=b HTTP/1.1\r\n"));

    // Nobody listens there any more.
    let error = client.upgrade(request(address), send).await.unwrap_err();
    assert!(matches!(error, ConnectError::Io { .. }), "{error:?}");
    assert!(error.to_string().contains("client error (Connect): tcp connect error: "), "{error}");
    let ConnectError::Io { source, .. } = error else { unreachable!() };
    let cause = source.get_ref().unwrap().downcast_ref::<legacy::Error>();
    assert!(cause.is_some_and(legacy::Error::is_connect));
}

#[tokio::test]
async fn credentials_in_the_request_for_hyper_are_not_shown() {
    let request = Request::new("ws://user:s3cret@h/").unwrap().header("Cookie", "id=s3cret").unwrap();
    let send = |request: http::Request<()>| {
        assert!(request.headers()["authorization"].is_sensitive());
        assert!(request.headers()["cookie"].is_sensitive());
        assert!(!format!("{request:?}").contains("s3cret"), "{request:?}");
        std::future::ready(Err::<http::Response<Empty<&[u8]>>, _>("not sent"))
    };
    let error = Client::new().unwrap().upgrade(request, send).await.unwrap_err();
    assert!(error.to_string().ends_with("not sent"), "{error}");
}

#[tokio::test]
async fn an_upgraded_stream_that_is_no_socket_carries_a_websocket() {
    let (near, mut far) = tokio::io::duplex(1 << 16);
    let serving = tokio::spawn(async move {
        let head = read_head(&mut far).await;
        far.write_all(&[&switching(&head)[..], b"\x81\x05first"].concat()).await.unwrap();
        let mut echo = [0; 8];
        far.read_exact(&mut echo).await.unwrap();
        far.write_all(b"\x82\x02ok\x88\x02\x03\xe8").await.unwrap();
        echo[0]
    });
    let (mut sender, connection) = http1::handshake(TokioIo::new(near)).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    let send = |request: http::Request<()>| sender.send_request(request.map(|()| Empty::<&[u8]>::new()));
    let (mut socket, _) = Client::new().unwrap().upgrade("ws://h/", send).await.unwrap();
    assert!(socket.get_ref().tcp().is_none() && format!("{:?}", socket.get_ref()) == "Custom");
    assert_eq!(socket.recv().await.unwrap(), Some(Message::text("first")));
    socket.send(&b"hi"[..]).await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some(Message::binary(&b"ok"[..])));
    assert_eq!(socket.recv().await.unwrap(), None);
    assert_eq!(socket.close_info().unwrap().code(), CloseCode::NORMAL_CLOSURE);
    assert_eq!(serving.await.unwrap(), 0x82);
}
