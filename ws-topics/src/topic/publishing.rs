//! A message on its way to all subscribers of a topic.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ws_tokio::{ConnectionId, Message};

use super::filters::Filters;
use super::queue::Waiting;
use super::seat::Seat;
use super::tail::{Growing, Room, Tail};
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
    /// Messages in a row that a task is to write.
    in_a_row: u32,
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
        self.lock().publish(&self.name, outgoing, filters, options, visits)
    }

    /// As [`publish`](Self::publish), but leaves the writing to a task. What is to be written at once is added to `now`: subscriptions whose
    /// bounds are passed, and after a number of messages in a row all. Returns as well whether a task is to be started.
    pub(crate) fn publish_later(
        &self,
        outgoing: &Outgoing<'_>,
        filters: &Filters,
        options: &TopicsOptions,
        now: &mut Visits,
    ) -> (Option<Result<Position, TopicError>>, bool) {
        let mut state = self.lock();
        let before = state.unwritten.take();
        let begins = before.is_none();
        let mut all = before.map_or_else(Visits::of_batch, |all| *all);
        let publish = || state.publish(&self.name, outgoing, filters, options, &mut all);
        // What was published before is written, too, where the function panics that frames messages.
        let published = catch_unwind(AssertUnwindSafe(publish)).unwrap_or_else(|cause| {
            state.unwritten = (!all.seats.is_empty()).then(|| Box::new(mem::take(&mut all)));
            resume_unwind(cause)
        });
        now.over.append(&mut all.over);
        now.subscribers = now.subscribers.saturating_add(mem::take(&mut all.subscribers));
        all.forget_duplicates();
        all.in_a_row = all.in_a_row.saturating_add(1);
        let begins = begins && !all.seats.is_empty();
        if all.in_a_row >= IN_A_ROW {
            now.seats.append(&mut all.seats);
        } else if !all.seats.is_empty() {
            state.unwritten = Some(Box::new(all));
        }
        (published, begins)
    }

    /// Takes what a task is to write.
    pub(super) fn take_unwritten(&self) -> Option<Box<Visits>> {
        let mut state = self.lock();
        state.growing = None;
        state.unwritten.take()
    }
}

impl State {
    fn publish(
        &mut self,
        name: &str,
        outgoing: &Outgoing<'_>,
        filters: &Filters,
        options: &TopicsOptions,
        visits: &mut Visits,
    ) -> Option<Result<Position, TopicError>> {
        if self.removed {
            return None;
        }
        if let Some(bus) = outgoing.others
            && let Err(error) = bus.send_live(name, &outgoing.message)
        {
            return Some(Err(error));
        }
        Some(Ok(self.append(name, &outgoing.message, outgoing.from, true, (filters, options), visits)))
    }

    /// Puts a message into the queues of all subscribers.
    pub(super) fn offer(
        &mut self,
        name: &str,
        waiting: &Arc<Waiting>,
        from: Option<ConnectionId>,
        filters: &Filters,
        visits: &mut Visits,
    ) {
        let row = visits.row().filter(|_| self.may_have_tail(filters));
        if let (Some(row), Some(growing)) = (row, &mut self.growing)
            && let Some(subscribers) = growing.push(row, waiting, from)
        {
            visits.subscribers = visits.subscribers.saturating_add(subscribers);
            return;
        }
        let begins = match (row, &mut self.growing) {
            (Some(row), Some(growing)) => growing.is_over(row),
            (Some(_), None) => true,
            (None, growing) => {
                *growing = None;
                false
            }
        };
        let tail = begins.then(|| Arc::new(Tail::new(waiting)));
        let (mut subscribers, mut room) = (0u64, Room::UNBOUNDED);
        let mut offer = |seat: &Arc<Seat>| {
            if from == Some(seat.subscriber.id) || seat.replaying.load(Ordering::Relaxed) {
                // A subscription that replays the history finds it there.
                return;
            }
            let (over, left) = seat.subscriber.push(seat, waiting, tail.as_ref());
            subscribers = subscribers.saturating_add(1);
            room = room.min(left);
            visits.remember(seat, over);
        };
        self.list.iter().for_each(&mut offer);
        self.with_filters(filters, name, |list| list.iter().for_each(&mut offer));
        visits.subscribers = visits.subscribers.saturating_add(subscribers);
        if let (Some(row), Some(tail)) = (row, tail) {
            self.growing = Some(Box::new(Growing::new(row, &tail, from, subscribers, room)));
        }
    }

    /// Whether what is published may go behind all queues at once: there are several, and no filter matches, as far as is known without a look
    /// at them.
    fn may_have_tail(&self, filters: &Filters) -> bool {
        let generation = filters.generation();
        let unmatched = |matched: &Matched| matched.generation == generation && matched.filters.is_empty();
        self.list.len() > 1 && (generation == 0 || self.matched.as_deref().is_some_and(unmatched))
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

    /// The number of the row of messages that goes to these, if several may.
    fn row(&self) -> Option<u64> {
        self.batch.as_ref().map(|batch| batch.number)
    }

    /// Has the connection of a subscription write when all do.
    pub(super) fn remember(&mut self, seat: &Arc<Seat>, over: bool) {
        if over {
            self.over.push(Arc::clone(seat));
        }
        if self.batch.as_ref().is_none_or(|batch| seat.mark(batch.number)) {
            self.seats.push(Arc::clone(seat));
        }
    }

    /// Has the connections write whose bounds are passed: a batch makes no subscriber slow.
    pub(crate) fn write_over(&mut self) {
        for seat in mem::take(&mut self.over) {
            self.write(&seat);
        }
        self.forget_duplicates();
    }

    /// Looks for subscriptions that are remembered twice, now and then.
    fn forget_duplicates(&mut self) {
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
        for seat in mem::take(&mut self.seats) {
            self.write(&seat);
        }
        self.over.clear();
    }

    /// Has up to this many connections write; returns whether others are left.
    pub(super) fn write_some(&mut self, most: usize) -> bool {
        for _ in 0..most {
            let Some(seat) = self.seats.pop() else { return false };
            self.write(&seat);
        }
        !self.seats.is_empty()
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

/// This many messages in a row are written together at most.
const IN_A_ROW: u32 = 16;

/// Numbers batches: 2^64 of them are never used up.
static BATCHES: AtomicU64 = AtomicU64::new(1);
