//! A request to open a WebSocket: address, header fields, subprotocols (RFC 6455 sections 3 and 4.1).

mod convert;
mod owned;
mod redirect;
mod secret;

use std::fmt;

use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use http::{HeaderMap, Uri};
use ws_core::handshake::FieldNames;

use self::owned::owned_by_caller;
pub(crate) use self::redirect::redirect;
use self::secret::is_secret;
use crate::address::{Address, Host};
use crate::credentials::basic;
use crate::request_error::{HeaderError, UrlError};

/// A request to open a WebSocket: the template of the opening handshake.
///
/// It contains the URL, the caller's header fields and the subprotocols. The library adds the fields of the handshake
/// itself (`Upgrade`, `Connection`, `Sec-WebSocket-Key`, `Sec-WebSocket-Version`) and refuses them here, so that no
/// request can break the handshake.
///
/// Wherever a request is expected, text, an [`http::Uri`] or an [`http::Request<()>`](http::Request) will do, and with the feature
/// `url` a `url::Url`.
///
/// ```
/// # fn main() -> Result<(), ws_client::ConnectError> {
/// let request = ws_client::Request::new("wss://user:secret@example.com/chat")?
///     .header("x-client", "example")?
///     .subprotocol("chat.v2");
/// assert_eq!(request.url(), "wss://example.com/chat");
/// assert!(!format!("{request:?}").contains("secret"));
/// # Ok(())
/// # }
/// ```
#[doc(alias("ClientRequestBuilder", "IntoClientRequest"))]
#[derive(Clone)]
pub struct Request {
    address: Address,
    headers: HeaderMap,
    /// The names of `headers` as the caller wrote them.
    names: FieldNames,
    subprotocols: Vec<String>,
}

impl Request {
    /// Returns a request for `url`: `ws://host[:port]/path?query` or `wss://…` (RFC 6455 section 3).
    ///
    /// The URL means what it means in a browser: the host is put into lower case, dot segments are removed, and what a target cannot
    /// contain is percent-encoded, a space or `ü` for example. IPv6 literals have brackets. A user name and password are
    /// percent-decoded and become an `Authorization: Basic` field; they are not kept anywhere else and never shown.
    ///
    /// International host names need the feature `url`, because of the size of their tables; without it they are an error,
    /// and their Punycode (`xn--bcher-kva.example`) is accepted. Unlike a browser this refuses backslashes before the query,
    /// control characters, percent-encoded hosts, and IPv4 addresses in other forms than four decimal numbers.
    ///
    /// # Errors
    /// [`UrlError`], which says what to write instead. `http://` and `https://` are errors, not synonyms: such an address is
    /// usually that of something else.
    pub fn new(url: &str) -> Result<Self, UrlError> {
        let (address, credentials) = Address::parse(url)?;
        let mut request = Self::at(address);
        if let Some((username, password)) = credentials {
            request.headers.insert(AUTHORIZATION, basic(username, password)?);
            // It is a token, so this succeeds.
            let _ = request.names.append("Authorization");
        }
        Ok(request)
    }

    /// Adds a header field; a repeated name gives two field lines.
    ///
    /// `name` and `value` are text, or the types of [`http`]. A name that is text is sent in the case it is written in
    /// here: HTTP compares names without regard to case, but some servers do not. A
    /// [`HeaderName`] is sent in lower case.
    ///
    /// No other field is sent, `User-Agent` neither.
    ///
    /// A field whose name looks like that of a credential (`Authorization`, `Proxy-Authorization`, `Cookie`,
    /// `X-Api-Key`, anything with `auth`, `token`, `secret`, `session` or the like in it) is treated as a
    /// [`secret_header`](Self::secret_header), and so is a value that is marked as
    /// [sensitive](HeaderValue::set_sensitive).
    ///
    /// # Errors
    /// [`HeaderError`] for a name that is not a token, a value with CR, LF or another
    /// control byte, and the fields that belong to the handshake itself.
    #[doc(alias("headers", "extra_headers", "additional_headers", "bearer", "authorization"))]
    pub fn header<N, V>(self, name: N, value: V) -> Result<Self, HeaderError>
    where
        N: TryInto<HeaderName> + AsRef<[u8]>,
        V: TryInto<HeaderValue>,
    {
        self.field(name, value, false)
    }

