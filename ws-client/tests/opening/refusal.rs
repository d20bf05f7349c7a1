//! Answers other than 101: the error carries them whole, and redirects are followed only when asked.

use std::time::{Duration, Instant};

use super::common::*;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use ws_client::{Blame, Client, ConnectError, Options, Refused, Request};

async fn refused(answer: &str) -> Refused {
    match connect_to_answer(answer).await {
        Err(ConnectError::Refused(refused)) => *refused,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("opened"),
    }
}

#[tokio::test]
async fn a_refusal_carries_status_fields_and_body() {
    let answer = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 9\r\n\r\nwho's it?";
    let refused = refused(answer).await;
    assert_eq!(refused.response.status(), 401);
    assert_eq!(refused.response.headers()["www-authenticate"], "Basic");
    assert_eq!(refused.response.body(), b"who's it?");
    assert!(refused.body_complete);

    let error = connect_to_answer(answer).await.unwrap_err();
    assert_eq!((error.blame(), error.is_fatal()), (Blame::Server, true));
    assert!(
        error.to_string().contains("401 Unauthorized") && error.to_string().contains("credentials"),
        "{error}"
    );
    assert_eq!(error.response().unwrap().body(), b"who's it?");
}

#[tokio::test]
async fn a_chunked_body_is_put_together() {
    let refused =
        refused("HTTP/1.1 503 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").await;
    assert_eq!(refused.response.body(), b"abcde");
    assert!(refused.body_complete);
}

#[tokio::test]
async fn a_body_without_a_length_ends_with_the_stream() {
    let (address, _) = server(|mut stream| async move {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\nno such").await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        stream.write_all(b" page").await.unwrap();
        stream.shutdown().await.unwrap();
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    })
    .await;
    let error = ws_client::connect(format!("ws://{address}")).await.unwrap_err();
    assert_eq!(error.response().unwrap().body(), b"no such page");
}

#[tokio::test]
async fn no_more_than_64_kib_of_a_body_are_kept() {
    let refused =
        refused(&format!("HTTP/1.1 500 X\r\nContent-Length: 1000000\r\n\r\n{}", "x".repeat(1_000_000))).await;
    assert_eq!(refused.response.body().len(), 64 * 1024);
    assert!(!refused.body_complete);
}

#[tokio::test]
async fn a_body_that_does_not_come_does_not_hold_back_the_status() {
    let started = Instant::now();
    let refused = refused("HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\nabc").await;
    assert_eq!((refused.response.status().as_u16(), refused.body_complete), (403, false));
    assert_eq!(refused.response.body(), b"abc");
    assert!(started.elapsed() < Duration::from_secs(9), "less than opening_timeout");
}

#[tokio::test]
async fn a_200_is_no_websocket() {
    let error = connect_to_answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await.unwrap_err();
    assert!(error.to_string().contains("plain HTTP"), "{error}");
}

#[tokio::test]
async fn temporary_errors_are_distinguished_from_fatal_ones() {
    for (status, fatal) in [(400, true), (401, true), (404, true), (426, true), (302, true), (200, true)] {
        let error = connect_to_answer(&format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"))
            .await
            .unwrap_err();
        assert_eq!(error.is_fatal(), fatal, "{status}");
    }
    for (status, fatal) in [(408, false), (429, false), (500, false), (503, false), (501, true), (505, true)]
    {
        let error = connect_to_answer(&format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"))
            .await
            .unwrap_err();
        assert_eq!(error.is_fatal(), fatal, "{status}");
    }
}

fn following(redirects: u8) -> Client {
    let mut options = Options::default();
    options.max_redirects = redirects;
    options.build().unwrap()
}

#[tokio::test]
async fn a_redirect_is_an_error_unless_asked_for() {
    let (target, accepted) = counting().await;
    let answer = format!("HTTP/1.1 307 X\r\nLocation: ws://{target}/\r\nContent-Length: 0\r\n\r\n");
    let error = connect_to_answer(&answer).await.unwrap_err();
    assert_eq!(error.response().unwrap().headers()["location"], format!("ws://{target}/").as_str());
    assert!(error.to_string().contains("max_redirects"), "{error}");
    assert_eq!(accepted.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_followed_redirect_leaves_secrets_behind() {
    let (target, arriving) = answering(switching).await;
    let (address, first) = answering(move |_| {
        format!("HTTP/1.1 302 Found\r\nLocation: http://{target}/there\r\nContent-Length: 0\r\n\r\n")
            .into_bytes()
    })
    .await;
    let request = Request::new(&format!("ws://user:secret@{address}/here"))
        .unwrap()
        .header("Cookie", "id=1")
        .and_then(|r| r.header("Proxy-Authorization", "Basic eDp4"))
        .and_then(|r| r.header("X-Mine", "kept"))
        .unwrap();
    let (ws, _) = following(1).connect(request).await.unwrap();
    drop(ws);
    let first = first.await.unwrap();
    assert!(field(&first, "authorization").is_some() && field(&first, "cookie").is_some());
    let head = arriving.await.unwrap();
    assert!(head.starts_with("GET /there HTTP/1.1\r\n"), "{head}");
    assert_eq!(field(&head, "host"), Some(target.to_string().as_str()));
    assert_eq!(field(&head, "x-mine"), Some("kept"));
    for secret in ["authorization", "cookie", "proxy-authorization"] {
        assert_eq!(field(&head, secret), None, "{secret} went along");
    }
}

#[tokio::test]
async fn redirects_end_at_the_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let mut served = 0;
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            if read_head(&mut stream).await.starts_with("GET /end ") {
                return served;
            }
            stream
                .write_all(b"HTTP/1.1 302 X\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")
                .await
                .unwrap();
            served += 1;
        }
    });
    let error = following(3).connect(format!("ws://{address}")).await.unwrap_err();
    assert_eq!(error.response().unwrap().status(), 302);
    // Connections are accepted in order: this one after all of the client's.
    let mut last = tokio::net::TcpStream::connect(address).await.unwrap();
    last.write_all(b"GET /end HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(serving.await.unwrap(), 4);
}

/// A server that only counts connections.
async fn counting() -> (std::net::SocketAddr, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = count.clone();
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    });
    (address, count)
}
