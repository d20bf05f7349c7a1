//! How often the tasks of a connection and of a WebSocket on it are polled.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use ws_core::{Config, Connection};
use ws_tokio::WebSocket;
use ws_tokio::http2::Http2Stream;

use crate::pair::{pair, settle};

fn websocket(stream: Http2Stream) -> WebSocket<Http2Stream> {
    let held = stream.held();
    let mut socket = WebSocket::new(stream, Connection::server(Arc::new(Config::server())), &[]);
    socket.count_held(held);
    socket
}

/// As the README has it; counts how often it is polled.
async fn echo(stream: Http2Stream, polls: Arc<AtomicUsize>) {
    let mut socket = websocket(stream);
    let mut echo = pin!(async {
        while let Some(message) = socket.recv().await.unwrap() {
            socket.feed(message).await.unwrap();
        }
    });
    poll_fn(|cx| {
        polls.fetch_add(1, SeqCst);
        echo.as_mut().poll(cx)
    })
    .await;
}

/// A masked frame of 20 bytes.
fn frame() -> Vec<u8> {
    [&[0x82, 0x80 | 20, 0, 0, 0, 0][..], &[7; 20]].concat()
}

#[tokio::test]
async fn an_echo_over_http_2_takes_one_poll_of_its_websocket_and_two_of_its_connection() {
    let mut pair = pair().await;
    let (stream, mut peer) = pair.stream().await;
    let polls = Arc::<AtomicUsize>::default();
    let echoing = tokio::spawn(echo(stream, polls.clone()));
    settle().await;
    let (polls_before, turns_before) = (polls.load(SeqCst), pair.turns.load(SeqCst));
    for _ in 0..100 {
        peer.write(&frame()).await;
        assert_eq!(peer.read(22).await.len(), 22);
        settle().await;
    }
    let (polls, turns) = (polls.load(SeqCst) - polls_before, pair.turns.load(SeqCst) - turns_before);
    // One for the message.
    assert!(polls <= 105, "the WebSocket was polled {polls} times for 100 messages");
    // One to read it, one to write the answer.
    assert!(turns <= 205, "the connection was polled {turns} times for 100 messages");
    echoing.abort();
}

#[tokio::test]
async fn a_message_that_is_not_answered_takes_one_poll_of_its_http_2_connection() {
    let mut pair = pair().await;
    let (stream, mut peer) = pair.stream().await;
    let mut socket = websocket(stream);
    settle().await;
    let before = pair.turns.load(SeqCst);
    for _ in 0..100 {
        peer.write(&frame()).await;
        assert!(socket.recv().await.unwrap().is_some());
        settle().await;
    }
    let turns = pair.turns.load(SeqCst) - before;
    assert!(turns <= 105, "the connection was polled {turns} times for 100 messages");
}

#[tokio::test]
async fn messages_that_arrive_together_on_a_stream_of_http_2_are_answered_in_one_frame() {
    let mut pair = pair().await;
    let (stream, mut peer) = pair.stream().await;
    let polls = Arc::<AtomicUsize>::default();
    let echoing = tokio::spawn(echo(stream, polls.clone()));
    settle().await;
    let before = polls.load(SeqCst);
    for _ in 0..16 {
        peer.write(&frame()).await;
    }
    assert_eq!(peer.data().await.unwrap().len(), 16 * 22);
    settle().await;
    let polls = polls.load(SeqCst) - before;
    assert!(polls <= 2, "the WebSocket was polled {polls} times for 16 DATA frames");
    echoing.abort();
}
