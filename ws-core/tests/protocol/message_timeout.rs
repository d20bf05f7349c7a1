//! How long a message once begun may stand still, in a table: what arrives when, and when the connection fails for it.

use std::time::Duration;

use crate::support::{
    BINARY, BINARY_PART, CLOSE, LAST, PART, PING, PONG, ROLES, TEXT, TEXT_PART, close_body, config,
    frames_from, give, open, s, sent_to, written,
};
use ws_core::{CloseCause, CloseCode, Config, Connection, ProtocolError, Role};

const STALLED: ProtocolError = ProtocolError::MessageStalled { timeout: Duration::from_secs(60) };

/// Bytes, each with the second in which they arrive.
type Arrivals = Vec<(f64, Vec<u8>)>;

/// Without keepalive, so that nothing else happens.
fn quiet() -> Config {
    config().keepalive(None)
}

/// Receives `bytes` at `now`, writes the answers and asks for the deadline, as a driver does.
fn arrive(connection: &mut Connection, now: f64, bytes: &[u8]) -> Option<Duration> {
    give(connection, bytes).unwrap();
    written(connection);
    let changed = connection.timeout_changed();
    let deadline = connection.next_timeout(s(now));
    assert!(
        changed || deadline.is_none_or(|deadline| deadline < s(now + 60.0)),
        "a new deadline is not announced"
    );
    assert!(!connection.timeout_changed(), "what was just asked for is not new");
    deadline
}

/// The first bytes of a frame.
fn begun(role: Role, first: u8, payload: &[u8], bytes: usize) -> Vec<u8> {
    let mut frame = sent_to(role, first, payload);
    frame.truncate(frame.len() - (payload.len() - bytes));
    frame
}

#[test]
fn a_message_that_stands_still_fails_with_1008_after_60_s() {
    for role in ROLES {
        let ping = sent_to(role, PING, b"?");
        let pong = sent_to(role, PONG, b"!");
        let [text, binary] = [TEXT_PART, BINARY_PART].map(|first| sent_to(role, first, b"ab"));
        let more = sent_to(role, PART, b"c");
        let nothing = sent_to(role, PART, b"");
        // Each row: what arrives when, and the deadline after the last of it.
        let rows: [(&str, Arrivals, Option<f64>); 13] = [
            ("a fragment", vec![(1.0, text.clone())], Some(61.0)),
            ("the same, binary", vec![(1.0, binary.clone())], Some(61.0)),
            ("an empty fragment begins one", vec![(1.0, sent_to(role, TEXT_PART, b""))], Some(61.0)),
            ("a header without its payload", vec![(1.0, begun(role, BINARY, b"abcd", 0))], Some(61.0)),
            ("a part of a frame", vec![(1.0, begun(role, TEXT, b"abcd", 2))], Some(61.0)),
            (
                "a byte of it is progress",
                vec![(1.0, begun(role, BINARY, &[0; 9], 1)), (60.0, vec![0])],
                Some(120.0),
            ),
            ("a fragment is progress", vec![(1.0, text.clone()), (60.0, more.clone())], Some(120.0)),
            ("an empty fragment is none", vec![(1.0, text.clone()), (60.0, nothing)], Some(61.0)),
            ("a ping is none", vec![(1.0, text.clone()), (60.0, ping)], Some(61.0)),
            ("a pong is none", vec![(1.0, binary.clone()), (2.0, pong.clone()), (60.0, pong)], Some(61.0)),
            ("the last fragment ends it", vec![(1.0, text.clone()), (60.0, sent_to(role, LAST, b"c"))], None),
            (
                "another begins anew",
                vec![(1.0, text.clone()), (60.0, [sent_to(role, LAST, b"").as_slice(), &binary].concat())],
                Some(120.0),
            ),
            (
                "whole messages begin none",
                vec![(1.0, sent_to(role, TEXT, b"ab")), (2.0, sent_to(role, BINARY, b""))],
                None,
            ),
        ];
        for (row, arriving, deadline) in rows {
            let mut connection = open(role, &quiet());
            let mut last = None;
            for (at, bytes) in arriving {
                connection.handle_timeout(s(at));
                assert!(connection.is_open(), "{row}: at {at}");
                last = arrive(&mut connection, at, &bytes);
            }
            assert_eq!(last, deadline.map(s), "{row}");
            let Some(deadline) = deadline else {
                connection.handle_timeout(s(1e6));
                assert!(connection.is_open(), "{row}");
                continue;
            };
            connection.handle_timeout(s(deadline - 0.001));
            assert!(connection.is_open(), "{row}: too early");
            connection.handle_timeout(s(deadline));
            assert!(!connection.is_open() && !connection.is_ended(), "{row}");
            let close = frames_from(role, &written(&mut connection));
            let reason = b"message made no progress within the limit of message_timeout = 60s";
            assert_eq!(close, [(CLOSE, close_body(1008, reason))], "{row}");
            assert!(connection.wants_shutdown(), "{row}");
            let info = connection.close_info().unwrap();
            assert_eq!(
                (info.cause, info.sent),
                (CloseCause::Protocol(STALLED), Some(CloseCode::POLICY_VIOLATION))
            );
        }
    }
}

