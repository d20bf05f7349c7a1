//! A WebSocket as a stream of bytes.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};
use ws_core::{CloseCode, CloseInfo, Initiator, Message, SendError};

use crate::driver::Driver;
use crate::error::Error;
use crate::piece::{OwnedPiece, PieceSource};
use crate::shared::Shared;
use crate::waiting::Waiter;
use crate::websocket::WebSocket;

/// A WebSocket as `AsyncRead + AsyncWrite`: what is inside binary messages, without their borders. It carries
/// any protocol made for TCP through what only lets WebSockets pass.
///
/// - **Writing** sends binary messages of at most 32 KiB, at once if the transport takes them; `flush` waits until it
///   has. While `send_high_water` is queued a write waits.
/// - **Reading** takes what has arrived of a message, without waiting for its end or for a caller to ask for more
///   than is read: memory is constant, and a slow reader slows the peer down.
/// - **The end**: `shutdown` closes with 1000, and waits for the peer's Close. The peer's Close with 1000, or with no
///   code, is the end of the stream (a read of 0 bytes), and so is a Close that repeats the code of ours. One with
///   another code is an error of kind `ConnectionAborted`, since something may be missing: also 1001, although
///   [`recv`](WebSocket::recv) takes that for a normal end, because a peer that drops its stream without `shutdown`
///   sends it. So is the peer's end without a Close.
/// - **A text message** is an error, and the peer receives 1003.
///
/// A WebSocket cannot be closed in one direction only (RFC 6455 section 1.4): after `shutdown` the peer's WebSocket
/// sends no more, even if its owner still wanted to. What it sent before can be read.
///
/// ```
/// # async fn tunnel(websocket: ws_tokio::WebSocket<tokio::net::TcpStream>) -> std::io::Result<()> {
/// let mut bytes = ws_tokio::ByteStream::new(websocket);
/// let mut database = tokio::net::TcpStream::connect("127.0.0.1:5432").await?;
/// tokio::io::copy_bidirectional(&mut bytes, &mut database).await?;
/// # Ok(()) }
/// ```
///
/// Its two halves, by [`tokio::io::split`], may be used by two tasks.
pub struct ByteStream<S> {
    /// Reader and writer may be different tasks, and each does work that the other waits for.
    shared: Shared<S>,
    /// What has been taken from the connection and not been read.
    unread: Bytes,
    /// The message it is of is not over.
    inside_message: bool,
    /// The peer has sent text, which has no place here.
    text_received: bool,
}

/// The most that one message carries. It fits the limit that peers have been seen to start with.
const LARGEST_MESSAGE: usize = 32 * 1024;

impl<S: AsyncRead + AsyncWrite + Unpin> ByteStream<S> {
    /// The bytes in `websocket`'s messages.
    pub fn new(websocket: WebSocket<S>) -> Self {
        Self {
            shared: Shared::new(*websocket.driver),
            unread: Bytes::new(),
            inside_message: false,
            text_received: false,
        }
    }

    /// How the connection ended; `None` while it is open.
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.shared.lock().driver.close_info()
    }

    /// Queues bytes as one message, once there is room; then writes what can be written without waiting.
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        mut queue: impl FnMut(&mut Driver<S>) -> Result<(), Error>,
    ) -> Poll<io::Result<()>> {
        self.shared
            .poll(cx, Waiter::WRITER, |driver, cx| {
                ready!(driver.poll_ready_in_turn(cx))?;
                queue(driver)?;
                // What this does not write is written by the next write or flush, or by the reader.
                driver.write_now(cx);
                Poll::Ready(Ok(()))
            })
            .map_err(broken)
    }

    /// What the connection brings next, on behalf of `waiter`: bytes into `unread`, or the end.
    fn poll_receive(&mut self, cx: &mut Context<'_>, waiter: Waiter) -> Poll<io::Result<Received>> {
        if self.text_received {
            return Poll::Ready(Err(text_received()));
        }
        loop {
            let piece = ready!(self.shared.poll(cx, waiter, |driver, cx| driver.poll_piece(cx, false)));
            match piece {
                Ok(Some(OwnedPiece { data: Message::Binary(bytes), last })) => {
                    self.inside_message = !last;
                    if !bytes.is_empty() {
                        self.unread = bytes;
                        return Poll::Ready(Ok(Received::Bytes));
                    }
                }
                Ok(Some(_)) => {
                    self.text_received = true;
                    // Closing already is fine too. The Close is written by whatever is done next, drop included.
                    let _ = self.shared.lock().driver.connection.close(CloseCode::UNSUPPORTED_DATA, TEXT);
                    return Poll::Ready(Err(text_received()));
                }
                Ok(None) => return Poll::Ready(self.judge_end().map(|()| Received::End)),
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    /// Whether a closing handshake was the end of the bytes.
    fn judge_end(&self) -> io::Result<()> {
        if self.inside_message {
            return Err(Error::MessageCutOff.into());
        }
        match self.close_info() {
            // RFC 6455 §7.4.1: only 1000 says that the purpose has been fulfilled; §7.1.5: 1005 says nothing else.
            Some(info)
                if info.initiator == Initiator::Local
                    || matches!(info.code(), CloseCode::NORMAL_CLOSURE | CloseCode::NO_STATUS_RECEIVED) =>
            {
                Ok(())
            }
            Some(info) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, info.to_string())),
            None => Ok(()),
        }
    }
}

