//! What waits for room, or for the transport, goes on only when the peer has read.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_sink::Sink;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;
use ws_core::{Config, Connection, DataType, Message, PreparedMessage};
use ws_tokio::{Broadcast, SlowPolicy, WebSocket};

/// A server whose queue is full with 1000 bytes, over a pipe that takes 64, and the raw end of its client.
fn server() -> (WebSocket<DuplexStream>, DuplexStream) {
    server_over(64)
}

fn server_over(pipe: usize) -> (WebSocket<DuplexStream>, DuplexStream) {
    let mut config = Config::server();
    config.send_high_water = 1000;
    config.keepalive = None;
    let (near, far) = duplex(pipe);
    (WebSocket::new(near, Connection::server(Arc::new(config)), &[]), far)
}

/// Reads frames of a server's, whose lengths are all of 16 bits, and returns the first byte of each payload.
async fn read_frames(far: &mut DuplexStream, count: usize) -> Vec<u8> {
    let mut first = Vec::new();
    for _ in 0..count {
        let mut header = [0; 4];
        far.read_exact(&mut header).await.unwrap();
        assert_eq!(header[1], 126, "a frame of at least 126 bytes");
        let mut payload = vec![0; usize::from(u16::from_be_bytes([header[2], header[3]]))];
        far.read_exact(&mut payload).await.unwrap();
        first.push(payload[0]);
    }
    first
}

/// What must not take long: a test that fails is better than one that hangs.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), future).await.expect("timed out")
}

/// Polls a future once: it is to wait.
async fn assert_waits<F: Future>(mut future: Pin<&mut F>) {
    assert!(
        poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await,
        "the future is not pending"
    );
}

