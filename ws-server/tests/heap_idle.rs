//! What an open WebSocket of a server costs on the heap while it waits.
#![allow(clippy::unwrap_used)]

mod common;

use std::alloc::System;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;

use cap::Cap;
use common::{echo, frame, opening, reply, run};
use ws_server::Server;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// One test, so that nothing else allocates meanwhile.
#[tokio::test]
async fn an_idle_connection_with_an_echo_handler_holds_at_most_1600_bytes_and_50_more_for_metrics() {
    let server = run(Server::builder().route("/", echo)).await;
    // The first connections fill the thread's pools, which all its connections share.
    let warm = connect(server.address, 64).await;
    let before = HEAP.allocated();
    let open = connect(server.address, COUNT).await;
    server.until(|stats| stats.open() == 64 + COUNT as u64).await;
    let each = (HEAP.allocated() - before - open.capacity() * size_of::<TcpStream>()) / COUNT;
    println!("{each} bytes a connection");
    let most = if cfg!(feature = "metrics") { 1650 } else { 1600 };
    assert!(each <= most, "an idle connection holds {each} bytes");
    drop((open, warm));
}

const COUNT: usize = 448;

/// Opens this many WebSockets, and has each echo a message; the peers are of another thread, and have nothing on the heap.
async fn connect(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    let (request, message, answer) = (opening("/", ""), frame(0x81, b"hello"), reply(0x81, b"hello"));
    let peers = thread::spawn(move || {
        let mut peers = Vec::with_capacity(count);
        for _ in 0..count {
            let mut peer = TcpStream::connect(address).unwrap();
            peer.write_all(request.as_bytes()).unwrap();
            let mut byte = [0];
            let mut end = [0; 4];
            while end != *b"\r\n\r\n" {
                peer.read_exact(&mut byte).unwrap();
                end.rotate_left(1);
                end[3] = byte[0];
            }
            peer.write_all(&message).unwrap();
            let mut echoed = [0; 7];
            peer.read_exact(&mut echoed).unwrap();
            assert_eq!(echoed[..], answer);
            peers.push(peer);
        }
        peers
    });
    tokio::task::spawn_blocking(|| peers.join().unwrap()).await.unwrap()
}
