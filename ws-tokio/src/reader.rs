//! A message taken in pieces as it arrives.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, ready};

use ws_core::{DataType, Message};

use crate::error::Error;
use crate::piece::{OwnedPiece, PieceSource};

/// A message being received, piece by piece: see [`WebSocket::recv_stream`](super::WebSocket::recv_stream).
///
/// Nothing is read ahead of what is asked for, so that the peer is slowed down to the speed of the
/// reader. If it is dropped before the end, the rest of the message is skipped.
pub struct MessageReader<'a> {
    source: &'a mut (dyn PieceSource + Send),
    data_type: DataType,
    first: Option<OwnedPiece>,
    ended: bool,
    /// What a dropped [`read_to_end`](Self::read_to_end) had received.
    taken: VecDeque<Message>,
}

impl<'a> MessageReader<'a> {
    pub(super) async fn open(source: &'a mut (dyn PieceSource + Send)) -> Result<Option<Self>, Error> {
        let first = poll_fn(|cx| {
            loop {
                // A message that an earlier reader was dropped from.
                let skipped = source.is_inside_message();
                let piece = ready!(source.poll_piece(cx, false));
                if !skipped || !matches!(piece, Ok(Some(_))) {
                    return Poll::Ready(piece);
                }
            }
        })
        .await?;
        Ok(first.map(|piece| {
            let data_type = piece.data.data_type();
            Self { source, data_type, first: Some(piece), ended: false, taken: VecDeque::new() }
        }))
    }

    /// Whether the message is text or binary. Pieces of text are cut at the border of a character.
    pub const fn data_type(&self) -> DataType {
        self.data_type
    }

    /// The next piece, of the message's type; `None` after the last. Dropping the future loses nothing.
    ///
    /// # Errors
    /// As [`WebSocket::recv`](super::WebSocket::recv), and [`Error::MessageCutOff`] when the connection is closed
    /// without a fault inside the message: what was received of it is not all.
    pub async fn next(&mut self) -> Result<Option<Message>, Error> {
        match self.taken.pop_front() {
            Some(piece) => Ok(Some(piece)),
            None => self.take().await,
        }
    }

    async fn take(&mut self) -> Result<Option<Message>, Error> {
        if self.ended {
            return Ok(None);
        }
        let piece = match self.first.take() {
            Some(first) => Some(first),
            None => poll_fn(|cx| self.source.poll_piece(cx, true)).await?,
        };
        let Some(OwnedPiece { data, last }) = piece else { return Err(Error::MessageCutOff) };
        self.ended = last;
        // The end may come alone, when the last frame is empty.
        Ok(Some(data).filter(|data| !(last && data.is_empty())))
    }

    /// The rest of the message in one piece, of at most `limit` bytes. Dropping the future loses nothing: what it has
    /// taken is the first that the next call of any method returns, and so it is after an error.
    ///
    /// # Errors
    /// As [`next`](Self::next), and [`Error::OverLimit`] when there is more.
    pub async fn read_to_end(&mut self, limit: usize) -> Result<Vec<u8>, Error> {
        let mut len = self.taken.iter().fold(0, |len: usize, piece| len.saturating_add(piece.len()));
        while len <= limit
            && let Some(piece) = self.take().await?
        {
            len = len.saturating_add(piece.len());
            self.taken.push_back(piece);
        }
        if len > limit {
            return Err(Error::OverLimit { limit });
        }
        let mut all = Vec::with_capacity(len);
        for piece in self.taken.drain(..) {
            all.extend_from_slice(piece.as_bytes());
        }
        Ok(all)
    }
}

impl std::fmt::Debug for MessageReader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { data_type, ended, .. } = self;
        f.debug_struct("MessageReader")
            .field("data_type", data_type)
            .field("ended", ended)
            .finish_non_exhaustive()
    }
}
