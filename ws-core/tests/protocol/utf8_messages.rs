//! Text in messages: checked as it arrives, in one frame and across fragments: RFC 6455 section 8.1.

use crate::support;
use crate::support::{
    BINARY, CLOSE, LAST, PART, PING, ROLES, TEXT, TEXT_PART, binary, config, give, open, receive, sent_to,
    stream_to, text,
};
use ws_core::{ProtocolError, Role};

/// Not UTF-8, and how many bytes prove it; the cases of Autobahn's 6.4 among them.
const FAULTS: &[(&[u8], usize)] = &[
    (b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xF4\x90\x80\x80\x65\x64", 13),
    (b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80\x65\x64", 13),
    (b"abc\xFF", 4),
    (b"\xC0\xAFxyz", 1),
    (b"a\xE2\x28\xA1 ", 3),
    (b"\xF0\x28\x8C\xBC", 2),
    (b"plain\x80", 6),
];

#[test]
fn invalid_utf8_in_one_frame_fails_with_1007_at_the_byte() {
    for role in ROLES {
        for (payload, proof) in FAULTS {
            let stream = sent_to(role, TEXT, payload);
            let got = receive(role, &stream);
            assert_eq!(got.error, Some(ProtocolError::InvalidUtf8));
            assert_eq!(got.answers[0].1[..2], 1007u16.to_be_bytes());
            assert_eq!(got.decided_at, Some(stream.len() - payload.len() + proof), "{payload:x?}");
            assert_eq!((got.events.len(), got.answers[0].0), (0, CLOSE));
        }
    }
}

#[test]
fn invalid_utf8_across_fragments_fails_at_the_byte_wherever_they_are_cut() {
    for role in ROLES {
        for (payload, proof) in FAULTS {
            for cut in 0..payload.len() {
                let (first, rest) = payload.split_at(cut);
                let begun = stream_to(role, &[(TEXT_PART, first), (PING, b"")]);
                let next = sent_to(role, PART, rest);
                let mut connection = open(role, &config());
                let before = if *proof <= cut {
                    sent_to(role, TEXT_PART, first).len() - cut + proof
                } else {
                    begun.len() + next.len() - rest.len() + proof - cut
                };
                let stream = [begun, next].concat();
                give(&mut connection, &stream[..before - 1]).unwrap();
                let error = give(&mut connection, &stream[before - 1..before]).unwrap_err();
                assert_eq!(error, ProtocolError::InvalidUtf8, "{payload:x?} cut at {cut}");
            }
        }
    }
}

#[test]
fn a_message_that_ends_inside_a_character_fails_with_1007() {
    for role in ROLES {
        for cut in ["é", "€", "𝄞"].iter().flat_map(|c| (1..c.len()).map(move |n| &c.as_bytes()[..n])) {
            let ending: [Vec<(u8, &[u8])>; 4] = [
                vec![(TEXT, cut)],
                vec![(TEXT_PART, cut), (LAST, b"")],
                vec![(TEXT_PART, b""), (LAST, cut)],
                vec![(TEXT_PART, &cut[..1]), (PART, &cut[1..]), (LAST, b"")],
            ];
            for frames in ending {
                let got = receive(role, &stream_to(role, &frames));
                assert_eq!(got.error, Some(ProtocolError::InvalidUtf8), "{frames:x?}");
            }
        }
    }
}

#[test]
fn a_character_may_straddle_fragments_and_control_frames() {
    let whole = "é€𝄞";
    for role in ROLES {
        let mut frames: Vec<(u8, &[u8])> = Vec::new();
        for (n, byte) in whole.as_bytes().chunks(1).enumerate() {
            frames.push((if n == 0 { TEXT_PART } else { PART }, byte));
            frames.push((PING, b"\xFF"));
        }
        frames.push((LAST, b""));
        let got = receive(role, &stream_to(role, &frames));
        assert_eq!(got.events.last(), Some(&text(whole)));
        assert_eq!(got.error, None);
    }
}

#[test]
fn binary_messages_and_pings_may_hold_any_bytes() {
    for role in ROLES {
        for (payload, _) in FAULTS {
            let got = receive(role, &stream_to(role, &[(BINARY, payload), (PING, payload)]));
            assert_eq!(got.events, [binary(payload), support::ping(payload)]);
        }
    }
}

#[test]
fn the_state_of_one_text_does_not_leak_into_the_next() {
    for role in ROLES {
        let stream = stream_to(role, &[(TEXT_PART, b"\xC3"), (LAST, b"\xA9"), (TEXT, b"\xA9")]);
        let got = receive(role, &stream);
        assert_eq!((got.events, got.error), (vec![text("é")], Some(ProtocolError::InvalidUtf8)));
    }
}

#[test]
fn a_long_text_with_a_fault_near_its_end_or_front_fails() {
    for at in [0, 1, 63, 64, 65, 1022, 1023] {
        let mut payload = "é".repeat(512).into_bytes();
        payload[at] = b'\xF5';
        let got = receive(Role::Client, &sent_to(Role::Client, TEXT, &payload));
        assert_eq!(got.error, Some(ProtocolError::InvalidUtf8));
        assert_eq!(got.decided_at, Some(4 + at + 1));
    }
}
