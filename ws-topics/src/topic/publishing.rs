//! A message on its way to all subscribers of a topic.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ws_tokio::{ConnectionId, Message, PreparedMessage};

use super::filters::Filters;
use super::queue::Waiting;
use super::seat::Seat;
use super::{Matched, State, Topic};
use crate::bus::Bus;
use crate::error::TopicError;
use crate::options::TopicsOptions;
use crate::position::Position;

/// A message to be published.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    pub(crate) message: Message,
    /// The connection that publishes it, and is left out.
    pub(crate) from: Option<ConnectionId>,
    /// Where the other servers get it from.
    pub(crate) others: Option<&'a Bus>,
}

/// The subscriptions whose connections are still to write.
#[derive(Debug, Default)]
pub(crate) struct Visits {
    seats: Vec<Arc<Seat>>,
    /// Of these, those with a bound that is passed: from this place on, since nothing was written in between.
    over: Vec<Arc<Seat>>,
    /// Of a batch, in which several messages may go to each of them.
    batch: Option<InBatch>,
    /// To how many subscriptions messages went.
    pub(crate) subscribers: u64,
    pub(crate) dropped: u64,
    pub(crate) closed: u64,
}

#[derive(Debug)]
struct InBatch {
    /// What marks the subscriptions that are remembered.
    number: u64,
    /// With this many duplicates are looked for: other batches, at the same time, have marks of theirs.
    check_at: usize,
}

impl Topic {
    /// Gives a message its position, keeps it, and puts it into the queues of all subscribers: one step, of which all see the same
    /// order. `None` if the topic is gone.
    pub(crate) fn publish(
        &self,
        outgoing: &Outgoing<'_>,
        filters: &Filters,
        options: &TopicsOptions,
        visits: &mut Visits,
    ) -> Option<Result<Position, TopicError>> {
        let mut state = self.lock();
        if state.removed {
            return None;
        }
        if let Some(bus) = outgoing.others
            && let Err(error) = bus.send_live(&self.name, &outgoing.message)
        {
            return Some(Err(error));
        }
        Some(Ok(state.append(&self.name, &outgoing.message, outgoing.from, true, (filters, options), visits)))
    }
}

impl State {
    /// Puts a message into the queues of all subscribers.
    pub(super) fn offer(
        &mut self,
        name: &str,
        message: &PreparedMessage,
        position: Position,
        from: Option<ConnectionId>,
        filters: &Filters,
        visits: &mut Visits,
    ) {
        let mut offer = |seat: &Arc<Seat>| {
            if from == Some(seat.subscriber.id) || seat.replaying.load(Ordering::Relaxed) {
                // A subscription that replays the history finds it there.
                return;
            }
            let waiting = Waiting { message: message.clone(), position, key: None };
            visits.add(seat, seat.subscriber.push(seat, waiting));
        };
        self.list.iter().for_each(&mut offer);
        self.with_filters(filters, name, |list| list.iter().for_each(&mut offer));
    }

    /// Does something with the subscriptions of each filter that matches. As long as filters neither come nor go this looks
    /// at a number, and at the list of the last time.
    pub(super) fn with_filters(&mut self, filters: &Filters, name: &str, mut act: impl FnMut(&[Arc<Seat>])) {
        let generation = filters.generation();
        if generation == 0 {
            return;
        }
        if self.matched.as_ref().is_none_or(|matched| matched.generation != generation) {
            let found = filters.matching(name);
            if found.len() > KEPT {
                // Topics times filters would be too many to keep.
                found.iter().for_each(|filter| act(&filter.lock()));
                return;
            }
            self.matched = Some(Box::new(Matched { generation, filters: found }));
        }
        for filter in self.matched.iter().flat_map(|matched| &matched.filters) {
            act(&filter.lock());
        }
    }
}

impl Visits {
    /// Of a batch of messages.
    pub(crate) fn of_batch() -> Self {
        let number = BATCHES.fetch_add(1, Ordering::Relaxed);
        Self { batch: Some(InBatch { number, check_at: MANY }), ..Self::default() }
    }

    fn add(&mut self, seat: &Arc<Seat>, over: bool) {
        self.subscribers = self.subscribers.saturating_add(1);
        self.remember(seat, over);
    }

    /// Has the connection of a subscription write when all do.
    pub(super) fn remember(&mut self, seat: &Arc<Seat>, over: bool) {
        if over {
            self.over.push(Arc::clone(seat));
        }
        if self
            .batch
            .as_ref()
            .is_none_or(|batch| seat.batch.swap(batch.number, Ordering::Relaxed) != batch.number)
        {
            self.seats.push(Arc::clone(seat));
        }
    }

    /// Has the connections write whose bounds are passed: a batch makes no subscriber slow.
    pub(crate) fn write_over(&mut self) {
        for seat in std::mem::take(&mut self.over) {
            self.write(&seat);
        }
        if let Some(batch) = &mut self.batch
            && self.seats.len() >= batch.check_at
        {
            self.seats.sort_unstable_by_key(|seat| Arc::as_ptr(seat).addr());
            self.seats.dedup_by(|one, other| Arc::ptr_eq(one, other));
            batch.check_at = self.seats.len().saturating_mul(2).max(MANY);
        }
    }

    /// Has all connections write.
    pub(crate) fn write_all(&mut self) {
        for seat in std::mem::take(&mut self.seats) {
            self.write(&seat);
        }
        self.over.clear();
    }

    fn write(&mut self, seat: &Arc<Seat>) {
        let (dropped, closed) = seat.subscriber.write(seat);
        self.dropped = self.dropped.saturating_add(dropped);
        self.closed = self.closed.saturating_add(u64::from(closed));
    }
}

/// A topic keeps the filters that match it if there are at most this many.
const KEPT: usize = 8;

/// This many subscriptions are remembered without looking for duplicates.
const MANY: usize = 4_096;

/// Numbers batches: 2^64 of them are never used up.
static BATCHES: AtomicU64 = AtomicU64::new(1);
