//! The content of the messages of the echo cases. The data for compression is generated from a fixed seed, so that
//! every run sends the same; each kind compresses about as well as the file of Autobahn that it stands for.

use std::sync::OnceLock;

/// The content of messages.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content {
    /// A repeated unit.
    Repeated(&'static [u8]),
    /// Consecutive pieces of this data.
    Pieces(Data),
}

/// Data as it is sent in practice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    /// A large document of JSON: ASCII, compresses to a tenth.
    Json,
    /// An uncompressed picture, whose neighbouring pixels are similar.
    Bitmap,
    /// Prose in German, in UTF-8.
    Prose,
    /// A page of HTML with a large table.
    Html,
    /// A document most of which is already compressed.
    Document,
}

impl Data {
    /// Returns its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Bitmap => "a bitmap",
            Self::Prose => "prose",
            Self::Html => "HTML",
            Self::Document => "a document with compressed parts",
        }
    }

    /// Returns all of the data, which is generated on first use.
    pub(crate) fn bytes(self) -> &'static [u8] {
        static MADE: [OnceLock<Vec<u8>>; 5] = [const { OnceLock::new() }; 5];
        let (n, make): (usize, fn() -> Vec<u8>) = match self {
            Self::Json => (0, json),
            Self::Bitmap => (1, bitmap),
            Self::Prose => (2, prose),
            Self::Html => (3, html),
            Self::Document => (4, document),
        };
        MADE.get(n).map_or(&[], |made| made.get_or_init(make))
    }

    /// Returns the `len` bytes from `from`, and the offset of the next ones; the end is followed by the beginning.
    pub(crate) fn piece(self, from: usize, len: usize) -> (Vec<u8>, usize) {
        let data = self.bytes();
        let mut piece = Vec::with_capacity(len);
        let mut at = from;
        while piece.len() < len && !data.is_empty() {
            let rest = data.get(at..).unwrap_or_default();
            let taken = rest.len().min(len.saturating_sub(piece.len()));
            piece.extend_from_slice(rest.get(..taken).unwrap_or_default());
            at = if taken == rest.len() { 0 } else { at.saturating_add(taken) };
        }
        (piece, at)
    }
}

/// A generator of pseudo-random numbers: xorshift64*.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Returns a number below `end`.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap_or(0) % end.max(1)
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        // Small indices are more frequent, like the words of a language.
        let n = self.below(words.len()).min(self.below(words.len()));
        words.get(n).copied().unwrap_or_default()
    }
}

const WORDS: &[&str] = &[
    "und",
    "die",
    "der",
    "ein",
    "nicht",
    "ist",
    "das",
    "mit",
    "auf",
    "über",
    "wenn",
    "Nachricht",
    "Verbindung",
    "schließt",
    "sendet",
    "Größe",
    "Fragment",
    "Rahmen",
    "Schlüssel",
    "höchstens",
    "Antwort",
    "Server",
    "Zeichen",
    "Folge",
    "Länge",
    "zurück",
    "jede",
    "ohne",
    "immer",
    "Anfang",
    "Ende",
    "wieder",
    "dürfen",
    "müssen",
    "können",
    "Maske",
    "prüft",
    "lange",
    "wartet",
    "Kanal",
    "öffnet",
    "während",
    "Fenster",
    "außerdem",
    "plötzlich",
];

fn json() -> Vec<u8> {
    let mut numbers = Numbers(1);
    let mut text = String::from("{\n");
    let verdicts = ["OK", "OK", "OK", "NON-STRICT", "FAILED", "UNIMPLEMENTED"];
    while text.len() < 190_000 {
        let (a, b) = (numbers.below(13), numbers.below(40));
        text.push_str(&format!(
            "   \"{a}.{b}.{}\": {{\n      \"behavior\": \"{}\",\n      \"duration\": {},\n      \"code\": {},\n      \
             \"file\": \"agent_{:08x}_case_{a}_{b}.json\"\n   }},\n",
            numbers.below(20),
            numbers.pick(&verdicts),
            numbers.below(5000),
            1000 + numbers.below(12),
            numbers.next() >> 32,
        ));
    }
    text.push_str("   \"end\": null\n}\n");
    text.into_bytes()
}

fn bitmap() -> Vec<u8> {
    let mut numbers = Numbers(2);
    let mut bytes = b"BM raw grey 512 512\n".to_vec();
    for y in 0..512usize {
        for x in 0..512usize {
            let slope = (x.wrapping_mul(3) + y.wrapping_mul(2)) / 8 + (x * y) / 4096;
            let noise = numbers.below(4);
            bytes.push(u8::try_from((slope + noise) % 256).unwrap_or(0));
        }
    }
    bytes
}

fn prose() -> Vec<u8> {
    let mut numbers = Numbers(3);
    let mut text = String::new();
    while text.len() < 220_000 {
        let words = 4 + numbers.below(14);
        for n in 0..words {
            text.push_str(if n == 0 { "" } else { " " });
            text.push_str(numbers.pick(WORDS));
        }
        text.push_str(numbers.pick(&[". ", ".\n", ", ", "; ", "!\n\n"]));
    }
    text.into_bytes()
}

fn html() -> Vec<u8> {
    let mut numbers = Numbers(4);
    let mut text = String::from(
        "<!DOCTYPE html>\n<html lang=\"de\"><head><meta charset=\"utf-8\"></head><body><table>\n",
    );
    while text.len() < 260_000 {
        text.push_str(&format!(
            "<tr class=\"row{}\"><td><a href=\"#{:06x}\">{} {}</a></td><td class=\"ok\">{} ms</td></tr>\n",
            numbers.below(2),
            numbers.next() >> 40,
            numbers.pick(WORDS),
            numbers.pick(WORDS),
            numbers.below(900),
        ));
    }
    text.push_str("</table></body></html>\n");
    text.into_bytes()
}

fn document() -> Vec<u8> {
    let mut numbers = Numbers(5);
    let mut bytes = b"%DOC-1.0\n".to_vec();
    while bytes.len() < 1_040_000 {
        bytes.extend(format!("{} 0 obj << /Length 8192 /Filter >> stream\n", numbers.below(999)).bytes());
        (0..1024).for_each(|_| bytes.extend(numbers.next().to_le_bytes()));
        bytes.extend(b"\nendstream endobj\n");
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::deflate::{Deflater, Direction};

    #[test]
    fn pieces_of_generated_content_continue_each_other_and_wrap_around() {
        let size = Data::Json.bytes().len();
        let (first, next) = Data::Json.piece(0, 100);
        let (second, _) = Data::Json.piece(next, 100);
        assert_eq!([first, second].concat(), Data::Json.bytes()[..200]);
        let (round, next) = Data::Json.piece(size - 10, 30);
        assert_eq!(next, 20);
        assert_eq!(round[10..], Data::Json.bytes()[..20]);
    }

    #[test]
    fn each_kind_of_content_compresses_like_the_file_of_autobahn() {
        let share = |data: Data| {
            let mut deflater = Deflater::new(Direction { no_takeover: false, bits: 15 });
            100 * deflater.message(data.bytes()).unwrap().len() / data.bytes().len()
        };
        let kinds = [Data::Json, Data::Bitmap, Data::Prose, Data::Html, Data::Document];
        let shares = kinds.map(share);
        for (share, range) in shares.iter().zip([5..20, 15..70, 15..45, 5..25, 90..101]) {
            assert!(range.contains(share), "{shares:?}");
        }
        assert!(Data::Json.bytes().is_ascii(), "pieces of text must not end inside a character");
    }
}
