//! Messages that are kept for later.

use std::collections::VecDeque;

use ws_core::Message;

/// Messages that have been taken from the connection, for the user to receive later; at most one more than
/// `max_read_ahead` allows.
#[derive(Debug, Default)]
pub(super) struct Aside {
    messages: VecDeque<Message>,
    /// What the messages are charged for, together.
    bytes: usize,
}

impl Aside {
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn push(&mut self, message: Message) {
        self.bytes = self.bytes.saturating_add(cost(&message));
        self.messages.push_back(message);
    }

    /// Removes the first message.
    pub(super) fn pop(&mut self) -> Option<Message> {
        let message = self.messages.pop_front()?;
        self.bytes = self.bytes.saturating_sub(cost(&message));
        Some(message)
    }
}

/// Returns what a message is charged for: an empty one takes a place, too.
fn cost(message: &Message) -> usize {
    message.len().saturating_add(size_of::<Message>())
}
