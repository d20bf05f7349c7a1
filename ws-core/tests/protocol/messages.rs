//! Messages, whole and fragmented, and the control frames between: RFC 6455 sections 5.4 to 5.6.

use crate::support;
use std::borrow::Cow;

use crate::support::miri::few_or;
use crate::support::{
    BINARY, BINARY_PART, LAST, PART, PING, PONG, ROLES, TEXT, TEXT_PART, XorShift, binary, config, open,
    ping, pong, receive, sent_to, stream_to, text,
};
use ws_core::{Binary, Event};

#[test]
fn messages_of_every_length_border_arrive_in_order() {
    for role in ROLES {
        for len in [0, 1, 2, 125, 126, 127, 128, 1000] {
            let payload: Vec<u8> = (0..len).map(|i| b'a' + (i % 26) as u8).collect();
            let stream = stream_to(role, &[(TEXT, &payload), (BINARY, &payload)]);
            let got = receive(role, &stream);
            assert_eq!(got.events, [text(str::from_utf8(&payload).unwrap()), binary(&payload)]);
            assert_eq!(got.error, None);
        }
        for len in [65_534, 65_535, 65_536, 65_537].into_iter().take(few_or(0, 4)) {
            let payload = XorShift::new(len as u64).bytes(len);
            assert_eq!(receive(role, &sent_to(role, BINARY, &payload)).events, [binary(&payload)]);
        }
    }
}

#[test]
fn a_message_that_lies_whole_in_one_input_is_borrowed() {
    for role in ROLES {
        let mut connection = open(role, &config());
        let mut buffer =
            stream_to(role, &[(TEXT, b"text"), (BINARY, b"binary"), (PING, b"ping"), (TEXT, b"")]);
        let mut input = buffer.as_mut_slice();
        assert!(matches!(connection.receive(&mut input), Ok(Some(Event::Text(Cow::Borrowed("text"))))));
        assert!(matches!(connection.receive(&mut input), Ok(Some(Event::Binary(Binary::Lent(b"binary"))))));
        assert!(matches!(connection.receive(&mut input), Ok(Some(Event::Ping(Cow::Borrowed(b"ping"))))));
        assert!(matches!(connection.receive(&mut input), Ok(Some(Event::Text(Cow::Borrowed(""))))));
        assert_eq!(connection.receive(&mut input), Ok(None));
    }
}

#[test]
fn an_event_can_be_kept_while_the_connection_sends() {
    let mut connection = open(ws_core::Role::Server, &config());
    let mut buffer = sent_to(ws_core::Role::Server, TEXT, b"echo");
    let mut input = buffer.as_mut_slice();
    let Ok(Some(Event::Text(held))) = connection.receive(&mut input) else { panic!("a text") };
    connection.send_text(&held).unwrap();
    assert_eq!(support::written(&mut connection), b"\x81\x04echo");
}

#[test]
fn a_message_that_straddles_inputs_is_owned_and_its_buffer_moves_out() {
    for role in ROLES {
        let mut connection = open(role, &config());
        let mut stream = sent_to(role, BINARY, &[7; 1000]);
        let (mut first, mut second) = stream.split_at_mut(500);
        assert_eq!(connection.receive(&mut first), Ok(None));
        let used = connection.memory_usage().total();
        assert!((480..=1100).contains(&used), "{used} bytes");
        let Ok(Some(Event::Binary(Binary::Owned(bytes)))) = connection.receive(&mut second) else {
            panic!("an owned message")
        };
        assert_eq!(bytes[..], [7; 1000]);
        assert_eq!(connection.memory_usage().total(), 0, "nothing stays behind");
    }
}

#[test]
fn a_header_alone_allocates_nothing() {
    for role in ROLES {
        let mut connection = open(role, &config());
        let stream = sent_to(role, BINARY, &[0; 70_000]);
        let head = stream.len() - 70_000;
        for byte in &stream[..head] {
            support::give(&mut connection, &[*byte]).unwrap();
            assert_eq!(connection.memory_usage().total(), 0);
        }
    }
}

#[test]
fn control_frames_between_fragments_come_first_and_do_not_disturb_the_message() {
    for role in ROLES {
        let stream = stream_to(
            role,
            &[
                (TEXT_PART, b"one "),
                (PING, b"1"),
                (PONG, b"2"),
                (PART, b"two "),
                (PING, b""),
                (LAST, b"three"),
            ],
        );
        let got = receive(role, &stream);
        assert_eq!(got.events, [ping(b"1"), pong(b"2"), ping(b""), text("one two three")]);
        assert_eq!(got.answers, [(PONG, b"1".to_vec()), (PONG, vec![])]);
    }
}

#[test]
fn empty_fragments_add_nothing() {
    for role in ROLES {
        let frames: [(u8, &[u8]); 5] =
            [(TEXT_PART, b""), (PART, b""), (PART, b"x"), (PART, b""), (LAST, b"")];
        assert_eq!(receive(role, &stream_to(role, &frames)).events, [text("x")]);
        let frames: [(u8, &[u8]); 2] = [(BINARY_PART, b""), (LAST, b"")];
        assert_eq!(receive(role, &stream_to(role, &frames)).events, [binary(b"")]);
    }
}

#[test]
fn every_way_to_cut_a_message_into_fragments_gives_the_same_message() {
    let message = "κόσμε";
    let bytes = message.as_bytes();
    for role in ROLES {
        for cuts in (0..1u32 << (bytes.len() - 1)).step_by(few_or(11, 1)) {
            if cuts % 7 != 3 && cuts.count_ones() > 2 && cuts.count_ones() < bytes.len() as u32 - 2 {
                continue;
            }
            let (mut stream, mut from) = (Vec::new(), 0);
            for to in 1..=bytes.len() {
                let last = to == bytes.len();
                if last || cuts & (1 << (to - 1)) != 0 {
                    let opcode = if from == 0 { 1 } else { 0 };
                    let fin = if last { 0x80 } else { 0 };
                    stream.extend(sent_to(role, fin | opcode, &bytes[from..to]));
                    from = to;
                }
            }
            let mut connection = open(role, &config());
            assert_eq!(support::give(&mut connection, &stream), Ok(vec![text(message)]));
        }
    }
}

#[test]
fn a_ping_is_answered_with_its_own_payload() {
    for role in ROLES {
        for len in [0, 1, 4, 124, 125] {
            let payload = XorShift::new(len as u64).bytes(len);
            let got = receive(role, &sent_to(role, PING, &payload));
            assert_eq!(got.events, [ping(&payload)]);
            assert_eq!(got.answers, [(PONG, payload)]);
        }
    }
}

#[test]
fn an_unsolicited_pong_is_reported_and_not_answered() {
    for role in ROLES {
        let got = receive(role, &stream_to(role, &[(PONG, b""), (PONG, &[9; 125])]));
        assert_eq!(got.events, [pong(b""), pong(&[9; 125])]);
        assert_eq!(got.answers, []);
    }
}

#[test]
fn an_input_of_no_bytes_gives_no_event() {
    for role in ROLES {
        assert_eq!(receive(role, b"").events, []);
    }
}
