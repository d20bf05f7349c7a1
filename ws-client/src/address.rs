//! The addresses of WebSockets: RFC 6455 section 3, RFC 3986.
//!
//! What is accepted means the same as in a browser (the URL standard), and as with the crate `url`, which reads more: `tests.rs`
//! compares the two. Not accepted is what only browsers accept, and what they change silently: other forms of IPv4 addresses than
//! four decimal numbers, percent-encoded hosts, backslashes, tabs and line ends.

mod authority;
mod host;
mod path;

use std::fmt;

pub(crate) use self::authority::{Authority, Credentials};
pub(crate) use self::host::Host;
use crate::request_error::UrlError;

/// The address of a WebSocket, without credentials and fragment.
#[derive(Clone)]
pub(crate) struct Address {
    /// All of it: scheme, `://`, host, the port if it is not the scheme's own, path and query.
    text: String,
    secure: bool,
    host: Host<String>,
    /// `None` if it is the scheme's own.
    port: Option<u16>,
}

impl Address {
    /// Parses an address, and returns the user name and password in it, still percent-encoded. White space around it is ignored.
    pub(crate) fn parse(text: &str) -> Result<(Self, Option<Credentials<'_>>), UrlError> {
        let text = text.trim();
        let (scheme, rest) = split_scheme(text).ok_or(UrlError::NoScheme)?;
        match scheme.to_ascii_lowercase().as_str() {
            "ws" => Self::new(false, rest),
            "wss" => Self::new(true, rest),
            "http" => Err(UrlError::Http { found: "http", instead: "ws" }),
            "https" => Err(UrlError::Http { found: "https", instead: "wss" }),
            other => Err(UrlError::Scheme(other.to_owned())),
        }
    }

    /// `rest` is what follows the scheme and `://`.
    fn new(secure: bool, rest: &str) -> Result<(Self, Option<Credentials<'_>>), UrlError> {
        // §3: fragment identifiers MUST NOT be used on these URIs.
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        let Authority { credentials, host, port, rest } = Authority::parse(rest)?;
        if host.is_empty() {
            return Err(UrlError::Host);
        }
        let host = Host::parse(host)?;
        if port == Some(0) {
            return Err(UrlError::PortZero);
        }
        let port = port.filter(|port| *port != default_port(secure));
        let authority = match port {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        let target = path::target(rest);
        let text = format!("{}://{authority}{target}", if secure { "wss" } else { "ws" });
        Ok((Self { text, secure, host, port }, credentials))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the scheme is `wss`.
    pub(crate) fn is_secure(&self) -> bool {
        self.secure
    }

    /// Returns the port to connect to: the URL's, or 80 and 443 (RFC 6455 section 3).
    pub(crate) fn port(&self) -> u16 {
        self.port.unwrap_or(default_port(self.secure))
    }

    /// Returns `host:port`, for messages and logs: it contains no secret.
    pub(crate) fn host_and_port(&self) -> String {
        format!("{}:{}", self.host, self.port())
    }
}

/// For requests and redirects, which a browser makes and follows itself.
#[cfg(not(target_arch = "wasm32"))]
impl Address {
    /// Returns the address that `reference`, the value of a `Location`, names from here (RFC 3986 section 5.2), without credentials
    /// and fragment. A server names its HTTP address; the WebSocket lives at the same one.
    pub(crate) fn join(&self, reference: &str) -> Result<Self, UrlError> {
        // The fragment of a Location is for documents (RFC 9110 section 10.2.2).
        let reference = reference.trim().split('#').next().unwrap_or_default();
        if let Some((scheme, rest)) = split_scheme(reference) {
            return match scheme.to_ascii_lowercase().as_str() {
                "ws" | "http" => Self::new(false, rest),
                "wss" | "https" => Self::new(true, rest),
                other => Err(UrlError::Scheme(other.to_owned())),
            }
            .map(|(address, _)| address);
        }
        let path = self.target().split('?').next().unwrap_or_default();
        let rest = if let Some(rest) = reference.strip_prefix("//") {
            rest.to_owned()
        } else {
            let target = match reference.bytes().next() {
                None => self.target().to_owned(),
                Some(b'/') => reference.to_owned(),
                Some(b'?') => format!("{path}{reference}"),
                // RFC 3986 §4.2: the first segment of a relative path has no colon.
                Some(_) if reference.split(['/', '?']).next().is_some_and(|first| first.contains(':')) => {
                    return Err(UrlError::NoScheme);
                }
                // RFC 3986 §5.2.3: in place of what follows the last slash.
                Some(_) => {
                    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                    format!("{folder}/{reference}")
                }
            };
            format!("{}{target}", self.authority())
        };
        Ok(Self::new(self.secure, &rest)?.0)
    }

    pub(crate) fn host(&self) -> Host<&str> {
        self.host.borrowed()
    }

    /// Returns the host, and the port if it is not the scheme's own.
    pub(crate) fn authority(&self) -> &str {
        self.parts().0
    }

    /// Returns path and query: the target in origin-form (RFC 9112 section 3.2.1).
    pub(crate) fn target(&self) -> &str {
        self.parts().1
    }

    /// Returns what is before and after the beginning of the path.
    fn parts(&self) -> (&str, &str) {
        let (_, rest) = self.text.split_once("://").unwrap_or_default();
        rest.split_at(rest.find('/').unwrap_or(rest.len()))
    }

    /// Whether both have the same scheme, host and port (RFC 6454 section 4).
    pub(crate) fn is_same_origin(&self, other: &Self) -> bool {
        self.secure == other.secure && self.authority() == other.authority()
    }
}

/// Without the query, which often carries a token.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text.split_once('?') {
            Some((path, _)) => write!(f, "{path}?…"),
            None => f.write_str(&self.text),
        }
    }
}

/// RFC 6455 section 3.
fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// Splits off the scheme (RFC 3986 section 3.1) and the `://` after it. `localhost:9001` has none.
pub(crate) fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let is_one = scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(letters);
    is_one.then_some((scheme, rest))
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
