//! The table "Frames and messages" of the behaviour contract: stimulus, close code, byte that proves it.

use crate::support;
use crate::support::miri::few_or;
use crate::support::{
    BINARY, BINARY_PART, CLOSE, KEY, LAST, PART, PING, PONG, ROLES, Received, TEXT, TEXT_PART, close_body,
    config, frame, give, header, open, receive, receive_every_way, sent_to, stream_to, text, written,
};
use ws_core::{Config, ProtocolError, Role};

/// Checks that `stream` fails with `error`, at which byte, and that the Close to the peer has its code.
fn fails(role: Role, config: &Config, stream: &[u8], error: ProtocolError, code: u16, at: usize) {
    let got = receive_every_way(|| open(role, config), stream);
    assert_eq!(got.error, Some(error));
    let (first, body) = got.answers.last().unwrap();
    assert_eq!((*first, &body[..2]), (CLOSE, &code.to_be_bytes()[..]));
    assert_eq!(got.answers.len(), 1);
    assert_eq!(got.decided_at, Some(at), "{error} in {stream:x?}");
}

#[test]
fn rsv2_and_rsv3_fail_with_1002_at_the_first_byte() {
    for role in ROLES {
        for bits in [0x10, 0x20, 0x30, 0x50, 0x60, 0x70] {
            for opcode in [TEXT, BINARY, PING, PONG, CLOSE] {
                let stream = sent_to(role, opcode | bits, b"");
                fails(role, &config(), &stream, ProtocolError::ReservedBits, 1002, 1);
            }
        }
    }
}

#[test]
fn rsv1_that_is_not_negotiated_fails_with_1002_at_the_first_byte() {
    for role in ROLES {
        for first in [TEXT, BINARY, TEXT_PART, PING, PONG, CLOSE] {
            let stream = sent_to(role, first | 0x40, b"");
            fails(role, &config(), &stream, ProtocolError::ReservedBits, 1002, 1);
        }
        let begun = sent_to(role, TEXT_PART, b"a");
        let stream = [begun.as_slice(), &sent_to(role, LAST | 0x40, b"b")].concat();
        fails(role, &config(), &stream, ProtocolError::ReservedBits, 1002, begun.len() + 1);
    }
}

#[test]
fn reserved_opcodes_fail_with_1002_at_the_first_byte() {
    for role in ROLES {
        for opcode in [3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF] {
            let stream = sent_to(role, 0x80 | opcode, b"");
            fails(role, &config(), &stream, ProtocolError::ReservedOpCode(opcode), 1002, 1);
        }
    }
}

#[test]
fn a_length_that_is_not_minimal_or_has_its_top_bit_set_fails_with_1002() {
    for (role, masked) in [(Role::Client, 0), (Role::Server, 0x80)] {
        let error = ProtocolError::InvalidLength;
        fails(role, &config(), &[BINARY, 126 | masked, 0, 125, 1, 2, 3, 4], error, 1002, 4);
        fails(role, &config(), &[BINARY, 127 | masked, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], error, 1002, 8);
        fails(role, &config(), &[BINARY, 127 | masked, 0x80, 0, 0, 0, 0, 0, 0, 0], error, 1002, 3);
    }
}

#[test]
fn a_declared_length_over_the_limit_fails_with_1009_at_the_length() {
    for (role, key) in [(Role::Client, None), (Role::Server, Some(KEY))] {
        let mut config = config();
        config.max_message_size = 1000;
        config.max_stream_size = 1000;
        for (len, at) in [(1001, 4), (65_535, 4), (65_536, 10), (i64::MAX as u64, 10)] {
            let mut connection = open(role, &config);
            let error = ProtocolError::MessageTooBig { limit: 1000 };
            let head = header(BINARY, len, key);
            assert_eq!(give(&mut connection, &head[..at - 1]), Ok(vec![]));
            assert_eq!(connection.memory_usage().total(), 0);
            assert_eq!(give(&mut connection, &head[at - 1..at]), Err(error), "before the masking key");
            assert_eq!(
                written(&mut connection).len(),
                support::header(CLOSE, 0, None).len()
                    + 2
                    + usize::from(role == Role::Client) * 4
                    + error.to_string().len()
            );
        }
    }
}

