//! Frame headers: RFC 6455 section 5.2.

use alloc::vec::Vec;
use core::ops::Deref;

use crate::error::ProtocolError;
use crate::mask::MaskKey;

/// An end of a connection: it decides who masks (section 5.1) and who closes
/// the transport first (section 7.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that opened the connection; it masks what it sends.
    Client,
    /// The end that accepted it; it never masks.
    Server,
}

/// What a frame carries (section 5.2; 11.8 for the registry).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OpCode {
    /// 0x0: the next fragment of the message in progress.
    Continuation = 0x0,
    /// 0x1: text, the first or only frame of a message.
    Text = 0x1,
    /// 0x2: binary, the first or only frame of a message.
    Binary = 0x2,
    /// 0x8: closes the connection.
    Close = 0x8,
    /// 0x9: asks for a pong.
    Ping = 0x9,
    /// 0xA: answers a ping, or stands alone as a heartbeat.
    Pong = 0xA,
}

impl OpCode {
    /// Whether it is one of the control opcodes, those with the top bit set (section 5.5).
    #[inline]
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    const fn parse(nibble: u8) -> Result<Self, ProtocolError> {
        Ok(match nibble {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            // §5.2: an unknown opcode fails the connection.
            _ => return Err(ProtocolError::ReservedOpCode(nibble)),
        })
    }

    const fn nibble(self) -> u8 {
        self as u8
    }
}

/// The header of one frame: everything before its payload.
///
/// What [`parse`](Self::parse) returns is legal in itself; whether it is legal at its place in
/// the stream (a continuation, RSV1) is for [`Connection`](crate::Connection) to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameHeader {
    /// The last fragment of its message.
    pub fin: bool,
    /// RSV1: with permessage-deflate, the message is compressed (RFC 7692 section 6).
    pub rsv1: bool,
    /// What the frame carries.
    pub opcode: OpCode,
    /// The masking key, on every frame from a client and on none from a server.
    pub mask: Option<MaskKey>,
    /// Bytes of payload that follow, at most 2⁶³ − 1.
    pub payload_len: u64,
}

/// What the first bytes of a header say: see [`FrameHeader::parse_prefix`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderPrefix {
    /// See [`FrameHeader::fin`].
    pub fin: bool,
    /// See [`FrameHeader::rsv1`].
    pub rsv1: bool,
    /// See [`FrameHeader::opcode`].
    pub opcode: OpCode,
    /// The payload length, once all its bytes are there.
    pub payload_len: Option<u64>,
}

impl FrameHeader {
    /// The longest header: two bytes, a length of eight, a key of four.
    pub const MAX_LEN: usize = 14;

    /// Reads the header at the front of `input`, as received by `receiver`; returns it with
    /// its length in bytes, or `None` while bytes of it are missing.
    ///
    /// # Errors
    /// Any fault that the bytes present prove, even when the header is not complete.
    #[inline]
    pub fn parse(input: &[u8], receiver: Role) -> Result<Option<(Self, usize)>, ProtocolError> {
        if let Some(short) = Self::parse_short(input, receiver) {
            return Ok(Some(short));
        }
        let Some((prefix, used)) = parse_lengths(input, receiver)? else { return Ok(None) };
        let Some(payload_len) = prefix.payload_len else { return Ok(None) };
        let (mask, used) = match receiver {
            Role::Client => (None, used),
            Role::Server => match input.get(used..).and_then(<[u8]>::first_chunk::<4>) {
                Some(key) => (Some(MaskKey(*key)), used.saturating_add(4)),
                None => return Ok(None),
            },
        };
        let HeaderPrefix { fin, rsv1, opcode, .. } = prefix;
        Ok(Some((Self { fin, rsv1, opcode, mask, payload_len }, used)))
    }

    /// The common case: all there, legal, and of a small message in one frame, uncompressed.
    #[inline(always)]
    pub(crate) fn parse_short(input: &[u8], receiver: Role) -> Option<(Self, usize)> {
        let (&[first, second], rest) = input.split_first_chunk::<2>()?;
        let opcode = match first {
            0x81 => OpCode::Text,
            0x82 => OpCode::Binary,
            _ => return None,
        };
        let (masked, short) = (second & 0x80 != 0, second & 0x7F);
        if short > 125 {
            return None;
        }
        // §5.1: a client masks all its frames, a server none.
        let (mask, used) = match receiver {
            Role::Server if masked => (Some(MaskKey(*rest.first_chunk::<4>()?)), 6),
            Role::Client if !masked => (None, 2),
            _ => return None,
        };
        Some((Self { fin: true, rsv1: false, opcode, mask, payload_len: u64::from(short) }, used))
    }

    /// Reads what the first bytes of a header say, so that a fault is found at the byte that
    /// proves it; `None` for no bytes at all.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_prefix(input: &[u8], receiver: Role) -> Result<Option<HeaderPrefix>, ProtocolError> {
        Ok(parse_lengths(input, receiver)?.map(|(prefix, _)| prefix))
    }

    /// Returns what the header says before its masking key.
    pub const fn prefix(&self) -> HeaderPrefix {
        let Self { fin, rsv1, opcode, payload_len, .. } = *self;
        HeaderPrefix { fin, rsv1, opcode, payload_len: Some(payload_len) }
    }

    /// Returns the header's bytes, its length in the shortest form (section 5.2).
    #[inline]
    pub fn encode(&self) -> EncodedHeader {
        let first = (u8::from(self.fin) << 7) | (u8::from(self.rsv1) << 6) | self.opcode.nibble();
        let (masked, key) = match self.mask {
            None => (0, 0),
            Some(MaskKey(key)) => (0x80, u128::from(u32::from_le_bytes(key))),
        };
        // Put together in a register, the first byte lowest: bytes written one by one and read again as a whole make
        // the processor wait.
        let (rest, len) = match self.payload_len {
            len @ 0..=125 => (u128::from(len) | (key << 8), 2),
            // An extended length is in network order.
            len @ 126..=0xFFFF => (126 | (u128::from(len.swap_bytes() >> 48) << 8) | (key << 24), 4),
            len => (127 | (u128::from(len.swap_bytes()) << 8) | (key << 72), 10),
        };
        let bytes = u128::from(first) | ((rest | masked) << 8);
        let key_len: u8 = if self.mask.is_some() { 4 } else { 0 };
        EncodedHeader { bytes: bytes.to_le_bytes(), len: key_len.saturating_add(len) }
    }
}

