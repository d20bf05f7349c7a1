//! What memory a connection holds.

use super::Connection;
use crate::error::ProtocolError;
use crate::memory_usage::MemoryUsage;

/// # State: memory
impl Connection {
    /// Returns the bytes of memory held for this connection beside the struct itself, by purpose.
    pub fn memory_usage(&self) -> MemoryUsage {
        let received = self.control.as_ref().map_or(0, |control| control.partial.capacity());
        MemoryUsage {
            read: 0,
            assembled: self.incoming.as_ref().map_or(0, |incoming| incoming.assembly.capacity()),
            inflated: self.compression_memory(),
            queued: self
                .queue
                .message_memory()
                .saturating_add(self.held())
                .saturating_add(self.memory_under_way()),
            control: received.saturating_add(self.queue.control_memory()),
        }
    }

    /// Whether no memory is held beside the struct itself: all of [`memory_usage`](Self::memory_usage) is 0. This is cheaper to compute, and
    /// the case for most connections while they wait.
    #[inline]
    pub fn holds_nothing(&self) -> bool {
        self.incoming.is_none()
            && self.control.as_ref().is_none_or(|control| control.partial.capacity() == 0)
            && self.queue.has_no_memory()
            && self.held == 0
            && !self.is_compressing()
    }

    /// Returns the bytes of memory held for a message that has begun to arrive and is not complete; they are among
    /// [`memory_usage`](Self::memory_usage). The windows of permessage-deflate do not count.
    pub fn unfinished(&self) -> usize {
        let Some(incoming) = &self.incoming else { return 0 };
        #[cfg(feature = "deflate")]
        let inflated = self.compression.as_ref().map_or(0, |compression| compression.unfinished());
        #[cfg(not(feature = "deflate"))]
        let inflated = 0;
        incoming.assembly.capacity().saturating_add(inflated)
    }

    /// Checks that what the peer has made us hold is within the limit.
    pub(super) fn check_memory(&self) -> Result<(), ProtocolError> {
        let limit = self.config.memory_bound();
        let assembled = self.incoming.as_ref().map_or(0, |incoming| incoming.assembly.capacity());
        if assembled.saturating_add(self.compression_memory()) > limit {
            return Err(ProtocolError::MemoryLimit { limit });
        }
        Ok(())
    }

    pub(super) fn compression_memory(&self) -> usize {
        #[cfg(feature = "deflate")]
        return self.compression.as_ref().map_or(0, |compression| compression.memory_usage());
        #[cfg(not(feature = "deflate"))]
        return 0;
    }

    /// Bytes of memory held by messages that are being compressed in steps.
    fn memory_under_way(&self) -> usize {
        #[cfg(feature = "deflate")]
        return self.compression.as_ref().map_or(0, |compression| compression.memory_under_way());
        #[cfg(not(feature = "deflate"))]
        return 0;
    }
}
