//! Large binary messages, which are not moved from where they were read.

use alloc::string::String;
use core::mem;

use bytes::{Buf, Bytes, BytesMut};

use super::{Connection, Frame};
use crate::copy;
use crate::mask::{MaskKey, mask};
use crate::message::Assembly;

/// # For drivers that pool buffers: large payloads
impl Connection {
    /// Lets the driver read a large binary payload straight to where it is to stay.
    ///
    /// If one is being received whole, and 64 KiB or more of its frame are to come or the last bytes of it have been
    /// read so, `read` is called with what has come of it and the most bytes that still belong to it. It makes room, or
    /// moves all to a larger place, and appends what it reads; what it returns is returned, with the message if it is whole
    /// now. Returns `None`, and does not call `read`, if no such payload is next. Any earlier input must have been used up.
    ///
    /// The room should follow what has been received, not what has been announced: a peer announces much and sends little.
    pub fn read_large_payload<R>(
        &mut self,
        read: impl FnOnce(&mut BytesMut, usize) -> R,
    ) -> Option<(R, Option<BytesMut>)> {
        let remaining = usize::try_from(self.decoder.remaining()).unwrap_or(usize::MAX);
        if remaining == 0 || self.frame != Frame::Data || !self.takes_data() {
            return None;
        }
        let incoming = self.incoming.as_mut()?;
        // Once begun this continues: otherwise the end would be copied, and the message would not lie where it is to stay.
        if remaining < LARGE && !incoming.around {
            return None;
        }
        let Assembly::Binary(buffer) = &mut incoming.assembly else { return None };
        // A compressed message is not assembled here, nor is one that is returned in pieces.
        if buffer.is_empty() {
            return None;
        }
        incoming.around = true;
        let before = buffer.len();
        let answer = read(buffer, remaining);
        debug_assert!(buffer.len() >= before, "`read` appends");
        buffer.truncate(before.saturating_add(remaining));
        let last = self.decoder.payload_read_elsewhere(buffer.get_mut(before..).unwrap_or_default());
        self.heard |= buffer.len() > before;
        if !(last && incoming.fin) {
            return Some((answer, None));
        }
        let whole = mem::take(buffer);
        self.end_message();
        Some((answer, Some(whole)))
    }
}

impl Connection {
    /// Lets the driver say where a long text is put together, before it reads more of it.
    ///
    /// If one of 64 KiB or more is being received whole, and has no room for the rest of its frame yet, `place` is called with the
    /// bytes that it has and those to come: it may return an empty string with room for them, which was used before. Without one
    /// the memory grows with what is received: a peer announces much and sends little. Any earlier input must have been used up.
    #[inline]
    pub fn place_long_text(&mut self, place: impl FnOnce(usize) -> Option<String>) {
        let remaining = usize::try_from(self.decoder.remaining()).unwrap_or(usize::MAX);
        if remaining > 0 && self.frame == Frame::Data && self.takes_data() {
            self.make_room_for_text(remaining, place);
        }
    }

    #[inline(never)]
    fn make_room_for_text(&mut self, remaining: usize, place: impl FnOnce(usize) -> Option<String>) {
        let bound = self.config.memory_bound();
        // One that is compressed, or returned in pieces, is not assembled here.
        let Some(incoming) = self.incoming.as_mut().filter(|incoming| !incoming.compressed) else { return };
        let Assembly::Text { text, .. } = &mut incoming.assembly else { return };
        let room = text.capacity().saturating_sub(text.len());
        let whole = text.len().saturating_add(remaining);
        if text.is_empty() || whole < LARGE || room >= remaining {
            return;
        }
        if let Some(mut place) = place(whole).filter(|place| place.capacity() <= bound) {
            copy::append_text(&mut place, text);
            *text = place;
        }
    }

    /// The binary message of 16 KiB or more that lies whole and uncompressed at the front of `input`, if one does.
    #[inline]
    pub(super) fn large_message(&mut self, input: &[u8]) -> Option<LargeMessage> {
        if begins_large_message(input) { self.parse_large_message(input) } else { None }
    }

    #[cold]
    fn parse_large_message(&mut self, input: &[u8]) -> Option<LargeMessage> {
        if !self.may_begin_message() {
            return None;
        }
        let (header, header_len) = self.decoder.message_header(input)?;
        let payload_len = usize::try_from(header.payload_len).ok()?;
        let len = header_len.saturating_add(payload_len);
        if header.payload_len > self.config.message_limit() || len > input.len() {
            return None;
        }
        self.heard = true;
        self.messages_received = self.messages_received.wrapping_add(1);
        Some(LargeMessage { header_len, len, mask: header.mask })
    }
}

/// A large binary message that lies whole in the driver's buffer: from [`Connection::receive_next`].
///
/// None of its bytes has been consumed. [`take`](Self::take) takes it with the part of the buffer that it lies in, without a copy.
/// If this is dropped instead, [`Connection::receive`] lends the message as it does any other; it has been counted as received, and is
/// counted once more then.
#[derive(Debug)]
#[must_use = "the message stays in the input until it is taken"]
pub struct LargeMessage {
    header_len: usize,
    /// With the header.
    len: usize,
    mask: Option<MaskKey>,
}

impl LargeMessage {
    /// Splits the frame off the front of `input` and returns its payload, unmasked.
    ///
    /// `input` must begin with the very bytes that [`Connection::receive_next`] was given when it found this message. With other
    /// bytes the payload is other bytes, too; nothing is read beyond the end of `input`.
    pub fn take(self, input: &mut BytesMut) -> Bytes {
        debug_assert!(self.len <= input.len(), "a large message taken from a buffer that does not hold it");
        let mut message = input.split_to(self.len.min(input.len()));
        message.advance(self.header_len.min(message.len()));
        if let Some(key) = self.mask {
            mask(&mut message, key);
        }
        message.freeze()
    }
}

/// Whether `input`, at the border of a frame, looks like the beginning of an uncompressed binary message of at least 16 KiB in
/// one frame.
#[inline]
const fn begins_large_message(input: &[u8]) -> bool {
    // §5.2: FIN and opcode 2; then a length of two bytes, of which the first suffices to decide, or of eight.
    matches!(input, [0x82, 0x7E | 0xFE, 0x40..=0xFF, ..] | [0x82, 0x7F | 0xFF, ..])
}

/// A payload of which at least this many bytes are to come is read around the shared buffer, to its end.
const LARGE: usize = 64 << 10;
