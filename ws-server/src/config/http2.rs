//! What an HTTP/2 connection may cost.

use std::time::Duration;

use crate::config::error::SettingError;
use crate::config::setters::setters;

/// What holds for each HTTP/2 connection (RFC 9113), on which WebSockets are streams (RFC 8441) that share it. Each field has
/// a setter of the same name.
///
/// The permits of [`ServerOptions::max_connections`](crate::ServerOptions::max_connections) are for WebSockets, over
/// HTTP/2 as over HTTP/1.1; these limits bound what one connection holds besides.
///
/// Fixed are: frames of at most 16 KiB are received; frames that arrive late are ignored on the twice `max_streams` streams
/// that the server has reset last, for 10 s; `h2` ends a connection after a hundred empty DATA frames.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Http2Options {
    /// The most streams that are open at one time on one connection: WebSockets, and requests that are being answered.
    /// The peer knows it from the settings (SETTINGS_MAX_CONCURRENT_STREAMS); a stream beyond is refused, and the
    /// connection goes on. Default 128.
    pub max_streams: u32,
    /// How long a connection without a stream is kept. Such connections hold a place of an answer that is being written
    /// (half of [`ServerOptions::max_handshakes`](crate::ServerOptions::max_handshakes)); when all are taken, a
    /// connection without a stream is closed at once. The first request has to come within
    /// [`HandshakeOptions::timeout`](crate::HandshakeOptions::timeout). Default 60 s.
    pub idle_timeout: Duration,
    /// The receive window of a stream in bytes: what a peer can send of one WebSocket that its handler has not read.
    /// Default 64 KiB.
    pub stream_window: u32,
    /// The receive window of a connection in bytes. Default `None`: `max_streams` times `stream_window`, so that
    /// WebSockets whose handlers do not read never hold up the others. With less, that many bytes unread hold up
    /// the whole connection.
    pub connection_window: Option<u32>,
    /// The most bytes of a request's fields, decompressed, with 32 for each field (RFC 9113 section 6.5.2). Beyond, 431 is
    /// answered. [`HandshakeOptions::head`](crate::HandshakeOptions::head) counts too. Default 16 KiB.
    pub max_header_list_size: u32,
    /// How many streams that the peer has reset may wait to be noticed; beyond, the connection ends (rapid reset,
    /// CVE-2023-44487). Default 64.
    pub max_pending_accept_reset_streams: usize,
    /// How many streams may be reset on one connection because of faults of the peer; beyond, the connection ends.
    /// Default 1024.
    pub max_local_error_reset_streams: usize,
    /// The most bytes of one stream that wait inside for the socket. Default 64 KiB.
    pub max_send_buffer_size: usize,
    /// What small DATA frames may cost that `h2` has received and not passed on: 256 for each of them, less its payload. When
    /// that is exceeded the connection ends with ENHANCE_YOUR_CALM. Default `usize::MAX`, which is no limit: the server takes
    /// what has arrived out of `h2` after each 64 KiB, so that more small frames never wait there, and a lower limit ends
    /// connections of honest clients, because `h2` (0.4.20) never gives back what frames have cost that arrive on a stream
    /// after the server has reset it.
    pub data_frame_budget: usize,
}

impl Default for Http2Options {
    fn default() -> Self {
        Self {
            max_streams: 128,
            idle_timeout: Duration::from_secs(60),
            stream_window: 64 << 10,
            connection_window: None,
            max_header_list_size: 16 << 10,
            max_pending_accept_reset_streams: 64,
            max_local_error_reset_streams: 1024,
            max_send_buffer_size: 64 << 10,
            data_frame_budget: usize::MAX,
        }
    }
}

impl Http2Options {
    setters! {
        max_streams: u32,
        idle_timeout: Duration,
        stream_window: u32,
        connection_window: Option<u32>,
        max_header_list_size: u32,
        max_pending_accept_reset_streams: usize,
        max_local_error_reset_streams: usize,
        max_send_buffer_size: usize,
        data_frame_budget: usize,
    }

    /// Whether the settings make sense.
    ///
    /// # Errors
    /// The first setting that does not, with its value and what it must be.
    pub fn check(&self) -> Result<(), SettingError> {
        if self.max_streams == 0 {
            return Err(SettingError::new(
                "http2.max_streams",
                0,
                "it must be at least 1; http2 = None turns HTTP/2 off",
            ));
        }
        if self.idle_timeout.is_zero() {
            return Err(SettingError::new("http2.idle_timeout", "0ns", "it must be longer than zero"));
        }
        let connection = ("http2.connection_window", self.connection_window_size());
        for (setting, value) in [("http2.stream_window", self.stream_window), connection] {
            // RFC 9113 §6.9.1: the largest window; below the initial one a connection's cannot be set.
            let least = if setting == connection.0 { INITIAL_WINDOW } else { 1 };
            if !(least..=LARGEST_WINDOW).contains(&value) {
                let must = format!("it must be between {least} and {LARGEST_WINDOW}");
                return Err(SettingError::new(setting, value, must));
            }
        }
        if self.max_send_buffer_size == 0 {
            return Err(SettingError::new("http2.max_send_buffer_size", 0, "nothing could be sent"));
        }
        Ok(())
    }

    /// `connection_window`, or what it is by default.
    pub fn connection_window_size(&self) -> u32 {
        let all = self.max_streams.saturating_mul(self.stream_window).clamp(INITIAL_WINDOW, LARGEST_WINDOW);
        self.connection_window.unwrap_or(all)
    }
}

/// RFC 9113 section 6.9.2.
const INITIAL_WINDOW: u32 = 65_535;
const LARGEST_WINDOW: u32 = (1 << 31) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_http_2_make_sense_and_are_those_of_the_docs() {
        let options = Http2Options::default();
        options.check().unwrap();
        assert_eq!((options.connection_window_size(), options.data_frame_budget), (8 << 20, usize::MAX));
    }

    #[test]
    fn impossible_values_of_http_2_are_named() {
        let options = Http2Options::default;
        for (options, setting) in [
            (options().max_streams(0), "http2.max_streams"),
            (options().idle_timeout(Duration::ZERO), "http2.idle_timeout"),
            (options().stream_window(0), "http2.stream_window"),
            (options().stream_window(1 << 31), "http2.stream_window"),
            (options().connection_window(Some(1)), "http2.connection_window"),
            (options().max_send_buffer_size(0), "http2.max_send_buffer_size"),
        ] {
            assert_eq!(options.check().unwrap_err().setting, setting);
        }
    }
}
