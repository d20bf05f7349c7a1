//! A write fails: what the peer has sent by then is received all the same, and its Close counts.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use ws_core::{CloseCause, CloseCode, CloseInfo, Config, Connection, Event, Message, TransportEnd};
use ws_tokio::{Error, WebSocket};

/// Brings what the other end of a pipe sends; every write fails.
struct WriteFails(DuplexStream, ErrorKind);

impl AsyncRead for WriteFails {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for WriteFails {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(self.1.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(self.1.into()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(self.1.into()))
    }
}

/// A server's frames: two messages, and a Close with 1001.
const FRAMES: &[u8] = b"\x82\x03one\x81\x03two\x88\x05\x03\xe9bye";

fn client<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> WebSocket<S> {
    WebSocket::new(stream, Connection::client(Arc::new(Config::client()), [1; 32]), &[])
}

/// A client that has `frames` to read and cannot write; and the peer, which stays.
async fn broken(frames: &[u8]) -> (WebSocket<WriteFails>, DuplexStream) {
    let (near, mut far) = duplex(1000);
    far.write_all(frames).await.unwrap();
    (client(WriteFails(near, ErrorKind::BrokenPipe)), far)
}

fn is_reset<T>(result: Result<T, Error>) -> bool {
    let cause = CloseCause::Transport(TransportEnd::Reset);
    matches!(result, Err(Error::Closed(info)) if info.cause == cause)
}

/// Sends without a look at what has arrived, which would end the sending before the write fails.
async fn write(socket: &mut WebSocket<impl AsyncRead + AsyncWrite + Unpin>) -> Result<(), Error> {
    socket.feed("lost").await?;
    socket.flush().await
}

fn assert_clean(info: Option<CloseInfo>) {
    let info = info.unwrap();
    assert!(info.is_clean() && info.received == Some(CloseCode::GOING_AWAY), "{info}");
    assert_eq!(&*info.reason, "bye");
}

#[tokio::test]
async fn recv_returns_what_came_before_a_failed_write_and_ends_cleanly_after_a_close() {
    let (mut socket, _peer) = broken(FRAMES).await;
    socket.feed("lost").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some(Message::binary(&b"one"[..])));
    assert_eq!(socket.recv().await.unwrap(), Some("two".into()));
    assert_eq!(socket.recv().await.unwrap(), None);
    assert_clean(socket.close_info());
    assert_eq!(socket.recv().await.unwrap(), None, "recv after the end");
}

#[tokio::test]
async fn send_reports_a_failed_write_at_once_and_recv_goes_on() {
    let (mut socket, _peer) = broken(FRAMES).await;
    for _ in 0..2 {
        assert!(is_reset(write(&mut socket).await));
        assert!(is_reset(socket.flush().await));
        assert!(is_reset(socket.feed("lost").await));
        assert!(socket.close_info().is_none(), "the end has not been read yet");
    }
    assert_eq!(socket.recv().await.unwrap(), Some(Message::binary(&b"one"[..])));
    assert_eq!(socket.recv().await.unwrap(), Some("two".into()));
    assert_eq!(socket.recv().await.unwrap(), None);
    assert_clean(socket.close_info());
}

#[tokio::test]
async fn a_transport_error_of_another_kind_is_returned_to_the_caller_whose_write_failed() {
    let (near, mut far) = duplex(1000);
    far.write_all(FRAMES).await.unwrap();
    let mut socket = client(WriteFails(near, ErrorKind::StorageFull));
    let Err(Error::Io(error)) = write(&mut socket).await else { panic!("the write succeeded") };
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert!(matches!(write(&mut socket).await, Err(Error::Closed(_))));
    while socket.recv().await.unwrap().is_some() {}
    assert_clean(socket.close_info());
}

