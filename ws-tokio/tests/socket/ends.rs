//! How the end of a transport is read, reported and answered.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, duplex};
use ws_core::{CloseCause, Config, Connection, TransportEnd};
use ws_tokio::{Error, Exclusive, TrySendError, WebSocket};

/// A transport that takes everything, ends as it is to end, and counts how often it is shut down.
struct Ending {
    with: Option<ErrorKind>,
    shutdowns: usize,
}

impl AsyncRead for Ending {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.with.map_or(Ok(()), |kind| Err(kind.into())))
    }
}

impl AsyncWrite for Ending {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shutdowns += 1;
        Poll::Ready(Ok(()))
    }
}

fn server<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> WebSocket<S> {
    WebSocket::new(stream, Connection::server(Arc::new(Config::server())), &[])
}

#[tokio::test]
async fn the_end_of_a_transport_is_its_cause_and_shuts_it_down_unless_it_was_reset() {
    for (with, end, kind, shutdowns) in [
        (None, TransportEnd::Eof, ErrorKind::UnexpectedEof, 1),
        (Some(ErrorKind::UnexpectedEof), TransportEnd::Truncated, ErrorKind::UnexpectedEof, 1),
        (Some(ErrorKind::ConnectionReset), TransportEnd::Reset, ErrorKind::ConnectionReset, 0),
        (Some(ErrorKind::BrokenPipe), TransportEnd::Reset, ErrorKind::ConnectionReset, 0),
    ] {
        let mut server = server(Ending { with, shutdowns: 0 });
        let error = server.recv().await.unwrap_err();
        let Error::Closed(info) = &error else { panic!("{with:?}: {error:?}") };
        assert_eq!(info.cause, CloseCause::Transport(end), "{with:?}");
        assert_eq!(io::Error::from(error).kind(), kind, "{with:?}");
        assert_eq!(server.get_ref().shutdowns, shutdowns, "{with:?}");
    }
}

#[tokio::test]
async fn a_transport_error_of_another_kind_is_returned_from_recv() {
    let mut server = server(Ending { with: Some(ErrorKind::PermissionDenied), shutdowns: 0 });
    let error = server.recv().await.unwrap_err();
    assert!(matches!(&error, Error::Io(error) if error.kind() == ErrorKind::PermissionDenied), "{error:?}");
    assert_eq!(server.get_ref().shutdowns, 1);
}

#[tokio::test]
async fn sending_after_a_protocol_error_of_the_peer_is_the_io_error_invalid_data() {
    let (near, mut far) = duplex(64);
    let (sender, mut receiver) = server(near).split();
    // A client must mask (RFC 6455 section 5.1).
    far.write_all(b"\x81\x01x").await.unwrap();
    drop(far);
    assert!(matches!(receiver.recv().await, Err(Error::Protocol(_))));
    let Err(TrySendError::Refused(_, error)) = sender.try_send("late") else {
        panic!("try_send succeeded on a closed connection")
    };
    assert!(
        matches!(&error, Error::Closed(info) if matches!(info.cause, CloseCause::Protocol(_))),
        "{error:?}"
    );
    assert_eq!(io::Error::from(error).kind(), ErrorKind::InvalidData);
}

#[tokio::test]
async fn halves_that_do_not_belong_together_come_back_as_they_were() {
    let (one, mut ones_peer) = duplex(64);
    let (other, mut others_peer) = duplex(64);
    let ((ones_sender, _one), (_others_sender, other)) = (server(one).split(), server(other).split());
    let ws_tokio::ReuniteError(sender, _other) = other.reunite(ones_sender).unwrap_err();
    sender.send("to one").await.unwrap();
    let mut frame = [0; 8];
    ones_peer.read_exact(&mut frame).await.unwrap();
    assert_eq!(&frame, b"\x81\x06to one");
    drop((sender, _one));
    let mut begin = [0; 1];
    drop((_other, _others_sender));
    others_peer.read_exact(&mut begin).await.unwrap();
    assert_eq!(begin, [0x88], "more than the Close was sent to the other member");
}

#[tokio::test]
async fn an_exclusive_stream_passes_everything_on() {
    let (near, mut far) = duplex(64);
    let vectored = near.is_write_vectored();
    let mut stream = Exclusive::new(tokio::io::BufWriter::new(near));
    assert!(stream.is_write_vectored());
    assert!(!Exclusive::new(Ending { with: None, shutdowns: 0 }).is_write_vectored() && vectored);
    stream.write_all(b"ab").await.unwrap();
    let written = stream.write_vectored(&[io::IoSlice::new(b"c"), io::IoSlice::new(b"de")]).await.unwrap();
    assert_eq!(written, 3);
    stream.flush().await.unwrap();
    let mut read = [0; 5];
    far.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"abcde");
    far.write_all(b"back").await.unwrap();
    let mut back = [0; 4];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"back");
    stream.shutdown().await.unwrap();
    assert_eq!(far.read(&mut read).await.unwrap(), 0);
}

/// A server's Close with 1000.
const CLOSE: &[u8] = b"\x88\x02\x03\xe8";

#[tokio::test]
async fn a_peer_that_ends_its_half_with_its_close_still_gets_what_is_queued_and_the_reply() {
    for split in [false, true] {
        let (near, mut far) = duplex(64);
        let connection = Connection::client(Arc::new(Config::client()), [7; 32]);
        let mut client = WebSocket::new(near, connection, &[]);
        // More than the transport takes at once.
        client.feed(vec![1; 1000]).await.unwrap();
        far.write_all(CLOSE).await.unwrap();
        far.shutdown().await.unwrap();
        let receiving = tokio::spawn(async move {
            match split {
                false => client.recv().await.unwrap(),
                true => client.split().1.recv().await.unwrap(),
            }
        });
        // RFC 6455 section 5.5.1: the Close is answered. 8 bytes of header for a message of 1,000 bytes, with the mask, and
        // the masked Close.
        let mut all = Vec::new();
        tokio::time::timeout(std::time::Duration::from_secs(20), far.read_to_end(&mut all))
            .await
            .unwrap()
            .unwrap();
        assert_eq!((all.len(), &all[1008..1010]), (8 + 1000 + 8, &b"\x88\x82"[..]), "split: {split}");
        assert_eq!(receiving.await.unwrap(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_has_ended_its_half_and_takes_nothing_holds_up_the_end_for_the_deadlines_alone() {
    let (near, mut far) = duplex(64);
    let connection = Connection::client(Arc::new(Config::client()), [7; 32]);
    let mut client = WebSocket::new(near, connection, &[]);
    client.feed(vec![1; 1000]).await.unwrap();
    far.write_all(CLOSE).await.unwrap();
    far.shutdown().await.unwrap();
    let begun = tokio::time::Instant::now();
    assert_eq!(client.recv().await.unwrap(), None);
    assert!(client.close_info().unwrap().unsent > 0);
    let limit = Config::client().write_timeout + Config::client().close_timeout * 2;
    assert!(begun.elapsed() <= limit, "{:?}", begun.elapsed());
}
