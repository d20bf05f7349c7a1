//! One connection after another, with delays that grow with each failure and differ between clients.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::backoff::{Backoff, Failures};
use crate::chance;
use crate::client::Client;
use crate::deadline::from_now;
use crate::error::ConnectError;
use crate::negotiated::Opened;
use crate::request::Request;

/// Opens connections to the same server, one after another; returned by [`Client::reconnect`] or [`Client::reconnect_with`].
///
/// Each connection is new: **nothing is sent again automatically**. Neither side knows what an old connection had not
/// delivered; only the application knows what may be repeated.
///
/// ```no_run
/// # async fn f() -> Result<(), ws_client::ConnectError> {
/// let client = ws_client::Client::new()?;
/// let mut connections = client.reconnect("wss://example.com/feed")?;
/// loop {
///     let (mut ws, _negotiated) = connections.next().await?; // an error here is permanent
///     while let Ok(Some(message)) = ws.recv().await {
///         println!("{} bytes", message.len());
///     }
/// }
/// # }
/// ```
pub struct Reconnect {
    client: Client,
    request: Box<dyn FnMut() -> Requesting + Send>,
    on_wait: Option<Hook>,
    failures: Failures,
    /// The error of the last attempt.
    last_error: Option<ConnectError>,
    state: State,
}

/// The argument of the hook of [`Reconnect::on_wait`]: the reason for the wait, and its length.
#[derive(Debug)]
#[non_exhaustive]
pub struct Retry<'a> {
    /// The number of failures in a row; zero after a connection that lasted for [`Backoff::stable_after`].
    pub failures: u32,
    /// The error of the last attempt; `None` if it opened a connection, which has ended since.
    pub error: Option<&'a ConnectError>,
    /// The time until the next attempt.
    pub delay: Duration,
}

type Hook = Box<dyn FnMut(&Retry<'_>) + Send>;

enum State {
    /// There was no attempt yet.
    New,
    /// A connection was returned at this time.
    Opened(Instant),
    /// The next attempt is due at this time.
    Waiting(Instant),
}

/// The future of a request: what the hook of [`Client::reconnect_with`] returns, boxed.
type Requesting = Pin<Box<dyn Future<Output = Result<Request, ConnectError>> + Send>>;

impl Client {
    /// Returns an object that opens connections to the same server, one after another, with [`Options::backoff`](crate::Options::backoff).
    ///
    /// # Errors
    /// [`ConnectError`] if the request itself is invalid.
    #[doc(alias("retry", "backoff", "auto_reconnect"))]
    pub fn reconnect(
        &self,
        request: impl TryInto<Request, Error: Into<ConnectError>>,
    ) -> Result<Reconnect, ConnectError> {
        let request = request.try_into().map_err(Into::into)?;
        Ok(self.reconnect_with(move || std::future::ready(Ok(request.clone()))))
    }

    /// Like [`reconnect`](Self::reconnect), with a new request for each attempt: with a new token, or for another server.
    ///
    /// A fatal error of the hook ([`ConnectError::is_fatal`]) is returned, any other counts as a failed attempt; see
    /// [`ConnectError::custom`] for custom errors.
    pub fn reconnect_with<F>(&self, mut request: impl FnMut() -> F + Send + 'static) -> Reconnect
    where
        F: Future<Output = Result<Request, ConnectError>> + Send + 'static,
    {
        Reconnect {
            client: self.clone(),
            request: Box::new(move || Box::pin(request())),
            on_wait: None,
            failures: Failures::default(),
            last_error: None,
            state: State::New,
        }
    }
}

impl Reconnect {
    /// Calls `hook` before each wait, with the failure and the time until the next attempt, so that it can show or log why
    /// there is no connection. It replaces an earlier hook.
    ///
    /// ```
    /// # fn main() -> Result<(), ws_client::ConnectError> {
    /// let connections = ws_client::Client::new()?.reconnect("ws://127.0.0.1:9001")?.on_wait(|retry| {
    ///     if let Some(error) = retry.error {
    ///         eprintln!("{error} (failure {}, again in {:?})", retry.failures, retry.delay);
    ///     }
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on_wait(mut self, hook: impl FnMut(&Retry<'_>) + Send + 'static) -> Self {
        self.on_wait = Some(Box::new(hook));
        self
    }

    /// Returns the number of failures in a row. A connection counts as a failure until it has lasted
    /// for [`Backoff::stable_after`]; that is checked by the next call of [`next`](Self::next).
    pub fn failures(&self) -> u32 {
        self.failures.count()
    }

    /// Returns the error of the last attempt while further attempts are made; `None` after an attempt that opened a
    /// connection, and after an error that [`next`](Self::next) has returned.
    pub fn last_error(&self) -> Option<&ConnectError> {
        self.last_error.as_ref()
    }

    /// Opens the next connection. The first attempt is made at once, each further one after a delay.
    ///
    /// The future may be dropped at any time: the current delay continues.
    ///
    /// # Errors
    /// A fatal error ([`ConnectError::is_fatal`]), or the last of [`Backoff::max_failures`] failures in a row. `next` may
    /// be called again after either.
    pub async fn next(&mut self) -> Result<Opened, ConnectError> {
        loop {
            match self.state {
                State::New => {}
                State::Waiting(due) => sleep_until(due).await,
                State::Opened(at) => {
                    self.failures.ended_after(at.elapsed(), &self.client.options().backoff);
                    let delay = self.wait(None)?;
                    self.report(delay);
                    continue;
                }
            }
            let attempt = self.attempt().await;
            self.last_error = None;
            self.failures.count_attempt();
            let error = match attempt {
                Ok(opened) => {
                    self.state = State::Opened(Instant::now());
                    return Ok(opened);
                }
                Err(error) => error,
            };
            let delay = self.wait(error.retry_after())?;
            if self.failures.are_final(error.is_fatal(), self.backoff()) {
                return Err(error);
            }
            tracing::debug!(%error, failures = self.failures.count(), ?delay, "not connected, trying again");
            self.last_error = Some(error);
            self.report(delay);
        }
    }

    async fn attempt(&mut self) -> Result<Opened, ConnectError> {
        let request = (self.request)().await?;
        self.client.connect(request).await
    }

    /// Sets when the next attempt is due; returns the time until then.
    fn wait(&mut self, asked: Option<Duration>) -> Result<Duration, ConnectError> {
        let mut chance = [0; 8];
        chance::fill(&mut chance)?;
        let delay = self.failures.delay(self.backoff(), asked, u64::from_ne_bytes(chance));
        self.state = State::Waiting(from_now(delay));
        Ok(delay)
    }

    fn report(&mut self, delay: Duration) {
        if let Some(hook) = &mut self.on_wait {
            hook(&Retry { failures: self.failures.count(), error: self.last_error.as_ref(), delay });
        }
    }

    fn backoff(&self) -> &Backoff {
        &self.client.options().backoff
    }
}

impl fmt::Debug for Reconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnect")
            .field("failures", &self.failures.count())
            .field("last_error", &self.last_error)
            .finish_non_exhaustive()
    }
}
