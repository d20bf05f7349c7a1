//! Bytes to headers and unmasked payload chunks: RFC 6455 section 5.2, for streaming.

use core::mem;

use crate::error::ProtocolError;
use crate::frame::{FrameHeader, HeaderPrefix, OpCode, Role};
use crate::mask::{MaskKey, mask};

/// Cuts a stream of bytes into frame headers and unmasked payload.
///
/// It owns no buffer: payload is returned where it lies in the input, unmasked in place, and
/// a header that straddles two inputs is kept in a few bytes of the decoder.
#[derive(Debug)]
pub struct FrameDecoder {
    receiver: Role,
    state: State,
}

/// What [`FrameDecoder::decode`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum FrameItem<'b> {
    /// A frame begins. At least one [`Payload`](Self::Payload) follows, an empty one if the
    /// frame is empty.
    Header(FrameHeader),
    /// The next bytes of the frame's payload, unmasked.
    Payload {
        /// The bytes, borrowed from the input.
        bytes: &'b mut [u8],
        /// The payload ends here; the next item is a header.
        last: bool,
    },
}

#[derive(Debug, Clone, Copy)]
enum State {
    Header { bytes: [u8; FrameHeader::MAX_LEN], len: u8 },
    Payload { key: Option<MaskKey>, remaining: u64 },
}

const AT_HEADER: State = State::Header { bytes: [0; FrameHeader::MAX_LEN], len: 0 };

impl FrameDecoder {
    /// Returns a decoder for what `receiver` receives, at the border of a frame.
    pub const fn new(receiver: Role) -> Self {
        Self { receiver, state: AT_HEADER }
    }

