//! The durable topics of this server, and how far each is a copy of its log.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;
use ws_tokio::ConnectionId;

/// When the log of each topic is to be read.
#[derive(Debug, Default)]
pub(super) struct Mirrors {
    known: BTreeMap<Arc<str>, Mirror>,
    /// What is to be read as soon as few are being read.
    to_do: VecDeque<Arc<str>>,
}

#[derive(Debug)]
struct Mirror {
    reading: bool,
    /// Something has happened that the reading may not have seen.
    again: bool,
    /// The backplane has refused to have it read: until then it counts as being read.
    refused_until: Option<Instant>,
    check_at: Instant,
}

/// Which connections have published what this server has stored lately: a copy of the log does not say so.
#[derive(Debug, Default)]
pub(super) struct Authors {
    known: HashMap<u128, ConnectionId>,
    order: VecDeque<u128>,
}

impl Mirrors {
    pub(super) fn restart(&mut self) {
        *self = Self::default();
    }

    /// Has a log be read; again, if it is being read.
    pub(super) fn read(&mut self, topic: &str, now: Instant) {
        match self.known.get_mut(topic) {
            Some(mirror) if mirror.reading => mirror.again = true,
            Some(mirror) => {
                mirror.reading = true;
                self.to_do.extend(self.known.get_key_value(topic).map(|(topic, _)| Arc::clone(topic)));
            }
            None => {
                let topic: Arc<str> = topic.into();
                let mirror = Mirror { reading: true, again: false, refused_until: None, check_at: now };
                self.known.insert(Arc::clone(&topic), mirror);
                self.to_do.push_back(topic);
            }
        }
    }

    /// Takes the topic whose log is to be read next. What has happened until now it will see.
    pub(super) fn next(&mut self) -> Option<Arc<str>> {
        loop {
            let topic = self.to_do.pop_front()?;
            if let Some(mirror) = self.known.get_mut(&topic) {
                mirror.again = false;
                return Some(topic);
            }
        }
    }

    /// A part of a log has been read, and there is more.
    pub(super) fn read_on(&mut self, topic: &Arc<str>) {
        if self.known.contains_key(topic) {
            self.to_do.push_back(Arc::clone(topic));
        }
    }

    /// A log has been read to its end.
    pub(super) fn done(&mut self, topic: &Arc<str>, check_at: Instant) {
        let Some(mirror) = self.known.get_mut(topic) else { return };
        mirror.check_at = check_at;
        if mirror.again {
            self.to_do.push_back(Arc::clone(topic));
        } else {
            mirror.reading = false;
        }
    }

    /// The backplane refuses to have a log read: that is not tried again before then, whatever happens.
    pub(super) fn refused(&mut self, topic: &str, until: Instant) {
        if let Some(mirror) = self.known.get_mut(topic) {
            mirror.refused_until = Some(until);
        }
    }

    /// Has those be read of which nothing was heard for a while, and those that were refused a while ago.
    pub(super) fn check(&mut self, now: Instant) {
        let is_due = |mirror: &Mirror| match mirror.refused_until {
            Some(until) => until <= now,
            None => !mirror.reading && mirror.check_at <= now,
        };
        for (topic, mirror) in self.known.iter_mut().filter(|(_, mirror)| is_due(mirror)) {
            (mirror.reading, mirror.refused_until) = (true, None);
            self.to_do.push_back(Arc::clone(topic));
        }
    }

    /// Has all be read.
    pub(super) fn read_all(&mut self, now: Instant) {
        let topics: Vec<_> = self.known.keys().cloned().collect();
        topics.iter().for_each(|topic| self.read(topic, now));
    }

    pub(super) fn forget(&mut self, topic: &str) {
        self.known.remove(topic);
    }

    pub(super) fn forget_unless(&mut self, stays: impl Fn(&str) -> bool) -> Vec<Arc<str>> {
        let gone: Vec<_> = self.known.keys().filter(|topic| !stays(topic)).cloned().collect();
        gone.iter().for_each(|topic| self.forget(topic));
        gone
    }
}

impl Authors {
    pub(super) fn add(&mut self, id: u128, author: ConnectionId) {
        if self.order.len() >= MAX_AUTHORS
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(id);
        self.known.insert(id, author);
    }

    pub(super) fn get(&self, id: u128) -> Option<ConnectionId> {
        self.known.get(&id).copied()
    }
}

/// What was published before this many others is sent to its author, too, if it comes out of the log.
const MAX_AUTHORS: usize = 16_384;
