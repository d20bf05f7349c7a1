//! What a topic keeps of its messages.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::Instant;
use ws_tokio::{ConnectionId, PreparedMessage};

use super::mirror::Mirror;
use super::queue::Waiting;
use crate::options::History;

/// The bytes of all histories together.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicUsize,
    limit: usize,
}

/// The latest messages of a topic, oldest first; their offsets are consecutive.
#[derive(Debug)]
pub(crate) struct Log {
    kept: VecDeque<Kept>,
    /// The offset of the first that is kept, or that the next one will have.
    oldest: u64,
    /// The offset of the latest that is not kept any more and stands for several messages, or for nobody knows how many; or 0.
    uncounted: u64,
    bytes: usize,
    limits: History,
    budget: Arc<Budget>,
    /// Of a log of the backplane: how far this is a copy of it.
    pub(super) mirror: Option<Mirror>,
}

/// What is kept at an offset.
#[derive(Debug)]
pub(super) enum Content {
    Message(Arc<Waiting>),
    /// Messages of other servers are missing here: this many, if that is known.
    Gap(Option<u64>),
}

#[derive(Debug)]
struct Kept {
    content: Content,
    from: Option<ConnectionId>,
    at: Instant,
}

/// What a message counts as, wherever it is kept: its payload and what is around it.
pub(crate) fn cost(message: &PreparedMessage) -> usize {
    const AROUND: usize = 512;
    message.message().len().saturating_add(AROUND)
}

impl Content {
    /// Whether it stands for one message.
    pub(super) const fn is_one(&self) -> bool {
        matches!(self, Self::Message(_) | Self::Gap(Some(1)))
    }

    pub(super) fn cost(&self) -> usize {
        match self {
            Self::Message(waiting) => cost(&waiting.message),
            Self::Gap(_) => size_of::<Kept>(),
        }
    }
}

impl Budget {
    pub(crate) const fn new(limit: usize) -> Self {
        Self { used: AtomicUsize::new(0), limit }
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

impl Log {
    pub(super) fn new(limits: History, budget: Arc<Budget>) -> Self {
        let mirror = limits.durable.then(Mirror::default);
        Self { kept: VecDeque::new(), oldest: 1, uncounted: 0, bytes: 0, limits, budget, mirror }
    }

    /// Keeps a message, and drops the oldest beyond the limits.
    pub(super) fn push(&mut self, content: Content, from: Option<ConnectionId>) {
        let (at, cost) = (Instant::now(), content.cost());
        self.expire(at);
        // First room, then the message: the histories never hold more than they may, not even for a moment.
        while !self.kept.is_empty()
            && (self.kept.len() >= self.limits.max_messages
                || self.bytes.saturating_add(cost) > self.limits.max_bytes)
        {
            self.drop_oldest();
        }
        while !self.reserve(cost) {
            if self.kept.is_empty() {
                // It is not kept at all.
                return self.leave_behind(&content);
            }
            self.drop_oldest();
        }
        self.bytes = self.bytes.saturating_add(cost);
        self.kept.push_back(Kept { content, from, at });
    }

    /// Drops what is too old.
    pub(super) fn expire(&mut self, now: Instant) {
        let age = self.limits.max_age;
        while self.kept.front().is_some_and(|kept| now.saturating_duration_since(kept.at) > age) {
            self.drop_oldest();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(super) const fn oldest(&self) -> u64 {
        self.oldest
    }

    pub(super) const fn uncounted(&self) -> u64 {
        self.uncounted
    }

    /// Returns the messages from an offset on, which is not older than the oldest.
    pub(super) fn from(&self, offset: u64) -> impl Iterator<Item = (u64, &Content, Option<ConnectionId>)> {
        let skipped = usize::try_from(offset.saturating_sub(self.oldest)).unwrap_or(usize::MAX);
        let kept = self.kept.range(skipped.min(self.kept.len())..);
        (offset..).zip(kept).map(|(offset, kept)| (offset, &kept.content, kept.from))
    }

    /// Drops everything, and continues with an offset.
    pub(super) fn restart(&mut self, oldest: u64) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = 0;
        self.kept = VecDeque::new();
        (self.oldest, self.uncounted) = (oldest, 0);
    }

    fn reserve(&self, cost: usize) -> bool {
        if cost > self.limits.max_bytes {
            return false;
        }
        let add = |used: usize| used.checked_add(cost).filter(|used| *used <= self.budget.limit);
        self.budget.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
    }

    fn drop_oldest(&mut self) {
        if let Some(kept) = self.kept.pop_front() {
            let cost = kept.content.cost();
            self.leave_behind(&kept.content);
            self.bytes = self.bytes.saturating_sub(cost);
            self.budget.used.fetch_sub(cost, Ordering::Relaxed);
        }
    }

    /// What is at the oldest offset is not kept.
    fn leave_behind(&mut self, content: &Content) {
        if !content.is_one() {
            self.uncounted = self.oldest;
        }
        self.oldest = self.oldest.saturating_add(1);
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
