//! Joining, leaving and counting the members of a broadcast wait for no socket.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use ws_core::{Config, Connection, Role};
use ws_tokio::{Broadcast, PublishReport, Receiver, Sender, SlowPolicy, WebSocket};

/// A transport whose write blocks the thread until the test lets it go on.
struct Blocking {
    writes: mpsc::Sender<()>,
    goes_on: Arc<Mutex<mpsc::Receiver<()>>>,
    /// What its destructor does.
    dropped: Option<Box<dyn FnOnce() + Send>>,
}

impl AsyncRead for Blocking {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Blocking {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let _ = self.writes.send(());
        let _ = self.goes_on.lock().unwrap().recv();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Blocking {
    fn drop(&mut self) {
        if let Some(dropped) = self.dropped.take() {
            dropped();
        }
    }
}

struct Writing {
    begun: mpsc::Receiver<()>,
    go_on: mpsc::Sender<()>,
}

fn blocking(dropped: Option<Box<dyn FnOnce() + Send>>) -> (Sender, Receiver<Blocking>, Writing) {
    let (writes, begun) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel();
    let transport = Blocking { writes, goes_on: Arc::new(Mutex::new(goes_on)), dropped };
    let connection = Connection::server(Arc::new(Config::server()));
    let (sender, receiver) = WebSocket::new(transport, connection, &[]).split();
    (sender, receiver, Writing { begun, go_on })
}

fn pair() -> (Sender, Receiver<DuplexStream>, DuplexStream) {
    let (near, far) = duplex(1 << 16);
    let (sender, receiver) = WebSocket::from_raw(near, Role::Server, Config::server()).unwrap().split();
    (sender, receiver, far)
}

const LONG: Duration = Duration::from_secs(30);

#[test]
fn a_member_whose_write_blocks_keeps_no_thread_from_joining_leaving_or_counting() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let room = Broadcast::new();
    let (sender, _receiver, writing) = blocking(None);
    let blocked = room.join(sender, SlowPolicy::DropNewest);
    let (other, _other_receiver, _peer) = pair();
    let leaves = room.join(other.clone(), SlowPolicy::DropNewest);

    let publishing = thread::spawn({
        let room = room.clone();
        move || room.try_publish("hello")
    });
    writing.begun.recv_timeout(LONG).expect("no write began");

    let (done, is_done) = mpsc::channel();
    let meanwhile = thread::spawn({
        let room = room.clone();
        move || {
            let joined = room.join(other, SlowPolicy::DropNewest);
            assert_eq!(room.len(), 3);
            drop(leaves);
            // Also the one that is being written to.
            drop(blocked);
            assert_eq!(room.len(), 1);
            assert_eq!(
                room.total(),
                PublishReport::default(),
                "the total counts a message before it was published to all"
            );
            done.send(()).unwrap();
            joined
        }
    });
    let in_time = is_done.recv_timeout(LONG);
    drop(writing.go_on);
    in_time.expect("another thread waited for the socket");
    let _joined = meanwhile.join().unwrap();
    let published = publishing.join().unwrap();
    assert_eq!(
        (published.delivered, published.dropped),
        (1, 0),
        "one member was still there when its turn came"
    );
    assert_eq!(room.len(), 1);
}

#[test]
fn the_last_handle_of_a_member_that_has_closed_is_dropped_under_no_lock() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let room = Broadcast::new();
    let (dropped, is_dropped) = mpsc::channel();
    let inside = room.clone();
    // A transport's destructor may use the broadcast, even publish to it.
    let on_drop = move || dropped.send((inside.len(), inside.try_publish("gone").delivered)).unwrap();
    let (sender, receiver, writing) = blocking(Some(Box::new(on_drop)));
    drop(writing.go_on);
    sender.start_close(ws_core::CloseCode::NORMAL_CLOSURE, "").unwrap();
    let _member = room.join(sender, SlowPolicy::Wait);
    drop(receiver);
    let publishing = thread::spawn({
        let room = room.clone();
        move || room.try_publish("hello")
    });
    assert_eq!(is_dropped.recv_timeout(LONG).expect("dropping the last handle deadlocked"), (0, 0));
    let published = publishing.join().unwrap();
    assert_eq!(published, PublishReport { gone: 1, ..PublishReport::default() });
}

#[test]
fn members_leave_in_any_order_and_the_others_stay() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let room = Broadcast::new();
    let mut halves: Vec<_> = (0..20).map(|_| pair()).collect();
    let mut members: Vec<_> =
        halves.iter().map(|(sender, ..)| Some(room.join(sender.clone(), SlowPolicy::DropNewest))).collect();
    // 7 has no divisor in common with 20: each leaves once.
    let order = (0..20).map(|n| n * 7 % 20);
    for (step, place) in order.clone().enumerate() {
        members[place].take();
        assert_eq!(room.len(), 19 - step);
        assert_eq!(room.try_publish("hello").delivered, 19 - step as u64);
    }
    for (step, place) in order.enumerate() {
        let mut bytes = [0; 7 * 20];
        let mut received = ReadBuf::new(&mut bytes);
        let _ =
            Pin::new(&mut halves[place].2).poll_read(&mut Context::from_waker(Waker::noop()), &mut received);
        assert_eq!(received.filled().len(), 7 * step, "member {place} left before message {step}");
    }
}
