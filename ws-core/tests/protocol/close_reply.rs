//! The reply to the peer's Close, held back while something is still being sent: RFC 6455 section 5.5.1.

use crate::support::{
    CLOSE, LAST, PING, ROLES, TEXT, TEXT_PART, close_body, config, frames_from, give, open, s, sent_to,
    stream_to, written,
};
use ws_core::{CloseCause, CloseCode, Connection, DataType, Event, Initiator, Role, SendError, TransportEnd};

/// A connection that has received a Close with `body` and holds its reply back.
fn owing(role: Role, body: &[u8]) -> Connection {
    let mut config = config();
    config.delay_close_reply = true;
    let mut connection = open(role, &config);
    let events = give(&mut connection, &sent_to(role, CLOSE, body)).unwrap();
    assert!(matches!(events[..], [Event::Close(_)]));
    assert!(connection.owes_close_reply() && connection.is_open());
    assert_eq!((connection.queued(), connection.close_info()), (0, None));
    connection
}

#[test]
fn by_default_the_reply_to_a_close_is_queued_at_once() {
    for role in ROLES {
        let mut connection = open(role, &config());
        give(&mut connection, &sent_to(role, CLOSE, &close_body(1001, b""))).unwrap();
        assert!(!connection.owes_close_reply() && !connection.is_open());
        assert_eq!(frames_from(role, &written(&mut connection)), [(CLOSE, close_body(1001, b""))]);
    }
}

#[test]
fn messages_and_pings_can_be_sent_before_a_delayed_reply_and_nothing_after_it() {
    for role in ROLES {
        let mut connection = owing(role, &close_body(1001, b"gone"));
        connection.send_text("whole").unwrap();
        connection.send_piece(DataType::Text, b"in ", false).unwrap();
        connection.ping(b"p").unwrap();
        let mut sent = written(&mut connection);
        connection.send_piece(DataType::Text, b"pieces", true).unwrap();
        connection.reply_to_close();
        assert!(!connection.owes_close_reply() && !connection.is_open());
        assert_eq!(connection.send_text("late"), Err(SendError::Closing));
        connection.reply_to_close();
        sent.extend(written(&mut connection));
        let expected: [(u8, &[u8]); 5] = [
            (PING, b"p"),
            (TEXT, b"whole"),
            (TEXT_PART, b"in "),
            (LAST, b"pieces"),
            (CLOSE, &1001u16.to_be_bytes()),
        ];
        assert_eq!(frames_from(role, &sent), expected.map(|(first, payload)| (first, payload.to_vec())));
        let info = connection.close_info().unwrap();
        assert!(info.is_clean());
        assert_eq!((info.initiator, &*info.reason), (Initiator::Remote, "gone"));
        assert_eq!((info.sent, info.received), (Some(CloseCode(1001)), Some(CloseCode(1001))));
        assert_eq!(connection.wants_shutdown(), role == Role::Server);
    }
}

#[test]
fn an_empty_close_gets_an_empty_delayed_reply() {
    for role in ROLES {
        let mut connection = owing(role, b"");
        connection.reply_to_close();
        assert_eq!(frames_from(role, &written(&mut connection)), [(CLOSE, vec![])]);
        assert_eq!(connection.close_info().unwrap().sent, Some(CloseCode::NO_STATUS_RECEIVED));
    }
}

#[test]
fn closing_while_a_reply_is_due_is_the_reply_with_another_code() {
    for role in ROLES {
        let mut connection = owing(role, &close_body(1000, b"theirs"));
        connection.close(CloseCode(4000), "ours").unwrap();
        assert_eq!(connection.close(CloseCode(4000), ""), Err(SendError::Closing));
        assert_eq!(frames_from(role, &written(&mut connection)), [(CLOSE, close_body(4000, b"ours"))]);
        let info = connection.close_info().unwrap();
        assert!(info.is_clean());
        assert_eq!((info.initiator, &*info.reason), (Initiator::Remote, "theirs"));
        assert_eq!((info.sent, info.received), (Some(CloseCode(4000)), Some(CloseCode(1000))));

        let mut connection = owing(role, &close_body(1000, b""));
        connection.close_without_code().unwrap();
        assert_eq!(frames_from(role, &written(&mut connection)), [(CLOSE, vec![])]);
    }
}

