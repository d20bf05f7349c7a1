//! What a connection has to write, chunk by chunk.

use bytes::Buf;

use super::{Connection, State};
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

impl Connection {
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

    /// Whether the transport holds back bytes, by the last [report](Self::set_unflushed).
    #[inline]
    pub const fn is_unflushed(&self) -> bool {
        self.timers.unflushed
    }

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
    fn output_moved(&mut self) {
        self.timers.flow = Flow::Moved;
        self.timers.write = Time::NEVER;
        self.timers.changed = true;
    }
}
