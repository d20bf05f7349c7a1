//! Messages that a connection takes from elsewhere when it has room.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use ws_core::{Connection, PreparedFrames, PreparedMessage, PreparedRow};

use crate::buffer;

/// A queue in front of a connection, which takes the messages out as it has room: what crates use that keep their own
/// queue for each connection, with their own rules for slow peers. It is attached by [`Sender::attach`](super::Sender::attach).
///
/// The methods are called with the connection locked, from whichever task drives it, also outside of a runtime. They must
/// return at once, and must not use a [`Sender`](super::Sender) or [`Receiver`](super::Receiver) of that connection: that would wait for ever.
pub trait Outbox: Send + Sync {
    /// Takes the next message out, or returns `None` if there is none. It is asked whenever less than
    /// [`Config::send_high_water`](ws_core::Config::send_high_water) is queued and something is written: by the receiver that is
    /// polled, by any `send` or `flush`, and by [`Sender::write_now`](super::Sender::write_now). What it returns is sent, unless
    /// the connection ends first.
    fn next(&self) -> Option<PreparedMessage>;

    /// Takes messages out and puts them into `row`, in order, up to the first that `row` refuses: several in one turn of a lock. Returns
    /// whether [`next`](Self::next) is to be asked for more.
    ///
    /// Without an implementation each message is taken out by [`next`](Self::next).
    fn take(&self, row: &mut OutboxRow<'_>) -> bool {
        let _ = row;
        true
    }

    /// Returns the bytes of memory held, which count as [`queued`](ws_core::MemoryUsage::queued) in the memory of the connection.
    fn memory_usage(&self) -> usize;

    /// Reports, once, that the connection takes no more messages: it is closing or closed, was dropped or [taken over](super::TakeOver), or its halves
    /// were [reunited](super::Receiver::reunite). Nothing is asked afterwards.
    fn closed(&self);
}

/// What a connection has room for, of the messages of an [`Outbox`]. To put messages here copies small ones at most, so that it may be done with a
/// queue locked.
#[derive(Debug)]
pub struct OutboxRow<'c> {
    row: PreparedRow<'c>,
}

impl<'c> OutboxRow<'c> {
    pub(super) fn new(connection: &'c mut Connection) -> Self {
        Self { row: connection.prepared_row() }
    }

    /// Puts a message here; returns false, and leaves it, if there is no room, or if it has to be compressed or copied for long.
    #[inline]
    pub fn push(&mut self, message: &PreparedMessage) -> bool {
        self.lend_buffer();
        self.row.push(message)
    }

    /// Puts several messages here whose frames are encoded already; returns false, and leaves them all, where that is not possible:
    /// [`push`](Self::push) tells how many of them are put here then.
    #[inline]
    pub fn push_frames(&mut self, frames: &PreparedFrames) -> bool {
        self.lend_buffer();
        self.row.push_frames(frames)
    }

    #[inline]
    fn lend_buffer(&mut self) {
        if self.row.wants_buffer() {
            self.row.lend_buffer(buffer::take_output());
        }
    }
}

/// The outboxes of one connection.
#[derive(Default)]
pub(super) struct Outboxes {
    list: Vec<Arc<dyn Outbox>>,
    /// The one that is asked first, so that each gets its turn.
    first: usize,
    /// Taken out, but not queued after all: two at most.
    left_over: VecDeque<PreparedMessage>,
}

impl Outboxes {
    pub(super) fn attach(&mut self, outbox: Arc<dyn Outbox>) {
        self.list.push(outbox);
    }

    /// Takes the next message out of whichever has one.
    pub(super) fn next(&mut self) -> Option<PreparedMessage> {
        if let Some(message) = self.left_over.pop_front() {
            return Some(message);
        }
        for _ in 0..self.list.len() {
            let place = self.first;
            self.first = if place.saturating_add(1) < self.list.len() { place.saturating_add(1) } else { 0 };
            if let Some(message) = self.list.get(place).and_then(|outbox| outbox.next()) {
                return Some(message);
            }
        }
        None
    }

    /// Has several messages queued at once, up to the first that has to be compressed or copied for long, if no other outbox is to have its
    /// turn between them. Returns whether [`next`](Self::next) may have more.
    pub(super) fn take(&self, connection: &mut Connection) -> bool {
        match (&*self.list, self.left_over.is_empty()) {
            ([outbox], true) => outbox.take(&mut OutboxRow::new(connection)),
            _ => true,
        }
    }

    /// Keeps a message that could not be queued; it comes next.
    pub(super) fn put_back(&mut self, message: PreparedMessage) {
        self.left_over.push_front(message);
    }

    /// Whether a message waits that could not be queued. One alone that is only to be compressed is none: that makes no connection slow.
    pub(super) fn is_stuck(&self, connection: &Connection) -> bool {
        match self.left_over.front() {
            None => false,
            Some(message) => self.left_over.len() > 1 || connection.is_prepared(message),
        }
    }

    pub(super) fn memory_usage(&self) -> usize {
        let left_over = self.left_over.iter().map(|message| message.message().len());
        left_over.chain(self.list.iter().map(|outbox| outbox.memory_usage())).fold(0, usize::saturating_add)
    }

    /// Reports the end to all.
    pub(super) fn close(self) {
        for outbox in self.list {
            outbox.closed();
        }
    }
}

impl fmt::Debug for Outboxes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outboxes").field("attached", &self.list.len()).finish_non_exhaustive()
    }
}
