//! The addresses of WebSockets: RFC 6455 section 3.

use std::fmt;

use url::{Position, Url};

use crate::request_error::UrlError;

/// Reads a URL as browsers do; white space around it is ignored.
pub(crate) fn parse(text: &str) -> Result<Url, UrlError> {
    match Url::parse(text.trim()) {
        Ok(url) => Ok(url),
        Err(url::ParseError::RelativeUrlWithoutBase) => Err(UrlError::NoScheme),
        Err(error) => Err(UrlError::Invalid(error)),
    }
}

/// Checks that a WebSocket can be at this URL.
pub(crate) fn check(url: &Url) -> Result<(), UrlError> {
    match url.scheme() {
        "ws" | "wss" => {}
        "http" => return Err(UrlError::Http { found: "http", instead: "ws" }),
        "https" => return Err(UrlError::Http { found: "https", instead: "wss" }),
        // `localhost:9001` reads as a scheme and a path.
        _ if url.cannot_be_a_base() => return Err(UrlError::NoScheme),
        other => return Err(UrlError::Scheme(other.into())),
    }
    // §3: fragment identifiers MUST NOT be used on these URIs.
    if url.fragment().is_some() {
        return Err(UrlError::Fragment);
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(UrlError::Host);
    }
    if url.port() == Some(0) {
        return Err(UrlError::PortZero);
    }
    Ok(())
}

/// Returns the port to connect to: the URL's, or 80 and 443 (RFC 6455 section 3).
pub(crate) fn port(url: &Url) -> u16 {
    url.port().unwrap_or(if url.scheme() == "wss" { 443 } else { 80 })
}

/// Returns `host:port`, for messages and logs: it contains no secret.
pub(crate) fn authority(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), port(url))
}

/// A URL as `Debug` shows it: without its query, which often carries a token.
pub(crate) struct Shown<'a>(pub(crate) &'a Url);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query = if self.0.query().is_some() { "?…" } else { "" };
        write!(f, "{}{query}", &self.0[..Position::AfterPath])
    }
}
