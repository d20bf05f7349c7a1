//! What receiving long texts one after another allocates.

#![allow(clippy::unwrap_used)]

use std::alloc::System;
use std::sync::Arc;
use std::time::Duration;

use cap::Cap;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use ws_core::{Config, Connection, Event, SendError};
use ws_tokio::WebSocket;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

const SIZE: usize = 1 << 20;
const MESSAGES: usize = 20;

async fn pair() -> (TcpStream, WebSocket<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (peer, server) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    let connection = Connection::server(Arc::new(Config::server()));
    (peer.unwrap(), WebSocket::new(server.unwrap().0, connection, &[]))
}

/// A text of 1 MiB, as a frame that is masked with zeros.
fn frame() -> Vec<u8> {
    ws_wire::frame(0x81, &[b'x'; SIZE], Some([0; 4]))
}

/// What the first read brings has a place until the rest is known to come. One test, so that nothing else allocates meanwhile.
#[tokio::test]
async fn long_texts_that_are_received_and_dropped_share_one_allocation() {
    let frame = frame();

    // A peer that announces as much and sends little of it. Nothing can be reused yet.
    for sent in [100, 40_000, 200_000] {
        let (mut peer, mut websocket) = pair().await;
        peer.write_all(&frame[..sent]).await.unwrap();
        while websocket.memory_usage().assembled < sent - 14 {
            let received = tokio::time::timeout(Duration::from_millis(1), websocket.recv()).await;
            assert!(received.is_err(), "{received:?}");
        }
        let held = websocket.memory_usage().assembled;
        assert!(held <= 2 * sent + (64 << 10), "{held} bytes are held for {sent}");
    }

    let mut each = [0; 2];
    for (lent, each) in [false, true].into_iter().zip(&mut each) {
        let (mut peer, mut websocket) = pair().await;
        let mut before = 0;
        for message in 0..MESSAGES {
            if message == 3 {
                before = HEAP.total_allocated();
            }
            let received = async {
                if lent {
                    lend_one(&mut websocket).await
                } else {
                    websocket.recv().await.unwrap().unwrap().len()
                }
            };
            let (sent, received) = tokio::join!(peer.write_all(&frame), received);
            sent.unwrap();
            assert_eq!(received, SIZE);
            assert_eq!(websocket.memory_usage().read, 0, "the read buffer is the thread's again");
        }
        *each = (HEAP.total_allocated() - before) / (MESSAGES - 3);
    }
    println!("received, lent: {each:?} bytes a message");
    assert!(each.iter().all(|each| *each < SIZE / 8), "{each:?} bytes are allocated for each text of {SIZE}");
}

/// The length of the next message, as it is lent.
async fn lend_one(websocket: &mut WebSocket<TcpStream>) -> usize {
    let mut len = 0;
    let lent = websocket.for_each_event(|_, event| {
        let Event::Text(text) = event else { panic!("{event:?}") };
        len = text.len();
        // Ends the loan.
        Err(SendError::MessageInProgress)
    });
    lent.await.unwrap_err();
    len
}
