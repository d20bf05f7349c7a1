//! Why a proxy does not let us through.

use std::io;

use http::StatusCode;
use thiserror::Error;
use ws_core::handshake::HeadFault;

use crate::dial::DialError;
#[cfg(feature = "tls")]
use crate::tls::TlsError;

/// An address that is no proxy's. No message repeats it: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProxyUrlError {
    /// A scheme this library has no proxy for.
    #[error("`{0}` is no proxy scheme: write http://, https://, socks5:// or socks5h://")]
    Scheme(String),
    /// No host.
    #[error("the proxy's address names no host")]
    Host,
    /// A colon in the user name, a control character, or more than 255 bytes.
    #[error(
        "the proxy's credentials cannot be sent: they hold a colon or control character, or are too long"
    )]
    Credentials,
    /// Not a URL.
    #[error("the proxy's address is not a URL: {0}")]
    Invalid(url::ParseError),
}

/// The proxy cannot be reached, or does not let us through.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The environment names a proxy that cannot be one.
    #[error("{0}: correct HTTPS_PROXY, HTTP_PROXY or ALL_PROXY")]
    Address(#[from] ProxyUrlError),
    /// Its name has no address.
    #[error("cannot find its address: {0}")]
    Resolve(io::Error),
    /// The server's name has no address; `socks5h` would have the proxy look it up.
    #[error("cannot find the address of the server: {0}: write socks5h:// to have the proxy look it up")]
    ResolveServer(io::Error),
    /// It cannot be connected to.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// Encryption on the way to it failed.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// It wants credentials, or others.
    #[error("it wants credentials: give them as user:password@ in the proxy's address")]
    Authentication,
    /// It answered CONNECT with another status than 2xx.
    #[error("it answered CONNECT with {0}")]
    Refused(StatusCode),
    /// Its answer to CONNECT cannot be read.
    #[error("its answer to CONNECT cannot be read: {0}: is it an HTTP proxy?")]
    Head(#[from] HeadFault),
    /// It sent bytes through the tunnel before we had sent any.
    #[error("it sent bytes after its answer that no server can have sent yet")]
    Early,
    /// It does not speak SOCKS5.
    #[error("it does not answer in SOCKS5: is it a SOCKS5 proxy?")]
    NotSocks,
    /// A SOCKS5 reply other than success (RFC 1928 section 6).
    #[error("it could not connect to the server: {}", socks_reply(*.0))]
    SocksReply(u8),
    /// A host name over 255 bytes cannot be asked for in SOCKS5.
    #[error("the server's name is over 255 bytes, too long for SOCKS5")]
    NameTooLong,
    /// The connection to it broke.
    #[error("the connection to it broke: {0}")]
    Io(#[from] io::Error),
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

fn socks_reply(reply: u8) -> String {
    match reply {
        1 => "general failure".into(),
        2 => "its rules do not allow it".into(),
        3 => "network unreachable".into(),
        4 => "host unreachable".into(),
        5 => "connection refused".into(),
        6 => "it took too many hops".into(),
        7 => "it does not know CONNECT".into(),
        8 => "it does not know this type of address".into(),
        other => format!("reply {other}"),
    }
}
