//! What a connection has to write, chunk by chunk.

use bytes::Buf;

use super::Connection;
use crate::timers::Time;

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
        if n > 0 && self.0.timers.write.is_set() {
            // Bytes moved: the time without progress begins anew.
            self.0.timers.write = Time::NEVER;
            self.0.timers.changed = true;
        }
        if !self.0.queue.is_empty() {
            self.0.queue.prepare();
        }
    }
}
