//! What became of the messages of a broadcast.

use crate::backlog::Offered;

/// What became of one or more messages.
///
/// Over all messages, each counts once for each member: one that waits counts as delivered; when another
/// takes its place, that other counts as dropped in its stead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PublishReport {
    /// Queued, now or as soon as there is room.
    pub delivered: u64,
    /// Dropped for members too slow: this message, or one that it took the place of.
    pub dropped: u64,
    /// Members that were closed for being too slow ([`SlowPolicy::Close`](super::SlowPolicy::Close)).
    pub closed: u64,
    /// Members that were gone.
    pub gone: u64,
}

/// What a member does once messages have been offered to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Membership {
    Stays,
    /// It has no room for the messages from this one on, and is to be waited for.
    Waits {
        from: usize,
    },
    /// It is closed, or being closed.
    Leaves,
}

impl PublishReport {
    /// Counts one message for one member, unless it is still to be waited for.
    pub(super) fn count(&mut self, offered: Offered) {
        let count = match offered {
            Offered::Delivered | Offered::Waiting => &mut self.delivered,
            // The one it replaced has been counted as delivered: one of the two is dropped.
            Offered::Replaced | Offered::Dropped => &mut self.dropped,
            Offered::Close => &mut self.closed,
            Offered::Closed => &mut self.gone,
            Offered::Full => return,
        };
        *count = count.saturating_add(1);
    }

    pub(super) fn add(&mut self, other: Self) {
        self.delivered = self.delivered.saturating_add(other.delivered);
        self.dropped = self.dropped.saturating_add(other.dropped);
        self.closed = self.closed.saturating_add(other.closed);
        self.gone = self.gone.saturating_add(other.gone);
    }
}
