//! What a message may cost: sizes, fragments, memory.

use crate::support;
use crate::support::miri::few_or;
use crate::support::{
    BINARY, BINARY_PART, KEY, LAST, PART, PING, ROLES, TEXT, binary, config, give, header, open,
    receive_every_way, sent_to, stream_to,
};
use ws_core::{Connection, Piece, ProtocolError, Role};

/// The contract: at most twice the payload received, and 64 KiB.
pub(crate) fn assert_bounded(connection: &Connection, received: usize) {
    let used = connection.memory_usage().total();
    assert!(used <= 2 * received + (64 << 10), "{used} bytes of memory for {received} bytes received");
}

#[test]
fn a_message_at_the_limit_passes_and_one_byte_more_fails() {
    for role in ROLES {
        let mut config = config();
        config.max_message_size = 200;
        config.max_stream_size = 200;
        let got = receive_every_way(|| open(role, &config), &sent_to(role, BINARY, &[1; 200]));
        assert_eq!(got.events, [binary(&[1; 200])]);
        let mut connection = open(role, &config);
        let error = give(&mut connection, &sent_to(role, BINARY, &[1; 201])).unwrap_err();
        assert_eq!(error, ProtocolError::MessageTooBig { limit: 200 });
        // The limit is a message's, not a connection's.
        let three = stream_to(role, &[(BINARY, &[1; 200]), (BINARY, &[2; 200]), (TEXT, &[b'3'; 200])]);
        assert_eq!(receive_every_way(|| open(role, &config), &three).events.len(), 3);
    }
}

#[test]
fn control_frames_are_no_part_of_a_messages_size() {
    for role in ROLES {
        let mut config = config();
        config.max_message_size = 4;
        let stream = stream_to(role, &[(BINARY_PART, b"ab"), (PING, &[0; 125]), (LAST, b"cd")]);
        assert_eq!(give(&mut open(role, &config), &stream).unwrap()[1], binary(b"abcd"));
    }
}

/// Half of what an allocation may have: 1 GiB on 32 bits.
const MOST: u64 = isize::MAX as u64 / 2;

#[test]
fn a_message_that_no_buffer_can_hold_is_too_big_and_its_length_never_wraps() {
    for role in ROLES {
        let mut config = config();
        config.max_message_size = u64::MAX;
        let key = (role == Role::Server).then_some(KEY);
        let too_big = Err(ProtocolError::MessageTooBig { limit: MOST });
        // Whichever of these have 32 bits in common with a short length.
        for len in [MOST + 1, u64::from(u32::MAX), 1 << 32, (1 << 32) + 5, (1 << 40) + 5, i64::MAX as u64] {
            let fits = len <= MOST;
            for first in [TEXT, BINARY, BINARY_PART] {
                let got = give(&mut open(role, &config), &header(first, len, key));
                assert!(if fits { got == Ok(vec![]) } else { got == too_big }, "{len} bytes: {got:?}");
            }
            // 5 bytes, then as many as make both `len`: the sum does not wrap either.
            let mut parts = sent_to(role, BINARY_PART, b"Hello");
            parts.extend(header(LAST, len - 5, key));
            let got = give(&mut open(role, &config), &parts);
            assert!(
                if fits { got == Ok(vec![]) } else { got == too_big },
                "5 and {} bytes: {got:?}",
                len - 5
            );
        }
    }
}

#[test]
fn a_frame_of_more_than_4_gib_is_received_in_pieces_and_does_not_end_early() {
    for role in ROLES {
        let mut config = config();
        config.max_stream_size = u64::MAX;
        let key = (role == Role::Server).then_some(KEY);
        let mut connection = open(role, &config);
        let mut wire = header(BINARY, (1 << 32) + 3, key);
        wire.extend([0; 100]);
        let mut input = wire.as_mut_slice();
        let mut received = 0;
        while let Some(piece) = connection.receive_piece(&mut input).unwrap() {
            let Piece::Binary { bytes, last: false } = piece else { panic!("{piece:?}") };
            assert!(!bytes.is_empty(), "nothing after {received} bytes");
            received += bytes.len();
        }
        assert_eq!(received, 100);
    }
}

#[test]
fn memory_follows_what_is_received_and_not_what_is_announced() {
    for role in ROLES {
        let mut config = config();
        config.max_message_size = u64::MAX;
        let mut connection = open(role, &config);
        let key = (role == Role::Server).then_some(KEY);
        give(&mut connection, &header(BINARY, isize::MAX as u64 / 2, key)).unwrap();
        let mut received = 0;
        for size in [1, 10, 1000, 1, 60_000, 1, 1, 100_000, 3] {
            give(&mut connection, &vec![0; size]).unwrap();
            received += size;
            assert_bounded(&connection, received);
        }
    }
}

#[test]
fn small_and_empty_fragments_cost_no_memory_each() {
    for role in ROLES {
        let mut connection = open(role, &config());
        give(&mut connection, &sent_to(role, BINARY_PART, b"")).unwrap();
        for n in 0..few_or(300, 16_000) {
            give(&mut connection, &sent_to(role, PART, &[0; 3][..n % 2 * 3])).unwrap();
            assert!(connection.memory_usage().total() <= 6 * (n + 1) + 64, "after {n} fragments");
        }
    }
}

