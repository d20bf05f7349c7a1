//! Field blocks of HTTP/2 (RFC 7541): any are written as literals, and those of the peer are decoded.

mod tables;

use std::{collections::VecDeque, sync::LazyLock};

use tables::{LENGTHS, STATIC};

/// Encodes fields as literals without indexing and without Huffman's code (RFC 7541 section 6.2.2).
pub(crate) fn literals<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            integer(&mut block, text.len(), 7);
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// Encodes a number with a prefix of `bits` bits (RFC 7541 section 5.1).
fn integer(block: &mut Vec<u8>, number: usize, bits: u32) {
    let most = (1usize << bits) - 1;
    let Some(mut rest) = number.checked_sub(most) else {
        return block.push(u8::try_from(number).unwrap_or(u8::MAX));
    };
    block.push(u8::try_from(most).unwrap_or(u8::MAX));
    while rest >= 128 {
        block.push(0x80 | u8::try_from(rest % 128).unwrap_or_default());
        rest /= 128;
    }
    block.push(u8::try_from(rest).unwrap_or_default());
}

/// Decodes the field blocks of one peer, which share a table.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// The dynamic table, the newest first (RFC 7541 section 2.3.2).
    table: VecDeque<(String, String)>,
    size: usize,
    most: usize,
}

/// The size of the table before any SETTINGS (RFC 9113 section 6.5.2); the suite does not change it.
const TABLE_SIZE: usize = 4096;

impl Decoder {
    /// Creates a decoder with an empty table.
    pub(crate) fn new() -> Self {
        Self { table: VecDeque::new(), size: 0, most: TABLE_SIZE }
    }

    /// Decodes a field block.
    ///
    /// # Errors
    /// The block is invalid.
    pub(crate) fn decode(&mut self, block: &[u8]) -> Result<Vec<(String, String)>, String> {
        let mut fields = Vec::new();
        let mut input = Input(block);
        while let Some(&first) = input.0.first() {
            match first {
                // RFC 7541 section 6.1: indexed.
                0x80.. => {
                    let index = input.integer(7)?;
                    fields.push(self.at(index)?);
                }
                // Section 6.2.1: literal, to be added to the table.
                0x40.. => {
                    let field = self.literal(&mut input, 6)?;
                    self.insert(field.clone());
                    fields.push(field);
                }
                // Section 6.3: the size of the table.
                0x20.. => {
                    let most = input.integer(5)?;
                    if most > TABLE_SIZE {
                        return Err(format!("HPACK: a table of {most} bytes, more than {TABLE_SIZE}"));
                    }
                    self.most = most;
                    self.shrink();
                }
                // Sections 6.2.2 and 6.2.3: literal, not to be added.
                _ => fields.push(self.literal(&mut input, 4)?),
            }
        }
        Ok(fields)
    }

    fn literal(&self, input: &mut Input<'_>, bits: u32) -> Result<(String, String), String> {
        let name = match input.integer(bits)? {
            0 => input.string()?,
            index => self.at(index)?.0,
        };
        Ok((name, input.string()?))
    }

    /// Returns the entry of the static or dynamic table (RFC 7541 section 2.3.3).
    fn at(&self, index: usize) -> Result<(String, String), String> {
        let none = || format!("HPACK: no entry {index} in the tables");
        let index = index.checked_sub(1).ok_or_else(none)?;
        match (STATIC.get(index), index.checked_sub(STATIC.len())) {
            (Some((name, value)), _) => Ok(((*name).to_owned(), (*value).to_owned())),
            (None, later) => later.and_then(|n| self.table.get(n)).cloned().ok_or_else(none),
        }
    }

    fn insert(&mut self, field: (String, String)) {
        self.size = self.size.saturating_add(cost(&field));
        self.table.push_front(field);
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.size > self.most
            && let Some(field) = self.table.pop_back()
        {
            self.size = self.size.saturating_sub(cost(&field));
        }
    }
}

/// RFC 7541 section 4.1.
fn cost((name, value): &(String, String)) -> usize {
    name.len().saturating_add(value.len()).saturating_add(32)
}

