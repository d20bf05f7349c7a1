//! The notation of the handshake tables: raw text with short names for common lines, and a mark.

use crate::support::miri;

/// Makes the bytes of a row, and where in them the outcome is known.
///
/// `lines` are the short names; `~` stands for the byte 0xE9, which no string can hold; `¶` stands behind the byte that
/// decides the row (at the end if it is left out).
pub(crate) fn expand(text: &str, lines: &[(&str, &str)]) -> (Vec<u8>, usize) {
    let text = lines.iter().fold(text.to_string(), |text, (name, line)| text.replace(name, line));
    let (before, after) = text.split_once('¶').unwrap_or((&text, ""));
    let bytes =
        |text: &str| text.bytes().map(|byte| if byte == b'~' { 0xe9 } else { byte }).collect::<Vec<u8>>();
    let decided_at = before.len();
    ([bytes(before), bytes(after)].concat(), decided_at)
}

/// The places at which a row is split: all of them, or a sample if it is long.
pub(crate) fn places(length: usize) -> impl Iterator<Item = usize> {
    (0..=length).step_by(if length > 2000 { 1009 } else { miri::few_or(67, 1) })
}
