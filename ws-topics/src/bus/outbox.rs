//! Durable messages that are still to be stored.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;
use ws_tokio::{ConnectionId, Message};

use super::cost;
use crate::backplane::Entry;
use crate::cluster_options::ClusterOptions;
use crate::envelope::Record;
use crate::error::TopicError;
use crate::position::Position;

/// By topic, in order and within bounds.
#[derive(Debug)]
pub(super) struct Outbox {
    lanes: BTreeMap<Arc<str>, Lane>,
    /// Topics for which something may be stored next, each once.
    ready: VecDeque<Arc<str>>,
    messages: usize,
    bytes: usize,
    max_messages: usize,
    max_bytes: usize,
    origin: u64,
    count: u64,
}

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Pending>,
    /// How many of the first are being stored.
    in_flight: usize,
    /// One was refused, as the next may be: they are stored one by one until one succeeds.
    one_by_one: bool,
}

/// Learns where a message is stored.
pub(crate) type Waiter = oneshot::Sender<Result<Position, TopicError>>;

/// A message that is to be stored.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) record: Record,
    /// The connection that published it, and is left out.
    pub(crate) from: Option<ConnectionId>,
    waiter: Option<Waiter>,
    payload: Bytes,
    /// When it was sent first.
    tried: Option<Instant>,
    /// The connection was lost after it was sent: it may be stored.
    may_be_stored: bool,
}

impl Pending {
    pub(crate) const fn new(message: Message, from: Option<ConnectionId>, waiter: Option<Waiter>) -> Self {
        let record = Record { id: 0, message };
        Self { record, from, waiter, payload: Bytes::new(), tried: None, may_be_stored: false }
    }

    /// Whether an earlier attempt, whose outcome is not known, may have stored it.
    pub(super) const fn may_be_stored(&self) -> bool {
        self.may_be_stored
    }

    /// Reports what has become of it.
    pub(crate) fn resolve(self, outcome: Result<Position, TopicError>) {
        if let Some(waiter) = self.waiter {
            let _nobody_waits = waiter.send(outcome);
        }
    }

    fn cost(&self) -> usize {
        cost(self.record.message.len())
    }
}

impl Outbox {
    pub(super) const fn new(options: &ClusterOptions, origin: u64, life: u64) -> Self {
        Self {
            lanes: BTreeMap::new(),
            ready: VecDeque::new(),
            messages: 0,
            bytes: 0,
            max_messages: options.max_unstored_messages,
            max_bytes: options.max_unstored_bytes,
            origin,
            count: life,
        }
    }

    pub(super) fn push(&mut self, topic: &str, mut pending: Pending) -> Result<(), TopicError> {
        let bytes = self.bytes.saturating_add(pending.cost());
        if self.messages >= self.max_messages || (self.messages > 0 && bytes > self.max_bytes) {
            let (messages, bytes) = (self.max_messages, self.max_bytes);
            return Err(TopicError::BackplaneFull { topic: topic.into(), messages, bytes });
        }
        self.count = self.count.wrapping_add(1);
        pending.record.id = (u128::from(self.origin) << 64) | u128::from(self.count);
        pending.payload = pending.record.encode();
        self.messages = self.messages.saturating_add(1);
        self.bytes = bytes;
        match self.lanes.get_mut(topic) {
            Some(lane) => lane.waiting.push_back(pending),
            None => {
                let topic: Arc<str> = topic.into();
                let waiting = VecDeque::from([pending]);
                self.lanes.insert(Arc::clone(&topic), Lane { waiting, ..Lane::default() });
                self.ready.push_back(topic);
            }
        }
        Ok(())
    }

