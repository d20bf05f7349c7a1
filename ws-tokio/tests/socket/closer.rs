//! Closing a WebSocket from outside the task that owns it.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;
use ws_core::{CloseCause, CloseCode, Config, Connection, Initiator, Message, SendError};
use ws_tokio::{Error, TrySendError, WebSocket};

const AWAY: [u8; 4] = [0x88, 0x02, 0x03, 0xe9];
/// A client's Close 1001, masked with zeros.
const CLIENT_AWAY: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9];

fn server() -> (WebSocket<DuplexStream>, DuplexStream) {
    let (a, b) = duplex(4096);
    (WebSocket::new(a, Connection::server(Arc::new(Config::server())), &[]), b)
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), future).await.expect("timed out")
}

#[tokio::test]
async fn a_waiting_recv_is_woken_and_sees_the_closing_handshake_through() {
    let (mut websocket, mut peer) = server();
    let closer = websocket.closer();
    let owner = tokio::spawn(async move {
        let last = websocket.recv().await.unwrap();
        (last, websocket.recv().await.unwrap(), websocket.close_info().unwrap())
    });
    tokio::task::yield_now().await;
    closer.start_close(CloseCode::GOING_AWAY, "").unwrap();
    let mut close = [0; 4];
    soon(peer.read_exact(&mut close)).await.unwrap();
    assert_eq!(close, AWAY);
    // What the peer sent before its own Close still arrives.
    peer.write_all(&[0x81, 0x81, 0, 0, 0, 0, b'x']).await.unwrap();
    peer.write_all(&CLIENT_AWAY).await.unwrap();
    assert_eq!(closer.close_info(), None, "the WebSocket has not been dropped yet");
    let (last, end, info) = soon(owner).await.unwrap();
    assert_eq!(closer.close_info().as_ref(), Some(&info));
    assert_eq!(last, Some(Message::text("x")));
    assert_eq!(end, None);
    assert_eq!((info.initiator, info.sent), (Initiator::Local, Some(CloseCode::GOING_AWAY)));
    assert!(info.is_clean());
}

#[tokio::test]
async fn a_request_to_close_before_the_first_poll_is_not_lost() {
    let (mut websocket, mut peer) = server();
    websocket.closer().start_close(CloseCode::GOING_AWAY, "").unwrap();
    peer.write_all(&CLIENT_AWAY).await.unwrap();
    assert_eq!(soon(websocket.recv()).await.unwrap(), None);
    let mut close = [0; 4];
    soon(peer.read_exact(&mut close)).await.unwrap();
    assert_eq!(close, AWAY);
}

#[tokio::test]
async fn a_send_that_waits_for_a_stalled_peer_is_woken_by_a_request_to_close() {
    let (mut websocket, peer) = server();
    let closer = websocket.closer();
    let owner = tokio::spawn(async move {
        loop {
            if let Err(error) = websocket.send(vec![0; 100_000]).await {
                return error;
            }
        }
    });
    tokio::task::yield_now().await;
    closer.start_close(CloseCode::GOING_AWAY, "").unwrap();
    let mut peer = peer;
    let reading = tokio::spawn(async move {
        let mut all = Vec::new();
        peer.read_to_end(&mut all).await.unwrap();
        all
    });
    let _ = soon(owner).await.unwrap();
    assert!(soon(reading).await.unwrap().ends_with(&AWAY), "the Close follows complete frames");
}

#[tokio::test]
async fn a_closer_works_after_a_split_and_only_once() {
    let (mut websocket, mut peer) = server();
    let closer = websocket.closer();
    let (_sender, mut receiver) = websocket.split();
    let owner = tokio::spawn(async move { receiver.recv().await });
    tokio::task::yield_now().await;
    closer.start_close(CloseCode::GOING_AWAY, "").unwrap();
    closer.clone().start_close(CloseCode::SERVICE_RESTART, "").unwrap();
    peer.write_all(&CLIENT_AWAY).await.unwrap();
    assert_eq!(soon(owner).await.unwrap().unwrap(), None);
    let mut all = [0; 64];
    let n = soon(peer.read(&mut all)).await.unwrap();
    assert_eq!(all[..n], AWAY);
    closer.start_close(CloseCode::GOING_AWAY, "").unwrap();
}

