//! How long a connection that is over reads on, and how much: the linger of the contract.

use crate::support::{CLOSE, ROLES, close_body, config, frames_from, give, open, s, sent_to, written};
use ws_core::{CloseCause, CloseCode, Connection, Deadline, ProtocolError, Role};

/// Failed, its Close written and its side shut down.
fn lingering(role: Role, max_linger_bytes: u64) -> Connection {
    let mut config = config();
    config.max_linger_bytes = max_linger_bytes;
    let mut connection = open(role, &config);
    give(&mut connection, &[0xFF]).unwrap_err();
    written(&mut connection);
    connection.shutdown_done();
    connection
}

#[test]
fn a_failed_connection_throws_away_up_to_linger_bytes() {
    for role in ROLES {
        let mut connection = lingering(role, 1000);
        give(&mut connection, &[0xFF; 999]).unwrap();
        give(&mut connection, &[0xFF; 1]).unwrap();
        assert!(!connection.is_ended());
        give(&mut connection, &[0xFF; 1]).unwrap();
        assert!(connection.is_ended());
        assert_eq!(connection.close_info().unwrap().cause, CloseCause::Protocol(ProtocolError::ReservedBits));
    }
}

#[test]
fn a_failed_connection_lingers_for_linger_timeout_after_its_shutdown() {
    for role in ROLES {
        let mut connection = lingering(role, 1000);
        assert!(connection.timeout_changed());
        assert_eq!(connection.next_timeout(s(7.0)), Some(s(8.0)));
        give(&mut connection, &[0xFF; 10]).unwrap();
        assert_eq!(connection.next_timeout(s(7.5)), Some(s(8.0)), "what comes in gives no more time");
        connection.handle_timeout(s(7.999));
        assert!(!connection.is_ended());
        connection.handle_timeout(s(8.0));
        assert!(connection.is_ended());
        assert_eq!(connection.close_info().unwrap().cause, CloseCause::Protocol(ProtocolError::ReservedBits));
    }
}

#[test]
fn a_server_that_has_closed_lingers_for_linger_timeout_and_it_is_clean() {
    let mut connection = open(Role::Server, &config());
    give(&mut connection, &sent_to(Role::Server, CLOSE, b"")).unwrap();
    assert_eq!(connection.next_timeout(s(0.0)), Some(s(30.0)), "write_timeout until the answer is out");
    written(&mut connection);
    assert_eq!(connection.next_timeout(s(0.5)), Some(s(5.5)), "close_timeout for the shutdown");
    connection.shutdown_done();
    assert_eq!(connection.next_timeout(s(1.0)), Some(s(2.0)));
    connection.handle_timeout(s(2.0));
    assert!(connection.is_ended() && connection.close_info().unwrap().is_clean());
}

#[test]
fn a_client_that_has_closed_waits_for_close_timeout_and_it_is_clean() {
    let mut connection = open(Role::Client, &config());
    connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
    written(&mut connection);
    assert_eq!(connection.next_timeout(s(0.0)), Some(s(5.0)));
    give(&mut connection, &sent_to(Role::Client, CLOSE, &close_body(1000, b""))).unwrap();
    assert_eq!(connection.next_timeout(s(3.0)), Some(s(8.0)), "the peer's Close is progress");
    give(&mut connection, b"what follows a Close").unwrap();
    assert_eq!(connection.next_timeout(s(4.0)), Some(s(8.0)), "and what follows it is none");
    assert!(!connection.wants_shutdown(), "the server closes first");
    connection.handle_timeout(s(8.0));
    assert!(connection.wants_shutdown() && !connection.is_ended());
    connection.shutdown_done();
    assert_eq!(connection.next_timeout(s(8.0)), Some(s(9.0)), "linger_timeout");
    connection.handle_timeout(s(9.0));
    assert!(connection.is_ended() && connection.close_info().unwrap().is_clean());
}

#[test]
fn a_close_without_an_answer_is_over_after_close_timeout_and_lingers() {
    for role in ROLES {
        let mut connection = open(role, &config());
        connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
        written(&mut connection);
        assert_eq!(connection.next_timeout(s(10.0)), Some(s(15.0)));
        connection.handle_timeout(s(14.999));
        assert!(!connection.is_ended());
        connection.handle_timeout(s(15.0));
        assert_eq!(connection.close_info().unwrap().cause, CloseCause::Timeout(Deadline::Close));
        assert!(connection.wants_shutdown() && !connection.is_ended());
        connection.shutdown_done();
        assert_eq!(give(&mut connection, &sent_to(role, CLOSE, b"")), Ok(vec![]), "it is thrown away");
        assert_eq!(connection.next_timeout(s(15.0)), Some(s(16.0)), "linger_timeout");
        connection.handle_timeout(s(16.0));
        assert!(connection.is_ended());
        assert_eq!(connection.close_info().unwrap().cause, CloseCause::Timeout(Deadline::Close));
        assert_eq!(connection.next_timeout(s(17.0)), None, "nothing is armed any more");
    }
}

#[test]
fn a_shutdown_that_does_not_end_is_over_after_close_timeout() {
    for role in ROLES {
        let mut connection = open(role, &config());
        connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
        written(&mut connection);
        assert_eq!(connection.next_timeout(s(10.0)), Some(s(15.0)));
        connection.handle_timeout(s(15.0));
        assert_eq!(connection.next_timeout(s(15.0)), Some(s(20.0)));
        connection.handle_timeout(s(20.0));
        assert!(connection.is_ended());
        assert_eq!(connection.next_timeout(s(20.0)), None);
    }
}

#[test]
fn the_close_frame_of_a_failure_is_written_however_much_lies_behind_the_fault() {
    for role in ROLES {
        let mut config = config();
        config.max_linger_bytes = 0;
        let mut connection = open(role, &config);
        let error = give(&mut connection, &[0xFF; 100]).unwrap_err();
        give(&mut connection, &[0xFF; 100]).unwrap();
        let sent = frames_from(role, &written(&mut connection));
        assert_eq!(sent.len(), 1, "the Close reports the reason to the peer");
        assert_eq!(sent[0].1[..2], error.close_code().0.to_be_bytes());
        assert!(connection.wants_shutdown());
        connection.shutdown_done();
        give(&mut connection, &[0xFF; 1]).unwrap();
        assert!(connection.is_ended());
    }
}

#[test]
fn a_fault_after_a_sent_close_is_reported_however_much_input_follows() {
    for role in ROLES {
        let mut config = config();
        config.max_linger_bytes = 10;
        let mut connection = open(role, &config);
        connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
        written(&mut connection);
        let error = give(&mut connection, &[0xFF; 100]).unwrap_err();
        assert_eq!(connection.close_info().unwrap().cause, CloseCause::Protocol(error));
    }
}
