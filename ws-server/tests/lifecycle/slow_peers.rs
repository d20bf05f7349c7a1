//! Peers that take their time: what a handler leaves behind reaches them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{Peer, frame, opening, run, soon};
use tokio::net::TcpSocket;
use tokio::time::timeout;
use ws_server::{Error, Server, WebSocket};

/// Cuts what a server wrote into (first byte, payload).
fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let Some((header, payload)) = ws_wire::take(&mut bytes) {
        frames.push((header.first(), payload));
    }
    frames
}

#[tokio::test]
async fn what_a_handler_has_queued_when_it_returns_is_written_while_the_peer_takes_it() {
    let (tell, told) = tokio::sync::oneshot::channel::<usize>();
    let tell = Arc::new(Mutex::new(Some(tell)));
    let handler = move |mut socket: WebSocket| {
        let tell = tell.clone();
        async move {
            let mut sent = 0;
            // Until neither the system nor the queue takes more.
            while timeout(Duration::from_millis(300), socket.send(vec![7; 50_000])).await.is_ok() {
                sent += 1;
            }
            // That one is queued.
            tell.lock().unwrap().take().unwrap().send(sent + 1).unwrap();
            Ok::<_, Error>(())
        }
    };
    let server = run(Server::builder().route("/", handler)).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    let mut peer = Peer(socket.connect(server.address).await.unwrap());
    peer.send(opening("/", "")).await;
    peer.head().await;
    let sent = soon(told).await.unwrap();
    // Something that the server does not read: it must not take back what it has sent.
    peer.send(frame(0x81, b"unread")).await;
    let frames = frames(&peer.rest().await);
    let (last, messages) = frames.split_last().unwrap();
    assert_eq!(last.0, 0x88, "a Close is the last");
    assert_eq!(messages.len(), sent);
    assert!(messages.iter().all(|(first, payload)| *first == 0x82 && payload.len() == 50_000));
}

#[tokio::test]
async fn what_a_panicking_handler_has_queued_is_written_and_the_close_after_it_says_1011() {
    let handler = |mut socket: WebSocket| async move {
        while timeout(Duration::from_millis(300), socket.send(vec![7; 50_000])).await.is_ok() {}
        assert!(socket.close_info().is_some(), "a fault of the handler's");
        Ok::<_, Error>(())
    };
    let server = run(Server::builder().route("/", handler)).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    let mut peer = Peer(socket.connect(server.address).await.unwrap());
    peer.send(opening("/", "")).await;
    peer.head().await;
    server.until(|stats| stats.panicked() == 1).await;
    let frames = frames(&peer.rest().await);
    assert_eq!(frames.last().unwrap(), &(0x88, 1011u16.to_be_bytes().to_vec()));
}
