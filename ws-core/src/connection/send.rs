//! Messages and control frames become bytes to write: RFC 6455 sections 5.4, 5.5 and 6.1.

use bytes::{Bytes, BytesMut};

use super::{Connection, End, State};
use crate::copy;
use crate::error::SendError;
use crate::frame::{EncodedHeader, FrameHeader, OpCode};
use crate::mask::{MaskKey, append_masked, mask};
use crate::message::{DataType, Message};
use crate::utf8::Utf8Validator;

/// A message being sent in pieces.
#[derive(Debug)]
pub(super) struct Outgoing {
    data_type: DataType,
    utf8: Utf8Validator,
    compressed: bool,
}

/// # Commands: sending
impl Connection {
    /// Queues a text message: in one frame, or in frames of `max_frame_size` if it is larger (RFC 6455 section 5.4).
    ///
    /// # Errors
    /// [`SendError::Closing`], [`SendError::MessageInProgress`], [`SendError::QueueFull`] or
    /// [`SendError::MemoryFull`]; nothing is queued then.
    #[inline]
    pub fn send_text(&mut self, text: &str) -> Result<(), SendError> {
        self.check_message()?;
        self.queue_message(OpCode::Text, text.as_bytes());
        Ok(())
    }

    /// Queues a binary message.
    ///
    /// # Errors
    /// As [`send_text`](Self::send_text).
    #[inline]
    pub fn send_binary(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        self.check_message()?;
        self.queue_message(OpCode::Binary, bytes);
        Ok(())
    }

    /// Queues an owned message: a large payload is not copied by a server, nor by a client that holds the only reference. What
    /// others hold a client masks in a copy: from 64 KiB on in one of 64 KiB at a time, as it is written.
    ///
    /// # Errors
    /// As [`send_text`](Self::send_text).
    pub fn send(&mut self, message: Message) -> Result<(), SendError> {
        self.check_message()?;
        let opcode = opcode_of(message.data_type());
        if self.is_compressing()
            && let Some(compressed) = self.compress(message.as_bytes())
        {
            self.queue_bytes(opcode, true, compressed);
        } else {
            self.queue_bytes(opcode, false, message.into_bytes());
        }
        Ok(())
    }

    /// As [`send`](Self::send), but never compressed: for a message that holds a secret beside text an
    /// attacker can choose, whose compressed length would reveal something of the secret.
    ///
    /// # Errors
    /// As [`send_text`](Self::send_text).
    pub fn send_uncompressed(&mut self, message: Message) -> Result<(), SendError> {
        self.check_message()?;
        self.queue_bytes(opcode_of(message.data_type()), false, message.into_bytes());
        Ok(())
    }

    /// Queues the next piece of a message that is sent in pieces, of any size; `last` ends it.
    /// The first one begins it. Pings, pongs and Close may stand between pieces, other messages not.
    ///
    /// # Errors
    /// As [`send_text`](Self::send_text); [`SendError::InvalidUtf8`] when a text's pieces do not add up
    /// to UTF-8 (a character may straddle pieces), [`SendError::MessageInProgress`] when the message
    /// in progress is of the other type. Nothing is queued then.
    pub fn send_piece(&mut self, data_type: DataType, piece: &[u8], last: bool) -> Result<(), SendError> {
        self.check_open()?;
        self.check_room()?;
        let (begun, compressed, mut utf8) = match &self.outgoing {
            // How long it gets is unknown: only a first piece that is also the last is judged by its size.
            None => (false, self.is_compressing() && !last, Utf8Validator::new()),
            Some(outgoing) if outgoing.data_type == data_type => (true, outgoing.compressed, outgoing.utf8),
            Some(_) => return Err(SendError::MessageInProgress),
        };
        if data_type == DataType::Text {
            // §8.1: an endpoint must not send text that is not UTF-8.
            utf8.feed(piece).map_err(|_| SendError::InvalidUtf8)?;
            if last && !utf8.is_complete() {
                return Err(SendError::InvalidUtf8);
            }
        }
        let opcode = if begun { OpCode::Continuation } else { opcode_of(data_type) };
        if compressed {
            let piece = self.compress_piece(piece, last)?;
            // RFC 7692 §6.1: RSV1 is set on the first fragment only.
            self.queue_frames(opcode, !begun, &piece, last);
        } else if begun || !last {
            self.queue_frames(opcode, false, piece, last);
        } else {
            self.queue_message(opcode, piece);
        }
        self.outgoing = (!last).then_some(Outgoing { data_type, utf8, compressed });
        Ok(())
    }

