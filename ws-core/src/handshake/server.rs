//! The server's side of the opening handshake: RFC 6455 section 4.2.

use http::HeaderMap;

use super::extension::Extension;
use super::head::HeadLimits;
use super::refusal::{Refusal, ResponseError};

/// Reads the head of one request, strictly, as its bytes arrive.
#[derive(Debug)]
pub struct RequestReader {
    limits: HeadLimits,
}

/// A well-formed request.
#[derive(Debug)]
pub enum Opening {
    /// The client asks for a WebSocket, and everything it sent is as RFC 6455 section 4.2.1 wants it.
    Upgrade(UpgradeRequest),
    /// A GET or HEAD that asks for no WebSocket: a page, a health check.
    Plain(http::Request<()>),
}

/// A client's request for a WebSocket.
#[derive(Debug)]
pub struct UpgradeRequest {
    request: http::Request<()>,
    accept: String,
    subprotocols: Vec<String>,
    extensions: Vec<Extension>,
}

/// What a server agrees to.
#[derive(Debug, Clone, Default)]
pub struct Acceptance<'a> {
    /// One of [`UpgradeRequest::subprotocols`].
    pub subprotocol: Option<&'a str>,
    /// The value of `Sec-WebSocket-Extensions`, each of the extensions one that was offered.
    pub extensions: Option<String>,
    /// Further fields, such as `Set-Cookie`.
    pub headers: HeaderMap,
}

impl RequestReader {
    /// A reader at the first byte of a connection.
    pub fn new(limits: HeadLimits) -> Self {
        Self { limits }
    }

    /// Looks at what is new in `buffer`, which holds *all* bytes received so far.
    ///
    /// `Ok(None)`: more is needed; the buffer then holds fewer than [`HeadLimits::bytes`] bytes.
    /// `Ok(Some((opening, length)))`: the head is whole and `length` bytes long; after a 101, what follows it in
    /// `buffer` are the first bytes of frames. After that, and after an error, the reader is used up.
    ///
    /// # Errors
    /// A [`Refusal`] to send before closing, at the byte that proves the fault.
    pub fn receive(&mut self, buffer: &[u8]) -> Result<Option<(Opening, usize)>, Refusal> {
        let _ = (buffer, self.limits);
        Ok(None)
    }
}

impl UpgradeRequest {
    /// The request: its target (`request().uri().path()`, `.query()`) and its fields.
    pub fn request(&self) -> &http::Request<()> {
        &self.request
    }

    /// The subprotocols offered, in the client's order of preference.
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// The first of `supported`, in the server's order of preference, that the client offered.
    pub fn select_subprotocol<'a>(&self, supported: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        supported.into_iter().find(|name| self.subprotocols.iter().any(|offered| offered == name))
    }

    /// The extensions offered, in the client's order of preference; parameters are still to be judged.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// The bytes of the 101 that opens the connection (RFC 6455 section 4.2.2).
    ///
    /// # Errors
    /// [`ResponseError`]: a subprotocol or extension that was not offered or is no token, a field among the headers
    /// that is not the caller's to set.
    pub fn accept(&self, acceptance: Acceptance<'_>) -> Result<Vec<u8>, ResponseError> {
        let _ = acceptance;
        Ok(self.accept.clone().into_bytes())
    }

    /// The request alone.
    pub fn into_request(self) -> http::Request<()> {
        self.request
    }
}
