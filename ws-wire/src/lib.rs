//! WebSocket frames as bytes (RFC 6455 section 5.2): written with any bits, valid or not, and read without checks.
//!
//! This is a crate because the tests of all crates of the workspace, the fuzz targets, the benchmarks and `ws-autobahn`
//! need frames that ws-core has not written: a fault that its writer and its reader share would cancel out. It
//! depends on nothing, is never published, and libraries have it among their `dev-dependencies` only, by path, so that
//! their packages do not contain it.

#[cfg(test)]
mod tests;

/// Returns a frame: its first byte (FIN, RSV1 to RSV3 and the opcode), the rest of the header, and the payload, masked
/// with `mask` if there is one.
pub fn frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len().saturating_add(LONGEST_HEADER));
    bytes.extend(header(first, payload.len() as u64, mask));
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    if let (Some(key), Some(payload)) = (mask, bytes.get_mut(start..)) {
        apply_mask(payload, key);
    }
    bytes
}

/// Returns the first byte of a frame: FIN, RSV1 to RSV3 as a number (RSV1 counts 4), and the opcode.
pub fn first(fin: bool, rsv: u8, opcode: u8) -> u8 {
    u8::from(fin) << 7 | (rsv & 7) << 4 | opcode & 15
}

/// Returns the header of a frame with a payload of `length` bytes, which need not follow.
pub fn header(first: u8, length: u64, mask: Option<[u8; 4]>) -> Vec<u8> {
    let masked = u8::from(mask.is_some()) << 7;
    let mut bytes = vec![first];
    // RFC 6455 section 5.2: "the minimal number of bytes MUST be used to encode the length".
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(n), _) if n < 126 => bytes.push(masked | n),
        (_, Ok(n)) => {
            bytes.push(masked | 126);
            bytes.extend(n.to_be_bytes());
        }
        _ => {
            bytes.push(masked | 127);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes.extend(mask.into_iter().flatten());
    bytes
}

/// Masks or unmasks; the two are the same operation (RFC 6455 section 5.3).
pub fn apply_mask(bytes: &mut [u8], key: [u8; 4]) {
    let wide = u64::from_ne_bytes([key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]]);
    let (eights, rest) = bytes.as_chunks_mut::<8>();
    for eight in eights {
        *eight = (u64::from_ne_bytes(*eight) ^ wide).to_ne_bytes();
    }
    rest.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
}

/// The header of a received frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The bit FIN.
    pub fin: bool,
    /// RSV1 to RSV3 as a number: RSV1 counts 4.
    pub rsv: u8,
    /// The opcode, 0 to 15.
    pub opcode: u8,
    /// The masking key.
    pub mask: Option<[u8; 4]>,
    /// The length of the payload in bytes.
    pub length: u64,
    /// Whether the length is encoded in the fewest bytes.
    pub minimal: bool,
}

impl Header {
    /// Parses a header and returns it with its size; `None` when bytes are missing.
    pub fn read(bytes: &[u8]) -> Option<(Self, usize)> {
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

    /// Returns the first byte of the frame: FIN, RSV1 to RSV3 and the opcode.
    pub fn first(&self) -> u8 {
        first(self.fin, self.rsv, self.opcode)
    }

    /// Whether this is a control frame (RFC 6455 section 5.5: the highest bit of the opcode is set).
    pub fn is_control(&self) -> bool {
        self.opcode & 8 != 0
    }
}

/// Removes a frame from the front of `bytes` and returns its header and its payload, unmasked; `None`, and nothing is
/// removed, when bytes are missing.
pub fn take(bytes: &mut &[u8]) -> Option<(Header, Vec<u8>)> {
    let (header, size) = Header::read(bytes)?;
    let end = size.checked_add(usize::try_from(header.length).ok()?)?;
    let mut payload = bytes.get(size..end)?.to_vec();
    if let Some(key) = header.mask {
        apply_mask(&mut payload, key);
    }
    *bytes = bytes.get(end..)?;
    Some((header, payload))
}

const LONGEST_HEADER: usize = 14;
