//! What has been given to `h2` and is not with the socket yet.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::inboxes::Inbox;

/// Counts the bytes that `h2` holds for one stream: a chunk is gone once `h2` has written it.
#[derive(Debug)]
pub(super) struct Outgoing {
    held: AtomicUsize,
    writer: Mutex<Option<Waker>>,
    /// What goes the other way.
    inbox: Arc<Inbox>,
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
}

/// Bytes on their way, for as long as `h2` keeps them.
struct Chunk {
    bytes: Vec<u8>,
    outgoing: Arc<Outgoing>,
}

impl Outgoing {
    pub(super) fn new(inbox: Arc<Inbox>) -> Arc<Self> {
        Arc::new(Self { held: AtomicUsize::new(0), writer: Mutex::default(), inbox })
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
        // Taken out first: a waker may run anything.
        let writer = self.outgoing.writer().take();
        if let Some(writer) = writer {
            writer.wake();
        }
    }
}
