//! Answers other than 101: pages, health checks, refusals.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};

/// An HTTP response with its whole body. `Connection: close`, `Content-Length` and, unless it is there, `Date` are added
/// when it is written, and it always ends the connection.
pub type Response = http::Response<Bytes>;

/// A response with one line of plain text.
pub fn text(status: StatusCode, line: &str) -> Response {
    content(status, HeaderValue::from_static("text/plain; charset=utf-8"), Bytes::from(format!("{line}\n")))
}

/// A page.
pub fn html(body: impl Into<Bytes>) -> Response {
    content(StatusCode::OK, HeaderValue::from_static("text/html; charset=utf-8"), body.into())
}

/// A response with a body of any type; `nosniff` keeps browsers from guessing another one.
pub fn content(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// 401 with `WWW-Authenticate: Basic`, which makes a browser ask for a name and a password.
#[doc(alias = "basic auth")]
#[doc(alias = "basic_auth")]
pub fn unauthorized() -> Response {
    let mut response = text(StatusCode::UNAUTHORIZED, "This needs a name and a password.");
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
    response
}

/// 401 with `WWW-Authenticate: Bearer`, for a request without a valid token (RFC 6750 section 3).
#[doc(alias = "bearer")]
pub fn token_required() -> Response {
    let mut response = text(StatusCode::UNAUTHORIZED, "This needs a valid token.");
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

pub(crate) fn not_found() -> Response {
    text(StatusCode::NOT_FOUND, "There is nothing at this path.")
}

/// `secure` is whether the connection is encrypted.
pub(crate) fn upgrade_required(secure: bool) -> Response {
    let scheme = if secure { "wss" } else { "ws" };
    let line = format!("This path is a WebSocket endpoint; connect to it with a {scheme}:// URL.");
    // RFC 9110 §15.5.22: 426 names the protocol in Upgrade; `encode_response` adds that field.
    text(StatusCode::UPGRADE_REQUIRED, &line)
}

/// As many WebSockets are open as there may be.
pub(crate) fn overloaded(retry_after: Duration) -> Response {
    unavailable("The server is full; try again later.", retry_after)
}

pub(crate) fn shutting_down(retry_after: Duration) -> Response {
    unavailable("The server is shutting down; try again later.", retry_after)
}

/// The address of the client has more WebSockets, or sends more requests, than the setting `per_address` allows.
pub(crate) fn too_many(retry_after: Duration) -> Response {
    // RFC 6585 §4.
    let line = "Too many requests or WebSockets from this address (per_address); try again later.";
    later(StatusCode::TOO_MANY_REQUESTS, line, retry_after)
}

fn unavailable(line: &str, retry_after: Duration) -> Response {
    later(StatusCode::SERVICE_UNAVAILABLE, line, retry_after)
}

fn later(status: StatusCode, line: &str, retry_after: Duration) -> Response {
    let mut response = text(status, line);
    // RFC 9110 §10.2.3: whole seconds. Rounded up, so that no client comes back too early.
    let seconds = retry_after.as_secs().saturating_add(u64::from(retry_after.subsec_nanos() > 0));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

pub(crate) fn internal_error() -> Response {
    text(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error.")
}

pub(crate) fn request_timeout() -> Response {
    text(StatusCode::REQUEST_TIMEOUT, "The request did not arrive in time.")
}
