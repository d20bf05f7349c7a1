//! Why no WebSocket was opened in a browser.

use std::time::Duration;

use thiserror::Error;
use ws_core::SettingError;

use crate::debug::debug_as_display;
use crate::request_error::UrlError;

/// Why [`connect`](crate::connect) did not open a WebSocket.
///
/// A browser does not let a program see why an opening handshake failed, so that pages cannot explore a network: its
/// console has more.
#[derive(Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is not that of a WebSocket.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A subprotocol is not a token, or is offered twice (RFC 6455 section 4.1, item 10); the browser's words.
    #[error("the request cannot be sent: {0}")]
    Request(String),
    /// A setting cannot work.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The browser does not allow it: an encrypted page that asks for `ws://`, for example.
    #[error("the browser does not allow a WebSocket to {authority}: {reason}")]
    Blocked {
        /// The server's host and port.
        authority: String,
        /// The browser's words.
        reason: String,
    },
    /// There is no connection, or the server refused the opening handshake; the browser does not report which.
    #[error(
        "no WebSocket to {authority}: the server cannot be reached, or refused; check the address, the page's origin and the login, \
         and see the browser's console"
    )]
    Failed {
        /// The server's host and port.
        authority: String,
    },
    /// The connection was not open within [`Options::opening_timeout`](crate::Options::opening_timeout).
    #[error("{authority} was not open within opening_timeout = {after:?}")]
    Timeout {
        /// The server's host and port.
        authority: String,
        /// The value of the setting.
        after: Duration,
    },
    /// An error of the caller, made by [`ConnectError::custom`].
    #[error("{source}")]
    Custom {
        /// The error.
        r#source: Box<dyn std::error::Error + Send + Sync>,
        /// Whether another attempt cannot succeed.
        fatal: bool,
    },
}

debug_as_display!(ConnectError);

impl ConnectError {
    /// Returns whether another attempt with the same request cannot succeed. A refusal is not, for it cannot be told from a
    /// network that is down: set [`Backoff::max_failures`](crate::Backoff::max_failures) to give up in time.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Failed { .. } | Self::Timeout { .. } => false,
            Self::Custom { fatal, .. } => *fatal,
            _ => true,
        }
    }

    /// Returns a custom error, for the hook of [`Client::reconnect_with`](crate::Client::reconnect_with): if it is `fatal`
    /// it is returned to the caller, otherwise there is another attempt.
    pub fn custom(source: impl Into<Box<dyn std::error::Error + Send + Sync>>, fatal: bool) -> Self {
        Self::Custom { source: source.into(), fatal }
    }
}

impl From<std::convert::Infallible> for ConnectError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}
