//! Answers that do not open a WebSocket: refusals and plain HTTP responses. They always close the connection.

use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use thiserror::Error;

use super::head_error::HeadError;
use super::version::VERSION;
use crate::error::debug_by_display;

/// One HTTP response that refuses a request, after which the connection is closed.
///
/// It says `Connection: close`, has a `Content-Length` and a body of one line of plain text that says what was wrong;
/// the body of those that this crate makes never repeats bytes of the peer. A 405 says `Allow: GET`; a 426 names what is supported:
/// `Upgrade: websocket` and `Sec-WebSocket-Version: 13` (RFC 6455 section 4.4).
#[derive(Clone, PartialEq, Eq, Error)]
#[error("{status}: {}", body.trim_end())]
pub struct Refusal {
    status: StatusCode,
    body: String,
    /// The request was a HEAD: the response has no body, but the length that the body would have.
    to_head: bool,
    /// The response names the supported version of the WebSocket protocol, whatever its status.
    names_version: bool,
}

debug_by_display!(Refusal);

impl Refusal {
    /// Returns a refusal with a client or server error status, and a sentence that says why.
    ///
    /// Any other status becomes 500: a refusal is an error, and must not be taken for anything else.
    pub fn new(status: StatusCode, reason: &str) -> Self {
        let is_error = status.is_client_error() || status.is_server_error();
        let status = if is_error { status } else { StatusCode::INTERNAL_SERVER_ERROR };
        Self { status, body: format!("{reason}\n"), to_head: false, names_version: false }
    }

    /// A 400: `reason` says what is wrong with the request.
    pub(super) fn bad_request(reason: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    /// The same refusal; without its body if it answers a HEAD request (RFC 9110 section 9.3.2).
    pub(super) fn without_body(self, to_head: bool) -> Self {
        Self { to_head, ..self }
    }

    /// The same refusal with the supported version of the WebSocket protocol (RFC 6455 section 4.4), for a status that
    /// does not imply it.
    pub(super) fn with_version(self) -> Self {
        Self { names_version: true, ..self }
    }

    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the fields that follow from the status, beside `Connection` and `Content-Length`.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = required_headers(self.status);
        if self.names_version {
            headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers
    }

    /// Returns the text of the body.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// Returns the bytes to send before closing, without a `Date`: this crate has no clock.
    pub fn encode(&self) -> Vec<u8> {
        self.encode_with(self.headers())
    }

    /// Returns the bytes to send before closing, with the field `Date` that an origin server with a clock sends (RFC 9110
    /// section 6.6.1).
    pub fn encode_with_date(&self, date: HeaderValue) -> Vec<u8> {
        let mut headers = self.headers();
        headers.insert(header::DATE, date);
        self.encode_with(headers)
    }

    /// Returns the response for another HTTP library to write over this version of HTTP, which adds `Content-Length`;
    /// without a body for a HEAD request. HTTP/2 and later have no `Connection` and no `Upgrade` (RFC 9113 section
    /// 8.2.2).
    pub fn response(&self, version: http::Version) -> http::Response<String> {
        let body = if self.to_head { String::new() } else { self.body.clone() };
        let mut response = http::Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers();
        adapt(&mut response, version);
        response
    }

    fn encode_with(&self, headers: HeaderMap) -> Vec<u8> {
        let body = if self.to_head { "" } else { self.body.as_str() };
        write_response(self.status, [&headers], self.body.len(), body.as_bytes())
    }
}

impl From<HeadError> for Refusal {
    fn from(fault: HeadError) -> Self {
        let status = match fault {
            // RFC 9112 §3 and §5: what is malformed gets 400.
            HeadError::StartLine(_) | HeadError::FieldLine(_) => StatusCode::BAD_REQUEST,
            // RFC 9110 §15.6.6.
            HeadError::Version { .. } => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            // RFC 6585 §5.
            HeadError::TooLong { .. } | HeadError::TooManyFields { .. } => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            // RFC 9112 §3: 414 for a target longer than what is parsed.
            HeadError::TargetTooLong { .. } => StatusCode::URI_TOO_LONG,
        };
        Self::new(status, &fault.to_string())
    }
}

/// The caller tried to send a response that must not be written; nothing was written.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// A field that this library writes by itself, or that would change how the message ends.
    #[error("the field {0} is set by the handshake; leave it out of the response's headers")]
    OwnedHeader(HeaderName),
    /// A subprotocol that is not a token.
    #[error("the subprotocol {0:?} is not a token")]
    InvalidSubprotocol(String),
    /// A subprotocol that the client did not offer (RFC 6455 section 4.2.2).
    #[error("the subprotocol {0:?} was not offered by the client")]
    SubprotocolNotOffered(String),
    /// Extensions outside the grammar of RFC 6455 section 9.1, or one of them twice.
    #[error("the extensions {0:?} are not a list of different extensions")]
    InvalidExtensions(String),
    /// An extension that the client did not offer (RFC 6455 section 4.2.2).
    #[error("the extension {0:?} was not offered by the client")]
    ExtensionNotOffered(String),
    /// A status below 200: those are not final, and 101 comes from [`accept`](super::UpgradeRequest::accept) only.
    #[error("status {0} is not the status of a final response")]
    InterimStatus(StatusCode),
    /// Bytes of HTTP/1.1 were asked for as the answer to a request of HTTP/2 or HTTP/3.
    #[error(
        "the request came over HTTP/2 or HTTP/3; give UpgradeRequest::response to the library that has read it"
    )]
    NotHttp1,
    /// A body with a status that has none (RFC 9110 section 6.4.1: 204, 205 and 304).
    #[error("a response with status {0} has no body")]
    BodyNotAllowed(StatusCode),
}

