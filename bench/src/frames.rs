//! The messages of the load, as the bytes of masked frames.

use std::io::Write;

use flate2::{Compression, FlushCompress};

/// RSV1: the message is compressed.
pub const RSV1: u8 = 0x40;
pub const TEXT: u8 = 0x81;
pub const BINARY: u8 = 0x82;

/// One whole masked frame.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    ws_wire::frame(first, payload, Some([0x37, 0xFA, 0x21, 0x3D]))
}

/// Readable text of exactly `length` bytes.
pub fn text(length: usize) -> Vec<u8> {
    b"The quick brown fox jumps over the lazy dog. ".iter().copied().cycle().take(length).collect()
}

/// JSON of about `length` bytes, a list of records as an API would send; another one for each `seed`.
pub fn json(length: usize, seed: u64) -> Vec<u8> {
    let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    const NAMES: [&str; 8] = ["Ada", "Barbara", "Edsger", "Grace", "John", "Katherine", "Radia", "Tim"];
    const STATES: [&str; 4] = ["active", "suspended", "invited", "closed"];
    let mut json = b"[".to_vec();
    while json.len() < length {
        let (a, b, c) = (next(), next(), next());
        let _ = write!(
            json,
            r#"{{"id":{},"name":"{} {}","state":"{}","balance":{}.{:02},"token":"{:08x}","tags":["t{}","t{}"],"updated":"2026-{:02}-{:02}T{:02}:{:02}:00Z"}},"#,
            a % 1_000_000,
            NAMES[(b % 8) as usize],
            NAMES[(b / 8 % 8) as usize],
            STATES[(b / 64 % 4) as usize],
            c % 10_000,
            c / 10_000 % 100,
            (a >> 32) as u32,
            b / 256 % 20,
            c / 1_000_000 % 20,
            a % 12 + 1,
            b % 28 + 1,
            c % 24,
            a / 12 % 60,
        );
    }
    json.truncate(length);
    json
}

/// A message as permessage-deflate sends it without reference to earlier ones (RFC 7692 section 7.2.1).
pub fn deflated(message: &[u8]) -> Vec<u8> {
    deflated_together(&[message]).concat()
}

/// Messages as permessage-deflate sends them with takeover, the first without reference to earlier ones.
pub fn deflated_together(messages: &[impl AsRef<[u8]>]) -> Vec<Vec<u8>> {
    let mut codec = flate2::Compress::new(Compression::new(6), false);
    let mut deflate = |message: &[u8]| {
        let mut output = Vec::with_capacity(message.len() + 64);
        codec.compress_vec(message, &mut output, FlushCompress::Sync).expect("memory is the only limit");
        output.truncate(output.len() - 4);
        output
    };
    messages.iter().map(|message| deflate(message.as_ref())).collect()
}