#[tokio::test]
async fn an_error_of_a_write_does_not_make_a_clean_close_an_error() {
    let (near, mut far) = duplex(1000);
    far.write_all(FRAMES).await.unwrap();
    let mut socket = client(WriteFails(near, ErrorKind::StorageFull));
    // It is written, and fails, while messages are received.
    socket.feed("lost").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some(Message::binary(&b"one"[..])));
    assert_eq!(socket.recv().await.unwrap(), Some("two".into()));
    assert_eq!(socket.recv().await.unwrap(), None, "the closing handshake was complete");
    assert_clean(socket.close_info());
    // Without a Close the error is what ended it.
    let (near, mut far) = duplex(1000);
    far.write_all(b"\x82\x03one").await.unwrap();
    drop(far);
    let mut socket = client(WriteFails(near, ErrorKind::StorageFull));
    socket.feed("lost").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some(Message::binary(&b"one"[..])));
    let Err(Error::Io(error)) = socket.recv().await else {
        panic!("the connection ended without an I/O error")
    };
    assert_eq!(error.kind(), ErrorKind::StorageFull);
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_accepts_no_byte_of_a_write_has_failed() {
    let silent = || async {
        let (near, far) = duplex(1000);
        (client(TakesNothing(near, 0)), far)
    };
    let is_write_zero = |result: Result<(), Error>| {
        let Err(Error::Io(error)) = result else { panic!("{result:?}") };
        assert_eq!(error.kind(), ErrorKind::WriteZero);
    };
    let (mut socket, _peer) = silent().await;
    is_write_zero(socket.send("lost").await);
    assert!(matches!(socket.send("lost").await, Err(Error::Closed(_))));

    let (mut socket, _peer) = silent().await;
    // More than one chunk: a vectored write.
    socket.feed(vec![1; 10_000]).await.unwrap();
    socket.feed(vec![2; 10_000]).await.unwrap();
    is_write_zero(socket.flush().await);

    let (socket, peer) = silent().await;
    let (sender, mut receiver) = socket.split();
    is_write_zero(sender.send("lost").await);
    drop(peer);
    assert!(matches!(receiver.recv().await, Err(Error::Closed(_))));

    let (mut socket, _peer) = silent().await;
    socket.feed("lost").await.unwrap();
    is_write_zero(socket.recv().await.map(|_| ()));
}

/// Takes nothing of what is written, without an error and without waiting; counts how often it is asked.
struct TakesNothing(DuplexStream, usize);

impl AsyncRead for TakesNothing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for TakesNothing {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        self.1 += 1;
        assert!(self.1 < 100, "the transport is polled in an endless loop");
        Poll::Ready(Ok(0))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn both_halves_of_a_split_websocket_see_a_failed_write() {
    let (socket, mut peer) = broken(b"").await;
    let (sender, mut receiver) = socket.split();
    let receiving = tokio::spawn(async move {
        let mut lengths = Vec::new();
        while let Some(message) = receiver.recv().await.unwrap() {
            lengths.push(message.len());
        }
        (lengths, receiver.close_info())
    });
    tokio::task::yield_now().await;
    assert!(is_reset(sender.send("lost").await));
    assert!(is_reset(sender.send("lost").await));
    assert!(is_reset(sender.ping(b"").await));
    peer.write_all(FRAMES).await.unwrap();
    let (lengths, info) = receiving.await.unwrap();
    assert_eq!(lengths, [3, 3]);
    assert_clean(info);
    assert!(matches!(sender.send("late").await, Err(Error::Closed(info)) if info.is_clean()));
}

#[tokio::test]
async fn for_each_event_goes_on_to_the_end_although_its_answers_cannot_be_written() {
    let (mut socket, _peer) = broken(FRAMES).await;
    let mut seen = Vec::new();
    let each = socket.for_each_event(|connection, event| {
        let (Event::Text(_) | Event::Binary(_)) = event else { return Ok(()) };
        seen.push(());
        connection.send_binary(&[0; 100_000])
    });
    each.await.unwrap();
    assert_eq!(seen.len(), 2);
    assert_clean(socket.close_info());
}

#[tokio::test]
async fn close_reads_on_until_the_peers_close() {
    let (mut socket, _peer) = broken(FRAMES).await;
    assert_clean(Some(socket.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_no_close_is_waited_for_until_close_timeout() {
    let begun = Instant::now();
    let (mut socket, _peer) = broken(b"\x82\x03one").await;
    assert!(is_reset(write(&mut socket).await));
    assert_eq!(socket.recv().await.unwrap().unwrap().len(), 3);
    assert!(is_reset(socket.recv().await));
    assert_eq!(begun.elapsed().as_secs(), Config::client().close_timeout.as_secs());
    let (mut socket, peer) = broken(b"\x82\x03one").await;
    drop(peer);
    assert!(is_reset(write(&mut socket).await));
    assert_eq!(socket.recv().await.unwrap().unwrap().len(), 3);
    assert!(is_reset(socket.recv().await), "the end of the stream comes after the failed write");
}

/// The peer sends its last messages and goes without having read ours: its system answers that with a reset.
#[tokio::test]
async fn a_reset_on_a_real_socket_takes_nothing_away_that_has_arrived() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let mut far = listener.accept().await.unwrap().0;
    let mut socket = client(near);
    socket.send("not read").await.unwrap();
    far.readable().await.unwrap();
    far.write_all(FRAMES).await.unwrap();
    drop(far);
    // The reset is on its way behind the messages; from the second write on it is noticed at the latest.
    let deadline = Instant::now() + Duration::from_secs(5);
    while socket.send("lost").await.is_ok() {
        assert!(Instant::now() < deadline, "writes never fail");
    }
    assert_eq!(socket.recv().await.unwrap(), Some(Message::binary(&b"one"[..])));
    assert_eq!(socket.recv().await.unwrap(), Some("two".into()));
    assert_eq!(socket.recv().await.unwrap(), None);
    assert_clean(socket.close_info());
}
