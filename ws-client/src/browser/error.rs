//! Why an operation on an open WebSocket failed, in a browser.

use thiserror::Error;
use ws_core::{CloseCode, CloseInfo, Message, ProtocolError, SendError};

use super::config::Config;
use crate::debug::debug_as_display;

/// Why an operation failed: it blames the peer, the caller, or the world.
#[derive(Clone, Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer exceeded a limit. What else breaks the protocol is found by the browser, which reports a connection that is
    /// lost.
    #[error("the peer broke the protocol: {0}")]
    Protocol(ProtocolError),
    /// The caller asked for what the protocol does not allow; the connection lives on.
    #[error("cannot send: {0}")]
    Send(SendError),
    /// A code that a browser does not let a program close with; the connection lives on.
    #[error("cannot close with {0}: a browser allows 1000 and 3000 to 4999")]
    CloseCode(CloseCode),
    /// Messages were not received as fast as they came, and [`Overflow::Close`](crate::Overflow::Close) applies.
    #[error(
        "closed with {}: the messages that waited for recv were over the limit of max_received = {limit} bytes; \
         receive them sooner, raise it or drop some (Config::overflow)",
        Config::TRY_AGAIN_LATER
    )]
    Overflow {
        /// The value of `max_received`.
        limit: usize,
    },
    /// The peer closed with a code that reports a fault, the connection ended without a closing handshake, or it is
    /// closed and nothing can be sent: the record says how.
    #[error("{0}")]
    Closed(Box<CloseInfo>),
}

/// Why `try_send` of a [`Sender`](crate::Sender) or a [`WebSocket`](crate::WebSocket) did not send the message, which is
/// returned.
#[derive(Error)]
pub enum TrySendError {
    /// `send_high_water` is reached.
    #[error("the outbound queue is full")]
    Full(Message),
    /// The connection is closed or closing.
    #[error("{1}")]
    Refused(Message, Error),
}

debug_as_display!(Error, TrySendError);
