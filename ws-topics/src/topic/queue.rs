//! What waits for one connection.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ws_tokio::PreparedMessage;

use super::log::cost;
use super::seat::Seat;
use crate::error::TopicError;
use crate::options::TopicsOptions;
use crate::position::Position;
use crate::stats::Counts;
use crate::subscribe_options::SlowSubscriber;

/// The subscriptions of one connection, and messages and marks for them, in the order in which they go out.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Each knows its number, its place here; it changes under the lock of this.
    seats: Vec<Arc<Seat>>,
    entries: VecDeque<Entry>,
    messages: usize,
    bytes: usize,
    pub(super) counts: Counts,
    /// The connection has ended: nothing is added any more.
    closed: bool,
}

#[derive(Debug)]
struct Entry {
    /// The number of its subscription: a reference would be counted for each message.
    seat: u32,
    item: Item,
}

#[derive(Debug)]
pub(super) enum Item {
    Message(Waiting),
    /// Messages are missing here.
    Gap(Lost),
    /// The history continues from this place on.
    Replay(Position),
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) message: PreparedMessage,
    /// Its epoch also distinguishes its topic from the others of a filter.
    pub(super) position: Position,
    /// By what it is conflated, once that has been asked.
    pub(super) key: Option<u64>,
}

/// What is missing at one place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lost {
    /// `None` if that is not known.
    pub(super) messages: Option<u64>,
    pub(super) first: Position,
    pub(super) last: Position,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    Message(PreparedMessage),
    Gap(Arc<Seat>, Lost),
    Replay(Arc<Seat>, Position),
}

/// What the policy did.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Settled {
    pub(super) dropped: u64,
    pub(super) close: bool,
}

impl Lost {
    /// One message.
    pub(super) const fn at(position: Position) -> Self {
        Self { messages: Some(1), first: position, last: position }
    }

    /// What is missing if this is followed by `next`.
    fn and(self, next: Self) -> Self {
        let messages = self.messages.zip(next.messages).map(|(own, next)| own.saturating_add(next));
        Self { messages, first: self.first, last: next.last }
    }
}

impl Queue {
    /// Adds a subscription.
    pub(super) fn add(&mut self, seat: &Arc<Seat>, limit: usize) -> Result<(), TopicError> {
        if self.closed {
            return Err(TopicError::Closed);
        }
        let number = u32::try_from(self.seats.len()).ok().filter(|number| (*number as usize) < limit);
        // The largest number stands for none.
        seat.set_number(Some(number.ok_or(TopicError::TooManySubscriptions { limit })?));
        self.seats.push(Arc::clone(seat));
        Ok(())
    }

    /// Adds a message; returns whether a bound is passed now.
    #[inline]
    pub(super) fn push(&mut self, seat: &Seat, waiting: Waiting, options: &TopicsOptions) -> bool {
        let Some(number) = seat.number() else { return false };
        self.remember(seat, cost(&waiting.message));
        self.entries.push_back(Entry { seat: number, item: Item::Message(waiting) });
        self.is_over(seat, options)
    }

    /// Adds a mark, or the place from which the history continues.
    pub(super) fn push_item(&mut self, seat: &Seat, item: Item) {
        if let Some(number) = seat.number() {
            self.entries.push_back(Entry { seat: number, item });
        }
    }

    /// Adds a mark where messages of other servers are missing: one with a mark that is the latest that waits for the subscription.
    pub(super) fn push_gap(&mut self, seat: &Seat, lost: Lost) {
        let number = seat.number();
        let latest = self.entries.iter_mut().rev().find(|entry| Some(entry.seat) == number);
        match latest.map(|entry| &mut entry.item) {
            Some(Item::Gap(before)) => *before = before.and(lost),
            _ => self.push_item(seat, Item::Gap(lost)),
        }
    }

    /// Adds what comes next out of a history, before all that waits: no more of it is fetched than goes out soon.
    pub(super) fn push_replayed(&mut self, seat: &Seat, items: Vec<Item>) {
        let Some(number) = seat.number() else { return };
        for item in items.into_iter().rev() {
            if let Item::Message(waiting) = &item {
                let cost = cost(&waiting.message);
                self.remember(seat, cost);
            }
            self.entries.push_front(Entry { seat: number, item });
        }
    }

