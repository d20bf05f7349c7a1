//! The transport takes nothing any more; what it still brings is received, a Close among it.

use crate::support::{BINARY, CLOSE, PING, ROLES, close_body, config, give, open, s, sent_to};
use ws_core::{CloseCause, CloseCode, Connection, Initiator, ProtocolError, Role, SendError, TransportEnd};

/// It has queued ten bytes and more, and cannot write them.
fn failed(role: Role) -> Connection {
    let mut connection = open(role, &config());
    connection.send_binary(&[7; 10]).unwrap();
    connection.write_failed(TransportEnd::Reset);
    connection
}

#[test]
fn messages_and_a_close_behind_a_failed_write_are_received_and_the_end_is_clean() {
    for role in ROLES {
        let mut connection = failed(role);
        assert!(!connection.is_open() && !connection.is_ended() && connection.close_info().is_none());
        assert_eq!(connection.queued(), 0);
        assert_eq!(connection.send_binary(b"more"), Err(SendError::Closing));
        let bytes = [
            sent_to(role, BINARY, b"one"),
            sent_to(role, PING, b"?"),
            sent_to(role, BINARY, b"two"),
            sent_to(role, CLOSE, &close_body(4001, b"bye")),
        ];
        give(&mut connection, &bytes.concat()).unwrap();
        assert_eq!(connection.queued(), 0, "nothing is queued for a transport that takes nothing");
        assert!(connection.is_ended());
        let info = connection.close_info().unwrap();
        assert!(info.is_clean() && info.initiator == Initiator::Remote);
        assert_eq!((info.received, info.sent), (Some(CloseCode(4001)), Some(CloseCode(4001))));
        assert!(info.unsent >= 12, "{info:?}");
    }
}

#[test]
fn without_a_close_the_cause_is_the_failed_write_however_the_transport_ends() {
    let ends: [fn(&mut Connection); 3] = [
        |connection| connection.transport_ended(TransportEnd::Eof),
        |connection| connection.handle_timeout(s(100.0)),
        Connection::abort,
    ];
    for end in ends {
        let mut connection = failed(Role::Client);
        connection.next_timeout(s(1.0));
        end(&mut connection);
        assert!(connection.is_ended());
        let info = connection.close_info().unwrap();
        assert_eq!(info.cause, CloseCause::Transport(TransportEnd::Reset));
        assert_eq!(info.code(), CloseCode::ABNORMAL_CLOSURE);
    }
}

#[test]
fn a_connection_that_cannot_write_waits_for_close_timeout_at_most_whatever_arrives() {
    let mut connection = failed(Role::Server);
    assert!(connection.timeout_changed());
    assert_eq!(connection.next_timeout(s(1.0)), Some(s(6.0)));
    give(&mut connection, &sent_to(Role::Server, BINARY, b"one")).unwrap();
    assert_eq!(connection.next_timeout(s(5.0)), Some(s(6.0)));
    connection.handle_timeout(s(5.9));
    assert!(!connection.is_ended());
    connection.handle_timeout(s(6.0));
    assert!(connection.is_ended());
}

#[test]
fn a_protocol_error_of_the_peer_is_still_reported_after_a_failed_write() {
    let mut connection = failed(Role::Client);
    give(&mut connection, &[0xFF]).unwrap_err();
    assert!(connection.is_ended());
    assert_eq!(connection.close_info().unwrap().cause, CloseCause::Protocol(ProtocolError::ReservedBits));
}

#[test]
fn the_side_that_sent_a_close_before_a_failed_write_is_the_initiator() {
    let mut connection = open(Role::Client, &config());
    connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
    connection.write_failed(TransportEnd::Reset);
    give(&mut connection, &sent_to(Role::Client, CLOSE, &close_body(1000, b""))).unwrap();
    let info = connection.close_info().unwrap();
    assert!(info.is_clean() && info.initiator == Initiator::Local);
}

#[test]
fn after_a_received_close_nothing_more_is_awaited() {
    let mut connection = open(Role::Client, &config());
    give(&mut connection, &sent_to(Role::Client, CLOSE, b"")).unwrap();
    connection.write_failed(TransportEnd::Reset);
    assert!(connection.is_ended() && connection.close_info().unwrap().is_clean());
}

#[test]
fn the_expected_end_is_reported_until_the_connection_has_ended() {
    assert_eq!(open(Role::Server, &config()).write_failure(), None);
    let mut connection = failed(Role::Server);
    let failure = connection.write_failure().unwrap();
    assert_eq!(failure.cause, CloseCause::Transport(TransportEnd::Reset));
    assert_eq!((failure.initiator, failure.unsent), (Initiator::Remote, 12));
    connection.transport_ended(TransportEnd::Eof);
    assert_eq!(connection.write_failure(), None);
}
