//! A message that is received in pieces.

use std::task::{Context, Poll};

use ws_core::Message;

use crate::error::Error;

/// A piece of a message that is taken in pieces.
#[derive(Debug)]
pub(super) struct OwnedPiece {
    pub(super) data: Message,
    pub(super) last: bool,
}

/// Where pieces come from: a WebSocket, or the receiving half of one.
pub(super) trait PieceSource {
    /// The next piece. If it is to be of the message that is `inside` already, none of a later one.
    fn poll_piece(&mut self, cx: &mut Context<'_>, inside: bool) -> Poll<Result<Option<OwnedPiece>, Error>>;

    /// Whether a message is under way of which pieces have been returned.
    fn is_inside_message(&self) -> bool;
}