#[test]
fn a_running_total_over_the_limit_fails_with_1009_at_the_header() {
    for role in ROLES {
        let mut config = config();
        config.max_message_size = 10;
        let begun = stream_to(role, &[(BINARY_PART, b"123456"), (PING, b""), (PART, b"789")]);
        let mut connection = open(role, &config);
        give(&mut connection, &begun).unwrap();
        let error = ProtocolError::MessageTooBig { limit: 10 };
        assert_eq!(give(&mut connection, &sent_to(role, LAST, b"xy")[..2]), Err(error));
        // At the limit it passes.
        let stream = [begun, sent_to(role, LAST, b"0")].concat();
        let mut connection = open(role, &config);
        assert_eq!(give(&mut connection, &stream).unwrap()[1], support::binary(b"1234567890"));
    }
}

#[test]
fn a_control_frame_over_125_bytes_fails_with_1002_at_the_second_byte() {
    for role in ROLES {
        for first in [PING, PONG, CLOSE] {
            let stream = sent_to(role, first, &close_body(1000, &[b'x'; 124]));
            fails(role, &config(), &stream, ProtocolError::ControlTooLong, 1002, 2);
            let taken = receive(role, &sent_to(role, first, &close_body(1000, &[b'x'; 123])));
            assert_eq!((taken.error, taken.events.len()), (None, 1));
        }
    }
}

#[test]
fn a_fragmented_control_frame_fails_with_1002_at_the_first_byte() {
    for role in ROLES {
        for first in [PING, PONG, CLOSE] {
            let stream = sent_to(role, first & 0x7F, b"");
            fails(role, &config(), &stream, ProtocolError::FragmentedControl, 1002, 1);
        }
    }
}

#[test]
fn a_continuation_with_nothing_to_continue_fails_with_1002_at_the_first_byte() {
    for role in ROLES {
        for first in [PART, LAST] {
            fails(
                role,
                &config(),
                &sent_to(role, first, b"x"),
                ProtocolError::UnexpectedContinuation,
                1002,
                1,
            );
            // Also after a message that came to its end, in one frame or several.
            for message in [&[(TEXT, &b"a"[..])][..], &[(TEXT_PART, b"a"), (LAST, b"b")]] {
                let mut connection = open(role, &config());
                give(&mut connection, &stream_to(role, message)).unwrap();
                let error = give(&mut connection, &sent_to(role, first, b"x")[..1]).unwrap_err();
                assert_eq!(error, ProtocolError::UnexpectedContinuation);
            }
        }
    }
}

#[test]
fn a_new_data_frame_inside_a_message_fails_with_1002_at_the_first_byte() {
    for role in ROLES {
        for begin in [TEXT_PART, BINARY_PART] {
            for first in [TEXT, BINARY, TEXT_PART, BINARY_PART] {
                let begun = stream_to(role, &[(begin, b"a"), (PART, b""), (PING, b"")]);
                let mut connection = open(role, &config());
                give(&mut connection, &begun).unwrap();
                let error = give(&mut connection, &[first]).unwrap_err();
                assert_eq!(error, ProtocolError::ExpectedContinuation);
                assert_eq!(error.close_code().0, 1002);
            }
        }
        let stream = stream_to(role, &[(TEXT_PART, b"a"), (TEXT, b"b")]);
        let at = sent_to(role, TEXT_PART, b"a").len() + 1;
        fails(role, &config(), &stream, ProtocolError::ExpectedContinuation, 1002, at);
    }
}

