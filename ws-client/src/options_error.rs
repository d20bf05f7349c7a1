//! Which setting of a client is not possible, and why.

use std::time::Duration;

use thiserror::Error;
use ws_core::ConfigError;

use crate::debug::debug_as_display;

/// A setting that is not possible.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// One of [`Options::websocket`](crate::Options::websocket) or [`Options::deflate`](crate::Options::deflate).
    #[error(transparent)]
    WebSocket(#[from] ConfigError),
    /// Nothing can be opened in no time.
    #[error("opening_timeout = 0 is not possible: it must be longer than zero; the default is 10 s")]
    OpeningTimeout,
    /// No response fits.
    #[error(
        "head.{setting} = {value} is not possible: no response fits into less than {least}; the default is HeadLimits::client()"
    )]
    Head {
        /// The field.
        setting: &'static str,
        /// Its value.
        value: usize,
        /// The smallest value that is possible.
        least: usize,
    },
    /// The bounds of the delays are no bounds.
    #[error(
        "backoff: initial = {initial:?} and max = {max:?} are not possible: 0 < initial ≤ max; the defaults are 500 ms and 30 s"
    )]
    Backoff {
        /// The value of `initial`.
        initial: Duration,
        /// The value of `max`.
        max: Duration,
    },
    /// Not even a first attempt.
    #[error("backoff: max_failures = 0 is not possible: it must be above zero; None sets no limit")]
    NoAttempt,
    /// A certificate, key or set of roots that cannot be used.
    #[error("tls: {0}")]
    Certificate(String),
}

debug_as_display!(OptionsError);
