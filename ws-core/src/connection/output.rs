//! What a connection has to write, chunk by chunk, and the memory that it is queued in.

use alloc::vec::Vec;

use bytes::Buf;

use super::Connection;
use crate::timers::{Flow, Time};

/// What a connection has to write, from [`Connection::output`].
///
/// [`Buf::advance`] is how a driver says what it wrote.
#[derive(Debug)]
pub struct Output<'a>(pub(super) &'a mut Connection);

impl Buf for Output<'_> {
    #[inline]
    fn remaining(&self) -> usize {
        self.0.queue.remaining()
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        self.0.queue.chunk()
    }

    #[cfg(feature = "std")]
    #[inline]
    fn chunks_vectored<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        self.0.queue.chunks_vectored(slices)
    }

    #[inline]
    fn advance(&mut self, n: usize) {
        self.0.queue.advance(n);
        // What a transport takes that has refused nothing proves nothing.
        if n > 0 && self.0.timers.flow == Flow::Refused {
            self.0.output_moved();
        }
        if !self.0.queue.is_empty() {
            self.0.queue.prepare();
        }
    }
}

/// # Output
impl Connection {
    /// Returns what is waiting to be written, as a [`bytes::Buf`]: take its chunks, write them, and advance it by what was
    /// written.
    ///
    /// The chunks of a vectored write end with a keepalive ping, whatever follows: the time for its answer begins when it has been
    /// written, and a transport may take a large write at once.
    #[inline]
    pub fn output(&mut self) -> Output<'_> {
        self.queue.prepare();
        Output(self)
    }

    /// Returns the number of bytes that wait to be written.
    #[inline]
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Whether fewer bytes than [`send_high_water`](crate::Config::send_high_water) wait to be written, those that the transport
    /// [holds](Self::set_held) included, and neither
    /// queue nor memory is full. A driver lets its callers wait while this is `false`; it does not say whether the
    /// connection [is open](Self::is_open).
    #[inline]
    pub fn has_room(&self) -> bool {
        let queued = self.queue.len().saturating_add(self.held());
        queued < self.config.send_high_water && self.check_room().is_ok()
    }
}

/// # For drivers that pool buffers: output
impl Connection {
    /// Whether the queue has no allocation to write into: one can be [lent](Self::lend_buffer).
    #[inline]
    pub const fn wants_buffer(&self) -> bool {
        self.queue.wants_buffer()
    }

    /// An allocation to queue in, in place of none. A driver that serves many connections hands one out of
    /// its pool and [takes it back](Self::reclaim_buffer) when all is written, so that an idle connection
    /// holds none.
    pub fn lend_buffer(&mut self, buffer: Vec<u8>) {
        self.queue.lend_buffer(buffer);
    }

    /// Returns the allocation that was queued in, if all is written.
    pub fn reclaim_buffer(&mut self) -> Option<Vec<u8>> {
        self.queue.reclaim_buffer()
    }
}

impl Connection {
    /// Whether all that was queued has been written, and what was written has been flushed.
    pub(super) fn is_all_written(&self) -> bool {
        self.queue.is_empty() && !self.timers.unflushed
    }

    /// What the transport is being waited for.
    #[inline]
    pub(super) fn waits_for(&self) -> Flow {
        match (self.queue.is_empty(), self.timers.unflushed) {
            (false, _) => Flow::Refused,
            (true, true) => Flow::Unflushed,
            (true, false) => Flow::Free,
        }
    }

    /// The transport has taken bytes after it had refused some, or has flushed: the other side takes them. The time
    /// without progress begins anew.
    pub(super) fn output_moved(&mut self) {
        self.timers.flow = Flow::Moved;
        self.timers.write = Time::NEVER;
        self.timers.changed = true;
    }
}
