//! The end that many queues have in common.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ws_tokio::ConnectionId;

use super::queue::Waiting;

/// Messages of one topic that were published in a row, and that all its subscribers get after what is in their queues. A publisher adds
/// to it without a look at any of them. Whoever looks at one of these queues moves them there; from then on nothing is added.
#[derive(Debug)]
pub(super) struct Tail {
    /// `None` once nothing is added any more.
    growing: Mutex<Option<Vec<Arc<Waiting>>>>,
    whole: OnceLock<Vec<Arc<Waiting>>>,
}

/// What a publisher knows of a tail that grows.
#[derive(Debug)]
pub(super) struct Growing {
    pub(super) tail: Arc<Tail>,
    /// The connection that is left out.
    pub(super) from: Option<ConnectionId>,
    /// How many subscriptions get what is added.
    pub(super) subscribers: u64,
    /// What can be added before any of them passes a bound.
    pub(super) room: Room,
    /// Something has been added.
    pub(super) is_used: bool,
}

/// How much may be added to a queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

impl Tail {
    pub(super) fn new(first: &Arc<Waiting>) -> Self {
        Self { growing: Mutex::new(Some(vec![Arc::clone(first)])), whole: OnceLock::new() }
    }

    /// All of it from a place on; nothing is added afterwards.
    pub(super) fn end(&self, from: u32) -> &[Arc<Waiting>] {
        let take = || self.growing.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
        self.whole.get_or_init(take).get(from as usize..).unwrap_or_default()
    }

    fn push(&self, waiting: &Arc<Waiting>) -> bool {
        match &mut *self.growing.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(messages) => messages.push(Arc::clone(waiting)),
            None => return false,
        }
        true
    }
}

impl Growing {
    /// Adds a message that counts as `cost`, if all get it and none passes a bound.
    pub(super) fn push(&mut self, waiting: &Arc<Waiting>, cost: usize, from: Option<ConnectionId>) -> bool {
        let room = self.room.without(cost).filter(|_| self.from == from && self.tail.push(waiting));
        self.is_used |= room.is_some();
        self.room = room.unwrap_or(self.room);
        room.is_some()
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
