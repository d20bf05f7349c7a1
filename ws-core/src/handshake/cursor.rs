//! A position in the received bytes of a head.

use super::head_error::HeadError;
use super::token::is_tchar;

/// Where in the buffer the scan has come to. Each byte is taken once.
#[derive(Debug)]
pub(super) struct Cursor {
    position: usize,
    limit: usize,
}

impl Cursor {
    /// A cursor that refuses to go beyond `limit` bytes from the start of the buffer.
    pub(super) const fn new(position: usize, limit: usize) -> Self {
        Self { position, limit }
    }

    /// How many bytes have been taken: the index of the next one.
    pub(super) const fn position(&self) -> usize {
        self.position
    }

    /// The next byte with its index; `None` when all that has been received is used.
    ///
    /// A call implies that the head is not whole yet, so it fails as soon as the limit is used up, without waiting
    /// for a byte beyond it: a driver whose buffer is as large as the limit is never stuck.
    pub(super) fn next(&mut self, buffer: &[u8]) -> Result<Option<(usize, u8)>, HeadError> {
        if self.position >= self.limit {
            return Err(HeadError::TooLong { limit: self.limit });
        }
        let taken = buffer.get(self.position).map(|&byte| (self.position, byte));
        if taken.is_some() {
            self.position = self.position.saturating_add(1);
        }
        Ok(taken)
    }

    /// Returns the byte that was taken last to the input.
    pub(super) fn step_back(&mut self) {
        debug_assert!(self.position > 0, "no byte has been taken");
        self.position = self.position.saturating_sub(1);
    }

    /// Takes the bytes of a name that come next. That the limit is exceeded is reported by the following [`next`](Self::next).
    pub(super) fn skip_name(&mut self, buffer: &[u8]) {
        let ahead = buffer.get(self.position..).unwrap_or_default();
        let length = ahead.iter().take_while(|&&byte| is_tchar(byte)).count();
        self.position = self.position.saturating_add(length);
    }

    /// The same for the bytes of a value.
    pub(super) fn skip_value(&mut self, buffer: &[u8]) {
        let ahead = buffer.get(self.position..).unwrap_or_default();
        self.position = self.position.saturating_add(value_length(ahead));
    }
}

/// Returns the number of bytes from the beginning that may stand in a value.
fn value_length(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    // Eight bytes are looked at together, as most are followed by more.
    while let Some((block, behind)) = rest.split_first_chunk::<8>() {
        let Some(control) = first_control(*block) else {
            rest = behind;
            continue;
        };
        match rest.get(control..) {
            Some([b'\t', behind @ ..]) => rest = behind,
            Some(at_control) => {
                rest = at_control;
                break;
            }
            None => break,
        }
    }
    while let [byte, behind @ ..] = rest
        && is_value_byte(*byte)
    {
        rest = behind;
    }
    bytes.len().saturating_sub(rest.len())
}

/// Returns the index of the first ASCII control character.
fn first_control(block: [u8; 8]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
    const SPACES: u64 = u64::from_le_bytes([b' '; 8]);
    const DELETES: u64 = u64::from_le_bytes([0x7f; 8]);
    let bytes = u64::from_le_bytes(block);
    let deletes = bytes ^ DELETES;
    // The highest bit of a byte becomes 1 where subtraction borrows: below 0x20, and where DEL has become 0. A borrow goes on
    // into higher bytes only, so that the first is right.
    let below_space = bytes.wrapping_sub(SPACES) & !bytes;
    let is_delete = deletes.wrapping_sub(ONES) & !deletes;
    let found = (below_space | is_delete) & HIGHS;
    (found != 0).then(|| (found.trailing_zeros() / 8) as usize)
}

/// Whether `byte` may stand in a value.
const fn is_value_byte(byte: u8) -> bool {
    // RFC 9110 §5.5: NUL, CR, LF and other control characters are invalid there.
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_ends_at_the_first_byte_that_cannot_stand_in_it() {
        let expected = |bytes: &[u8]| bytes.iter().take_while(|&&byte| is_value_byte(byte)).count();
        for filling in [b'a', b' ', b'\t', b'~', 0x80, 0xff] {
            for length in 0..20 {
                for place in 0..=length {
                    for byte in 0..=255 {
                        let mut bytes = vec![filling; length + 1];
                        bytes[place] = byte;
                        // What comes after it must not count.
                        bytes.extend([0x1f, 0x20, 0x7f, 0x7e]);
                        assert_eq!(value_length(&bytes), expected(&bytes), "{bytes:?}");
                    }
                }
            }
        }
    }
}
