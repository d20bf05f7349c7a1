//! The examples of RFC 7692 section 7.2.3, byte for byte.

use ws_core::ProtocolError;
use ws_core::deflate::{Deflater, Flush, InflateStatus, Inflater, WindowBits};

/// Inflates one message whose payload comes in `pieces`.
fn inflate(inflater: &mut Inflater, pieces: &[&[u8]]) -> Result<Vec<u8>, ProtocolError> {
    let mut output = Vec::new();
    for (n, piece) in pieces.iter().enumerate() {
        let last = n + 1 == pieces.len();
        let done = inflater.inflate(piece, last, &mut output, 1 << 20)?;
        assert_eq!(done.consumed, piece.len());
        assert_eq!(done.status, if last { InflateStatus::Done } else { InflateStatus::NeedInput });
    }
    Ok(output)
}

fn fresh() -> Inflater {
    Inflater::new(WindowBits::MAX, false)
}

/// The message "Hello" of section 7.2.3.1.
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

#[test]
fn a_message_of_one_compressed_block_inflates() {
    assert_eq!(inflate(&mut fresh(), &[&HELLO]).unwrap(), b"Hello");
}

#[test]
fn a_compressed_message_is_the_example_of_the_rfc() {
    let mut output = Vec::new();
    let mut deflater = Deflater::new(WindowBits::MAX, false, 6);
    deflater.deflate(b"Hello", Flush::Message, &mut output).unwrap();
    assert_eq!(output, HELLO);
}

#[test]
fn a_fragmented_message_inflates() {
    assert_eq!(inflate(&mut fresh(), &[&HELLO[..3], &HELLO[3..]]).unwrap(), b"Hello");
}

#[test]
fn the_window_is_shared_by_successive_messages() {
    // §7.2.3.2: the second message refers back to the first.
    let mut inflater = fresh();
    assert_eq!(inflate(&mut inflater, &[&HELLO]).unwrap(), b"Hello");
    assert_eq!(inflate(&mut inflater, &[&[0xf2, 0x00, 0x11, 0x00, 0x00]]).unwrap(), b"Hello");
    // ... and without takeover the same message as the first is sent again.
    assert_eq!(inflate(&mut inflater, &[&HELLO]).unwrap(), b"Hello");
}

#[test]
fn a_shared_window_gives_the_bytes_of_the_rfc() {
    let mut deflater = Deflater::new(WindowBits::MAX, false, 6);
    let mut output = Vec::new();
    deflater.deflate(b"Hello", Flush::Message, &mut output).unwrap();
    output.clear();
    deflater.deflate(b"Hello", Flush::Message, &mut output).unwrap();
    assert_eq!(output, [0xf2, 0x00, 0x11, 0x00, 0x00]);
}

#[test]
fn a_stored_block_inflates() {
    // §7.2.3.3
    let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
    assert_eq!(inflate(&mut fresh(), &[&stored]).unwrap(), b"Hello");
}

#[test]
fn a_final_block_ends_the_stream_and_not_the_message() {
    // §7.2.3.4, and the next message is right.
    let mut inflater = fresh();
    let payload = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    assert_eq!(inflate(&mut inflater, &[&payload]).unwrap(), b"Hello");
    assert_eq!(inflate(&mut inflater, &[&[0xf2, 0x00, 0x11, 0x00, 0x00]]).unwrap(), b"Hello");
}

#[test]
fn two_blocks_in_one_message_inflate() {
    // §7.2.3.5
    let payload = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
    assert_eq!(inflate(&mut fresh(), &[&payload]).unwrap(), b"Hello");
}

#[test]
fn an_empty_message_is_one_zero_byte() {
    // §7.2.3.6
    assert_eq!(inflate(&mut fresh(), &[&[0x00]]).unwrap(), b"");
    let mut output = Vec::new();
    Deflater::new(WindowBits::MAX, false, 6).deflate(b"", Flush::Message, &mut output).unwrap();
    assert_eq!(output, [0x00]);
}
