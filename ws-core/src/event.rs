//! What a connection reports to its driver.

use alloc::borrow::Cow;

use crate::binary::Binary;
use crate::close::CloseFrame;

/// Something received, from [`Connection::receive`](crate::Connection::receive).
///
/// It borrows the input where the whole of it lay there, never the connection. RFC 6455 defines nothing else that can be
/// received, so a driver can match exhaustively.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'b> {
    /// A whole text message.
    Text(Cow<'b, str>),
    /// A whole binary message.
    Binary(Binary<'b>),
    /// A ping; its pong is queued already.
    Ping(Cow<'b, [u8]>),
    /// A pong that answers no keepalive ping of the connection: answers to those are not reported, however late.
    Pong(Cow<'b, [u8]>),
    /// A Close frame, and its body if it had one; the reply is queued already, unless
    /// [`delay_close_reply`](crate::Config::delay_close_reply) holds it back. Nothing follows.
    Close(Option<CloseFrame>),
}

/// A piece of something received, from [`Connection::receive_piece`](crate::Connection::receive_piece).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'b> {
    /// Text, cut at the border of a character.
    Text {
        /// The text; it may be empty.
        text: Cow<'b, str>,
        /// The message ends here.
        last: bool,
    },
    /// Bytes.
    Binary {
        /// The bytes; there may be none.
        bytes: Binary<'b>,
        /// The message ends here.
        last: bool,
    },
    /// See [`Event::Ping`]. It may stand between the pieces of a message.
    Ping(Cow<'b, [u8]>),
    /// See [`Event::Pong`]. It may stand between the pieces of a message.
    Pong(Cow<'b, [u8]>),
    /// See [`Event::Close`].
    Close(Option<CloseFrame>),
}