#[test]
fn the_default_fragment_limit_is_4096_or_a_64th_of_the_size() {
    let mut config = config();
    config.max_message_size = 1000;
    assert_eq!(config.fragment_limit(), 4096);
    config.max_message_size = 1 << 20;
    assert_eq!(config.fragment_limit(), 16_384);
    for role in ROLES {
        config.max_message_size = 1000;
        let mut connection = open(role, &config);
        let stream = sent_to(role, PART, b"").repeat(4095);
        give(&mut connection, &sent_to(role, BINARY_PART, b"")).unwrap();
        give(&mut connection, &stream).unwrap();
        let error = give(&mut connection, &sent_to(role, LAST, b"")).unwrap_err();
        assert_eq!(error, ProtocolError::TooManyFragments { limit: 4096 });
        assert_eq!(error.close_code().0, 1008);
    }
}

#[test]
fn a_stream_of_any_size_may_come_in_as_many_fragments() {
    for role in ROLES {
        let mut connection = open(role, &config());
        let mut stream = sent_to(role, BINARY_PART, &[0; 100]);
        for _ in 0..few_or(200, 20_000) {
            stream.extend(sent_to(role, PART, &[0; 100]));
        }
        let (mut input, mut total) = (stream.as_mut_slice(), 0);
        while let Some(Piece::Binary { bytes, last: false }) = connection.receive_piece(&mut input).unwrap() {
            total += bytes.len();
        }
        assert_eq!(total, few_or(20_100, 2_000_100));
    }
}

#[test]
fn an_explicit_fragment_limit_also_applies_to_pieces() {
    for role in ROLES {
        let mut config = config();
        config.max_fragments = Some(2);
        let mut stream = stream_to(role, &[(BINARY_PART, b"a"), (PART, b"b"), (PART, b"c")]);
        let mut input = stream.as_mut_slice();
        let mut connection = open(role, &config);
        assert!(connection.receive_piece(&mut input).unwrap().is_some());
        assert!(connection.receive_piece(&mut input).unwrap().is_some());
        let error = connection.receive_piece(&mut input).unwrap_err();
        assert_eq!(error, ProtocolError::TooManyFragments { limit: 2 });
    }
}

#[test]
fn max_stream_size_bounds_pieces_in_place_of_max_message_size() {
    for role in ROLES {
        let mut config = config();
        config.max_message_size = 10;
        config.max_stream_size = 100;
        let mut connection = open(role, &config);
        let mut stream = stream_to(role, &[(BINARY_PART, &[0; 60]), (LAST, &[0; 40]), (BINARY, &[0; 101])]);
        let (mut input, mut total) = (stream.as_mut_slice(), 0);
        let error = loop {
            match connection.receive_piece(&mut input) {
                Ok(Some(Piece::Binary { bytes, .. })) => total += bytes.len(),
                Ok(other) => panic!("{other:?}"),
                Err(error) => break error,
            }
        };
        assert_eq!((total, error), (100, ProtocolError::StreamTooBig { limit: 100 }));
        assert_eq!(error.close_code().0, 1009);
    }
}

#[test]
fn a_message_received_in_pieces_at_its_beginning_or_its_end_has_the_limit_of_a_stream() {
    for role in ROLES {
        let mut config = config();
        config.max_message_size = 10;
        config.max_stream_size = 100;
        for (len, error) in [(92, None), (93, Some(ProtocolError::StreamTooBig { limit: 100 }))] {
            let begun = sent_to(role, BINARY_PART, &[0; 8]);
            let rest = stream_to(role, &[(LAST, &vec![0; len]), (TEXT, b"next")]);

            let mut connection = open(role, &config);
            let mut buffer = begun.clone();
            let piece = connection.receive_piece(&mut buffer.as_mut_slice()).unwrap();
            assert!(matches!(piece, Some(Piece::Binary { last: false, .. })));
            let skipped = give(&mut connection, &rest);
            assert_eq!(skipped, error.map_or_else(|| Ok(vec![support::text("next")]), Err));

            let mut connection = open(role, &config);
            assert_eq!(give(&mut connection, &begun), Ok(vec![]));
            let mut buffer = rest;
            let taken = connection.receive_piece(&mut buffer.as_mut_slice()).map(|piece| match piece {
                Some(Piece::Binary { bytes, last: true }) => bytes.len(),
                other => panic!("{other:?}"),
            });
            assert_eq!(taken, error.map_or(Ok(100), Err));
        }
    }
}

#[test]
fn the_message_limit_applies_where_only_the_header_was_received_in_pieces() {
    for role in ROLES {
        for split in [false, true] {
            let mut config = config();
            config.max_message_size = 10;
            let mut connection = open(role, &config);
            let mut stream = sent_to(role, BINARY, &[0; 11]);
            let len = stream.len();
            let (mut head, mut payload) = stream.split_at_mut(len - 11);
            assert_eq!(connection.receive_piece(&mut head), Ok(None));
            if split {
                let (mut one, _) = payload.split_at_mut(5);
                assert!(connection.receive(&mut one).is_err());
            } else {
                assert_eq!(connection.receive(&mut payload), Err(ProtocolError::MessageTooBig { limit: 10 }));
            }
        }
    }
}
