//! What has been given to `h2` and is not with the socket yet.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::inboxes::Inbox;
use super::paced::Pace;

/// Counts the bytes that `h2` holds for one stream: a chunk is gone once `h2` has written it, or has encoded it into its buffer
/// to be written next.
#[derive(Debug)]
pub(super) struct Outgoing {
    held: AtomicUsize,
    writer: Mutex<Option<Waker>>,
    /// What goes the other way.
    inbox: Arc<Inbox>,
    /// How often the socket had been flushed when END_STREAM was encoded; `NOT_YET` before.
    ended: AtomicU64,
    pace: Pace,
    /// The moves of the socket when they were last asked for.
    seen: AtomicU64,
}

/// What a stream holds outside of its WebSocket, in both directions.
#[derive(Debug, Clone)]
pub struct Held(pub(super) Arc<Outgoing>);

impl Held {
    /// Returns the number of bytes that have been given to `h2` and not been written to the socket yet.
    pub fn bytes(&self) -> usize {
        self.0.held()
    }

    /// Returns the number of bytes that have arrived and not been read.
    pub fn unread(&self) -> usize {
        self.0.inbox.unread()
    }

    /// Whether bytes have moved on the socket of the connection, whichever stream they are of, since this was asked last.
    pub(crate) fn has_moved(&self) -> bool {
        let moves = self.0.pace.moves();
        self.0.seen.swap(moves, Relaxed) != moves
    }
}

/// Bytes on their way, for as long as `h2` keeps them.
struct Chunk {
    bytes: Vec<u8>,
    outgoing: Arc<Outgoing>,
}

/// The end of a stream on its way: it has no bytes, so that `h2` encodes it before it flushes.
struct EndChunk(Arc<Outgoing>);

impl Outgoing {
    pub(super) fn new(inbox: Arc<Inbox>, pace: Pace) -> Arc<Self> {
        Arc::new(Self {
            held: AtomicUsize::new(0),
            writer: Mutex::default(),
            inbox,
            ended: AtomicU64::new(NOT_YET),
            seen: AtomicU64::new(pace.moves()),
            pace,
        })
    }

    /// The payload of the frame with END_STREAM as `h2` takes it.
    pub(super) fn end_chunk(self: &Arc<Self>) -> Bytes {
        Bytes::from_owner(EndChunk(self.clone()))
    }

    /// Ready when the frame with END_STREAM, and so all before it, has been written to the socket and flushed; or when
    /// it cannot be any more.
    pub(super) fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.ended.load(SeqCst) == NOT_YET {
            self.writer().replace(cx.waker().clone());
        }
        // Looked at again: there may have been nobody to wake.
        match self.ended.load(SeqCst) {
            NOT_YET => Poll::Pending,
            flushes => self.pace.poll_flushed_since(flushes, cx),
        }
    }

    /// The bytes as `h2` takes them.
    pub(super) fn chunk(self: &Arc<Self>, bytes: Vec<u8>) -> Bytes {
        self.held.fetch_add(bytes.len(), SeqCst);
        Bytes::from_owner(Chunk { bytes, outgoing: self.clone() })
    }

    /// How many bytes `h2` holds.
    pub(super) fn held(&self) -> usize {
        self.held.load(SeqCst)
    }

    /// Ready when `h2` holds at most this many bytes.
    pub(super) fn poll_at_most(&self, most: usize, cx: &mut Context<'_>) -> Poll<()> {
        if self.held() <= most {
            return Poll::Ready(());
        }
        self.writer().replace(cx.waker().clone());
        // It may have been written meanwhile, when there was nobody to wake.
        if self.held() <= most { Poll::Ready(()) } else { Poll::Pending }
    }

    fn wake(&self) {
        // Taken out first: a waker may run anything.
        let writer = self.writer().take();
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    fn writer(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.outgoing.held.fetch_sub(self.bytes.len(), SeqCst);
        self.outgoing.wake();
    }
}

impl AsRef<[u8]> for EndChunk {
    fn as_ref(&self) -> &[u8] {
        &[]
    }
}

impl Drop for EndChunk {
    fn drop(&mut self) {
        self.0.ended.store(self.0.pace.flushes(), SeqCst);
        self.0.wake();
    }
}

/// More flushes than there can be.
const NOT_YET: u64 = u64::MAX;
