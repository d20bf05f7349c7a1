//! The client's request: a template encoded as bytes. RFC 6455 section 4.1.

use http::header::{self, HeaderName};
use http::{HeaderMap, Method, Uri, Version};
use thiserror::Error;

use super::extension::Extension;
use super::field_names::FieldNames;
use super::host::Authority;
use super::origin::default_port;
use super::refusal::{is_owned, write_field};
use super::subprotocol::repeated;
use super::token::{is_token, values};
use super::version::VERSION;
use crate::error::debug_by_display;

/// The caller's template or offers cannot be turned into a handshake request; nothing was written.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// A method other than GET (RFC 6455 section 4.1, item 2).
    #[error("the method of a handshake request is GET, not {0}")]
    Method(Method),
    /// A version other than HTTP/1.1.
    #[error("the version of a handshake request is HTTP/1.1, not {0:?}")]
    Version(Version),
    /// A scheme other than `ws`, `wss`, `http` and `https`.
    #[error("the scheme {0:?} is none of ws, wss, http and https")]
    Scheme(String),
    /// A URI that is neither absolute nor in origin form with a `Host` field.
    #[error("the request has no host: give a URI such as ws://host/path, or a path and one Host field")]
    MissingHost,
    /// More than one `Host` field (RFC 9112 section 3.2).
    #[error("the request has more than one Host field: leave out all but one")]
    RepeatedHost,
    /// A host or port that cannot stand in a `Host` field.
    #[error("the host {0:?} is not a host with an optional port")]
    InvalidHost(String),
    /// A field that this library writes by itself, or that would announce a body.
    #[error("the field {0} is set by the handshake; leave it out of the request's headers")]
    OwnedHeader(HeaderName),
    /// A subprotocol that is not a token (RFC 6455 section 4.1, item 10).
    #[error("the subprotocol {0:?} is not a token")]
    InvalidSubprotocol(String),
    /// A subprotocol that is offered twice (RFC 6455 section 4.1, item 10).
    #[error("the subprotocol {0:?} is offered twice")]
    RepeatedSubprotocol(String),
    /// An offer outside the grammar of RFC 6455 section 9.1.
    #[error("the extensions {0:?} are not a list of extensions")]
    InvalidExtensions(String),
}

debug_by_display!(RequestError);

/// What is sent beside the template.
pub(super) struct Offer<'a> {
    pub(super) key: &'a str,
    pub(super) subprotocols: &'a [String],
    pub(super) extensions: Option<&'a str>,
}

/// The bytes of the request, checked.
pub(super) fn encode_request(
    template: &http::Request<()>,
    offer: &Offer<'_>,
) -> Result<Vec<u8>, RequestError> {
    check_template(template)?;
    let mut head = b"GET ".to_vec();
    write_target(&mut head, template.uri());
    head.extend_from_slice(b" HTTP/1.1\r\n");
    // §4.1 items 4 to 9. RFC 9110 §7.2: Host comes first.
    write_field(&mut head, "Host", host(template)?.as_bytes());
    write_field(&mut head, "Upgrade", b"websocket");
    write_field(&mut head, "Connection", b"Upgrade");
    write_field(&mut head, "Sec-WebSocket-Key", offer.key.as_bytes());
    write_field(&mut head, "Sec-WebSocket-Version", VERSION.as_bytes());
    if !offer.subprotocols.is_empty() {
        write_field(&mut head, "Sec-WebSocket-Protocol", subprotocol_list(offer.subprotocols)?.as_bytes());
    }
    if let Some(extensions) = offer.extensions {
        write_field(&mut head, "Sec-WebSocket-Extensions", extensions.as_bytes());
    }
    let names = template.extensions().get::<FieldNames>();
    for name in template.headers().keys().filter(|name| **name != header::HOST) {
        let mut written = names.into_iter().flat_map(|names| names.of(name));
        for value in template.headers().get_all(name) {
            write_field(&mut head, written.next().unwrap_or(name.as_str()), value.as_bytes());
        }
    }
    head.extend_from_slice(b"\r\n");
    Ok(head)
}

