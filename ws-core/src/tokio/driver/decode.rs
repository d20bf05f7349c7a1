//! What has been read becomes messages.

use std::borrow::Cow;
use std::mem;
use std::ops::ControlFlow;

use ::tokio::io::{AsyncRead, AsyncWrite};
use bytes::Bytes;

use super::super::buffer;
use super::{Driver, OwnedPiece};
use crate::connection::Connection;
use crate::error::SendError;
use crate::event::{Event, Piece};
use crate::message::Message;

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    pub(super) fn next_message(&mut self) -> Option<Message> {
        if let Some(bytes) = self.large.take() {
            return Some((*bytes).into());
        }
        self.decode(|connection, unread| match connection.receive(unread) {
            Ok(Some(event)) => ControlFlow::Continue(owned(event)),
            Ok(None) | Err(_) => ControlFlow::Break(()),
        })
    }

    /// Lends `each` the events that have been read, where they lie. `None` when there are no more, `Ok` when
    /// enough waits to be written.
    pub(super) fn lend_events(
        &mut self,
        each: &mut impl FnMut(&mut Connection, Event<'_>) -> Result<(), SendError>,
    ) -> Option<Result<(), SendError>> {
        let high_water = self.connection.config().outbound_high_water;
        let mut hand = |connection: &mut Connection, event: Event<'_>| {
            if connection.wants_buffer() {
                connection.lend_buffer(buffer::take_output());
            }
            match each(connection, event) {
                // Messages still come while we are closing.
                Ok(()) | Err(SendError::Closing) if connection.queued() < high_water => None,
                Err(SendError::Closing) => Some(Ok(())),
                done => Some(done),
            }
        };
        if let Some(bytes) = self.large.take()
            && let Some(done) = hand(&mut self.connection, Event::Binary(Cow::Owned(*bytes)))
        {
            return Some(done);
        }
        self.decode(|connection, unread| match connection.receive(unread) {
            Ok(Some(event)) => ControlFlow::Continue(hand(connection, event)),
            Ok(None) | Err(_) => ControlFlow::Break(()),
        })
    }

    pub(super) fn next_piece(&mut self) -> Option<OwnedPiece> {
        if let Some(bytes) = self.large.take() {
            return Some(OwnedPiece { data: (*bytes).into(), last: true });
        }
        self.decode(|connection, unread| match connection.receive_piece(unread) {
            Ok(Some(piece)) => ControlFlow::Continue(owned_piece(piece)),
            Ok(None) | Err(_) => ControlFlow::Break(()),
        })
    }

    /// Decodes what has been read up to what `step` finds. Errors are the connection's to remember.
    #[inline]
    fn decode<T>(
        &mut self,
        step: impl FnMut(&mut Connection, &mut &mut [u8]) -> ControlFlow<(), Option<T>>,
    ) -> Option<T> {
        let mut input = mem::take(&mut self.input);
        // Also without input: an inflater may hold back what it was not asked for.
        if input.len() == 0 && !self.connection.is_compressing() {
            return None;
        }
        let (found, left) = self.decode_from(input.unread(), step);
        input.set_unread(left);
        self.input = input;
        found
    }

    #[inline]
    fn decode_from<T>(
        &mut self,
        mut unread: &mut [u8],
        mut step: impl FnMut(&mut Connection, &mut &mut [u8]) -> ControlFlow<(), Option<T>>,
    ) -> (Option<T>, usize) {
        loop {
            match step(&mut self.connection, &mut unread) {
                ControlFlow::Continue(None) => {}
                ControlFlow::Continue(found) => return (found, unread.len()),
                ControlFlow::Break(()) => return (None, unread.len()),
            }
        }
    }
}

/// The message in an event, made one's own.
fn owned(event: Event<'_>) -> Option<Message> {
    match event {
        Event::Text(text) => Some(text_message(text)),
        Event::Binary(bytes) => Some(binary_message(bytes)),
        Event::Ping(_) | Event::Pong(_) | Event::Close(_) => None,
    }
}

fn owned_piece(piece: Piece<'_>) -> Option<OwnedPiece> {
    match piece {
        Piece::Text { text, last } => Some(OwnedPiece { data: text_message(text), last }),
        Piece::Binary { bytes, last } => Some(OwnedPiece { data: binary_message(bytes), last }),
        Piece::Ping(_) | Piece::Pong(_) | Piece::Close(_) => None,
    }
}

fn text_message(text: Cow<'_, str>) -> Message {
    Message::Text(match text {
        Cow::Borrowed(text) => text.into(),
        Cow::Owned(text) => text.into(),
    })
}

fn binary_message(bytes: Cow<'_, [u8]>) -> Message {
    Message::Binary(match bytes {
        Cow::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
        Cow::Owned(bytes) => bytes.into(),
    })
}
