//! A subscription, as topics, filters and queues know it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use super::Topic;
use super::filters::Filter;
use super::subscriber::Subscriber;
use crate::subscribe_options::SlowSubscriber;

/// A subscription. There may be many: its size is measured by `tests/heap.rs`.
pub(crate) struct Seat {
    pub(crate) place: Place,
    pub(crate) subscriber: Arc<Subscriber>,
    pub(crate) limits: Arc<Limits>,
    /// Where it stands in the list of its topic or filter, or [`Self::LEFT`]; it changes under the lock of that list.
    index: AtomicU32,
    /// Where it stands among the subscriptions of its connection, or [`Self::LEFT`]; it changes under the lock of the subscriber's queue.
    number: AtomicU32,
    /// These two change under the lock of the subscriber's queue.
    waiting: AtomicU32,
    bytes: AtomicUsize,
    /// The batch that has remembered it last.
    batch: AtomicU64,
    pub(super) dropped: AtomicU64,
    /// What is published reaches it out of the history for now; it changes under the lock of the topic.
    pub(super) replaying: AtomicBool,
    /// It is listed as present; it changes under the lock of the topic.
    pub(super) present: AtomicBool,
}

/// What is subscribed to.
#[derive(Clone)]
pub(crate) enum Place {
    Topic(Arc<Topic>),
    Filter(Arc<Filter>),
}

/// Bounds that many subscriptions share.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) slow: SlowSubscriber,
    pub(crate) max_messages: usize,
    pub(crate) max_bytes: usize,
}

impl Limits {
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.slow.is_same(&other.slow)
            && self.max_messages == other.max_messages
            && self.max_bytes == other.max_bytes
    }
}

impl Place {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Topic(topic) => topic.name(),
            Self::Filter(filter) => filter.text(),
        }
    }
}

impl Seat {
    /// It is in no list.
    const LEFT: u32 = u32::MAX;

    pub(crate) const fn new(place: Place, subscriber: Arc<Subscriber>, limits: Arc<Limits>) -> Self {
        Self {
            place,
            subscriber,
            limits,
            index: AtomicU32::new(Self::LEFT),
            number: AtomicU32::new(Self::LEFT),
            waiting: AtomicU32::new(0),
            batch: AtomicU64::new(0),
            bytes: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            replaying: AtomicBool::new(false),
            present: AtomicBool::new(false),
        }
    }

    /// Whether it is in no list any more.
    pub(crate) fn has_left(&self) -> bool {
        self.index.load(Ordering::Relaxed) == Self::LEFT
    }

    pub(crate) fn is_present(&self) -> bool {
        self.present.load(Ordering::Relaxed)
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// How many messages wait, without those of a tail.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed) as usize
    }

    /// Where it stands among the subscriptions of its connection.
    pub(super) fn number(&self) -> Option<u32> {
        Some(self.number.load(Ordering::Relaxed)).filter(|number| *number != Self::LEFT)
    }

    pub(super) fn set_number(&self, number: Option<u32>) {
        self.number.store(number.unwrap_or(Self::LEFT), Ordering::Relaxed);
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts a message that waits. The queue of its subscriber is locked: no other thread writes in between, and no locked instruction is needed.
    pub(super) fn count(&self, cost: usize) {
        self.waiting.store(self.waiting.load(Ordering::Relaxed).saturating_add(1), Ordering::Relaxed);
        self.bytes.store(self.bytes().saturating_add(cost), Ordering::Relaxed);
    }

    /// Counts messages that do not wait any more, as [`count`](Self::count).
    pub(super) fn discount(&self, messages: usize, cost: usize) {
        let messages = u32::try_from(messages).unwrap_or(u32::MAX);
        self.waiting.store(self.waiting.load(Ordering::Relaxed).saturating_sub(messages), Ordering::Relaxed);
        self.bytes.store(self.bytes().saturating_sub(cost), Ordering::Relaxed);
    }

    /// Marks it for a batch; returns whether it was not marked. Of two batches at the same time each may see the mark of the other, and remember
    /// it twice.
    pub(super) fn mark(&self, batch: u64) -> bool {
        let is_new = self.batch.load(Ordering::Relaxed) != batch;
        if is_new {
            self.batch.store(batch, Ordering::Relaxed);
        }
        is_new
    }

    /// Adds it to a list; `false` if that is as long as it can be.
    pub(super) fn join(self: &Arc<Self>, list: &mut Vec<Arc<Self>>) -> bool {
        let Some(index) = u32::try_from(list.len()).ok().filter(|index| *index != Self::LEFT) else {
            return false;
        };
        self.index.store(index, Ordering::Relaxed);
        list.push(Arc::clone(self));
        true
    }

    /// Takes it out of the list that it is in, at a cost that does not depend on how long it is.
    pub(super) fn leave(&self, list: &mut Vec<Arc<Self>>) -> bool {
        let index = self.index.swap(Self::LEFT, Ordering::Relaxed);
        if index == Self::LEFT {
            return false;
        }
        list.swap_remove(index as usize);
        if let Some(moved) = list.get(index as usize) {
            moved.index.store(index, Ordering::Relaxed);
        }
        // A list that was long once does not stay large.
        if list.len() < list.capacity() / 4 {
            list.shrink_to(list.len().saturating_mul(2));
        }
        true
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("place", &self.place.name()).finish_non_exhaustive()
    }
}
