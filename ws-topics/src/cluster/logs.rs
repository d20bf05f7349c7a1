//! What a server stores, and what it reads of the logs.

use std::sync::Arc;

use tokio::time::Instant;
use ws_tokio::ConnectionId;

use super::engine::Engine;
use crate::backplane::{Channel, Page};
use crate::bus::{ClusterEvent, Want};
use crate::envelope::{Envelope, Record};
use crate::position::Position;
use crate::topic::{Accepted, Read, Visits};

impl Engine {
    pub(super) fn follows_log(&self, topic: &str) -> bool {
        self.hub.options.durable_history_of(topic).is_some()
            && (self.interests.is_joined(&Want::Topic(topic.into()))
                || self.interests.filter_of(topic).is_some())
    }

    /// A message has been stored by some server.
    pub(super) fn noticed(
        &mut self,
        topic: &str,
        at: Position,
        record: &Record,
        now: Instant,
        visits: &mut Visits,
    ) {
        if !self.follows_log(topic) {
            return;
        }
        let author = self.author(topic, record.id);
        match self.hub.accept(topic, at, &record.message, author, visits) {
            Some(Accepted::New) => self.bus.count_received(true),
            Some(Accepted::Old) if (record.id >> 64) as u64 != self.bus.origin => {
                self.bus.count_received(false);
            }
            Some(Accepted::Unknown) => self.mirrors.read(topic, now),
            Some(Accepted::Old) | None => {}
        }
    }

    pub(super) fn read(&mut self, topic: &Arc<str>, page: Page, now: Instant) {
        let Page { epoch, oldest, head, entries } = page;
        let messages = entries.into_iter().map(|(offset, payload)| {
            let record = Record::decode(payload);
            // A gap in its place.
            if record.is_none() {
                self.bus.count_foreign();
            }
            let message = record.map(|record| (self.author(topic, record.id), record.message));
            (offset, message.map(|(author, message)| (message, author)))
        });
        let read = Read { epoch, oldest, head, messages: messages.collect() };
        let mut visits = Visits::of_batch();
        let extended = self.hub.extend(topic, read, &mut visits);
        visits.write_all();
        let Some(extended) = extended else { return self.mirrors.forget(topic) };
        if let Some(messages) = extended.lost {
            self.bus.report(ClusterEvent::Gap { topic: Arc::clone(topic), messages });
        }
        if extended.next.is_some() {
            return self.mirrors.read_on(topic);
        }
        let interval = self.bus.options.check_interval;
        let check_at = now + interval / 2 + self.chance.part_of(interval);
        self.mirrors.done(topic, check_at);
    }

    pub(super) fn appended(&mut self, topic: &Arc<str>, epoch: u64, offsets: &[u64], now: Instant) {
        let stored = self.bus.stored(topic, offsets.len());
        let mut visits = Visits::of_batch();
        for (pending, offset) in stored.into_iter().zip(offsets) {
            let at = Position { epoch, offset: *offset };
            if let Some(author) = pending.from {
                self.authors.add(pending.record.id, author);
            }
            let accepted = self.hub.accept(topic, at, &pending.record.message, pending.from, &mut visits);
            if accepted == Some(Accepted::Unknown) && self.follows_log(topic) {
                self.mirrors.read(topic, now);
            }
            let envelope = Envelope::Stored {
                topic: topic.as_ref().into(),
                epoch,
                offset: *offset,
                record: pending.record.clone(),
            };
            self.bus.send(Channel::Topic(topic.as_ref().into()), &envelope);
            pending.resolve(Ok(at));
        }
        visits.write_all();
        // Beyond that the other servers find out when they read.
        if let Some(offset) = offsets.iter().max()
            && self.stored.len() < MAX_STORED
        {
            self.stored.insert(Arc::clone(topic), (epoch, *offset, now));
        }
    }

    fn author(&self, topic: &str, id: u128) -> Option<ConnectionId> {
        if (id >> 64) as u64 != self.bus.origin {
            return None;
        }
        self.authors.get(id).or_else(|| self.bus.author(topic, id))
    }
}

/// Durable topics that a heartbeat reports.
const MAX_STORED: usize = 65_536;
