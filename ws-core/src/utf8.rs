//! UTF-8 checked as it arrives, in pieces cut anywhere: RFC 6455 section 8.1.

use core::str;

use thiserror::Error;

use crate::error::debug_by_display;

/// The bytes cannot be, or become, UTF-8.
#[derive(Clone, Copy, PartialEq, Eq, Error)]
#[error("the text is not UTF-8")]
pub struct InvalidUtf8;

debug_by_display!(InvalidUtf8);

/// Checks text piece by piece; a character may straddle any number of pieces.
///
/// A fault is reported with the piece that contains the byte which proves it.
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

    /// Takes from the front of `piece` what the open character lacks, and looks at it once.
    fn complete(&mut self, piece: &mut &[u8]) -> Result<Option<char>, InvalidUtf8> {
        let [lead, ..] = self.partial;
        let lacking = width(lead).saturating_sub(usize::from(self.len));
        let (taken, rest) = piece.split_at(lacking.min(piece.len()));
        *piece = rest;
        for &byte in taken {
            self.push(byte);
        }
        let character = self.check()?;
        if character.is_some() {
            self.len = 0;
        }
        Ok(character)
    }

    fn start(&mut self, tail: &[u8]) -> Result<(), InvalidUtf8> {
        for &byte in tail {
            self.push(byte);
        }
        self.check().map(|_| ())
    }

    fn push(&mut self, byte: u8) {
        debug_assert!(usize::from(self.len) < self.partial.len(), "a character has four bytes at most");
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

/// How many bytes the character has that `lead` begins.
const fn width(lead: u8) -> usize {
    match lead {
        0x00..=0xBF => 1,
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xFF => 4,
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
