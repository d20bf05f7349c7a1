//! Peers that connect and do nothing, or next to nothing, keep nobody out.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Peer, Running, echo, frame, opening, options, reply, run, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Barrier;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use ws_server::Server;

const LIMIT: usize = 16;

/// Only displacing others can make room: no handshake here is ever too slow.
async fn patient() -> Running {
    let options = options(|options| {
        options.max_handshakes = Some(LIMIT);
        options.handshake.timeout = Duration::from_secs(600);
    });
    run(Server::builder().route("/", echo).options(options)).await
}

/// Opens and echoes, trying again when it was cut off itself; how long that took.
async fn honest(server: &Running) -> Duration {
    let begin = Instant::now();
    soon(async {
        loop {
            let mut peer = server.connect().await;
            let mut bytes = opening("/", "").into_bytes();
            bytes.extend(frame(0x81, b"honest"));
            let end = reply(0x81, b"honest");
            let mut answer = Vec::new();
            let talk = async {
                peer.0.write_all(&bytes).await?;
                while !answer.ends_with(&end) {
                    answer.push(peer.0.read_u8().await?);
                }
                std::io::Result::Ok(())
            };
            if matches!(timeout(Duration::from_secs(2), talk).await, Ok(Ok(()))) {
                return;
            }
        }
    })
    .await;
    begin.elapsed()
}

/// A new peer every few milliseconds, which sends this much of its request at once and a byte a second after that.
fn flood(server: &Running, at_once: usize) -> JoinHandle<()> {
    let address = server.address;
    tokio::spawn(async move {
        let mut trickles = tokio::task::JoinSet::new();
        loop {
            if let Ok(mut stream) = TcpStream::connect(address).await {
                trickles.spawn(async move {
                    let request = opening("/", "");
                    let (first, rest) = request.as_bytes().split_at(at_once);
                    let _ = stream.write_all(first).await;
                    for byte in rest {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        if stream.write_all(&[*byte]).await.is_err() {
                            return;
                        }
                    }
                });
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
}

#[tokio::test]
async fn silent_peers_keep_no_honest_client_out() {
    let server = patient().await;
    let mut open = server.open("/").await;
    let mut silent = Vec::new();
    for _ in 0..20 * LIMIT {
        silent.push(server.connect().await);
    }
    let flood = flood(&server, 0);
    for _ in 0..20 {
        let took = honest(&server).await;
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    flood.abort();
    // An open WebSocket is not displaced, however old.
    open.send(frame(0x81, b"x")).await;
    assert_eq!(open.bytes(3).await, reply(0x81, b"x"));
    assert!(server.stats.connections() <= 2 * LIMIT as u64 + 2, "{:?}", server.stats);
    assert!(server.stats.failed_handshakes() >= 19 * LIMIT as u64);
}

#[tokio::test]
async fn slow_senders_keep_no_honest_client_out() {
    let server = patient().await;
    let flood = flood(&server, 60);
    // A fifth of the seats stays free for other addresses.
    server.until(|stats| stats.connections() >= LIMIT as u64 * 4 / 5 && stats.failed_handshakes() > 0).await;
    for _ in 0..20 {
        let took = honest(&server).await;
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    flood.abort();
}

#[tokio::test]
async fn a_burst_many_times_the_seats_is_served_in_full() {
    let server = patient().await;
    let begin = Arc::new(Barrier::new(40 * LIMIT));
    let mut clients = JoinSet::new();
    for _ in 0..40 * LIMIT {
        let (begin, address) = (begin.clone(), server.address);
        clients.spawn(async move {
            begin.wait().await;
            let mut peer = Peer(soon(TcpStream::connect(address)).await.unwrap());
            peer.send(opening("/", "")).await;
            assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
        });
    }
    clients.join_all().await;
    assert_eq!((server.stats.opened(), server.stats.failed_handshakes()), (40 * LIMIT as u64, 0));
}

/// The addresses of a loopback network are many on Linux only.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_flood_from_one_address_leaves_the_handshakes_of_others_alone() {
    for at_once in [0, 60] {
        let server = patient().await;
        let flood = flood(&server, at_once);
        // The flood is waited for at first, and then known.
        server.until(|stats| stats.failed_handshakes() > 100).await;
        let mut clients = JoinSet::new();
        for number in 0..40u8 {
            let address = server.address;
            clients.spawn(async move {
                tokio::time::sleep(Duration::from_millis(50) * number.into()).await;
                let socket = TcpSocket::new_v4().unwrap();
                socket.bind(([127, 0, 1, number], 0).into()).unwrap();
                let mut peer = Peer(soon(socket.connect(address)).await.unwrap());
                let request = opening("/", "");
                for half in [&request[..40], &request[40..]] {
                    tokio::time::sleep(Duration::from_millis(125)).await;
                    peer.send(half).await;
                }
                assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
            });
        }
        let opened = clients.join_all().await.len();
        flood.abort();
        assert_eq!((opened, server.stats.opened()), (40, 40));
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_handshake_that_stands_still_gives_way_and_not_those_that_go_on() {
    let options = options(|options| options.max_handshakes = Some(8));
    let server = run(Server::builder().route("/", echo).options(options)).await;
    let from = async |number: u8| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 2, number], 0).into()).unwrap();
        Peer(soon(socket.connect(server.address)).await.unwrap())
    };
    let silent = from(0).await;
    let mut going_on = JoinSet::new();
    for number in 1..8 {
        let mut peer = from(number).await;
        going_on.spawn(async move {
            // A second and a half.
            for byte in &opening("/", "").as_bytes()[..50] {
                peer.send([*byte]).await;
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
            peer.send(&opening("/", "")[50..]).await;
            peer.head().await.starts_with("HTTP/1.1 101 ")
        });
    }
    server.until(|stats| stats.accepted() == 8).await;
    let mut newcomer = from(9).await;
    newcomer.send(opening("/", "")).await;
    assert!(newcomer.head().await.starts_with("HTTP/1.1 101 "));
    assert!(going_on.join_all().await.into_iter().all(|opened| opened));
    server.until(|stats| (stats.opened(), stats.failed_handshakes()) == (8, 1)).await;
    drop(silent);
}

#[tokio::test]
async fn a_storm_of_resets_leaves_nothing_behind() {
    let server = patient().await;
    let mut open = server.open("/").await;
    for round in 0..300 {
        let mut peer = server.connect().await;
        // Before the request, inside it, behind it, and with frames on their way.
        let bytes = [opening("/", "").into_bytes(), frame(0x82, &[7; 100]).repeat(20)].concat();
        let length = [0, 30, bytes.len() / 2, bytes.len()][round % 4];
        peer.send(&bytes[..length]).await;
        peer.0.set_zero_linger().unwrap();
    }
    server.until(|stats| stats.accepted() == 301 && stats.connections() == 1).await;
    assert_eq!((server.stats.open(), server.stats.failed_accepts()), (1, 0));
    open.send(frame(0x81, b"x")).await;
    assert_eq!(open.bytes(3).await, reply(0x81, b"x"));
    assert!(honest(&server).await < Duration::from_secs(5));
}