#[test]
fn progress_between_two_looks_at_the_clock_counts_from_the_second() {
    for role in ROLES {
        let mut connection = open(role, &quiet());
        assert_eq!(arrive(&mut connection, 1.0, &sent_to(role, TEXT_PART, b"a")), Some(s(61.0)));
        give(&mut connection, &sent_to(role, PART, b"b")).unwrap();
        // The driver was busy elsewhere, and finds the deadline passed with bytes that had arrived.
        connection.handle_timeout(s(100.0));
        assert!(connection.is_open());
        assert_eq!(connection.next_timeout(s(100.0)), Some(s(160.0)));
    }
}

#[test]
fn a_message_has_no_deadline_while_something_waits_to_be_written() {
    for role in ROLES {
        let mut connection = open(role, &quiet().write_timeout(s(1000.0)));
        assert_eq!(arrive(&mut connection, 1.0, &sent_to(role, TEXT_PART, b"a")), Some(s(61.0)));
        connection.send_text("the transport takes nothing for now").unwrap();
        assert_eq!(connection.next_timeout(s(2.0)), Some(s(1002.0)), "write_timeout");
        connection.handle_timeout(s(61.0));
        assert!(connection.is_open());
        written(&mut connection);
        assert_eq!(connection.next_timeout(s(100.0)), Some(s(160.0)), "it begins anew");
        connection.set_unflushed(true);
        assert_eq!(connection.next_timeout(s(101.0)), Some(s(1101.0)), "what is not flushed waits too");
        connection.set_unflushed(false);
        assert_eq!(connection.next_timeout(s(102.0)), Some(s(162.0)));
    }
}

#[test]
fn a_message_that_is_received_in_pieces_has_the_same_deadline() {
    for role in ROLES {
        let mut connection = open(role, &quiet());
        let mut bytes = sent_to(role, TEXT_PART, b"ab");
        assert!(connection.receive_piece(&mut bytes.as_mut_slice()).unwrap().is_some());
        assert_eq!(connection.next_timeout(s(1.0)), Some(s(61.0)));
        connection.handle_timeout(s(61.0));
        assert_eq!(connection.close_info().unwrap().cause, CloseCause::Protocol(STALLED));
    }
}

#[test]
fn a_payload_that_is_read_around_the_input_is_progress() {
    for role in ROLES {
        let mut connection = open(role, &quiet());
        assert_eq!(arrive(&mut connection, 1.0, &begun(role, BINARY, &[0; 200_000], 10)), Some(s(61.0)));
        let read = connection.read_large_payload(|message, _| message.extend_from_slice(&[0; 10]));
        assert!(read.is_some() && connection.timeout_changed());
        assert_eq!(connection.next_timeout(s(60.0)), Some(s(120.0)));
        let read = connection.read_large_payload(|message, most| message.resize(message.len() + most, 0));
        assert!(read.is_some_and(|(_, whole)| whole.is_some_and(|whole| whole.len() == 200_000)));
        assert!(connection.timeout_changed());
        assert_eq!(connection.next_timeout(s(61.0)), None);
    }
}

#[test]
fn closing_ends_the_deadline_of_a_message_in_favour_of_that_of_the_close() {
    for role in ROLES {
        let mut connection = open(role, &quiet());
        assert_eq!(arrive(&mut connection, 1.0, &sent_to(role, TEXT_PART, b"a")), Some(s(61.0)));
        connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
        written(&mut connection);
        assert_eq!(connection.next_timeout(s(60.0)), Some(s(65.0)), "close_timeout");
    }
}

#[test]
fn without_message_timeout_a_message_may_stand_still_for_ever() {
    for role in ROLES {
        let mut connection = open(role, &quiet().message_timeout(None));
        give(&mut connection, &sent_to(role, TEXT_PART, b"a")).unwrap();
        assert_eq!(connection.next_timeout(s(1.0)), None);
        assert!(!connection.timeout_changed());
        connection.handle_timeout(s(1e9));
        assert!(connection.is_open());
    }
}

#[test]
fn a_message_that_stands_still_fails_although_every_keepalive_ping_is_answered() {
    for role in ROLES {
        let mut connection = open(role, &config());
        give(&mut connection, &sent_to(role, BINARY_PART, b"a")).unwrap();
        let mut now = s(0.0);
        while connection.is_open() {
            now = connection.next_timeout(now).unwrap();
            assert!(now <= s(60.0), "answers to pings are progress");
            connection.handle_timeout(now);
            for (first, payload) in frames_from(role, &written(&mut connection)) {
                if first == PING {
                    // The pong takes a while.
                    connection.next_timeout(now);
                    give(&mut connection, &sent_to(role, PONG, &payload)).unwrap();
                }
            }
        }
        assert_eq!(now, s(60.0));
        assert_eq!(connection.close_info().unwrap().cause, CloseCause::Protocol(STALLED));
    }
}
