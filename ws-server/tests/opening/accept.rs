//! The opening handshake on a stream that is no socket.

use std::time::Duration;

use crate::common::{frame, get, opening, reply, soon};
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use ws_server::{AcceptError, Acceptor, AcceptorBuilder, Message, Request, Stream, accept, response};

/// Writes `bytes` to an acceptor; what it says, and what comes back.
async fn ask(acceptor: &Acceptor, bytes: impl AsRef<[u8]>) -> (AcceptError, String) {
    let (mut peer, stream) = duplex(1 << 16);
    peer.write_all(bytes.as_ref()).await.unwrap();
    let reading = async {
        let mut answer = String::new();
        // Once it has its answer it goes, so that nobody lingers.
        peer.read_to_string(&mut answer).await.unwrap();
        drop(peer);
        answer
    };
    let (accepted, answer) = soon(async { tokio::join!(acceptor.accept(stream), reading) }).await;
    (accepted.err().unwrap(), answer)
}

#[tokio::test]
async fn any_stream_can_become_a_websocket() {
    let (mut peer, stream): (DuplexStream, _) = duplex(4096);
    let mut bytes = opening("/a?b", "").into_bytes();
    bytes.extend(frame(0x81, b"Hello"));
    peer.write_all(&bytes).await.unwrap();
    let (mut socket, request) = soon(accept(stream)).await.unwrap();
    assert_eq!((request.path(), request.query(), request.peer_addr()), ("/a", Some("b"), None));
    assert_eq!(soon(socket.recv()).await.unwrap(), Some(Message::text("Hello")));
    soon(socket.send("Hi")).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(&reply(0x81, b"Hi")) {
        answer.push(soon(peer.read_u8()).await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
}

#[tokio::test]
async fn each_failure_of_accept_has_its_own_error() {
    let acceptor = Acceptor::default();
    let (error, answer) = ask(&acceptor, "nonsense\r\n\r\n").await;
    assert!(
        matches!(&error, AcceptError::Malformed(refusal) if refusal.status() == StatusCode::BAD_REQUEST),
        "{error}"
    );
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("\r\ndate: "), "{answer}");
    let (error, answer) = ask(&acceptor, get("/")).await;
    assert!(matches!(error, AcceptError::Plain(StatusCode::UPGRADE_REQUIRED)), "{error}");
    assert!(answer.starts_with("HTTP/1.1 426 ") && answer.contains("\r\ndate: "), "{answer}");
    let (error, answer) = ask(&acceptor, opening("/", "Origin: http://evil.example\r\n")).await;
    assert!(
        matches!(&error, AcceptError::NotAllowed(refusal) if refusal.status() == StatusCode::FORBIDDEN),
        "{error}"
    );
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");

    let (mut peer, stream) = duplex(4096);
    peer.write_all(b"GET / HT").await.unwrap();
    drop(peer);
    assert!(matches!(soon(accept(stream)).await.err().unwrap(), AcceptError::Closed));
}

#[tokio::test(start_paused = true)]
async fn the_default_deadline_is_ten_seconds() {
    let (_peer, stream) = duplex(4096);
    let begin = tokio::time::Instant::now();
    let error = accept(stream).await.err().unwrap();
    assert!(matches!(error, AcceptError::Timeout(t) if t == Duration::from_secs(10)), "{error}");
    assert!((10.0..10.1).contains(&begin.elapsed().as_secs_f64()), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn pages_and_guards_are_hooks_of_the_builder() {
    let acceptor = AcceptorBuilder::default()
        .page(async |_| response::html("a page"))
        .guard(async |request: Request| match request.query() {
            Some("open") => Ok(request),
            _ => Err(response::unauthorized()),
        })
        .build()
        .unwrap();
    let (error, answer) = ask(&acceptor, get("/")).await;
    assert!(matches!(error, AcceptError::Plain(StatusCode::OK)) && answer.ends_with("a page"), "{answer}");
    let (error, answer) = ask(&acceptor, opening("/", "")).await;
    assert!(matches!(error, AcceptError::Refused(StatusCode::UNAUTHORIZED)), "{error}");
    assert!(answer.to_ascii_lowercase().contains("www-authenticate: basic"), "{answer}");
    let (mut peer, stream) = duplex(4096);
    peer.write_all(opening("/?open", "").as_bytes()).await.unwrap();
    let from = "127.0.0.1:5".parse().unwrap();
    let (_, request) = soon(acceptor.accept_from(stream, from)).await.unwrap();
    assert_eq!(request.peer_addr(), Some(from));
}

#[tokio::test]
async fn an_endless_head_is_cut_off_at_its_limit() {
    let acceptor = Acceptor::default();
    let (mut peer, stream) = duplex(1 << 10);
    let flood = tokio::spawn(async move {
        let mut sent = 0;
        let _ = peer.write_all(b"GET / HTTP/1.1\r\n").await;
        while peer
            .write_all(b"X-Padding: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
            .await
            .is_ok()
        {
            sent += 75;
        }
        sent
    });
    let error = soon(acceptor.accept(stream)).await.err().unwrap();
    let status = match error {
        AcceptError::Malformed(refusal) => refusal.status().as_u16(),
        // The peer does not read: the answer could not be written.
        AcceptError::Io(_) => 431,
        other => panic!("{other}"),
    };
    assert_eq!(status, 431);
    let sent = soon(flood).await.unwrap();
    assert!(sent < (5 << 20), "{sent} bytes were taken");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_the_peer_does_not_read_ends_at_answer_timeout() {
    for seconds in [None, Some(3)] {
        let mut builder = AcceptorBuilder::default();
        if let Some(seconds) = seconds {
            builder.handshake.answer_timeout = Duration::from_secs(seconds);
        }
        let acceptor = builder.page(async |_| response::html("x".repeat(1 << 16))).build().unwrap();
        // Far less than the answer fits in between.
        let (mut peer, stream) = duplex(1024);
        peer.write_all(get("/").as_bytes()).await.unwrap();
        let begin = tokio::time::Instant::now();
        let accepting = tokio::time::timeout(Duration::from_secs(300), acceptor.accept(stream));
        let error = accepting.await.expect("answer_timeout has no effect").err().unwrap();
        assert!(matches!(&error, AcceptError::Io(e) if e.kind() == std::io::ErrorKind::TimedOut), "{error}");
        let (took, expected) = (begin.elapsed().as_secs_f64(), seconds.unwrap_or(30) as f64);
        assert!((expected..expected + 0.1).contains(&took), "{took}");
    }
}

#[tokio::test]
async fn a_custom_stream_becomes_the_websocket_that_handlers_take() {
    let (io, mut peer) = duplex(1024);
    let serving = tokio::spawn(async move {
        let (socket, _): (ws_server::WebSocket, _) = accept(Stream::custom(io)).await.unwrap();
        let stream = socket.get_ref();
        assert_eq!((stream.peer_addr(), stream.is_tls(), stream.tcp().is_none()), (None, false, true));
        crate::common::echo(socket).await
    });
    peer.write_all(opening("/", "").as_bytes()).await.unwrap();
    peer.write_all(&frame(0x81, b"x")).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(&reply(0x81, b"x")) {
        answer.push(soon(peer.read_u8()).await.unwrap());
    }
    drop(peer);
    let _ = soon(serving).await.unwrap();
}
