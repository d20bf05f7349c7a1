//! The memory that a connection holds, byte for byte.

/// The bytes of memory a connection holds beside its own struct, by what they are held for.
///
/// Their sum has one limit, [`Config::max_memory`](crate::Config::max_memory).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryUsage {
    /// Read from the transport and not received yet. Only a driver knows of it: from
    /// [`Connection::memory_usage`](crate::Connection::memory_usage) it is 0.
    pub read: usize,
    /// The message being assembled.
    pub assembled: usize,
    /// permessage-deflate: the windows both ways, and the message being inflated.
    pub inflated: usize,
    /// Messages that wait to be written, payloads by reference and what is masked of them included, those that are being
    /// [compressed in steps](crate::Connection::start_compressing), and what the transport has taken and
    /// [holds](crate::Connection::set_held).
    pub queued: usize,
    /// Control frames: received in part, and waiting to be written.
    pub control: usize,
}

impl MemoryUsage {
    /// Returns the one number: all of it.
    pub const fn total(&self) -> usize {
        self.read
            .saturating_add(self.assembled)
            .saturating_add(self.inflated)
            .saturating_add(self.queued)
            .saturating_add(self.control)
    }
}
