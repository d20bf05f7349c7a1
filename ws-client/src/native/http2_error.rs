//! The errors of opening a WebSocket over HTTP/2.

use h2::Reason;
use thiserror::Error;

use crate::debug::debug_as_display;

/// Why no WebSocket was opened over HTTP/2. A refusal with a status is
/// [`ConnectError::Refused`](crate::ConnectError::Refused), as over HTTP/1.1.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Http2Error {
    /// The server did not choose `h2` by ALPN.
    #[error(
        "it does not offer HTTP/2: set Options::http_version to HttpVersion::Http2IfOffered or HttpVersion::Http1"
    )]
    NotOffered,
    /// The server speaks HTTP/2, and its first SETTINGS have no `SETTINGS_ENABLE_CONNECT_PROTOCOL` = 1 (RFC 8441 section 3).
    #[error(
        "it speaks HTTP/2 but does not allow WebSockets over it (RFC 8441): set Options::http_version to HttpVersion::Http2IfOffered or HttpVersion::Http1"
    )]
    NotAllowed,
    /// The server reset the stream before it answered.
    #[error("it reset the stream with {} before it answered{}", name(*.code), hint(*.code))]
    Reset {
        /// The error code (RFC 9113 section 7).
        code: u32,
    },
    /// The server ended the connection with GOAWAY before it answered.
    #[error("it ended the HTTP/2 connection with {} before it answered{}", name(*.code), hint(*.code))]
    GoAway {
        /// The error code (RFC 9113 section 7).
        code: u32,
    },
    /// The server answered with success and ended the stream at once: an answer of plain HTTP.
    #[error("it ended the stream with its answer, as for a page: check the path")]
    Ended,
    /// The server broke a rule of HTTP/2, or speaks another protocol.
    #[error(
        "it does not speak HTTP/2 as RFC 9113 requires ({0}): set Options::http_version to HttpVersion::Http1"
    )]
    Protocol(String),
}

debug_as_display!(Http2Error);

impl Http2Error {
    /// Whether another attempt cannot succeed.
    pub(crate) fn is_fatal(&self) -> bool {
        match self {
            Self::Reset { code } | Self::GoAway { code } => !hint(*code).is_empty(),
            Self::NotOffered | Self::NotAllowed | Self::Ended | Self::Protocol(_) => true,
        }
    }

    /// The error of a stream or a connection, unless it is one of the transport under it.
    pub(crate) fn new(error: &h2::Error) -> Option<Self> {
        let code = error.reason().map(u32::from);
        match code {
            _ if error.is_io() => None,
            Some(code) if error.is_remote() && error.is_reset() => Some(Self::Reset { code }),
            Some(code) if error.is_remote() => Some(Self::GoAway { code }),
            _ => Some(Self::Protocol(error.to_string())),
        }
    }
}

/// The name of an error code in the registry, such as `REFUSED_STREAM`.
fn name(code: u32) -> String {
    format!("{:?}", Reason::from(code))
}

/// What the caller can do; empty if another attempt may succeed.
fn hint(code: u32) -> &'static str {
    match Reason::from(code) {
        Reason::HTTP_1_1_REQUIRED => ": set Options::http_version to HttpVersion::Http1",
        Reason::INADEQUATE_SECURITY => ": it requires other TLS parameters",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_code_is_shown_by_its_name_and_with_what_to_do() {
        let text = Http2Error::Reset { code: 7 }.to_string();
        assert_eq!(text, "it reset the stream with REFUSED_STREAM before it answered");
        let text = Http2Error::GoAway { code: 13 }.to_string();
        assert!(text.contains("HTTP_1_1_REQUIRED") && text.ends_with("HttpVersion::Http1"), "{text}");
    }

    #[test]
    fn only_a_reset_that_asks_for_something_else_is_fatal() {
        assert!(!Http2Error::Reset { code: 7 }.is_fatal() && !Http2Error::GoAway { code: 0 }.is_fatal());
        assert!(Http2Error::Reset { code: 13 }.is_fatal() && Http2Error::NotOffered.is_fatal());
    }
}
