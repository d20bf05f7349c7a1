//! permessage-deflate alone: any bytes inflate to what a reference makes of them, however they are split, within their
//! room and with bounded work; and what is compressed inflates to itself, with no look back beyond the agreed window.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ws_core::deflate::{Deflater, Flush, InflateStatus, Inflater, WindowBits};
use ws_fuzz::inflate::{self, Fault};
use ws_fuzz::{Input, Splits, sample};

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let settings = input.byte();
    let bits = WindowBits::new(8 + settings % 8).unwrap();
    let takeover = settings & 8 == 0;
    if settings & 16 == 0 {
        any_bytes(bits, takeover, input);
    } else {
        compressed(bits, takeover, input);
    }
});

/// Messages of any bytes.
fn any_bytes(bits: WindowBits, takeover: bool, mut input: Input<'_>) {
    let max = input.pick(&[usize::MAX, 1, 7, 100]);
    let splits = input.splits();
    let mut inflaters: [_; 3] = std::array::from_fn(|_| Inflater::new(bits, !takeover));
    let mut reference = inflate::Inflater::new(bits.get(), takeover);
    while !input.is_empty() {
        // Mostly one message; a length byte of 0 makes it all that is left.
        let n = usize::from(input.byte());
        let message = input.bytes(if n == 0 { usize::MAX } else { n });
        let expected = reference.message(message, true, LIMIT);
        let runs = [(Splits::whole(), usize::MAX), (splits.clone(), max), (Splits::bytewise(), usize::MAX)];
        for (inflater, (splits, max)) in inflaters.iter_mut().zip(runs) {
            let content = inflate(inflater, message, splits.clone(), max, LIMIT);
            match (&content, expected.fault) {
                (Ok(content), None) => assert!(*content == expected.content, "{splits:?}"),
                (Ok(content), Some(Fault::TooLong)) => assert_eq!(content.len(), LIMIT + 1),
                (Err(()), Some(Fault::Corrupt | Fault::CutOff)) => {}
                // Many final blocks and little content: their work is bounded.
                (Err(()), None) if expected.streams > 16 => {}
                _ => panic!("{content:?} instead of {:?}, {splits:?}", expected.fault),
            }
            if content.is_err() {
                assert!(
                    inflater.inflate(b"\x00", true, &mut Vec::new(), 1).is_err(),
                    "it recovers from a fault"
                );
            }
        }
        if expected.fault.is_some() || expected.streams > 16 {
            return;
        }
    }
}

/// What a message inflates to, up to one byte over the limit.
fn inflate(
    inflater: &mut Inflater,
    message: &[u8],
    splits: Splits,
    max: usize,
    limit: usize,
) -> Result<Vec<u8>, ()> {
    let mut content = Vec::new();
    let mut pieces = splits.cut(message);
    if pieces.is_empty() {
        pieces.push(&[]);
    }
    let (calls, mut asked) = (inflater.calls(), 0);
    for (n, piece) in pieces.iter().enumerate() {
        let last = n + 1 == pieces.len();
        let mut rest = *piece;
        loop {
            let room = max.min((limit - content.len()).saturating_add(1));
            let before = content.len();
            asked += 1;
            let inflated = inflater.inflate(rest, last, &mut content, room).map_err(|_| ())?;
            rest = &rest[inflated.consumed..];
            assert_eq!(content.len() - before, inflated.produced);
            assert!(inflated.produced <= room, "more than there is room for");
            assert!(
                content.capacity() <= content.len() + room.min(content.capacity()),
                "memory beyond the room"
            );
            match inflated.status {
                InflateStatus::Done => {
                    assert!(last && rest.is_empty());
                    let work = inflater.calls() - calls;
                    let bytes = (message.len() + content.len()) as u64;
                    assert!(work <= 8 + 3 * asked + 2 * bytes, "{work} calls for {bytes} bytes");
                    assert_eq!(
                        (inflater.consumed(), inflater.produced()),
                        (message.len() as u64, content.len() as u64)
                    );
                    return Ok(content);
                }
                InflateStatus::NeedInput => {
                    assert!(!last && rest.is_empty());
                    break;
                }
                InflateStatus::OutputFull if content.len() > limit => return Ok(content),
                InflateStatus::OutputFull => assert!(inflated.produced == room),
            }
        }
    }
    unreachable!("the last piece ends the message");
}

/// Messages that are compressed, then inflated.
fn compressed(bits: WindowBits, takeover: bool, mut input: Input<'_>) {
    let level = input.byte() % 11;
    let mut deflater = Deflater::new(bits, !takeover, level);
    let mut reference = inflate::Inflater::new(bits.get(), takeover);
    let mut inflater = Inflater::new(bits, !takeover);
    for _ in 0..MAX_MESSAGES {
        if input.is_empty() {
            return;
        }
        let control = input.byte();
        let mut message = Vec::new();
        let mut wire = Vec::new();
        if control & 1 == 0 {
            message = payload(control, &mut input);
            if !deflater.deflate_message(&message, &mut wire) {
                assert!(wire.is_empty());
                continue;
            }
            assert!(wire.len() < message.len(), "it has grown");
        } else {
            let flush = if control & 2 == 0 { Flush::None } else { Flush::Sync };
            for _ in 0..control >> 6 {
                let piece = payload(control, &mut input);
                message.extend_from_slice(&piece);
                deflater.deflate(&piece, flush, &mut wire).unwrap();
                let readable = reference.message(&wire, false, usize::MAX).content;
                assert!(message.starts_with(&readable) && (flush == Flush::None || readable == message));
            }
            let piece = payload(control, &mut input);
            message.extend_from_slice(&piece);
            deflater.deflate(&piece, Flush::Message, &mut wire).unwrap();
        }
        assert!(!deflater.in_message());
        let expected = reference.message(&wire, true, usize::MAX);
        assert!(expected.fault.is_none() && expected.content == message, "{:?}", expected.fault);
        assert!(expected.distance <= bits.bytes(), "it looks back by {} bytes", expected.distance);
        let content = inflate(&mut inflater, &wire, Splits::whole(), usize::MAX, usize::MAX - 1).unwrap();
        assert!(content == message);
    }
}

fn payload(control: u8, input: &mut Input<'_>) -> Vec<u8> {
    let mut payload = match control >> 2 & 3 {
        0 => sample::text(input).into_bytes(),
        1 => {
            let n = input.byte().into();
            input.bytes(n).to_vec()
        }
        _ => sample::bytes(input),
    };
    // The reference goes bit by bit: enough to leave the smaller windows behind, and little enough for speed.
    payload.truncate(MAX_PAYLOAD);
    payload
}

/// The largest content that is inflated here.
const LIMIT: usize = 1 << 14;
const MAX_MESSAGES: usize = 8;
const MAX_PAYLOAD: usize = 6000;
