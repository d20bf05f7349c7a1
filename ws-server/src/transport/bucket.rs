//! How often something may happen.

use std::time::Duration;

use tokio::time::Instant;

/// A token bucket: `per_second` tokens are added per second, and at most that many are kept. It stores one time, at which it will be full
/// again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    per_second: u64,
    full_at: Instant,
}

impl Bucket {
    pub(crate) fn per_second(&self) -> u64 {
        self.per_second
    }

    /// A full bucket.
    pub(crate) fn new(per_second: u64, now: Instant) -> Self {
        Self { per_second, full_at: now }
    }

    /// Returns the number of tokens that are there.
    pub(crate) fn available(&self, now: Instant) -> u64 {
        let spare = SECOND.saturating_sub(self.missing(now));
        let tokens = spare.as_nanos() * u128::from(self.per_second) / SECOND.as_nanos();
        u64::try_from(tokens).unwrap_or(u64::MAX)
    }

    /// Takes tokens, also those that are not there yet.
    pub(crate) fn take(&mut self, tokens: u64, now: Instant) {
        self.full_at = now + self.missing(now).saturating_add(self.time_of(tokens));
    }

    /// How long it takes until this many tokens are there, at most as many as come in a second.
    pub(crate) fn wait_for(&self, tokens: u64, now: Instant) -> Duration {
        let needed = self.time_of(tokens.min(self.per_second));
        self.missing(now).saturating_add(needed).saturating_sub(SECOND)
    }

    /// How long it takes until the bucket is full.
    fn missing(&self, now: Instant) -> Duration {
        self.full_at.saturating_duration_since(now)
    }

    /// Rounded up, so that after that time the tokens are there.
    fn time_of(&self, tokens: u64) -> Duration {
        let nanos = (u128::from(tokens) * SECOND.as_nanos()).div_ceil(u128::from(self.per_second.max(1)));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(LONGEST)).min(Duration::from_nanos(LONGEST))
    }
}

const SECOND: Duration = Duration::from_secs(1);
/// In nanoseconds: no debt lasts longer than a day, so that no time is beyond the clock.
const LONGEST: u64 = 86_400_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_full_at_first_and_refilled_at_its_rate_up_to_one_second() {
        let begin = Instant::now();
        let after = |millis| begin + Duration::from_millis(millis);
        let mut bucket = Bucket::new(10, begin);
        assert_eq!(bucket.available(begin), 10);
        bucket.take(10, begin);
        assert_eq!((bucket.available(begin), bucket.available(after(99))), (0, 0));
        assert_eq!(bucket.wait_for(1, begin), Duration::from_millis(100));
        assert_eq!((bucket.available(after(100)), bucket.available(after(550))), (1, 5));
        assert_eq!((bucket.available(after(1000)), bucket.available(after(60_000))), (10, 10));
        bucket.take(25, after(1000));
        assert_eq!(bucket.wait_for(1, after(1000)), Duration::from_millis(1600));
        assert_eq!(bucket.wait_for(99, after(1000)), Duration::from_millis(2500), "no more than a second's");
    }

    #[test]
    fn a_wait_is_long_enough_at_every_rate() {
        let begin = Instant::now();
        for rate in [1, 3, 7, 1000, 999_983, 1 << 40] {
            let mut bucket = Bucket::new(rate, begin);
            bucket.take(rate, begin);
            let wait = bucket.wait_for(1, begin);
            assert!(bucket.available(begin + wait) >= 1, "{rate}");
        }
    }
}
