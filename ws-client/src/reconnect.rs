//! One connection after another: waiting longer after each failure, and never in step with other clients.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use http::header::RETRY_AFTER;
use tokio::time::{Instant, sleep_until};

use crate::backoff::Backoff;
use crate::client::{Client, Opened};
use crate::deadline::from_now;
use crate::error::ConnectError;
use crate::request::Request;

/// Connections to one place, one after another; made by [`Client::reconnect`] or [`Client::reconnect_with`].
///
/// Each is a new connection and begins empty: **nothing is sent again by itself**. What an old
/// connection had not delivered is unknown to both; only the application knows what may be repeated.
///
/// ```no_run
/// # async fn f() -> Result<(), ws_client::ConnectError> {
/// let client = ws_client::Client::new()?;
/// let mut connections = client.reconnect("wss://example.com/feed")?;
/// loop {
///     let (mut ws, _response) = connections.next().await?; // fails only for good
///     while let Ok(Some(message)) = ws.recv().await {
///         println!("{} bytes", message.len());
///     }
/// }
/// # }
/// ```
pub struct Reconnect {
    client: Client,
    request: Box<dyn FnMut() -> Requesting + Send>,
    /// Failures in a row.
    failures: u32,
    state: State,
}

enum State {
    /// Nothing was tried yet.
    New,
    /// A connection was handed out then.
    Opened(Instant),
    /// The next attempt is due then.
    Waiting(Instant),
}

/// A request in the making: what the hook of [`Client::reconnect_with`] returns, boxed.
type Requesting = Pin<Box<dyn Future<Output = Result<Request, ConnectError>> + Send>>;

impl Client {
    /// Connections to the same place, one after another, with [`Options::backoff`](crate::Options::backoff).
    ///
    /// # Errors
    /// [`ConnectError`] when the request itself is wrong.
    pub fn reconnect(
        &self,
        request: impl TryInto<Request, Error: Into<ConnectError>>,
    ) -> Result<Reconnect, ConnectError> {
        let request = request.try_into().map_err(Into::into)?;
        Ok(self.reconnect_with(move || std::future::ready(Ok(request.clone()))))
    }

    /// The same, with a request made afresh for each attempt: a new token, another server.
    ///
    /// An error of the hook ends it when [`ConnectError::is_fatal`], and counts as a failed attempt otherwise; see
    /// [`ConnectError::custom`] for errors of one's own.
    pub fn reconnect_with<F>(&self, mut request: impl FnMut() -> F + Send + 'static) -> Reconnect
    where
        F: Future<Output = Result<Request, ConnectError>> + Send + 'static,
    {
        Reconnect {
            client: self.clone(),
            request: Box::new(move || Box::pin(request())),
            failures: 0,
            state: State::New,
        }
    }
}

impl Reconnect {
    /// The next connection. The first attempt is made at once, each further one after a delay.
    ///
    /// May be dropped at any time: the delay that was under way goes on.
    ///
    /// # Errors
    /// What will not pass ([`ConnectError::is_fatal`]), and the last of
    /// [`Backoff::max_failures`] failures in a row. It may be called again after either.
    pub async fn next(&mut self) -> Result<Opened, ConnectError> {
        loop {
            match self.state {
                State::New => {}
                State::Waiting(due) => sleep_until(due).await,
                State::Opened(at) => {
                    if at.elapsed() >= self.backoff().stable_after {
                        self.failures = 0;
                    }
                    self.wait(None)?;
                    continue;
                }
            }
            let error = match self.attempt().await {
                Ok(opened) => {
                    self.failures = self.failures.saturating_add(1);
                    self.state = State::Opened(Instant::now());
                    return Ok(opened);
                }
                Err(error) => error,
            };
            self.failures = self.failures.saturating_add(1);
            self.wait(retry_after(&error))?;
            if error.is_fatal() || self.backoff().max_failures.is_some_and(|max| self.failures >= max) {
                return Err(error);
            }
            tracing::debug!(%error, failures = self.failures, "not connected, trying again");
        }
    }

    async fn attempt(&mut self) -> Result<Opened, ConnectError> {
        let request = (self.request)().await?;
        self.client.connect(request).await
    }

    fn wait(&mut self, at_least: Option<Duration>) -> Result<(), ConnectError> {
        let chance = getrandom::u64().map_err(ConnectError::Random)?;
        let backoff = self.backoff();
        let delay = backoff.delay(self.failures.saturating_sub(1), chance);
        let asked = at_least.unwrap_or_default().min(backoff.max);
        self.state = State::Waiting(from_now(asked.saturating_add(delay)));
        Ok(())
    }

    fn backoff(&self) -> &Backoff {
        &self.client.options().backoff
    }
}

impl fmt::Debug for Reconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnect").field("failures", &self.failures).finish_non_exhaustive()
    }
}

/// The seconds of a refusal's `Retry-After` (RFC 9110 section 10.2.3); a date is not read.
fn retry_after(error: &ConnectError) -> Option<Duration> {
    let value = error.response()?.headers().get(RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}
