//! Large binary messages that are taken with the buffer they were read into: RFC 6455 section 5.6, without a copy.

use crate::support;
use crate::support::miri::few_or;
use crate::support::{
    BINARY, BINARY_PART, KEY, LAST, PING, ROLES, TEXT, binary, config, frame, header, open, sent_to,
    stream_to, text,
};
use bytes::{Bytes, BytesMut};
use ws_core::{Connection, Event, ProtocolError, Received, Role};

const LARGE: usize = 16 << 10;

fn payload(size: usize) -> Vec<u8> {
    (0..=250).cycle().take(size).collect()
}

/// The large message at the front of `input`, taken.
fn take_large(connection: &mut Connection, input: &mut BytesMut) -> Bytes {
    match connection.receive_next(&mut input.as_mut()) {
        Ok(Received::Large(large)) => large.take(input),
        other => panic!("{other:?} instead of a large message"),
    }
}

/// All events, and how many of them were taken.
fn receive(connection: &mut Connection, input: &mut BytesMut) -> (Vec<Event<'static>>, usize) {
    let mut events = Vec::new();
    let mut taken = 0;
    loop {
        let mut unread = input.as_mut();
        let (event, large) = match connection.receive_next(&mut unread).unwrap() {
            Received::Event(event) => (Some(support::own(event)), None),
            Received::Large(large) => (None, Some(large)),
            Received::Nothing | Received::Unfinished => (None, None),
        };
        let left = unread.len();
        let used = input.len() - left;
        let _ = input.split_to(used);
        if let Some(large) = large {
            assert_eq!(used, 0, "no byte of it is consumed");
            events.push(Event::Binary(large.take(input).into()));
            taken += 1;
        } else if let Some(event) = event {
            events.push(event);
        } else {
            return (events, taken);
        }
    }
}

#[test]
fn a_large_message_is_taken_whole_and_the_rest_of_the_buffer_stays() {
    for role in ROLES {
        for size in [LARGE, LARGE + 1, 65_535, 65_536, 100_000].into_iter().take(few_or(1, 5)) {
            let large = payload(size);
            let frames: &[(u8, &[u8])] =
                &[(TEXT, b"before"), (BINARY, &large), (BINARY, &large), (TEXT, b"after")];
            let mut input = BytesMut::from(&stream_to(role, frames)[..]);
            let (events, taken) = receive(&mut open(role, &config()), &mut input);
            assert_eq!(events, [text("before"), binary(&large), binary(&large), text("after")], "{size}");
            assert_eq!(taken, 2, "{size}");
            assert!(input.is_empty());
        }
    }
}

#[test]
fn what_is_taken_is_a_part_of_the_input_and_no_copy() {
    let mut input = BytesMut::from(&sent_to(Role::Server, BINARY, &payload(LARGE))[..]);
    let place = input.as_ptr().addr();
    let message = take_large(&mut open(Role::Server, &config()), &mut input);
    // Behind two bytes, a length of two, and a key.
    assert_eq!(message.as_ptr().addr(), place + 8);
    assert_eq!(message, payload(LARGE));
}

#[test]
fn a_large_message_that_is_not_taken_is_lent_by_receive() {
    for role in ROLES {
        let mut connection = open(role, &config());
        let mut stream = sent_to(role, BINARY, &payload(LARGE));
        let before = stream.clone();
        let mut input = stream.as_mut_slice();
        for _ in 0..2 {
            assert!(matches!(connection.receive_next(&mut input), Ok(Received::Large(_))));
            assert_eq!(input, before, "nothing is touched");
        }
        assert_eq!(connection.receive(&mut input), Ok(Some(binary(&payload(LARGE)))));
    }
}

/// Whatever `stream` begins with, it is no message to be taken; returns what it is received as.
fn not_taken(connection: &mut Connection, stream: &[u8]) -> Result<Option<Event<'static>>, ProtocolError> {
    match connection.receive_next(&mut stream.to_vec().as_mut_slice())? {
        Received::Event(event) => Ok(Some(support::own(event))),
        Received::Large(large) => panic!("{large:?} is to be taken"),
        Received::Nothing | Received::Unfinished => Ok(None),
    }
}

