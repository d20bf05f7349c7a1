//! Frame headers: RFC 6455 section 5.2, and what sections 5.1 and 5.5 add to it.

use crate::support::miri::few_or;
use crate::support::{KEY, ROLES, XorShift, header};
use ws_core::mask::MaskKey;
use ws_core::{FrameHeader, OpCode, ProtocolError, Role};

/// What the first two bytes of a frame prove, written down from the RFC's diagram alone.
fn expected(first: u8, second: u8, receiver: Role) -> Result<(), ProtocolError> {
    let (rsv1, rsv23, opcode) = (first & 0b0100_0000, first & 0b0011_0000, first & 0b1111);
    let (fin, control, len) = (first >= 0x80, opcode >= 8, second % 128);
    if rsv23 > 0 {
        return Err(ProtocolError::ReservedBits);
    }
    if [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].contains(&opcode) {
        return Err(ProtocolError::ReservedOpCode(opcode));
    }
    if control && !fin {
        return Err(ProtocolError::FragmentedControl);
    }
    if rsv1 > 0 && (control || opcode == 0) {
        return Err(ProtocolError::ReservedBits);
    }
    if second < 128 && receiver == Role::Server {
        return Err(ProtocolError::UnmaskedFrame);
    }
    if second >= 128 && receiver == Role::Client {
        return Err(ProtocolError::MaskedFrame);
    }
    if control && len >= 126 {
        return Err(ProtocolError::ControlTooLong);
    }
    if opcode == 8 && len == 1 {
        return Err(ProtocolError::InvalidCloseLength);
    }
    Ok(())
}

#[test]
fn every_pair_of_first_bytes_is_judged_as_the_rfc_says_in_both_roles() {
    for (receiver, first, second) in ROLES
        .into_iter()
        .flat_map(|role| (0..=u16::MAX).map(move |pair| (role, pair.to_be_bytes()[0], pair.to_be_bytes()[1])))
        .step_by(few_or(101, 1))
    {
        let found = FrameHeader::parse_prefix(&[first, second], receiver);
        match expected(first, second, receiver) {
            Err(error) => {
                assert_eq!(found, Err(error), "{first:#x} {second:#x} {receiver:?}");
                assert_eq!(FrameHeader::parse(&[first, second], receiver), Err(error));
                // Bytes that follow do not change which fault is found.
                assert_eq!(FrameHeader::parse(&[first, second, 9, 9, 9, 9, 9, 9], receiver), Err(error));
            }
            Ok(()) => {
                let prefix = found.unwrap().unwrap();
                assert_eq!(prefix.fin, first >= 0x80);
                assert_eq!(prefix.rsv1, first & 0x40 != 0);
                assert_eq!(nibble(prefix.opcode), first & 0xF);
                let len = second % 128;
                assert_eq!(prefix.payload_len, (len < 126).then_some(u64::from(len)));
            }
        }
    }
}

#[test]
fn every_legal_pair_of_first_bytes_makes_a_header_once_the_rest_is_there_and_encodes_back() {
    let mut legal = 0;
    for receiver in ROLES {
        for pair in (0..=u16::MAX).step_by(few_or(101, 1)) {
            let [first, second] = pair.to_be_bytes();
            if expected(first, second, receiver).is_err() {
                continue;
            }
            legal += 1;
            let key = (receiver == Role::Server).then_some(KEY);
            let len = match second % 128 {
                126 => 300,
                127 => 70_000,
                len => u64::from(len),
            };
            let bytes = header(first, len, key);
            assert_eq!(bytes[..2], [first, second]);
            let (parsed, used) = FrameHeader::parse(&bytes, receiver).unwrap().unwrap();
            assert_eq!((used, parsed.payload_len, parsed.mask), (bytes.len(), len, key.map(MaskKey)));
            assert_eq!(*parsed.encode(), bytes);
            for cut in 0..bytes.len() {
                assert_eq!(FrameHeader::parse(&bytes[..cut], receiver), Ok(None), "{cut} of {bytes:x?}");
            }
        }
    }
    if cfg!(miri) {
        return;
    }
    // 2 roles × (FIN or not × (128 continuations + 2 × 128 text and binary each, RSV1 or not)
    // + 2 × 126 pings and pongs + 125 closes).
    assert_eq!(legal, 2 * (2 * 5 * 128 + 2 * 126 + 125));
}

#[test]
fn first_byte_faults_are_found_at_the_first_byte() {
    for first in 0..=u8::MAX {
        // A second byte that is right for the role leaves only the first byte's faults, and a Close's length.
        let fault = expected(first, 0x80, Role::Server);
        assert_eq!(FrameHeader::parse_prefix(&[first], Role::Server).map(|_| ()), fault, "{first:#x}");
        let fault = expected(first, 0x00, Role::Client);
        assert_eq!(FrameHeader::parse_prefix(&[first], Role::Client).map(|_| ()), fault, "{first:#x}");
    }
}

