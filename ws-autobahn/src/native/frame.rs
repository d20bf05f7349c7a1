//! Frames to send, which need not be valid (RFC 6455 section 5.2), and their names.

pub(crate) use ws_wire::{Header, apply_mask};

use crate::native::payload::Payload;

/// A frame to send, which need not be valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The bit FIN.
    pub(crate) fin: bool,
    /// RSV1 to RSV3 as a number: RSV1 counts 4.
    pub(crate) rsv: u8,
    /// The opcode, 0 to 15.
    pub(crate) opcode: u8,
    /// The application data, before masking.
    pub(crate) payload: Payload,
}

/// `CONTINUATION`, and the other opcodes of RFC 6455 section 11.8.
pub(crate) const CONTINUATION: u8 = 0;
/// A text frame.
pub(crate) const TEXT: u8 = 1;
/// A binary frame.
pub(crate) const BINARY: u8 = 2;
/// A Close.
pub(crate) const CLOSE: u8 = 8;
/// A Ping.
pub(crate) const PING: u8 = 9;
/// A Pong.
pub(crate) const PONG: u8 = 10;

/// Returns a frame with this opcode that is a complete message.
pub(crate) fn frame(opcode: u8, payload: impl Into<Payload>) -> Frame {
    Frame { fin: true, rsv: 0, opcode, payload: payload.into() }
}

/// A text message in one frame.
pub(crate) fn text(payload: impl Into<Payload>) -> Frame {
    frame(TEXT, payload)
}

/// A binary message in one frame.
pub(crate) fn binary(payload: impl Into<Payload>) -> Frame {
    frame(BINARY, payload)
}

/// The last fragment of a message.
pub(crate) fn continuation(payload: impl Into<Payload>) -> Frame {
    frame(CONTINUATION, payload)
}

/// A Ping.
pub(crate) fn ping(payload: impl Into<Payload>) -> Frame {
    frame(PING, payload)
}

/// A Pong.
pub(crate) fn pong(payload: impl Into<Payload>) -> Frame {
    frame(PONG, payload)
}

/// Splits a message into fragments of `size` bytes; one that fits into a fragment is a single frame.
///
/// The last fragment is always shorter than the others, even if it is empty: Autobahn does the same, and it matters to
/// peers that limit the number of fragments.
pub(crate) fn fragments(opcode: u8, rsv: u8, bytes: &[u8], size: usize) -> impl Iterator<Item = Frame> {
    let full = if bytes.len() <= size { 0 } else { bytes.len() / size.max(1) };
    let pieces = bytes.chunks(size.max(1)).chain([&[][..]]);
    pieces.take(full.saturating_add(1)).enumerate().map(move |(n, part)| {
        // RFC 7692 section 6.1: RSV1 on the first fragment only.
        let (opcode, rsv) = if n == 0 { (opcode, rsv) } else { (CONTINUATION, 0) };
        Frame { fin: n == full, rsv, opcode, payload: part.into() }
    })
}

/// Returns the body of a Close: a code, then a reason (RFC 6455 section 5.5.1).
pub(crate) fn close_body(code: u16, reason: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes(), reason].concat()
}

impl Frame {
    /// Clears FIN: another fragment follows.
    pub(crate) fn more(self) -> Self {
        Self { fin: false, ..self }
    }

    /// Sets the reserved bits, 0 to 7.
    pub(crate) fn rsv(self, rsv: u8) -> Self {
        Self { rsv, ..self }
    }

    /// Returns the bytes on the wire, masked with `mask` if there is one.
    pub(crate) fn encode(&self, mask: Option<[u8; 4]>) -> Vec<u8> {
        ws_wire::frame(ws_wire::first(self.fin, self.rsv, self.opcode), &self.payload.bytes(), mask)
    }
}

/// Returns the name of an opcode.
pub(crate) fn name(opcode: u8) -> String {
    match opcode {
        CONTINUATION => "continuation".to_owned(),
        TEXT => "text".to_owned(),
        BINARY => "binary".to_owned(),
        CLOSE => "close".to_owned(),
        PING => "ping".to_owned(),
        PONG => "pong".to_owned(),
        other => format!("reserved opcode {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_bits_and_the_payload_of_their_description() {
        assert_eq!(text("Hel").more().encode(None), *b"\x01\x03Hel");
        assert_eq!(frame(11, "lo").rsv(5).encode(None), *b"\xdb\x02lo");
        assert_eq!(continuation("").encode(Some([1, 2, 3, 4])), [0x80, 0x80, 1, 2, 3, 4]);
    }

    #[test]
    fn the_last_fragment_is_shorter_than_the_others() {
        let sizes = |len: usize| {
            let frames: Vec<Frame> = fragments(TEXT, 4, &vec![b'*'; len], 3).collect();
            let last = frames.len() - 1;
            for (n, frame) in frames.iter().enumerate() {
                let first = if n == 0 { (TEXT, 4) } else { (CONTINUATION, 0) };
                assert_eq!((frame.opcode, frame.rsv, frame.fin), (first.0, first.1, n == last));
            }
            frames.iter().map(|frame| frame.payload.len()).collect::<Vec<usize>>()
        };
        assert_eq!(sizes(0), [0]);
        assert_eq!(sizes(3), [3]);
        assert_eq!(sizes(5), [3, 2]);
        assert_eq!(sizes(6), [3, 3, 0]);
    }
}
