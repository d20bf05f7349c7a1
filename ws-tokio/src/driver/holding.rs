//! What a connection holds, and what has gone through it.

use ws_core::MemoryUsage;

use super::Driver;
use crate::traffic::Traffic;

impl<S> Driver<S> {
    /// Returns what has gone through the connection.
    pub(in super::super) fn traffic(&self) -> Traffic {
        Traffic {
            messages_sent: self.connection.messages_sent(),
            messages_received: self.connection.messages_received(),
            bytes_sent: self.writing.written,
            bytes_received: self.reading.bytes,
        }
    }

    /// Returns the connection's memory with what only the driver has.
    pub(in super::super) fn memory_usage(&self) -> MemoryUsage {
        let mut usage = self.connection.memory_usage();
        usage.read = self.reading.input.capacity();
        let large = self.reading.large.as_ref().map_or(0, |large| large.len());
        let aside = self.reading.aside.as_ref().map_or(0, |aside| aside.bytes());
        usage.assembled = usage.assembled.saturating_add(large).saturating_add(aside);
        let backlog = self.writing.backlog.as_ref().map_or(0, |backlog| backlog.memory_usage());
        let outboxes = self.writing.outboxes.as_ref().map_or(0, |outboxes| outboxes.memory_usage());
        usage.queued = usage.queued.saturating_add(backlog).saturating_add(outboxes);
        #[cfg(feature = "http2")]
        if let Some(held) = &self.writing.held {
            // As it is now rather than when something was written.
            usage.queued = usage.queued.saturating_sub(self.connection.held()).saturating_add(held.bytes());
        }
        usage
    }
}
