//! A request to open a WebSocket in a browser: address and subprotocols.

use std::fmt;

use crate::address::Address;
use crate::request_error::UrlError;

/// A request to open a WebSocket: its URL, and the subprotocols to offer. A browser sends no header fields of a program's.
///
/// Wherever a request is expected, text will do, or with the feature `url` a `url::Url`.
#[derive(Clone)]
pub struct Request {
    address: Address,
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
        match Address::parse(url)? {
            (_, Some(_)) => Err(UrlError::UserInfo),
            (address, None) => Ok(Self { address, subprotocols: Vec::new() }),
        }
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

    /// Returns the address, as it is given to the browser.
    pub fn url(&self) -> &str {
        self.address.as_str()
    }

    /// Returns the subprotocols, in order of preference.
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// Returns whether the connection is to be encrypted: `wss`.
    pub fn is_secure(&self) -> bool {
        self.address.is_secure()
    }

    /// Returns `host:port`, for messages: it contains no secret.
    pub(crate) fn authority(&self) -> String {
        self.address.host_and_port()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A subprotocol may be a token.
        f.debug_struct("Request")
            .field("url", &self.address)
            .field("subprotocols", &format_args!("{} of them", self.subprotocols.len()))
            .finish()
    }
}
