//! The halves of a split WebSocket with their tasks in any order: no wake-up is lost.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test -p ws-core --features tokio --test wakeups`: the scheduler decides at
//! each lock who goes on, and fails when all wait for each other.
#![cfg(all(shuttle, feature = "tokio"))]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use shuttle::future::{block_on, spawn};
use shuttle::sync::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ws_core::{CloseCode, Config, Connection, Message, WebSocket};

/// One direction: room for so many bytes, one reader, one writer.
#[derive(Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    shut: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

struct Stream {
    incoming: Arc<Mutex<Pipe>>,
    outgoing: Arc<Mutex<Pipe>>,
    room: usize,
}

fn streams(room: usize) -> (Stream, Stream) {
    let (there, back) = (Arc::<Mutex<Pipe>>::default(), Arc::<Mutex<Pipe>>::default());
    (
        Stream { incoming: Arc::clone(&back), outgoing: Arc::clone(&there), room },
        Stream { incoming: there, outgoing: back, room },
    )
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut pipe = self.incoming.lock().unwrap();
        if pipe.bytes.is_empty() && !pipe.shut {
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let n = buf.remaining().min(pipe.bytes.len());
        let bytes: Vec<u8> = pipe.bytes.drain(..n).collect();
        buf.put_slice(&bytes);
        let writer = pipe.writer.take();
        drop(pipe);
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut pipe = self.outgoing.lock().unwrap();
        let n = buf.len().min(self.room - pipe.bytes.len());
        if n == 0 {
            pipe.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        pipe.bytes.extend(buf.iter().take(n));
        let reader = pipe.reader.take();
        drop(pipe);
        reader.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = self.outgoing.lock().unwrap();
        pipe.shut = true;
        let reader = pipe.reader.take();
        drop(pipe);
        reader.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }
}

/// Two tasks send through a narrow pipe while a third receives; the peer echoes. No deadline helps: the runtime
/// that the timers belong to never runs.
fn two_senders_and_a_receiver() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let mut config = Config::server();
    config.keepalive = None;
    config.outbound_high_water = 8;
    let config = Arc::new(config);
    let (near, far) = streams(16);
    let near = WebSocket::new(near, Connection::client(Arc::clone(&config), [1; 32]), &[]);
    let mut far = WebSocket::new(far, Connection::server(config), &[]);
    block_on(async move {
        let peer = spawn(async move {
            while let Some(message) = far.recv().await.unwrap() {
                far.send(message).await.unwrap();
            }
        });
        let (sender, mut receiver) = near.split();
        let other = sender.clone();
        let first = spawn({
            let sender = sender.clone();
            async move { sender.send("0123456789").await.unwrap() }
        });
        let second = spawn(async move {
            other.send("a longer one, for a pipe that is narrow").await.unwrap();
            // A full queue is not waited for here.
            while other.try_send("abc").is_err() {
                shuttle::future::yield_now().await;
            }
        });
        let mut lengths = 0;
        for _ in 0..3 {
            lengths += receiver.recv().await.unwrap().unwrap().len();
        }
        assert_eq!(lengths, 10 + 39 + 3);
        first.await.unwrap();
        second.await.unwrap();
        sender.start_close(CloseCode::NORMAL, "").unwrap();
        assert_eq!(receiver.recv().await.unwrap(), None::<Message>);
        peer.await.unwrap();
    });
}

#[test]
fn no_wake_up_is_lost_between_two_senders_a_receiver_and_the_transport() {
    shuttle::check_random(two_senders_and_a_receiver, 3000);
}
