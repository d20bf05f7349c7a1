//! The payload of a frame or message, in a form that needs no memory for all bytes until it is sent.

use std::borrow::Cow;

/// Bytes of a case: literal bytes, or a unit that is repeated.
#[derive(Clone)]
pub(crate) enum Payload {
    /// These bytes.
    Bytes(Vec<u8>),
    /// `unit` repeated, cut off after `len` bytes.
    Repeated {
        /// The repeated bytes; never empty.
        unit: &'static [u8],
        /// The total number of bytes.
        len: usize,
    },
}

impl Payload {
    /// Returns `len` bytes that repeat `unit`.
    pub(crate) fn repeated(unit: &'static [u8], len: usize) -> Self {
        debug_assert!(!unit.is_empty());
        Self::Repeated { unit, len }
    }

    /// Returns the number of bytes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Repeated { len, .. } => *len,
        }
    }

    /// Returns the bytes.
    pub(crate) fn bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Bytes(bytes) => Cow::Borrowed(bytes),
            Self::Repeated { unit, len } => {
                let mut bytes = unit.repeat(len.div_ceil(unit.len()));
                bytes.truncate(*len);
                Cow::Owned(bytes)
            }
        }
    }

    /// Whether the bytes equal `other`, compared without a copy.
    pub(crate) fn is(&self, other: &[u8]) -> bool {
        match self {
            Self::Bytes(bytes) => bytes == other,
            Self::Repeated { unit, len } => {
                *len == other.len()
                    && other.chunks(unit.len()).all(|chunk| unit.get(..chunk.len()) == Some(chunk))
            }
        }
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.bytes())
    }
}

impl Eq for Payload {}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }
}

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&words(&self.bytes()))
    }
}

/// Formats bytes as text in quotes if they are printable text, otherwise in hex; long ones are cut off.
pub(crate) fn words(bytes: &[u8]) -> String {
    let (head, rest) = bytes.split_at(bytes.len().min(SHOWN));
    let text = std::str::from_utf8(head).ok().filter(|text| text.chars().all(|c| !c.is_control()));
    let shown = match text {
        Some(text) => format!("\"{text}\""),
        None => format!("0x{}", hex(head)),
    };
    match rest.len() {
        0 => shown,
        _ => format!("{shown} ... ({} bytes)", bytes.len()),
    }
}

/// Formats bytes in hex without separators.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// How many bytes of a payload are shown.
const SHOWN: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_payload_is_cut_off_in_the_middle_of_its_unit() {
        let payload = Payload::repeated(b"abc", 7);
        assert_eq!(&payload.bytes()[..], b"abcabca");
        assert!(payload.is(b"abcabca"));
        for other in [&b"abcabc"[..], b"abcabcb", b"abcabcab", b""] {
            assert!(!payload.is(other), "{other:?}");
        }
        assert!(Payload::repeated(b"*", 0).is(b""));
        assert_eq!(payload, Payload::from("abcabca"));
        assert_ne!(Payload::from("abcabcb"), payload);
    }

    #[test]
    fn bytes_are_shown_as_text_where_they_are_text() {
        assert_eq!(words("Grüße".as_bytes()), "\"Grüße\"");
        assert_eq!(words(b"\xfe\x00"), "0xfe00");
        assert!(words(&[b'*'; 100]).ends_with("... (100 bytes)"));
    }
}
