//! Frames as bytes (RFC 6455 section 5.2): encoded with any bits, valid or not, and parsed without checks.

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
        let payload = self.payload.bytes();
        let mut bytes = Vec::with_capacity(payload.len().saturating_add(14));
        bytes.push(u8::from(self.fin) << 7 | (self.rsv & 7) << 4 | self.opcode & 15);
        let masked = u8::from(mask.is_some()) << 7;
        // RFC 6455 section 5.2: "the minimal number of bytes MUST be used to encode the length".
        match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(n), _) if n < 126 => bytes.push(masked | n),
            (_, Ok(n)) => {
                bytes.push(masked | 126);
                bytes.extend(n.to_be_bytes());
            }
            _ => {
                bytes.push(masked | 127);
                bytes.extend((payload.len() as u64).to_be_bytes());
            }
        }
        match mask {
            None => bytes.extend_from_slice(&payload),
            Some(key) => {
                bytes.extend(key);
                let start = bytes.len();
                bytes.extend_from_slice(&payload);
                if let Some(payload) = bytes.get_mut(start..) {
                    apply_mask(payload, key);
                }
            }
        }
        bytes
    }
}

/// Masks or unmasks; the two are the same operation (RFC 6455 section 5.3).
pub(crate) fn apply_mask(bytes: &mut [u8], key: [u8; 4]) {
    let wide = u64::from_ne_bytes([key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]]);
    let (eights, rest) = bytes.as_chunks_mut::<8>();
    for eight in eights {
        *eight = (u64::from_ne_bytes(*eight) ^ wide).to_ne_bytes();
    }
    rest.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
}

/// The header of a received frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The bit FIN.
    pub(crate) fin: bool,
    /// RSV1 to RSV3 as a number: RSV1 counts 4.
    pub(crate) rsv: u8,
    /// The opcode, 0 to 15.
    pub(crate) opcode: u8,
    /// The masking key.
    pub(crate) mask: Option<[u8; 4]>,
    /// The length of the payload in bytes.
    pub(crate) length: u64,
    /// Whether the length is encoded in the fewest bytes.
    pub(crate) minimal: bool,
}

impl Header {
    /// Parses a header and returns it with its size; `None` when bytes are missing.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let [first, second] = *bytes.first_chunk::<2>()?;
        let rest = bytes.get(2..)?;
        let (length, minimal, size) = match second & 127 {
            126 => {
                let length = u16::from_be_bytes(*rest.first_chunk::<2>()?);
                (u64::from(length), length > 125, 4)
            }
            127 => {
                let length = u64::from_be_bytes(*rest.first_chunk::<8>()?);
                (length, length > 0xffff, 10)
            }
            length => (u64::from(length), true, 2),
        };
        let (mask, size) = match second & 128 {
            0 => (None, size),
            _ => (Some(*bytes.get(size..)?.first_chunk::<4>()?), size + 4),
        };
        let (fin, rsv, opcode) = (first & 128 != 0, first >> 4 & 7, first & 15);
        Some((Self { fin, rsv, opcode, mask, length, minimal }, size))
    }

    /// Whether this is a control frame (RFC 6455 section 5.5: the highest bit of the opcode is set).
    pub(crate) fn is_control(&self) -> bool {
        self.opcode & 8 != 0
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
    fn the_examples_of_rfc_6455_section_5_7_are_encoded_and_parsed() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let hello = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
        let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(text("Hello").encode(None), hello);
        assert_eq!(text("Hello").encode(Some(key)), masked);
        assert_eq!(text("Hel").more().encode(None), [0x01, 0x03, 0x48, 0x65, 0x6c]);
        assert_eq!(continuation("lo").encode(None), [0x80, 0x02, 0x6c, 0x6f]);
        let (header, size) = Header::read(&masked).unwrap();
        assert_eq!((header.opcode, header.length, header.mask, size), (TEXT, 5, Some(key), 6));
        let long = binary(Payload::repeated(b"x", 256)).encode(None);
        assert_eq!(long[..4], [0x82, 0x7e, 0x01, 0x00]);
        let longer = binary(Payload::repeated(b"x", 65536)).encode(None);
        assert_eq!(longer[..10], [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn a_frame_header_that_is_cut_off_anywhere_is_incomplete() {
        for len in [0, 125, 126, 65535, 65536] {
            let bytes = binary(Payload::repeated(b"x", len)).encode(Some([1, 2, 3, 4]));
            let (header, size) = Header::read(&bytes).unwrap();
            assert_eq!((header.length, size + len), (len as u64, bytes.len()));
            assert!((0..size).all(|cut| Header::read(&bytes[..cut]).is_none()));
        }
    }

    #[test]
    fn a_length_that_is_not_minimal_is_detected() {
        assert!(!Header::read(&[0x82, 126, 0, 125]).unwrap().0.minimal);
        assert!(Header::read(&[0x82, 126, 0, 126]).unwrap().0.minimal);
        assert!(!Header::read(&[0x82, 127, 0, 0, 0, 0, 0, 0, 255, 255]).unwrap().0.minimal);
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

    #[test]
    fn masking_twice_restores_the_payload() {
        let plain: Vec<u8> = (0..37).collect();
        let mut bytes = plain.clone();
        apply_mask(&mut bytes, [9, 8, 7, 6]);
        assert_eq!(bytes[..5], [9, 9, 5, 5, 13]);
        apply_mask(&mut bytes, [9, 8, 7, 6]);
        assert_eq!(bytes, plain);
    }
}
