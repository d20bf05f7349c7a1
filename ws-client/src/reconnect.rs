//! One connection after another, with delays that grow with each failure and differ between clients. What a target has of its own is
//! in a file beside this: its clock, its chance, and the hooks, which are `Send` on all targets but the browser.

#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(not(target_arch = "wasm32"))]
mod native;

use std::fmt;
use std::time::Duration;

#[cfg(target_arch = "wasm32")]
use self::browser::{Moment, RequestHook, Wait, WaitHook, asked_by, chance};
#[cfg(not(target_arch = "wasm32"))]
use self::native::{Moment, RequestHook, Wait, WaitHook, asked_by, chance};
use crate::backoff::{Backoff, Failures};
#[cfg(target_arch = "wasm32")]
use crate::browser::{Client, ConnectError, Opened, Request};
#[cfg(not(target_arch = "wasm32"))]
use crate::client::Client;
#[cfg(not(target_arch = "wasm32"))]
use crate::error::ConnectError;
#[cfg(not(target_arch = "wasm32"))]
use crate::negotiated::Opened;
#[cfg(not(target_arch = "wasm32"))]
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
    request: RequestHook,
    on_wait: Option<WaitHook>,
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

enum State {
    /// There was no attempt yet.
    New,
    /// A connection was returned at this time.
    Opened(Moment),
    /// The next attempt is made after this.
    Waiting(Wait),
}

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
}

impl Reconnect {
    fn new(client: &Client, request: RequestHook) -> Self {
        let (failures, state) = (Failures::default(), State::New);
        Self { client: client.clone(), request, on_wait: None, failures, last_error: None, state }
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
                State::New => {}
                State::Waiting(wait) => wait.over().await,
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
                    self.state = State::Opened(Moment::now());
                    return Ok(opened);
                }
                Err(error) => error,
            };
            let delay = self.wait(asked_by(&error))?;
            if self.failures.are_final(error.is_fatal(), self.backoff()) {
                return Err(error);
            }
            #[cfg(not(target_arch = "wasm32"))]
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
        let delay = self.failures.delay(self.backoff(), asked, chance()?);
        self.state = State::Waiting(Wait::new(delay));
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
