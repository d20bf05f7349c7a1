//! Deadlines of a connection. They are armed and told, never waited for: time is an argument.

use core::time::Duration;

/// A point in time, in nanoseconds since the driver's epoch; `NEVER` for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(u64);

impl Time {
    pub(crate) const NEVER: Self = Self(u64::MAX);

    /// 2^64 ns are 584 years: what lies beyond is never.
    #[allow(clippy::cast_possible_truncation, reason = "compared before")]
    pub(crate) const fn at(since_epoch: Duration) -> Self {
        let nanos = since_epoch.as_nanos();
        if nanos < u64::MAX as u128 { Self(nanos as u64) } else { Self::NEVER }
    }

    pub(crate) const fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(Self::at(duration).0))
    }

    pub(crate) const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    pub(crate) const fn is_set(self) -> bool {
        self.0 != Self::NEVER.0
    }

    pub(crate) fn get(self) -> Option<Duration> {
        self.is_set().then_some(Duration::from_nanos(self.0))
    }
}

/// The deadlines that can run for a connection; which of them do follows from its state.
#[derive(Debug)]
pub(crate) struct Timers {
    /// Something changed that may arm or disarm one of them: the driver should ask again.
    pub(crate) changed: bool,
    /// The next keepalive ping.
    pub(crate) ping: Time,
    /// When the keepalive ping that has no answer yet was sent.
    pub(crate) ping_sent: Time,
    /// Until when bytes that wait must have moved.
    pub(crate) write: Time,
    /// The end of the closing handshake, or of the lingering.
    pub(crate) close: Time,
    /// The end of the second in which control frames are counted.
    pub(crate) control: Time,
    /// The last round trip; `NEVER` when none has been measured.
    pub(crate) rtt: Time,
}

impl Timers {
    pub(crate) const fn new() -> Self {
        Self {
            changed: true,
            ping: Time::NEVER,
            ping_sent: Time::NEVER,
            write: Time::NEVER,
            close: Time::NEVER,
            control: Time::NEVER,
            rtt: Time::NEVER,
        }
    }
}
