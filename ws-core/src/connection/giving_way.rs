//! A connection that a server fails for the sake of others: for its memory, or for its rate.

use super::{Connection, State};
use crate::close_info::{CloseCause, Initiator};
use crate::error::ProtocolError;

/// # Commands: for the sake of others
impl Connection {
    /// Fails the connection with 1013, and drops what has been received of a message at once: for a server whose connections
    /// together hold too much memory. [`close_info`](Self::close_info) has [`ProtocolError::MemoryShort`] as the cause. Returns
    /// `false`, and does nothing, on a connection on which no more input counts.
    pub fn give_way(&mut self) -> bool {
        self.fail_if_it_receives(ProtocolError::MemoryShort)
    }

    /// As [`give_way`](Self::give_way), and drops what waits to be written, too: for a peer that does not read. Returns `false`, and does
    /// nothing, on a connection that has ended.
    ///
    /// A frame of which a part has been written is kept if at most 16 KiB of it are left, so that the Close can follow it
    /// (RFC 6455 section 5.4: frames are not interleaved). Otherwise, and where a Close has been queued already, the connection ends at
    /// once. [`CloseInfo::unsent`](crate::CloseInfo::unsent) has the number of bytes that were dropped.
    pub fn give_way_with_output(&mut self) -> bool {
        if self.state == State::Ended {
            return false;
        }
        let before = self.queue.len();
        self.queue.drop_waiting();
        let left = self.queue.len();
        let unsent = before.saturating_sub(left) as u64;
        let ending = self.ending(Initiator::Remote);
        ending.unsent = ending.unsent.saturating_add(unsent);
        if self.state == State::Open && left.saturating_add(self.held()) <= MOST_LEFT {
            self.fail(ProtocolError::MemoryShort);
        } else {
            self.end(CloseCause::Protocol(ProtocolError::MemoryShort), Initiator::Remote);
        }
        true
    }

    /// Fails the connection with 1008, and drops what has been received of a message: for a server whose limits for one client are
    /// exceeded. [`close_info`](Self::close_info) has [`ProtocolError::OverRate`] as the cause. Returns `false`, and does nothing, on a
    /// connection on which no more input counts.
    pub fn fail_over_rate(&mut self) -> bool {
        self.fail_if_it_receives(ProtocolError::OverRate)
    }

    fn fail_if_it_receives(&mut self, error: ProtocolError) -> bool {
        let may = self.takes_data();
        if may {
            self.fail(error);
        }
        may
    }
}

/// At most this much of a frame is still written to a peer that does not read.
const MOST_LEFT: usize = 16 << 10;
