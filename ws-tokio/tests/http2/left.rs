//! A few bytes that `h2` has taken count as written for a task that waits for the peer, until somebody has to know.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use h2::client;
use tokio::io::duplex;
use ws_core::{CloseCause, Config, Connection, Deadline, Keepalive};
use ws_tokio::{Error, WebSocket};

use crate::held::{Stalled, now, stalled};
use crate::pair::{connect, settle, soon};

#[tokio::test]
async fn a_flush_over_http_2_waits_for_what_a_receiver_has_left_to_h2() {
    let Stalled { mut socket, mut peer, closed, _pair } = stalled(Config::server()).await;
    let mut fed = 0;
    while socket.memory_usage().queued == 0 {
        socket.feed(vec![1; 1000]).await.unwrap();
        fed += 1000 + 4;
        // The receiver writes.
        assert!(now(socket.recv()).await.is_pending());
        settle().await;
    }
    let left = socket.memory_usage().queued;
    assert!(left <= 4096 && socket.queued() == 0, "{left} bytes are with h2");
    assert!(now(socket.flush()).await.is_pending(), "the socket has not taken them");
    // A receiver beside it changes nothing.
    assert!(now(socket.recv()).await.is_pending());
    assert!(now(socket.flush()).await.is_pending(), "nor has it now");
    closed.store(false, SeqCst);
    let reading = tokio::spawn(async move { peer.read(fed).await.len() });
    soon(socket.flush()).await.unwrap();
    assert_eq!(soon(reading).await.unwrap(), fed);
    assert_eq!(socket.memory_usage().queued, 0);
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_ping_that_h2_still_holds_is_not_expected_yet() {
    let (near, far) = duplex(1 << 10);
    let mut builder = client::Builder::new();
    builder.initial_window_size(1 << 20).initial_connection_window_size(1 << 20);
    let mut pair = connect(near, far, &builder).await;
    let (stream, _peer) = pair.stream().await;
    settle().await;
    let mut config = Config::server();
    config.keepalive =
        Some(Keepalive::default().interval(Duration::from_secs(10)).timeout(Duration::from_secs(5)));
    config.write_timeout = Duration::from_secs(60);
    let held = stream.held();
    let mut socket = WebSocket::new(stream, Connection::server(Arc::new(config)), &[]);
    socket.count_held(held);
    pair.frozen.store(true, SeqCst);
    // The pipe is full, and so is the buffer of `h2`.
    while socket.memory_usage().queued == 0 {
        socket.feed(vec![1; 1000]).await.unwrap();
        assert!(now(socket.recv()).await.is_pending());
        settle().await;
    }
    let Err(Error::Closed(info)) = socket.recv().await else { panic!("the peer takes nothing") };
    assert_eq!(info.cause, CloseCause::Timeout(Deadline::Write));
}
