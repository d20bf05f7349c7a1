//! The client's side of the opening handshake: RFC 6455 section 4.1.

use std::fmt;

use http::header::{self, HeaderMap, HeaderName};
use http::{StatusCode, Version};

use super::body::BodyFraming;
use super::head::HeadLimits;
use super::key::{accept_key, encode_key};
use super::offered::{Established, Offered};
use super::opening::Opening;
use super::refused::{HandshakeError, Refused};
use super::request::{Offer, RequestError, encode_request};
use super::response::ResponseReader;
use super::server::RequestReader;
use super::token::{has_token, values};

/// One opening handshake as a client: the request to send, then the reader of the answer.
pub struct ClientHandshake {
    request: Vec<u8>,
    accept: String,
    offered: Offered,
    limits: HeadLimits,
    interim: usize,
    reader: ResponseReader,
}

/// How many interim (1xx) responses may come before the final one.
pub const MAX_INTERIM_RESPONSES: usize = 8;

impl ClientHandshake {
    /// Encodes the request.
    ///
    /// `request` is a template: its URI and its headers are used. The URI is absolute with scheme `ws`, `wss`,
    /// `http` or `https` (then `Host` is made from it, with the port if it is not the default and without user
    /// information), or a path beside one `Host` field. Key, version, `Upgrade`, `Connection` and the other fields of
    /// the handshake cannot be set by the caller. [`FieldNames`](super::FieldNames) among its extensions keep the
    /// case of the caller's field names.
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
        let key = encode_key(nonce);
        let offered = Offered::new(subprotocols, extensions)?;
        let limits = HeadLimits::client();
        Ok(Self {
            request: encode_request(&request, &Offer { key: &key, subprotocols, extensions })?,
            accept: accept_key(key.as_bytes()),
            offered,
            limits,
            interim: 0,
            reader: ResponseReader::new(limits),
        })
    }

    /// Returns the same handshake with other limits on the response's head than [`HeadLimits::client`]; must be called before
    /// anything is received.
    #[must_use]
    pub fn with_limits(mut self, limits: HeadLimits) -> Self {
        self.limits = limits;
        self.reader = ResponseReader::new(limits);
        self
    }

    /// Returns the bytes to send.
    pub fn request_bytes(&self) -> &[u8] {
        &self.request
    }

    /// Returns the request for another HTTP library to send: as [`request_bytes`](Self::request_bytes), with a path as
    /// its target.
    pub fn request(&self) -> http::Request<()> {
        let limits = HeadLimits { bytes: usize::MAX, fields: usize::MAX, target: usize::MAX };
        match RequestReader::new(limits).receive(&self.request) {
            Ok(Some((Opening::Upgrade(upgrade), _))) => upgrade.into_request(),
            // It has been written by the rules that it is read by.
            _ => http::Request::new(()),
        }
    }

    /// Judges the final answer that another HTTP library has read, by its head: as [`receive`](Self::receive) does.
    /// The caller adds the body of a refusal.
    ///
    /// # Errors
    /// [`HandshakeError`]; [`HandshakeError::Refused`] for any status but 101.
    pub fn judge(&self, response: http::Response<()>) -> Result<Established, HandshakeError> {
        match response.status() {
            StatusCode::SWITCHING_PROTOCOLS => self.establish(response),
            _ => Err(HandshakeError::Refused(Box::new(refused(response, 0)))),
        }
    }

    /// Looks at what is new in `buffer`, which holds *all* bytes received so far.
    ///
    /// `Ok(None)`: more is needed; the buffer then holds fewer than [`HeadLimits::bytes`] bytes.
    /// `Ok(Some((established, length)))`: the connection is open; `length` bytes were the handshake, and what follows
    /// them in `buffer` are the first bytes of frames.
    ///
    /// # Errors
    /// [`HandshakeError`]; the handshake is then over. [`HandshakeError::Refused`] carries the server's answer.
    pub fn receive(&mut self, buffer: &[u8]) -> Result<Option<(Established, usize)>, HandshakeError> {
        while let Some((response, length)) = self.reader.receive(buffer)? {
            let status = response.status();
            if status == StatusCode::SWITCHING_PROTOCOLS {
                return self.establish(response).map(|established| Some((established, length)));
            }
            if !status.is_informational() {
                return Err(HandshakeError::Refused(Box::new(refused(response, length))));
            }
            // RFC 9110 §15.2: a client reads any number of interim responses; ours has had enough at some point.
            if self.interim >= MAX_INTERIM_RESPONSES {
                return Err(HandshakeError::TooManyInterim { limit: MAX_INTERIM_RESPONSES });
            }
            self.interim = self.interim.saturating_add(1);
            self.reader = ResponseReader::new_at(length, self.limits);
        }
        Ok(None)
    }

    /// Returns the error for a stream that ended before [`receive`](Self::receive) had an answer in `buffer`.
    pub fn end_of_stream(&self, buffer: &[u8]) -> HandshakeError {
        HandshakeError::UnexpectedEnd { received: buffer.len() }
    }

    /// Judges a 101.
    fn establish(&self, response: http::Response<()>) -> Result<Established, HandshakeError> {
        let headers = response.headers();
        // RFC 9110 §7.8: HTTP/1.0 has no Upgrade.
        if response.version() != Version::HTTP_11 {
            return Err(HandshakeError::Version);
        }
        // §4.1, the response, item 2: Upgrade is "websocket", in any case. RFC 9110 §7.8: the field is a list, in which
        // a proxy may name others.
        if !has_token(values(headers, &header::UPGRADE), "websocket") {
            return Err(HandshakeError::Upgrade);
        }
        // Item 3: Connection has the token "upgrade".
        if !has_token(values(headers, &header::CONNECTION), "upgrade") {
            return Err(HandshakeError::Connection);
        }
        // Item 4: the Accept that answers the key; §11.3.3: once.
        match single(headers, header::SEC_WEBSOCKET_ACCEPT) {
            Ok(Some(accept)) if accept == self.accept.as_bytes() => {}
            Ok(Some(_)) => return Err(HandshakeError::WrongAccept),
            Ok(None) => return Err(HandshakeError::MissingAccept),
            Err(Repeated) => return Err(HandshakeError::RepeatedAccept),
        }
        self.offered.establish(response)
    }
}

impl fmt::Debug for ClientHandshake {
    /// Without the request, which may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHandshake")
            .field("offered", &self.offered)
            .field("limits", &self.limits)
            .field("interim", &self.interim)
            .finish_non_exhaustive()
    }
}

/// A field that may occur once occurs twice.
struct Repeated;

fn single(headers: &HeaderMap, name: HeaderName) -> Result<Option<&[u8]>, Repeated> {
    let mut lines = values(headers, &name);
    match (lines.next(), lines.next()) {
        (first, None) => Ok(first),
        (_, Some(_)) => Err(Repeated),
    }
}

/// What is known of a refusal by its head.
pub(super) fn refused(response: http::Response<()>, head_length: usize) -> Refused {
    let framing = BodyFraming::of(&response);
    let body_complete = matches!(framing, BodyFraming::None | BodyFraming::Length(0));
    Refused { response: response.map(|()| Vec::new()), body_complete, framing, head_length }
}
