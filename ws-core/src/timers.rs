//! Deadlines of a connection. They are armed and reported, never waited for: time is an argument.

use core::time::Duration;

/// A point in time, in nanoseconds since the driver's epoch; `NEVER` for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(u64);

impl Time {
    pub(crate) const NEVER: Self = Self(u64::MAX);
    /// The driver's epoch.
    pub(crate) const EPOCH: Self = Self(0);

    /// 2^64 ns are 584 years: what lies beyond is never.
    #[allow(clippy::cast_possible_truncation, reason = "compared before")]
    pub(crate) const fn at(since_epoch: Duration) -> Self {
        let nanos = since_epoch.as_nanos();
        if nanos < u64::MAX as u128 { Self(nanos as u64) } else { Self::NEVER }
    }

    pub(crate) const fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(Self::at(duration).0))
    }

    /// The epoch at the earliest.
    pub(crate) const fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(Self::at(duration).0))
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
    /// Where the last keepalive ping is.
    pub(crate) asking: Asking,
    /// When the next keepalive ping is due; while one has no answer, when it was written, or was last seen in the queue.
    pub(crate) ping: Time,
    /// What the transport does with the output.
    pub(crate) flow: Flow,
    /// It has taken bytes that it has not passed on: its flush has not ended.
    pub(crate) unflushed: bool,
    /// Until when bytes that wait must have moved.
    pub(crate) write: Time,
    /// Since when it has been offered more than it takes.
    pub(crate) full_since: Time,
    /// When it has passed on what it took since, as far as is known.
    pub(crate) drained: Time,
    /// The last round trip.
    pub(crate) rtt: RoundTrip,
}

/// Where a keepalive ping is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asking {
    /// None is without an answer.
    Nothing,
    /// It waits to be written: no answer can be expected.
    Queued,
    /// It has been written.
    Written,
}

/// What the transport does with the output, as far as it is known when a driver waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Nothing waits.
    Free,
    /// All has been taken, and not all of it flushed: that it takes more proves nothing.
    Unflushed,
    /// It has refused bytes: that it takes more proves that the other side takes some.
    Refused,
    /// It has taken, or flushed, something since; when is for the next look at the clock.
    Moved,
}

/// A round trip in microseconds, of at most 71 minutes; a connection is to stay small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RoundTrip(u32);

impl RoundTrip {
    const NONE: Self = Self(u32::MAX);

    pub(crate) fn new(duration: Duration) -> Self {
        Self(u32::try_from(duration.as_micros()).unwrap_or(u32::MAX).min(u32::MAX.saturating_sub(1)))
    }

    pub(crate) fn get(self) -> Option<Duration> {
        (self != Self::NONE).then_some(Duration::from_micros(u64::from(self.0)))
    }
}

impl Timers {
    pub(crate) const fn new() -> Self {
        Self {
            changed: true,
            asking: Asking::Nothing,
            ping: Time::NEVER,
            flow: Flow::Free,
            unflushed: false,
            write: Time::NEVER,
            full_since: Time::EPOCH,
            drained: Time::EPOCH,
            rtt: RoundTrip::NONE,
        }
    }
}
