//! How long to wait before connecting again.

use std::time::Duration;

use ws_core::SettingError;

/// The delays between attempts to connect again: capped exponential back-off with full jitter.
///
/// The delay before an attempt is chosen uniformly from zero up to `initial · 2ⁿ`, at most `max`, where *n* counts
/// the failures in a row. It is random so that the clients of a server that restarts do not all connect at once.
#[doc(alias("retry", "jitter", "exponential"))]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backoff {
    /// The bound of the delay after the first failure. Default 500 ms.
    pub initial: Duration,
    /// The largest bound. A `Retry-After` of the server, in seconds or as a date, is obeyed up to this time. Default 30 s.
    pub max: Duration,
    /// A connection that lasted this long counts as a success, and the delays start over. One that ended earlier counts as a
    /// failure, so that a server that accepts and drops connections is not flooded with them. Default 10 s.
    pub stable_after: Duration,
    /// The number of failures in a row after which the last error is returned. Default `None`: only fatal errors are.
    pub max_failures: Option<u32>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(500),
            max: Duration::from_secs(30),
            stable_after: Duration::from_secs(10),
            max_failures: None,
        }
    }
}

/// Setters, to chain: each returns the back-off with the field of its name replaced.
impl Backoff {
    /// Sets the [bound](Self#structfield.initial) of the delay after the first failure.
    #[must_use]
    pub fn initial(mut self, delay: Duration) -> Self {
        self.initial = delay;
        self
    }

    /// Sets the [bound](Self#structfield.max) of every delay.
    #[must_use]
    pub fn max(mut self, delay: Duration) -> Self {
        self.max = delay;
        self
    }

    /// Sets [how long](Self#structfield.stable_after) a connection has to last to count as a success.
    #[must_use]
    pub fn stable_after(mut self, time: Duration) -> Self {
        self.stable_after = time;
        self
    }

    /// Sets after [how many failures](Self#structfield.max_failures) in a row the last one is returned.
    #[must_use]
    pub fn max_failures(mut self, count: impl Into<Option<u32>>) -> Self {
        self.max_failures = count.into();
        self
    }
}

impl Backoff {
    pub(crate) fn check(&self) -> Result<(), SettingError> {
        if self.initial.is_zero() || self.max < self.initial {
            let value = format!("{:?} and backoff.max = {:?}", self.initial, self.max);
            let must = "0 < initial ≤ max; the defaults are 500 ms and 30 s";
            return Err(SettingError::new("backoff.initial", value, must));
        }
        if self.max_failures == Some(0) {
            return Err(SettingError::new(
                "backoff.max_failures",
                0,
                "it must be above zero; None sets no limit",
            ));
        }
        Ok(())
    }

    /// The delay after `failures` failures in a row; `chance` is a uniformly distributed random number.
    fn delay(&self, failures: u32, chance: u64) -> Duration {
        let factor = 1u32.checked_shl(failures).unwrap_or(u32::MAX);
        let bound = self.initial.saturating_mul(factor).min(self.max);
        let nanos = bound.as_nanos().saturating_add(1);
        // Below `bound`, which is a Duration: the quotient fits.
        let chosen = nanos.saturating_mul(u128::from(chance)) >> 64;
        u64::try_from(chosen).map_or(bound, Duration::from_nanos)
    }
}

/// The failures in a row of one client that connects again and again.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    count: u32,
}

impl Failures {
    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    /// Counts an attempt: one that failed, or one that opened a connection, which is a failure until it has lasted long enough.
    pub(crate) const fn count_attempt(&mut self) {
        self.count = self.count.saturating_add(1);
    }

    /// A connection has ended that lasted for this time.
    pub(crate) fn ended_after(&mut self, lasted: Duration, backoff: &Backoff) {
        if lasted >= backoff.stable_after {
            self.count = 0;
        }
    }

    /// Whether the last error is to be returned instead of another attempt.
    pub(crate) fn are_final(&self, is_fatal: bool, backoff: &Backoff) -> bool {
        is_fatal || backoff.max_failures.is_some_and(|max| self.count >= max)
    }

    /// The delay before the next attempt; `asked` is what the server asks for, `chance` a uniformly distributed random number.
    pub(crate) fn delay(&self, backoff: &Backoff, asked: Option<Duration>, chance: u64) -> Duration {
        let asked = asked.unwrap_or_default().min(backoff.max);
        asked.saturating_add(backoff.delay(self.count.saturating_sub(1), chance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_cap_and_reach_down_to_zero() {
        let backoff = Backoff::default();
        let most = |failures| backoff.delay(failures, u64::MAX).as_millis();
        assert_eq!(
            (0..9).map(most).collect::<Vec<_>>(),
            [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]
        );
        assert_eq!(most(31), 30000);
        assert_eq!(most(u32::MAX), 30000);
        assert_eq!(backoff.delay(5, 0), Duration::ZERO);
        assert_eq!(backoff.delay(0, 1 << 63).as_millis(), 250);
    }

    #[test]
    fn delays_without_bound_do_not_overflow() {
        let backoff = Backoff { initial: Duration::MAX, max: Duration::MAX, ..Backoff::default() };
        assert!(backoff.delay(u32::MAX, u64::MAX) > Duration::from_secs(1));
    }

    #[test]
    fn failures_count_until_a_connection_was_stable_and_end_at_the_limit() {
        let backoff = Backoff::default().max_failures(3);
        let mut failures = Failures::default();
        let most = |failures: &Failures, asked| failures.delay(&backoff, asked, u64::MAX).as_millis();
        assert_eq!(most(&failures, None), 500);
        failures.count_attempt();
        assert_eq!((failures.count(), most(&failures, None)), (1, 500));
        failures.ended_after(backoff.stable_after - Duration::from_millis(1), &backoff);
        failures.count_attempt();
        assert_eq!((failures.count(), most(&failures, None)), (2, 1000));
        assert_eq!(most(&failures, Some(Duration::from_secs(7))), 8000);
        assert_eq!(
            most(&failures, Some(Duration::MAX)),
            31_000,
            "what the server asks for is bounded by max"
        );
        assert!(!failures.are_final(false, &backoff) && failures.are_final(true, &backoff));
        failures.count_attempt();
        assert!(failures.are_final(false, &backoff));
        failures.ended_after(backoff.stable_after, &backoff);
        assert_eq!(failures.count(), 0);
    }
}
