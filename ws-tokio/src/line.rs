//! The order in which many senders queue their messages.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Waker};

/// Senders that wait to queue a message, first come first served; behind the lock of the driver.
///
/// Only the first one waits for the transport. A sender that leaves that place wakes the next, so that a turn always goes
/// on, however the waiting ends.
#[derive(Debug, Default)]
pub(super) struct Line {
    places: VecDeque<(Ticket, Waker)>,
    next: Ticket,
    /// Senders with earlier tickets were in line when the transport last took no more: none of them is overtaken.
    full_until: Ticket,
    /// Whether a sender sends a message in pieces; the others wait until it is finished.
    held: bool,
    /// The sender that queued last.
    last: u32,
}

/// A place in the line. 2^64 of them are never used up.
pub(super) type Ticket = u64;

/// How many messages a sender may still queue before it lets the tasks that are ready run.
///
/// With many messages in a turn the cost of changing tasks is small beside that of the messages; the turn is still too short
/// for a delay that an application would notice.
#[derive(Debug)]
pub(super) struct Turn(AtomicU32);

impl Turn {
    const MESSAGES: u32 = 32;

    pub(super) const fn new() -> Self {
        Self(AtomicU32::new(Self::MESSAGES))
    }

    /// Whether the turn is over; a new one begins then.
    pub(super) fn renew(&self) -> bool {
        // No more than a hint: it may be used from two tasks at once.
        let over = self.0.load(Ordering::Relaxed) == 0;
        if over {
            self.0.store(Self::MESSAGES, Ordering::Relaxed);
        }
        over
    }

    fn count_message(&self, full: bool) {
        let left = if full { 0 } else { self.0.load(Ordering::Relaxed).saturating_sub(1) };
        self.0.store(left, Ordering::Relaxed);
    }
}

impl Line {
    /// Whether a sender that is not in the line may queue a message, if there is room.
    pub(super) fn is_free(&self) -> bool {
        !self.held && self.places.front().is_none_or(|(first, _)| *first >= self.full_until)
    }

    /// Joins the line, or stays in it; returns whether the place is the first.
    pub(super) fn wait(&mut self, ticket: &mut Option<Ticket>, cx: &Context<'_>) -> bool {
        let place = match *ticket {
            Some(ticket) => self.place(ticket).and_then(|place| self.places.get_mut(place)),
            None => None,
        };
        match place {
            Some((_, waker)) => waker.clone_from(cx.waker()),
            None => {
                *ticket = Some(self.next);
                self.places.push_back((self.next, cx.waker().clone()));
                self.next = self.next.wrapping_add(1);
            }
        }
        self.places.front().map(|(first, _)| *first) == *ticket
    }

    /// Records that the first sender has to wait for the transport.
    pub(super) const fn is_stuck(&mut self) {
        self.full_until = self.next;
    }

    /// Leaves the line; returns the waker of the sender that is first now.
    pub(super) fn leave(&mut self, ticket: Ticket) -> Option<Waker> {
        let place = self.place(ticket)?;
        self.places.remove(place)?;
        if place == 0 { self.first() } else { None }
    }

    /// Whether one sends a message in pieces.
    pub(super) const fn is_held(&self) -> bool {
        self.held
    }

    /// Makes all other senders wait until [`release`](Self::release).
    pub(super) const fn hold(&mut self) {
        self.held = true;
    }

    /// Ends the hold; returns the waker of the first sender.
    pub(super) fn release(&mut self) -> Option<Waker> {
        self.held = false;
        self.first()
    }

    /// Counts a message that `sender` has queued, after which the queue is `full` or not; whether another
    /// sender queued the one before.
    pub(super) fn count_message(&mut self, sender: u32, turn: &Turn, full: bool) -> bool {
        turn.count_message(full);
        mem::replace(&mut self.last, sender) != sender
    }

    fn first(&self) -> Option<Waker> {
        self.places.front().map(|(_, waker)| waker.clone())
    }

    fn place(&self, ticket: Ticket) -> Option<usize> {
        self.places.binary_search_by_key(&ticket, |(ticket, _)| *ticket).ok()
    }
}
