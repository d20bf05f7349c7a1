//! What a peer can do wrong inside a compressed message, and what is unusual but right (RFC 7692 section 7.2).

use crate::data::{Rng, inflate, inflate_in_steps};
use crate::support::miri::few_or;
use flate2::{Compress, Compression, FlushCompress};
use ws_core::ProtocolError::InvalidDeflate;
use ws_core::deflate::{Deflater, Flush, InflateStatus, Inflater, WindowBits};

/// Payload of a message compressed by a plain zlib stream, which `dictionary` makes refer back to it.
fn deflated(dictionary: &[u8], data: &[u8], flush: FlushCompress) -> Vec<u8> {
    let mut codec = Compress::new(Compression::new(9), false);
    if !dictionary.is_empty() {
        codec.set_dictionary(dictionary).unwrap();
    }
    let mut out = Vec::with_capacity(data.len() + 1000);
    codec.compress_vec(data, &mut out, flush).unwrap();
    out
}

/// A message as a sender without final blocks makes it.
fn message(data: &[u8]) -> Vec<u8> {
    let mut payload = deflated(b"", data, FlushCompress::Sync);
    assert!(payload.ends_with(&[0, 0, 0xff, 0xff]));
    payload.truncate(payload.len() - 4);
    payload
}

fn takeover() -> Inflater {
    Inflater::new(WindowBits::MAX, false)
}

fn no_takeover() -> Inflater {
    Inflater::new(WindowBits::MAX, true)
}

#[test]
fn corrupt_data_fails_and_the_inflater_stays_failed() {
    for corrupt in [
        &[0x06_u8, 0x00][..],                  // block type 3
        &[0x00, 0x05, 0x00, 0xfb, 0xff],       // stored lengths that do not match
        &[0xff, 0xff, 0xff, 0xff],             // likewise type 3
        &[0x04, 0xff, 0xff, 0xff, 0xff, 0xff], // a code of code lengths that is over-subscribed
        &[0xfd, 0xff, 0xff, 0xff, 0xff, 0xff], // too many codes
    ] {
        for step in [1, usize::MAX] {
            let mut inflater = takeover();
            assert_eq!(
                inflate_in_steps(&mut inflater, corrupt, step, 100),
                Err(InvalidDeflate),
                "{corrupt:x?}"
            );
            assert_eq!(inflate(&mut inflater, &message(b"good")), Err(InvalidDeflate));
            assert_eq!(inflater.memory_usage(), 0);
        }
    }
}

#[test]
fn corruption_fails_at_once_and_not_at_the_end_of_the_message() {
    let mut output = Vec::new();
    assert_eq!(takeover().inflate(&[0x06], false, &mut output, 100), Err(InvalidDeflate));
}

#[test]
fn a_fault_is_found_with_the_byte_that_proves_it_whatever_comes_before_it_in_the_input() {
    let mut rng = Rng(51);
    let mut messages: Vec<_> = (0..few_or(5, 200)).map(|_| message(&rng.json(60))).collect();
    for payload in &mut messages {
        let at = rng.below(payload.len());
        payload[at] ^= 1 << rng.below(8);
    }
    // Six letters in a fixed block, then a distance that does not exist.
    messages.push(vec![0x4a, 0x4c, 0x4c, 0x4c, 0x4c, 0x4c, 0x04, 0x3e, 0x00]);
    let mut faults = 0;
    for payload in messages {
        let mut bytewise = takeover();
        let proof = (1..=payload.len()).find(|&end| {
            bytewise.inflate(&payload[end - 1..end], false, &mut Vec::new(), 1000) == Err(InvalidDeflate)
        });
        for end in 1..=payload.len() {
            let result = takeover().inflate(&payload[..end], false, &mut Vec::new(), 1000);
            let expected = proof.is_some_and(|at| at <= end);
            assert_eq!(result == Err(InvalidDeflate), expected, "{end} bytes of {payload:x?}");
        }
        faults += usize::from(proof.is_some());
    }
    assert!(faults > 0, "no message had a fault");
}

