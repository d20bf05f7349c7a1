//! Large binary messages, which are not moved from where they were read.

use core::mem;

use bytes::{Buf, Bytes, BytesMut};

use super::{Connection, Frame};
use crate::decode::FrameDecoder;
use crate::mask::mask;
use crate::message::Assembly;

impl Connection {
    /// Takes a binary message of 16 KiB or more, if one lies whole and uncompressed at the front of `input`, with the part of
    /// the buffer it lies in: nothing is copied, and what follows stays in `input`.
    ///
    /// For drivers that read into [`BytesMut`]: call it before [`receive`](Self::receive), which lends such a message as any
    /// other. `None` if something else is next; nothing is taken then.
    pub fn take_large_message(&mut self, input: &mut BytesMut) -> Option<Bytes> {
        if !FrameDecoder::begins_large_message(input) || !self.may_begin_message() {
            return None;
        }
        let (header, used) = self.decoder.message_header(input)?;
        let end = used.saturating_add(usize::try_from(header.payload_len).ok()?);
        if header.payload_len > self.config.max_message_size || end > input.len() {
            return None;
        }
        let mut message = input.split_to(end);
        message.advance(used);
        if let Some(key) = header.mask {
            mask(&mut message, key);
        }
        self.heard = true;
        Some(message.freeze())
    }

    /// Lets the driver read a large binary payload straight to where it is to stay.
    ///
    /// If one is being received whole, and 64 KiB or more of its frame are to come or the last bytes of it have been
    /// read so, `read` is called with what has come of it and the most bytes that still belong to it. It makes room, or
    /// moves all to a larger place, and appends what it reads; its answer is returned, with the message if it is whole
    /// now. `None` if there is none, and `read` has not been called. Any earlier input must have been used up.
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
        // What has been begun so goes on so: its end would be copied, and the message would not lie where it is to stay.
        if remaining < LARGE && !incoming.around {
            return None;
        }
        let Assembly::Binary(buffer) = &mut incoming.assembly else { return None };
        // Of a compressed message nothing is put together here, nor of one that is handed out in pieces.
        if buffer.is_empty() {
            return None;
        }
        incoming.around = true;
        let before = buffer.len();
        let answer = read(buffer, remaining);
        buffer.truncate(before.saturating_add(remaining));
        let last = self.decoder.payload_read_elsewhere(buffer.get_mut(before..).unwrap_or_default());
        self.heard |= buffer.len() > before;
        if !(last && incoming.fin) {
            return Some((answer, None));
        }
        let whole = mem::take(buffer);
        self.incoming = None;
        Some((answer, Some(whole)))
    }
}

/// A payload of which at least this many bytes are to come is read around the shared buffer, to its end.
const LARGE: usize = 64 << 10;
