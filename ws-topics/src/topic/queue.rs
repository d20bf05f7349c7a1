//! What waits for one connection.

mod behind;
mod settling;

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use ws_tokio::{OutboxRow, PreparedMessage};

use behind::Behind;

use super::log::cost;
use super::seat::Seat;
use crate::error::TopicError;
use crate::options::TopicsOptions;
use crate::position::Position;
use crate::stats::Counts;

/// The subscriptions of one connection, and messages and marks for them, in the order in which they go out.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Each knows its number, its place here; it changes under the lock of this.
    seats: Vec<Arc<Seat>>,
    entries: VecDeque<Entry>,
    /// What comes behind the entries; it is counted when it is moved there.
    tail: Option<Behind>,
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
    Message(Arc<Waiting>),
    /// Messages are missing here. Boxed, as the next: most are messages, and a queue is the smaller.
    Gap(Box<Lost>),
    /// The history continues from this place on.
    Replay(Box<Position>),
}

/// A message: the same in the history and in all queues, unless it is conflated.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) message: PreparedMessage,
    /// Its epoch also distinguishes its topic from the others of a filter.
    pub(super) position: Position,
    pub(super) key: Key,
}

/// By what a message is conflated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// That has not been asked yet.
    Unasked,
    Of(u64),
    /// By nothing: the function that was asked panicked.
    Alone,
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

/// Messages of one subscription, and what they count as.
#[derive(Debug, Default)]
struct Row {
    seat: u32,
    messages: usize,
    bytes: usize,
}

/// What the policy did.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Settled {
    pub(super) dropped: u64,
    pub(super) close: bool,
}

impl Row {
    fn add(&mut self, seat: u32, cost: usize) {
        self.seat = seat;
        self.messages = self.messages.saturating_add(1);
        self.bytes = self.bytes.saturating_add(cost);
    }
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
    pub(super) fn push(&mut self, seat: &Seat, waiting: Arc<Waiting>, options: &TopicsOptions) -> bool {
        debug_assert!(self.tail.is_none(), "what is behind the entries would come before this");
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
            Some(Item::Gap(before)) => **before = before.and(lost),
            _ => self.push_item(seat, Item::Gap(Box::new(lost))),
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
            Item::Message(waiting) => {
                self.deliver(Row { seat: number, messages: 1, bytes: cost(&waiting.message) });
                Next::Message(waiting.message.clone())
            }
            Item::Gap(lost) => Next::Gap(Arc::clone(seat), *lost),
            Item::Replay(position) => Next::Replay(Arc::clone(seat), *position),
        };
        self.shrink();
        Some(next)
    }

    /// Takes out the messages that come next, up to the first that `row` refuses. Returns whether anything is left.
    #[inline]
    pub(super) fn take(&mut self, row: &mut OutboxRow<'_>) -> bool {
        if !self.entries.is_empty() {
            self.take_entries(row);
        }
        if self.entries.is_empty() {
            self.take_tail(row);
        }
        !self.entries.is_empty()
    }

    fn take_entries(&mut self, row: &mut OutboxRow<'_>) {
        let mut entries = mem::take(&mut self.entries);
        let mut taken = 0usize;
        // Those of one subscription in a row are counted together.
        let mut counted = Row::default();
        for Entry { seat, item } in &entries {
            let Item::Message(waiting) = item else { break };
            if !row.push(&waiting.message) {
                break;
            }
            taken = taken.saturating_add(1);
            if counted.seat != *seat {
                self.deliver(mem::take(&mut counted));
            }
            counted.add(*seat, cost(&waiting.message));
        }
        self.deliver(counted);
        if taken == entries.len() {
            entries.clear();
        } else {
            entries.drain(..taken);
        }
        self.entries = entries;
        self.shrink();
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
        // As if each that waits were a mark.
        let boxed = self.entries.len().saturating_mul(size_of::<Lost>());
        let places = self.entries.capacity().saturating_mul(size_of::<Entry>());
        self.bytes.saturating_add(places).saturating_add(boxed)
    }

    fn is_over(&self, seat: &Seat, options: &TopicsOptions) -> bool {
        seat.waiting() > seat.limits.max_messages
            || seat.bytes() > seat.limits.max_bytes
            || self.messages > options.max_waiting_messages
            || self.bytes > options.max_waiting_bytes
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

    fn deliver(&mut self, row: Row) {
        self.counts.delivered = self.counts.delivered.saturating_add(row.messages as u64);
        self.forget_row(row);
    }

    fn forget(&mut self, seat: u32, cost: usize) {
        self.forget_row(Row { seat, messages: 1, bytes: cost });
    }

    fn forget_row(&mut self, row: Row) {
        self.messages = self.messages.saturating_sub(row.messages);
        self.bytes = self.bytes.saturating_sub(row.bytes);
        if let Some(seat) = self.seats.get(row.seat as usize) {
            seat.discount(row.messages, row.bytes);
        }
    }

    /// A queue that was long once does not stay large.
    fn shrink(&mut self) {
        if self.entries.is_empty() && self.entries.capacity() > KEPT {
            self.entries = VecDeque::new();
        }
    }
}

/// A queue that is empty keeps room for this many entries.
const KEPT: usize = 8;
