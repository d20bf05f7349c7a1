//! One stream of an HTTP/2 connection as a stream of bytes.

use std::fmt;
use std::io::{self, IoSlice};
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::inboxes::{End, Opener, Receiving};
use super::outgoing::{Held, Outgoing};

/// One stream of an HTTP/2 connection as a stream of bytes: END_STREAM is the end of the stream, in both directions, and
/// RST_STREAM is a reset, whose error has the reason. Dropped before both sides have ended, it resets the stream.
///
/// A write is one DATA frame or several, of all slices that it is given; it is limited by the peer's windows and by
/// what waits inside `h2`. A flush waits until `h2` has written what it was given, and a shutdown until END_STREAM has gone
/// through the socket: a program that ends its runtime afterwards has sent it.
pub struct Http2Stream {
    send: SendStream<Bytes>,
    receiving: Receiving,
    outgoing: Arc<Outgoing>,
    is_shut_down: bool,
}

impl Opener {
    /// Returns a stream that reads and writes the DATA of these two halves. Both must be of the connection that this
    /// opener was made for.
    pub fn open(&self, send: SendStream<Bytes>, recv: RecvStream) -> Http2Stream {
        self.receive(recv).stream(send)
    }
}

impl Receiving {
    /// Returns a stream that reads what has arrived and what will, and writes the DATA of the other half.
    pub fn stream(self, send: SendStream<Bytes>) -> Http2Stream {
        let outgoing = Outgoing::new(self.inbox.clone(), self.pace().clone());
        Http2Stream { send, receiving: self, outgoing, is_shut_down: false }
    }
}

impl Http2Stream {
    /// Returns the count of the bytes that this stream has taken and `h2` has not written yet, for
    /// [`WebSocket::count_held`](crate::WebSocket::count_held).
    pub fn held(&self) -> Held {
        Held(self.outgoing.clone())
    }

    /// Gives up to `length` bytes of the slices to `h2`, as many as it has room and capacity for.
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[impl Deref<Target = [u8]>],
    ) -> Poll<io::Result<usize>> {
        let length = slices.iter().fold(0, |sum: usize, slice| sum.saturating_add(slice.len()));
        if length == 0 {
            return Poll::Ready(Ok(0));
        }
        if self.is_shut_down {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        ready!(self.outgoing.poll_at_most(MOST_HELD - 1, cx));
        let room = MOST_HELD.saturating_sub(self.outgoing.held()).max(1);
        let asked = length.min(room).min(MOST_AT_ONCE);
        // For what is to be sent now and no more: what a stream has reserved, others of the connection cannot use.
        self.send.reserve_capacity(asked);
        let length = asked.min(ready!(self.poll_capacity(cx))?);
        let mut bytes = Vec::with_capacity(length);
        for slice in slices {
            let part = slice.len().min(length.saturating_sub(bytes.len()));
            bytes.extend_from_slice(slice.get(..part).unwrap_or_default());
        }
        let sent = self.send.send_data(self.outgoing.chunk(bytes), false);
        if length < asked {
            // The rest that was asked for may never be sent.
            self.send.reserve_capacity(0);
        }
        Poll::Ready(match sent {
            Ok(()) => Ok(length),
            Err(_) => Err(self.write_error(cx)),
        })
    }

    /// Waits until there is capacity for at least one byte; returns how much there is.
    fn poll_capacity(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            // What there is already is not announced again.
            let capacity = self.send.capacity();
            if capacity > 0 {
                return Poll::Ready(Ok(capacity));
            }
            match ready!(self.send.poll_capacity(cx)) {
                // There may be none after all, when the peer has made its window smaller.
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(Err(self.write_error(cx))),
            }
        }
    }

    /// Why the peer takes nothing more.
    fn write_error(&mut self, cx: &mut Context<'_>) -> io::Error {
        if let Some(end @ (End::Reset(_) | End::Lost(..))) = self.receiving.inbox.ended() {
            return end.error();
        }
        match self.send.poll_reset(cx) {
            Poll::Ready(Ok(reason)) => End::Reset(reason).error(),
            Poll::Ready(Err(error)) => End::from(error).error(),
            Poll::Pending => io::ErrorKind::BrokenPipe.into(),
        }
    }
}

impl AsyncRead for Http2Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let length = ready!(self.receiving.inbox.poll_read(cx, buffer))?;
        if length > 0 {
            // As they leave the inbox, so that it is never larger than the window of the stream. On a stream that has ended
            // no peer needs the capacity.
            let _ = self.receiving.flow.release_capacity(length);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Http2Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, &[bytes])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Dropped by `h2` unwritten, when the stream is reset, the bytes count as gone too: the next read or write
        // reports that.
        self.outgoing.poll_at_most(0, cx).map(Ok)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_shut_down {
            self.is_shut_down = true;
            // Behind what `h2` still holds; an empty frame needs no capacity (RFC 9113 section 6.9.1).
            let end = self.outgoing.end_chunk();
            if self.send.send_data(end, true).is_err() {
                return Poll::Ready(Err(self.write_error(cx)));
            }
        }
        self.outgoing.poll_ended(cx).map(Ok)
    }
}

impl fmt::Debug for Http2Stream {
    /// Without what `h2` shows of its streams: the payload is among it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Stream")
            .field("id", &self.send.stream_id())
            .field("is_shut_down", &self.is_shut_down)
            .finish_non_exhaustive()
    }
}

/// What is reserved and sent at once: the payload of a frame of the size that every peer takes (RFC 9113 section 4.2).
const MOST_AT_ONCE: usize = 16 << 10;
/// What `h2` holds of one stream at most, written to no socket: these bytes count as sent for nobody until a flush.
const MOST_HELD: usize = 64 << 10;
