//! The number of a connection.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The number of a connection, unique within the process: the field `id` of its span in the log, and what
/// [`Request::id`](crate::Request::id) and [`Stream::id`](crate::Stream::id) return.
///
/// Numbers begin with 1 and are assigned in the order in which connections are accepted. Connections that become no
/// WebSocket have one too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u64);

impl ConnectionId {
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Relaxed))
    }

    /// Returns the number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