#[tokio::test(start_paused = true)]
async fn a_sink_is_ready_below_the_high_water_mark_and_flushed_when_all_is_written() {
    let (mut server, mut far) = server();
    Pin::new(&mut server).start_send(Message::binary(vec![1; 2000])).unwrap();
    assert_waits(pin!(poll_fn(|cx| Pin::new(&mut server).poll_ready(cx)))).await;
    assert_waits(pin!(poll_fn(|cx| Pin::new(&mut server).poll_flush(cx)))).await;
    // Enough for less than 1000 bytes to be left.
    let mut begin = [0; 1000];
    let (ready, read) =
        tokio::join!(poll_fn(|cx| Pin::new(&mut server).poll_ready(cx)), far.read_exact(&mut begin));
    ready.unwrap();
    read.unwrap();
    Pin::new(&mut server).start_send(Message::binary(vec![2; 200])).unwrap();
    let flushing = poll_fn(|cx| Pin::new(&mut server).poll_flush(cx));
    let mut rest = [0; 1004 + 204];
    let (flushed, read) = soon(async { tokio::join!(flushing, far.read_exact(&mut rest)) }).await;
    flushed.unwrap();
    read.unwrap();
    assert_eq!(rest[1004..1009], [0x82, 126, 0, 200, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_ping_goes_out_behind_what_waits_and_is_awaited() {
    let (mut server, mut far) = server();
    {
        let mut ping = pin!(server.ping(b"you?"));
        assert!(poll_fn(|cx| Poll::Ready(ping.as_mut().poll(cx).is_ready())).await);
    }
    let mut frame = [0; 6];
    far.read_exact(&mut frame).await.unwrap();
    assert_eq!(&frame, b"\x89\x04you?");
    server.feed(vec![1; 2000]).await.unwrap();
    assert_waits(pin!(server.ping(b"you?"))).await;
}

#[tokio::test(start_paused = true)]
async fn pieces_of_a_message_wait_for_room_and_their_flush_for_the_transport() {
    let (mut server, mut far) = server();
    let mut writer = server.send_stream(DataType::Binary);
    writer.feed(&[1; 2000]).await.unwrap();
    assert_waits(pin!(writer.feed(&[2; 200]))).await;
    assert_waits(pin!(writer.flush())).await;
    let (flushed, frames) = soon(async { tokio::join!(writer.flush(), read_frames(&mut far, 1)) }).await;
    flushed.unwrap();
    assert_eq!(frames, [1]);
}

#[tokio::test(start_paused = true)]
async fn pieces_of_a_sender_wait_for_room_and_their_flush_for_the_transport() {
    let (server, mut far) = server();
    let (sender, _receiver) = server.split();
    let mut writer = sender.send_stream(DataType::Binary).await;
    writer.feed(&[1; 2000]).await.unwrap();
    assert_waits(pin!(writer.feed(&[2; 200]))).await;
    assert_waits(pin!(writer.flush())).await;
    let (flushed, frames) = soon(async { tokio::join!(writer.flush(), read_frames(&mut far, 1)) }).await;
    flushed.unwrap();
    assert_eq!(frames, [1]);
}

#[tokio::test(start_paused = true)]
async fn a_prepared_message_of_a_sender_goes_out_and_is_awaited() {
    let (server, mut far) = server();
    let (sender, _receiver) = server.split();
    let message = PreparedMessage::from(Message::binary(vec![3; 500]));
    assert_waits(pin!(sender.send_prepared(&message))).await;
    let (sent, frames) = soon(async { tokio::join!(sender.flush(), read_frames(&mut far, 1)) }).await;
    sent.unwrap();
    assert_eq!(frames, [3]);
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_leaves_the_middle_of_the_line_keeps_no_other_sender_from_a_turn() {
    let (server, mut far) = server();
    let (sender, _receiver) = server.split();
    sender.try_send(vec![0; 2000]).unwrap();
    let (first, second, third) = (sender.clone(), sender.clone(), sender.clone());
    let mut first = pin!(first.send(vec![1; 500]));
    let mut third = pin!(third.send(vec![3; 500]));
    {
        let mut second = Box::pin(second.send(vec![2; 500]));
        assert_waits(first.as_mut()).await;
        assert_waits(second.as_mut()).await;
        assert_waits(third.as_mut()).await;
    }
    let (first, third, frames) = soon(async { tokio::join!(first, third, read_frames(&mut far, 3)) }).await;
    first.unwrap();
    third.unwrap();
    assert_eq!(frames, [0, 1, 3]);
}

#[tokio::test(start_paused = true)]
async fn what_a_broadcast_has_waited_for_is_written_without_a_receiver_that_asks() {
    // The pipe has room for all of the second message once the first is read.
    let (server, mut far) = server_over(2000);
    let (sender, _receiver) = server.split();
    let room = Broadcast::new();
    let _member = room.join(sender.clone(), SlowPolicy::Wait);
    assert!(!room.is_empty() && Broadcast::new().is_empty());
    room.publish(vec![1; 5000]).await;
    // The receiver is asked for nothing, here and below.
    let (published, frames) = tokio::join!(room.publish(vec![2; 200]), read_frames(&mut far, 1));
    assert_eq!((published.delivered, frames), (1, vec![1]));
    assert_eq!(soon(read_frames(&mut far, 1)).await, [2]);
}

#[tokio::test]
async fn a_message_to_many_members_lets_other_tasks_run() {
    let room = Broadcast::new();
    let mut ends = Vec::new();
    for _ in 0..200 {
        let (server, far) = server();
        let (sender, receiver) = server.split();
        ends.push((room.join(sender, SlowPolicy::DropNewest), receiver, far));
    }
    let ran = Arc::new(AtomicBool::new(false));
    tokio::spawn({
        let ran = ran.clone();
        async move { ran.store(true, Ordering::Relaxed) }
    });
    assert_eq!(room.publish("x").await.delivered, 200);
    assert!(ran.load(Ordering::Relaxed), "the other task did not run before publish returned");
}

#[tokio::test(start_paused = true)]
async fn a_send_that_a_pong_overtakes_still_waits_for_its_own_last_byte() {
    let (server, mut far) = server();
    let (sender, receiver) = server.split();
    // The first fills the pipe, so that the second is behind it when the ping comes, and behind the answer to that.
    sender.try_send(vec![1; 500]).unwrap();
    let mut sending = pin!(sender.send(vec![2; 300]));
    assert_waits(sending.as_mut()).await;
    let receiving = tokio::spawn(receiver.discard());
    far.write_all(&[&[0x89, 0xFD, 0, 0, 0, 0][..], &[3; 125]].concat()).await.unwrap();
    while sender.queued() < 504 + 127 + 304 - 64 {
        tokio::task::yield_now().await;
    }
    // All but the last four bytes and what the pipe holds.
    let mut read = vec![0; 504 + 127 + 304 - 64 - 4];
    tokio::select! {
        biased;
        sent = sending.as_mut() => panic!("the send returned before its last byte was written: {sent:?}"),
        all = far.read_exact(&mut read) => drop(all.unwrap()),
    }
    assert_waits(sending.as_mut()).await;
    let mut rest = [0; 68];
    let (sent, end) = soon(async { tokio::join!(sending, far.read_exact(&mut rest)) }).await;
    sent.unwrap();
    end.unwrap();
    assert_eq!((read[504], rest), (0x8A, [2; 68]));
    receiving.abort();
}
