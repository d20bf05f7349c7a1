//! Faults found in the async layer, each kept as the test that showed it.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::time::timeout;
use ws_core::{CloseCause, CloseCode, Config, Connection, DataType, Deadline, Message};
use ws_tokio::{Error, WebSocket};

fn client<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> WebSocket<S> {
    WebSocket::new(stream, Connection::client(Arc::new(Config::client()), [7; 32]), &[])
}

fn server<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> WebSocket<S> {
    WebSocket::new(stream, Connection::server(Arc::new(Config::server())), &[])
}

/// Accepts everything at once and passes it on only when flushed, as a TLS stream may.
struct Holding {
    pipe: DuplexStream,
    held: Vec<u8>,
}

impl AsyncRead for Holding {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(cx, buf)
    }
}

impl AsyncWrite for Holding {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.held.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { pipe, held } = &mut *self;
        while !held.is_empty() {
            match Pin::new(&mut *pipe).poll_write(cx, held) {
                Poll::Ready(Ok(n)) => drop(held.drain(..n)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Pin::new(pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_holds_bytes_back_is_flushed_until_it_has_let_them_go() {
    let (near, far) = duplex(100);
    let mut client = client(Holding { pipe: near, held: Vec::new() });
    let mut server = server(far);
    let (sent, received) =
        tokio::join!(client.send(vec![1; 1000]), timeout(Duration::from_secs(1), server.recv()),);
    sent.unwrap();
    assert_eq!(received.unwrap().unwrap(), Some(Message::binary(vec![1; 1000])));
}

#[tokio::test(start_paused = true)]
async fn a_transport_is_flushed_by_whoever_is_left_when_the_sending_future_is_dropped() {
    let (near, far) = duplex(100);
    let mut client = client(Holding { pipe: near, held: Vec::new() });
    let mut server = server(far);
    assert!(timeout(Duration::from_millis(1), client.send(vec![1; 1000])).await.is_err());
    tokio::select! {
        _ = client.recv() => panic!("recv returned although nothing was sent"),
        received = server.recv() => assert_eq!(received.unwrap().unwrap().len(), 1000),
        () = tokio::time::sleep(Duration::from_secs(1)) => panic!("the transport was not flushed"),
    }
}

/// The same frame endlessly, without a pause.
struct Endless(&'static [u8]);

impl AsyncRead for Endless {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while buf.remaining() >= self.0.len() {
            buf.put_slice(self.0);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Endless {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn closing_ends_by_its_deadline_although_the_peer_never_pauses() {
    // In a separate thread: the fault is a poll that never returns.
    let (done, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut config = Config::client();
        config.close_total_timeout = Some(Duration::from_millis(100));
        config.linger_timeout = Duration::from_millis(100);
        let info = runtime.block_on(async {
            let connection = Connection::client(Arc::new(config), [7; 32]);
            WebSocket::new(Endless(b"\x82\x04abcd"), connection, &[])
                .close(CloseCode::NORMAL_CLOSURE, "")
                .await
        });
        done.send(info.unwrap())
    });
    // Under an emulator one turn of a task that is flooded takes seconds.
    let info = told.recv_timeout(Duration::from_secs(120)).expect("close does not return");
    assert_eq!(info.cause, CloseCause::Timeout(Deadline::Close));
}

const PING: [u8; 127] = frame(0x89);
const MESSAGE: [u8; 127] = frame(0x82);

const fn frame(first: u8) -> [u8; 127] {
    let mut frame = [b'p'; 127];
    [frame[0], frame[1]] = [first, 125];
    frame
}

/// Fails unless other tasks run beside those that receive endless input.
fn others_run_beside(frame: &'static [u8]) {
    let (done, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut flooded = client(Endless(frame));
            tokio::spawn(async move { while let Ok(Some(_)) = flooded.recv().await {} });
            let (sender, mut receiver) = client(Endless(frame)).split();
            tokio::spawn(async move {
                while let Ok(Some(_)) = receiver.recv().await {}
                drop(sender);
            });
            for _ in 0..5 {
                tokio::task::yield_now().await;
            }
        });
        done.send(())
    });
    // An emulator takes seconds for a turn of a task that is flooded.
    told.recv_timeout(Duration::from_secs(120)).expect("the other tasks do not run");
}

#[test]
fn a_peer_that_sends_nothing_but_pings_lets_other_tasks_run() {
    others_run_beside(&PING);
}

#[test]
fn a_peer_that_sends_messages_without_end_lets_other_tasks_run() {
    others_run_beside(&MESSAGE);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_waits_already_sends_a_message_of_try_send() {
    let (near, far) = duplex(100);
    let (sender, receiver) = client(near).split();
    let _receiving = tokio::spawn(receiver.discard());
    tokio::task::yield_now().await;
    sender.try_send("hello").unwrap();
    let mut server = server(far);
    let received = timeout(Duration::from_secs(1), server.recv()).await;
    assert_eq!(received.unwrap().unwrap(), Some("hello".into()));
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_waits_fails_once_another_sender_has_read_the_end() {
    let (near, mut far) = duplex(10);
    let mut config = Config::client();
    // Nothing else is to wake it.
    config.keepalive = None;
    let connection = Connection::client(Arc::new(config), [7; 32]);
    let (sender, mut receiver) = WebSocket::new(near, connection, &[]).split();
    sender.start_close(CloseCode::NORMAL_CLOSURE, "a reason longer than the pipe").unwrap();
    let waiting = tokio::spawn({
        let sender = sender.clone();
        async move { sender.flush().await }
    });
    tokio::task::yield_now().await;
    far.shutdown().await.unwrap();
    // Another sender reads the end while it waits to write ...
    let other = timeout(Duration::from_millis(1), sender.flush()).await;
    assert!(other.is_err());
    // ... and the receiver draws the conclusion.
    assert!(receiver.recv().await.is_err());
    let learnt = timeout(Duration::from_secs(1), waiting).await.expect("the sender still waits").unwrap();
    assert!(matches!(learnt, Err(Error::Closed(_))), "{learnt:?}");
}

#[tokio::test]
async fn a_reader_never_returns_pieces_of_a_later_message() {
    let (near, far) = duplex(1 << 20);
    let (sender, mut receiver) = client(near).split();
    let mut server = server(far);
    server.send_piece(DataType::Binary, b"AAAA", false).await.unwrap();
    let mut reader = receiver.recv_stream().await.unwrap().unwrap();
    assert_eq!(reader.next().await.unwrap(), Some(Message::binary(&b"AAAA"[..])));
    server.send_piece(DataType::Binary, b"aaaa", true).await.unwrap();
    // Closing takes what is there, and drops it.
    let mut close = pin!(sender.close(CloseCode::NORMAL_CLOSURE, ""));
    let mut once = Context::from_waker(Waker::noop());
    assert!(close.as_mut().poll(&mut once).is_pending());
    server.feed("BBBB").await.unwrap();
    server.flush().await.unwrap();
    match reader.next().await {
        Err(Error::MessageCutOff) => {}
        other => panic!("{other:?}"),
    }
    drop(poll_fn(|cx| Poll::Ready(close.as_mut().poll(cx))).await);
}

#[tokio::test]
async fn what_is_received_while_a_sender_closes_has_no_gap() {
    let (near, far) = duplex(1 << 20);
    let (sender, mut receiver) = client(near).split();
    let mut server = server(far);
    for n in ["1", "2"] {
        server.send(n).await.unwrap();
    }
    assert_eq!(receiver.recv().await.unwrap(), Some("1".into()));
    // Closing drops the second ...
    let mut close = Box::pin(sender.close(CloseCode::NORMAL_CLOSURE, ""));
    assert!(close.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    server.feed("3").await.unwrap();
    server.flush().await.unwrap();
    // ... so the third is not for the receiver either.
    let (_, received) = tokio::join!(server.recv(), receiver.recv());
    assert_eq!(received.unwrap(), None);
    assert!(close.await.unwrap().is_clean());
}

#[tokio::test]
async fn dropping_an_open_websocket_writes_the_queue_and_a_close() {
    let (near, mut far) = duplex(1 << 20);
    let mut socket = server(near);
    socket.feed("hi").await.unwrap();
    drop(socket);
    let mut all = Vec::new();
    far.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, b"\x81\x02hi\x88\x02\x03\xe9");
}
