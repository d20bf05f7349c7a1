//! Messages of a broadcast, and those that wait for room.

use std::task::Context;

use tokio::io::{AsyncRead, AsyncWrite};
use ws_core::{CloseCode, PreparedMessage};

use super::{Driver, step_back};
use crate::backlog::{Backlog, Moved, Offered, SlowPolicy};
use crate::publish_report::{Membership, PublishReport};

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Queues the messages of a broadcast for which there is room, or does with them what the policy says; writes
    /// what is queued in one go, as far as that needs no waiting, unless the caller does so `later`. Counts what became of them.
    pub(in super::super) fn offer(
        &mut self,
        cx: &mut Context<'_>,
        messages: &[PreparedMessage],
        slow: &SlowPolicy,
        later: bool,
        published: &mut PublishReport,
    ) -> Membership {
        self.check_close_reply(cx);
        let mut membership = Membership::Stays;
        for (place, message) in messages.iter().enumerate() {
            let offered = self.offer_one(cx, message, slow);
            published.count(offered);
            membership = match offered {
                Offered::Full => Membership::Waits { from: place },
                Offered::Close | Offered::Closed => Membership::Leaves,
                Offered::Delivered | Offered::Waiting | Offered::Replaced | Offered::Dropped => continue,
            };
            break;
        }
        if !later || membership != Membership::Stays {
            self.write_in_passing(cx);
        }
        membership
    }

    /// Writes what can be written without waiting, while no task waits for it; also outside of a runtime.
    pub(in super::super) fn write_in_passing(&mut self, cx: &mut Context<'_>) {
        self.in_passing = true;
        let written = self.poll_write(cx);
        self.in_passing = false;
        if written.is_pending() {
            // The connection may not be polled again for long: the deadline of what waits begins here.
            self.note_deadline();
            // Nor may it report what waits.
            if self.report() {
                let _ = self.poll_write(cx);
            }
        }
    }

    fn offer_one(&mut self, cx: &mut Context<'_>, message: &PreparedMessage, slow: &SlowPolicy) -> Offered {
        // What has not been written yet makes no member slow: only what the transport does not take.
        let room = self.has_room() || {
            let _ = self.poll_write(cx);
            self.has_room()
        };
        if !self.connection.is_open() {
            return Offered::Closed;
        }
        let offered = if room && self.writing.backlog.is_none() {
            match self.queue_prepared(message) {
                Ok(()) => Offered::Delivered,
                // A message in pieces is under way, or the hard limit is reached.
                Err(_) => Backlog::refuse(&mut self.writing.backlog, message, slow),
            }
        } else {
            Backlog::refuse(&mut self.writing.backlog, message, slow)
        };
        if let Offered::Close = offered {
            // It is open, and the code may be sent.
            let _ = self.connection.close(CloseCode::TRY_AGAIN_LATER, "too slow");
        }
        offered
    }

    /// Moves what waits of a broadcast into the queue, as far as there is room; a large message as
    /// [`queue_outboxes`](Self::queue_outboxes) does.
    #[inline]
    pub(super) fn queue_backlog(&mut self, cx: &mut Context<'_>) {
        if let Some(backlog) = &mut self.writing.backlog {
            match backlog.move_into(&mut self.connection) {
                Moved::All => self.writing.backlog = None,
                Moved::Some => {}
                Moved::Unfinished => {
                    self.stepped_back = true;
                    step_back(cx);
                }
            }
        }
    }
}
