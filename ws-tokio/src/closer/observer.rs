//! What a connection reports of itself.

use std::fmt::Debug;
use std::time::Duration;

use ws_core::MemoryUsage;

use super::Closer;
use crate::traffic::Traffic;

/// Receives the reports of a connection, for a server that limits or counts what its connections hold; see
/// [`WebSocket::set_observer`](crate::WebSocket::set_observer).
pub trait Observer: Debug + Send + Sync {
    /// Receives a report, and a closer of the connection, which it may clone. It is called by a task that drives the connection, which may
    /// hold its lock: it must neither wait nor use the connection. It may use any [`Closer`](Closer).
    ///
    /// Returns whether the connection is to [give way](Closer::give_way) at once.
    fn observe(&self, report: &Report, closer: &Closer) -> bool;

    /// Whether it counts what goes through the connection: asked once. By default it does not, and is not called for it.
    fn counts_traffic(&self) -> bool {
        false
    }

    /// Receives what has gone through the connection, each time that this is about to wait, and at its end; as [`observe`](Self::observe) is called.
    fn observe_traffic(&self, report: &TrafficReport) {
        let _ = report;
    }
}

/// What a connection is like at one time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The bytes of memory that it holds, by what they are held for.
    pub memory: MemoryUsage,
    /// The bytes of memory among them that it holds for input that has not been received by the user: parts of a message, and
    /// what has been read ahead.
    pub unfinished: usize,
    /// Whether the transport has taken bytes since the last report. While it has not, the peer reads nothing.
    pub has_written: bool,
    /// The bytes that wait to be written.
    pub queued: usize,
    /// The round-trip time of the last keepalive ping that was answered.
    pub rtt: Option<Duration>,
}

/// What has gone through a connection up to one time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrafficReport {
    /// Messages and bytes, each way.
    pub traffic: Traffic,
    /// The bytes that wait to be written.
    pub queued: usize,
    /// The round-trip time of the last keepalive ping that was answered.
    pub rtt: Option<Duration>,
    /// How many keepalive pings have been answered ([`Connection::round_trips`](ws_core::Connection::round_trips)).
    pub round_trips: u8,
}