    /// Takes the next item from the front of `input`; `None` when it is used up.
    ///
    /// # Errors
    /// A header that is illegal in itself, at the byte that proves it. The decoder must not be
    /// used further then: there is no next frame to find.
    #[inline]
    pub fn decode<'b>(&mut self, input: &mut &'b mut [u8]) -> Result<Option<FrameItem<'b>>, ProtocolError> {
        self.decode_checked(input, |_| Ok(()))
    }

    /// As [`decode`](Self::decode), and asks `check` whether the header is legal at its place:
    /// also for a header whose last bytes are still to come, as soon as something new is known of it.
    #[inline]
    pub(crate) fn decode_checked<'b>(
        &mut self,
        input: &mut &'b mut [u8],
        check: impl Fn(HeaderPrefix) -> Result<(), ProtocolError>,
    ) -> Result<Option<FrameItem<'b>>, ProtocolError> {
        match &mut self.state {
            State::Header { .. } if input.is_empty() => Ok(None),
            State::Header { len: 0, .. } => match FrameHeader::parse(input, self.receiver) {
                Ok(Some((header, used))) => {
                    check(header.prefix())?;
                    take(input, used);
                    Ok(Some(self.begin(header)))
                }
                // Byte by byte the first fault is found first, however the bytes are split.
                Ok(None) | Err(_) => self.spill(input, check),
            },
            State::Header { .. } => self.spill(input, check),
            State::Payload { key, remaining } => {
                if input.is_empty() && *remaining != 0 {
                    return Ok(None);
                }
                let n = usize::try_from(*remaining).unwrap_or(usize::MAX).min(input.len());
                let bytes = take(input, n);
                if let Some(key) = key {
                    *key = mask(bytes, *key);
                }
                *remaining = remaining.saturating_sub(n as u64);
                let last = *remaining == 0;
                if last {
                    self.state = AT_HEADER;
                }
                Ok(Some(FrameItem::Payload { bytes, last }))
            }
        }
    }

    /// The common case in one step: an uncompressed message of at most 125 bytes and `limit`, in one frame that lies
    /// whole in `input`. `None`, with nothing taken, if the next item is anything else.
    #[inline(always)]
    pub(crate) fn short_message<'b>(
        &self,
        input: &mut &'b mut [u8],
        limit: u64,
    ) -> Option<(OpCode, &'b mut [u8])> {
        if !self.at_frame_border() {
            return None;
        }
        // The slow path reports malformed headers.
        let (header, used) = FrameHeader::parse_short(input, self.receiver)?;
        take_payload(input, header, used, limit)
    }

    /// As [`short_message`](Self::short_message), of any length up to `limit`.
    pub(crate) fn whole_message<'b>(
        &self,
        input: &mut &'b mut [u8],
        limit: u64,
    ) -> Option<(OpCode, &'b mut [u8])> {
        let (header, used) = self.message_header(input)?;
        take_payload(input, header, used, limit)
    }

    /// The header of an uncompressed message in one frame, and its length, if that is next.
    pub(crate) fn message_header(&self, input: &[u8]) -> Option<(FrameHeader, usize)> {
        if !self.at_frame_border() {
            return None;
        }
        let (header, used) = FrameHeader::parse(input, self.receiver).ok()??;
        let is_message = header.fin && !header.rsv1 && matches!(header.opcode, OpCode::Text | OpCode::Binary);
        is_message.then_some((header, used))
    }

    /// Payload bytes of the current frame still to come; 0 between frames.
    pub const fn remaining(&self) -> u64 {
        match self.state {
            State::Payload { remaining, .. } => remaining,
            State::Header { .. } => 0,
        }
    }

    /// Whether the next byte begins a frame.
    pub const fn at_frame_border(&self) -> bool {
        matches!(self.state, State::Header { len: 0, .. })
    }

    /// Unmasks payload that the driver read around [`decode`](Self::decode), straight to where it
    /// is to stay. At most [`remaining`](Self::remaining) bytes count; returns whether the frame ends with them.
    pub(crate) fn payload_read_elsewhere(&mut self, bytes: &mut [u8]) -> bool {
        debug_assert!(bytes.len() as u64 <= self.remaining(), "payload beyond the end of its frame");
        let State::Payload { key, remaining } = &mut self.state else { return false };
        if let Some(key) = key {
            *key = mask(bytes, *key);
        }
        *remaining = remaining.saturating_sub(bytes.len() as u64);
        let last = *remaining == 0;
        if last {
            self.state = AT_HEADER;
        }
        last
    }

    #[inline]
    fn begin(&mut self, header: FrameHeader) -> FrameItem<'static> {
        self.state = State::Payload { key: header.mask, remaining: header.payload_len };
        FrameItem::Header(header)
    }

    /// A header in pieces: moves bytes over one at a time until they make one.
    #[cold]
    fn spill<'b>(
        &mut self,
        input: &mut &'b mut [u8],
        check: impl Fn(HeaderPrefix) -> Result<(), ProtocolError>,
    ) -> Result<Option<FrameItem<'b>>, ProtocolError> {
        while let State::Header { bytes, len } = &mut self.state {
            let Some(&byte) = input.first() else { return Ok(None) };
            take(input, 1);
            debug_assert!(
                usize::from(*len) < bytes.len(),
                "a header is complete with its last byte at the latest"
            );
            if let Some(place) = bytes.get_mut(usize::from(*len)) {
                *place = byte;
                *len = len.saturating_add(1);
            }
            let so_far = bytes.get(..usize::from(*len)).unwrap_or_default();
            FrameHeader::parse_prefix(so_far, self.receiver)?.map(&check).transpose()?;
            if let Some((header, _)) = FrameHeader::parse(so_far, self.receiver)? {
                return Ok(Some(self.begin(header)));
            }
        }
        Ok(None)
    }
}

/// Splits a frame off the front of `input` if all of it is there, and unmasks its payload.
#[inline(always)]
fn take_payload<'b>(
    input: &mut &'b mut [u8],
    header: FrameHeader,
    used: usize,
    limit: u64,
) -> Option<(OpCode, &'b mut [u8])> {
    let end = used.saturating_add(usize::try_from(header.payload_len).ok()?);
    if header.payload_len > limit || end > input.len() {
        return None;
    }
    let payload = take(input, end).get_mut(used..)?;
    if let Some(key) = header.mask {
        mask(payload, key);
    }
    Some((header.opcode, payload))
}

/// Splits the first `n` bytes off the front of `input`.
#[inline]
fn take<'b>(input: &mut &'b mut [u8], n: usize) -> &'b mut [u8] {
    match mem::take(input).split_at_mut_checked(n) {
        Some((front, rest)) => {
            *input = rest;
            front
        }
        None => {
            debug_assert!(false, "more is taken than is there");
            &mut []
        }
    }
}
