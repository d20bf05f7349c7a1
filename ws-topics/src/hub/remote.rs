//! What comes from other servers, and what is wanted of them.

use std::sync::{Arc, PoisonError};

use ws_tokio::{ConnectionId, Message};

use super::Hub;
use super::names::Named;
use crate::bus::Want;
use crate::options::guarded;
use crate::position::Position;
use crate::topic::{Accepted, Extended, Members, Outgoing, Read, Topic, Visits};

impl Hub {
    /// All that may have to be subscribed to.
    pub(crate) fn wants(&self) -> Vec<Want> {
        let known = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        let names: Vec<Box<str>> = known.topics.iter().map(|Named(topic)| topic.name().into()).collect();
        drop(known);
        let topics = names.iter().cloned().map(Want::Topic);
        let presence = names.iter().cloned().map(Want::Presence);
        let filters = self.filters.texts().into_iter().map(Want::Filter);
        topics.chain(presence).chain(filters).filter(|want| self.is_wanted(want)).collect()
    }

    /// Whether something is to be subscribed to.
    pub(crate) fn is_wanted(&self, want: &Want) -> bool {
        match want {
            Want::Topic(name) => {
                !self.options.is_local(name) && self.find(name).is_some_and(|topic| topic.has_subscriptions())
            }
            Want::Filter(text) => self.filters.find(text).is_some(),
            Want::Presence(name) => {
                !self.options.is_local(name) && self.find(name).is_some_and(|topic| topic.needs_presence())
            }
        }
    }

    /// Delivers a live message of another server.
    pub(crate) fn deliver_live(&self, topic: &str, message: Message, visits: &mut Visits) {
        if self.options.is_local(topic) {
            return;
        }
        let outgoing = Outgoing { message, from: None, others: None };
        match guarded(|| self.deliver(topic, &outgoing, visits)) {
            // Beyond the limit of topics a filter misses it, as it misses those of this server.
            Some(_) => {}
            // It cannot be framed.
            None => self.lose(topic, Some(1), visits),
        }
        visits.write_over();
    }

    /// Messages of other servers are missing in a topic.
    pub(crate) fn lose(&self, topic: &str, messages: Option<u64>, visits: &mut Visits) {
        if let Some(topic) = self.topic_for(topic) {
            topic.lose(messages, &self.filters, visits);
        }
    }

    /// Messages of other servers are missing, of topics that a filter matches.
    pub(crate) fn lose_by_filter(&self, filter: &str, visits: &mut Visits) {
        if let Some(filter) = self.filters.find(filter) {
            filter.lose(visits);
        }
    }

    /// Takes a message of a log. `None` if nobody here needs the topic.
    pub(crate) fn accept(
        &self,
        name: &str,
        at: Position,
        message: &Message,
        from: Option<ConnectionId>,
        visits: &mut Visits,
    ) -> Option<Accepted> {
        let topic = self.topic_for(name)?;
        if !topic.has_subscriptions() && !self.is_filtered(name) {
            return None;
        }
        let accepted = topic.accept(at, message, from, &self.filters, &self.options, visits);
        visits.write_over();
        Some(accepted)
    }

    /// Takes a part of a log. `None` if the topic is gone.
    pub(crate) fn extend(&self, name: &str, mut read: Read, visits: &mut Visits) -> Option<Extended> {
        let topic = self.find(name)?;
        let mut all = Extended::default();
        loop {
            // In small pieces, so that no subscriber passes its bounds by many messages at once.
            let rest = read.messages.split_off(PIECE.min(read.messages.len()));
            let piece = Read { messages: std::mem::replace(&mut read.messages, rest), ..read };
            let extended = topic.extend(piece, &self.filters, &self.options, visits);
            visits.write_over();
            all.next = extended.next;
            all.lost = all.lost.or(extended.lost);
            all.begun.extend(extended.begun);
            if read.messages.is_empty() {
                break;
            }
        }
        for seat in &all.begun {
            seat.subscriber.write(seat);
        }
        Some(all)
    }

    /// A topic is no longer subscribed to on the backplane, unless it is wanted again.
    pub(crate) fn lapse(&self, name: &str) -> bool {
        let Some(topic) = self.find(name) else { return true };
        let lapsed = topic.lapse(&self.filters);
        if lapsed {
            self.drop_if_idle(&topic);
        }
        lapsed
    }

    /// Those that are present in a topic by this server.
    pub(crate) fn own_members(&self, topic: &str) -> Members {
        self.find(topic).map(|topic| topic.own_members()).unwrap_or_default()
    }

    /// Those that are present in a topic by another server, if there are any.
    pub(crate) fn set_members(&self, topic: &str, origin: u64, members: Option<&Members>) {
        if let Some(topic) = self.find(topic) {
            topic.set_members(origin, members);
        }
    }

    /// Finds a topic, or adds it if something here needs it.
    fn topic_for(&self, name: &str) -> Option<Arc<Topic>> {
        match self.find(name) {
            Some(topic) => Some(topic),
            None if self.is_filtered(name) => self.find_or_add(name).ok(),
            None => None,
        }
    }
}

/// This many messages of a log are put into the queues at a time.
const PIECE: usize = 32;
