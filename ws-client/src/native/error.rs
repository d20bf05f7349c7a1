//! The errors of opening a connection, and which party each blames.

mod advice;

use std::fmt;
use std::io;
use std::time::Duration;

use thiserror::Error;
#[cfg(feature = "deflate")]
use ws_core::deflate::NegotiationError;
use ws_core::handshake::{HandshakeError, Refused, RequestError};

use self::advice::{hint, refusal};
use crate::dial::DialError;
#[cfg(feature = "http2")]
use crate::http2_error::Http2Error;
use crate::proxy_error::ProxyError;
use crate::request_error::{HeaderError, UrlError};
use crate::retry_after::retry_after;
#[cfg(feature = "tls")]
use crate::tls_error::TlsError;
use ws_core::SettingError;

/// Why [`connect`](crate::connect) did not open a WebSocket. Every message says what to do, and none shows a
/// credential; [`blame`](Self::blame) and [`is_fatal`](Self::is_fatal) are for programs.
///
/// `Debug` shows the same message, so that `main` may return the error. The message includes the causes, and what the body
/// of a refusal says: at most 500 characters in one line, with control characters escaped. `source` returns none, the
/// variants carry the causes.
// `r#source`: thiserror takes a field named `source` for the cause; here the message includes it, so `source()` returns none.
#[derive(Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is not that of a WebSocket.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A header field cannot be sent.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The template or the offers cannot be sent.
    #[error("the request cannot be sent: {0}")]
    Request(RequestError),
    /// A setting cannot work.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// `wss://` in a build without TLS.
    #[error(
        "this build cannot encrypt: enable the feature `ring` of ws-client for wss:// and for https:// proxies"
    )]
    TlsMissing,
    /// The host name has no address, or the resolver cannot be asked.
    #[error("cannot find the address of {host}: {source}: check the name and the network")]
    Resolve {
        /// The name that was looked up.
        host: String,
        /// What the resolver said.
        r#source: io::Error,
    },
    /// No address of the host could be connected to.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The proxy cannot be reached, or refuses to connect to the server.
    #[error("proxy {proxy}: {source}")]
    Proxy {
        /// The proxy's host and port.
        proxy: String,
        /// The error.
        r#source: ProxyError,
    },
    /// The TLS handshake failed.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address is `ws://`, and the server answers in TLS.
    #[error("the server at {authority} answers in TLS: write wss:// instead of ws://")]
    TlsExpected {
        /// The server's host and port.
        authority: String,
    },
    /// The server answered with another status than 101 (Switching Protocols), or than 2xx over HTTP/2; contains the whole
    /// answer.
    #[error("{}", refusal(.0))]
    Refused(Box<Refused>),
    /// The server broke a rule of the opening handshake (RFC 6455 section 4.1).
    #[error("{authority} did not open a WebSocket: {source}{}", hint(.source))]
    Handshake {
        /// The server's host and port.
        authority: String,
        /// The rule that was broken.
        r#source: HandshakeError,
    },
    /// The server answered our offer of permessage-deflate with what RFC 7692 section 7.1 does not allow.
    #[cfg(feature = "deflate")]
    #[error("{authority} did not open a WebSocket: {source}")]
    Deflate {
        /// The server's host and port.
        authority: String,
        /// The rule that was broken.
        r#source: NegotiationError,
    },
    /// The server opened no WebSocket over HTTP/2 (RFC 8441), and gave no answer with a status.
    #[cfg(feature = "http2")]
    #[error("{authority} did not open a WebSocket over HTTP/2: {source}")]
    Http2 {
        /// The server's host and port.
        authority: String,
        /// The reason.
        r#source: Http2Error,
    },
    /// A redirect leads from `wss` to `ws`: it is not followed.
    #[error(
        "the server redirects from wss:// to ws://{to}, which is not encrypted: connect there yourself if that is meant"
    )]
    InsecureRedirect {
        /// The host and port that it leads to.
        to: String,
    },
    /// The connection broke while it was being opened.
    #[error("the connection to {authority} broke during {during}: {}", causes(.source))]
    Io {
        /// The server's host and port.
        authority: String,
        /// The stage that was reached.
        during: Stage,
        /// The error of the stream.
        r#source: io::Error,
    },
    /// The connection was not open within [`Options::opening_timeout`](crate::Options::opening_timeout).
    #[error(
        "{authority} was not open within opening_timeout = {after:?}: it timed out at this stage: {during}"
    )]
    Timeout {
        /// The server's host and port.
        authority: String,
        /// The stage that was reached when it timed out.
        during: Stage,
        /// The value of the setting.
        after: Duration,
    },
    /// An error of the caller, made by [`ConnectError::custom`].
    #[error("{}", causes(&**.source))]
    Custom {
        /// The error.
        r#source: Box<dyn std::error::Error + Send + Sync>,
        /// Whether another attempt cannot succeed.
        fatal: bool,
    },
    /// The operating system has no random bytes for the handshake's key.
    #[error("the operating system gives no random bytes: {0}")]
    Random(io::Error),
}

