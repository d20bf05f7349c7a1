//! A request to open a WebSocket in a browser: address and subprotocols.

use std::fmt;

use url::Url;

use crate::address;
use crate::request_error::UrlError;

/// A request to open a WebSocket: its URL, and the subprotocols to offer. A browser sends no header fields of a program's.
///
/// Wherever a request is expected, text or a [`Url`] will do.
#[derive(Clone)]
pub struct Request {
    url: Url,
    subprotocols: Vec<String>,
}

impl Request {
    /// Returns a request for `url`: `ws://host[:port]/path?query` or `wss://…` (RFC 6455 section 3). The browser adds its
    /// cookies for that host, and the page's `Origin`.
    ///
    /// # Errors
    /// [`UrlError`], which says what to write instead. A user name or a password is an error, because not every
    /// browser sends them.
    pub fn new(url: &str) -> Result<Self, UrlError> {
        Self::from_url(address::parse(url)?)
    }

    /// Offers a subprotocol, after those that were offered before (RFC 6455 section 1.9). The one that the server chooses is
    /// [`Negotiated::subprotocol`](crate::Negotiated::subprotocol).
    ///
    /// Whether it is a token, and offered once, is checked when the request is sent.
    #[must_use]
    #[doc(alias("protocol", "protocols", "subprotocols"))]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocols.push(name.into());
        self
    }

    /// Returns the address.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the subprotocols, in order of preference.
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// Returns whether the connection is to be encrypted: `wss`.
    pub fn is_secure(&self) -> bool {
        self.url.scheme() == "wss"
    }

    /// Returns `host:port`, for messages: it contains no secret.
    pub(crate) fn authority(&self) -> String {
        address::authority(&self.url)
    }

    pub(crate) fn from_url(url: Url) -> Result<Self, UrlError> {
        address::check(&url)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::UserInfo);
        }
        Ok(Self { url, subprotocols: Vec::new() })
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A subprotocol may be a token.
        f.debug_struct("Request")
            .field("url", &address::Shown(&self.url))
            .field("subprotocols", &format_args!("{} of them", self.subprotocols.len()))
            .finish()
    }
}
