//! The memory that only a driver uses is part of `memory_usage`, and the limit applies to it.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use ws_core::{Config, Connection, Message};
use ws_tokio::{Broadcast, SlowPolicy, WebSocket};

/// Returns at most one chunk at each read, and accepts nothing.
struct Chunks {
    chunks: Box<dyn Iterator<Item = Vec<u8>> + Send>,
    /// What is left of the last one.
    rest: Vec<u8>,
}

impl Chunks {
    fn is_exhausted(&self) -> bool {
        self.rest.is_empty() && self.chunks.size_hint() == (0, Some(0))
    }
}

impl AsyncRead for Chunks {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            let Some(chunk) = self.chunks.next() else { return Poll::Pending };
            self.rest = chunk;
        }
        let n = self.rest.len().min(buf.remaining());
        buf.put_slice(&self.rest[..n]);
        self.rest.drain(..n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Chunks {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

fn client(config: Config, chunks: impl Iterator<Item = Vec<u8>> + Send + 'static) -> WebSocket<Chunks> {
    let stream = Chunks { chunks: Box::new(chunks), rest: Vec::new() };
    WebSocket::new(stream, Connection::client(Arc::new(config), [9; 32]), &[])
}

/// Returns far more than any limit here allows, but not endlessly: a client that reads all of it must fail the test and not hang.
fn endless() -> impl Iterator<Item = Vec<u8>> + Send {
    std::iter::repeat_n(b"\x81\x08and more".repeat(1000), 1000)
}

/// Polls a future once; `None` if it is not done.
async fn polled<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(done) => Some(done),
            Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn what_has_been_read_and_not_received_is_charged() {
    let mut client = client(Config::client(), [b"\x81\x03one\x81\x03two".to_vec()].into_iter());
    assert_eq!(client.memory_usage().total(), 0);
    assert_eq!(client.recv().await.unwrap(), Some("one".into()));
    let ledger = client.memory_usage();
    assert!(ledger.read >= 5 && ledger.total() == ledger.read, "{ledger:?}");
    assert_eq!(client.recv().await.unwrap(), Some("two".into()));
    assert_eq!(client.memory_usage().total(), 0);
}

#[tokio::test]
async fn a_large_message_that_is_complete_and_not_received_is_charged() {
    let mut charged = Vec::new();
    // The receiver steps back after a few reads: with one of these lengths, after the last one.
    for len in (300_000..500_000).step_by(10_000) {
        let message = ws_wire::frame(0x82, &vec![7; len], None);
        let mut client = client(Config::client(), [message].into_iter());
        let message = loop {
            match polled(client.recv()).await {
                Some(message) => break message.unwrap().unwrap(),
                None if client.get_ref().is_exhausted() => charged.push((client.memory_usage().total(), len)),
                None => {}
            }
        };
        assert_eq!(message.len(), len);
        assert_eq!(client.memory_usage().total(), 0);
    }
    assert!(!charged.is_empty() && charged.iter().all(|(charged, len)| charged >= len), "{charged:?}");
}

#[tokio::test]
async fn messages_of_a_broadcast_that_wait_for_room_are_charged() {
    let room = Broadcast::new();
    let mut config = Config::client();
    config.send_high_water = 1;
    let (sender, receiver) = client(config, std::iter::empty()).split();
    let _member = room.join(sender, SlowPolicy::DropOldest(5));
    room.publish("fills it").await;
    let before = receiver.memory_usage().queued;
    for _ in 0..5 {
        room.publish(Message::binary(vec![1; 10_000])).await;
    }
    assert!(receiver.memory_usage().queued >= before + 50_000, "{:?}", receiver.memory_usage());
}

/// A connection of which 50 kB of a broadcast wait: its peer, which reads nothing, and both halves.
fn behind() -> (tokio::io::DuplexStream, ws_tokio::Sender, ws_tokio::Receiver<tokio::io::DuplexStream>) {
    let (near, far) = tokio::io::duplex(64);
    let mut config = Config::server();
    config.send_high_water = 100;
    config.keepalive = None;
    let (sender, receiver) = WebSocket::new(near, Connection::server(Arc::new(config)), &[]).split();
    let room = Broadcast::new();
    let member = room.join(sender.clone(), SlowPolicy::DropOldest(100));
    for _ in 0..50 {
        room.try_publish(vec![7; 1000]);
    }
    // What waits already stays when the member leaves.
    drop(member);
    assert!(receiver.memory_usage().queued > 40_000, "{:?}", receiver.memory_usage());
    (far, sender, receiver)
}

#[tokio::test(start_paused = true)]
async fn what_waits_of_a_broadcast_is_freed_once_the_connection_closes_however_it_does() {
    // By the peer's Close, of which the answer cannot be written yet.
    let (mut far, _sender, mut receiver) = behind();
    far.write_all(b"\x88\x80\0\0\0\0").await.unwrap();
    assert!(polled(receiver.recv()).await.is_none());
    assert!(receiver.memory_usage().queued < 3000, "{:?}", receiver.memory_usage());
    // By this end's.
    let (_far, sender, mut receiver) = behind();
    sender.start_close(ws_core::CloseCode::NORMAL_CLOSURE, "").unwrap();
    assert!(polled(receiver.recv()).await.is_none());
    assert!(receiver.memory_usage().queued < 3000, "{:?}", receiver.memory_usage());
    // By a fault of the peer's.
    let (mut far, _sender, mut receiver) = behind();
    far.write_all(b"\xff").await.unwrap();
    assert!(polled(receiver.recv()).await.is_none());
    assert!(receiver.memory_usage().queued < 3000, "{:?}", receiver.memory_usage());
    // By the transport's end.
    let (far, _sender, mut receiver) = behind();
    drop(far);
    receiver.recv().await.unwrap_err();
    assert_eq!(receiver.memory_usage().total(), 0);
    // By a deadline, seen by the receiver.
    let (_far, _sender, mut receiver) = behind();
    receiver.recv().await.unwrap_err();
    assert_eq!(receiver.memory_usage().total(), 0);
    // And noticed by a sender, where no task receives.
    let (_far, sender, receiver) = behind();
    sender.flush().await.unwrap_err();
    assert_eq!(receiver.memory_usage().total(), 0);
}

#[tokio::test]
async fn at_the_limit_nothing_more_is_read_while_something_waits_to_be_written() {
    let mut config = Config::client();
    config.max_memory = Some(200_000);
    let mut client = client(config, endless());
    assert!(polled(client.send("waits")).await.is_none(), "the send ended although the peer takes nothing");
    let held = client.memory_usage().total();
    // The buffer doubles when it is full.
    assert!((200_000..400_000).contains(&held), "{held} bytes are in use");
    assert!(polled(client.flush()).await.is_none());
    assert_eq!(client.memory_usage().total(), held, "the memory in use changed");
}

#[tokio::test]
async fn a_send_that_waits_reads_no_more_than_max_read_ahead() {
    let mut config = Config::client();
    config.max_read_ahead = 300_000;
    let mut client = client(config, endless());
    assert!(polled(client.send("waits")).await.is_none(), "the send ended although the peer takes nothing");
    // Here too the buffer doubles when it is full.
    let held = client.memory_usage().total();
    assert!((300_000..600_000).contains(&held), "{held} bytes are in use");
}
