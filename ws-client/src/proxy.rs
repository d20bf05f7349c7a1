//! Which proxy to go through: from code, or from the environment.

mod environment;
mod tunnel;

use std::fmt;
use std::io;

use http::StatusCode;
use percent_encoding::percent_decode_str;
use thiserror::Error;
use url::{Host, Url};
use ws_core::handshake::HeadFault;

use crate::dial::DialError;
use crate::request::Request;
#[cfg(feature = "tls")]
use crate::tls::TlsError;

/// Whether connections go through a proxy.
#[derive(Debug, Clone, Default)]
pub enum ProxyChoice {
    /// As the environment says, read at each connection: `HTTPS_PROXY` for `wss`, `HTTP_PROXY` for `ws`, then
    /// `ALL_PROXY`; the lower-case names win. `NO_PROXY` lists exceptions: host names (with all below them),
    /// addresses, networks (`10.0.0.0/8`), each with or without a port, or `*`. `localhost` and loopback
    /// addresses never go through a proxy. In a CGI program (`REQUEST_METHOD` is set) the upper-case `HTTP_PROXY` is
    /// not looked at: a request could have set it.
    #[default]
    Environment,
    /// Never.
    Direct,
    /// Always this one.
    Always(Proxy),
}

impl ProxyChoice {
    /// The proxy for a request, or a direct connection.
    pub(crate) fn pick(&self, request: &Request) -> Result<Option<Proxy>, ProxyUrlError> {
        match self {
            Self::Environment => environment::pick(request, |name| std::env::var(name).ok()),
            Self::Direct => Ok(None),
            Self::Always(proxy) => Ok(Some(proxy.clone())),
        }
    }
}

/// A proxy: HTTP CONNECT over TCP or TLS (RFC 9110 section 9.3.6), or SOCKS5 (RFC 1928).
#[derive(Clone)]
pub struct Proxy {
    scheme: Scheme,
    host: Host<String>,
    port: u16,
    credentials: Option<Credentials>,
}

impl Proxy {
    /// Reads `http://`, `https://`, `socks5://` or `socks5h://[user:password@]host[:port]`; without a scheme it is
    /// HTTP. The ports default to 80, 443 and 1080. With `socks5h` the proxy looks up the server's name, with `socks5`
    /// we do. Credentials are percent-decoded; they go as `Proxy-Authorization: Basic`, or as RFC 1929 has it.
    ///
    /// # Errors
    /// [`ProxyUrlError`].
    pub fn new(url: &str) -> Result<Self, ProxyUrlError> {
        let url = url.trim();
        let url = if url.contains("://") { Url::parse(url) } else { Url::parse(&format!("http://{url}")) };
        let url = url.map_err(ProxyUrlError::Invalid)?;
        let (scheme, port) = match url.scheme() {
            "http" => (Scheme::Http, 80),
            "https" => (Scheme::Https, 443),
            "socks5" => (Scheme::Socks5, 1080),
            "socks5h" => (Scheme::Socks5h, 1080),
            other => return Err(ProxyUrlError::Scheme(other.into())),
        };
        let host = match url.host() {
            Some(Host::Domain("")) | None => return Err(ProxyUrlError::Host),
            Some(host) => host.to_owned(),
        };
        let credentials = if url.username().is_empty() && url.password().is_none() {
            None
        } else {
            Some(Credentials::new(scheme, url.username(), url.password().unwrap_or_default())?)
        };
        Ok(Self { scheme, host, port: url.port().unwrap_or(port), credentials })
    }

    /// The proxy's host.
    pub(crate) fn host(&self) -> Host<&str> {
        match &self.host {
            Host::Domain(name) => Host::Domain(name),
            Host::Ipv4(ip) => Host::Ipv4(*ip),
            Host::Ipv6(ip) => Host::Ipv6(*ip),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Whether the way to the proxy itself is encrypted.
    pub(crate) fn is_secure(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// `host:port`, for messages.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = if self.credentials.is_some() { "***@" } else { "" };
        write!(f, "Proxy({:?} {secret}{}:{})", self.scheme, self.host, self.port)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    Socks5,
    Socks5h,
}

/// Already in the form in which they are sent.
#[derive(Clone)]
enum Credentials {
    /// The value of `Proxy-Authorization`.
    Basic(http::HeaderValue),
    /// RFC 1929: each of at most 255 bytes.
    Socks { username: Vec<u8>, password: Vec<u8> },
}

impl Credentials {
    fn new(scheme: Scheme, username: &str, password: &str) -> Result<Self, ProxyUrlError> {
        match scheme {
            Scheme::Http | Scheme::Https => crate::credentials::basic(username, password)
                .map(Self::Basic)
                .map_err(|_| ProxyUrlError::Credentials),
            Scheme::Socks5 | Scheme::Socks5h => {
                let decode = |s| percent_decode_str(s).collect::<Vec<u8>>();
                let (username, password) = (decode(username), decode(password));
                // RFC 1929 §2: lengths are one byte, from 1.
                if username.is_empty() || username.len() > 255 || password.len() > 255 {
                    return Err(ProxyUrlError::Credentials);
                }
                Ok(Self::Socks { username, password })
            }
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_proxy_has_defaults() {
        let shown = |url: &str| format!("{:?}", Proxy::new(url).unwrap());
        assert_eq!(shown("proxy.example:3128"), "Proxy(Http proxy.example:3128)");
        assert_eq!(shown("http://proxy.example"), "Proxy(Http proxy.example:80)");
        assert_eq!(shown("https://[::1]"), "Proxy(Https [::1]:443)");
        assert_eq!(shown("socks5://127.0.0.1"), "Proxy(Socks5 127.0.0.1:1080)");
        assert_eq!(shown("socks5h://u:secret@h:9"), "Proxy(Socks5h ***@h:9)");
    }

    #[test]
    fn what_is_no_proxy_is_a_typed_error_without_the_address() {
        assert_eq!(Proxy::new("ftp://h").unwrap_err(), ProxyUrlError::Scheme("ftp".into()));
        assert_eq!(Proxy::new("socks5://").unwrap_err(), ProxyUrlError::Host);
        assert_eq!(Proxy::new("http://a%3A:b@h").unwrap_err(), ProxyUrlError::Credentials);
        let long = format!("socks5://{}:x@h", "u".repeat(256));
        assert_eq!(Proxy::new(&long).unwrap_err(), ProxyUrlError::Credentials);
        assert!(matches!(Proxy::new("http://u:secret@[x"), Err(ProxyUrlError::Invalid(_))));
    }
}
