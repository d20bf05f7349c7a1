//! How a client's opening handshake fails.

use std::fmt;

use thiserror::Error;

use super::body::{BodyFraming, BodyProgress, BodyReader};
use super::extension::InvalidExtensions;
use super::head::HeadFault;
use crate::error::debug_by_display;

/// Why the server's answer does not open a WebSocket. The connection is to be dropped: it was never open.
#[derive(Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The server answered with a final status other than 101.
    #[error("the server refused the handshake with status {}", .0.response.status())]
    Refused(Box<Refused>),
    /// The answer is no HTTP response, or not one within the limits.
    #[error("the server's response cannot be read: {0}")]
    Head(HeadFault),
    /// A 101 in HTTP/1.0, which has no Upgrade (RFC 9110 section 7.8).
    #[error("the server switched protocols in HTTP/1.0")]
    Version,
    /// The stream ended before the end of the response's head.
    #[error("the stream ended inside the server's response, after {received} bytes")]
    UnexpectedEnd {
        /// The bytes received until then.
        received: usize,
    },
    /// More interim responses than [`MAX_INTERIM_RESPONSES`](super::MAX_INTERIM_RESPONSES).
    #[error("the server sent more than {limit} interim (1xx) responses")]
    TooManyInterim {
        /// The limit, in responses.
        limit: usize,
    },
    /// `Upgrade` is missing or does not name `websocket` (RFC 6455 section 4.1).
    #[error("the Upgrade field of the server's 101 is missing or does not name \"websocket\"")]
    Upgrade,
    /// `Connection` has no `upgrade` token (RFC 6455 section 4.1).
    #[error("the Connection field of the server's 101 has no \"upgrade\" token")]
    Connection,
    /// There is no `Sec-WebSocket-Accept` (RFC 6455 section 4.1).
    #[error("the server's 101 has no Sec-WebSocket-Accept")]
    MissingAccept,
    /// `Sec-WebSocket-Accept` occurs more than once (RFC 6455 section 11.3.3).
    #[error("the server's 101 has more than one Sec-WebSocket-Accept")]
    RepeatedAccept,
    /// `Sec-WebSocket-Accept` does not answer the key that was sent: a cache, or not a WebSocket server.
    #[error("the server's Sec-WebSocket-Accept does not answer the key that was sent")]
    WrongAccept,
    /// A subprotocol that was not offered (RFC 6455 section 4.1); the first 100 bytes of it.
    #[error("the server chose the subprotocol {0:?}, which was not offered")]
    UnofferedSubprotocol(String),
    /// `Sec-WebSocket-Protocol` occurs more than once or names more than one (RFC 6455 section 11.3.4).
    #[error("the server's 101 has more than one Sec-WebSocket-Protocol value")]
    RepeatedSubprotocol,
    /// `Sec-WebSocket-Extensions` is outside its grammar (RFC 6455 section 9.1).
    #[error(transparent)]
    InvalidExtensions(#[from] InvalidExtensions),
    /// An extension that was not offered (RFC 6455 section 4.1); the first 100 bytes of its name.
    #[error("the server chose the extension {0:?}, which was not offered")]
    UnofferedExtension(String),
    /// An extension that is named twice.
    #[error("the server chose the extension {0:?} more than once")]
    RepeatedExtension(String),
}

debug_by_display!(HandshakeError);

/// No `#[from]`: the fault is part of the message, so that [`source`](std::error::Error::source) does not repeat it.
impl From<HeadFault> for HandshakeError {
    fn from(fault: HeadFault) -> Self {
        Self::Head(fault)
    }
}

/// The server's final answer when it is not a 101.
#[derive(Clone)]
#[non_exhaustive]
pub struct Refused {
    /// Status, version and fields; the body is empty until [`attach`](Self::attach) puts it there.
    pub response: http::Response<Vec<u8>>,
    /// Whether `response` holds the whole body; a body cut off by a limit, a deadline or a fault is not whole.
    pub body_complete: bool,
    /// How the end of the body is found.
    pub framing: BodyFraming,
    /// How many of the received bytes were the head (and interim responses before it); the body follows.
    pub head_length: usize,
}

impl Refused {
    /// A reader for the body, which keeps at most `limit` bytes ([`BodyReader::DEFAULT_LIMIT`] is a good one).
    ///
    /// Give it the bytes after [`head_length`](Self::head_length), and those that are read then.
    pub fn body_reader(&self, limit: usize) -> BodyReader {
        BodyReader::new(self.framing, limit)
    }

    /// Puts what `reader` has collected into the response.
    ///
    /// `end_of_stream` says that the peer has ended the stream, which completes a body framed so.
    pub fn attach(&mut self, reader: BodyReader, end_of_stream: bool) {
        self.body_complete = match reader.progress() {
            BodyProgress::Complete => true,
            BodyProgress::Partial => end_of_stream && self.framing == BodyFraming::UntilClose,
            BodyProgress::LimitReached | BodyProgress::Malformed => false,
        };
        *self.response.body_mut() = reader.into_body();
    }
}

/// The body as text: that is what a refusal says why in.
impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("status", &self.response.status())
            .field("headers", self.response.headers())
            .field("body", &String::from_utf8_lossy(self.response.body()))
            .field("body_complete", &self.body_complete)
            .finish_non_exhaustive()
    }
}