#[test]
fn a_distance_beyond_the_start_fails() {
    // A fixed block: one literal, then three bytes from a distance of two.
    let payload = [0x4a, 0x04, 0x23, 0x00];
    for mut inflater in [takeover(), no_takeover()] {
        assert_eq!(inflate(&mut inflater, &payload), Err(InvalidDeflate));
    }
}

#[test]
fn a_reference_to_the_last_message_fails_without_takeover() {
    let second = [0xf2, 0x00, 0x11, 0x00, 0x00];
    let first = message(b"Hello");
    let mut inflater = takeover();
    inflate(&mut inflater, &first).unwrap();
    assert_eq!(inflate(&mut inflater, &second).unwrap(), b"Hello");

    let mut inflater = no_takeover();
    inflate(&mut inflater, &first).unwrap();
    assert_eq!(inflate(&mut inflater, &second), Err(InvalidDeflate));
}

#[test]
fn a_reference_beyond_the_agreed_window_into_earlier_messages_fails() {
    for bits in crate::data::every_window() {
        let mut rng = Rng(21);
        let target = rng.bytes(100);
        for (between, ok) in [(bits.bytes() - 100, true), (bits.bytes() - 99, false)] {
            let mut filler = rng.bytes(between);
            let mut inflater = Inflater::new(bits, false);
            let mut first = target.clone();
            first.append(&mut filler);
            inflate(&mut inflater, &message(&first)).unwrap();
            let payload = far_reference(first.len(), 100);
            let result = inflate(&mut inflater, &payload);
            assert_eq!(result, if ok { Ok(target.clone()) } else { Err(InvalidDeflate) }, "{bits:?}");
        }
    }
}

/// A fixed block of one back-reference, written by hand.
fn far_reference(distance: usize, length: usize) -> Vec<u8> {
    assert!((99..115).contains(&length));
    let mut bits = Vec::new();
    let mut put = |value: usize, count: usize, high_first: bool| {
        for n in 0..count {
            bits.push(value >> (if high_first { count - 1 - n } else { n }) & 1);
        }
    };
    put(0b010, 3, false);
    // Length 99 to 114 is symbol 279 with four extra bits.
    put(279 - 256, 7, true);
    put(length - 99, 4, false);
    let (mut symbol, mut base, mut extra) = (0, 1, 0);
    while distance >= base + (1 << extra) {
        base += 1 << extra;
        symbol += 1;
        extra = if symbol < 4 { 0 } else { symbol / 2 - 1 };
    }
    put(symbol, 5, true);
    put(distance - base, extra, false);
    put(0, 7, true);
    put(0, 3, false);
    bits.chunks(8).map(|bits| bits.iter().rev().fold(0, |byte, bit| byte << 1 | *bit as u8)).collect()
}

#[test]
fn a_message_cut_off_anywhere_fails_at_its_end() {
    let mut rng = Rng(31);
    let samples = [
        message(&rng.json(few_or(300, 2000))),
        message(&rng.bytes(300)),
        message(b"Hello"),
        // Larger than a stored block.
        message(&rng.bytes(few_or(100, 70_000))),
    ];
    for payload in samples {
        let all = inflate(&mut takeover(), &payload).unwrap();
        for cut in (1..payload.len()).rev().step_by(1 + payload.len() / few_or(6, 2000)) {
            let mut inflater = takeover();
            match inflate(&mut inflater, &payload[..cut]) {
                Err(error) => assert_eq!(error, InvalidDeflate),
                // Between two blocks nothing is cut off: only there may it pass.
                Ok(part) => {
                    assert!(all.starts_with(&part) && part.len() % 16_383 == 0, "{cut} of {}", payload.len())
                }
            }
        }
    }
}

