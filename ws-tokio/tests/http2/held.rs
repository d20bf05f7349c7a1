//! What `h2` has taken of a WebSocket and not written yet counts as queued.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::Poll;

use h2::client;
use tokio::io::duplex;
use ws_core::{Config, Connection};
use ws_tokio::WebSocket;
use ws_tokio::http2::Http2Stream;

use crate::flow::Gate;
use crate::pair::{Pair, Peer, connect, settle, soon};

/// A WebSocket that counts, whose connection has a socket of one kilobyte.
pub(crate) struct Stalled {
    pub(crate) _pair: Pair,
    pub(crate) socket: WebSocket<Http2Stream>,
    pub(crate) peer: Peer,
    pub(crate) closed: Arc<AtomicBool>,
}

pub(crate) async fn stalled(config: Config) -> Stalled {
    let (near, far) = duplex(1 << 10);
    let closed = Arc::new(AtomicBool::new(false));
    let mut builder = client::Builder::new();
    builder.initial_window_size(1 << 20).initial_connection_window_size(1 << 20);
    let mut pair = connect(Gate { io: near, closed: closed.clone() }, far, &builder).await;
    let (stream, peer) = pair.stream().await;
    settle().await;
    closed.store(true, SeqCst);
    let held = stream.held();
    let mut socket = WebSocket::new(stream, Connection::server(Arc::new(config)), &[]);
    socket.count_held(held);
    Stalled { _pair: pair, socket, peer, closed }
}

/// Polls once.
pub(crate) async fn now<F: Future>(future: F) -> Poll<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

fn config() -> Config {
    let mut config = Config::server();
    config.send_high_water = 20_000;
    config.max_queued = 30_000;
    config
}

/// Bytes that the socket, and the buffer of `h2` in front of it, hold besides; and headers.
const BESIDE: usize = 24_000;

#[tokio::test]
async fn what_h2_holds_of_a_websocket_is_in_its_memory_and_feed_waits_at_the_high_water_mark() {
    let Stalled { mut socket, mut peer, closed, _pair } = stalled(config()).await;
    let mut fed = 0;
    while now(socket.feed(vec![1; 1000])).await.is_ready() {
        fed += 1000;
        // Written ahead as far as it goes.
        let _ = now(socket.flush()).await;
        settle().await;
        let queued = socket.memory_usage().queued;
        assert!(queued + BESIDE >= fed, "{queued} of {fed} bytes are counted");
        assert!(fed <= 20_000 + 1000 + BESIDE, "feed takes {fed} bytes, {queued} are counted");
    }
    assert!(fed >= 20_000, "{fed} bytes");
    assert!(socket.memory_usage().queued >= 20_000);
    assert_eq!(socket.queued(), 0, "h2 has taken all of it");
    closed.store(false, SeqCst);
    let fed_again = tokio::spawn(async move {
        socket.send(vec![2; 1000]).await.unwrap();
        socket
    });
    let mut arrived = 0;
    while arrived < fed + 1000 {
        arrived += peer.data().await.unwrap().len();
    }
    let socket = soon(fed_again).await.unwrap();
    settle().await;
    assert_eq!(socket.memory_usage().queued, 0);
}

#[tokio::test]
async fn what_h2_holds_counts_against_the_hard_limit_of_the_queue() {
    let Stalled { socket, closed, mut peer, _pair } = stalled(config()).await;
    let (sender, mut receiver) = socket.split();
    let mut sent = 0;
    let refused = loop {
        match sender.try_send(vec![1; 1000]) {
            Ok(()) => sent += 1000,
            Err(error) => break error,
        }
        // The receiver writes.
        let _ = now(receiver.recv()).await;
        settle().await;
        assert!(sent <= 30_000 + 1000 + BESIDE, "{sent} bytes");
    };
    assert!(refused.to_string().contains("full") || refused.to_string().contains("limit"), "{refused}");
    assert!(sender.memory_usage().queued >= 20_000 - 1000, "{:?}", sender.memory_usage());
    // A sender that waits goes on when the socket does.
    let waiting = tokio::spawn(async move { sender.send(vec![2; 1000]).await });
    settle().await;
    assert!(!waiting.is_finished());
    closed.store(false, SeqCst);
    let reading = tokio::spawn(async move { while peer.data().await.is_some() {} });
    soon(waiting).await.unwrap().unwrap();
    drop(receiver);
    reading.abort();
}

#[tokio::test]
async fn bytes_that_h2_holds_for_a_socket_which_takes_nothing_are_a_stalled_write() {
    let mut config = config();
    config.write_timeout = std::time::Duration::from_millis(100);
    let Stalled { mut socket, peer: _peer, _pair, .. } = stalled(config).await;
    // It waits for the socket.
    let Err(ws_tokio::Error::Closed(info)) = soon(socket.send(vec![1; 10_000])).await else {
        panic!("no end")
    };
    assert_eq!(info.cause, ws_core::CloseCause::Timeout(ws_core::Deadline::Write));
    assert_eq!(info.unsent, 0, "h2 has taken all of it");
}
