//! What is done with the messages of a slow subscriber.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Entry, Item, Key, Lost, Queue, Settled, Waiting};
use crate::options::{TopicsOptions, guarded};
use crate::subscribe_options::SlowSubscriber;
use crate::topic::log::cost;
use crate::topic::seat::Seat;

impl Queue {
    /// Does what the policy of a subscription says, whose connection has no room.
    pub(in super::super) fn settle(&mut self, seat: &Seat, options: &TopicsOptions) -> Settled {
        let before = self.counts.dropped;
        let mut close = false;
        let Some(own) = seat.number() else { return Settled::default() };
        if let SlowSubscriber::Conflate(by) = &seat.limits.slow {
            while let Some(place) = self.entries.iter().position(|entry| entry.is_unkeyed(own)) {
                let Some(Entry { item: Item::Message(waiting), .. }) = self.entries.get_mut(place) else {
                    break;
                };
                let key = match by {
                    Some(by) => guarded(|| by(waiting.message.message())).map_or(Key::Alone, Key::Of),
                    None => Key::Of(0),
                };
                let epoch = waiting.position.epoch;
                *waiting = Arc::new(Waiting { key, ..Waiting::clone(waiting) });
                let earlier = self.entries.range(..place).position(|entry| {
                    entry.message_of(own).is_some_and(|other| {
                        key != Key::Alone && (other.position.epoch, other.key) == (epoch, key)
                    })
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

    /// Drops a message, and leaves a mark in its place: one with those of the same subscription beside it.
    fn drop_at(&mut self, place: usize) {
        let Some(Entry { seat, item }) = self.entries.get_mut(place) else { return };
        let Item::Message(waiting) = item else { return };
        let mut lost = Lost::at(waiting.position);
        let Item::Message(waiting) = mem::replace(item, Item::Gap(Box::new(lost))) else { return };
        let seat = *seat;
        self.forget(seat, cost(&waiting.message));
        self.counts.dropped = self.counts.dropped.saturating_add(1);
        if let Some(seat) = self.seats.get(seat as usize) {
            seat.dropped.fetch_add(1, Ordering::Relaxed);
        }

        // One of unknown size, with which a subscription began, stays by itself: this one is known exactly.
        let known = |entry: &Entry| match entry.item {
            Item::Gap(ref lost) if lost.messages.is_some() => Some(**lost),
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
            entry.item = Item::Gap(Box::new(lost));
        }
        self.join_unknown(place, seat);
    }

    /// Makes one of two marks of unknown size with only a mark between them: otherwise there could be any number of them.
    fn join_unknown(&mut self, place: usize, seat: u32) {
        let unknown = |entry: &Entry| match entry.item {
            Item::Gap(ref lost) if lost.messages.is_none() => Some(**lost),
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
            entry.item = Item::Gap(Box::new(first.and(last)));
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
        self.message_of(seat).is_some_and(|waiting| waiting.key == Key::Unasked)
    }
}