/// A stage of opening a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Looking up the host name.
    Resolve,
    /// Connecting to an address, or through the [`Connector`](crate::Connector).
    Dial,
    /// Connecting through the proxy.
    Proxy,
    /// The TLS handshake.
    Tls,
    /// Waiting for the server's first SETTINGS, with which an HTTP/2 connection begins.
    #[cfg(feature = "http2")]
    Http2,
    /// The opening handshake of RFC 6455.
    Handshake,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "looking up the host name",
            Self::Dial => "connecting",
            Self::Proxy => "connecting through the proxy",
            Self::Tls => "the TLS handshake",
            #[cfg(feature = "http2")]
            Self::Http2 => "waiting for the server's HTTP/2 settings",
            Self::Handshake => "the opening handshake",
        })
    }
}

/// The party that has to act on an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Blame {
    /// The program: its address, request or settings are wrong.
    Caller,
    /// The network, or this machine.
    Network,
    /// The proxy.
    Proxy,
    /// The server.
    Server,
}

impl ConnectError {
    /// Returns the party that caused the error.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Url(_) | Self::Header(_) | Self::Request(_) | Self::Setting(_) | Self::TlsMissing => {
                Blame::Caller
            }
            Self::TlsExpected { .. } | Self::Custom { .. } => Blame::Caller,
            Self::Resolve { .. } | Self::Dial(_) | Self::Io { .. } | Self::Random(_) => Blame::Network,
            Self::Timeout { during: Stage::Tls | Stage::Handshake, .. } => Blame::Server,
            #[cfg(feature = "http2")]
            Self::Timeout { during: Stage::Http2, .. } => Blame::Server,
            #[cfg(feature = "http2")]
            Self::Http2 { source: Http2Error::NotOffered | Http2Error::NotAllowed, .. } => Blame::Caller,
            #[cfg(feature = "http2")]
            Self::Http2 { .. } => Blame::Server,
            Self::Timeout { during: Stage::Proxy, .. } => Blame::Proxy,
            Self::Timeout { .. } => Blame::Network,
            Self::Proxy { .. } => Blame::Proxy,
            #[cfg(feature = "tls")]
            Self::Tls(_) => Blame::Server,
            #[cfg(feature = "deflate")]
            Self::Deflate { .. } => Blame::Server,
            Self::Refused(_) | Self::Handshake { .. } | Self::InsecureRedirect { .. } => Blame::Server,
        }
    }

    /// Returns whether another attempt with the same request cannot succeed.
    ///
    /// Temporary are errors of the network, timeouts, a stream that ended early, and the statuses 408, 425, 429 and 5xx
    /// (except 501 and 505). All others are fatal: a wrong address, 401 and the other refusals, an invalid certificate, an
    /// answer that is not a WebSocket's.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Resolve { .. } | Self::Dial(_) | Self::Io { .. } | Self::Timeout { .. } => false,
            Self::Random(_) => false,
            Self::Custom { fatal, .. } => *fatal,
            Self::Proxy { source, .. } => source.is_fatal(),
            #[cfg(feature = "tls")]
            Self::Tls(error) => error.is_fatal(),
            #[cfg(feature = "http2")]
            Self::Http2 { source, .. } => source.is_fatal(),
            Self::Refused(refused) => match refused.response.status().as_u16() {
                408 | 425 | 429 => false,
                501 | 505 => true,
                status => status < 500,
            },
            Self::Handshake { source: HandshakeError::UnexpectedEnd { .. }, .. } => false,
            _ => true,
        }
    }

    /// Returns a custom error, for the hook of [`Client::reconnect_with`](crate::Client::reconnect_with): if it is `fatal`
    /// it is returned to the caller, otherwise there is another attempt.
    pub fn custom(source: impl Into<Box<dyn std::error::Error + Send + Sync>>, fatal: bool) -> Self {
        Self::Custom { source: source.into(), fatal }
    }

    /// Returns the answer of a server that refused: status, header fields and up to
    /// [`Options::max_refusal_body`](crate::Options::max_refusal_body) bytes of body.
    pub fn response(&self) -> Option<&http::Response<Vec<u8>>> {
        match self {
            Self::Refused(refused) => Some(&refused.response),
            _ => None,
        }
    }
}

impl ConnectError {
    /// Returns how long a server that refused asks to wait before the next attempt: its `Retry-After`, in seconds or as a
    /// date (RFC 9110 section 10.2.3). A date is relative to the answer's `Date`, so that the two clocks need not
    /// agree, or else to this machine's clock; one in the past is zero. At most a year.
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(self.response()?.headers())
    }
}

impl fmt::Debug for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<RequestError> for ConnectError {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<std::convert::Infallible> for ConnectError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// Returns an error and its causes in one line. Some errors include the text of their causes, others do not: HTTP
/// clients report "client error (Connect)", and the rest is in the causes.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text_of_cause = cause.to_string();
        if !text.contains(&text_of_cause) {
            text = format!("{text}: {text_of_cause}");
        }
        source = cause.source();
    }
    text
}
