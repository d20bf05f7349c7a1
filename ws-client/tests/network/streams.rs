//! The stream under a WebSocket passes everything on to what carries the bytes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufWriter, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use ws_client::Stream;

#[tokio::test]
async fn a_flush_and_a_shutdown_reach_a_custom_stream() {
    let (near, mut far) = tokio::io::duplex(64);
    // It keeps what is written until it is flushed.
    let mut stream = Stream::custom(BufWriter::new(near));
    stream.write_all(b"abc").await.unwrap();
    stream.flush().await.unwrap();
    let mut read = [0; 3];
    far.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"abc");
    stream.write_all(b"de").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    far.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"de");
}

/// Swallows everything, and says of vectored writes what it is to say.
struct Sink(bool);

impl AsyncRead for Sink {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Sink {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        self.0
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn whether_writes_are_vectored_is_for_the_carrier_to_say() {
    assert!(Stream::custom(Sink(true)).is_write_vectored());
    assert!(!Stream::custom(Sink(false)).is_write_vectored());
    let mut stream = Stream::custom(Sink(true));
    let written = stream.write_vectored(&[IoSlice::new(b"ab"), IoSlice::new(b"cde")]).await.unwrap();
    assert_eq!(written, 5);
}

#[tokio::test]
async fn a_stream_shows_what_carries_it_and_that_it_is_not_encrypted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tcp = Stream::from(TcpStream::connect(address).await.unwrap());
    assert!(!tcp.is_tls() && !Stream::custom(Sink(true)).is_tls());
    assert!(format!("{tcp:?}").contains(&address.to_string()), "{tcp:?}");
    assert_eq!(format!("{:?}", Stream::custom(Sink(true))), "Custom");
}
