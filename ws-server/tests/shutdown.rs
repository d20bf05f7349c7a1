//! A server that is told to stop.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use common::{echo, frame, opening, reply, run};
use tokio::net::TcpStream;
use ws_server::{Server, ServerBuilder, WebSocket};

const AWAY: [u8; 2] = [0x03, 0xe9];

fn quick(builder: ServerBuilder) -> ServerBuilder {
    builder.options(common::options(|options| {
        options.drain_timeout = Duration::from_millis(1500);
        options.drain_spread = Duration::from_millis(200);
    }))
}

/// Answers a server's Close with 1001, and reads to the end.
async fn leave(mut peer: common::Peer) {
    let head = peer.bytes(2).await;
    assert_eq!(head[0], 0x88);
    let body = peer.bytes(usize::from(head[1])).await;
    assert_eq!(body[..2], AWAY);
    peer.send(frame(0x88, &AWAY)).await;
    assert_eq!(peer.rest().await, b"");
}

#[tokio::test]
async fn live_peers_are_told_1001_and_drain_before_the_deadline() {
    let mut server = run(quick(Server::builder().route("/", echo))).await;
    let mut peers = Vec::new();
    for _ in 0..20 {
        peers.push(server.open("/").await);
    }
    let address = server.address;
    let begin = Instant::now();
    server.stop();
    for peer in peers {
        leave(peer).await;
    }
    let stats = server.stats.clone();
    let drained = server.drained().await;
    assert_eq!((drained.closed, drained.aborted), (20, 0));
    assert!(begin.elapsed() < Duration::from_millis(1400), "{:?}", begin.elapsed());
    assert_eq!((stats.open(), stats.connections()), (0, 0));
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn dead_peers_and_deaf_handlers_are_cut_off_at_the_deadline() {
    let deaf = async |socket: WebSocket| {
        std::future::pending::<()>().await;
        drop(socket);
    };
    let mut server = run(quick(Server::builder().route("/", echo).route("/deaf", deaf))).await;
    let (live, dead) = (server.open("/").await, server.open("/").await);
    let deaf = server.open("/deaf").await;
    let half = {
        let mut peer = server.connect().await;
        peer.send(&opening("/", "")[..40]).await;
        peer
    };
    server.until(|stats| stats.connections() == 4).await;
    let begin = Instant::now();
    server.stop();
    leave(live).await;
    let stats = server.stats.clone();
    let drained = server.drained().await;
    assert_eq!((drained.closed, drained.aborted), (1, 3));
    let took = begin.elapsed().as_millis();
    assert!((1400..2500).contains(&took), "{took} ms");
    assert_eq!((stats.open(), stats.connections()), (0, 0), "no task and no descriptor is left");
    drop((dead, deaf, half));
}

#[tokio::test]
async fn a_handler_finishes_what_it_is_doing() {
    let slow = async |mut socket: WebSocket| {
        let message = socket.recv().await.unwrap().unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        // The server is shutting down by now: the answer is refused, the end is orderly.
        assert!(socket.send(message).await.is_err());
        assert!(socket.recv().await.unwrap().is_none());
        assert_eq!(socket.close_info().unwrap().sent, Some(ws_server::CloseCode::AWAY));
    };
    let mut server = run(quick(Server::builder().route("/", slow))).await;
    let mut peer = server.open("/").await;
    peer.send(frame(0x81, b"work")).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.stop();
    leave(peer).await;
    let stats = server.stats.clone();
    assert_eq!(server.drained().await.aborted, 0);
    assert_eq!(stats.panicked(), 0);
}

#[tokio::test]
async fn a_handshake_that_ends_during_the_shutdown_is_closed_at_once() {
    let mut server = run(quick(Server::builder().route("/", echo))).await;
    let mut peer = server.connect().await;
    let request = opening("/", "");
    peer.send(&request[..40]).await;
    server.until(|stats| stats.connections() == 1).await;
    server.stop();
    tokio::time::sleep(Duration::from_millis(300)).await;
    peer.send(&request[40..]).await;
    assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
    leave(peer).await;
    assert_eq!(server.drained().await.aborted, 0);
}

#[tokio::test]
async fn an_empty_server_stops_at_once() {
    let mut server = run(quick(Server::builder().route("/", echo))).await;
    let begin = Instant::now();
    server.stop();
    let drained = server.drained().await;
    assert_eq!((drained.closed, drained.aborted), (0, 0));
    assert!(begin.elapsed() < Duration::from_millis(500));
    let _ = reply(0x88, &AWAY);
}
