//! How a client's opening handshake fails.

use std::fmt;

use thiserror::Error;

use super::body::{BodyFraming, BodyProgress, BodyReader};
use super::extension::InvalidExtensions;
use super::head_error::HeadError;

/// Why the server's answer does not open a WebSocket. The connection must be dropped: it was never open.
///
/// `Debug` shows the message too, so that `main` may return it, and of a refusal the body as well. The message includes the
/// causes: `source` returns none, the variants carry them.
#[derive(Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The server answered with a final status that opens no WebSocket: other than 101, or over HTTP/2 other than 2xx.
    #[error("the server refused the handshake with status {}", .0.response.status())]
    Refused(Box<Refused>),
    /// The answer is not an HTTP response, or exceeds the limits.
    #[error("the server's response cannot be read: {0}")]
    Head(HeadError),
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
    #[error("the server's response has more than one Sec-WebSocket-Protocol value")]
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

impl fmt::Debug for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        match self {
            Self::Refused(refused) if !refused.response.body().is_empty() => {
                write!(f, " (it says: {})", refused.body_text())
            }
            _ => Ok(()),
        }
    }
}

/// No `#[from]`: the fault is part of the message, so that [`source`](std::error::Error::source) does not repeat it.
impl From<HeadError> for HandshakeError {
    fn from(fault: HeadError) -> Self {
        Self::Head(fault)
    }
}

/// The server's final answer when it opens no WebSocket.
#[derive(Clone)]
#[non_exhaustive]
pub struct Refused {
    /// Status, version and fields; the body is empty until [`attach`](Self::attach) puts it there.
    pub response: http::Response<Vec<u8>>,
    /// Whether `response` has the whole body; a body cut off by a limit, a deadline or a fault is not whole.
    pub body_complete: bool,
    /// How the end of the body is found.
    pub framing: BodyFraming,
    /// How many of the received bytes were the head (and interim responses before it); the body follows.
    pub head_length: usize,
}

impl Refused {
    /// Returns a reader for the body, which keeps at most `limit` bytes ([`BodyReader::DEFAULT_LIMIT`] is a good choice).
    ///
    /// Pass it the bytes after [`head_length`](Self::head_length), and those that are read later.
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

    /// Returns the body as one line of text: at most 500 characters of it, without surrounding white space, with control
    /// characters escaped and what is no UTF-8 replaced.
    pub fn body_text(&self) -> String {
        // A character has at most four bytes; what is beyond is not looked at.
        let body = self.response.body();
        let start = body.get(..MAX_BODY_TEXT * 4).unwrap_or(body);
        let text = String::from_utf8_lossy(start);
        let mut line = String::new();
        for (index, character) in text.trim().chars().enumerate() {
            if index == MAX_BODY_TEXT {
                line.push_str("...");
                break;
            }
            if character.is_control() || is_format(character) {
                line.extend(character.escape_default());
            } else {
                line.push(character);
            }
        }
        line
    }
}

impl fmt::Debug for Refused {
    /// Without the fields, which may hold cookies.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("status", &self.response.status())
            .field("body", &self.body_text())
            .field("body_complete", &self.body_complete)
            .finish_non_exhaustive()
    }
}

/// The most of a body that is shown, in characters.
const MAX_BODY_TEXT: usize = 500;

/// Characters that are not seen but change how those around them look: line and paragraph separators, marks and
/// overrides of the direction, the byte order mark.
fn is_format(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
