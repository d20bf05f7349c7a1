//! Methods that do not wait can be called without a runtime: from a thread, from another runtime, after the end of the connection's
//! runtime.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use std::{io, iter, thread};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use ws_core::{CloseCause, CloseCode, Config, Connection, Deadline, Message};
use ws_tokio::{Broadcast, Error, Receiver, Sender, SlowPolicy, TrySendError, WebSocket};

/// Little has room, so that a peer that does not read makes a member slow at once.
fn config() -> Arc<Config> {
    let mut config = Config::server();
    config.send_high_water = 1000;
    config.keepalive = None;
    Arc::new(config)
}

fn server<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> WebSocket<S> {
    WebSocket::new(stream, Connection::server(config()), &[])
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

/// A runtime whose timers are not enabled: asking it for one would panic.
fn timeless() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// A connection over TCP whose peer reads nothing, but stays.
async fn stalled_tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    (near.unwrap(), far.unwrap().0)
}

/// Every policy for members that are slow.
fn policies() -> [SlowPolicy; 6] {
    [
        SlowPolicy::Wait,
        SlowPolicy::DropNewest,
        SlowPolicy::DropOldest(0),
        SlowPolicy::DropOldest(2),
        SlowPolicy::conflate(|message: &Message| message.len()),
        SlowPolicy::Close,
    ]
}

#[test]
fn messages_are_published_to_slow_members_outside_of_a_runtime() {
    for slow in policies() {
        let runtime = runtime();
        let (near, far) = duplex(100);
        let (sender, receiver) = runtime.block_on(async { server(near).split() });
        publish_until_slow(&sender, slow);
        drop((receiver, sender, far));
    }
}

#[test]
fn messages_are_published_to_slow_members_in_a_runtime_without_timers() {
    for slow in policies() {
        let runtime = runtime();
        let (near, _far) = duplex(100);
        let (sender, _receiver) = runtime.block_on(async { server(near).split() });
        timeless().block_on(async { publish_until_slow(&sender, slow) });
    }
}

#[test]
fn messages_are_published_to_members_whose_runtime_has_ended() {
    for slow in policies() {
        let runtime = runtime();
        let (near, _far) = runtime.block_on(stalled_tcp());
        let (sender, mut receiver) = runtime.block_on(async { server(near).split() });
        let feeding = sender.clone();
        // There is a timer when the runtime ends.
        runtime.block_on(async {
            feeding.try_send(vec![0; 8 << 20]).unwrap();
            let waits = tokio::time::timeout(Duration::from_secs(1), receiver.recv());
            assert!(waits.await.is_err());
        });
        drop(runtime);
        publish_until_slow(&sender, slow);
    }
}

/// Publishes more than there is room for, one at a time and from a thread without a runtime.
fn publish_until_slow(sender: &Sender, slow: SlowPolicy) {
    let room = Broadcast::new();
    let member = room.join(sender.clone(), slow.clone());
    let delivered: u64 = iter::repeat_with(|| room.try_publish([7; 600].as_slice()).delivered).take(9).sum();
    assert!(delivered < 9 || matches!(slow, SlowPolicy::Conflate(_) | SlowPolicy::DropOldest(2)), "{slow:?}");
    let total = room.total();
    assert!(total.delivered + total.dropped + total.closed + total.gone > 0, "{total:?}");
    drop(member);
}

/// A stalled member whose receiver waits in a runtime, and a task that waits for what it receives.
fn waiting_member(
    runtime: &Runtime,
) -> (Sender, DuplexStream, tokio::task::JoinHandle<Result<Option<Message>, Error>>) {
    let (near, far) = duplex(100);
    runtime.block_on(async {
        let (sender, mut receiver) = server(near).split();
        let waits = tokio::spawn(async move { receiver.recv().await });
        tokio::task::yield_now().await;
        (sender, far, waits)
    })
}

#[test]
fn the_write_deadline_of_what_is_published_outside_of_the_runtime_is_kept_by_the_receiver() {
    let runtime = runtime();
    let (sender, _far, waits) = waiting_member(&runtime);
    let room = Broadcast::new();
    let _member = room.join(sender, SlowPolicy::DropNewest);
    thread::scope(|scope| scope.spawn(|| room.try_publish([7; 600].as_slice())).join().unwrap());
    let begin = runtime.block_on(async { tokio::time::Instant::now() });
    let limited = async { tokio::time::timeout(Duration::from_secs(100), waits).await };
    let ended = runtime.block_on(limited).expect("the write deadline did not pass").unwrap();
    let Err(Error::Closed(info)) = ended else { panic!("{ended:?}") };
    assert_eq!(info.cause, CloseCause::Timeout(Deadline::Write));
    let after = runtime.block_on(async { begin.elapsed() });
    assert!((29..=31).contains(&after.as_secs()), "{after:?}");
}

#[test]
fn the_write_deadline_passes_with_the_next_message_where_no_task_receives() {
    let mut config = Config::server();
    config.write_timeout = Duration::from_millis(1);
    let (near, _far) = duplex(100);
    let websocket =
        runtime().block_on(async { WebSocket::new(near, Connection::server(Arc::new(config)), &[]) });
    let (sender, receiver) = websocket.split();
    let room = Broadcast::new();
    let _member = room.join(sender, SlowPolicy::DropNewest);
    let begin = Instant::now();
    while receiver.close_info().is_none() {
        assert!(begin.elapsed() < Duration::from_secs(60), "the deadline of one millisecond did not pass");
        room.try_publish([7; 600].as_slice());
        thread::yield_now();
    }
    assert_eq!(receiver.close_info().unwrap().cause, CloseCause::Timeout(Deadline::Write));
}