    pub(super) fn next_batch(&mut self, now: Instant) -> Option<(Arc<str>, Vec<Entry>)> {
        loop {
            let topic = self.ready.pop_front()?;
            let Some(lane) = self.lanes.get_mut(&topic).filter(|lane| lane.in_flight == 0) else { continue };
            let mut bytes = 0_usize;
            let mut entries = Vec::new();
            for pending in lane.waiting.iter_mut().take(if lane.one_by_one { 1 } else { BATCH }) {
                bytes = bytes.saturating_add(pending.payload.len());
                if bytes > BATCH_BYTES && !entries.is_empty() {
                    break;
                }
                pending.tried.get_or_insert(now);
                entries.push(Entry { id: pending.record.id, payload: pending.payload.clone() });
            }
            lane.in_flight = entries.len();
            return Some((topic, entries));
        }
    }

    /// The first messages are stored.
    pub(super) fn stored(&mut self, topic: &str, count: usize) -> Vec<Pending> {
        self.done(topic, count, false)
    }

    /// The first message is refused.
    pub(super) fn refused(&mut self, topic: &str) -> Option<Pending> {
        self.done(topic, 1, true).pop()
    }

    fn done(&mut self, topic: &str, count: usize, one_by_one: bool) -> Vec<Pending> {
        let Some(lane) = self.lanes.get_mut(topic) else { return Vec::new() };
        (lane.in_flight, lane.one_by_one) = (0, one_by_one);
        let done: Vec<_> = lane.waiting.drain(..count.min(lane.waiting.len())).collect();
        self.released(&done);
        self.again(topic);
        done
    }

    pub(super) fn author(&self, topic: &str, id: u128) -> Option<ConnectionId> {
        let lane = self.lanes.get(topic)?;
        lane.waiting.iter().take(lane.in_flight.max(BATCH)).find(|it| it.record.id == id)?.from
    }

    /// Nothing is being stored any more: the connection is lost.
    pub(super) fn interrupted(&mut self) {
        for lane in self.lanes.values_mut() {
            lane.in_flight = 0;
            // Those behind one that was refused have been sent as well.
            for pending in lane.waiting.iter_mut().filter(|pending| pending.tried.is_some()) {
                pending.may_be_stored = true;
            }
        }
        self.ready = self.lanes.keys().cloned().collect();
    }

    /// Takes out what was sent first too long ago.
    pub(super) fn expire(&mut self, now: Instant, age: Duration) -> Vec<(Arc<str>, Vec<Pending>)> {
        let mut expired = Vec::new();
        for (topic, lane) in self.lanes.iter_mut().filter(|(_, lane)| lane.in_flight == 0) {
            let is_old = |pending: &Pending| {
                pending.tried.is_some_and(|tried| now.saturating_duration_since(tried) >= age)
            };
            let count = lane.waiting.iter().take_while(|pending| is_old(pending)).count();
            if count > 0 {
                expired.push((Arc::clone(topic), lane.waiting.drain(..count).collect::<Vec<_>>()));
            }
        }
        for (topic, pending) in &expired {
            self.released(pending);
            if self.lanes.get(topic).is_some_and(|lane| lane.waiting.is_empty()) {
                self.lanes.remove(topic);
            }
        }
        expired
    }

    pub(super) fn take_all(&mut self) -> Vec<(Arc<str>, VecDeque<Pending>)> {
        (self.messages, self.bytes) = (0, 0);
        self.ready.clear();
        std::mem::take(&mut self.lanes).into_iter().map(|(topic, lane)| (topic, lane.waiting)).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages == 0
    }

    pub(super) const fn waiting(&self) -> (u64, u64) {
        (self.messages as u64, self.bytes as u64)
    }

    fn released(&mut self, pending: &[Pending]) {
        let bytes: usize = pending.iter().map(Pending::cost).sum();
        self.messages = self.messages.saturating_sub(pending.len());
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Has the rest of a topic stored, or forgets it if there is none.
    fn again(&mut self, topic: &str) {
        if let Some((topic, lane)) = self.lanes.get_key_value(topic) {
            let topic = Arc::clone(topic);
            if lane.waiting.is_empty() {
                self.lanes.remove(&topic);
            } else {
                self.ready.push_back(topic);
            }
        }
    }
}

/// This many messages are stored at a time, at most.
const BATCH: usize = 256;

/// With this many bytes, or one message.
const BATCH_BYTES: usize = 512 << 10;
