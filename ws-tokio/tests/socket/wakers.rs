//! Which wakers the two halves of a WebSocket wake, and which they forget.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ws_core::{Config, Connection, DataType, Message};
use ws_tokio::{Error, Receiver, Sender, WebSocket};

/// Accepts nothing, returns what the test puts in, and wakes no task: the task that polled last and got its answer needs
/// no wake-up.
struct Stubborn(Arc<Mutex<Vec<u8>>>);

impl AsyncRead for Stubborn {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap());
        if bytes.is_empty() {
            return Poll::Pending;
        }
        buf.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stubborn {
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

#[derive(Default)]
struct Task {
    woken: AtomicUsize,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::SeqCst);
    }
}

impl Task {
    fn poll<T>(self: &Arc<Self>, future: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Poll<T> {
        future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(self))))
    }

    fn woken(&self) -> usize {
        self.woken.load(Ordering::SeqCst)
    }
}

fn halves() -> (Arc<Mutex<Vec<u8>>>, Sender, Receiver<Stubborn>) {
    let incoming = Arc::default();
    let mut config = Config::client();
    config.keepalive = None;
    let connection = Connection::client(Arc::new(config), [5; 32]);
    let (sender, receiver) = WebSocket::new(Stubborn(Arc::clone(&incoming)), connection, &[]).split();
    (incoming, sender, receiver)
}

type Waits<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + 'a>>;

#[tokio::test]
async fn the_receiver_is_woken_for_what_a_waiting_sender_has_read() {
    let (incoming, sender, mut receiver) = halves();
    let (receives, sends) = (Arc::<Task>::default(), Arc::<Task>::default());
    let mut receiving = pin!(receiver.recv());
    assert!(receives.poll(receiving.as_mut()).is_pending());
    incoming.lock().unwrap().extend(b"\x81\x02hi");
    assert!(sends.poll(pin!(sender.send("waits"))).is_pending());
    assert!(incoming.lock().unwrap().is_empty(), "a sender that waits did not read");
    assert!(receives.woken() > 0, "the receiver was not woken");
    let Poll::Ready(received) = receives.poll(receiving) else {
        panic!("recv is pending although the message has been read")
    };
    assert_eq!(received.unwrap(), Some("hi".into()));
}

#[tokio::test]
async fn a_future_that_moves_to_another_task_is_woken_there() {
    let (incoming, sender, mut receiver) = halves();
    let [first, second, others] = [(); 3].map(|()| Arc::<Task>::default());
    let mut receiving = pin!(receiver.recv());
    assert!(first.poll(receiving.as_mut()).is_pending());
    assert!(second.poll(receiving.as_mut()).is_pending());
    incoming.lock().unwrap().extend(b"\x81\x02hi");
    assert!(others.poll(pin!(sender.send("waits"))).is_pending());
    assert!(second.woken() > 0, "the second task was not woken for what was read");

    let [first, second] = [(); 2].map(|()| Arc::<Task>::default());
    let message = sender.send_stream(DataType::Text).await;
    let mut sending = pin!(sender.send("in line"));
    assert!(first.poll(sending.as_mut()).is_pending());
    assert!(second.poll(sending.as_mut()).is_pending());
    drop(message);
    assert!(second.woken() > 0, "the second task was not woken in line");
}

#[tokio::test]
async fn a_future_that_is_dropped_leaves_no_waker_behind() {
    let (_incoming, sender, _receiver) = halves();
    let full = Message::binary(vec![0; Config::client().send_high_water]);
    sender.feed(full).await.unwrap();
    let waiting: [(&str, Waits<'_>); 4] = [
        ("send", Box::pin(sender.send("waits"))),
        ("feed", Box::pin(sender.feed("waits"))),
        ("flush", Box::pin(sender.flush())),
        ("ping", Box::pin(sender.ping(b""))),
    ];
    for (name, mut future) in waiting {
        let task = Arc::<Task>::default();
        // The first time a sender may step back to let others run.
        assert!(task.poll(future.as_mut()).is_pending() && task.poll(future.as_mut()).is_pending(), "{name}");
        assert!(Arc::strong_count(&task) > 1, "{name} left no waker");
        drop(future);
        assert_eq!(Arc::strong_count(&task), 1, "{name}");
    }
}
