//! The end that many queues have in common.

use std::slice;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use ws_tokio::{ConnectionId, PreparedFrames};

use super::log::cost;
use super::queue::Waiting;

/// Messages of one topic that were published in a row, and that all its subscribers get after what is in their queues. A publisher adds
/// to it without a look at any of them. Whoever looks at one of these queues moves them there; from then on nothing is added.
#[derive(Debug)]
pub(super) struct Tail {
    first: Arc<Waiting>,
    /// All of it if there are several; `None` once nothing is added any more.
    growing: Mutex<Option<Vec<Arc<Waiting>>>>,
    /// What has grown.
    several: OnceLock<Vec<Arc<Waiting>>>,
    /// The frames of several, if they are small; encoded by the first connection that sends them.
    frames: OnceLock<Option<PreparedFrames>>,
}

/// What a topic knows of its latest tail.
#[derive(Debug)]
pub(super) struct Growing {
    /// The row of messages whose tail it is: [`Visits::row`](super::Visits::row).
    row: u64,
    /// The queues hold it.
    tail: Weak<Tail>,
    /// The connection that is left out.
    from: Option<ConnectionId>,
    /// How many subscriptions get what is added.
    subscribers: u64,
    /// What can be added before any of them passes a bound.
    room: Room,
    /// How many messages of the row are put into each queue before it begins another tail: 0 once something has been added to this one.
    apart: u32,
}

/// How much may be added to a queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

impl Tail {
    pub(super) fn new(first: &Arc<Waiting>) -> Self {
        Self {
            first: Arc::clone(first),
            growing: Mutex::new(Some(Vec::new())),
            several: OnceLock::new(),
            frames: OnceLock::new(),
        }
    }

    /// All of it; nothing is added afterwards.
    pub(super) fn end(&self) -> &[Arc<Waiting>] {
        let take = || self.growing.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
        match &**self.several.get_or_init(take) {
            [] => slice::from_ref(&self.first),
            messages => messages,
        }
    }

    /// The frames of all of it, if it is several small messages; nothing is added afterwards.
    pub(super) fn frames(&self) -> Option<&PreparedFrames> {
        match self.end() {
            [_] => None,
            messages => {
                let encode = || PreparedFrames::new(messages.iter().map(|waiting| &waiting.message));
                self.frames.get_or_init(encode).as_ref()
            }
        }
    }

    fn push(&self, waiting: &Arc<Waiting>) -> bool {
        let mut growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(messages) = &mut *growing else { return false };
        if messages.is_empty() {
            messages.push(Arc::clone(&self.first));
        }
        messages.push(Arc::clone(waiting));
        true
    }
}

impl Growing {
    /// Of a tail that begins with a message from `from`.
    pub(super) fn new(
        row: u64,
        tail: &Arc<Tail>,
        from: Option<ConnectionId>,
        subscribers: u64,
        room: Room,
    ) -> Self {
        Self { row, tail: Arc::downgrade(tail), from, subscribers, room, apart: APART }
    }

    /// Adds a message of the same row, if all get it and none passes a bound; returns how many do.
    pub(super) fn push(
        &mut self,
        row: u64,
        waiting: &Arc<Waiting>,
        from: Option<ConnectionId>,
    ) -> Option<u64> {
        if self.row != row || self.from != from {
            return None;
        }
        let room = self.room.without(cost(&waiting.message))?;
        if !self.tail.upgrade()?.push(waiting) {
            return None;
        }
        (self.room, self.apart) = (room, 0);
        Some(self.subscribers)
    }

    /// Ends the tail, and returns whether the message of this row that could not be added begins another. If nothing was ever added to this one, the same
    /// would hold for the next, and the row waits for some messages before it tries again.
    pub(super) fn is_over(&mut self, row: u64) -> bool {
        self.tail = Weak::new();
        let is_over = self.row != row || self.apart == 0;
        self.apart = self.apart.saturating_sub(1);
        is_over
    }
}

/// The number of messages that are put into each queue after a tail to which nothing could be added.
const APART: u32 = 16;

impl Room {
    pub(super) const UNBOUNDED: Self = Self { messages: usize::MAX, bytes: usize::MAX };
    pub(super) const NONE: Self = Self { messages: 0, bytes: 0 };

    /// What is left behind a message that counts as `cost`; `None` if there is too little for it.
    pub(super) fn without(self, cost: usize) -> Option<Self> {
        Some(Self { messages: self.messages.checked_sub(1)?, bytes: self.bytes.checked_sub(cost)? })
    }

    /// What fits into both.
    pub(super) fn min(self, other: Self) -> Self {
        Self { messages: self.messages.min(other.messages), bytes: self.bytes.min(other.bytes) }
    }
}
