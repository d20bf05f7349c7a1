//! The errors of a proxy.

use std::io;

use http::StatusCode;
use thiserror::Error;
use ws_core::handshake::HeadError;

use crate::debug::debug_as_display;
use crate::dial::DialError;
use crate::request_error::InvalidUrl;
#[cfg(feature = "tls")]
use crate::tls_error::TlsError;

/// An address that is not that of a proxy. No message repeats it: it may contain a password.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProxyUrlError {
    /// A scheme of which this library supports no proxy.
    #[error("`{0}` is not the scheme of a proxy: write http://, https://, socks5:// or socks5h://")]
    Scheme(String),
    /// No host.
    #[error("the proxy's address names no host")]
    Host,
    /// A colon in the user name, a control character, or more than 255 bytes.
    #[error(
        "the proxy's credentials cannot be sent: they contain a colon or control character, or are too long"
    )]
    Credentials,
    /// Not a URL.
    #[error("the proxy's address is invalid: {0}")]
    Invalid(InvalidUrl),
}

/// The proxy cannot be reached, or refuses to connect to the server.
#[derive(Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The environment names a proxy with an invalid address.
    #[error("{0}: correct HTTPS_PROXY, HTTP_PROXY or ALL_PROXY")]
    Address(ProxyUrlError),
    /// The name of the proxy has no address.
    #[error("cannot find its address: {0}")]
    Resolve(io::Error),
    /// The server's name has no address; with `socks5h` the proxy looks it up.
    #[error("cannot find the address of the server: {0}: write socks5h:// to have the proxy look it up")]
    ResolveServer(io::Error),
    /// No address of the proxy could be connected to.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The TLS handshake with the proxy failed.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The proxy requires credentials, and the request had none.
    #[error("it requires credentials{}", wanted(.schemes))]
    Authentication {
        /// The schemes it accepts, as far as it names them (`Proxy-Authenticate`, RFC 9110 section 11.7.1).
        schemes: Vec<String>,
    },
    /// The proxy refused the credentials.
    #[error("it refused the credentials{}", refused(.schemes))]
    CredentialsRefused {
        /// The schemes it accepts, as far as it names them (`Proxy-Authenticate`, RFC 9110 section 11.7.1).
        schemes: Vec<String>,
    },
    /// A SOCKS5 proxy that accepts neither a user name and password nor none (RFC 1928 section 3).
    #[error(
        "it accepts neither a user name and password nor a connection without them: other methods of SOCKS5 (GSSAPI) are not supported"
    )]
    NoMethod,
    /// The proxy answered CONNECT with another status than 2xx.
    #[error("it answered CONNECT with {0}")]
    Refused(StatusCode),
    /// The answer to CONNECT cannot be read.
    #[error("its answer to CONNECT cannot be read: {0}: is it an HTTP proxy?")]
    Head(HeadError),
    /// The proxy sent more interim (1xx) responses to CONNECT than are accepted.
    #[error("it answered CONNECT with more than {limit} interim (1xx) responses")]
    TooManyInterim {
        /// The limit, in responses.
        limit: usize,
    },
    /// Bytes arrived that no request had asked for. Neither a proxy nor a WebSocket server behind one sends first.
    #[error("it sent unsolicited bytes: is it a proxy of this kind, with a WebSocket server behind it?")]
    Early,
    /// The answer is not one of SOCKS5.
    #[error("it does not answer in SOCKS5: is it a SOCKS5 proxy?")]
    NotSocks,
    /// A SOCKS5 reply other than success (RFC 1928 section 6).
    #[error("it could not connect to the server: {}", socks_reply(*.0))]
    SocksReply(u8),
    /// A host name over 255 bytes does not fit into a request of SOCKS5.
    #[error("the server's name is over 255 bytes, too long for SOCKS5")]
    NameTooLong,
    /// The connection to the proxy broke.
    #[error("the connection to it broke: {0}")]
    Io(io::Error),
}

debug_as_display!(ProxyUrlError, ProxyError);

impl From<ProxyUrlError> for ProxyError {
    fn from(error: ProxyUrlError) -> Self {
        Self::Address(error)
    }
}

impl From<HeadError> for ProxyError {
    fn from(fault: HeadError) -> Self {
        Self::Head(fault)
    }
}

impl From<io::Error> for ProxyError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl ProxyError {
    pub(crate) fn is_fatal(&self) -> bool {
        match self {
            Self::Resolve(_) | Self::ResolveServer(_) | Self::Dial(_) | Self::Io(_) => false,
            // RFC 1928 §6: 1 general failure, 3–5 the network's, 6 TTL expired.
            Self::SocksReply(reply) => !matches!(reply, 1 | 3..=6),
            Self::Refused(status) => !status.is_server_error() && status.as_u16() != 429,
            #[cfg(feature = "tls")]
            Self::Tls(error) => error.is_fatal(),
            _ => true,
        }
    }
}

/// What to do about missing credentials.
fn wanted(schemes: &[String]) -> String {
    if is_basic_enough(schemes) {
        ": give them as user:password@ in the proxy's address".into()
    } else {
        format!(" by {}{ONLY_BASIC}", schemes.join(" or "))
    }
}

/// What to do about refused credentials.
fn refused(schemes: &[String]) -> String {
    if is_basic_enough(schemes) {
        ": check the user name and the password in the proxy's address".into()
    } else {
        format!(": it requires {}{ONLY_BASIC}", schemes.join(" or "))
    }
}

/// Returns whether the proxy accepts, or may accept, Basic.
fn is_basic_enough(schemes: &[String]) -> bool {
    schemes.is_empty() || schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("Basic"))
}

const ONLY_BASIC: &str =
    ", and only Basic is supported: allow Basic at the proxy, or use a local proxy that supports the other";

fn socks_reply(reply: u8) -> String {
    match reply {
        1 => "general failure".into(),
        2 => "its rules do not allow it".into(),
        3 => "network unreachable".into(),
        4 => "host unreachable".into(),
        5 => "connection refused".into(),
        6 => "it took too many hops".into(),
        7 => "it does not support CONNECT".into(),
        8 => "it does not support this type of address".into(),
        other => format!("reply {other}"),
    }
}

#[cfg(all(test, feature = "tls"))]
mod tests {
    use super::*;
    use crate::tls_error::TlsError;

    #[test]
    fn tls_that_broke_on_the_way_to_a_proxy_is_tried_again() {
        let source = io::ErrorKind::ConnectionReset.into();
        assert!(!ProxyError::Tls(TlsError { authority: "p:443".into(), source }).is_fatal());
    }
}