/// Checks what a template has beside its URI.
pub(super) fn check_template(template: &http::Request<()>) -> Result<(), RequestError> {
    // §4.1 item 2: the method MUST be GET, the version at least 1.1.
    if template.method() != Method::GET {
        return Err(RequestError::Method(template.method().clone()));
    }
    if template.version() != Version::HTTP_11 {
        return Err(RequestError::Version(template.version()));
    }
    match template.headers().keys().find(|name| is_owned(name)) {
        Some(name) => Err(RequestError::OwnedHeader(name.clone())),
        None => Ok(()),
    }
}

/// The names of the extensions in an offer.
pub(super) fn offered_extensions(extensions: Option<&str>) -> Result<Vec<String>, RequestError> {
    let lines = extensions.map(str::as_bytes);
    let invalid = || RequestError::InvalidExtensions(extensions.unwrap_or_default().into());
    let offered = Extension::parse_list(lines).map_err(|_| invalid())?;
    // RFC 6455 §9.1: extension-list = 1#extension; RFC 9110 §5.6.1.1: a sender does not write an empty list.
    if extensions.is_some() && offered.is_empty() {
        return Err(invalid());
    }
    Ok(offered.into_iter().map(|extension| extension.name).collect())
}

/// The value of the `Host` field (RFC 6455 section 4.1, item 4).
fn host(template: &http::Request<()>) -> Result<String, RequestError> {
    let (uri, headers) = (template.uri(), template.headers());
    match (uri.scheme_str(), uri.authority()) {
        (Some(scheme), Some(authority)) => {
            if headers.contains_key(header::HOST) {
                return Err(RequestError::OwnedHeader(header::HOST));
            }
            host_of_uri(&scheme.to_ascii_lowercase(), authority.as_str())
        }
        (None, None) if uri.path().starts_with('/') => host_of_headers(headers),
        _ => Err(RequestError::MissingHost),
    }
}

/// The host of an absolute URI, with the port if it is not the scheme's own.
pub(super) fn host_of_uri(scheme: &str, authority: &str) -> Result<String, RequestError> {
    let Some(default_port) = default_port(scheme) else {
        return Err(RequestError::Scheme(scheme.into()));
    };
    // RFC 9110 §4.2.4: user information is not sent.
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let parsed =
        Authority::parse(host_and_port).ok_or_else(|| RequestError::InvalidHost(host_and_port.into()))?;
    // §4.1 item 4: the port is there unless it is the default.
    Ok(match parsed.port.filter(|&port| port != default_port) {
        Some(port) => format!("{}:{port}", parsed.host),
        None => parsed.host.into(),
    })
}

fn host_of_headers(headers: &HeaderMap) -> Result<String, RequestError> {
    let mut lines = values(headers, &header::HOST);
    match (lines.next(), lines.next()) {
        (Some(host), None) => {
            let host = String::from_utf8_lossy(host);
            match Authority::parse(&host) {
                Some(_) => Ok(host.into_owned()),
                None => Err(RequestError::InvalidHost(host.into_owned())),
            }
        }
        // RFC 9112 §3.2: a server answers more than one Host field with 400.
        (Some(_), Some(_)) => Err(RequestError::RepeatedHost),
        (None, _) => Err(RequestError::MissingHost),
    }
}

/// Writes the target in origin form (RFC 9112 section 3.2.1).
pub(super) fn write_target(head: &mut Vec<u8>, uri: &Uri) {
    let query = uri.query().map(|query| ["?", query]).unwrap_or_default();
    // RFC 6455 §3: an empty path is sent as "/": that is what `path` says then.
    for byte in [uri.path()].into_iter().chain(query).flat_map(str::bytes) {
        if byte.is_ascii_graphic() {
            head.push(byte);
        } else {
            // RFC 3986 §2.1: bytes beyond ASCII are percent-encoded.
            head.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
}

/// The value of `Sec-WebSocket-Protocol`.
pub(super) fn subprotocol_list(subprotocols: &[String]) -> Result<String, RequestError> {
    // §4.1 item 10: non-empty tokens, all unique.
    if let Some(name) = subprotocols.iter().find(|name| !is_token(name.as_bytes())) {
        return Err(RequestError::InvalidSubprotocol(name.clone()));
    }
    match repeated(subprotocols) {
        Some(name) => Err(RequestError::RepeatedSubprotocol(name.into())),
        None => Ok(subprotocols.join(", ")),
    }
}
