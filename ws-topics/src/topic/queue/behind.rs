//! What comes behind the entries of a queue: a tail, which other queues have as well.

use std::sync::Arc;

use ws_tokio::PreparedMessage;

use super::{Entry, Item, Queue, Waiting};
use crate::options::TopicsOptions;
use crate::topic::log::cost;
use crate::topic::seat::Seat;
use crate::topic::tail::{Room, Tail};

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
        // One that has no room for it has it among its entries, where the policy finds it.
        let over = room.is_none() && self.push(seat, Arc::clone(waiting), options);
        self.tail = Some((number, u32::from(room.is_none()), Arc::clone(tail)));
        (over, room.unwrap_or(Room::NONE))
    }

    /// Moves what is behind the entries to them.
    #[inline]
    pub(in super::super) fn end_tail(&mut self) {
        if let Some((seat, from, tail)) = self.tail.take() {
            self.move_here(seat, tail.end(from));
        }
    }

    fn move_here(&mut self, number: u32, messages: &[Arc<Waiting>]) {
        let Some(seat) = self.seats.get(number as usize).cloned() else { return };
        for waiting in messages {
            self.remember(&seat, cost(&waiting.message));
            self.entries.push_back(Entry { seat: number, item: Item::Message(Arc::clone(waiting)) });
        }
    }

    /// As [`take`](Queue::take), of what is behind the entries; what is left is moved to them.
    pub(super) fn take_tail(&mut self, queue: &mut dyn FnMut(&PreparedMessage) -> bool) {
        let Some((seat, from, tail)) = self.tail.take() else { return };
        let messages = tail.end(from);
        let mut taken = 0usize;
        for waiting in messages {
            if !queue(&waiting.message) {
                break;
            }
            taken = taken.saturating_add(1);
        }
        self.counts.offered = self.counts.offered.saturating_add(taken as u64);
        self.counts.delivered = self.counts.delivered.saturating_add(taken as u64);
        self.move_here(seat, messages.get(taken..).unwrap_or_default());
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
