//! Long copies, in pieces where one at once is slow.
//!
//! glibc before 2.39 copies more than 2112 bytes with one `rep movsb`. On AMD's Zen 3 that takes 25 to 45 times as long as it
//! should when the destination lies 1 to 63 bytes behind the source modulo a page: 7.5 µs for 16 KiB in place of 0.2. Payloads and
//! buffers are allocated such that this is a matter of luck, for as long as the process runs. Shorter copies are made with vector
//! instructions, which know no such place. Where the two lie otherwise one copy is as fast or faster, and so it stays one.

use alloc::string::String;
use alloc::vec::Vec;
use core::slice::Chunks;

use bytes::{Bytes, BytesMut};

/// Returns `source` in the pieces in which it is to be copied to `destination`: nearly always one.
///
/// ```
/// let source = vec![7; 16 << 10];
/// let mut buffer = Vec::with_capacity(64 << 10);
/// for piece in ws_core::copy::pieces(&source, buffer.as_ptr()) {
///     buffer.extend_from_slice(piece);
/// }
/// assert_eq!(buffer, source);
/// ```
#[inline]
pub fn pieces(source: &[u8], destination: *const u8) -> Chunks<'_, u8> {
    source.chunks(piece_len(source.len(), source.as_ptr().addr(), destination.addr()))
}

/// How much of `len` bytes is to be copied at once between these two addresses.
#[inline]
const fn piece_len(len: usize, source: usize, destination: usize) -> usize {
    let behind = destination.wrapping_sub(source) % PAGE;
    let slow = len > PIECE && behind > 0 && behind < SLOW;
    // One of no bytes must not be.
    if slow {
        PIECE
    } else if len == 0 {
        1
    } else {
        len
    }
}

const PAGE: usize = 4096;
/// Up to so far behind the source the destination is slow to copy to.
const SLOW: usize = 64;
/// Less than what glibc copies with one instruction, with some bytes to spare.
const PIECE: usize = 2000;

/// Appends bytes.
#[inline]
pub(crate) fn append(to: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() > PIECE {
        append_long(to, bytes);
    } else {
        to.extend_from_slice(bytes);
    }
}

#[inline(never)]
fn append_long(to: &mut Vec<u8>, bytes: &[u8]) {
    to.reserve(bytes.len());
    let end = to.spare_capacity_mut().as_ptr().cast();
    for piece in pieces(bytes, end) {
        to.extend_from_slice(piece);
    }
}

/// Appends bytes to what can be frozen.
pub(crate) fn append_bytes(to: &mut BytesMut, bytes: &[u8]) {
    to.reserve(bytes.len());
    let end = to.spare_capacity_mut().as_ptr().cast();
    for piece in pieces(bytes, end) {
        to.extend_from_slice(piece);
    }
}

/// Appends text.
pub(crate) fn append_text(to: &mut String, mut text: &str) {
    to.reserve(text.len());
    let end = to.as_ptr().addr().wrapping_add(to.len());
    let most = piece_len(text.len(), text.as_ptr().addr(), end);
    while text.len() > most {
        // A character has four bytes at most.
        let cut = (0..4usize).find_map(|back| text.split_at_checked(most.saturating_sub(back)));
        let Some((piece, rest)) = cut else { break };
        to.push_str(piece);
        text = rest;
    }
    to.push_str(text);
}

/// Returns a copy of bytes.
pub(crate) fn bytes(from: &[u8]) -> Bytes {
    let mut copy = Vec::with_capacity(from.len());
    append(&mut copy, from);
    copy.into()
}

/// Returns a copy of text.
pub(crate) fn text(from: &str) -> String {
    let mut copy = String::with_capacity(from.len());
    append_text(&mut copy, from);
    copy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_copy_to_just_behind_the_source_modulo_a_page_is_made_in_pieces_below_2112_bytes() {
        for source in [0usize, 5, 4000, usize::MAX - 20] {
            for behind in 0..4096usize {
                let slow = (1..64).contains(&behind);
                for pages in [0, 7] {
                    let destination = source.wrapping_add(behind).wrapping_add(pages * 4096);
                    assert_eq!(piece_len(16 << 10, source, destination), if slow { 2000 } else { 16 << 10 });
                    assert_eq!(piece_len(2000, source, destination), 2000);
                }
            }
        }
        assert_eq!(pieces(&[], [].as_ptr()).count(), 0);
    }

    /// Copies to every place behind the source.
    #[test]
    fn what_is_copied_in_pieces_is_the_source() {
        let source: String = ('a'..='z').chain(['ä', '€', '𝄞']).cycle().take(6000).collect();
        // Somewhere in a page of these the source lies as far from the buffer as it takes.
        for shift in (0..4096).step_by(16) {
            let text = source.get(source.floor_to(shift)..).unwrap_or_default();
            let (mut string, mut vec) = (String::with_capacity(12_000), Vec::with_capacity(12_000));
            append_text(&mut string, text);
            append(&mut vec, text.as_bytes());
            let mut mutable = BytesMut::new();
            append_bytes(&mut mutable, text.as_bytes());
            assert!(string == text && vec == text.as_bytes() && mutable == text.as_bytes());
            assert!(super::text(text) == text && bytes(text.as_bytes()) == text.as_bytes());
        }
    }

    trait FloorTo {
        fn floor_to(&self, at: usize) -> usize;
    }

    impl FloorTo for str {
        fn floor_to(&self, at: usize) -> usize {
            (0..=at).rev().find(|at| self.is_char_boundary(*at)).unwrap_or_default()
        }
    }
}
