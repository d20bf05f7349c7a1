//! The errors of addresses and header fields.

#[cfg(not(target_arch = "wasm32"))]
use http::header::HeaderName;
use thiserror::Error;

use crate::debug::debug_as_display;

/// A URL at which no WebSocket can be opened (RFC 6455 section 3). No message repeats the URL: it may contain a
/// password.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UrlError {
    /// There is no scheme: nothing before the first `:`, or only a host name.
    #[error("the address has no scheme: write ws://host:port/path, or wss:// for an encrypted connection")]
    NoScheme,
    /// An address of HTTP.
    #[error("{found}:// is not a WebSocket address: write {instead}:// instead")]
    Http {
        /// The scheme that was given.
        found: &'static str,
        /// The scheme to use.
        instead: &'static str,
    },
    /// Another scheme.
    #[error("`{0}` is not a WebSocket scheme: write ws:// or wss://")]
    Scheme(String),
    /// A `#fragment`, which RFC 6455 section 3 forbids.
    #[error("the address has a fragment: leave out `#…`, or write %23 if the path really contains one")]
    Fragment,
    /// No host, or one that cannot be a header value.
    #[error("the address names no host: write ws://host:port/path")]
    Host,
    /// Port 0, to which nothing can connect.
    #[error("port 0 cannot be connected to: use the port that the server prints")]
    PortZero,
    /// Credentials that `Basic` cannot carry (RFC 7617 section 2).
    #[error(
        "the user name contains a colon, or the credentials a control character: Basic authentication cannot carry them"
    )]
    Credentials,
    /// A user name or password, in a browser: not every browser sends them.
    #[cfg(target_arch = "wasm32")]
    #[error(
        "the address has a user name or a password, which not every browser sends: give a token in the query, in a cookie or as a subprotocol"
    )]
    UserInfo,
    /// A path or query that cannot be a request target.
    #[error("the path or query of the address cannot be sent as a request target")]
    Target,
    /// Anything else that is not a URL.
    #[error("the address is not a URL: {0}")]
    Invalid(url::ParseError),
}

/// A header field that cannot be sent with an opening handshake.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The name is not a token (RFC 9110 section 5.1).
    #[error("{0:?} is not a header field name")]
    Name(String),
    /// The value contains CR, LF or another control byte (RFC 9110 section 5.5). It is not repeated here.
    #[error("the value of header field `{0}` contains a byte that must not be sent")]
    Value(HeaderName),
    /// A second `Host` field (RFC 9112 section 3.2).
    #[error("header field `host` is given twice, and a request has one: leave out one of them")]
    RepeatedHost,
    /// The library sets this field itself (RFC 6455 section 4.1).
    #[error("header field `{name}` belongs to the handshake: {instead}")]
    Owned {
        /// The field.
        name: HeaderName,
        /// What to use instead.
        instead: &'static str,
    },
}

debug_as_display!(UrlError);
#[cfg(not(target_arch = "wasm32"))]
debug_as_display!(HeaderError);
