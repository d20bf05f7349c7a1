//! What [`Reconnect`] needs on tokio: its clock, the operating system's chance, and hooks that may be sent to other threads.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{Reconnect, Retry};
use crate::chance;
use crate::client::Client;
use crate::deadline::from_now;
use crate::error::ConnectError;
use crate::request::Request;

/// The hook of [`Client::reconnect_with`], with its future boxed.
pub(super) type RequestHook =
    Box<dyn FnMut() -> Pin<Box<dyn Future<Output = Result<Request, ConnectError>> + Send>> + Send>;

/// The hook of [`Reconnect::on_wait`].
pub(super) type WaitHook = Box<dyn FnMut(&Retry<'_>) + Send>;

/// A point in time.
pub(super) type Moment = Instant;

/// A wait, which goes on while nobody awaits it.
pub(super) struct Wait(Instant);

impl Wait {
    pub(super) fn new(delay: Duration) -> Self {
        Self(from_now(delay))
    }

    pub(super) async fn over(&mut self) {
        sleep_until(self.0).await;
    }
}

/// Returns a random number that differs between clients.
pub(super) fn chance() -> Result<u64, ConnectError> {
    let mut chance = [0; 8];
    chance::fill(&mut chance)?;
    Ok(u64::from_ne_bytes(chance))
}

/// Returns how long the server asks to wait.
pub(super) fn asked_by(error: &ConnectError) -> Option<Duration> {
    error.retry_after()
}

impl Client {
    /// Like [`reconnect`](Self::reconnect), with a new request for each attempt: with a new token, or for another server.
    ///
    /// A fatal error of the hook ([`ConnectError::is_fatal`]) is returned, any other counts as a failed attempt; see
    /// [`ConnectError::custom`] for custom errors.
    ///
    /// The hook is a closure that returns a future with everything that it needs: `move || async move { … }`. An `async` closure
    /// (`async || …`) that uses variables from outside of it does not compile here, because its future borrows from it.
    ///
    /// ```
    /// use ws_client::{Client, ConnectError, Request};
    ///
    /// async fn new_token() -> Result<String, ConnectError> {
    ///     // From the service that issues tokens; its errors by `ConnectError::custom`.
    /// #   Ok("letmein".into())
    /// }
    ///
    /// # fn f(url: String) -> Result<(), ConnectError> {
    /// let mut connections = Client::new()?.reconnect_with(move || {
    ///     let url = url.clone();
    ///     async move {
    ///         let token = new_token().await?;
    ///         Ok(Request::new(&url)?.header("Authorization", format!("Bearer {token}"))?)
    ///     }
    /// });
    /// # Ok(()) }
    /// # f("ws://127.0.0.1:9001".into()).unwrap();
    /// ```
    pub fn reconnect_with<F>(&self, mut request: impl FnMut() -> F + Send + 'static) -> Reconnect
    where
        F: Future<Output = Result<Request, ConnectError>> + Send + 'static,
    {
        Reconnect::new(self, Box::new(move || Box::pin(request())))
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
}
