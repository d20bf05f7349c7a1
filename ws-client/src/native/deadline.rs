//! Points in time that cannot overflow.

use std::time::Duration;

use tokio::time::Instant;

/// Returns the point in time `duration` from now, or in thirty years if the clock cannot represent it.
pub(crate) fn from_now(duration: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(duration).unwrap_or_else(|| now + Duration::from_secs(30 * 365 * 86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_beyond_the_clock_ends_in_thirty_years() {
        let years = |years: u64| Duration::from_secs(years * 365 * 86_400);
        let wait = from_now(Duration::MAX) - Instant::now();
        assert!((years(29)..=years(30)).contains(&wait), "{wait:?}");
        assert!(from_now(years(31)) - Instant::now() > years(30), "the clock reaches further");
    }
}
