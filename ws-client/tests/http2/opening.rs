//! How a WebSocket is opened over HTTP/2, and when not.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use super::common::*;
use super::frames::*;
use super::peer::*;
use http::{Response, Version};
use tokio::net::TcpListener;
use ws_client::{Blame, ConnectError, Http2Error, HttpVersion, Request, Stage};

pub(crate) async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    (listener, url)
}

pub(crate) fn http2_error(error: ConnectError) -> Http2Error {
    match error {
        ConnectError::Http2 { source, .. } => source,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_websocket_opens_by_an_extended_connect() {
    let seen = Arc::new(Mutex::new(None));
    let kept = seen.clone();
    let peer = Peer::new(move |exchange| {
        let protocol = exchange.request.extensions().get::<h2::ext::Protocol>().cloned();
        let head = (exchange.request.method().clone(), exchange.request.uri().to_string(), protocol);
        *kept.lock().unwrap() = Some((head, exchange.request.headers().clone()));
        let response = Response::builder().header("sec-websocket-protocol", "b").header("x-server", "1");
        async move { drop(exchange.accept(response.body(()).unwrap())) }
    })
    .await;
    let request = Request::new(&peer.url()).unwrap().subprotocol("a").subprotocol("b");
    let request = request.header("Authorization", "Bearer t").unwrap().header("X-Id", "7").unwrap();
    let (websocket, negotiated) = client().connect(request).await.unwrap();
    let ((method, uri, protocol), headers) = seen.lock().unwrap().take().unwrap();
    assert_eq!((method.as_str(), protocol.unwrap().as_str()), ("CONNECT", "websocket"));
    assert_eq!(uri, format!("http://{}/chat", peer.address));
    assert_eq!(headers["sec-websocket-version"], "13");
    assert_eq!(headers["sec-websocket-protocol"], "a, b");
    assert_eq!(
        (&headers["authorization"], &headers["x-id"]),
        (&"Bearer t".parse().unwrap(), &"7".parse().unwrap())
    );
    for absent in ["sec-websocket-key", "upgrade", "connection", "host"] {
        assert!(!headers.contains_key(absent), "{absent}");
    }
    assert_eq!(negotiated.http_version(), Version::HTTP_2);
    assert_eq!((negotiated.subprotocol(), negotiated.response().status().as_u16()), (Some("b"), 200));
    assert_eq!(negotiated.headers()["x-server"], "1");
    let stream = websocket.into_inner();
    assert_eq!((stream.peer_addr(), stream.is_tls()), (Some(peer.address), false));
}

#[tokio::test]
async fn a_host_of_the_caller_becomes_the_authority() {
    let (told, mut authorities) = tokio::sync::mpsc::unbounded_channel();
    let peer = Peer::new(move |exchange| {
        told.send(exchange.request.uri().authority().unwrap().to_string()).unwrap();
        exchange.echo()
    })
    .await;
    let request = Request::new(&peer.url()).unwrap().header("Host", "virtual.example:81").unwrap();
    let _open = client().connect(request).await.unwrap();
    assert_eq!(authorities.recv().await.unwrap(), "virtual.example:81");
}

#[tokio::test]
async fn http_1_1_is_the_default_and_is_reported() {
    let (address, _) = answering(switching).await;
    let (_websocket, negotiated) = ws_client::connect(format!("ws://{address}/")).await.unwrap();
    assert_eq!(negotiated.http_version(), Version::HTTP_11);
}

#[tokio::test]
async fn http_2_if_offered_is_http_1_1_without_tls() {
    let (address, serving) = answering(switching).await;
    let client = options().http_version(HttpVersion::Http2IfOffered).build().unwrap();
    let (websocket, negotiated) = client.connect(format!("ws://{address}/")).await.unwrap();
    assert_eq!(negotiated.http_version(), Version::HTTP_11);
    drop(websocket);
    assert!(serving.await.unwrap().starts_with("GET / HTTP/1.1\r\n"));
}

#[tokio::test]
async fn a_request_waits_for_the_first_settings_of_the_server() {
    let (listener, url) = listen().await;
    let connecting = tokio::spawn(async move { client().connect(url).await });
    let mut peer = Bytewise::accept(&listener).await;
    // The client has answered this before it can have seen any SETTINGS.
    peer.send(PING, 0, 0, &[7; 8]).await;
    let (_, before) = peer.until(PING).await;
    assert!(!before.contains(&HEADERS), "{before:?}");
    peer.send(SETTINGS, 0, 0, ALLOW).await;
    let (headers, _) = peer.until(HEADERS).await;
    assert_eq!(headers.flags, END_HEADERS, "the stream stays open");
    peer.send(HEADERS, END_HEADERS, headers.stream, STATUS_200).await;
    soon(connecting).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_is_not_sent_to_a_server_that_does_not_allow_it() {
    let (listener, url) = listen().await;
    let connecting = tokio::spawn(async move { client().connect(url).await });
    // The setting of a server that speaks HTTP/2 for pages only.
    let mut peer = Bytewise::settled(&listener, &[0, 3, 0, 0, 0, 100]).await;
    let error = soon(connecting).await.unwrap().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("does not allow WebSockets") && text.contains("HttpVersion::Http1"), "{text}");
    assert_eq!((error.blame(), error.is_fatal()), (Blame::Caller, true));
    assert_eq!(http2_error(error), Http2Error::NotAllowed);
    let kinds = peer.rest().await;
    assert!(!kinds.contains(&HEADERS) && kinds.contains(&GOAWAY), "{kinds:?}");
}

#[tokio::test]
async fn a_permission_stays_when_later_settings_do_not_repeat_it() {
    let (listener, url) = listen().await;
    let client = client();
    let (first, second) = (client.clone(), client);
    let address = url.clone();
    let connecting = tokio::spawn(async move { first.connect(address).await });
    let mut peer = Bytewise::settled(&listener, ALLOW).await;
    peer.send(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]).await;
    for connecting in [connecting, tokio::spawn(async move { second.connect(url).await })] {
        let (headers, _) = peer.until(HEADERS).await;
        peer.send(HEADERS, END_HEADERS, headers.stream, STATUS_200).await;
        soon(connecting).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_server_of_http_1_1_is_recognised_where_http_2_is_expected() {
    let (address, _) = server(|mut stream| async move {
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    })
    .await;
    let error = soon(client().connect(format!("ws://{address}/"))).await.unwrap_err();
    assert!(error.to_string().contains("does not speak HTTP/2"), "{error}");
    assert!(matches!(http2_error(error), Http2Error::Protocol(_)));
}

#[tokio::test]
async fn a_connection_that_ends_before_its_settings_is_an_error_of_the_network() {
    let (address, _) = server(|stream| async move { drop(stream) }).await;
    let error = soon(client().connect(format!("ws://{address}/"))).await.unwrap_err();
    let is_io = matches!(error, ConnectError::Io { during: Stage::Http2, .. });
    assert!(is_io && !error.is_fatal(), "{error:?}");
}

#[tokio::test]
async fn settings_that_never_come_end_at_the_deadline() {
    let (listener, url) = listen().await;
    let client = options().opening_timeout(Duration::from_secs(2)).build().unwrap();
    let error = soon(client.connect(url)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout { during: Stage::Http2, .. }), "{error:?}");
    assert!(error.to_string().contains("HTTP/2 settings"), "{error}");
    // The connection is not kept.
    let mut peer = Bytewise::accept(&listener).await;
    assert!(!peer.rest().await.contains(&HEADERS));
}

#[cfg(unix)]
#[tokio::test]
async fn websockets_over_a_unix_socket_share_an_http_2_connection() {
    let path = std::env::temp_dir().join(format!("ws-client-http2-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        serve_echo(stream).await;
    });
    let client = client();
    let (mut one, negotiated) = client.connect_unix(&path, "ws://localhost/").await.unwrap();
    let (mut two, _) = client.connect_unix(&path, "ws://localhost/").await.unwrap();
    assert_eq!(negotiated.http_version(), Version::HTTP_2);
    ping_pong(&mut one, "one").await;
    ping_pong(&mut two, "two").await;
    drop((one, two, client));
    soon(serving).await.unwrap();
    std::fs::remove_file(&path).unwrap();
}
