//! What a hostile peer over HTTP/2 can make a server hold, and whether a neighbour notices.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "http2/bytes.rs"]
#[allow(dead_code)]
mod bytes;
mod common;

use std::alloc::System;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use bytes::*;
use cap::Cap;
use common::{echo, frame as masked, run};
use ws_server::{Server, WebSocket};

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// How long each flood lasts.
const FLOOD: Duration = Duration::from_millis(1500);
/// How long a neighbour may have to wait; on a busy machine.
const WAIT: Duration = Duration::from_secs(3);

/// What an attacker sends on a connection: at first, and then over and over, numbered.
struct Flood {
    name: &'static str,
    first: Vec<u8>,
    then: fn(u32) -> Vec<u8>,
    reads: bool,
    /// What the heap may grow by.
    limit: usize,
}

/// One test, so that nothing else allocates meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_flood_over_http_2_takes_more_memory_than_its_windows_or_holds_up_a_neighbour() {
    let deaf = async |socket: WebSocket| {
        std::future::pending::<()>().await;
        drop(socket);
    };
    let server = run(Server::builder().route("/", echo).route("/deaf", deaf)).await;
    let open = |stream, path| frame(HEADERS, END_HEADERS, stream, &fields(&connect_fields(path)));
    let reset = |stream| frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes());
    let opened_and_reset = [open(1, "/"), reset(1)].concat();
    let floods = [
        Flood {
            name: "rapid resets",
            first: Vec::new(),
            then: |n| {
                let request = fields(&connect_fields("/"));
                let pair = |stream| {
                    let reset = frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes());
                    [frame(HEADERS, END_HEADERS, stream, &request), reset].concat()
                };
                (0..100).flat_map(|m| pair(200 * n + 2 * m + 1)).collect()
            },
            reads: true,
            limit: 1 << 20,
        },
        Flood {
            name: "small frames to a handler that reads nothing",
            first: open(1, "/deaf"),
            then: |_| frame(DATA, 0, 1, b"x").repeat(1000),
            reads: true,
            // What is read in a turn of 64 KiB waits in `h2` for a moment, with some 300 bytes for each frame.
            limit: 6 << 20,
        },
        Flood {
            name: "small frames on a stream that was reset",
            first: opened_and_reset,
            then: |_| frame(DATA, 0, 1, b"x").repeat(1000),
            reads: true,
            limit: 1 << 20,
        },
        Flood {
            name: "a message that never ends",
            first: [open(1, "/"), frame(DATA, 0, 1, &masked(0x01, b"x"))].concat(),
            then: |_| frame(DATA, 0, 1, &masked(0x00, b"")).repeat(100),
            reads: true,
            limit: 6 << 20,
        },
        Flood {
            name: "CONTINUATION",
            first: frame(HEADERS, 0, 1, &fields(PAGE)),
            then: |_| frame(CONTINUATION, 0, 1, &fields(&[("x", "f")]).repeat(1000)),
            reads: true,
            limit: 1 << 20,
        },
        Flood {
            name: "PING of a peer that reads nothing",
            first: open(1, "/"),
            then: |_| frame(PING, 0, 0, b"are you?").repeat(1000),
            reads: false,
            limit: 1 << 20,
        },
        Flood {
            name: "SETTINGS of a peer that reads nothing",
            first: open(1, "/"),
            then: |_| frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255]).repeat(1000),
            reads: false,
            limit: 1 << 20,
        },
        Flood {
            name: "malformed requests of a peer that reads nothing",
            first: Vec::new(),
            then: |n| {
                let request = fields(&[(":method", "GET"), (":protocol", "websocket")]);
                (0..100).flat_map(|m| frame(HEADERS, 5, 200 * n + 2 * m + 1, &request)).collect()
            },
            reads: false,
            limit: 2 << 20,
        },
    ];
    let mut neighbour = Raw::begin(&server).await;
    neighbour.open(1, "/").await;
    neighbour.echo(1, "warm").await;
    for flood in floods {
        let before = HEAP.allocated();
        let over = Arc::new(AtomicBool::new(false));
        let (address, ended, stats) = (server.address, over.clone(), server.stats.clone());
        let Flood { name, first, then, reads, limit } = flood;
        let attack = thread::spawn(move || {
            let mut count = 0;
            while !ended.load(SeqCst) {
                // A server that has had enough ends the connection: the attacker has more, one after another, since the limit is of one.
                while stats.connections() > 1 {
                    thread::sleep(Duration::from_millis(1));
                }
                let mut peer = TcpStream::connect(address).unwrap();
                peer.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
                let mut reader = peer.try_clone().unwrap();
                let reading = reads.then(|| {
                    thread::spawn(move || {
                        let mut scratch = [0; 4096];
                        while matches!(reader.read(&mut scratch), Ok(1..)) {}
                    })
                });
                let preface =
                    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, &[])].concat();
                let mut sent = peer.write_all(&preface).and_then(|()| peer.write_all(&first));
                let mut n = 0;
                while sent.is_ok() && !ended.load(SeqCst) {
                    sent = peer.write_all(&then(n));
                    (n, count) = (n + 1, count + 1);
                }
                let _ = peer.shutdown(std::net::Shutdown::Both);
                if let Some(reading) = reading {
                    reading.join().unwrap();
                }
            }
            count
        });
        let (begun, mut most, mut longest) = (Instant::now(), 0, Duration::ZERO);
        while begun.elapsed() < FLOOD {
            let asked = Instant::now();
            neighbour.echo(1, "there?").await;
            longest = longest.max(asked.elapsed());
            most = most.max(HEAP.allocated().saturating_sub(before));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        over.store(true, SeqCst);
        let count = tokio::task::spawn_blocking(|| attack.join().unwrap()).await.unwrap();
        println!("{name}: {count} times, {most} bytes, a neighbour waited {longest:?}");
        assert!(count > 1 || !reads, "{name}: nothing was sent");
        assert!(most <= limit, "{name} takes {most} bytes of the heap, more than {limit}");
        assert!(longest <= WAIT, "{name}: a neighbour waited {longest:?}");
        server.until(|stats| stats.connections() == 1).await;
    }
}
