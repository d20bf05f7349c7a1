//! One deadline for everything that opening a connection takes.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::error::{ConnectError, Stage};
use crate::request::Request;

/// One point in time for everything that opening a connection takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    pub(crate) after: Duration,
}

impl Deadline {
    pub(crate) async fn within<F: Future>(
        self,
        request: &Request,
        during: Stage,
        doing: F,
    ) -> Result<F::Output, ConnectError> {
        timeout_at(self.at, doing).await.map_err(|_| ConnectError::Timeout {
            authority: request.authority(),
            during,
            after: self.after,
        })
    }
}

/// A point in time so far away; what is beyond the clock is thirty years away.
pub(crate) fn from_now(duration: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(duration).unwrap_or_else(|| now + Duration::from_secs(30 * 365 * 86_400))
}