#[tokio::test]
async fn a_websocket_dropped_while_open_has_been_aborted() {
    let (mut websocket, _peer) = server();
    let closer = websocket.closer();
    drop(websocket);
    let info = closer.close_info().unwrap();
    assert_eq!((info.cause, info.sent), (CloseCause::Aborted, Some(CloseCode::GOING_AWAY)));
}

#[tokio::test]
async fn a_code_that_must_not_be_sent_is_refused() {
    let (mut websocket, _peer) = server();
    let error = websocket.closer().start_close(CloseCode::ABNORMAL_CLOSURE, "").unwrap_err();
    assert_eq!(error, SendError::InvalidCloseCode(1006));
    assert!(
        timeout(Duration::from_millis(20), websocket.recv()).await.is_err(),
        "the connection is still open"
    );
}

/// A server's text frame.
fn text(payload: &str) -> Vec<u8> {
    ws_wire::frame(0x81, payload.as_bytes(), None)
}

async fn expect(peer: &mut DuplexStream, bytes: &[u8]) {
    let mut read = vec![0; bytes.len()];
    soon(peer.read_exact(&mut read)).await.unwrap();
    assert_eq!(read, bytes);
}

#[tokio::test]
async fn a_message_that_a_closer_leaves_is_sent_by_a_waiting_recv_whole_and_split() {
    for split in [false, true] {
        let (mut websocket, mut peer) = server();
        let closer = websocket.closer();
        let owner = tokio::spawn(async move {
            if split {
                let (_sender, mut receiver) = websocket.split();
                while receiver.recv().await.unwrap().is_some() {}
            } else {
                while websocket.recv().await.unwrap().is_some() {}
            }
        });
        for word in ["one", "two"] {
            tokio::task::yield_now().await;
            closer.try_send(word).unwrap();
            expect(&mut peer, &text(word)).await;
        }
        // What was left before a Close goes before it.
        closer.try_send("last").unwrap();
        closer.start_close(CloseCode::GOING_AWAY, "").unwrap();
        expect(&mut peer, &[&text("last")[..], &AWAY].concat()).await;
        let refused = closer.try_send("late").unwrap_err();
        assert!(matches!(refused, TrySendError::Refused(_, Error::Send(SendError::Closing))), "{refused}");
        peer.write_all(&CLIENT_AWAY).await.unwrap();
        drop(peer);
        soon(owner).await.unwrap();
        assert!(matches!(closer.try_send("gone"), Err(TrySendError::Refused(..))));
    }
}

#[tokio::test]
async fn messages_that_a_closer_leaves_wait_up_to_a_limit() {
    let (mut websocket, mut peer) = server();
    let closer = websocket.closer();
    // Nobody polls the WebSocket.
    let large = "x".repeat(100_000);
    closer.try_send(large.clone()).unwrap();
    let full = closer.try_send("y").unwrap_err();
    assert!(matches!(full, TrySendError::Full(message) if message == Message::from("y")));
    assert_eq!(closer.queued(), 100_000);
    // Once it is used they are sent, behind a header of ten bytes, and there is room again.
    let mut all = vec![0; 10 + large.len()];
    let reading = async {
        soon(peer.read_exact(&mut all)).await.unwrap();
        peer.write_all(&CLIENT_AWAY).await.unwrap();
    };
    let (received, ()) = tokio::join!(websocket.recv(), reading);
    assert_eq!(received.unwrap(), None);
    assert!(all.ends_with(large.as_bytes()));
}

#[tokio::test]
async fn a_message_that_a_closer_leaves_survives_that_the_halves_are_reunited() {
    let (mut websocket, mut peer) = server();
    let closer = websocket.closer();
    let (sender, receiver) = websocket.split();
    closer.try_send("one").unwrap();
    sender.flush().await.unwrap();
    expect(&mut peer, &text("one")).await;
    closer.try_send("two").unwrap();
    let mut websocket = receiver.reunite(sender).unwrap();
    let owner = tokio::spawn(async move { websocket.recv().await.map(drop) });
    expect(&mut peer, &text("two")).await;
    closer.try_send("three").unwrap();
    expect(&mut peer, &text("three")).await;
    owner.abort();
}