    /// Queues a ping, ahead of data. Its payload is at most 125 bytes.
    ///
    /// # Errors
    /// [`SendError::ControlTooLong`], [`SendError::Closing`] or [`SendError::QueueFull`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.queue_control(OpCode::Ping, payload)
    }

    /// Queues an unasked-for pong (section 5.5.3), ahead of data. It does not stand in for the
    /// automatic answer to a ping.
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.queue_control(OpCode::Pong, payload)
    }
}

impl Connection {
    pub(super) fn queue_pong(&mut self, payload: &[u8]) {
        // §5.5.2: a ping is answered unless a Close has been received; nothing follows our Close.
        if self.state != State::Open {
            return;
        }
        let (header, key) = self.header(true, false, OpCode::Pong, payload.len());
        self.queue.push_pong(&header.encode(), masked(payload, key));
    }

    pub(super) fn queue_close_frame(&mut self, body: &[u8]) {
        // §5.5.1: no frame after a Close; data queued before it still goes out.
        self.queue.drop_waiting_control();
        self.queue_frame(true, false, OpCode::Close, body);
    }

    fn queue_control(&mut self, opcode: OpCode, payload: &[u8]) -> Result<(), SendError> {
        // §5.5: control frames MUST have a payload length of 125 bytes or less.
        if payload.len() > 125 {
            return Err(SendError::ControlTooLong(payload.len()));
        }
        self.check_open()?;
        self.check_room()?;
        let (header, key) = self.header(true, false, opcode, payload.len());
        self.queue.push_control(&header.encode(), masked(payload, key));
        Ok(())
    }

    #[inline]
    pub(crate) fn check_message(&self) -> Result<(), SendError> {
        self.check_open()?;
        if self.outgoing.is_some() {
            return Err(SendError::MessageInProgress);
        }
        self.check_room()
    }

    #[inline]
    fn check_open(&self) -> Result<(), SendError> {
        if self.is_open() { Ok(()) } else { Err(SendError::Closing) }
    }

    #[inline]
    pub(super) fn check_room(&self) -> Result<(), SendError> {
        let queued = self.queue.len().saturating_add(self.held());
        if queued >= self.config.max_queued {
            return Err(SendError::QueueFull { limit: self.config.max_queued });
        }
        // With nothing queued there is nothing to wait for: one message may pass over the limit. Without
        // `max_memory` memory is bounded by the others, which add up to less.
        match self.config.max_memory {
            Some(limit) if queued > 0 && self.memory_usage().total() >= limit => {
                Err(SendError::MemoryFull { limit })
            }
            _ => Ok(()),
        }
    }

    /// A whole message, compressed where that is agreed and pays.
    #[inline]
    fn queue_message(&mut self, opcode: OpCode, payload: &[u8]) {
        if self.is_compressing()
            && let Some(compressed) = self.compress(payload)
        {
            self.queue_bytes(opcode, true, compressed);
        } else if payload.len() <= self.config.max_frame_size {
            self.queue_frame(true, false, opcode, payload);
        } else {
            self.queue_frames(opcode, false, payload, true);
        }
    }

    /// One frame, or several if the payload is larger than `max_frame_size`.
    fn queue_frames(&mut self, mut opcode: OpCode, mut rsv1: bool, mut payload: &[u8], fin: bool) {
        while let Some((frame, rest)) = payload.split_at_checked(self.config.max_frame_size)
            && !rest.is_empty()
        {
            self.queue_frame(false, rsv1, opcode, frame);
            (opcode, rsv1) = (OpCode::Continuation, false);
            payload = rest;
        }
        self.queue_frame(fin, rsv1, opcode, payload);
    }

    #[inline]
    fn queue_frame(&mut self, fin: bool, rsv1: bool, opcode: OpCode, payload: &[u8]) {
        // A server masks nothing: its path is without the code for that.
        let End::Server = self.end else { return self.queue_masked_frame(fin, rsv1, opcode, payload) };
        let (header, _) = self.header(fin, rsv1, opcode, payload.len());
        let data = self.queue.data();
        data.reserve(payload.len().saturating_add(EncodedHeader::ROOM));
        header.encode().append_to(data);
        copy::append(data, payload);
    }

    #[inline(never)]
    fn queue_masked_frame(&mut self, fin: bool, rsv1: bool, opcode: OpCode, payload: &[u8]) {
        let (header, Some(key)) = self.header(fin, rsv1, opcode, payload.len()) else { return };
        let data = self.queue.data();
        data.reserve(payload.len().saturating_add(EncodedHeader::ROOM));
        header.encode().append_to(data);
        append_masked(data, payload, key);
    }

