//! The number of a connection.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The number of a connection, which distinguishes it from all others of this process, those that have ended included: no
/// number is used again.
///
/// A WebSocket that was given none has one from its [`split`](super::WebSocket::split). Those of a server have the number
/// of the connection or stream that they run on, which is the field `id` in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u64);

impl ConnectionId {
    /// Returns a number that no other connection has, for [`WebSocket::set_connection_id`](super::WebSocket::set_connection_id).
    /// Numbers begin with 1 and grow.
    pub fn next() -> Self {
        // 2^64 of them are never used up. It is of std's atomics in the model of the wake-ups too: nobody waits for it.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Relaxed))
    }

    pub(crate) const fn of(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number, which is never 0.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
