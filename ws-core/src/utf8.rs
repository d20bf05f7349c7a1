//! UTF-8 checked as it arrives, in pieces cut anywhere: RFC 6455 section 8.1.

use core::str;

/// The bytes cannot be, or become, UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidUtf8;

/// Checks text piece by piece; a character may straddle any number of pieces.
///
/// A fault is reported with the piece that holds the byte which proves it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Utf8Validator {
    /// The first bytes of a character that is not complete yet.
    partial: [u8; 4],
    len: u8,
}

/// A checked piece of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked<'a> {
    /// The character that this piece completed, if it began in an earlier one.
    pub straddling: Option<char>,
    /// The rest, without the bytes of a character that is not complete yet.
    pub text: &'a str,
}

impl Utf8Validator {
    /// At the border of a character.
    pub const fn new() -> Self {
        Self { partial: [0; 4], len: 0 }
    }

    /// Checks the next piece.
    ///
    /// # Errors
    /// [`InvalidUtf8`] when no continuation could make the bytes so far UTF-8.
    #[inline]
    pub fn feed<'a>(&mut self, mut piece: &'a [u8]) -> Result<Checked<'a>, InvalidUtf8> {
        let straddling = if self.len == 0 { None } else { self.complete(&mut piece)? };
        if self.len != 0 {
            return Ok(Checked { straddling, text: "" });
        }
        let (whole, tail) = piece.split_at(incomplete_tail(piece));
        let text = simdutf8::basic::from_utf8(whole).map_err(|_| InvalidUtf8)?;
        if !tail.is_empty() {
            self.start(tail)?;
        }
        Ok(Checked { straddling, text })
    }

    /// Whether the text may end here: no character is cut off.
    pub const fn is_complete(&self) -> bool {
        self.len == 0
    }

    /// Takes bytes from the front of `piece` until the open character is complete.
    fn complete(&mut self, piece: &mut &[u8]) -> Result<Option<char>, InvalidUtf8> {
        while let Some((&byte, rest)) = piece.split_first() {
            *piece = rest;
            self.push(byte);
            if let Some(character) = self.check()? {
                self.len = 0;
                return Ok(Some(character));
            }
        }
        Ok(None)
    }

    fn start(&mut self, tail: &[u8]) -> Result<(), InvalidUtf8> {
        for &byte in tail {
            self.push(byte);
        }
        self.check().map(|_| ())
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.partial.get_mut(usize::from(self.len)) {
            *place = byte;
            self.len = self.len.saturating_add(1);
        }
    }

    /// The open character if it is complete, `None` if it can still become one.
    fn check(&self) -> Result<Option<char>, InvalidUtf8> {
        match str::from_utf8(self.partial.get(..usize::from(self.len)).unwrap_or_default()) {
            Ok(text) => Ok(text.chars().next()),
            Err(error) if error.error_len().is_none() => Ok(None),
            Err(_) => Err(InvalidUtf8),
        }
    }
}

/// Where the bytes of a character begin that `piece` cuts off; its length if there is none.
///
/// Only looks at lead bytes: what it splits off is checked by the caller.
#[inline]
fn incomplete_tail(piece: &[u8]) -> usize {
    let len = piece.len();
    for back in 1..=3usize {
        let Some(at) = len.checked_sub(back) else { break };
        match piece.get(at) {
            // A continuation byte: its lead byte is further to the front.
            Some(0x80..=0xBF) => {}
            // A lead byte that announces more bytes than there are.
            Some(0xC0..=0xDF) if back < 2 => return at,
            Some(0xE0..=0xEF) if back < 3 => return at,
            Some(0xF0..=0xFF) => return at,
            _ => break,
        }
    }
    len
}