debug_by_display!(ResponseError);

/// Writes a plain HTTP response: a page, a health check, a handler's refusal.
///
/// `Connection: close` and `Content-Length` are added, and with status 426 `Upgrade: websocket` and
/// `Sec-WebSocket-Version: 13`. The caller, which has a clock, adds `Date` (RFC 9110 section 6.6.1). The version of
/// `response` is ignored: it is HTTP/1.1.
///
/// # Errors
/// [`ResponseError::OwnedHeader`] for `Connection`, `Content-Length`, `Transfer-Encoding`, `Trailer`, `Upgrade`
/// and `Sec-WebSocket-*` among the headers, [`ResponseError::InterimStatus`], [`ResponseError::BodyNotAllowed`].
pub fn encode_response(response: &http::Response<impl AsRef<[u8]>>) -> Result<Vec<u8>, ResponseError> {
    encode(response, response.body().as_ref())
}

/// Writes the response to a HEAD request: as [`encode_response`], with the length of the body but without the body
/// (RFC 9110 section 9.3.2).
///
/// # Errors
/// Those of [`encode_response`].
pub fn encode_head_response(response: &http::Response<impl AsRef<[u8]>>) -> Result<Vec<u8>, ResponseError> {
    encode(response, &[])
}

/// Prepares a response for another HTTP library to write: what [`encode_response`] returns as bytes, except for
/// `Content-Length`, which that library adds. HTTP/2 and later have no `Connection` and no `Upgrade`
/// (RFC 9113 section 8.2.2).
///
/// # Errors
/// Those of [`encode_response`].
pub fn complete_response<B: AsRef<[u8]>>(
    mut response: http::Response<B>,
    version: http::Version,
) -> Result<http::Response<B>, ResponseError> {
    let required = check_response(&response)?;
    response.headers_mut().extend(required);
    adapt(&mut response, version);
    Ok(response)
}

/// Gives a response the fields that are about the connection, or takes them away where there are none.
fn adapt<B>(response: &mut http::Response<B>, version: http::Version) {
    if version < http::Version::HTTP_2 {
        let options = HeaderValue::from_static(connection_options(response.status()));
        response.headers_mut().insert(header::CONNECTION, options);
    } else {
        // RFC 9113 §8.2.2.
        response.headers_mut().remove(header::UPGRADE);
    }
}

fn encode<B: AsRef<[u8]>>(response: &http::Response<B>, body: &[u8]) -> Result<Vec<u8>, ResponseError> {
    let required = check_response(response)?;
    let length = response.body().as_ref().len();
    Ok(write_response(response.status(), [response.headers(), &required], length, body))
}

/// Checks that a response may be written; returns what its status requires besides its fields.
fn check_response<B: AsRef<[u8]>>(response: &http::Response<B>) -> Result<HeaderMap, ResponseError> {
    let status = response.status();
    if status.is_informational() {
        return Err(ResponseError::InterimStatus(status));
    }
    let length = response.body().as_ref().len();
    // RFC 9110 §6.4.1: 204 and 304 have no content; §15.3.6: nor has 205.
    if length > 0 && (is_bodiless(status) || status == StatusCode::RESET_CONTENT) {
        return Err(ResponseError::BodyNotAllowed(status));
    }
    check_not_owned(response.headers())?;
    let mut required = required_headers(status);
    for name in response.headers().keys() {
        required.remove(name);
    }
    Ok(required)
}

/// Refuses headers that the library writes by itself.
pub(super) fn check_not_owned(headers: &HeaderMap) -> Result<(), ResponseError> {
    match headers.keys().find(|name| is_owned(name)) {
        Some(name) => Err(ResponseError::OwnedHeader(name.clone())),
        None => Ok(()),
    }
}

/// Whether a field belongs to the handshake or to the framing of messages.
pub(super) fn is_owned(name: &HeaderName) -> bool {
    [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::TRAILER, header::UPGRADE]
        .contains(name)
        || name.as_str().starts_with("sec-websocket-")
}

/// Appends one field line.
pub(super) fn write_field(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        head.extend_from_slice(part);
    }
}

/// What a status requires besides the caller's fields.
fn required_headers(status: StatusCode) -> HeaderMap {
    let mut headers = HeaderMap::new();
    match status {
        // RFC 9110 §15.5.6: a 405 MUST say what is allowed.
        StatusCode::METHOD_NOT_ALLOWED => {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET"));
        }
        StatusCode::UPGRADE_REQUIRED => {
            // RFC 9110 §15.5.22: a 426 MUST name the protocol; RFC 6455 §4.4: and the version.
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
        }
        _ => {}
    }
    headers
}

fn write_response<'a>(
    status: StatusCode,
    headers: impl IntoIterator<Item = &'a HeaderMap>,
    length: usize,
    body: &[u8],
) -> Vec<u8> {
    let reason = status.canonical_reason().unwrap_or_default();
    let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).into_bytes();
    write_field(&mut bytes, "Connection", connection_options(status).as_bytes());
    for (name, value) in headers.into_iter().flatten() {
        write_field(&mut bytes, name.as_str(), value.as_bytes());
    }
    // RFC 9110 §8.6: no Content-Length with 204; with 304 it would be that of another response.
    if !is_bodiless(status) {
        write_field(&mut bytes, "Content-Length", length.to_string().as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// The value of `Connection`.
fn connection_options(status: StatusCode) -> &'static str {
    // RFC 9112 §9.6: the connection ends with this response. RFC 9110 §7.8: Upgrade has its token here too.
    if status == StatusCode::UPGRADE_REQUIRED { "close, upgrade" } else { "close" }
}

/// Whether a response ends with its head, whatever its fields say (RFC 9112 section 6.3).
pub(super) fn is_bodiless(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}
