//! What has been read becomes messages.

use std::borrow::Cow;

use tokio::io::{AsyncRead, AsyncWrite};
use ws_core::{Binary, Connection, Event, LargeMessage, Message, Piece, Received, SendError};

use super::Driver;
use super::state::{Reading, Receiving};
use crate::buffer::{self, Input};
use crate::piece::OwnedPiece;

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    pub(super) fn next_message(&mut self) -> Option<Message> {
        if self.reading.aside.is_some() {
            return self.take_aside();
        }
        self.decode(LongText::Given, |_, event| match event {
            Event::Text(text) => Some(text_message(text)),
            Event::Binary(bytes) => Some(bytes.into()),
            Event::Ping(_) | Event::Pong(_) | Event::Close(_) => None,
        })
    }

    /// Lends `each` the events that have been read, where they lie. `None` when there are no more, `Ok` when
    /// enough waits to be written.
    pub(super) fn lend_events(
        &mut self,
        each: &mut impl FnMut(&mut Connection, Event<'_>) -> Result<(), SendError>,
    ) -> Option<Result<(), SendError>> {
        let high_water = self.connection.config().send_high_water;
        self.decode(LongText::Lent, |connection, event| {
            if connection.wants_buffer() {
                connection.lend_buffer(buffer::take_output());
            }
            match each(connection, event) {
                // Messages still come while we are closing.
                Ok(()) | Err(SendError::Closing) if connection.queued() < high_water => None,
                Err(SendError::Closing) => Some(Ok(())),
                done => Some(done),
            }
        })
    }

    pub(super) fn next_piece(&mut self) -> Option<OwnedPiece> {
        if let Some(data) = self.take_aside() {
            return Some(OwnedPiece { data, last: true });
        }
        if let Some(bytes) = self.reading.large.take() {
            return Some(OwnedPiece { data: Message::Binary(*bytes), last: true });
        }
        let Self {
            connection, reading: Reading { input, .. }, receiving: Receiving { unfinished, .. }, ..
        } = self;
        if !has_input(input, connection) {
            return None;
        }
        let mut lease = input.lend();
        let found = loop {
            if connection.renew_turn() {
                *unfinished = true;
                break None;
            }
            match connection.receive_piece(&mut lease.unread) {
                Ok(Some(piece)) => match owned_piece(piece) {
                    None => {}
                    found => break found,
                },
                Ok(None) | Err(_) => break None,
            }
        };
        drop(lease);
        input.filled();
        found
    }

    /// Hands what has been read to `each`, up to the event that it makes something of. Errors are the connection's to
    /// remember.
    #[inline]
    fn decode<T>(
        &mut self,
        long_text: LongText,
        mut each: impl FnMut(&mut Connection, Event<'_>) -> Option<T>,
    ) -> Option<T> {
        if self.reading.aside.is_some()
            && let Some(found) = self.lend_aside(&mut each)
        {
            return Some(found);
        }
        if let Some(bytes) = self.reading.large.take()
            && let Some(found) = each(&mut self.connection, Event::Binary(Binary::Owned(*bytes)))
        {
            return Some(found);
        }
        // It stays in its place: should `each` panic, what has not been lent yet is there for the next call.
        let Self {
            connection, reading: Reading { input, .. }, receiving: Receiving { unfinished, .. }, ..
        } = self;
        if !has_input(input, connection) {
            return None;
        }
        loop {
            let mut lease = input.lend();
            let found = lend(connection, &mut lease.unread, long_text, &mut each);
            drop(lease);
            let found = match found {
                Lent::UntilLarge(large) => {
                    let message = input.take_large_message(large);
                    each(connection, Event::Binary(Binary::Owned(message)))
                }
                Lent::UntilLongText(text) => {
                    input.filled();
                    lend_long_text(connection, text, &mut each)
                }
                Lent::Until(found) => {
                    input.filled();
                    return found;
                }
                Lent::Unfinished => {
                    input.filled();
                    *unfinished = true;
                    return None;
                }
            };
            if found.is_some() {
                return found;
            }
        }
    }

    /// Lends `each` what was set aside.
    // Apart, so that `each` is compiled into the loop over what has been read, and not called.
    #[cold]
    #[inline(never)]
    fn lend_aside<T>(&mut self, each: &mut dyn FnMut(&mut Connection, Event<'_>) -> Option<T>) -> Option<T> {
        while let Some(message) = self.take_aside() {
            let found = match message {
                Message::Text(text) => each(&mut self.connection, Event::Text(Cow::Borrowed(&text))),
                Message::Binary(bytes) => each(&mut self.connection, Event::Binary(Binary::Owned(bytes))),
            };
            if found.is_some() {
                return found;
            }
        }
        None
    }
}

/// Whether anything can come of `input`. Without a byte it returns its buffer, which a panic may have kept it from.
#[inline]
fn has_input(input: &mut Input, connection: &Connection) -> bool {
    input.filled();
    // Also without input: an inflater may hold back what it was not asked for.
    input.len() > 0 || connection.is_compressing()
}

/// How a text is passed on whose memory is worth keeping for the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LongText {
    Given,
    Lent,
}

/// How far events have been lent.
enum Lent<T> {
    /// Up to one that something was made of, or to the last.
    Until(Option<T>),
    /// Up to a large message, which is not to be lent.
    UntilLarge(LargeMessage),
    /// Up to a text that has been put together, and is to be lent from memory that the thread keeps.
    UntilLongText(String),
    /// Up to where the turn is over.
    Unfinished,
}

/// Lends `each` what lies in `unread`.
#[inline]
fn lend<T>(
    connection: &mut Connection,
    unread: &mut &mut [u8],
    long_text: LongText,
    each: &mut impl FnMut(&mut Connection, Event<'_>) -> Option<T>,
) -> Lent<T> {
    loop {
        let found = match connection.receive_next(unread) {
            Ok(Received::Event(Event::Text(Cow::Owned(text))))
                if long_text == LongText::Lent && buffer::is_long(&text) =>
            {
                return Lent::UntilLongText(text);
            }
            Ok(Received::Event(event)) => each(connection, event),
            Ok(Received::Large(large)) => return Lent::UntilLarge(large),
            Ok(Received::Unfinished) => return Lent::Unfinished,
            Ok(Received::Nothing) | Err(_) => return Lent::Until(None),
        };
        if found.is_some() || unread.is_empty() {
            return Lent::Until(found);
        }
    }
}

/// Lends `each` a long text. Its memory goes back to the thread with the end of the loan: given away it would be freed, and the next
/// text be put together in new pages.
// Apart, so that `each` is compiled into the loop over what has been read, and not called.
#[cold]
#[inline(never)]
fn lend_long_text<T>(
    connection: &mut Connection,
    text: String,
    each: &mut dyn FnMut(&mut Connection, Event<'_>) -> Option<T>,
) -> Option<T> {
    each(connection, Event::Text(Cow::Borrowed(&buffer::hand_over_text(text))))
}

fn owned_piece(piece: Piece<'_>) -> Option<OwnedPiece> {
    match piece {
        Piece::Text { text, last } => Some(OwnedPiece { data: text_message(text), last }),
        Piece::Binary { bytes, last } => Some(OwnedPiece { data: bytes.into(), last }),
        Piece::Ping(_) | Piece::Pong(_) | Piece::Close(_) => None,
    }
}

fn text_message(text: Cow<'_, str>) -> Message {
    match text {
        Cow::Borrowed(text) => text.into(),
        Cow::Owned(text) => Message::Text(buffer::hand_over_text(text)),
    }
}