/// The rest of a field block.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Result<u8, String> {
        let (first, rest) = self.0.split_first().ok_or("HPACK: the block is cut off")?;
        self.0 = rest;
        Ok(*first)
    }

    /// RFC 7541 section 5.1.
    fn integer(&mut self, bits: u32) -> Result<usize, String> {
        let most = (1usize << bits) - 1;
        let mut number = usize::from(self.byte()?) & most;
        if number < most {
            return Ok(number);
        }
        for shift in (0..28).step_by(7) {
            let byte = self.byte()?;
            number = number.saturating_add(usize::from(byte & 127) << shift);
            if byte & 128 == 0 {
                return Ok(number);
            }
        }
        Err("HPACK: a number that is too large".to_owned())
    }

    /// RFC 7541 section 5.2.
    fn string(&mut self) -> Result<String, String> {
        let is_coded = self.0.first().is_some_and(|first| first & 128 != 0);
        let length = self.integer(7)?;
        let (text, rest) = self.0.split_at_checked(length).ok_or("HPACK: a string is cut off")?;
        self.0 = rest;
        let bytes = if is_coded { huffman(text)? } else { text.to_vec() };
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Decodes Huffman's code (RFC 7541 section 5.2).
fn huffman(coded: &[u8]) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let (mut code, mut length) = (0u32, 0u8);
    for bit in coded.iter().flat_map(|byte| (0..8).rev().map(move |n| byte >> n & 1)) {
        code = code << 1 | u32::from(bit);
        length = length.saturating_add(1);
        if let Some(symbol) = symbol(code, length) {
            text.push(u8::try_from(symbol).map_err(|_| "HPACK: EOS inside a string")?);
            (code, length) = (0, 0);
        } else if length >= 30 {
            return Err("HPACK: no such Huffman code".to_owned());
        }
    }
    // The padding is at most seven bits of EOS, which are ones.
    match length < 8 && code == (1u32 << length) - 1 {
        true => Ok(text),
        false => Err("HPACK: invalid padding after a Huffman code".to_owned()),
    }
}

/// Returns the byte, or 256 for EOS, that has this code of this length.
fn symbol(code: u32, length: u8) -> Option<usize> {
    let (first, symbols) = CODES.get(usize::from(length))?;
    let n = usize::try_from(code.checked_sub(*first)?).ok()?;
    symbols.get(n).copied()
}

/// For each length in bits the first code and the symbols.
static CODES: LazyLock<Vec<(u32, Vec<usize>)>> = LazyLock::new(|| {
    let mut codes: Vec<(u32, Vec<usize>)> = Vec::new();
    let mut next = 0u32;
    for length in 0..=30u8 {
        next <<= 1;
        let of_length = |(symbol, l): (usize, &u8)| (*l == length).then_some(symbol);
        let symbols: Vec<usize> = LENGTHS.iter().enumerate().filter_map(of_length).collect();
        let count = u32::try_from(symbols.len()).unwrap_or_default();
        codes.push((next, symbols));
        next = next.saturating_add(count);
    }
    codes
});

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    fn text(fields: Vec<(String, String)>) -> String {
        fields.into_iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
    }

    #[test]
    fn the_requests_of_rfc_7541_appendix_c_4_are_decoded_with_their_table() {
        let mut decoder = Decoder::new();
        let first = decoder.decode(&hex("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff")).unwrap();
        assert_eq!(text(first), ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n");
        let second = decoder.decode(&hex("8286 84be 5886 a8eb 1064 9cbf")).unwrap();
        assert!(text(second).ends_with(":authority: www.example.com\ncache-control: no-cache\n"));
        let third =
            decoder.decode(&hex("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf")).unwrap();
        let words = ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\ncustom-key: custom-value\n";
        assert_eq!(text(third), words);
        assert_eq!(decoder.size, 164);
    }

    #[test]
    fn the_answers_of_rfc_7541_appendix_c_6_evict_entries() {
        let mut decoder = Decoder { most: 256, ..Decoder::new() };
        let first = "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3";
        decoder.decode(&hex(first)).unwrap();
        assert_eq!(decoder.size, 222);
        let second = text(decoder.decode(&hex("4883 640e ffc1 c0bf")).unwrap());
        assert!(
            second.starts_with(":status: 307\n") && second.ends_with("location: https://www.example.com\n")
        );
        assert_eq!(decoder.size, 222);
    }

    #[test]
    fn literals_are_decoded_to_the_same_fields() {
        let long = "v".repeat(5000);
        let fields = [("a", ""), (":path", "/x"), ("long", &long[..])];
        let decoded = Decoder::new().decode(&literals(fields)).unwrap();
        assert!(decoded.iter().map(|(n, v)| (&n[..], &v[..])).eq(fields));
    }

    #[test]
    fn invalid_field_blocks_are_errors() {
        for wrong in ["80", "ff", "c6", "3fe2 7f", "00", "0003 61", "0081 00", "ffff ffff ffff ff"] {
            assert!(Decoder::new().decode(&hex(wrong)).is_err(), "{wrong}");
        }
    }
}
