//! Messages, whole and in progress: RFC 6455 section 5.4.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use crate::binary::Binary;
use crate::copy;
use crate::error::ProtocolError;
use crate::event::Event;
use crate::utf8::Utf8Validator;

/// Text known to be UTF-8, reference-counted: cheap to clone. Dereferences to `str`.
pub type Utf8Bytes = ByteString;

/// An owned message, cheap to clone.
///
/// Control frames are no messages: pings are answered by the connection; how a peer closed is in [`CloseInfo`](crate::CloseInfo).
/// To see pings and pongs, take the [`Event`](crate::Event)s of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[doc(alias("Ping", "Pong", "Close", "Frame"))]
pub enum Message {
    /// UTF-8 text.
    Text(Utf8Bytes),
    /// Bytes.
    Binary(Bytes),
}

/// The type of a data message (RFC 6455 section 5.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DataType {
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
}

impl Message {
    /// Returns a text message.
    pub fn text(text: impl Into<Utf8Bytes>) -> Self {
        Self::Text(text.into())
    }

    /// Returns a binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }

    /// Whether it is a text message.
    pub const fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// Whether it is a binary message.
    pub const fn is_binary(&self) -> bool {
        matches!(self, Self::Binary(_))
    }

    /// Returns the length of the payload in bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the payload of a message of either type.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Returns the text of a text message; `None` for a binary one.
    #[doc(alias = "to_text")]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// Returns the text of a text message, without a copy; `None` for a binary one.
    pub fn into_text(self) -> Option<Utf8Bytes> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// Returns the payload of a message of either type, without a copy.
    #[doc(alias = "into_data")]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Returns the type of the message.
    pub const fn data_type(&self) -> DataType {
        match self {
            Self::Text(_) => DataType::Text,
            Self::Binary(_) => DataType::Binary,
        }
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(copy::text(text).into())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<&String> for Message {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Box<str>> for Message {
    fn from(text: Box<str>) -> Self {
        Self::from(String::from(text))
    }
}

/// Copies what is borrowed only.
impl From<Cow<'_, str>> for Message {
    fn from(text: Cow<'_, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl From<char> for Message {
    fn from(character: char) -> Self {
        Self::from(String::from(character))
    }
}

impl From<Utf8Bytes> for Message {
    fn from(text: Utf8Bytes) -> Self {
        Self::Text(text)
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(copy::bytes(bytes))
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

impl<const N: usize> From<&[u8; N]> for Message {
    fn from(bytes: &[u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl<const N: usize> From<[u8; N]> for Message {
    fn from(bytes: [u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl From<&Vec<u8>> for Message {
    fn from(bytes: &Vec<u8>) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl From<Box<[u8]>> for Message {
    fn from(bytes: Box<[u8]>) -> Self {
        Self::Binary(bytes.into())
    }
}

/// Copies what is borrowed only.
impl From<Cow<'_, [u8]>> for Message {
    fn from(bytes: Cow<'_, [u8]>) -> Self {
        match bytes {
            Cow::Borrowed(bytes) => bytes.into(),
            Cow::Owned(bytes) => bytes.into(),
        }
    }
}

impl From<BytesMut> for Message {
    fn from(bytes: BytesMut) -> Self {
        Self::Binary(bytes.freeze())
    }
}

impl From<Binary<'_>> for Message {
    fn from(bytes: Binary<'_>) -> Self {
        Self::Binary(bytes.into_bytes())
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

/// The part of a message that has arrived.
#[derive(Debug)]
pub(crate) enum Assembly {
    Text { text: String, utf8: Utf8Validator },
    Binary(BytesMut),
}

/// Payload that has been checked: a slice of the input, or assembled.
pub(crate) enum Payload<'b> {
    Text(Cow<'b, str>),
    Binary(Binary<'b>),
}

impl<'b> From<Payload<'b>> for Event<'b> {
    #[inline]
    fn from(payload: Payload<'b>) -> Self {
        match payload {
            Payload::Text(text) => Self::Text(text),
            Payload::Binary(bytes) => Self::Binary(bytes),
        }
    }
}

impl Payload<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Binary(bytes) => bytes.is_empty(),
        }
    }
}

impl Assembly {
    pub(crate) fn new(data_type: DataType) -> Self {
        match data_type {
            DataType::Text => Self::Text { text: String::new(), utf8: Utf8Validator::new() },
            DataType::Binary => Self::Binary(BytesMut::new()),
        }
    }

    /// The message in one piece, when it lies whole in the input and nothing came before.
    #[inline]
    pub(crate) fn whole<'b>(&self, bytes: &'b [u8]) -> Result<Payload<'b>, ProtocolError> {
        match self {
            // §8.1: fail the connection when text is not UTF-8.
            Self::Text { .. } => match simdutf8::basic::from_utf8(bytes) {
                Ok(text) => Ok(Payload::Text(Cow::Borrowed(text))),
                Err(_) => Err(ProtocolError::InvalidUtf8),
            },
            Self::Binary(_) => Ok(Payload::Binary(Binary::Lent(bytes))),
        }
    }

    /// Returns the next bytes as a separate piece, together with what was assembled before them.
    pub(crate) fn piece<'b>(&mut self, bytes: &'b [u8]) -> Result<Payload<'b>, ProtocolError> {
        if self.len() > 0 {
            self.push(bytes)?;
            return Ok(self.drain());
        }
        match self {
            Self::Text { text, utf8 } => {
                let checked = utf8.feed(bytes).map_err(|_| ProtocolError::InvalidUtf8)?;
                if checked.straddling.is_none() {
                    return Ok(Payload::Text(Cow::Borrowed(checked.text)));
                }
                text.extend(checked.straddling);
                copy::append_text(text, checked.text);
                Ok(self.drain())
            }
            Self::Binary(_) => Ok(Payload::Binary(Binary::Lent(bytes))),
        }
    }

    /// Adds the next bytes; text is checked as it comes.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), ProtocolError> {
        match self {
            Self::Text { text, utf8 } => {
                let checked = utf8.feed(bytes).map_err(|_| ProtocolError::InvalidUtf8)?;
                text.extend(checked.straddling);
                copy::append_text(text, checked.text);
            }
            Self::Binary(buffer) => copy::append_bytes(buffer, bytes),
        }
        Ok(())
    }

    /// Checks the next bytes, which are kept elsewhere.
    #[cfg(feature = "deflate")]
    pub(crate) fn check(&mut self, bytes: &[u8]) -> Result<(), ProtocolError> {
        match self {
            Self::Text { utf8, .. } => utf8.feed(bytes).map(|_| ()).map_err(|_| ProtocolError::InvalidUtf8),
            Self::Binary(_) => Ok(()),
        }
    }

    /// Takes out what has been assembled so far; an incomplete character stays.
    pub(crate) fn drain(&mut self) -> Payload<'static> {
        match self {
            Self::Text { text, .. } => Payload::Text(Cow::Owned(core::mem::take(text))),
            Self::Binary(buffer) => Payload::Binary(core::mem::take(buffer).freeze().into()),
        }
    }

    /// Checks that the message may end here.
    pub(crate) const fn check_end(&self) -> Result<(), ProtocolError> {
        match self {
            // §8.1: a message that ends inside a character is not UTF-8.
            Self::Text { utf8, .. } if !utf8.is_complete() => Err(ProtocolError::InvalidUtf8),
            _ => Ok(()),
        }
    }

    /// Bytes that have been assembled and not taken out yet.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text { text, .. } => text.len(),
            Self::Binary(buffer) => buffer.len(),
        }
    }

    /// Bytes of memory held.
    pub(crate) fn capacity(&self) -> usize {
        match self {
            Self::Text { text, .. } => text.capacity(),
            Self::Binary(buffer) => buffer.capacity(),
        }
    }
}