#[test]
fn other_messages_are_left_for_receive() {
    for role in ROLES {
        let (small, large) = (payload(LARGE - 1), "x".repeat(LARGE));
        let next =
            |first, payload: &[u8]| not_taken(&mut open(role, &config()), &sent_to(role, first, payload));
        assert_eq!(next(BINARY, &small), Ok(Some(binary(&small))));
        assert_eq!(next(TEXT, large.as_bytes()), Ok(Some(text(&large))));
        assert_eq!(next(PING, b"ping"), Ok(Some(support::ping(b"ping"))));
        assert_eq!(next(BINARY_PART, &payload(LARGE)), Ok(None), "the rest is still to come");
        // RSV1, where nothing has been agreed on.
        assert_eq!(next(BINARY | 0x40, &payload(LARGE)), Err(ProtocolError::ReservedBits));
        assert_eq!(next(LAST, &payload(LARGE)), Err(ProtocolError::UnexpectedContinuation));
    }
}

#[test]
fn an_incomplete_message_is_left_for_receive_wherever_the_input_is_cut() {
    for role in ROLES {
        let large = payload(LARGE);
        let stream = sent_to(role, BINARY, &large);
        for cut in (0..20).step_by(few_or(7, 1)).chain([1000, stream.len() - 1]) {
            let mut connection = open(role, &config());
            assert_eq!(not_taken(&mut connection, &stream[..cut]), Ok(None));
            let (events, taken) = receive(&mut connection, &mut BytesMut::from(&stream[cut..]));
            assert_eq!((events, taken), (vec![binary(&large)], usize::from(cut == 0)), "cut at {cut}");
        }
    }
}

#[test]
fn within_a_message_and_after_the_end_nothing_is_taken() {
    for role in ROLES {
        let large = sent_to(role, BINARY, &payload(LARGE));
        let mut connection = open(role, &config());
        assert_eq!(not_taken(&mut connection, &sent_to(role, BINARY_PART, b"a")), Ok(None));
        // §5.4: another message in between.
        assert_eq!(not_taken(&mut connection, &large), Err(ProtocolError::ExpectedContinuation));
        assert_eq!(not_taken(&mut connection, &large), Ok(None), "what follows is thrown away");
        // The payload of a frame that has begun looks like a large message.
        let mut connection = open(role, &config());
        let looks_alike = [&[BINARY, 0xFF][..], &[0; 100]].concat();
        let stream = sent_to(role, BINARY, &looks_alike);
        let head = stream.len() - looks_alike.len();
        assert_eq!(not_taken(&mut connection, &stream[..head]), Ok(None));
        let payload = frame(BINARY, &looks_alike, (role == Role::Server).then_some(KEY)).split_off(head);
        assert_eq!(not_taken(&mut connection, &looks_alike), Ok(Some(binary(&payload))));
    }
}

#[test]
fn a_large_message_is_checked_for_limits_length_and_mask() {
    let mut small = config();
    small.max_message_size = LARGE as u64;
    for role in ROLES {
        let (just, more) = (payload(LARGE), payload(LARGE + 1));
        let mut input = BytesMut::from(&sent_to(role, BINARY, &just)[..]);
        assert_eq!(take_large(&mut open(role, &small), &mut input), just);
        let too_big = not_taken(&mut open(role, &small), &sent_to(role, BINARY, &more));
        assert_eq!(too_big, Err(ProtocolError::MessageTooBig { limit: LARGE as u64 }));
        // §5.2: the minimal number of bytes for the length.
        let masked = if role == Role::Server { 0x80 } else { 0 };
        let long_form = [&[BINARY, masked | 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF][..], &[0; 70_000]].concat();
        assert_eq!(not_taken(&mut open(role, &config()), &long_form), Err(ProtocolError::InvalidLength));
        // §5.1: the wrong direction.
        let (key, fault) = match role {
            Role::Server => (None, ProtocolError::UnmaskedFrame),
            Role::Client => (Some(KEY), ProtocolError::MaskedFrame),
        };
        let wrong = [header(BINARY, LARGE as u64, key), vec![0; LARGE]].concat();
        assert_eq!(not_taken(&mut open(role, &config()), &wrong), Err(fault));
    }
}
