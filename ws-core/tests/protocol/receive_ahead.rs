//! What a driver may take while the user does not receive.

use std::sync::Arc;

use ws_core::{Config, Connection, Event, Message};

use crate::support::{BINARY, BINARY_PART, CLOSE, LAST, PING, TEXT, TEXT_PART};

/// A client's frame, masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    crate::support::frame(first, payload, Some([0; 4]))
}

fn server(max_message_size: u64) -> Connection {
    let mut config = Config::server();
    config.max_message_size = max_message_size;
    Connection::server(Arc::new(config))
}

#[derive(Debug, PartialEq)]
enum Seen {
    Message(Message),
    Ping(Vec<u8>),
    Close,
}

fn seen(event: Event<'_>) -> Seen {
    match event {
        Event::Text(text) => Seen::Message(Message::text(text.into_owned())),
        Event::Binary(bytes) => Seen::Message(bytes.into()),
        Event::Ping(payload) => Seen::Ping(payload.into_owned()),
        event => {
            assert!(matches!(event, Event::Close(_)), "{event:?}");
            Seen::Close
        }
    }
}

fn all_of(bytes: &[u8]) -> Vec<Seen> {
    let (mut connection, mut bytes) = (server(1000), bytes.to_vec());
    let (mut input, mut events) = (&mut bytes[..], Vec::new());
    while let Some(event) = connection.receive(&mut input).unwrap() {
        events.push(seen(event));
    }
    events
}

#[test]
fn what_is_taken_ahead_and_what_is_received_then_are_together_what_is_received() {
    let stream = [
        frame(TEXT, b"one"),
        frame(PING, b"1"),
        frame(BINARY, &[2; 300]),
        frame(TEXT_PART, b"th"),
        frame(PING, b"2"),
        frame(LAST, b"ree"),
        frame(TEXT, b"four"),
        frame(CLOSE, b""),
    ]
    .concat();
    let expected = all_of(&stream);
    for cut in 0..=stream.len() {
        let (mut connection, mut events) = (server(1000), Vec::new());
        let mut unread = Vec::new();
        for part in [&stream[..cut], &stream[cut..]] {
            unread.extend_from_slice(part);
            let mut bytes = std::mem::take(&mut unread);
            let mut input = &mut bytes[..];
            while let Some(event) = connection.receive_ahead(&mut input).unwrap() {
                events.push(seen(event));
            }
            unread = input.to_vec();
        }
        let mut input = &mut unread[..];
        while let Some(event) = connection.receive(&mut input).unwrap() {
            events.push(seen(event));
        }
        assert_eq!(events, expected, "cut at {cut}");
    }
}

#[test]
fn nothing_is_taken_ahead_that_depends_on_how_the_next_message_is_received() {
    let left = [
        frame(BINARY_PART, b"a fragment"),
        frame(BINARY, &[0; 1001]),
        frame(TEXT, b"cut")[..5].to_vec(),
        frame(PING, b"cut")[..8].to_vec(),
    ];
    for bytes in left {
        let mut connection = server(1000);
        let mut copy = bytes.clone();
        let mut input = &mut copy[..];
        assert_eq!(connection.receive_ahead(&mut input).unwrap(), None);
        assert_eq!(*input, bytes, "it is left as it is");
        assert!(connection.is_open());
    }
    // Nor inside a message that has been begun.
    let mut connection = server(1000);
    let mut bytes = [frame(TEXT_PART, b"begun"), frame(PING, b"inside")].concat();
    let mut input = &mut bytes[..11];
    assert_eq!(connection.receive(&mut input).unwrap(), None);
    let mut input = &mut bytes[11..];
    assert_eq!(connection.receive_ahead(&mut input).unwrap(), None);
    assert_eq!(input.len(), 12);
}

#[test]
fn a_fault_at_the_border_of_a_frame_is_found_ahead_as_it_is_received() {
    for bytes in [&b"\x81\x00"[..], b"\x83\x80", b"\x89\xFE", b"\x80\x80\0\0\0\0"] {
        let (mut ahead, mut behind) = (server(1000), server(1000));
        let found = ahead.receive_ahead(&mut &mut bytes.to_vec()[..]).unwrap_err();
        assert_eq!(found, behind.receive(&mut &mut bytes.to_vec()[..]).unwrap_err());
        assert!(!ahead.is_open());
        assert_eq!(ahead.queued(), behind.queued());
    }
}
