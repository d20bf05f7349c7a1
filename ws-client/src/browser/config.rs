//! The limits of an open connection in a browser.

use ws_core::{CloseCode, SettingError};

/// Limits of an open connection. What else [`Config`] has on other targets is up to the browser: pings, deadlines,
/// compression.
#[doc(alias("WebSocketConfig"))]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The largest message that is received, in bytes. A larger one is dropped, and the connection is closed with
    /// [`TOO_BIG`](Self::TOO_BIG). The browser has received it whole by then: it offers no limit that applies earlier.
    /// Above zero; default 16 MiB.
    #[doc(alias("max_size"))]
    pub max_message_size: usize,
    /// The limit of received messages that wait for `recv`, in bytes of payload and 64 for each. A single message may
    /// be larger, up to `max_message_size`. What happens beyond is [`overflow`](Self::overflow). Above zero; default
    /// 16 MiB.
    pub max_received: usize,
    /// What happens to a message that there is no room for. Default [`Overflow::Close`].
    pub overflow: Overflow,
    /// `send` waits while the browser holds this many bytes or more that are not sent yet (`bufferedAmount`). Above zero;
    /// default 64 KiB.
    #[doc(alias("bufferedAmount"))]
    pub send_high_water: usize,
}

/// What happens to a received message when those that wait for `recv` are at the limit of [`Config::max_received`].
///
/// A browser's `WebSocket` cannot be asked to receive more slowly. Chromium's `WebSocketStream` can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// Where the browser has `WebSocketStream` it is used: it receives no more, and the server has to wait. Elsewhere the
    /// connection is closed with [`Config::TRY_AGAIN_LATER`]; `recv` returns what waits, then an error.
    Close,
    /// The oldest messages that wait are dropped; `dropped` counts them.
    DropOldest,
    /// The message is dropped; `dropped` counts it.
    DropNewest,
}

impl Config {
    /// Stands for 1013 (try again later) where messages wait beyond [`max_received`](Self::max_received). Browsers
    /// let a program close with 1000 and 3000 to 4999 only, of which 4000 and above are for private use (RFC 6455
    /// section 7.4.2).
    pub const TRY_AGAIN_LATER: CloseCode = CloseCode(4013);

    /// Stands for 1009 (message too big), for the same reason.
    pub const TOO_BIG: CloseCode = CloseCode(4009);

    /// Returns the defaults.
    pub const fn client() -> Self {
        Self {
            max_message_size: 16 << 20,
            max_received: 16 << 20,
            overflow: Overflow::Close,
            send_high_water: 64 << 10,
        }
    }

    pub(crate) fn check(&self) -> Result<(), SettingError> {
        for (setting, value, default) in [
            ("max_message_size", self.max_message_size, "16 MiB"),
            ("max_received", self.max_received, "16 MiB"),
            ("send_high_water", self.send_high_water, "64 KiB"),
        ] {
            if value == 0 {
                return Err(SettingError::new(
                    setting,
                    0,
                    format!("it must be above zero; the default is {default}"),
                ));
            }
        }
        Ok(())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::client()
    }
}

/// Setters, to chain: each returns the limits with the field of its name replaced.
impl Config {
    /// Sets the [largest message](Self#structfield.max_message_size) that is received, in bytes.
    #[must_use]
    pub const fn max_message_size(mut self, bytes: usize) -> Self {
        self.max_message_size = bytes;
        self
    }

    /// Sets the [limit of received messages that wait](Self#structfield.max_received), in bytes.
    #[must_use]
    pub const fn max_received(mut self, bytes: usize) -> Self {
        self.max_received = bytes;
        self
    }

    /// Sets [what happens](Self#structfield.overflow) to a message that there is no room for.
    #[must_use]
    pub const fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Sets [how many unsent bytes](Self#structfield.send_high_water) make `send` wait.
    #[must_use]
    pub const fn send_high_water(mut self, bytes: usize) -> Self {
        self.send_high_water = bytes;
        self
    }
}
