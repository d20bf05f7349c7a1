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
    #[error("the address is invalid: {0}")]
    Invalid(InvalidUrl),
}

/// What is wrong with the authority of a URL (RFC 3986 section 3.2), or with its characters.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidUrl {
    /// A control character. Browsers remove tabs and line ends, and encode others.
    #[error("it contains a control character, such as a tab or the end of a line")]
    Control,
    /// A backslash, which browsers read as a slash.
    #[error(
        "it contains a backslash: write / for a separator, or %5C for a backslash in the path or in a password"
    )]
    Backslash,
    /// A character that no host name contains.
    #[error("its host contains {0:?}, which no host name may contain")]
    HostCharacter(char),
    /// Brackets without an IPv6 address in them. Zone identifiers (`%eth0`) are not supported.
    #[error("in brackets it has no IPv6 address: write [::1], without a zone such as %eth0")]
    Ipv6,
    /// A host whose last label is a number, and which is not four decimal numbers.
    #[error(
        "its host ends in a number and is not an IPv4 address: write four decimal numbers, as in 127.0.0.1"
    )]
    Ipv4,
    /// A port that is no number up to 65535.
    #[error("its port is not a number from 1 to 65535")]
    Port,
    /// An international host name, in a build without the feature `url`.
    #[error(
        "its host is an international name: write it in Punycode, as in xn--bcher-kva.example, or enable the feature `url` of ws-client"
    )]
    International,
    /// An international host name that cannot be in the DNS (UTS 46).
    #[error("its host is not a valid international name")]
    Domain,
}

// `source` returns none: the message includes it.
impl From<InvalidUrl> for UrlError {
    fn from(error: InvalidUrl) -> Self {
        Self::Invalid(error)
    }
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

debug_as_display!(UrlError, InvalidUrl);
#[cfg(not(target_arch = "wasm32"))]
debug_as_display!(HeaderError);
