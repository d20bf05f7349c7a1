//! Frame headers: a reference agrees at every prefix, and encoding gives the bytes back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ws_core::decode::{FrameDecoder, FrameItem};
use ws_core::mask::MaskKey;
use ws_core::{FrameHeader, OpCode, Role};
use ws_fuzz::reference::{self, Header};
use ws_fuzz::{Input, Splits};

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let receiver = input.pick(&[Role::Server, Role::Client]);
    let splits = input.splits();
    let bytes = input.rest();
    for end in 0..=bytes.len().min(FrameHeader::MAX_LEN + 1) {
        check_prefix(&bytes[..end], receiver);
    }
    check_decoder(bytes, receiver, splits);
});

fn check_prefix(bytes: &[u8], receiver: Role) {
    let expected = reference::header(bytes, receiver);
    let parsed = FrameHeader::parse(bytes, receiver);
    let prefix = FrameHeader::parse_prefix(bytes, receiver);
    let Ok(expected) = expected else {
        assert_eq!(parsed.unwrap_err().close_code().0, 1002);
        assert_eq!(prefix.unwrap_err().close_code().0, 1002);
        return;
    };
    let prefix = prefix.unwrap();
    assert_eq!(
        prefix.map(|prefix| (prefix.fin, prefix.rsv1, nibble(prefix.opcode), prefix.payload_len)),
        expected.map(|header| (header.fin, header.rsv1, header.opcode, header.len)),
    );
    let Some((key, len)) = expected.and_then(|header| header.whole) else {
        assert_eq!(parsed, Ok(None));
        return;
    };
    let (header, used) = parsed.unwrap().unwrap();
    let Header { fin, rsv1, opcode, len: payload_len, .. } = expected.unwrap();
    assert_eq!((header.fin, header.rsv1, nibble(header.opcode)), (fin, rsv1, opcode));
    assert_eq!((Some(header.payload_len), used), (payload_len, len));
    assert_eq!(header.mask, (receiver == Role::Server).then_some(MaskKey(key)));
    assert_eq!(*header.encode(), bytes[..used], "encoding does not give the bytes back");
}

/// The decoder finds the same headers, and the payload unmasked byte by byte, however the bytes are split.
fn check_decoder(bytes: &[u8], receiver: Role, splits: Splits) {
    let mut decoder = FrameDecoder::new(receiver);
    let mut at = 0;
    let mut frame: Option<([u8; 4], u64, u64)> = None;
    for piece in splits.cut(bytes) {
        let mut piece = piece.to_vec();
        let mut input = &mut piece[..];
        loop {
            match decoder.decode(&mut input) {
                Ok(None) => break,
                Err(_) => {
                    assert!(frame.is_none(), "a fault inside a payload");
                    assert!(reference::header(&bytes[at..], receiver).is_err(), "a legal header is refused");
                    return;
                }
                Ok(Some(FrameItem::Header(header))) => {
                    assert!(frame.is_none(), "a header inside a payload");
                    let expected = reference::header(&bytes[at..], receiver).unwrap().unwrap();
                    let (key, len) = expected.whole.unwrap();
                    assert_eq!(Some(header.payload_len), expected.len);
                    assert_eq!(decoder.remaining(), header.payload_len);
                    at += len;
                    frame = Some((key, 0, header.payload_len));
                }
                Ok(Some(FrameItem::Payload { bytes: payload, last })) => {
                    let (key, done, len) = frame.take().expect("a payload without a header");
                    for (n, &byte) in payload.iter().enumerate() {
                        assert_eq!(byte, bytes[at + n] ^ key[(done as usize + n) % 4], "unmasked wrongly");
                    }
                    at += payload.len();
                    let done = done + payload.len() as u64;
                    assert_eq!(last, done == len);
                    assert_eq!(decoder.remaining(), len - done);
                    frame = (!last).then_some((key, done, len));
                }
            }
        }
        assert!(input.is_empty(), "input is left although more is wanted");
    }
    // Nothing that is there has been withheld.
    if frame.is_none() && at < bytes.len() {
        assert_eq!(reference::header(&bytes[at..], receiver).unwrap().unwrap().whole, None);
        assert!(!decoder.at_frame_border());
    } else {
        assert_eq!(at, bytes.len());
    }
}

fn nibble(opcode: OpCode) -> u8 {
    match opcode {
        OpCode::Continuation => 0,
        OpCode::Text => 1,
        OpCode::Binary => 2,
        OpCode::Close => 8,
        OpCode::Ping => 9,
        OpCode::Pong => 10,
    }
}
