//! What a hostile peer can make us hold, and whether a neighbour on the same runtime notices.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::alloc::System;
use std::io::Write;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cap::Cap;
use tokio::io::duplex;
use tokio::net::{TcpListener, TcpStream};
use ws_core::{Config, Connection, DataType};
use ws_tokio::WebSocket;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// How long a neighbour may have to wait; without optimisation, and on a busy machine, longer.
const WAIT: Duration = Duration::from_millis(if cfg!(debug_assertions) { 1500 } else { 250 });

/// How long a flood lasts.
const FLOOD: Duration = Duration::from_millis(700);

fn server<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(stream: S) -> WebSocket<S> {
    WebSocket::new(stream, Connection::server(Arc::new(Config::server())), &[])
}

fn client<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(stream: S) -> WebSocket<S> {
    WebSocket::new(stream, Connection::client(Arc::new(Config::client()), [1; 32]), &[])
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (near, far) =
        tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), async { listener.accept().await });
    let (near, far) = (near.unwrap(), far.unwrap().0);
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    (near, far)
}

/// What a flood did: the most that the heap grew, and the longest a neighbour waited for its echo.
struct Damage {
    heap: usize,
    wait: Duration,
}

/// Lets a peer write `frames` over and over, never reading, to a server that receives, beside a neighbour.
async fn flood(frames: Vec<u8>, pause: Duration) -> Damage {
    let (attacker, victim) = pair().await;
    let (near, far) = pair().await;
    let neighbour = tokio::spawn(async move {
        let mut socket = server(far);
        while let Ok(Some(message)) = socket.recv().await {
            socket.send(message).await.unwrap();
        }
    });
    let mut near = client(near);
    let before = HEAP.allocated();
    let mut socket = server(victim);
    let victim = tokio::spawn(async move { while let Ok(Some(_)) = socket.recv().await {} });
    let attacker = attacker.into_std().unwrap();
    attacker.set_nonblocking(false).unwrap();
    attacker.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    let attack = thread::spawn(move || {
        let (mut attacker, begun) = (attacker, Instant::now());
        // An error is the server's answer to a flood it does not take.
        while begun.elapsed() < FLOOD && attacker.write_all(&frames).is_ok() {
            thread::sleep(pause);
        }
        attacker
    });
    let mut damage = Damage { heap: 0, wait: Duration::ZERO };
    let begun = Instant::now();
    while begun.elapsed() < FLOOD {
        let asked = Instant::now();
        near.send("there?").await.unwrap();
        assert_eq!(near.recv().await.unwrap(), Some("there?".into()));
        damage.wait = damage.wait.max(asked.elapsed());
        damage.heap = damage.heap.max(HEAP.allocated().saturating_sub(before));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    drop(attack.join().unwrap());
    victim.abort();
    neighbour.abort();
    damage
}

/// A client's frame, masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    ws_wire::frame(first, payload, Some([0; 4]))
}

/// One test, so that nothing else allocates meanwhile.
#[tokio::test]
async fn a_flood_neither_grows_the_heap_nor_delays_other_connections() {
    let pings = frame(0x89, &[b'p'; 125]).repeat(500);
    let empty_pings = frame(0x89, b"").repeat(10_000);
    let pongs = frame(0x8A, &[b'p'; 125]).repeat(500);
    let fragments = [frame(0x01, b""), frame(0x00, b"").repeat(4000), frame(0x80, b"")].concat();
    let small_fragments = [frame(0x02, b"x"), frame(0x00, b"y").repeat(4000), frame(0x80, b"z")].concat();
    let endless_message = [frame(0x02, b""), frame(0x00, &[7; 125]).repeat(20_000)].concat();
    let floods = [
        ("pings", pings, 0),
        ("empty pings", empty_pings, 0),
        ("pongs", pongs, 0),
        ("empty fragments", fragments, 0),
        ("small fragments", small_fragments, 0),
        // Twice the largest message, and the linger: never more than the contract's twice the payload.
        ("an endless message", endless_message, 2 << 20),
        ("a byte now and then", vec![0x81], 0),
    ];
    for (name, frames, more) in floods {
        let pause = Duration::from_millis(if frames.len() == 1 { 50 } else { 0 });
        let Damage { heap, wait } = flood(frames, pause).await;
        println!("{name}: the heap grew by {heap} bytes, the neighbour waited {wait:?}");
        assert!(heap < (512 << 10) + more, "{name}: the heap grew by {heap} bytes");
        assert!(wait < WAIT, "{name}: the neighbour waited {wait:?}");
    }
    a_peer_that_never_reads().await;
    a_message_of_any_size_passes_in_constant_memory().await;
}

async fn a_peer_that_never_reads() {
    let (near, far) = pair().await;
    let before = HEAP.allocated();
    let (sender, _receiver) = server(near).split();
    let sending = async {
        for _ in 0.. {
            sender.feed(vec![1; 1000]).await.unwrap();
        }
    };
    assert!(tokio::time::timeout(FLOOD, sending).await.is_err(), "it never waits");
    let grown = HEAP.allocated().saturating_sub(before);
    println!("a peer that never reads: the heap grew by {grown} bytes, {} are queued", sender.queued());
    assert!(grown < 512 << 10, "the heap grew by {grown} bytes");
    drop(far);
}

async fn a_message_of_any_size_passes_in_constant_memory() {
    let mebibytes = std::env::var("WS_STREAM_MIB").ok().and_then(|n| n.parse().ok());
    let mebibytes = mebibytes.unwrap_or(if cfg!(debug_assertions) { 24 } else { 256 });
    let (near, far) = duplex(64 << 10);
    let (mut near, mut far) = (client(near), server(far));
    let piece = vec![0xA5; 64 << 10];
    let before = HEAP.allocated();
    let mut most = 0;
    let send = async {
        for n in 1..=mebibytes * 16 {
            near.send_piece(DataType::Binary, &piece, n == mebibytes * 16).await.unwrap();
        }
    };
    let receive = async {
        let mut reader = far.recv_stream().await.unwrap().unwrap();
        let mut all = 0usize;
        while let Some(piece) = reader.next().await.unwrap() {
            assert!(piece.as_bytes().iter().all(|&byte| byte == 0xA5));
            all += piece.len();
            most = most.max(HEAP.allocated().saturating_sub(before));
        }
        all
    };
    let ((), all) = tokio::join!(send, receive);
    assert_eq!(all, mebibytes << 20);
    println!("{mebibytes} MiB in pieces: the heap grew by {most} bytes");
    assert!(most < 1 << 20, "{mebibytes} MiB in pieces: the heap grew by {most} bytes");
}
