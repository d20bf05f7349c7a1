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
    several: OnceLock<Several>,
}

/// Nothing is added to these any more.
#[derive(Debug)]
struct Several {
    messages: Vec<Arc<Waiting>>,
    /// All of them as they go out, if they are small.
    frames: Option<PreparedFrames>,
}

/// What a topic knows of its latest tail.
#[derive(Debug)]
pub(super) struct Growing {
    /// Of whoever writes to the subscribers that have it: [`Visits::row`](super::Visits::row).
    row: u64,
    /// The queues hold it.
    tail: Weak<Tail>,
    /// The connection that is left out.
    from: Option<ConnectionId>,
    /// How many subscriptions get what is added.
    subscribers: u64,
    /// What can be added before any of them passes a bound.
    room: Room,
    /// Something has been added.
    is_used: bool,
}

/// How much may be added to a queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

impl Tail {
    pub(super) fn new(first: &Arc<Waiting>) -> Self {
        let growing = Mutex::new(Some(Vec::new()));
        Self { first: Arc::clone(first), growing, several: OnceLock::new() }
    }

    /// All of it; nothing is added afterwards.
    pub(super) fn end(&self) -> &[Arc<Waiting>] {
        match &*self.several().messages {
            [] => slice::from_ref(&self.first),
            messages => messages,
        }
    }

    /// The frames of all of it, if it is several small messages; nothing is added afterwards.
    pub(super) fn frames(&self) -> Option<&PreparedFrames> {
        self.several().frames.as_ref()
    }

    fn several(&self) -> &Several {
        self.several.get_or_init(|| {
            let growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner).take();
            let messages = growing.unwrap_or_default();
            let frames = || PreparedFrames::new(messages.iter().map(|waiting| &waiting.message));
            Several { frames: if messages.is_empty() { None } else { frames() }, messages }
        })
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
        tail: Option<&Arc<Tail>>,
        from: Option<ConnectionId>,
        subscribers: u64,
        room: Room,
    ) -> Self {
        let tail = tail.map(Arc::downgrade).unwrap_or_default();
        Self { row, tail, from, subscribers, room, is_used: false }
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
        (self.room, self.is_used) = (room, true);
        Some(self.subscribers)
    }

    /// Whether it was of no use to its row: another would not be, either.
    pub(super) const fn is_useless(&self, row: u64) -> bool {
        self.row == row && !self.is_used
    }
}

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