    /// Takes out what is next.
    pub(super) fn pop(&mut self) -> Option<Next> {
        let Entry { seat: number, item } = self.entries.pop_front()?;
        let seat = self.seats.get(number as usize)?;
        let next = match item {
            Item::Message(Waiting { message, .. }) => {
                self.deliver(number, cost(&message));
                Next::Message(message)
            }
            Item::Gap(lost) => Next::Gap(Arc::clone(seat), lost),
            Item::Replay(position) => Next::Replay(Arc::clone(seat), position),
        };
        self.shrink();
        Some(next)
    }

    /// Takes out the messages that come next, as long as `queue` returns true. Returns whether anything is left.
    pub(super) fn take(&mut self, queue: &mut dyn FnMut(&PreparedMessage) -> bool) -> bool {
        while let Some(Entry { seat, item: Item::Message(waiting) }) = self.entries.front()
            && queue(&waiting.message)
        {
            let (seat, cost) = (*seat, cost(&waiting.message));
            self.entries.pop_front();
            self.deliver(seat, cost);
        }
        self.shrink();
        !self.entries.is_empty()
    }

    /// Does what the policy of a subscription says, whose connection has no room.
    pub(super) fn settle(&mut self, seat: &Seat, options: &TopicsOptions) -> Settled {
        let before = self.counts.dropped;
        let mut close = false;
        let Some(own) = seat.number() else { return Settled::default() };
        if let SlowSubscriber::Conflate(by) = &seat.limits.slow {
            while let Some(place) = self.entries.iter().position(|entry| entry.is_unkeyed(own)) {
                let Some(Entry { item: Item::Message(waiting), .. }) = self.entries.get_mut(place) else {
                    break;
                };
                let key = by.as_ref().map_or(0, |by| by(waiting.message.message()));
                waiting.key = Some(key);
                let epoch = waiting.position.epoch;
                let earlier = self.entries.range(..place).position(|entry| {
                    entry
                        .message_of(own)
                        .is_some_and(|other| (other.position.epoch, other.key) == (epoch, Some(key)))
                });
                if let Some(earlier) = earlier {
                    self.drop_at(earlier);
                }
            }
        }
        while self.is_over(seat, options) {
            let mut entries = self.entries.iter();
            let place = match seat.limits.slow {
                SlowSubscriber::Close => {
                    close = true;
                    break;
                }
                SlowSubscriber::DropNewest => entries.rposition(|entry| entry.message_of(own).is_some()),
                SlowSubscriber::DropOldest | SlowSubscriber::Conflate(_) => {
                    entries.position(|entry| entry.message_of(own).is_some())
                }
            };
            let Some(place) = place else { break };
            self.drop_at(place);
        }
        Settled { dropped: self.counts.dropped.saturating_sub(before), close }
    }

    /// Drops a subscription that has ended, and all that waits for it.
    pub(super) fn remove(&mut self, seat: &Seat) {
        let Some(own) = seat.number() else { return };
        let entries = mem::take(&mut self.entries);
        let (ended, others) = entries.into_iter().partition(|entry| entry.seat == own);
        self.end(ended);
        self.entries = others;
        seat.set_number(None);
        self.seats.swap_remove(own as usize);
        // The last one takes its place.
        if let Some(moved) = self.seats.get(own as usize) {
            let before = moved.number();
            moved.set_number(Some(own));
            for entry in self.entries.iter_mut().filter(|entry| Some(entry.seat) == before) {
                entry.seat = own;
            }
        }
        if self.seats.len() < self.seats.capacity() / 4 {
            self.seats.shrink_to(self.seats.len().saturating_mul(2));
        }
    }

    /// Drops everything: the connection has ended. Returns its subscriptions.
    pub(super) fn close(&mut self) -> Vec<Arc<Seat>> {
        self.closed = true;
        let entries = mem::take(&mut self.entries);
        self.end(entries);
        let seats = mem::take(&mut self.seats);
        seats.iter().for_each(|seat| seat.set_number(None));
        seats
    }

    /// How many messages wait, and what they count as.
    pub(super) const fn waiting(&self) -> (usize, usize) {
        (self.messages, self.bytes)
    }

    /// Bytes of memory held, payloads that others share included.
    pub(super) fn memory_usage(&self) -> usize {
        self.bytes.saturating_add(self.entries.capacity().saturating_mul(size_of::<Entry>()))
    }

    fn is_over(&self, seat: &Seat, options: &TopicsOptions) -> bool {
        seat.waiting() > seat.limits.max_messages
            || seat.bytes() > seat.limits.max_bytes
            || self.messages > options.max_waiting_messages
            || self.bytes > options.max_waiting_bytes
    }

