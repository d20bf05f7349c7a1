//! What an open WebSocket costs while it waits: on the heap, and in the task that owns it.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::alloc::System;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use cap::Cap;
use tokio::net::{TcpListener, TcpStream};
use ws_core::{Config, Connection};
use ws_tokio::WebSocket;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// Polls `recv` once: it waits, with the keepalive timer running.
fn wait(socket: &mut WebSocket<TcpStream>) {
    let recv = pin!(socket.recv());
    assert!(recv.poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

/// One test, so that nothing else allocates meanwhile.
#[tokio::test]
async fn an_open_idle_websocket_costs_at_most_512_bytes_and_a_clients_832() {
    let configs = (Arc::new(Config::server()), Arc::new(Config::client()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for round in 0..6 {
        let (a, b) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (a, b) = (a.unwrap(), b.unwrap().0);
        let before = HEAP.allocated();
        let mut server = WebSocket::new(a, Connection::server(Arc::clone(&configs.0)), &[]);
        wait(&mut server);
        let idle_server = HEAP.allocated() - before;
        let before = HEAP.allocated();
        let mut client = WebSocket::new(b, Connection::client(Arc::clone(&configs.1), [1; 32]), &[]);
        wait(&mut client);
        let idle_client = HEAP.allocated() - before;

        // What it held while it worked it has given back.
        let before = HEAP.allocated();
        for size in [20, 1000, 200_000] {
            let message = vec![7; size];
            let (sent, received) = tokio::join!(client.send(message), server.recv());
            sent.unwrap();
            let (sent, received) = tokio::join!(server.send(received.unwrap().unwrap()), client.recv());
            sent.unwrap();
            assert_eq!(received.unwrap().unwrap().len(), size);
        }
        wait(&mut server);
        wait(&mut client);
        let kept = HEAP.allocated() as isize - before as isize;

        println!("server {idle_server}, client {idle_client}, kept by both after use {kept}");
        // The first rounds fill the thread's pools, which all its connections share.
        if round > 3 {
            // With what lies in the task that owns it.
            let (server, client) = (idle_server + size_of_val(&server), idle_client + size_of_val(&client));
            assert!(server <= 512, "an idle server end costs {server} bytes");
            assert!(client <= 832, "an idle client end costs {client} bytes");
            assert!(kept <= 0, "{kept} bytes are kept after use");
        }
    }
}
