//! Why an operation on a [`WebSocket`](super::WebSocket) failed.

use std::{fmt, io};

use thiserror::Error;
use ws_core::{CloseCause, CloseInfo, Connection, ProtocolError, SendError, TransportEnd};

/// Why an operation failed: it blames the peer, the caller, or the world.
///
/// A closing handshake is an error only if the peer reports a fault in it ([`CloseInfo::is_normal`]):
/// [`recv`](super::WebSocket::recv) returns `Ok(None)` otherwise.
///
/// The message includes the cause, and so [`source`](std::error::Error::source) is `None`.
#[derive(Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke the protocol or a limit. The reason has been sent in a Close, and the connection is closed.
    #[error("the peer broke the protocol: {0}")]
    Protocol(ProtocolError),
    /// The caller asked for what the protocol does not allow; the connection lives on.
    #[error("cannot send: {0}")]
    Send(SendError),
    /// The peer closed with a code that reports a fault, the connection ended without a closing handshake, or it is
    /// closed and nothing can be sent: the record says how.
    #[error("{0}")]
    Closed(Box<CloseInfo>),
    /// The connection was closed inside a message that was being taken in pieces.
    #[error("the connection was closed inside a message")]
    MessageCutOff,
    /// A message taken in pieces is larger than its reader allowed.
    #[error("message is over the reader's limit = {limit} bytes")]
    OverLimit {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The transport failed.
    #[error("transport failed: {0}")]
    Io(io::Error),
}

/// As [`Display`](fmt::Display): `main() -> Result<(), Error>` prints its error by `Debug`.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<ProtocolError> for Error {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        Self::Send(error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Error {
    /// The error for a caller whose message was not queued: the record of the end, if there is one.
    pub(super) fn refusal(connection: &Connection, error: SendError) -> Self {
        match (error, connection.close_info().or_else(|| connection.write_failure())) {
            (SendError::Closing, Some(info)) => Self::Closed(Box::new(info)),
            (error, _) => Self::Send(error),
        }
    }
}

/// For code that speaks of I/O only. The error of this library is the source, but for one of the transport, which is
/// given back as it was.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Io(_) => io::ErrorKind::Other,
            Error::Protocol(_) | Error::OverLimit { .. } => io::ErrorKind::InvalidData,
            Error::Send(SendError::Closing) => io::ErrorKind::BrokenPipe,
            Error::Send(_) => io::ErrorKind::InvalidInput,
            Error::MessageCutOff => io::ErrorKind::UnexpectedEof,
            Error::Closed(info) => match info.cause {
                CloseCause::Transport(TransportEnd::Eof | TransportEnd::Truncated) => {
                    io::ErrorKind::UnexpectedEof
                }
                CloseCause::Transport(TransportEnd::Reset) => io::ErrorKind::ConnectionReset,
                CloseCause::Timeout(_) => io::ErrorKind::TimedOut,
                CloseCause::Protocol(_) => io::ErrorKind::InvalidData,
                _ => io::ErrorKind::ConnectionAborted,
            },
        };
        match error {
            Error::Io(error) => error,
            error => Self::new(kind, error),
        }
    }
}