    /// Drops a message, and leaves a mark in its place: one with those of the same subscription beside it.
    fn drop_at(&mut self, place: usize) {
        let Some(Entry { seat, item }) = self.entries.get_mut(place) else { return };
        let Item::Message(waiting) = item else { return };
        let mut lost = Lost::at(waiting.position);
        let Item::Message(waiting) = mem::replace(item, Item::Gap(lost)) else { return };
        let seat = *seat;
        self.forget(seat, cost(&waiting.message));
        self.counts.dropped = self.counts.dropped.saturating_add(1);
        if let Some(seat) = self.seats.get(seat as usize) {
            seat.dropped.fetch_add(1, Ordering::Relaxed);
        }

        // One of unknown size, with which a subscription began, stays by itself: this one is known exactly.
        let known = |entry: &Entry| match entry.item {
            Item::Gap(lost) if lost.messages.is_some() => Some(lost),
            _ => None,
        };
        let is_own = |entry: &Entry| entry.seat == seat;
        let behind = place.saturating_add(1);
        let next = self.entries.iter().skip(behind).position(is_own).map(|next| next.saturating_add(behind));
        if let Some((next, following)) = next.and_then(|next| Some((next, known(self.entries.get(next)?)?))) {
            lost = lost.and(following);
            self.entries.remove(next);
        }
        let before = self.entries.range(..place).rposition(is_own);
        let before = before.and_then(|before| Some((before, known(self.entries.get(before)?)?)));
        let place = match before {
            Some((before, preceding)) => {
                lost = preceding.and(lost);
                self.entries.remove(before);
                place.saturating_sub(1)
            }
            None => place,
        };
        if let Some(entry) = self.entries.get_mut(place) {
            entry.item = Item::Gap(lost);
        }
        self.join_unknown(place, seat);
    }

    /// Makes one of two marks of unknown size with only a mark between them: otherwise there could be any number of them.
    fn join_unknown(&mut self, place: usize, seat: u32) {
        let unknown = |entry: &Entry| match entry.item {
            Item::Gap(lost) if lost.messages.is_none() => Some(lost),
            _ => None,
        };
        let is_own = |entry: &Entry| entry.seat == seat;
        let behind = place.saturating_add(1);
        let next = self.entries.iter().skip(behind).position(is_own).map(|next| next.saturating_add(behind));
        let before = self.entries.range(..place.min(self.entries.len())).rposition(is_own);
        let (Some(next), Some(before)) = (next, before) else { return };
        let (Some(last), Some(first)) =
            (self.entries.get(next).and_then(unknown), self.entries.get(before).and_then(unknown))
        else {
            return;
        };
        self.entries.remove(next);
        self.entries.remove(place);
        if let Some(entry) = self.entries.get_mut(before) {
            entry.item = Item::Gap(first.and(last));
        }
    }

    /// Counts entries whose subscription has ended.
    fn end(&mut self, entries: VecDeque<Entry>) {
        for Entry { seat, item } in entries {
            if let Item::Message(waiting) = item {
                self.forget(seat, cost(&waiting.message));
                self.counts.ended = self.counts.ended.saturating_add(1);
            }
        }
    }

    fn remember(&mut self, seat: &Seat, cost: usize) {
        self.messages = self.messages.saturating_add(1);
        self.bytes = self.bytes.saturating_add(cost);
        self.counts.offered = self.counts.offered.saturating_add(1);
        seat.count(cost);
    }

    fn deliver(&mut self, seat: u32, cost: usize) {
        self.forget(seat, cost);
        self.counts.delivered = self.counts.delivered.saturating_add(1);
    }

    fn forget(&mut self, seat: u32, cost: usize) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(cost);
        if let Some(seat) = self.seats.get(seat as usize) {
            seat.discount(cost);
        }
    }

    /// A queue that was long once does not stay large.
    fn shrink(&mut self) {
        if self.entries.is_empty() && self.entries.capacity() > KEPT {
            self.entries = VecDeque::new();
        }
    }
}

impl Entry {
    fn message_of(&self, seat: u32) -> Option<&Waiting> {
        match &self.item {
            Item::Message(waiting) if self.seat == seat => Some(waiting),
            _ => None,
        }
    }

    fn is_unkeyed(&self, seat: u32) -> bool {
        self.message_of(seat).is_some_and(|waiting| waiting.key.is_none())
    }
}

/// A queue that is empty keeps room for this many entries.
const KEPT: usize = 8;
