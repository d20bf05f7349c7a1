//! What comes behind the entries of a queue: a tail, which other queues have as well.

use std::sync::Arc;

use ws_tokio::OutboxRow;

use super::{Entry, Item, Queue, Waiting};
use crate::options::TopicsOptions;
use crate::topic::log::cost;
use crate::topic::seat::Seat;
use crate::topic::tail::{Room, Tail};

/// What comes behind the entries of a queue.
#[derive(Debug)]
pub(super) struct Behind {
    /// The number of the subscription that gets it.
    seat: u32,
    tail: Arc<Tail>,
}

impl Queue {
    /// Adds a message that `tail` begins with, and what is added there from now on; returns as well how much may be added.
    #[inline]
    pub(in super::super) fn push_tail(
        &mut self,
        seat: &Seat,
        waiting: &Arc<Waiting>,
        tail: &Arc<Tail>,
        options: &TopicsOptions,
    ) -> (bool, Room) {
        let Some(number) = seat.number() else { return (false, Room::UNBOUNDED) };
        let room = self.room(seat, options).without(cost(&waiting.message));
        let Some(room) = room else {
            // Among the entries the policy finds it. Nothing is added to the tail.
            return (self.push(seat, Arc::clone(waiting), options), Room::NONE);
        };
        self.tail = Some(Behind { seat: number, tail: Arc::clone(tail) });
        (false, room)
    }

    /// Moves what is behind the entries to them.
    #[inline]
    pub(in super::super) fn end_tail(&mut self) {
        if let Some(behind) = self.tail.take() {
            self.move_here(behind.seat, behind.tail.end());
        }
    }

    fn move_here(&mut self, number: u32, messages: &[Arc<Waiting>]) {
        let Some(seat) = self.seats.get(number as usize).filter(|_| !messages.is_empty()).cloned() else {
            return;
        };
        for waiting in messages {
            self.remember(&seat, cost(&waiting.message));
            self.entries.push_back(Entry { seat: number, item: Item::Message(Arc::clone(waiting)) });
        }
    }

    /// As [`take`](Queue::take), of what is behind the entries; what is left is moved to them.
    pub(super) fn take_tail(&mut self, row: &mut OutboxRow<'_>) {
        let Some(behind) = self.tail.take() else { return };
        let messages = behind.tail.end();
        let at_once = behind.tail.frames().is_some_and(|frames| row.push_frames(frames));
        let taken = if at_once {
            messages.len()
        } else {
            messages.iter().take_while(|waiting| row.push(&waiting.message)).count()
        };
        self.counts.offered = self.counts.offered.saturating_add(taken as u64);
        self.counts.delivered = self.counts.delivered.saturating_add(taken as u64);
        self.move_here(behind.seat, messages.get(taken..).unwrap_or_default());
    }

    /// How much may be added before a bound is passed.
    fn room(&self, seat: &Seat, options: &TopicsOptions) -> Room {
        let own = Room {
            messages: seat.limits.max_messages.saturating_sub(seat.waiting()),
            bytes: seat.limits.max_bytes.saturating_sub(seat.bytes()),
        };
        own.min(Room {
            messages: options.max_waiting_messages.saturating_sub(self.messages),
            bytes: options.max_waiting_bytes.saturating_sub(self.bytes),
        })
    }
}
