//! Messages received piece by piece, and both ways of receiving mixed.

use crate::support;
use crate::support::miri::few_or;
use crate::support::{
    BINARY, BINARY_PART, LAST, PART, PING, ROLES, TEXT, TEXT_PART, XorShift, binary, config, give, open,
    sent_to, stream_to, text,
};
use ws_core::{Binary, Connection, Event, Piece};

/// Pieces of one input, owned: text or bytes, and whether the message ends.
fn pieces(connection: &mut Connection, bytes: &[u8]) -> Vec<(Vec<u8>, bool)> {
    let mut buffer = bytes.to_vec();
    let mut input = buffer.as_mut_slice();
    let mut found = Vec::new();
    while let Some(piece) = connection.receive_piece(&mut input).unwrap() {
        match piece {
            Piece::Text { text, last } => found.push((text.into_owned().into_bytes(), last)),
            Piece::Binary { bytes, last } => found.push((bytes.to_vec(), last)),
            other => panic!("{other:?}"),
        }
    }
    found
}

#[test]
fn a_piece_is_what_has_arrived() {
    for role in ROLES {
        for first in [TEXT, BINARY] {
            let mut connection = open(role, &config());
            let stream = sent_to(role, first, b"Hello");
            let head = stream.len() - 5;
            assert_eq!(pieces(&mut connection, &stream[..head]), []);
            assert_eq!(pieces(&mut connection, &stream[head..head + 2]), [(b"He".to_vec(), false)]);
            assert!(connection.in_piecewise_message());
            assert_eq!(pieces(&mut connection, b""), []);
            assert_eq!(pieces(&mut connection, &stream[head + 2..]), [(b"llo".to_vec(), true)]);
            assert!(!connection.in_piecewise_message());
        }
    }
}

#[test]
fn pieces_are_borrowed_and_take_no_memory() {
    for role in ROLES {
        let mut connection = open(role, &config());
        let mut stream = stream_to(role, &[(BINARY_PART, &[1; 500]), (PART, &[2; 500]), (LAST, &[3; 500])]);
        for part in stream.chunks_mut(100) {
            let mut input = part;
            while let Some(piece) = connection.receive_piece(&mut input).unwrap() {
                assert!(matches!(piece, Piece::Binary { bytes: Binary::Lent(_), .. }));
            }
            assert_eq!(connection.memory_usage().total(), 0);
        }
    }
}

#[test]
fn a_text_piece_is_cut_at_the_border_of_a_character() {
    for role in ROLES {
        let mut connection = open(role, &config());
        let stream = sent_to(role, TEXT, "a€b".as_bytes());
        let head = stream.len() - 5;
        assert_eq!(pieces(&mut connection, &stream[..head + 2]), [(b"a".to_vec(), false)]);
        assert_eq!(pieces(&mut connection, &stream[head + 2..head + 3]), []);
        assert_eq!(pieces(&mut connection, &stream[head + 3..]), [("€b".as_bytes().to_vec(), true)]);
    }
}

#[test]
fn an_empty_fragment_is_no_piece_unless_it_is_the_last() {
    for role in ROLES {
        let mut connection = open(role, &config());
        let stream = stream_to(role, &[(TEXT_PART, b""), (PART, b"x"), (PART, b""), (LAST, b"")]);
        assert_eq!(pieces(&mut connection, &stream), [(b"x".to_vec(), false), (vec![], true)]);
        assert_eq!(pieces(&mut connection, &sent_to(role, TEXT, b"")), [(vec![], true)]);
    }
}

#[test]
fn what_receive_has_put_together_becomes_the_first_piece() {
    for role in ROLES {
        for (begin, whole) in [(TEXT_PART, "on€ two"), (BINARY_PART, "on€ two")] {
            let bytes = whole.as_bytes();
            for cut in 0..bytes.len() {
                let mut connection = open(role, &config());
                let begun = sent_to(role, begin, &bytes[..cut]);
                assert_eq!(give(&mut connection, &begun), Ok(vec![]));
                let found = pieces(&mut connection, &sent_to(role, LAST, &bytes[cut..]));
                assert_eq!(found, [(bytes.to_vec(), true)], "cut at {cut}");
            }
        }
    }
}

#[test]
fn receive_skips_the_rest_of_a_message_whose_first_pieces_were_returned() {
    for role in ROLES {
        for begin in [TEXT_PART, BINARY_PART] {
            let mut connection = open(role, &config());
            let begun = sent_to(role, begin, b"first");
            assert_eq!(pieces(&mut connection, &begun), [(b"first".to_vec(), false)]);
            let rest = stream_to(role, &[(PART, b"x"), (PING, b"p"), (LAST, b"y"), (TEXT, b"next")]);
            assert_eq!(give(&mut connection, &rest).unwrap(), [support::ping(b"p"), text("next")]);
            assert!(connection.memory_usage().total() < 512, "what is skipped is not kept");
        }
    }
}

#[test]
fn a_message_of_which_only_the_header_was_seen_in_pieces_is_received_whole() {
    for role in ROLES {
        for cut in [0, 3] {
            let mut connection = open(role, &config());
            let stream = sent_to(role, BINARY, b"Hello");
            let head = stream.len() - 5;
            assert_eq!(pieces(&mut connection, &stream[..head]), []);
            let mut events = give(&mut connection, &stream[head..head + cut]).unwrap();
            events.extend(give(&mut connection, &stream[head + cut..]).unwrap());
            assert_eq!(events, [binary(b"Hello")]);
        }
    }
}

#[test]
fn both_ways_mixed_at_random_neither_lose_nor_repeat_a_byte() {
    for role in ROLES {
        for seed in 0..few_or(10, 300) as u64 {
            let mut rng = XorShift::new(seed);
            let messages: Vec<Vec<u8>> = (0..6)
                .map(|_| {
                    let len = rng.below(40);
                    rng.bytes(len)
                })
                .collect();
            let mut stream = Vec::new();
            for message in &messages {
                let cut = rng.below(message.len() + 1);
                stream.extend(sent_to(role, BINARY_PART, &message[..cut]));
                stream.extend(sent_to(role, LAST, &message[cut..]));
            }
            let mut connection = open(role, &config());
            let (mut from, mut current, mut found) = (0, Vec::new(), Vec::new());
            while from < stream.len() {
                let to = (from + 1 + rng.below(30)).min(stream.len());
                let mut buffer = stream[from..to].to_vec();
                let mut input = buffer.as_mut_slice();
                // Once pieces of a message are out, its rest is asked for in pieces.
                loop {
                    if connection.in_piecewise_message() || rng.below(2) == 0 {
                        match connection.receive_piece(&mut input).unwrap() {
                            Some(Piece::Binary { bytes, last }) => {
                                current.extend_from_slice(&bytes);
                                if last {
                                    found.push(std::mem::take(&mut current));
                                }
                            }
                            _ => break,
                        }
                    } else {
                        match connection.receive(&mut input).unwrap() {
                            Some(Event::Binary(bytes)) => found.push(bytes.to_vec()),
                            _ => break,
                        }
                    }
                }
                from = to;
            }
            assert_eq!(found, messages, "seed {seed}");
        }
    }
}
