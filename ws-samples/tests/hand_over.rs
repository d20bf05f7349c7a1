//! Upgrades of connections from which hyper or axum has read a request.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, unreachable_pub, reason = "its main is not run here")]
#[path = "../examples/axum.rs"]
mod axum_example;
#[path = "../../ws-server/tests/common/mod.rs"]
mod common;
#[allow(dead_code, unreachable_pub, reason = "its main is not run here")]
#[path = "../examples/hyper.rs"]
mod hyper_example;

use std::convert::Infallible;
use std::time::Duration;

use common::{Peer, frame, opening, reply, soon};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use ws_server::{
    AcceptError, AcceptorBuilder, Endpoint, Message, OriginPolicy, ServerOptions, WebSocket, WebSocketHub,
};

#[tokio::test]
async fn frames_that_hyper_read_with_the_request_are_delivered() {
    let echo = async |mut socket: WebSocket| {
        while let Some(message) = socket.recv().await? {
            socket.send(message).await?;
        }
        Ok::<(), ws_server::Error>(())
    };
    let sockets = WebSocketHub::default();
    let (axum, hyper) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let addresses = [axum.local_addr().unwrap(), hyper.local_addr().unwrap()];
    tokio::spawn(axum_example::serve(axum, sockets.clone(), std::future::pending()));
    tokio::spawn(hyper_example::serve(hyper, sockets.endpoint(Endpoint::new(echo)).unwrap()));
    for address in addresses {
        let mut peer = Peer(TcpStream::connect(address).await.unwrap());
        // Two frames and the header of a third, in one write with the request, so that hyper reads them with the
        // request.
        let mut bytes = opening("/echo", "").into_bytes();
        bytes.extend(frame(0x81, b"one"));
        bytes.extend(frame(0x81, b"two"));
        let third = frame(0x81, b"three");
        bytes.extend(&third[..4]);
        peer.send(bytes).await;
        assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
        assert_eq!(peer.bytes(10).await, [reply(0x81, b"one"), reply(0x81, b"two")].concat());
        peer.send(&third[4..]).await;
        assert_eq!(peer.bytes(7).await, reply(0x81, b"three"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_that_does_not_complete_in_time_is_a_timeout() {
    let timeout = Duration::from_secs(7);
    let mut builder = AcceptorBuilder::default();
    builder.handshake.timeout = timeout;
    let acceptor = std::sync::Arc::new(builder.build().unwrap());
    let (sent, mut received) = tokio::sync::mpsc::unbounded_channel();
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let (acceptor, sent) = (acceptor.clone(), sent.clone());
        async move {
            let (response, upgrading) = acceptor.upgrade(request).await.unwrap();
            sent.send(upgrading).unwrap();
            Ok::<_, Infallible>(response.map(Full::new))
        }
    });
    // The 101 does not fit into the pipe, and the peer does not read.
    let (mut peer, server) = duplex(32);
    tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(server), service).with_upgrades());
    peer.write_all(opening("/", "").as_bytes()).await.unwrap();
    let upgrading = received.recv().await.unwrap();
    let begin = Instant::now();
    let error = tokio::time::timeout(10 * timeout, upgrading).await.unwrap().err().unwrap();
    assert!(matches!(error, AcceptError::Timeout(t) if t == timeout), "{error}");
    assert!((timeout..timeout * 2).contains(&begin.elapsed()));
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_that_does_not_complete_in_time_releases_its_permit() {
    let mut options = ServerOptions::default();
    options.max_connections = Some(1);
    options.handshake.timeout = Duration::from_secs(7);
    let sockets = WebSocketHub::new(options).unwrap();
    let handler = async |mut socket: WebSocket| socket.recv().await.map(drop);
    let endpoint = sockets.endpoint(Endpoint::new(handler)).unwrap();
    let connect = async |capacity| {
        let (mut peer, server) = duplex(capacity);
        let endpoint = endpoint.clone();
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let answer = endpoint.answer(request);
            async move { Ok::<_, Infallible>(answer.await.map(Full::new)) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(server), service).with_upgrades());
        peer.write_all(opening("/", "").as_bytes()).await.unwrap();
        peer
    };
    let _stuck = connect(32).await;
    soon(async {
        while sockets.stats().failed_handshakes() == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    let mut peer = connect(1 << 16).await;
    let mut head = [0; 12];
    peer.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");
}

#[tokio::test]
async fn a_request_without_an_upgrade_is_answered_501_one_in_http_0_9_505_and_one_over_http_2_400() {
    let acceptor = AcceptorBuilder::default().build().unwrap();
    let request = || {
        http::Request::get("/")
            .header("host", "h")
            .header("upgrade", "websocket")
            .header("connection", "Upgrade")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("sec-websocket-version", "13")
    };
    let refusal = acceptor.upgrade(request().body(()).unwrap()).await.unwrap_err();
    assert_eq!(refusal.status(), 501);
    let http09 = request().version(http::Version::HTTP_09).body(()).unwrap();
    let refusal = acceptor.upgrade(http09).await.unwrap_err();
    assert_eq!(refusal.status(), 505);
    assert!(std::str::from_utf8(refusal.body()).unwrap().contains("HTTP/1.1"));
    // RFC 9113 §8.2.2: over HTTP/2 these fields are malformed.
    let http2 = request().version(http::Version::HTTP_2).body(()).unwrap();
    let refusal = acceptor.upgrade(http2).await.unwrap_err();
    assert_eq!((refusal.status().as_u16(), refusal.headers().contains_key("connection")), (400, false));
}

#[tokio::test]
async fn an_acceptor_returns_a_response_and_a_future_of_the_websocket() {
    let mut builder = AcceptorBuilder::default();
    builder.endpoint.origin = OriginPolicy::List(vec!["https://a.example".into()]);
    let acceptor = std::sync::Arc::new(builder.build().unwrap());
    let (sent, mut received) = tokio::sync::mpsc::unbounded_channel();
    let service = move || {
        let (acceptor, sent) = (acceptor.clone(), sent.clone());
        service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let (acceptor, sent) = (acceptor.clone(), sent.clone());
            async move {
                let response = match acceptor.upgrade(request).await {
                    Ok((response, upgrading)) => {
                        assert_eq!(format!("{upgrading:?}"), "Upgrading { .. }");
                        sent.send(upgrading).unwrap();
                        response
                    }
                    Err(refusal) => refusal,
                };
                Ok::<_, std::convert::Infallible>(response.map(http_body_util::Full::new))
            }
        })
    };
    // The frame is sent with the head in one packet, on a stream that is not a socket.
    let (mut client, server) = tokio::io::duplex(1 << 16);
    let serving = http1::Builder::new().serve_connection(TokioIo::new(server), service());
    let serving = tokio::spawn(serving.with_upgrades());
    let origin = "Origin: HTTPS://A.example\r\n";
    client.write_all(opening("/x?y", origin).as_bytes()).await.unwrap();
    client.write_all(b"\x82\x82\0\0\0\0hi").await.unwrap();
    let (mut socket, request) = received.recv().await.unwrap().await.unwrap();
    assert_eq!((request.path(), request.query()), ("/x", Some("y")));
    assert_eq!(socket.recv().await.unwrap(), Some(Message::binary(&b"hi"[..])));
    serving.await.unwrap().unwrap();
    let mut answer = [0; 12];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");

    // Without `with_upgrades` the upgrade never completes.
    let (mut client, server) = tokio::io::duplex(1 << 16);
    let serving = tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(server), service()));
    client.write_all(opening("/", "").as_bytes()).await.unwrap();
    let upgrading = received.recv().await.unwrap();
    drop(serving.await.unwrap());
    assert!(matches!(upgrading.await, Err(AcceptError::Upgrade(_))));
}
