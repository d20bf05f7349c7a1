//! The memory of all connections together: which request is refused, which connection is closed, and that all of it is returned.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use ws_server::{Server, ServerBuilder, ServerOptions, WebSocket};

use crate::common::log::logged;
use crate::common::{Peer, Running, ask, budget, echo, frame, opening, options, reply, run, soon};

const MEBIBYTE: usize = 1 << 20;

async fn server(memory: usize) -> Running {
    let options = options(|options: &mut ServerOptions| {
        options.max_memory = Some(memory);
        options.drain_timeout = Duration::from_millis(1500);
    });
    let fail = async |mut socket: WebSocket| {
        assert!(socket.recv().await.is_err(), "a handler that panics");
    };
    run(Server::builder().route("/", echo).route("/panic", fail).options(options)).await
}

/// The first fragment of a message, of more than 65,535 bytes, masked with zeros.
fn fragment(bytes: usize) -> Vec<u8> {
    let mut fragment = vec![0x02, 0xFF];
    fragment.extend((bytes as u64).to_be_bytes());
    fragment.resize(fragment.len() + 4 + bytes, 0);
    fragment
}

/// Sends a fragment, and waits until it is counted.
async fn hold(server: &Running, peer: &mut Peer, bytes: usize) {
    let before = server.stats.memory();
    peer.send(fragment(bytes)).await;
    server.until(|stats| stats.memory() >= before + bytes as u64).await;
}

/// Sends a fragment and a ping: returns whether a pong came back, and not a Close.
async fn stays(peer: &mut Peer, bytes: usize) -> bool {
    peer.send(fragment(bytes)).await;
    peer.send(frame(0x89, b"")).await;
    match peer.bytes(2).await[..] {
        [0x8A, 0] => true,
        [0x88, _] => false,
        ref other => panic!("{other:x?}"),
    }
}

#[tokio::test]
async fn near_max_memory_a_request_gets_503_and_finds_room_when_it_comes_again() {
    let (log, _guard) = logged();
    let server = server(MEBIBYTE).await;
    let mut honest = server.open("/").await;
    let mut peers = Vec::new();
    let refused = loop {
        let mut peer = server.connect().await;
        peer.send(opening("/", "")).await;
        let head = peer.head().await;
        if !head.starts_with("HTTP/1.1 101 ") {
            break head;
        }
        hold(&server, &mut peer, 100_000).await;
        peers.push(peer);
        assert!(peers.len() < 11, "a mebibyte holds no more");
    };
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("\r\nretry-after: 5\r\n"), "{refused}");
    server.until(|stats| stats.refused_for_memory() == 1 && stats.refused() == 1).await;
    // Of those that hold most the first have given way, and no more than needed.
    let mut closed = 0;
    for (place, peer) in peers.iter_mut().enumerate() {
        peer.send(frame(0x80, b"")).await;
        match peer.bytes(1).await[..] {
            [0x82] => {}
            [0x88] => {
                assert_eq!(place, closed as usize, "a later one has given way");
                let close = peer.rest().await;
                let reason = b"\x03\xf5the memory for all connections is used up; try again later";
                assert!(close.ends_with(reason), "{close:x?}");
                closed += 1;
            }
            ref other => panic!("{other:x?}"),
        }
    }
    assert!((1..peers.len() as u64).contains(&closed), "{closed} of {} have given way", peers.len());
    drop(server.open("/").await);
    honest.send(frame(0x81, b"hello")).await;
    assert_eq!(honest.bytes(7).await, reply(0x81, b"hello"));
    drop((honest, peers));
    server.until(|stats| stats.memory() == 0 && stats.closed_for_memory() == closed).await;
    let text = log.text();
    assert!(text.contains("limit=\"max_memory\"") && text.contains("memory is short"), "{text}");
    assert!(text.contains("the memory for all connections is used up"), "{text}");
}