#[test]
fn a_message_cut_off_in_the_header_of_a_dynamic_block_fails() {
    // Its code lengths would swallow the appended bytes without a word.
    let payload = message(&Rng(4).json(5000));
    assert_eq!(payload[0] >> 1 & 3, 2, "not a dynamic block");
    for cut in (1..60).step_by(few_or(12, 1)) {
        assert_eq!(inflate(&mut takeover(), &payload[..cut]), Err(InvalidDeflate), "cut at {cut}");
    }
}

#[test]
fn an_empty_first_fragment_and_empty_fragments_between_are_nothing() {
    let payload = message(b"Hello");
    let (mut inflater, mut output) = (takeover(), Vec::new());
    for piece in [&payload[..0], &payload[..2], &[], &payload[2..], &[]] {
        let done = inflater.inflate(piece, false, &mut output, 100).unwrap();
        assert_eq!((done.consumed, done.status), (piece.len(), InflateStatus::NeedInput));
    }
    assert_eq!(inflater.inflate(&[], true, &mut output, 100).unwrap().status, InflateStatus::Done);
    assert_eq!(output, b"Hello");
}

#[test]
fn a_payload_of_no_bytes_is_the_empty_message() {
    for mut inflater in [takeover(), no_takeover()] {
        assert_eq!(inflate(&mut inflater, &[]).unwrap(), b"");
        assert_eq!(inflate(&mut inflater, &message(b"next")).unwrap(), b"next");
    }
}

#[test]
fn final_blocks_may_come_anywhere_in_a_message() {
    let mut rng = Rng(41);
    let (one, two, three) = (rng.json(few_or(300, 3000)), rng.echoes(few_or(500, 5000)), rng.json(300));
    let mut payload = deflated(b"", &one, FlushCompress::Finish);
    payload.extend(deflated(b"", &two, FlushCompress::Finish));
    payload.extend(message(&three));
    let mut whole = one;
    whole.extend(two);
    whole.extend(three);
    for step in [1, 3, 1000, usize::MAX] {
        for max in [1, 100, 1 << 20] {
            for mut inflater in [takeover(), no_takeover()] {
                for _ in 0..2 {
                    assert!(inflate_in_steps(&mut inflater, &payload, step, max).unwrap() == whole);
                }
            }
        }
    }
}

#[test]
fn a_message_may_end_with_a_final_block() {
    // §7.2.3.4 asks for an empty block after it; those who forget it have lost nothing.
    for tail in [&[][..], &[0x00]] {
        let mut payload = deflated(b"", b"final words", FlushCompress::Finish);
        payload.extend(tail);
        for mut inflater in [takeover(), no_takeover()] {
            for _ in 0..2 {
                assert_eq!(inflate(&mut inflater, &payload).unwrap(), b"final words");
            }
            assert_eq!(inflate(&mut inflater, &message(b"next")).unwrap(), b"next");
        }
    }
}

#[test]
fn what_follows_a_final_block_may_refer_back_across_it() {
    let mut rng = Rng(43);
    for len in [300, 5000, 32_000, 40_000].into_iter().take(few_or(2, 4)) {
        let one = rng.bytes(len);
        let window = &one[one.len().saturating_sub(32_000)..];
        let two = [&window[..200], b"and", &window[100..290]].concat();
        let rest = deflated(window, &two, FlushCompress::Sync);
        assert!(rest.len() < 100, "{} bytes: no reference", rest.len());
        let mut payload = deflated(b"", &one, FlushCompress::Finish);
        payload.extend(&rest[..rest.len() - 4]);
        for mut inflater in [takeover(), no_takeover()] {
            for step in [7, usize::MAX] {
                let whole = [&one[..], &two].concat();
                assert!(
                    inflate_in_steps(&mut inflater, &payload, step, 1 << 20).unwrap() == whole,
                    "{len}, {step}"
                );
            }
        }
        // The same in the next message.
        let mut inflater = takeover();
        inflate(&mut inflater, &deflated(b"", &one, FlushCompress::Finish)).unwrap();
        assert!(inflate(&mut inflater, &rest[..rest.len() - 4]).unwrap() == two);
        let mut inflater = no_takeover();
        inflate(&mut inflater, &deflated(b"", &one, FlushCompress::Finish)).unwrap();
        assert_eq!(inflate(&mut inflater, &rest[..rest.len() - 4]), Err(InvalidDeflate));
    }
}