#[test]
fn a_delayed_reply_goes_out_by_itself_once_close_timeout_has_passed() {
    for role in ROLES {
        let mut connection = owing(role, &close_body(1000, b""));
        assert!(connection.timeout_changed());
        assert_eq!(connection.next_timeout(s(10.0)), Some(s(15.0)));
        // What is written, or waits to be, gives no more time.
        connection.send_text("a").unwrap();
        assert_eq!(connection.next_timeout(s(11.0)), Some(s(15.0)));
        written(&mut connection);
        assert_eq!(connection.next_timeout(s(12.0)), Some(s(15.0)));
        connection.send_piece(DataType::Text, b"cut off", false).unwrap();
        connection.handle_timeout(s(14.999));
        assert!(connection.owes_close_reply());
        connection.handle_timeout(s(15.0));
        assert!(!connection.owes_close_reply());
        assert_eq!(connection.send_piece(DataType::Text, b"", true), Err(SendError::Closing));
        let frames = frames_from(role, &written(&mut connection));
        assert_eq!(frames.last().unwrap(), &(CLOSE, close_body(1000, b"")));
        // From here on as without a delay.
        assert_eq!(connection.next_timeout(s(16.0)), Some(s(21.0)));
        assert!(connection.close_info().unwrap().is_clean());
    }
}

#[test]
fn what_the_peer_sends_while_a_reply_is_due_is_thrown_away_and_ends_nothing() {
    for role in ROLES {
        let mut config = config();
        (config.delay_close_reply, config.max_linger_bytes) = (true, 10);
        let mut connection = open(role, &config);
        let stream =
            stream_to(role, &[(CLOSE, b""), (TEXT, b"more than ten bytes"), (PING, b"?"), (CLOSE, b"")]);
        assert_eq!(give(&mut connection, &stream).unwrap(), [Event::Close(None)]);
        connection.send_text("still").unwrap();
        assert_eq!(frames_from(role, &written(&mut connection)), [(TEXT, b"still".to_vec())]);
        connection.reply_to_close();
        assert_eq!(frames_from(role, &written(&mut connection)), [(CLOSE, vec![])]);
    }
}

#[test]
fn a_peer_that_does_not_wait_for_the_delayed_reply_has_closed_cleanly() {
    for role in ROLES {
        for how in 0..4 {
            let mut connection = owing(role, &close_body(1000, b""));
            connection.send_text("1234").unwrap();
            let unsent = connection.queued() as u64;
            match how {
                0 => connection.transport_ended(TransportEnd::Eof),
                1 => connection.transport_ended(TransportEnd::Reset),
                2 => connection.write_failed(TransportEnd::Reset),
                _ => connection.abort(),
            }
            assert!(connection.is_ended() && !connection.owes_close_reply());
            let info = connection.close_info().unwrap();
            let cause = if how < 3 { CloseCause::Handshake } else { CloseCause::Aborted };
            assert_eq!((info.cause, info.unsent, info.initiator), (cause, unsent, Initiator::Remote));
            assert_eq!(info.received, Some(CloseCode(1000)));
        }
    }
}

#[test]
fn a_close_that_answers_ours_is_not_replied_to() {
    for role in ROLES {
        let mut config = config();
        config.delay_close_reply = true;
        let mut connection = open(role, &config);
        connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
        written(&mut connection);
        give(&mut connection, &sent_to(role, CLOSE, &close_body(1000, b""))).unwrap();
        assert!(!connection.owes_close_reply());
        assert_eq!(connection.queued(), 0);
        assert!(connection.close_info().unwrap().is_clean());
    }
}
