//! Messages that come out of outboxes.

use std::sync::Arc;
use std::task::Context;

use tokio::io::{AsyncRead, AsyncWrite};
use ws_core::{PreparedMessage, SendError, Work};

use super::{Driver, step_back};
use crate::buffer;
use crate::error::Error;
use crate::outbox::{Outbox, Outboxes};

/// When large messages are compressed that come out of outboxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compress {
    /// A step now, by a task that waits for the connection.
    Step,
    /// By the task that receives: a publisher has many connections to write to.
    Later,
    /// Before the connection closes.
    AtOnce,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Takes messages out of another outbox from now on.
    pub(in super::super) fn attach(&mut self, outbox: Arc<dyn Outbox>) -> Result<(), Error> {
        if !self.connection.is_open() {
            return self.act(|_| Err(SendError::Closing));
        }
        self.writing.outboxes.get_or_insert_default().attach(outbox);
        Ok(())
    }

    /// Writes what can be written without waiting, what the outboxes have included; returns whether there is room for
    /// more, and so nothing left in them.
    pub(in super::super) fn write_now_and_look(&mut self, cx: &mut Context<'_>) -> bool {
        self.check_close_reply(cx);
        self.write_in_passing(cx);
        let stuck = |outboxes: &Outboxes| outboxes.is_stuck(&self.connection);
        self.has_room() && !self.writing.outboxes.as_deref().is_some_and(stuck)
    }

    /// Moves what the outboxes have into the queue, as far as there is room. A large message is compressed before, in steps between
    /// which other tasks run; then the tasks that wait for the connection are polled again.
    #[inline]
    pub(super) fn queue_outboxes(&mut self, cx: &mut Context<'_>) {
        let compress = if self.in_passing { Compress::Later } else { Compress::Step };
        if self.writing.outboxes.is_some() && self.take_from_outboxes(compress) {
            self.stepped_back = true;
            step_back(cx);
        }
    }

    /// Returns whether more of a large message is to be compressed.
    // Apart: most connections have no outbox, and what it contains would be in the path of each write.
    #[inline(never)]
    pub(super) fn take_from_outboxes(&mut self, compress: Compress) -> bool {
        let Some(mut outboxes) = self.writing.outboxes.take() else { return false };
        if !self.connection.is_open() {
            outboxes.close();
            return false;
        }
        let mut unfinished = false;
        while self.connection.has_room()
            && outboxes.take(&mut self.connection)
            && self.connection.has_room()
            && let Some(message) = outboxes.next()
        {
            unfinished = match compress {
                Compress::Step => self.connection.prepare(&message) == Work::More,
                // Not more than one: others behind it count as what a slow connection has left.
                Compress::Later if !self.connection.is_prepared(&message) => match outboxes.next() {
                    None => true,
                    Some(next) => {
                        outboxes.put_back(next);
                        false
                    }
                },
                Compress::Later | Compress::AtOnce => false,
            };
            if unfinished || self.queue_prepared(&message).is_err() {
                // Unless it is to be compressed further, a message in pieces is under way.
                outboxes.put_back(message);
                break;
            }
        }
        self.writing.outboxes = Some(outboxes);
        unfinished
    }

    /// Queues a message of an outbox or a broadcast.
    pub(super) fn queue_prepared(&mut self, message: &PreparedMessage) -> Result<(), SendError> {
        if self.connection.wants_buffer() {
            self.connection.lend_buffer(buffer::take_output());
        }
        self.connection.send_prepared(message)
    }
}

impl<S> Driver<S> {
    /// The queues elsewhere, for the driver that continues.
    pub(in super::super) const fn outboxes(&mut self) -> &mut Option<Box<Outboxes>> {
        &mut self.writing.outboxes
    }

    /// Reports to the outboxes that nothing more is taken out of them.
    pub(in super::super) fn close_outboxes(&mut self) {
        if let Some(outboxes) = self.writing.outboxes.take() {
            outboxes.close();
        }
    }
}