    /// Adds a header field whose value is a secret: no debug output shows it, and it does not follow a redirect to
    /// another origin. Otherwise the same as [`header`](Self::header).
    ///
    /// # Errors
    /// [`HeaderError`].
    pub fn secret_header<N, V>(self, name: N, value: V) -> Result<Self, HeaderError>
    where
        N: TryInto<HeaderName> + AsRef<[u8]>,
        V: TryInto<HeaderValue>,
    {
        self.field(name, value, true)
    }

    fn field<N, V>(mut self, name: N, value: V, secret: bool) -> Result<Self, HeaderError>
    where
        N: TryInto<HeaderName> + AsRef<[u8]>,
        V: TryInto<HeaderValue>,
    {
        let written = String::from_utf8_lossy(name.as_ref()).into_owned();
        let name = name.try_into().map_err(|_| HeaderError::Name(written.clone()))?;
        let mut value = value.try_into().map_err(|_| HeaderError::Value(name.clone()))?;
        owned_by_caller(&name)?;
        // RFC 9112 §3.2: a server answers more than one Host field with 400.
        if name == http::header::HOST && self.headers.contains_key(&name) {
            return Err(HeaderError::RepeatedHost);
        }
        value.set_sensitive(secret || value.is_sensitive() || is_secret(&name));
        let name = self.names.append(&written).map_err(|_| HeaderError::Name(written))?;
        self.headers.append(name, value);
        Ok(self)
    }

    /// Offers a subprotocol, after those that were offered before (RFC 6455 section 1.9). The one that the server chooses is
    /// [`Negotiated::subprotocol`](crate::Negotiated::subprotocol).
    ///
    /// Whether it is a token, and offered once, is checked when the request is sent. None is offered after a redirect
    /// to another origin: browsers have no other place for a token, so a subprotocol may be a credential.
    #[must_use]
    #[doc(alias("protocol", "protocols", "subprotocols"))]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocols.push(name.into());
        self
    }

    /// Returns the address, without credentials: those have become a header field.
    #[doc(alias("uri", "as_str"))]
    pub fn url(&self) -> &str {
        self.address.as_str()
    }

    /// Returns the host and the port to connect to, as in `example.com:80` or `[::1]:9001`: the form that
    /// `tokio::net::TcpStream::connect` takes.
    #[doc(alias("host", "port", "host_str"))]
    pub fn authority(&self) -> String {
        self.address.host_and_port()
    }

    /// Returns the caller's header fields, `Authorization` from the URL among them.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the subprotocols, in order of preference.
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// Returns whether the connection is to be encrypted: `wss`.
    pub fn is_secure(&self) -> bool {
        self.address.is_secure()
    }

    /// Returns the host to connect to.
    pub(crate) fn host(&self) -> Host<&str> {
        self.address.host()
    }

    /// Returns the port to connect to: the URL's, or 80 and 443 (RFC 6455 section 3).
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns the template that the handshake completes: origin-form target and `Host`.
    pub(crate) fn template(&self) -> Result<http::Request<()>, UrlError> {
        let mut template = http::Request::new(());
        *template.uri_mut() = Uri::try_from(self.address.target()).map_err(|_| UrlError::Target)?;
        *template.headers_mut() = self.headers.clone();
        template.extensions_mut().insert(self.names.clone());
        if !self.headers.contains_key(http::header::HOST) {
            // §4.1: Host carries the port only when it is not the scheme's own.
            let host = HeaderValue::from_str(self.address.authority()).map_err(|_| UrlError::Host)?;
            template.headers_mut().insert(http::header::HOST, host);
        }
        Ok(template)
    }

    /// Returns the template of an extended CONNECT: an absolute URI, with the caller's `Host` as its authority.
    #[cfg(feature = "http2")]
    pub(crate) fn connect_template(&self) -> Result<http::Request<()>, UrlError> {
        let mut template = self.template()?;
        let host = template.headers_mut().remove(http::header::HOST).ok_or(UrlError::Host)?;
        let mut parts = std::mem::take(template.uri_mut()).into_parts();
        parts.scheme =
            Some(if self.is_secure() { http::uri::Scheme::HTTPS } else { http::uri::Scheme::HTTP });
        parts.authority = Some(host.as_bytes().try_into().map_err(|_| UrlError::Host)?);
        *template.uri_mut() = Uri::from_parts(parts).map_err(|_| UrlError::Target)?;
        Ok(template)
    }

    fn at(address: Address) -> Self {
        Self { address, headers: HeaderMap::new(), names: FieldNames::default(), subprotocols: Vec::new() }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("url", &self.address)
            .field("headers", &self.headers)
            .field("subprotocols", &self.subprotocols)
            .finish()
    }
}

#[cfg(test)]
mod tests;
