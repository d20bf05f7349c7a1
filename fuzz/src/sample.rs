//! Payloads of any size from a byte or two.

use crate::Input;

/// Sizes on both sides of every border that a length, a limit or a copy has.
pub const SIZES: [usize; 16] =
    [0, 1, 2, 5, 31, 124, 125, 126, 127, 300, 4095, 4096, 5000, 65_535, 65_536, 70_000];

/// A text of about as many bytes as the next byte of `input` picks, with characters of one to four bytes.
pub fn text(input: &mut Input<'_>) -> String {
    let size = input.pick(&SIZES);
    let mut text = String::new();
    for n in 0.. {
        let next = ALPHABET[(n * n + size) % ALPHABET.len()];
        if text.len() + next.len_utf8() > size {
            return text;
        }
        text.push(next);
    }
    text
}

/// Bytes: their number and how well they compress are picked by `input`.
pub fn bytes(input: &mut Input<'_>) -> Vec<u8> {
    let size = input.pick(&SIZES);
    let salt = u32::from(input.byte());
    (0..size as u32)
        .map(|n| if salt < 64 { salt as u8 } else { (n.wrapping_mul(salt * 2_654_435) >> 13) as u8 })
        .collect()
}

const ALPHABET: [char; 7] = ['a', 'b', 'é', '€', '\u{10FFFF}', '\0', '𝄞'];
