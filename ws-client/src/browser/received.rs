//! The queue of received messages: its memory has a limit.

use std::collections::VecDeque;

use ws_core::Message;

use super::config::Overflow;

/// Messages that wait for `recv`.
#[derive(Debug)]
pub(super) struct Received {
    messages: VecDeque<Message>,
    /// The sum of their charges.
    bytes: usize,
    limit: usize,
    overflow: Overflow,
    dropped: u64,
}

/// There is no room, and [`Overflow::Close`] applies.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// What a message takes beside its payload: so that empty ones are bounded, too.
const PER_MESSAGE: usize = 64;

impl Received {
    pub(super) fn new(limit: usize, overflow: Overflow) -> Self {
        Self { messages: VecDeque::new(), bytes: 0, limit, overflow, dropped: 0 }
    }

    /// Adds a message, or applies the policy. One that is alone is never over the limit: another limit is for single ones.
    pub(super) fn push(&mut self, message: Message) -> Result<(), Full> {
        let charge = charge(&message);
        while !self.has_room(charge) {
            match self.overflow {
                Overflow::Close => return Err(Full),
                Overflow::DropOldest => drop(self.pop()),
                Overflow::DropNewest => {
                    self.dropped = self.dropped.saturating_add(1);
                    return Ok(());
                }
            }
            self.dropped = self.dropped.saturating_add(1);
        }
        self.bytes = self.bytes.saturating_add(charge);
        self.messages.push_back(message);
        Ok(())
    }

    /// Whether a message of this charge can be added.
    pub(super) fn has_room(&self, charge: usize) -> bool {
        self.messages.is_empty() || self.bytes.saturating_add(charge) <= self.limit
    }

    pub(super) fn pop(&mut self) -> Option<Message> {
        let message = self.messages.pop_front()?;
        self.bytes = self.bytes.saturating_sub(charge(&message));
        Some(message)
    }

    /// Bytes that are charged now.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of messages that were dropped.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// What a message counts for.
pub(super) fn charge(message: &Message) -> usize {
    message.len().saturating_add(PER_MESSAGE)
}
