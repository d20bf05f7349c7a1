//! What [`Reconnect`] needs of a browser: its clock and its chance, and hooks that stay in one thread.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::{Reconnect, Retry};
use crate::browser::timer::{Sleep, now};
use crate::browser::{Client, ConnectError, Request};

/// The hook of [`Client::reconnect_with`], with its future boxed.
pub(super) type RequestHook =
    Box<dyn FnMut() -> Pin<Box<dyn Future<Output = Result<Request, ConnectError>>>>>;

/// The hook of [`Reconnect::on_wait`].
pub(super) type WaitHook = Box<dyn FnMut(&Retry<'_>)>;

/// A point in time.
pub(super) struct Moment(Duration);

impl Moment {
    pub(super) fn now() -> Self {
        Self(now())
    }

    pub(super) fn elapsed(&self) -> Duration {
        now().saturating_sub(self.0)
    }
}

/// A wait, which goes on while nobody awaits it.
pub(super) struct Wait(Sleep);

impl Wait {
    pub(super) fn new(delay: Duration) -> Self {
        Self(Sleep::new(delay))
    }

    pub(super) async fn over(&mut self) {
        Pin::new(&mut self.0).await;
    }
}

/// Returns a random number that differs between clients; it is no secret.
pub(super) fn chance() -> Result<u64, ConnectError> {
    Ok((js_sys::Math::random() * 2f64.powi(64)) as u64)
}

/// Returns how long the server asks to wait, which a browser does not report.
pub(super) fn asked_by(_error: &ConnectError) -> Option<Duration> {
    None
}

impl Client {
    /// Like [`reconnect`](Self::reconnect), with a new request for each attempt: with a new token, or for another server.
    ///
    /// A fatal error of the hook ([`ConnectError::is_fatal`]) is returned, any other counts as a failed attempt; see
    /// [`ConnectError::custom`] for custom errors.
    pub fn reconnect_with<F>(&self, mut request: impl FnMut() -> F + 'static) -> Reconnect
    where
        F: Future<Output = Result<Request, ConnectError>> + 'static,
    {
        Reconnect::new(self, Box::new(move || Box::pin(request())))
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
}