#[test]
fn a_receiver_sends_a_message_of_try_send_from_outside_of_the_runtime() {
    let runtime = runtime();
    let (sender, far, waits) = waiting_member(&runtime);
    thread::scope(|scope| scope.spawn(|| sender.try_send("hello").unwrap()).join().unwrap());
    let mut peer = client(&runtime, far);
    assert_eq!(runtime.block_on(peer.recv()).unwrap(), Some("hello".into()));
    sender.start_close(CloseCode::NORMAL_CLOSURE, "done").unwrap();
    assert_eq!(runtime.block_on(peer.recv()).unwrap(), None);
    assert_eq!(runtime.block_on(waits).unwrap().unwrap(), None);
    assert!(matches!(sender.try_send("late"), Err(TrySendError::Refused(..))));
}

#[test]
fn try_send_returns_full_outside_of_a_runtime_once_the_high_water_mark_is_reached() {
    let (near, _far) = duplex(100);
    let (sender, _receiver) = runtime().block_on(async { server(near).split() });
    sender.try_send(vec![0; 1000]).unwrap();
    assert!(matches!(sender.try_send("more"), Err(TrySendError::Full(_))));
    assert!(sender.is_open() && sender.queued() > 1000 && sender.rtt().is_none());
}

#[test]
fn a_closer_used_outside_of_the_runtime_closes_a_connection_that_waits() {
    let runtime = runtime();
    let (near, far) = duplex(100);
    let mut websocket = runtime.block_on(async { server(near) });
    let closer = websocket.closer();
    let waits = runtime.spawn(async move { websocket.recv().await });
    let mut peer = client(&runtime, far);
    runtime.block_on(tokio::task::yield_now());
    closer.start_close(CloseCode::GOING_AWAY, "").unwrap();
    assert_eq!(runtime.block_on(peer.recv()).unwrap(), None);
    assert_eq!(peer.close_info().unwrap().received, Some(CloseCode::GOING_AWAY));
    assert_eq!(runtime.block_on(waits).unwrap().unwrap(), None);
}

#[test]
fn a_websocket_dropped_outside_of_a_runtime_sends_1001() {
    let runtime = runtime();
    let ways: [fn(WebSocket<DuplexStream>); 3] = [
        drop,
        |websocket| {
            let (sender, receiver) = websocket.split();
            drop(receiver);
            drop(sender);
        },
        |websocket| {
            let (sender, receiver) = websocket.split();
            drop(receiver);
            let room = Broadcast::new();
            let member = room.join(sender, SlowPolicy::Wait);
            drop(room);
            drop(member);
        },
    ];
    for drop_it in ways {
        let (near, far) = duplex(100);
        let websocket = runtime.block_on(async { server(near) });
        thread::scope(|scope| scope.spawn(|| drop_it(websocket)).join().unwrap());
        let mut peer = client(&runtime, far);
        assert_eq!(runtime.block_on(peer.recv()).unwrap(), None);
        assert_eq!(peer.close_info().unwrap().received, Some(CloseCode::GOING_AWAY));
    }
}

#[test]
fn connections_over_tcp_are_dropped_after_the_end_of_their_runtime() {
    let runtime = runtime();
    let (near, far) = runtime.block_on(stalled_tcp());
    let (near, far) = runtime.block_on(async { (server(near), server(far)) });
    let (sender, receiver): (Sender, Receiver<TcpStream>) = near.split();
    drop(runtime);
    drop((far, receiver));
    drop(sender);
}

/// A stream that panics when it is asked: nothing that is tried here may ask it.
struct Untouched;

impl AsyncRead for Untouched {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        panic!("it is read");
    }
}

impl AsyncWrite for Untouched {
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

#[test]
fn a_websocket_made_outside_of_a_runtime_splits_publishes_and_drops_there() {
    let mut websocket = server(Untouched);
    let closer = websocket.closer();
    assert!(websocket.close_info().is_none() && websocket.memory_usage().total() == 0);
    let (sender, receiver) = websocket.split();
    publish_until_slow(&sender, SlowPolicy::DropOldest(1));
    closer.start_close(CloseCode::NORMAL_CLOSURE, "").unwrap();
    let websocket = receiver.reunite(sender).unwrap();
    drop(websocket);
    assert!(closer.close_info().is_some());
}

fn client(runtime: &Runtime, stream: DuplexStream) -> WebSocket<DuplexStream> {
    let connection = Connection::client(Arc::new(Config::client()), [3; 32]);
    runtime.block_on(async { WebSocket::new(stream, connection, &[]) })
}

#[test]
fn a_send_while_the_reply_to_a_close_is_held_back_needs_no_runtime() {
    let mut config = Config::server();
    config.delay_close_reply = true;
    let (_far, mut server) = runtime().block_on(async {
        let (mut far, near) = duplex(1000);
        let mut server = WebSocket::new(near, Connection::server(Arc::new(config)), &[]);
        far.write_all(b"\x88\x82\0\0\0\0\x03\xE8").await.unwrap();
        assert_eq!(server.recv().await.unwrap(), None);
        (far, server)
    });
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(matches!(pin!(server.send("the rest")).poll(cx), Poll::Ready(Ok(()))));
    assert!(matches!(pin!(server.flush()).poll(cx), Poll::Ready(Ok(()))));
}
