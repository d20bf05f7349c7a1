//! Points in time that cannot overflow.

use std::time::Duration;

use tokio::time::Instant;

/// Returns the point in time `duration` from now, or in thirty years if the clock cannot represent it.
pub(crate) fn from_now(duration: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(duration).unwrap_or_else(|| now + Duration::from_secs(30 * 365 * 86_400))
}
