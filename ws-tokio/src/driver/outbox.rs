//! Messages that come out of outboxes.

use std::sync::Arc;
use std::task::Context;

use tokio::io::{AsyncRead, AsyncWrite};
use ws_core::SendError;

use super::Driver;
use crate::buffer;
use crate::error::Error;
use crate::outbox::{Outbox, Outboxes};

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
        self.has_room() && self.writing.outboxes.as_ref().is_none_or(|outboxes| !outboxes.is_stuck())
    }

    /// Moves what the outboxes have into the queue, as far as there is room.
    #[inline]
    pub(super) fn queue_outboxes(&mut self) {
        if self.writing.outboxes.is_some() {
            self.take_from_outboxes();
        }
    }

    fn take_from_outboxes(&mut self) {
        let Some(mut outboxes) = self.writing.outboxes.take() else { return };
        if !self.connection.is_open() {
            outboxes.close();
            return;
        }
        while self.connection.has_room()
            && let Some(message) = outboxes.next()
        {
            if self.connection.wants_buffer() {
                self.connection.lend_buffer(buffer::take_output());
            }
            if self.connection.send_prepared(&message).is_err() {
                // A message in pieces is under way.
                outboxes.put_back(message);
                break;
            }
        }
        self.writing.outboxes = Some(outboxes);
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
