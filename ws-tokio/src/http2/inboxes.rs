//! What has arrived on the streams of a connection, taken out of `h2` as it arrives.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use bytes::{Buf, Bytes, BytesMut};
use h2::{FlowControl, Reason, RecvStream};
use tokio::io::ReadBuf;

use super::paced::{Pace, Paced};

/// What has arrived on the streams of one connection. It belongs to the task that drives the connection.
///
/// When it is dropped, which is to be after the connection has been, the streams that are still open end with an error.
#[derive(Debug)]
pub struct Inboxes(Arc<Shared>);

/// Makes streams whose inboxes are filled by the task of their connection.
#[derive(Debug, Clone)]
pub struct Opener(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Locked before `h2` locks anything, never by something that `h2` calls.
    entries: Mutex<Entries>,
    /// May be locked while `h2` holds its own lock; nothing is locked while this is.
    ready: Mutex<Ready>,
    pace: Pace,
}

#[derive(Debug, Default)]
struct Entries {
    next: u64,
    open: HashMap<u64, Entry>,
    /// The connection is gone.
    ended: bool,
}

#[derive(Debug)]
struct Entry {
    stream: RecvStream,
    inbox: Arc<Inbox>,
    signal: Arc<Signal>,
    waker: Waker,
}

/// Which streams may have something, and the task that looks.
#[derive(Debug, Default)]
struct Ready {
    streams: Vec<u64>,
    task: Option<Waker>,
}

/// Wakes the task of the connection for one stream.
#[derive(Debug)]
struct Signal {
    key: u64,
    shared: Arc<Shared>,
    is_ready: AtomicBool,
}

/// What has arrived on one stream and has not been read.
#[derive(Debug, Default)]
pub(super) struct Inbox(Mutex<Arrived>);

#[derive(Debug, Default)]
struct Arrived {
    bytes: BytesMut,
    end: Option<End>,
    reader: Option<Waker>,
}

/// How a stream has ended, after the bytes that have arrived.
#[derive(Debug, Clone)]
pub(super) enum End {
    /// With END_STREAM.
    Eof,
    /// With RST_STREAM, or with the connection for a reason that HTTP/2 has a code for.
    Reset(Reason),
    /// With the connection.
    Lost(io::ErrorKind, String),
}

/// The receiving half of a stream. Dropped before both sides have ended, it resets the stream.
pub struct Receiving {
    pub(super) flow: FlowControl,
    pub(super) inbox: Arc<Inbox>,
    place: Place,
}

/// The place of a stream, which is free again when this is dropped.
#[derive(Debug)]
struct Place {
    key: u64,
    shared: Arc<Shared>,
}

impl Inboxes {
    #[allow(clippy::new_without_default, reason = "it belongs to a connection")]
    pub fn new() -> Self {
        Self(Arc::new(Shared { entries: Mutex::default(), ready: Mutex::default(), pace: Pace::new() }))
    }

    /// Wraps the socket that the connection runs on: after each 64 KiB the inboxes are filled before more is read.
    pub fn pace<S>(&self, io: S) -> Paced<S> {
        Paced::new(io, self.0.pace.clone())
    }

    /// Returns what makes streams of this connection.
    pub fn opener(&self) -> Opener {
        Opener(self.0.clone())
    }

    /// Takes what has arrived out of `h2`, and wakes the readers. To be called after each poll of the connection, by
    /// the same task, which is woken when there is more.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>) {
        let ready = {
            let mut ready = self.0.ready();
            // Under the lock, so that a stream is in the list that is taken here or its signal wakes the task.
            self.0.pace.reset();
            if ready.task.as_ref().is_none_or(|task| !task.will_wake(cx.waker())) {
                ready.task = Some(cx.waker().clone());
            }
            mem::take(&mut ready.streams)
        };
        if ready.is_empty() {
            return;
        }
        let mut entries = self.0.entries();
        for key in &ready {
            if let Some(entry) = entries.open.get_mut(key) {
                // Before it is looked at: what arrives afterwards is another turn.
                entry.signal.is_ready.store(false, SeqCst);
                entry.fill();
            }
        }
        // Its allocation serves the next turn.
        let mut place = self.0.ready();
        if place.streams.is_empty() {
            let mut ready = ready;
            ready.clear();
            ready.shrink_to(KEPT);
            place.streams = ready;
        }
    }
}

impl Drop for Inboxes {
    fn drop(&mut self) {
        let mut entries = self.0.entries();
        entries.ended = true;
        for entry in entries.open.values_mut() {
            entry.fill();
            entry.inbox.end(End::gone());
        }
    }
}

