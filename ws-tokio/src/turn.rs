//! How long a sender sends before the others get to run.

use std::sync::atomic::{AtomicU32, Ordering};

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

    /// Counts a message, after which the queue is `full` or not.
    pub(super) fn count_message(&self, full: bool) {
        let left = if full { 0 } else { self.0.load(Ordering::Relaxed).saturating_sub(1) };
        self.0.store(left, Ordering::Relaxed);
    }
}