    /// A whole message that others share, uncompressed: a small one is copied as it is, behind its [header](whole_header) if it is one
    /// frame of a server.
    #[inline]
    pub(crate) fn queue_shared(&mut self, message: &Message, header: &EncodedHeader) {
        let (payload, opcode) = (message.as_bytes(), opcode_of(message.data_type()));
        let is_small = payload.len() < BY_REFERENCE;
        if is_small && payload.len() <= self.config.max_frame_size && matches!(self.end, End::Server) {
            self.messages_sent = self.messages_sent.wrapping_add(1);
            let data = self.queue.data();
            data.reserve(payload.len().saturating_add(EncodedHeader::ROOM));
            header.append_to(data);
            copy::append(data, payload);
        } else if is_small {
            self.queue_frames(opcode, false, payload, true);
        } else {
            self.queue_bytes(opcode, false, message.clone().into_bytes());
        }
    }

    /// Whole messages of a server, as frames that are encoded already.
    #[inline]
    pub(crate) fn queue_encoded(&mut self, frames: &[u8], messages: u64) {
        self.messages_sent = self.messages_sent.wrapping_add(messages);
        copy::append(self.queue.data(), frames);
    }

    /// A whole payload, without a copy of all of it if it is large.
    pub(super) fn queue_bytes(&mut self, opcode: OpCode, rsv1: bool, payload: Bytes) {
        if payload.len() < BY_REFERENCE {
            return self.queue_frames(opcode, rsv1, &payload, true);
        }
        if matches!(self.end, End::Server) {
            return self.queue_by_reference(opcode, rsv1, payload);
        }
        match payload.try_into_mut() {
            Ok(payload) => self.queue_masked_in_place(opcode, rsv1, payload),
            // Others share it: masking in place would change what they see.
            Err(payload) if payload.len().min(self.config.max_frame_size) < MASKED_LATER => {
                self.queue_frames(opcode, rsv1, &payload, true);
            }
            Err(payload) => self.queue_by_reference(opcode, rsv1, payload),
        }
    }

    fn queue_by_reference(&mut self, mut opcode: OpCode, mut rsv1: bool, mut payload: Bytes) {
        while !payload.is_empty() {
            let frame = payload.split_to(payload.len().min(self.config.max_frame_size));
            let (header, mask) = self.header(payload.is_empty(), rsv1, opcode, frame.len());
            header.encode().append_to(self.queue.data());
            self.queue.push_shared(frame, mask);
            (opcode, rsv1) = (OpCode::Continuation, false);
        }
    }

    fn queue_masked_in_place(&mut self, mut opcode: OpCode, mut rsv1: bool, mut payload: BytesMut) {
        while !payload.is_empty() {
            let mut frame = payload.split_to(payload.len().min(self.config.max_frame_size));
            let (header, key) = self.header(payload.is_empty(), rsv1, opcode, frame.len());
            header.encode().append_to(self.queue.data());
            mask(&mut frame, key.unwrap_or_default());
            self.queue.push_shared(frame.freeze(), None);
            (opcode, rsv1) = (OpCode::Continuation, false);
        }
    }

    #[inline]
    fn header(
        &mut self,
        fin: bool,
        rsv1: bool,
        opcode: OpCode,
        len: usize,
    ) -> (FrameHeader, Option<MaskKey>) {
        let mask = match &mut self.end {
            // §5.3: a fresh key for each frame.
            End::Client(client) => Some(client.keys.next_key()),
            End::Server => None,
        };
        self.messages_sent = self.messages_sent.wrapping_add(u64::from(fin && !opcode.is_control()));
        (FrameHeader { fin, rsv1, opcode, mask, payload_len: len as u64 }, mask)
    }
}

#[cfg(not(feature = "deflate"))]
impl Connection {
    #[inline]
    const fn compress(&mut self, _: &[u8]) -> Option<Bytes> {
        None
    }

    const fn compress_piece(&mut self, _: &[u8], _: bool) -> Result<Bytes, SendError> {
        Err(SendError::CompressionFailed)
    }
}

/// Payloads from this size on are queued by reference: below, a copy is cheaper than a
/// separate place in the vectored write.
pub(crate) const BY_REFERENCE: usize = 4 << 10;

/// Payloads of a client that others share are copied and masked from this size on as they are written, smaller ones at once.
const MASKED_LATER: usize = 64 << 10;

pub(super) const fn opcode_of(data_type: DataType) -> OpCode {
    match data_type {
        DataType::Text => OpCode::Text,
        DataType::Binary => OpCode::Binary,
    }
}

/// The header of a message that a server sends in one frame and uncompressed.
pub(crate) fn whole_header(message: &Message) -> EncodedHeader {
    let (opcode, payload_len) = (opcode_of(message.data_type()), message.len() as u64);
    FrameHeader { fin: true, rsv1: false, opcode, mask: None, payload_len }.encode()
}

fn masked(payload: &[u8], key: Option<MaskKey>) -> impl Iterator<Item = u8> {
    let key = key.unwrap_or_default().0;
    payload.iter().zip(key.into_iter().cycle()).map(|(byte, key)| byte ^ key)
}
