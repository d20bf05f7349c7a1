//! Why a message was not queued.

use std::fmt;

use thiserror::Error as ThisError;
use ws_core::Message;

use crate::error::Error;

/// Why `try_send` of a [`Sender`](super::Sender) or a [`WebSocket`](super::WebSocket) did not queue the message, which is returned.
#[derive(ThisError)]
pub enum TrySendError {
    /// `send_high_water` is reached, or others wait for room already.
    #[error("the outbound queue is full")]
    Full(Message),
    /// The connection is closed or closing, or the message must not be sent.
    #[error("{1}")]
    Refused(Message, Error),
}

/// As [`Display`](fmt::Display), like every error here.
impl fmt::Debug for TrySendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
