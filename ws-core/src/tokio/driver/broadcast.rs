//! Messages of a broadcast, and those that wait for room.

use std::task::Context;

use ::tokio::io::{AsyncRead, AsyncWrite};

use super::super::backlog::{Backlog, Offered, Slow};
use super::super::buffer;
use super::Driver;
use crate::close::CloseCode;
use crate::prepared::Prepared;

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Queues a message of a broadcast if there is room, or does with it what the policy says. `write` has it
    /// written as far as that needs no waiting.
    pub(in super::super) fn offer(
        &mut self,
        cx: &mut Context<'_>,
        message: &Prepared,
        slow: &Slow,
        write: bool,
    ) -> Offered {
        // What has not been written yet makes nobody slow: only what the transport does not take.
        let room = self.has_room() || {
            let _ = self.poll_write(cx);
            self.has_room()
        };
        if !self.connection.is_open() {
            return Offered::Closed;
        }
        let offered = if room && self.backlog.is_none() {
            if self.connection.queued() == 0 {
                self.connection.lend_buffer(buffer::take_output());
            }
            match self.connection.send_prepared(message) {
                Ok(()) => Offered::Delivered,
                // A message in pieces is under way, or the hard limit is reached.
                Err(_) => Backlog::refuse(&mut self.backlog, message, slow),
            }
        } else {
            Backlog::refuse(&mut self.backlog, message, slow)
        };
        if let Offered::Close = offered {
            // It is open, and the code may be sent.
            let _ = self.connection.close(CloseCode::TRY_AGAIN, "too slow");
        }
        if write {
            let _ = self.poll_write(cx);
        }
        offered
    }

    /// Moves what waits of a broadcast into the queue, as far as there is room.
    #[inline]
    pub(super) fn queue_backlog(&mut self) {
        if let Some(backlog) = &mut self.backlog
            && backlog.move_into(&mut self.connection)
        {
            self.backlog = None;
        }
    }
}