#[tokio::test]
async fn beyond_max_memory_the_connections_with_the_most_unfinished_input_are_closed_with_1013_and_no_others()
{
    let server = server(MEBIBYTE).await;
    let (mut honest, mut light) = (server.open("/").await, server.open("/").await);
    let mut heavy = Vec::new();
    for _ in 0..8 {
        heavy.push(server.open("/").await);
    }
    hold(&server, &mut light, 70_000).await;
    let mut most = 0;
    for peer in &mut heavy {
        stays(peer, 250_000).await;
        most = most.max(server.stats.memory());
    }
    // A third part of the limit is what one of them may hold beyond it until another one has given way.
    assert!(most <= MEBIBYTE as u64 * 4 / 3, "{most} bytes");
    server.until(|stats| stats.memory() <= MEBIBYTE as u64).await;
    // They are counted once they have lingered.
    server.until(|stats| stats.closed_for_memory() >= 4).await;
    assert!(server.stats.closed_for_memory() < 8, "all have been closed");
    light.send(frame(0x80, b"the end")).await;
    assert_eq!(light.bytes(1).await, [0x82], "the echo of the whole message");
    honest.send(frame(0x81, b"hello")).await;
    assert_eq!(honest.bytes(7).await, reply(0x81, b"hello"));
    assert_eq!((server.stats.panicked(), server.stats.refused_for_memory()), (0, 0));
}

#[tokio::test]
async fn the_memory_of_a_connection_is_returned_however_it_ends() {
    let mut server = server(4 * MEBIBYTE).await;
    for how in 0..6 {
        let mut peer = server.open(if how == 5 { "/panic" } else { "/" }).await;
        hold(&server, &mut peer, 100_000).await;
        match how {
            0 => {}
            1 => peer.send(frame(0x88, &[])).await,
            // A fault of the peer.
            2 => peer.send([0xFF]).await,
            3 => peer.0.set_zero_linger().unwrap(),
            4 => soon(peer.0.shutdown()).await.unwrap(),
            _ => peer.send(frame(0x80, b"the end")).await,
        }
        drop(peer);
        server.until(|stats| stats.memory() == 0).await;
    }
    // A refusal, and half a head.
    ask(&server, opening("/nowhere", "")).await;
    let mut half = server.connect().await;
    half.send("GET / HTTP/1.1\r\n").await;
    server.until(|stats| stats.memory() > 16 << 10).await;
    drop(half);
    server.until(|stats| stats.memory() == 0).await;
    // A connection that is cut off by a shutdown.
    let mut dead = server.open("/").await;
    hold(&server, &mut dead, 100_000).await;
    server.stop();
    let stats = server.stats.clone();
    let drained = server.drained().await;
    assert_eq!(drained.aborted, 1);
    assert_eq!(stats.memory(), 0);
}

fn budgeted() -> ServerBuilder {
    Server::builder().route("/", budget::handler).options(budget::options())
}

#[tokio::test]
async fn connections_whose_peers_do_not_read_give_way_when_memory_is_used_up_and_those_that_read_stay() {
    let (log, _guard) = logged();
    let server = run(budgeted()).await;
    budget::output_that_stands_still_gives_way(async || server.connect().await.0, &server.stats).await;
    let text = log.text();
    assert!(text.contains("memory is short") && text.contains("not_reading="), "{text}");
    assert!(!text.contains("not_reading=0"), "{text}");
    let dropped = |line: &str| line.contains("memory for all connections") && line.contains(" unsent=");
    assert!(text.lines().any(|line| dropped(line) && !line.contains(" unsent=0")), "{text}");
}

#[cfg(unix)]
#[tokio::test]
async fn over_a_unix_socket_unfinished_input_and_output_that_stands_still_give_way() {
    for input in [true, false] {
        let path = std::env::temp_dir().join(format!("ws-memory-{}-{input}.sock", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let server = budgeted().listener(listener).build().unwrap();
        let stats = server.stats();
        let serving = tokio::spawn(server.serve());
        let connect = async || tokio::net::UnixStream::connect(&path).await.unwrap();
        match input {
            true => budget::unfinished_input_gives_way(connect, &stats).await,
            false => budget::output_that_stands_still_gives_way(connect, &stats).await,
        }
        serving.abort();
        std::fs::remove_file(&path).unwrap();
    }
}
