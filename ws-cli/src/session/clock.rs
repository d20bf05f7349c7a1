//! Points in time that may never come.

use std::time::{Duration, Instant};

use tokio::time::{Interval, MissedTickBehavior, interval_at, sleep_until};

pub(super) fn every(period: Duration) -> Interval {
    let mut interval = interval_at(tokio::time::Instant::from_std(after(period)), period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

pub(super) async fn tick(interval: &mut Option<Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}

pub(super) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// The point in time after this duration; thirty years from now if the clock cannot represent it.
pub(super) fn after(duration: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(duration).unwrap_or_else(|| now + Duration::from_secs(30 * 365 * 86_400))
}
