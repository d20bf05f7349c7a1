//! One connection after another, in a browser: with delays that grow with each failure and differ between clients.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::client::Client;
use super::connect_error::ConnectError;
use super::negotiated::Opened;
use super::request::Request;
use super::timer::{Sleep, now};
use crate::backoff::{Backoff, Failures};

/// Opens connections to the same server, one after another; returned by [`Client::reconnect`] or [`Client::reconnect_with`].
///
/// Each connection is new: **nothing is sent again automatically**. Neither side knows what an old connection had not
/// delivered; only the application knows what may be repeated.
pub struct Reconnect {
    client: Client,
    request: Box<dyn FnMut() -> Requesting>,
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

type Hook = Box<dyn FnMut(&Retry<'_>)>;

enum State {
    /// The next attempt is due.
    Due,
    /// A connection was returned at this time.
    Opened(Duration),
    /// The next attempt is made after this.
    Waiting(Sleep),
}

/// The future of a request: what the hook of [`Client::reconnect_with`] returns, boxed.
type Requesting = Pin<Box<dyn Future<Output = Result<Request, ConnectError>>>>;

impl Client {
    /// Returns an object that opens connections to the same server, one after another, with
    /// [`Options::backoff`](crate::Options::backoff).
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
    pub fn reconnect_with<F>(&self, mut request: impl FnMut() -> F + 'static) -> Reconnect
    where
        F: Future<Output = Result<Request, ConnectError>> + 'static,
    {
        Reconnect {
            client: self.clone(),
            request: Box::new(move || Box::pin(request())),
            on_wait: None,
            failures: Failures::default(),
            last_error: None,
            state: State::Due,
        }
    }
}

impl Reconnect {
    /// Calls `hook` before each wait, with the failure and the time until the next attempt, so that it can show why
    /// there is no connection. It replaces an earlier hook.
    #[must_use]
    pub fn on_wait(mut self, hook: impl FnMut(&Retry<'_>) + 'static) -> Self {
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
            match &mut self.state {
                State::Due => {}
                State::Waiting(sleep) => Pin::new(sleep).await,
                State::Opened(at) => {
                    self.failures.ended_after(now().saturating_sub(*at), &self.client.options().backoff);
                    let delay = self.wait();
                    self.report(delay);
                    continue;
                }
            }
            let attempt = self.attempt().await;
            self.last_error = None;
            self.failures.count_attempt();
            let error = match attempt {
                Ok(opened) => {
                    self.state = State::Opened(now());
                    return Ok(opened);
                }
                Err(error) => error,
            };
            let delay = self.wait();
            if self.failures.are_final(error.is_fatal(), self.backoff()) {
                return Err(error);
            }
            self.last_error = Some(error);
            self.report(delay);
        }
    }

    async fn attempt(&mut self) -> Result<Opened, ConnectError> {
        let request = (self.request)().await?;
        self.client.connect(request).await
    }

    /// Sets when the next attempt is due; returns the time until then.
    fn wait(&mut self) -> Duration {
        // No secret: what matters is that clients differ.
        let chance = (js_sys::Math::random() * 2f64.powi(64)) as u64;
        let delay = self.failures.delay(self.backoff(), None, chance);
        self.state = State::Waiting(Sleep::new(delay));
        delay
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
