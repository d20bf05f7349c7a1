//! The shutdown of a server.

use std::time::{Duration, Instant};

use crate::common::{echo, frame, opening, reply, run};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use ws_server::{Endpoint, Request, Server, ServerBuilder, WebSocket};

const AWAY: [u8; 2] = [0x03, 0xe9];

fn quick(builder: ServerBuilder) -> ServerBuilder {
    builder.options(crate::common::options(|options| {
        options.drain_timeout = Duration::from_millis(1500);
        options.drain_spread = Duration::from_millis(200);
    }))
}

/// Answers a server's Close with 1001, and reads to the end.
async fn leave(mut peer: crate::common::Peer) {
    let head = peer.bytes(2).await;
    assert_eq!(head[0], 0x88);
    let body = peer.bytes(usize::from(head[1])).await;
    assert_eq!(body[..2], AWAY);
    peer.send(frame(0x88, &AWAY)).await;
    assert_eq!(peer.rest().await, b"");
}

#[tokio::test]
async fn live_peers_get_1001_and_drain_before_the_deadline() {
    let mut server = run(quick(Server::builder().route("/", echo))).await;
    let mut peers = Vec::new();
    for _ in 0..20 {
        peers.push(server.open("/").await);
    }
    let address = server.address;
    server.stop();
    for peer in peers {
        leave(peer).await;
    }
    let stats = server.stats.clone();
    let drained = server.drained().await;
    assert_eq!((drained.closed, drained.aborted), (20, 0));
    assert_eq!((stats.open(), stats.connections()), (0, 0));
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn dead_peers_and_handlers_that_ignore_the_shutdown_are_cut_off_at_the_deadline() {
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
    // The half request has been cut off before.
    assert_eq!((drained.closed, drained.aborted), (2, 2));
    let took = begin.elapsed().as_millis();
    assert!((1400..2500).contains(&took), "{took} ms");
    assert_eq!((stats.open(), stats.connections()), (0, 0), "no task and no descriptor is left");
    drop((dead, deaf, half));
}

#[tokio::test]
async fn a_handler_finishes_its_work_during_a_shutdown() {
    let slow = async |mut socket: WebSocket| {
        let message = socket.recv().await.unwrap().unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        // The server is shutting down by now: the answer is refused, the end is orderly.
        assert!(socket.send(message).await.is_err());
        assert!(socket.recv().await.unwrap().is_none());
        assert_eq!(socket.close_info().unwrap().sent, Some(ws_server::CloseCode::GOING_AWAY));
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
async fn a_request_that_is_whole_only_during_the_shutdown_is_answered_503() {
    let mut server = run(Server::builder().route("/", echo)).await;
    let mut peer = server.connect().await;
    let request = opening("/", "");
    peer.send(&request[..40]).await;
    server.until(|stats| stats.connections() == 1).await;
    server.stop();
    while TcpStream::connect(server.address).await.is_ok() {}
    peer.send(&request[40..]).await;
    let answer = peer.text().await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("shutting down"), "{answer}");
    assert!(answer.to_lowercase().contains("retry-after: 5"), "{answer}");
    drop(peer);
    let stats = server.stats.clone();
    assert_eq!(server.drained().await.aborted, 0);
    assert_eq!((stats.opened(), stats.refused()), (0, 1));
}

#[tokio::test]
async fn silent_peers_and_half_requests_do_not_hold_up_a_shutdown() {
    let options = crate::common::options(|options| options.drain_timeout = Duration::from_secs(60));
    let mut server = run(Server::builder().route("/", echo).options(options)).await;
    let (mut silent, mut half) = (server.connect().await, server.connect().await);
    half.send("GET / HT").await;
    server.until(|stats| stats.connections() == 2).await;
    let begin = Instant::now();
    server.stop();
    assert_eq!(silent.rest().await, b"");
    let _ = crate::common::soon(half.0.read(&mut [0])).await;
    let drained = server.drained().await;
    assert_eq!((drained.closed, drained.aborted), (2, 0));
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_request_in_a_guard_is_refused_when_the_server_shuts_down() {
    let (asked, mut asking) = tokio::sync::mpsc::unbounded_channel();
    let endpoint = Endpoint::new(echo).guard(move |request: Request| {
        asked.send(()).unwrap();
        // It would not come to an end.
        async move {
            std::future::pending::<()>().await;
            Ok(request)
        }
    });
    let mut server = run(Server::builder().endpoint("/", endpoint)).await;
    let mut peer = server.connect().await;
    peer.send(opening("/", "")).await;
    crate::common::soon(asking.recv()).await.unwrap();
    server.stop();
    let answer = peer.text().await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("shutting down"), "{answer}");
    drop(peer);
    let drained = server.drained().await;
    assert_eq!((drained.closed, drained.aborted), (1, 0));
}

#[tokio::test]
async fn closes_are_spread_over_drain_spread() {
    let spread = Duration::from_secs(3);
    let options = crate::common::options(|options| options.drain_spread = spread);
    let mut server = run(Server::builder().route("/", echo).options(options)).await;
    let mut peers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let peer = server.open("/").await;
        peers.spawn(async {
            leave(peer).await;
            Instant::now()
        });
    }
    server.stop();
    let told = peers.join_all().await;
    let span = *told.iter().max().unwrap() - *told.iter().min().unwrap();
    assert!((spread / 2..spread * 2).contains(&span), "{span:?}");
    let drained = server.drained().await;
    assert_eq!((drained.closed, drained.aborted), (20, 0));
}

#[tokio::test]
async fn an_empty_server_stops_at_once() {
    let options = crate::common::options(|options| {
        options.drain_timeout = Duration::from_secs(600);
        options.drain_spread = Duration::from_secs(300);
    });
    let mut server = run(Server::builder().route("/", echo).options(options)).await;
    server.stop();
    // Each wait of the tests is shorter than either.
    let drained = server.drained().await;
    assert_eq!((drained.closed, drained.aborted), (0, 0));
    let _ = reply(0x88, &AWAY);
}