enum Received {
    Bytes,
    End,
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncBufRead for ByteStream<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.unread.is_empty()
            && let Received::End = ready!(this.poll_receive(cx, Waiter::RECEIVER))?
        {
            return Poll::Ready(Ok(&[]));
        }
        Poll::Ready(Ok(&this.unread))
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        let amount = amount.min(self.unread.len());
        self.unread.advance(amount);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for ByteStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let received = ready!(self.as_mut().poll_fill_buf(cx))?;
        let (taken, _) = received.split_at(received.len().min(buffer.remaining()));
        buffer.put_slice(taken);
        let amount = taken.len();
        self.consume(amount);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ByteStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let (taken, _) = bytes.split_at(bytes.len().min(LARGEST_MESSAGE));
        if taken.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let queue = |driver: &mut Driver<S>| driver.act(|connection| connection.send_binary(taken));
        ready!(self.get_mut().poll_send(cx, queue))?;
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let whole = slices.iter().fold(0usize, |sum, slice| sum.saturating_add(slice.len()));
        let length = whole.min(LARGEST_MESSAGE);
        if length == 0 {
            return Poll::Ready(Ok(0));
        }
        let queue = |driver: &mut Driver<S>| {
            driver.queue(|connection| connection.send(Message::Binary(gather(slices, length))))
        };
        ready!(self.get_mut().poll_send(cx, queue))?;
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.poll(cx, Waiter::WRITER, Driver::poll_flush).map_err(broken)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Closing already is what is wanted; 1000 without a reason may be sent.
        let _ = this.shared.lock().driver.connection.close(CloseCode::NORMAL_CLOSURE, "");
        loop {
            if !this.unread.is_empty() {
                // For the reader to take. Until then only writing goes on, and once all is written `close_timeout` passes.
                return this.shared.poll(cx, Waiter::WRITER, Driver::poll_over).map_err(io::Error::from);
            }
            match ready!(this.poll_receive(cx, Waiter::WRITER)) {
                Ok(Received::Bytes) => {}
                Ok(Received::End) => return Poll::Ready(Ok(())),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> From<WebSocket<S>> for ByteStream<S> {
    fn from(websocket: WebSocket<S>) -> Self {
        Self::new(websocket)
    }
}

impl<S> fmt::Debug for ByteStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteStream").field("unread", &self.unread.len()).finish_non_exhaustive()
    }
}

/// The first `length` bytes of `slices`, in one piece.
fn gather(slices: &[IoSlice<'_>], length: usize) -> Bytes {
    let mut gathered = Vec::with_capacity(length);
    for slice in slices {
        let room = length.saturating_sub(gathered.len());
        gathered.extend_from_slice(slice.get(..room).unwrap_or(slice));
    }
    gathered.into()
}

/// The error that a writer gets: a closed connection is a broken pipe to it, however well it was closed.
fn broken(error: Error) -> io::Error {
    match error {
        Error::Closed(info) if info.is_clean() => io::Error::new(io::ErrorKind::BrokenPipe, info.to_string()),
        Error::Send(SendError::Closing) => io::Error::new(io::ErrorKind::BrokenPipe, error.to_string()),
        error => error.into(),
    }
}

fn text_received() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the peer sent a text message: a byte stream is made of binary messages",
    )
}

/// The reason in the Close frame.
const TEXT: &str = "a byte stream is made of binary messages";
