//! How messages of this server get to the subscribers here and elsewhere.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::runtime::Handle;
use ws_tokio::{ConnectionId, Message};

use super::Hub;
use crate::bus::{Pending, Waiter};
use crate::error::TopicError;
use crate::position::Position;
use crate::topic::{Outgoing, Topic, Visits, write_later};

impl Hub {
    /// Publishes a message. One to a durable topic goes to its log first, and has no position yet.
    pub(crate) fn publish(
        &self,
        name: &str,
        message: Message,
        from: Option<ConnectionId>,
        visits: &mut Visits,
    ) -> Result<Option<Position>, TopicError> {
        self.publish_by(name, message, from, |topic, outgoing| {
            topic.publish(outgoing, &self.filters, &self.options, visits)
        })
    }

    /// As [`publish`](Self::publish), but leaves the writing to a task of the runtime, except for what is in `now` afterwards.
    pub(crate) fn publish_later(
        &self,
        name: &str,
        message: Message,
        from: Option<ConnectionId>,
        now: &mut Visits,
        runtime: &Handle,
    ) -> Result<Option<Position>, TopicError> {
        self.publish_by(name, message, from, |topic, outgoing| {
            let (published, begins) = topic.publish_later(outgoing, &self.filters, &self.options, now);
            if begins {
                write_later(Arc::clone(topic), runtime);
            }
            published
        })
    }

    fn publish_by(
        &self,
        name: &str,
        message: Message,
        from: Option<ConnectionId>,
        publish: impl FnMut(&Arc<Topic>, &Outgoing<'_>) -> Option<Result<Position, TopicError>>,
    ) -> Result<Option<Position>, TopicError> {
        let others = self.bus.as_deref().filter(|_| !self.options.is_local(name));
        if let Some(bus) = others
            && self.options.durable_history_of(name).is_some()
        {
            return self.published(bus.store(name, Pending::new(message, from, None)).map(|()| None));
        }
        self.published(self.deliver_by(name, &Outgoing { message, from, others }, publish))
    }

    /// Counts a message of this server.
    fn published<T>(&self, outcome: Result<T, TopicError>) -> Result<T, TopicError> {
        if outcome.is_ok() {
            self.published.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }

    /// As [`publish`](Self::publish), to a durable topic; returns `Err` with the message to any other.
    pub(crate) fn store(
        &self,
        name: &str,
        message: Message,
        from: Option<ConnectionId>,
        waiter: Waiter,
    ) -> Result<Result<(), TopicError>, Message> {
        match &self.bus {
            Some(bus) if self.options.durable_history_of(name).is_some() => {
                Ok(self.published(bus.store(name, Pending::new(message, from, Some(waiter)))))
            }
            _ => Err(message),
        }
    }

    /// Gives a message to the subscribers of this server, and to the others if it is to reach them.
    pub(crate) fn deliver(
        &self,
        name: &str,
        outgoing: &Outgoing<'_>,
        visits: &mut Visits,
    ) -> Result<Option<Position>, TopicError> {
        self.deliver_by(name, outgoing, |topic, outgoing| {
            topic.publish(outgoing, &self.filters, &self.options, visits)
        })
    }

    fn deliver_by(
        &self,
        name: &str,
        outgoing: &Outgoing<'_>,
        mut publish: impl FnMut(&Arc<Topic>, &Outgoing<'_>) -> Option<Result<Position, TopicError>>,
    ) -> Result<Option<Position>, TopicError> {
        loop {
            let Some(topic) = self.find(name) else {
                // A topic is there for those who subscribe to it, and for its history.
                let wanted = self.options.history_of(name).is_some() || self.is_filtered(name);
                if !wanted {
                    if let Some(bus) = outgoing.others {
                        bus.send_live(name, &outgoing.message)?;
                    }
                    return Ok(None);
                }
                self.find_or_add(name)?;
                continue;
            };
            // Otherwise it has just been dropped for being idle.
            if let Some(published) = publish(&topic, outgoing) {
                return published.map(Some);
            }
        }
    }
}
