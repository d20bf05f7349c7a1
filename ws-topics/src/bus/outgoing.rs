//! What is to be sent to other servers, and the numbers of live messages.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::backplane::Channel;
use crate::cluster_options::ClusterOptions;
use crate::envelope::Number;
use crate::error::TopicError;

/// Messages in the order in which they go out, within bounds.
#[derive(Debug)]
pub(super) struct Outgoing {
    queue: VecDeque<Next>,
    bytes: usize,
    max_messages: usize,
    max_bytes: usize,
    sent: BTreeMap<Box<str>, Sent>,
    max_sent: usize,
    /// Counts them, from the life of this server on.
    runs: u64,
    /// As of the previous heartbeat.
    runs_before: u64,
}

/// What is to be sent.
#[derive(Debug)]
pub(crate) struct Next {
    pub(crate) channel: Channel,
    pub(crate) payload: Bytes,
    /// What it counts as while it waits.
    pub(crate) cost: usize,
    /// Whether it is a live message, which is counted.
    pub(crate) is_live: bool,
}

/// What was published to a live topic.
#[derive(Debug)]
struct Sent {
    run: u64,
    number: u64,
    /// As of the previous heartbeat: what was sent since may still be on its way.
    before: u64,
    changed: bool,
    at: Instant,
}

/// What a heartbeat reports.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    pub(crate) runs: u64,
    pub(crate) live: Vec<(Box<str>, Number)>,
}

impl Outgoing {
    pub(super) const fn new(options: &ClusterOptions, max_sent: usize, life: u64) -> Self {
        Self {
            queue: VecDeque::new(),
            bytes: 0,
            max_messages: options.max_outgoing_messages,
            max_bytes: options.max_outgoing_bytes,
            sent: BTreeMap::new(),
            max_sent,
            runs: life,
            runs_before: life,
        }
    }

    /// The number of the next message of a topic.
    pub(super) fn number(&mut self, topic: &str) -> Result<Number, TopicError> {
        if !self.sent.contains_key(topic) {
            if self.sent.len() >= self.max_sent {
                // Without a number a lost message would not be missed.
                return Err(TopicError::TooManyTopics { limit: self.max_sent });
            }
            self.runs = self.runs.saturating_add(1);
            let new = Sent { run: self.runs, number: 0, before: 0, changed: true, at: Instant::now() };
            self.sent.insert(topic.into(), new);
        }
        let Some(sent) = self.sent.get_mut(topic) else {
            debug_assert!(false, "it was there a moment ago");
            return Err(TopicError::TooManyTopics { limit: self.max_sent });
        };
        sent.number = sent.number.saturating_add(1);
        sent.changed = true;
        Ok(Number { run: sent.run, number: sent.number })
    }

    /// Whether a message fits; one does if nothing waits.
    pub(super) fn has_room(&self, cost: usize) -> bool {
        self.queue.is_empty()
            || (self.queue.len() < self.max_messages && self.bytes.saturating_add(cost) <= self.max_bytes)
    }

    pub(super) fn push(&mut self, next: Next) {
        self.bytes = self.bytes.saturating_add(next.cost);
        self.queue.push_back(next);
    }

    pub(super) fn pop(&mut self) -> Option<Next> {
        let next = self.queue.pop_front()?;
        self.bytes = self.bytes.saturating_sub(next.cost);
        if self.queue.is_empty() && self.queue.capacity() > KEPT {
            self.queue = VecDeque::new();
        }
        Some(next)
    }

    /// Drops what waits; returns how many live messages that were.
    pub(super) fn clear(&mut self) -> u64 {
        self.bytes = 0;
        std::mem::take(&mut self.queue).iter().filter(|next| next.is_live).count() as u64
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn waiting(&self) -> (u64, u64) {
        (self.queue.len() as u64, self.bytes as u64)
    }

    /// What was published up to the previous heartbeat, or up to now if this is the last. A topic is reported for a while after its latest
    /// message, and then forgotten: its next message begins a run.
    pub(super) fn heads(&mut self, now: Instant, keep: Duration, is_last: bool) -> Heads {
        let mut heads = Heads { runs: self.runs_before, live: Vec::new() };
        self.runs_before = self.runs;
        self.sent.retain(|topic, sent| {
            let number = if is_last { sent.number } else { sent.before };
            heads.live.push((topic.clone(), Number { run: sent.run, number }));
            sent.before = sent.number;
            if std::mem::take(&mut sent.changed) {
                sent.at = now;
            }
            now.saturating_duration_since(sent.at) < keep
        });
        heads
    }
}

/// A queue that is empty keeps room for this many messages.
const KEPT: usize = 64;