impl Opener {
    /// Makes an inbox for the DATA of a stream of this opener's connection. To be called as soon as there is the stream: what
    /// arrives while its answer is decided waits there instead of in `h2`.
    pub fn receive(&self, mut recv: RecvStream) -> Receiving {
        let shared = &self.0;
        let flow = recv.flow_control().clone();
        let inbox = Arc::new(Inbox::default());
        let mut entries = shared.entries();
        let key = entries.next;
        entries.next = entries.next.wrapping_add(1);
        let signal = Arc::new(Signal { key, shared: shared.clone(), is_ready: AtomicBool::new(false) });
        let entry = Entry {
            stream: recv,
            inbox: inbox.clone(),
            waker: signal.clone().into(),
            signal: signal.clone(),
        };
        if entries.ended {
            inbox.end(End::gone());
        } else {
            entries.open.insert(key, entry);
        }
        drop(entries);
        // Something may have arrived already.
        signal.wake();
        Receiving { flow, inbox, place: Place { key, shared: shared.clone() } }
    }
}

impl Entry {
    /// Takes all that has arrived; afterwards the signal is given when there is more.
    fn fill(&mut self) {
        let mut cx = Context::from_waker(&self.waker);
        while let Poll::Ready(data) = self.stream.poll_data(&mut cx) {
            match data {
                Some(Ok(data)) => self.inbox.put(&data),
                Some(Err(error)) => return self.inbox.end(End::from(error)),
                None => return self.inbox.end(End::Eof),
            }
        }
    }
}

impl Shared {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ready(&self) -> MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.is_ready.swap(true, SeqCst) {
            return;
        }
        let task = {
            let mut ready = self.shared.ready();
            ready.streams.push(self.key);
            // In its turn the task fills the inboxes at the end of it, without being woken again.
            if self.shared.pace.is_in_turn() { None } else { ready.task.clone() }
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Dropped after the lock is released: `h2` wakes tasks when a stream goes.
        let entry = self.shared.entries().open.remove(&self.key);
        drop(entry);
    }
}

impl Inbox {
    fn put(&self, data: &Bytes) {
        let reader = {
            let mut arrived = self.arrived();
            // Copied, as a small frame would keep the whole buffer that `h2` has read it into.
            arrived.bytes.extend_from_slice(data);
            arrived.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn end(&self, end: End) {
        let reader = {
            let mut arrived = self.arrived();
            arrived.end.get_or_insert(end);
            arrived.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Moves bytes to `buffer`; returns how many, 0 at the end of the stream.
    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut arrived = self.arrived();
        let length = arrived.bytes.len().min(buffer.remaining());
        if let Some(bytes) = arrived.bytes.get(..length).filter(|bytes| !bytes.is_empty()) {
            buffer.put_slice(bytes);
            arrived.bytes.advance(length);
            if arrived.bytes.is_empty() {
                // A stream that waits owns no buffer.
                arrived.bytes = BytesMut::new();
            }
            return Poll::Ready(Ok(length));
        }
        if !arrived.bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        match &arrived.end {
            Some(End::Eof) => Poll::Ready(Ok(0)),
            Some(end) => Poll::Ready(Err(end.error())),
            None => {
                arrived.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// The number of bytes that have arrived and not been read.
    pub(super) fn unread(&self) -> usize {
        self.arrived().bytes.len()
    }

    /// How the stream has ended, if the peer or the connection has ended it.
    pub(super) fn ended(&self) -> Option<End> {
        self.arrived().end.clone()
    }

    fn arrived(&self) -> MutexGuard<'_, Arrived> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receiving {
    /// The socket of the connection.
    pub(super) fn pace(&self) -> &Pace {
        &self.place.shared.pace
    }
}

impl fmt::Debug for Receiving {
    /// Without what has arrived: the payload is among it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiving").finish_non_exhaustive()
    }
}

impl End {
    fn gone() -> Self {
        Self::Lost(io::ErrorKind::ConnectionAborted, "the HTTP/2 connection is gone".to_owned())
    }

    pub(super) fn error(&self) -> io::Error {
        match self {
            Self::Eof => io::ErrorKind::UnexpectedEof.into(),
            // RFC 9113 §5.4.2: to a stream this is what RST is to a TCP connection.
            Self::Reset(reason) => io::Error::new(
                io::ErrorKind::ConnectionReset,
                format!("the HTTP/2 stream was reset: {reason:?} ({reason})"),
            ),
            Self::Lost(kind, text) => io::Error::new(*kind, text.clone()),
        }
    }
}

impl From<h2::Error> for End {
    fn from(error: h2::Error) -> Self {
        match (error.reason(), error.get_io()) {
            (Some(reason), _) if error.is_reset() => Self::Reset(reason),
            (_, Some(io)) => Self::Lost(io.kind(), io.to_string()),
            // GOAWAY, or a fault of the connection.
            _ => Self::Lost(
                io::ErrorKind::ConnectionAborted,
                format!("the HTTP/2 connection has ended: {error}"),
            ),
        }
    }
}

/// How many streams that are ready at once keep their list allocated.
const KEPT: usize = 64;
