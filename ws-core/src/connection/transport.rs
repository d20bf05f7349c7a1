//! What a driver does with the transport when a connection closes, and what it reports of it.

use super::{Connection, State};
use crate::close_info::{CloseCause, Initiator, TransportEnd};
use crate::timers::{Flow, Time};

/// # The transport
impl Connection {
    /// Whether the write side of the transport should be shut down now, with the read side left open
    /// so that the peer sees our Close and not a reset. Then call [`shutdown_done`](Self::shutdown_done).
    pub fn wants_shutdown(&self) -> bool {
        let now = match self.state {
            State::Closed { shut_down } => !shut_down && self.end.shuts_down_first(),
            State::Failed { shut_down } => !shut_down,
            State::Open | State::CloseSent | State::CloseReceived | State::ReadOnly(_) | State::Ended => {
                false
            }
        };
        now && self.queue.is_empty()
    }

    /// Reports that the write side of the transport has been shut down.
    pub fn shutdown_done(&mut self) {
        match self.state {
            State::Closed { .. } => self.enter(State::Closed { shut_down: true }),
            State::Failed { .. } => self.enter(State::Failed { shut_down: true }),
            State::Open | State::CloseSent | State::CloseReceived | State::ReadOnly(_) | State::Ended => {}
        }
    }

    /// Reports that the transport takes no more bytes. What it has brought, or still brings, is received all the
    /// same, and a Close among it makes the end a clean one; until then, the transport's end or
    /// `close_timeout`.
    pub fn write_failed(&mut self, how: TransportEnd) {
        match self.state {
            State::Open | State::CloseSent => {
                let unsent = self.queue.len() as u64;
                self.ending(Initiator::Remote).unsent = unsent;
                self.queue.clear();
                self.outgoing = None;
                self.timers.write = Time::NEVER;
                self.timers.unflushed = false;
                self.enter(State::ReadOnly(how));
            }
            State::ReadOnly(_) | State::Ended => {}
            State::CloseReceived => self.end(CloseCause::Transport(how), Initiator::Remote),
            // Nothing of what would come counts.
            State::Closed { .. } | State::Failed { .. } => self.enter(State::Ended),
        }
    }

    /// Reports that the transport will bring no more bytes.
    pub fn transport_ended(&mut self, how: TransportEnd) {
        match self.state {
            // §7.1.5: without a Close frame from the peer it is 1006.
            State::Open | State::CloseSent | State::CloseReceived | State::ReadOnly(_) => {
                self.end(CloseCause::Transport(how), Initiator::Remote);
            }
            State::Closed { .. } | State::Failed { .. } => self.enter(State::Ended),
            State::Ended => {}
        }
    }

    /// Reports whether the transport holds back bytes that it has taken: what a driver over a transport that buffers
    /// (TLS is one) does once it has written, with `true`, and when the transport's flush has ended, with `false`.
    ///
    /// Bytes that are held back have not been written: `write_timeout` runs while there are any, and what the peer has
    /// to answer, a keepalive ping or a Close, is expected from when they have gone. A transport that buffers nothing
    /// needs no such report.
    #[inline]
    pub fn set_unflushed(&mut self, unflushed: bool) {
        let timers = &mut self.timers;
        if !unflushed && timers.unflushed && matches!(timers.flow, Flow::Unflushed | Flow::Refused) {
            self.output_moved();
        }
        // Where nothing is written any more nothing is awaited either.
        self.timers.unflushed = unflushed && !matches!(self.state, State::ReadOnly(_) | State::Ended);
    }

    /// Reports how many bytes the transport has taken and still holds in memory of this process, as a library for HTTP/2 does
    /// until the socket takes them. They count as [`queued`](crate::MemoryUsage::queued) in the memory of the
    /// connection, and against [`send_high_water`](crate::Config::send_high_water) and
    /// [`max_queued`](crate::Config::max_queued). A transport that holds a fixed amount, such as TLS, needs no such report.
    #[inline]
    pub fn set_held(&mut self, bytes: usize) {
        self.held = u32::try_from(bytes).unwrap_or(u32::MAX);
    }

    /// Returns how many bytes the transport holds, by the last [report](Self::set_held).
    #[inline]
    pub const fn held(&self) -> usize {
        self.held as usize
    }

    /// Whether the transport holds back bytes, by the last [report](Self::set_unflushed).
    #[inline]
    pub const fn is_unflushed(&self) -> bool {
        self.timers.unflushed
    }
}