#[test]
fn the_wrong_mask_direction_fails_with_1002_at_the_second_byte() {
    for first in [TEXT, BINARY, PING, PONG, CLOSE] {
        let bare = frame(first, b"", None);
        fails(Role::Server, &config(), &bare, ProtocolError::UnmaskedFrame, 1002, 2);
        let masked = frame(first, b"", Some([0; 4]));
        fails(Role::Client, &config(), &masked, ProtocolError::MaskedFrame, 1002, 2);
    }
}

#[test]
fn a_fragment_over_the_limit_fails_with_1008_at_its_first_byte() {
    for role in ROLES {
        let mut config = config();
        config.max_fragments = Some(3);
        let taken =
            stream_to(role, &[(TEXT_PART, b"a"), (PART, b""), (PING, b""), (LAST, b"b"), (TEXT, b"c")]);
        let got = receive_every_way(|| open(role, &config), &taken);
        assert_eq!(got.events, [support::ping(b""), text("ab"), text("c")]);

        let three = stream_to(role, &[(TEXT_PART, b""), (PART, b""), (PART, b"")]);
        let stream = [three.as_slice(), &sent_to(role, LAST, b"")].concat();
        let error = ProtocolError::TooManyFragments { limit: 3 };
        fails(role, &config, &stream, error, 1008, three.len() + 1);
    }
}

#[test]
fn an_error_names_the_setting_and_the_value_that_stopped_it() {
    let cases = [
        (ProtocolError::MessageTooBig { limit: 1001 }, "max_message_size = 1001"),
        (ProtocolError::StreamTooBig { limit: 1002 }, "max_stream_size = 1002"),
        (ProtocolError::TooManyFragments { limit: 1003 }, "max_fragments = 1003"),
        (ProtocolError::TooManyControlFrames { limit: 1004 }, "max_control_rate = 1004"),
    ];
    for (error, says) in cases {
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn a_flood_of_pings_from_a_peer_that_never_reads_leaves_few_pongs() {
    for role in ROLES {
        let mut connection = open(role, &config());
        let pings = few_or(300, 50_000) as u32;
        for n in 0..pings {
            give(&mut connection, &sent_to(role, PING, &n.to_be_bytes())).unwrap();
            if n % 100 == 0 {
                // The driver tries to write, and the socket takes nothing.
                connection.output();
            }
            assert!(connection.memory_usage().total() < 2048, "{} bytes", connection.memory_usage().total());
        }
        let sent = support::frames_from(role, &written(&mut connection));
        assert!(sent.iter().all(|(opcode, _)| *opcode == PONG) && sent.len() < 200, "{} pongs", sent.len());
        assert!(sent.is_sorted_by_key(|(_, payload)| payload.clone()), "in the order of the pings");
        assert_eq!(sent.last().unwrap().1, (pings - 1).to_be_bytes());
    }
}

#[test]
fn pings_that_arrive_together_are_all_answered_in_order() {
    for role in ROLES {
        let mut connection = open(role, &config());
        let payloads: Vec<Vec<u8>> = (0..10).map(|n| format!("payload-{n}").into_bytes()).collect();
        let pings: Vec<(_, &[u8])> = payloads.iter().map(|payload| (PING, &payload[..])).collect();
        give(&mut connection, &stream_to(role, &pings)).unwrap();
        let sent = support::frames_from(role, &written(&mut connection));
        let pongs: Vec<(_, Vec<u8>)> = payloads.into_iter().map(|payload| (PONG, payload)).collect();
        assert_eq!(sent, pongs);
    }
}

#[test]
fn a_fault_stops_what_comes_after_it_but_not_what_came_before() {
    for role in ROLES {
        let stream = [
            stream_to(role, &[(TEXT, b"good"), (PING, b"p")]),
            vec![0xF0],
            stream_to(role, &[(TEXT, b"lost")]),
        ]
        .concat();
        let Received { events, error, .. } = receive(role, &stream);
        assert_eq!(events, [text("good"), support::ping(b"p")]);
        assert_eq!(error, Some(ProtocolError::ReservedBits));
    }
}
