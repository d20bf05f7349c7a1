//! The settings of a client in a browser.

use std::time::Duration;

use ws_core::SettingError;

use super::config::Config;
use crate::backoff::Backoff;

/// The settings of a [`Client`](crate::Client). Set the fields that matter, or chain the setters of the same names, then
/// [`build`](Self::build).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Limits of the open connection. Default [`Config::client`].
    pub connection: Config,
    /// The time from the call to the open connection. Longer than zero; default 10 s.
    #[doc(alias("open_timeout", "connect_timeout", "handshake_timeout"))]
    pub opening_timeout: Duration,
    /// The delays of [`Client::reconnect`](crate::Client::reconnect). Default [`Backoff::default`].
    pub backoff: Backoff,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connection: Config::client(),
            opening_timeout: Duration::from_secs(10),
            backoff: Backoff::default(),
        }
    }
}

/// Setters, to chain: each returns the options with the field of its name replaced.
impl Options {
    /// Sets the [limits](Self#structfield.connection) of the open connection.
    #[must_use]
    pub fn connection(mut self, connection: Config) -> Self {
        self.connection = connection;
        self
    }

    /// Sets the [time](Self#structfield.opening_timeout) from the call to the open connection.
    #[must_use]
    pub fn opening_timeout(mut self, timeout: Duration) -> Self {
        self.opening_timeout = timeout;
        self
    }

    /// Sets the [delays](Self#structfield.backoff) between attempts to connect again.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    pub(crate) fn check(&self) -> Result<(), SettingError> {
        self.connection.check()?;
        if self.opening_timeout.is_zero() {
            let must = "it must be longer than zero; the default is 10 s";
            return Err(SettingError::new("opening_timeout", "0ns", must));
        }
        self.backoff.check()
    }
}
