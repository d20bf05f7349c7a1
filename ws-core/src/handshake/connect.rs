//! The client's side of the opening handshake over HTTP/2: an extended CONNECT (RFC 8441 sections 4 and 5).

use std::fmt;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Uri, Version};

use super::client::refused;
use super::offered::{Established, Offered};
use super::refused::HandshakeError;
use super::request::{RequestError, check_template, host_of_uri, subprotocol_list, write_target};
use super::version::VERSION;

/// One opening handshake as a client over HTTP/2, for an HTTP/2 library to send: the request as an extended CONNECT
/// (RFC 8441 section 4), then the judgement of the answer. HTTP/3 uses the same form (RFC 9220).
///
/// The library must have received the peer's first SETTINGS, and in them `SETTINGS_ENABLE_CONNECT_PROTOCOL` = 1, before
/// it sends the request (RFC 8441 section 3). It sends [`PROTOCOL`](Self::PROTOCOL) as the pseudo-field `:protocol`.
///
/// ```
/// use ws_core::handshake::ConnectHandshake;
///
/// let template = http::Request::get("wss://localhost/chat").body(())?;
/// let client = ConnectHandshake::new(template, &["chat".into()], None)?;
/// let request = client.request();
/// assert_eq!((request.method(), request.uri().to_string().as_str()), (&http::Method::CONNECT, "https://localhost/chat"));
///
/// let response = http::Response::builder().status(200).header("sec-websocket-protocol", "chat").body(())?;
/// assert_eq!(client.judge(response)?.subprotocol.as_deref(), Some("chat"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ConnectHandshake {
    request: http::Request<()>,
    offered: Offered,
}

impl ConnectHandshake {
    /// The value of the pseudo-field `:protocol` (RFC 8441 section 5).
    pub const PROTOCOL: &'static str = "websocket";

    /// Prepares the request.
    ///
    /// `template` is one of [`ClientHandshake::new`](super::ClientHandshake::new) with an absolute URI, whose host
    /// becomes `:authority`. Fields of the template that only have a meaning for one connection of HTTP/1.1
    /// (`Keep-Alive`, `Proxy-Connection`, `TE`) are left out. `subprotocols` and `extensions` are as there; there is no
    /// nonce, because the answer proves nothing by it (RFC 8441 section 5).
    ///
    /// # Errors
    /// [`RequestError`], which says what is wrong with the template or the offers.
    pub fn new(
        template: http::Request<()>,
        subprotocols: &[String],
        extensions: Option<&str>,
    ) -> Result<Self, RequestError> {
        let offered = Offered::new(subprotocols, extensions)?;
        check_template(&template)?;
        let mut request = http::Request::new(());
        // RFC 8441 §4: an extended CONNECT has :scheme, :path and :authority.
        *request.method_mut() = Method::CONNECT;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = target(&template)?;
        let fields = request.headers_mut();
        // §5: Sec-WebSocket-Version, -Protocol and -Extensions are used as over HTTP/1.1; Host, Upgrade, Connection and
        // the key are not.
        fields.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
        if !subprotocols.is_empty() {
            let list = subprotocol_list(subprotocols)?;
            let value = HeaderValue::from_str(&list).map_err(|_| RequestError::InvalidSubprotocol(list))?;
            fields.insert(header::SEC_WEBSOCKET_PROTOCOL, value);
        }
        if let Some(extensions) = extensions {
            let value = HeaderValue::from_str(extensions)
                .map_err(|_| RequestError::InvalidExtensions(extensions.into()))?;
            fields.insert(header::SEC_WEBSOCKET_EXTENSIONS, value);
        }
        copy_fields(fields, template.headers());
        Ok(Self { request, offered })
    }

    /// Returns the request to send, without `:protocol`, for which [`http`] has no place.
    pub fn request(&self) -> http::Request<()> {
        self.request.clone()
    }

    /// Judges the head of the final answer. The caller adds the body of a refusal.
    ///
    /// # Errors
    /// [`HandshakeError`]; [`HandshakeError::Refused`] for any status but 2xx.
    pub fn judge(&self, response: http::Response<()>) -> Result<Established, HandshakeError> {
        // RFC 8441 §5: a 2xx takes the place of the 101 (RFC 9110 §9.3.6: any 2xx agrees to a CONNECT).
        if response.status().is_success() {
            self.offered.establish(response)
        } else {
            Err(HandshakeError::Refused(Box::new(refused(response, 0))))
        }
    }
}

impl fmt::Debug for ConnectHandshake {
    /// Without the request, which may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectHandshake").field("offered", &self.offered).finish_non_exhaustive()
    }
}

/// Returns the URI that has the pseudo-fields `:scheme`, `:authority` and `:path`.
fn target(template: &http::Request<()>) -> Result<Uri, RequestError> {
    let uri = template.uri();
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(RequestError::MissingHost);
    };
    // RFC 9113 §8.3.1: :authority takes the place of Host.
    if template.headers().contains_key(header::HOST) {
        return Err(RequestError::OwnedHeader(header::HOST));
    }
    let scheme = scheme.to_ascii_lowercase();
    let host = host_of_uri(&scheme, authority.as_str())?;
    let mut path = Vec::new();
    write_target(&mut path, uri);
    let path = PathAndQuery::from_maybe_shared(path).map_err(|_| RequestError::MissingHost)?;
    // RFC 8441 §5: the scheme is https for wss and http for ws.
    let scheme = if matches!(scheme.as_str(), "wss" | "https") { "https" } else { "http" };
    let built = Uri::builder().scheme(scheme).authority(host.as_str()).path_and_query(path).build();
    built.map_err(|_| RequestError::InvalidHost(host))
}

/// Copies the caller's fields.
fn copy_fields(fields: &mut HeaderMap, template: &HeaderMap) {
    for (name, value) in template {
        // RFC 9113 §8.2.2: fields of a connection MUST NOT be sent.
        if !is_of_connection(name) {
            fields.append(name, value.clone());
        }
    }
}

/// Whether a field has a meaning for one connection of HTTP/1.1 only (RFC 9113 section 8.2.2); those that the handshake
/// itself sets are refused before.
fn is_of_connection(name: &HeaderName) -> bool {
    *name == header::TE || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "http2-settings")
}
