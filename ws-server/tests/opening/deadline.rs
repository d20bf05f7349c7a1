//! The opening handshake has an absolute deadline.

use std::time::{Duration, Instant};

use crate::common::{Running, echo, opening, run, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use ws_server::{Endpoint, Request, Server, ServerOptions};

async fn hasty() -> Running {
    let mut options = ServerOptions::default();
    options.handshake.timeout = Duration::from_secs(1);
    run(Server::builder().route("/", echo).options(options)).await
}

#[tokio::test]
async fn a_silent_peer_is_answered_408_at_the_handshake_deadline() {
    let server = hasty().await;
    let begin = Instant::now();
    let mut peer = server.connect().await;
    assert!(peer.text().await.starts_with("HTTP/1.1 408 "));
    // Ten seconds is the default.
    assert!((1000..9000).contains(&begin.elapsed().as_millis()), "{:?}", begin.elapsed());
    server.until(|stats| stats.connections() == 0 && stats.failed_handshakes() == 1).await;
}

#[tokio::test]
async fn bytes_that_trickle_in_do_not_extend_the_handshake_deadline() {
    let server = hasty().await;
    let peer = server.connect().await;
    let (mut from, mut to) = peer.0.into_split();
    let trickle = tokio::spawn(async move {
        for byte in opening("/", "").bytes() {
            if to.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut answer = Vec::new();
    let _ = soon(from.read_to_end(&mut answer)).await;
    // A deadline that each byte extended would let the request become whole.
    assert!(!answer.starts_with(b"HTTP/1.1 101"));
    assert_eq!(server.stats.opened(), 0);
    trickle.abort();
}

#[tokio::test]
async fn a_slow_guard_is_ended_by_the_handshake_deadline() {
    let mut options = ServerOptions::default();
    options.handshake.timeout = Duration::from_millis(200);
    let endpoint = Endpoint::new(echo).guard(async |request: Request| {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok(request)
    });
    let server = run(Server::builder().endpoint("/", endpoint).options(options)).await;
    let mut peer = server.connect().await;
    peer.send(opening("/", "")).await;
    assert!(peer.text().await.starts_with("HTTP/1.1 408 "));
}

#[tokio::test]
async fn the_handshake_deadline_stops_once_the_websocket_is_open() {
    let server = hasty().await;
    let mut peer = server.open("/").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    peer.send(crate::common::frame(0x81, b"still here")).await;
    assert_eq!(peer.bytes(12).await, crate::common::reply(0x81, b"still here"));
}