#[test]
fn without_takeover_a_reference_across_final_blocks_does_not_reach_what_was_there_before_the_message() {
    let mut rng = Rng(44);
    let one = rng.bytes(500);
    let rest = deflated(&one, &one[..200], FlushCompress::Sync);
    let mut payload = deflated(b"", b"x", FlushCompress::Finish);
    payload.extend(&rest[..rest.len() - 4]);
    // The output already ends with the very bytes that are asked for.
    let mut output = one.clone();
    assert_eq!(no_takeover().inflate(&payload, true, &mut output, 1 << 20), Err(InvalidDeflate));
}

#[test]
fn output_is_appended_and_its_capacity_bounded() {
    let payload = message(&vec![b'z'; few_or(2000, 100_000)]);
    for before in [0, 10, 5000] {
        let mut output = vec![b'#'; before];
        output.shrink_to_fit();
        let done = takeover().inflate(&payload, true, &mut output, 777).unwrap();
        assert_eq!((done.produced, done.status), (777, InflateStatus::OutputFull));
        assert_eq!(output.len(), before + 777);
        assert!(output.capacity() <= before + 777, "{} bytes", output.capacity());
        assert!(
            output[..before].iter().all(|byte| *byte == b'#')
                && output[before..].iter().all(|byte| *byte == b'z')
        );
    }
    // A roomy vector is no licence to produce more.
    let mut output = Vec::with_capacity(1 << 20);
    assert_eq!(takeover().inflate(&payload, true, &mut output, 777).unwrap().produced, 777);
    assert_eq!(output.len(), 777);
}

#[test]
fn a_message_of_exactly_the_room_is_distinguished_from_one_byte_more() {
    for len in [1, 511, 512, 513, 4096, 65_536, 65_537].into_iter().take(few_or(4, 7)) {
        let payload = message(&vec![b'q'; len]);
        let mut output = Vec::new();
        let done = takeover().inflate(&payload, true, &mut output, len + 1).unwrap();
        assert_eq!((done.status, done.produced), (InflateStatus::Done, len));
        output.clear();
        let done = takeover().inflate(&payload, true, &mut output, len).unwrap();
        assert_eq!((done.status, done.produced), (InflateStatus::OutputFull, len));
    }
}

#[test]
fn an_uncompressed_message_between_two_compressed_ones_is_in_no_window() {
    let mut deflater = Deflater::new(WindowBits::MAX, false, 6);
    let mut inflater = takeover();
    for text in [&b"Hello there"[..], b"Hello there again"] {
        let mut payload = Vec::new();
        deflater.deflate(text, Flush::Message, &mut payload).unwrap();
        assert_eq!(inflate(&mut inflater, &payload).unwrap(), text);
        let mut nothing = Vec::new();
        assert!(!deflater.deflate_message(&Rng(1).bytes(500), &mut nothing));
    }
}

#[test]
fn a_message_may_end_with_an_empty_block_that_is_final() {
    // Section 7.2.1 asks for an empty block at the end, not for one without BFINAL: what is left of 01 00 00 FF FF.
    let stored = [0x00, 1, 0, 0xFE, 0xFF, b'a', 0x01];
    for mut inflater in [takeover(), no_takeover()] {
        for step in [1, usize::MAX] {
            for (payload, content) in [(&stored[..], &b"a"[..]), (&[0x01], b"")] {
                assert_eq!(
                    inflate_in_steps(&mut inflater, payload, step, 100).as_deref(),
                    Ok(content),
                    "in steps of {step}"
                );
            }
        }
        // A block with Huffman codes is not at its end where the bytes that were removed would end it.
        assert_eq!(inflate(&mut inflater, &[0x03]), Err(InvalidDeflate));
    }
}
