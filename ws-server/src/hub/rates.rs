//! How often things happen at a server.

use std::time::{Duration, Instant};

use crate::hub::stats::Stats;

/// Reads the rates of a server: each call of [`rates`](Self::rates) tells those since the call before.
///
/// Several of them do not disturb each other.
#[derive(Debug, Clone)]
pub struct Meter {
    stats: Stats,
    since: Instant,
    before: Numbers,
}

/// What happened at a server, on average per second of [`elapsed`](Self::elapsed).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Rates {
    /// How long it was observed.
    pub elapsed: Duration,
    /// Connections accepted.
    pub accepted: f64,
    /// WebSockets opened.
    pub opened: f64,
    /// Requests answered as plain HTTP.
    pub plain: f64,
    /// Opening handshakes refused.
    pub refused: f64,
    /// Handshakes that came to nothing.
    pub failed_handshakes: f64,
}

#[derive(Debug, Clone, Copy)]
struct Numbers {
    accepted: u64,
    opened: u64,
    plain: u64,
    refused: u64,
    failed_handshakes: u64,
}

impl Stats {
    /// Begins to measure how often things happen.
    pub fn meter(&self) -> Meter {
        Meter { stats: self.clone(), since: Instant::now(), before: Numbers::of(self) }
    }
}

impl Meter {
    /// The rates since the last call, or since the meter was made.
    pub fn rates(&mut self) -> Rates {
        let (now, numbers) = (Instant::now(), Numbers::of(&self.stats));
        let elapsed = now - self.since;
        let rate = |of: fn(&Numbers) -> u64| {
            let happened = of(&numbers) - of(&self.before);
            // A clock may be too coarse to have moved.
            if elapsed.is_zero() { 0.0 } else { happened as f64 / elapsed.as_secs_f64() }
        };
        let rates = Rates {
            elapsed,
            accepted: rate(|numbers| numbers.accepted),
            opened: rate(|numbers| numbers.opened),
            plain: rate(|numbers| numbers.plain),
            refused: rate(|numbers| numbers.refused),
            failed_handshakes: rate(|numbers| numbers.failed_handshakes),
        };
        if !elapsed.is_zero() {
            (self.since, self.before) = (now, numbers);
        }
        rates
    }
}

impl Numbers {
    fn of(stats: &Stats) -> Self {
        Self {
            accepted: stats.accepted(),
            opened: stats.opened(),
            plain: stats.plain(),
            refused: stats.refused(),
            failed_handshakes: stats.failed_handshakes(),
        }
    }
}