#[test]
fn lengths_are_encoded_in_the_shortest_form_at_every_border() {
    let cases: [(u64, &[u8]); 8] = [
        (0, &[0]),
        (125, &[125]),
        (126, &[126, 0, 126]),
        (127, &[126, 0, 127]),
        (65_535, &[126, 0xFF, 0xFF]),
        (65_536, &[127, 0, 0, 0, 0, 0, 1, 0, 0]),
        (1 << 32, &[127, 0, 0, 0, 1, 0, 0, 0, 0]),
        (i64::MAX as u64, &[127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
    ];
    for (payload_len, length) in cases {
        let header = FrameHeader { fin: true, rsv1: false, opcode: OpCode::Binary, mask: None, payload_len };
        let bytes = [&[0x82], length].concat();
        assert_eq!(*header.encode(), bytes);
        assert_eq!(FrameHeader::parse(&bytes, Role::Client), Ok(Some((header, bytes.len()))));
    }
}

#[test]
fn every_16_bit_length_below_126_is_refused_and_every_other_taken() {
    for len in (0..=u16::MAX).step_by(few_or(61, 1)) {
        let [high, low] = len.to_be_bytes();
        let parsed = FrameHeader::parse(&[0x82, 126, high, low], Role::Client);
        match len {
            0..126 => assert_eq!(parsed, Err(ProtocolError::InvalidLength), "{len}"),
            _ => assert_eq!(parsed.unwrap().unwrap().0.payload_len, u64::from(len)),
        }
    }
}

#[test]
fn a_64_bit_length_below_65536_is_refused_at_its_sixth_zero() {
    for len in [0u64, 1, 125, 126, 127, 32_768, 65_535] {
        let bytes = [&[0x82, 127][..], &len.to_be_bytes()].concat();
        for cut in 0..8 {
            assert_eq!(FrameHeader::parse(&bytes[..cut], Role::Client), Ok(None), "{cut} bytes");
        }
        for cut in 8..=10 {
            let parsed = FrameHeader::parse(&bytes[..cut], Role::Client);
            assert_eq!(parsed, Err(ProtocolError::InvalidLength), "{cut} bytes");
        }
    }
}

#[test]
fn the_top_bit_of_a_64_bit_length_is_refused_at_its_first_byte() {
    for first in 0x80..=0xFF {
        let parsed = FrameHeader::parse(&[0x82, 127, first], Role::Client);
        assert_eq!(parsed, Err(ProtocolError::InvalidLength));
        let parsed = FrameHeader::parse(&[0x82, 0xFF, first], Role::Server);
        assert_eq!(parsed, Err(ProtocolError::InvalidLength));
    }
    assert_eq!(FrameHeader::parse(&[0x82, 127, 0x7F], Role::Client), Ok(None));
}

#[test]
fn a_header_that_is_encoded_and_parsed_is_the_same() {
    let opcodes =
        [OpCode::Continuation, OpCode::Text, OpCode::Binary, OpCode::Close, OpCode::Ping, OpCode::Pong];
    let mut rng = XorShift::new(1);
    for _ in 0..few_or(300, 20_000) {
        let receiver = ROLES[rng.below(2)];
        let opcode = opcodes[rng.below(6)];
        let control = opcode.is_control();
        let bits = rng.below(63) as u32;
        let header = FrameHeader {
            fin: control || rng.below(2) == 0,
            rsv1: matches!(opcode, OpCode::Text | OpCode::Binary) && rng.below(2) == 0,
            opcode,
            mask: (receiver == Role::Server)
                .then(|| MaskKey(rng.next().to_le_bytes()[..4].try_into().unwrap())),
            payload_len: if control { 2 + rng.next() % 124 } else { rng.next() >> (1 + bits) },
        };
        let bytes = header.encode().to_vec();
        assert_eq!(FrameHeader::parse(&bytes, receiver), Ok(Some((header, bytes.len()))));
        assert!(bytes.len() <= FrameHeader::MAX_LEN);
    }
}

#[test]
fn a_prefix_says_the_same_as_the_whole_header() {
    let bytes = header(0x42, 70_000, Some(KEY));
    let (whole, _) = FrameHeader::parse(&bytes, Role::Server).unwrap().unwrap();
    assert_eq!(FrameHeader::parse_prefix(&[], Role::Server), Ok(None));
    for cut in 1..10 {
        let prefix = FrameHeader::parse_prefix(&bytes[..cut], Role::Server).unwrap().unwrap();
        assert_eq!(prefix.payload_len, None);
        assert_eq!((prefix.fin, prefix.rsv1, prefix.opcode), (false, true, OpCode::Binary));
    }
    for cut in 10..=14 {
        assert_eq!(FrameHeader::parse_prefix(&bytes[..cut], Role::Server), Ok(Some(whole.prefix())));
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
