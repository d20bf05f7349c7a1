//! The socket under an HTTP/2 connection, read a part at a time.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How many bytes may be read before what has arrived is taken out of `h2`.
#[derive(Debug, Clone)]
pub(super) struct Pace(Arc<AtomicUsize>);

impl Pace {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicUsize::new(TURN)))
    }

    /// What had arrived has been taken out: reading goes on.
    pub(super) fn reset(&self) {
        self.0.store(TURN, Relaxed);
    }
}

/// A socket that is read a part at a time, so that the DATA frames which wait inside `h2` are bounded: see
/// [`Inboxes::pace`](super::Inboxes::pace).
#[derive(Debug)]
pub struct Paced<S> {
    io: S,
    pace: Pace,
}

impl<S> Paced<S> {
    pub(super) const fn new(io: S, pace: Pace) -> Self {
        Self { io, pace }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = self.pace.0.load(Relaxed);
        if left == 0 {
            // The same task fills the inboxes next, and is then to come back here.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        // The last read of a turn may be of more than what is left; `h2` reads some 16 KiB at a time.
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        self.pace.0.store(left.saturating_sub(buffer.filled().len().saturating_sub(before)), Relaxed);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Bytes read before the inboxes are filled.
const TURN: usize = 64 << 10;
