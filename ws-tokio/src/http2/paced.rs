//! The socket under an HTTP/2 connection, read a part at a time.

use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What the streams of a connection and its task know of the socket.
#[derive(Debug, Clone)]
pub(super) struct Pace(Arc<Socket>);

#[derive(Debug)]
struct Socket {
    /// How many bytes may be read before what has arrived is taken out of `h2`.
    left: AtomicUsize,
    /// How often all that `h2` had encoded has been written and flushed.
    flushes: AtomicU64,
    /// How often bytes have come, or have gone after the socket had taken none for a while.
    moves: AtomicU64,
    /// Whether the socket has been dropped.
    is_gone: AtomicBool,
    /// Whether a task is in `waiting`: a hint that spares the lock.
    is_awaited: AtomicBool,
    /// The tasks that wait for the next flush.
    waiting: Mutex<Vec<Waker>>,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self(Arc::new(Socket {
            left: AtomicUsize::new(TURN),
            flushes: AtomicU64::new(0),
            moves: AtomicU64::new(0),
            is_gone: AtomicBool::new(false),
            is_awaited: AtomicBool::new(false),
            waiting: Mutex::default(),
        }))
    }

    /// What had arrived has been taken out: reading goes on.
    pub(super) fn reset(&self) {
        self.0.left.store(TURN, Relaxed);
    }

    /// Whether something has been read since the last reset, and so the inboxes are still to be filled.
    pub(super) fn is_in_turn(&self) -> bool {
        self.0.left.load(Relaxed) != TURN
    }

    /// Returns how often all that `h2` had encoded has been flushed.
    pub(super) fn flushes(&self) -> u64 {
        self.0.flushes.load(SeqCst)
    }

    /// Returns how often bytes have come, or have gone after the socket had taken none for a while: what a socket takes that
    /// has refused nothing proves nothing about the peer.
    pub(super) fn moves(&self) -> u64 {
        self.0.moves.load(Relaxed)
    }

    fn moved(&self) {
        self.0.moves.fetch_add(1, Relaxed);
    }

    /// Ready when all that had been encoded after this many flushes has been flushed, or the socket is gone.
    pub(super) fn poll_flushed_since(&self, flushes: u64, cx: &mut Context<'_>) -> Poll<()> {
        let is_ready = || self.flushes() > flushes || self.0.is_gone.load(SeqCst);
        if is_ready() {
            return Poll::Ready(());
        }
        {
            let mut waiting = self.0.waiting();
            if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiting.push(cx.waker().clone());
            }
            self.0.is_awaited.store(true, SeqCst);
        }
        // It may have been flushed meanwhile, when there was nobody to wake.
        if is_ready() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Socket {
    fn flushed(&self) {
        self.flushes.fetch_add(1, SeqCst);
        self.wake();
    }

    fn wake(&self) {
        if self.is_awaited.load(SeqCst) {
            let waiting = {
                let mut waiting = self.waiting();
                self.is_awaited.store(false, SeqCst);
                mem::take(&mut *waiting)
            };
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket that is read a part at a time, so that the DATA frames which wait inside `h2` are bounded: see
/// [`Inboxes::pace`](super::Inboxes::pace).
#[derive(Debug)]
pub struct Paced<S> {
    io: S,
    pace: Pace,
    /// Whether the socket has taken less than it was given since it was last flushed.
    refused: bool,
}

impl<S> Paced<S> {
    pub(super) const fn new(io: S, pace: Pace) -> Self {
        Self { io, pace, refused: false }
    }

    fn note_write(&mut self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Pending => self.refused = true,
            Poll::Ready(Ok(_)) if self.refused => self.pace.moved(),
            Poll::Ready(_) => {}
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = self.pace.0.left.load(Relaxed);
        if left == 0 {
            // The same task fills the inboxes next, and is then to come back here.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        // The last read of a turn may be of more than what is left; `h2` reads some 16 KiB at a time.
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        let length = buffer.filled().len().saturating_sub(before);
        self.pace.0.left.store(left.saturating_sub(length), Relaxed);
        if length > 0 {
            self.pace.moved();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.note_write(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.note_write(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        if flushed.is_pending() {
            self.refused = true;
        } else {
            if mem::replace(&mut self.refused, false) {
                self.pace.moved();
            }
            self.pace.0.flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl<S> Drop for Paced<S> {
    fn drop(&mut self) {
        self.pace.0.is_gone.store(true, SeqCst);
        self.pace.0.wake();
    }
}

/// Bytes read before the inboxes are filled.
const TURN: usize = 64 << 10;
