//! The halves of a split WebSocket with their tasks in any order: no wake-up is lost.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test -p ws-tokio --test wakeups`: the scheduler decides at
//! each lock which task continues, and fails when all of them wait for each other.
#![cfg(shuttle)]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use shuttle::future::{block_on, spawn};
use shuttle::sync::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ws_core::{CloseCode, Config, Connection, DataType, Message};
use ws_tokio::WebSocket;

/// One direction: room for this many bytes, one reader, one writer.
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
        self.shut_down();
        Poll::Ready(Ok(()))
    }
}

impl Stream {
    fn shut_down(&self) {
        let mut pipe = self.outgoing.lock().unwrap();
        pipe.shut = true;
        let reader = pipe.reader.take();
        drop(pipe);
        reader.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.shut_down();
    }
}

/// More than the pipe takes, and than may be queued before others have to wait.
const LONG: &str = "a longer one, for a pipe that is narrow";

fn config() -> Arc<Config> {
    let mut config = Config::server();
    config.keepalive = None;
    config.send_high_water = 8;
    Arc::new(config)
}

fn client(stream: Stream) -> WebSocket<Stream> {
    WebSocket::new(stream, Connection::client(config(), [1; 32]), &[])
}

fn sockets() -> (WebSocket<Stream>, WebSocket<Stream>) {
    let (near, far) = streams(16);
    (client(near), WebSocket::new(far, Connection::server(config()), &[]))
}

/// Runs it in this many schedules. No deadline helps: the runtime that the timers belong to never runs.
fn check<F: Future<Output = ()>>(schedules: usize, scenario: impl Fn() -> F + Send + Sync + 'static) {
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _entered = runtime.enter();
        block_on(scenario());
    };
    shuttle::check_random(run, schedules);
}

/// Polls a future this many times at most, then drops it.
async fn dropped_after<T>(mut polls: usize, future: impl Future<Output = T>) {
    let mut future = pin!(future);
    poll_fn(|cx| {
        polls -= 1;
        if future.as_mut().poll(cx).is_ready() || polls == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[test]
fn no_wake_up_is_lost_between_two_senders_a_receiver_and_the_transport() {
    check(1000, || async {
        let (near, mut far) = sockets();
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
            other.send(LONG).await.unwrap();
            // A full queue is not waited for here.
            while other.try_send("abc").is_err() {
                shuttle::future::yield_now().await;
            }
        });
        let mut lengths = 0;
        for _ in 0..3 {
            lengths += receiver.recv().await.unwrap().unwrap().len();
        }
        assert_eq!(lengths, 10 + LONG.len() + 3);
        first.await.unwrap();
        second.await.unwrap();
        sender.start_close(CloseCode::NORMAL_CLOSURE, "").unwrap();
        assert_eq!(receiver.recv().await.unwrap(), None::<Message>);
        peer.await.unwrap();
    });
}

#[test]
fn a_sender_dropped_while_it_waits_takes_no_wake_up_of_the_others_with_it() {
    for polls in 1..=3 {
        check(300, move || async move {
            let (near, mut far) = sockets();
            let peer = spawn(async move {
                while let Some(message) = far.recv().await.unwrap() {
                    if message == "stays".into() {
                        far.send("answer").await.unwrap();
                    }
                }
            });
            let (sender, mut receiver) = near.split();
            let (leaves, stays) = (sender.clone(), sender.clone());
            let leaves = spawn(async move { dropped_after(polls, leaves.send(LONG)).await });
            let stays = spawn(async move { stays.send("stays").await.unwrap() });
            assert_eq!(receiver.recv().await.unwrap(), Some("answer".into()));
            leaves.await.unwrap();
            stays.await.unwrap();
            sender.start_close(CloseCode::NORMAL_CLOSURE, "").unwrap();
            assert_eq!(receiver.recv().await.unwrap(), None);
            peer.await.unwrap();
        });
    }
}

#[test]
fn a_sender_that_leaves_the_line_lets_the_next_sender_go_on_also_without_a_receiver() {
    for polls in 1..=3 {
        check(300, move || async move {
            let (near, mut far) = sockets();
            let peer = spawn(async move {
                let mut stayed = 0;
                while let Ok(Some(message)) = far.recv().await {
                    stayed += usize::from(message == "stays".into());
                }
                stayed
            });
            let (sender, receiver) = near.split();
            sender.feed(LONG).await.unwrap();
            let receiving = spawn(async move {
                let mut receiver = receiver;
                // It helps for a while, or does not.
                dropped_after(polls, receiver.recv()).await;
            });
            let mut tasks = Vec::new();
            for n in 0..4 {
                let sender = sender.clone();
                tasks.push(spawn(async move {
                    if n % 2 == 0 {
                        dropped_after(polls, sender.send("leaves")).await;
                    } else {
                        sender.send("stays").await.unwrap();
                    }
                }));
            }
            for task in tasks {
                task.await.unwrap();
            }
            receiving.abort();
            drop(sender);
            assert_eq!(peer.await.unwrap(), 2);
        });
    }
}

#[test]
fn the_end_of_a_message_in_pieces_lets_the_waiting_senders_go_on() {
    for finishes in [true, false] {
        check(300, move || async move {
            let (near, mut far) = sockets();
            let peer = spawn(async move {
                let mut seen = 0;
                while let Ok(Some(_)) = far.recv().await {
                    seen += 1;
                    if seen == 3 {
                        far.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap();
                    }
                }
                seen
            });
            let (sender, receiver) = near.split();
            let receiving = spawn(receiver.discard());
            let mut tasks = Vec::new();
            for _ in 0..2 {
                let sender = sender.clone();
                tasks.push(spawn(async move {
                    // Refused after a message that was abandoned: the connection is closed then.
                    assert!(sender.send("waits").await.is_ok() || !finishes);
                }));
            }
            let mut message = sender.send_stream(DataType::Binary).await;
            message.write(LONG.as_bytes()).await.unwrap();
            if finishes {
                message.finish().await.unwrap();
            } else {
                drop(message);
            }
            for task in tasks {
                task.await.unwrap();
            }
            assert!(peer.await.unwrap() == 3 || !finishes);
            receiving.await.unwrap().unwrap();
        });
    }
}

#[test]
fn senders_that_wait_fail_once_the_receiver_has_read_the_end() {
    check(1000, || async {
        let (near, far) = streams(16);
        let (sender, mut receiver) = client(near).split();
        let mut tasks = Vec::new();
        for _ in 0..3 {
            let sender = sender.clone();
            // The peer does not read.
            tasks.push(spawn(async move { assert!(sender.send(LONG).await.is_err()) }));
        }
        let peer = spawn(async move {
            far.shut_down();
            far
        });
        assert!(receiver.recv().await.is_err());
        for task in tasks {
            task.await.unwrap();
        }
        drop(peer.await);
    });
}
