//! The settings of HTTP/2 connections, with their defaults.

use std::time::Duration;

use ws_core::SettingError;

/// The settings of HTTP/2 connections ([`Options::http2`](crate::Options::http2)). They have no effect over HTTP/1.1.
///
/// ```
/// use ws_client::{Http2Config, HttpVersion, Options};
///
/// # fn main() -> Result<(), ws_client::SettingError> {
/// let http2 = Http2Config::default().stream_window(1 << 20);
/// let client = Options::default().http_version(HttpVersion::Http2).http2(http2).build()?;
/// # Ok(())
/// # }
/// ```
///
/// Fixed are: no server push; frames of at most 16 KiB; at most 8 interim responses to a request; at most 64 KiB of a WebSocket
/// that wait in the HTTP/2 connection to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Http2Config {
    /// How much a server may send on one WebSocket beyond what was read of it, in bytes. A WebSocket that is not read
    /// holds at most that. From 1 to 2^31 - 1; default 256 KiB.
    #[doc(alias = "initial_window_size")]
    pub stream_window: u32,
    /// The same for all WebSockets of a connection together, in bytes: when as much is unread, no WebSocket of the connection
    /// receives anything. The default is larger than 200 full stream windows, so that those that are not read do not stall
    /// the others. At least `stream_window` and 65,535, at most 2^31 - 1; default 64 MiB.
    pub connection_window: u32,
    /// The size of a response head, uncompressed and with 32 bytes for each field (RFC 9113 section 6.5.2). Beyond it the
    /// stream fails. At least 1 KiB; default 16 KiB.
    pub max_header_list_size: u32,
    /// How long a connection without a WebSocket is kept for the next one. Zero closes it at once. Default 30 s.
    pub idle_timeout: Duration,
}

impl Default for Http2Config {
    fn default() -> Self {
        Self {
            stream_window: 256 << 10,
            connection_window: 64 << 20,
            max_header_list_size: 16 << 10,
            idle_timeout: Duration::from_secs(30),
        }
    }
}

/// Setters, to chain: each returns the settings with the field of its name replaced.
impl Http2Config {
    /// Sets the [window of a WebSocket](Self#structfield.stream_window), in bytes.
    #[must_use]
    pub fn stream_window(mut self, bytes: u32) -> Self {
        self.stream_window = bytes;
        self
    }

    /// Sets the [window of a connection](Self#structfield.connection_window), in bytes.
    #[must_use]
    pub fn connection_window(mut self, bytes: u32) -> Self {
        self.connection_window = bytes;
        self
    }

    /// Sets the [largest response head](Self#structfield.max_header_list_size), in bytes.
    #[must_use]
    pub fn max_header_list_size(mut self, bytes: u32) -> Self {
        self.max_header_list_size = bytes;
        self
    }

    /// Sets [how long](Self#structfield.idle_timeout) a connection without a WebSocket is kept.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }
}

impl Http2Config {
    /// Checks that the settings are possible.
    pub(crate) fn check(&self) -> Result<(), SettingError> {
        let most = u64::from(LARGEST_WINDOW);
        let least_connection = u64::from(self.stream_window.max(SMALLEST_CONNECTION_WINDOW));
        for (setting, value, least, most) in [
            ("http2.stream_window", u64::from(self.stream_window), 1, most),
            ("http2.connection_window", u64::from(self.connection_window), least_connection, most),
            ("http2.max_header_list_size", u64::from(self.max_header_list_size), 1 << 10, u64::MAX),
        ] {
            if value < least {
                return Err(SettingError::new(setting, value, format!("it must be at least {least}")));
            }
            if value > most {
                return Err(SettingError::new(setting, value, format!("it must be at most {most}")));
            }
        }
        Ok(())
    }

    /// Returns a builder of HTTP/2 connections with these settings.
    pub(crate) fn builder(&self) -> h2::client::Builder {
        let mut builder = h2::client::Builder::new();
        builder
            .enable_push(false)
            .initial_window_size(self.stream_window)
            .initial_connection_window_size(self.connection_window)
            .max_header_list_size(self.max_header_list_size)
            .data_frame_budget(NO_BUDGET)
            .max_concurrent_reset_streams(REMEMBERED_RESETS)
            .reset_stream_duration(REMEMBERED_FOR)
            .max_local_error_reset_streams(Some(FORGOTTEN_FRAMES));
        builder
    }
}

/// The number of streams that were reset last whose late frames are ignored, and for how long: what a server has sent
/// before it learns that a WebSocket was dropped is no fault of the server.
const REMEMBERED_RESETS: usize = 1000;
const REMEMBERED_FOR: Duration = Duration::from_secs(10);
/// The number of frames on streams that are not remembered any more, and of other faults of single streams, after which the
/// connection ends: each is answered, and the answers wait in memory if the server does not read.
const FORGOTTEN_FRAMES: usize = 10_000;
/// Small DATA frames are no fault of a server: what arrives on a WebSocket is taken out of h2 at once, and what comes behind
/// an answer that the attempt has not yet taken is bounded by `stream_window`. h2 0.4.20 charges frames on streams that the
/// client has reset, too, and never gives that back, so that any budget is used up by WebSockets that are dropped.
const NO_BUDGET: usize = usize::MAX;
/// RFC 9113 section 6.9.1.
const LARGEST_WINDOW: u32 = (1 << 31) - 1;
/// RFC 9113 section 6.9.2: the window that a connection begins with; SETTINGS cannot make it smaller.
const SMALLEST_CONNECTION_WINDOW: u32 = 65_535;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setter_of_http2_sets_the_field_of_its_name() {
        let expected = Http2Config {
            stream_window: 1,
            connection_window: 2,
            max_header_list_size: 3,
            idle_timeout: Duration::from_secs(4),
        };
        let set = Http2Config::default()
            .stream_window(1)
            .connection_window(2)
            .max_header_list_size(3)
            .idle_timeout(Duration::from_secs(4));
        assert_eq!(set, expected);
    }

    #[test]
    fn windows_that_http2_cannot_have_are_refused() {
        let default = Http2Config::default;
        assert!(default().check().is_ok());
        for (config, setting) in [
            (default().stream_window(0), "http2.stream_window"),
            (default().stream_window(1 << 31), "http2.stream_window"),
            (default().connection_window(65_534), "http2.connection_window"),
            (default().stream_window(1 << 20).connection_window(1 << 19), "http2.connection_window"),
            (default().max_header_list_size(0), "http2.max_header_list_size"),
        ] {
            let error = config.check().unwrap_err().to_string();
            assert!(error.contains(setting), "{error}");
        }
    }
}