/// The bytes of a header: at most 14, without an allocation. Dereferences to them.
#[derive(Debug, Clone, Copy)]
pub struct EncodedHeader {
    bytes: [u8; Self::ROOM],
    len: u8,
}

impl EncodedHeader {
    /// This many bytes of room [`append_to`](Self::append_to) needs.
    pub(crate) const ROOM: usize = 16;

    /// Appends it to `out`.
    #[inline]
    pub(crate) fn append_to(&self, out: &mut Vec<u8>) {
        // A copy of a length the compiler knows is a few instructions, any other a call.
        let end = out.len().saturating_add(usize::from(self.len));
        out.extend_from_slice(&self.bytes);
        out.truncate(end);
    }
}

impl Deref for EncodedHeader {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// The lengths of a frame's header and payload, in bytes, read back from what was [encoded](FrameHeader::encode) here.
pub(crate) fn encoded_lengths(frame: &[u8]) -> (usize, usize) {
    debug_assert!(frame.len() >= 2, "no frame is there");
    let second = frame.get(1).copied().unwrap_or_default();
    let extended = frame.get(2..).unwrap_or_default();
    let (header, payload) = match second & 0x7F {
        126 => (4usize, extended.first_chunk().map_or(0, |len| u64::from(u16::from_be_bytes(*len)))),
        127 => (10, extended.first_chunk().map_or(0, |len| u64::from_be_bytes(*len))),
        len => (2, u64::from(len)),
    };
    let key = if second & 0x80 == 0 { 0 } else { 4 };
    (header.saturating_add(key), usize::try_from(payload).unwrap_or(usize::MAX))
}

/// Everything up to the masking key, with the number of bytes read.
#[inline]
fn parse_lengths(input: &[u8], receiver: Role) -> Result<Option<(HeaderPrefix, usize)>, ProtocolError> {
    let Some((&first, rest)) = input.split_first() else { return Ok(None) };
    let fin = first & 0x80 != 0;
    let rsv1 = first & 0x40 != 0;
    // §5.2: RSV2 and RSV3 have no meaning in any extension known here.
    if first & 0x30 != 0 {
        return Err(ProtocolError::ReservedBits);
    }
    let opcode = OpCode::parse(first & 0x0F)?;
    // §5.5: control frames MUST NOT be fragmented.
    if opcode.is_control() && !fin {
        return Err(ProtocolError::FragmentedControl);
    }
    // RFC 7692 §6.1: RSV1 is never set on a control frame, and only on the first fragment.
    if rsv1 && !matches!(opcode, OpCode::Text | OpCode::Binary) {
        return Err(ProtocolError::ReservedBits);
    }
    let mut prefix = HeaderPrefix { fin, rsv1, opcode, payload_len: None };

    let Some((&second, rest)) = rest.split_first() else { return Ok(Some((prefix, 1))) };
    // §5.1: a client masks all its frames, a server none.
    match (receiver, second & 0x80 != 0) {
        (Role::Server, false) => return Err(ProtocolError::UnmaskedFrame),
        (Role::Client, true) => return Err(ProtocolError::MaskedFrame),
        _ => {}
    }
    let short = second & 0x7F;
    if opcode.is_control() {
        // §5.5: control frames MUST have a payload length of 125 bytes or less.
        if short > 125 {
            return Err(ProtocolError::ControlTooLong);
        }
        // §5.5.1: a Close body, if there is one, begins with a 2-byte code.
        if matches!(opcode, OpCode::Close) && short == 1 {
            return Err(ProtocolError::InvalidCloseLength);
        }
    }
    let (payload_len, used) = match short {
        126 => (extended::<2>(rest)?, 4),
        127 => (extended::<8>(rest)?, 10),
        short => (Some(u64::from(short)), 2),
    };
    prefix.payload_len = payload_len;
    Ok(Some((prefix, used)))
}

/// An extended length of `N` bytes, network order, or `None` while bytes of it are missing.
#[inline]
fn extended<const N: usize>(bytes: &[u8]) -> Result<Option<u64>, ProtocolError> {
    // §5.2: the most significant bit MUST be 0.
    if N == 8 && bytes.first().is_some_and(|&b| b & 0x80 != 0) {
        return Err(ProtocolError::InvalidLength);
    }
    let minimum: u64 = if N == 2 { 126 } else { 0x1_0000 };
    let Some(all) = bytes.first_chunk::<N>() else {
        // §5.2: the minimal number of bytes MUST be used. Six zeros of eight prove that it was not.
        let zeros = bytes.iter().take_while(|&&b| b == 0).count();
        return if N == 8 && zeros >= 6 { Err(ProtocolError::InvalidLength) } else { Ok(None) };
    };
    let value = all.iter().fold(0u64, |value, &byte| (value << 8) | u64::from(byte));
    if value < minimum { Err(ProtocolError::InvalidLength) } else { Ok(Some(value)) }
}
