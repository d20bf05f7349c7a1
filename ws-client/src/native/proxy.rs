//! The address of a proxy, and the credentials for it.

mod tunnel;

use std::fmt;

use percent_encoding::percent_decode_str;

use crate::address::{Authority, Host, split_scheme};
use crate::proxy_error::ProxyUrlError;

/// A proxy: HTTP CONNECT over TCP or TLS (RFC 9110 section 9.3.6), or SOCKS5 (RFC 1928).
#[doc(alias("socks", "http_connect"))]
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Proxy {
    scheme: Scheme,
    host: Host<String>,
    port: u16,
    credentials: Option<Credentials>,
}

impl Proxy {
    /// Parses `http://`, `https://`, `socks5://` or `socks5h://[user:password@]host[:port]`; without a scheme it is
    /// HTTP. The ports default to 80, 443 and 1080. With `socks5h` the proxy looks up the server's name, with `socks5`
    /// this client does. Credentials are percent-decoded and sent as `Proxy-Authorization: Basic`, or as in RFC 1929.
    ///
    /// # Errors
    /// [`ProxyUrlError`].
    pub fn new(url: &str) -> Result<Self, ProxyUrlError> {
        let url = url.trim();
        let (scheme, rest) = split_scheme(url).unwrap_or(("http", url));
        let (scheme, default_port) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (Scheme::Http, 80),
            "https" => (Scheme::Https, 443),
            "socks5" => (Scheme::Socks5, 1080),
            "socks5h" => (Scheme::Socks5h, 1080),
            other => return Err(ProxyUrlError::Scheme(other.into())),
        };
        // Path, query and fragment mean nothing here.
        let Authority { credentials, host, port, rest: _ } =
            Authority::parse(rest).map_err(ProxyUrlError::Invalid)?;
        if host.is_empty() {
            return Err(ProxyUrlError::Host);
        }
        let host = Host::parse(host).map_err(ProxyUrlError::Invalid)?;
        let credentials = credentials
            .map(|(username, password)| Credentials::new(scheme, username, password))
            .transpose()?;
        Ok(Self { scheme, host, port: port.unwrap_or(default_port), credentials })
    }

    /// Returns the proxy's host.
    pub(crate) fn host(&self) -> Host<&str> {
        self.host.borrowed()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns whether the connection to the proxy itself is encrypted.
    pub(crate) fn is_secure(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// Returns `host:port`, for messages.
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Scheme {
    Http,
    Https,
    Socks5,
    Socks5h,
}

/// Credentials in the form in which they are sent.
#[derive(Clone, PartialEq, Eq, Hash)]
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
    fn an_invalid_proxy_address_is_a_typed_error_that_does_not_repeat_it() {
        assert_eq!(Proxy::new("ftp://h").unwrap_err(), ProxyUrlError::Scheme("ftp".into()));
        assert_eq!(Proxy::new("socks5://").unwrap_err(), ProxyUrlError::Host);
        assert_eq!(Proxy::new("http://a%3A:b@h").unwrap_err(), ProxyUrlError::Credentials);
        let long = format!("socks5://{}:x@h", "u".repeat(256));
        assert_eq!(Proxy::new(&long).unwrap_err(), ProxyUrlError::Credentials);
        assert!(matches!(Proxy::new("http://u:secret@[x"), Err(ProxyUrlError::Invalid(_))));
    }
}
