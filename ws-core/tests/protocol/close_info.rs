//! What a connection says of its end, in words for a log.

use ws_core::{
    CloseCause, CloseCode, CloseInfo, Config, Connection, Deadline, Initiator, ProtocolError, TransportEnd,
};

use crate::support::{CLOSE, PONG, close_body, give, open, s, sent_to, written};
use ws_core::Role;

fn closed(role: Role, peer: &[u8], first: impl FnOnce(&mut Connection)) -> CloseInfo {
    let mut connection = open(role, &Config::server());
    first(&mut connection);
    give(&mut connection, peer).unwrap();
    connection.transport_ended(TransportEnd::Eof);
    connection.close_info().unwrap()
}

#[test]
fn the_end_of_a_connection_is_described_in_one_line() {
    let said = |info: CloseInfo| info.to_string();
    assert_eq!(
        said(closed(Role::Client, &sent_to(Role::Client, CLOSE, &close_body(4001, b"enough")), |_| ())),
        "closed by the peer: closing handshake, received 4001, sent 4001, reason \"enough\", 8 bytes unsent"
    );
    assert_eq!(
        said(closed(Role::Server, &[], |connection| connection.close(CloseCode::GOING_AWAY, "").unwrap())),
        "closed by this end: end of stream without a closing handshake, sent 1001, 4 bytes unsent"
    );
    assert_eq!(
        said(closed(Role::Server, &[], |_| ())),
        "closed by the peer: end of stream without a closing handshake"
    );
    assert_eq!(said(closed(Role::Server, &[], Connection::abort)), "closed by this end: aborted");
}

#[test]
fn a_deadline_that_passed_is_described_without_a_side_that_closed() {
    let mut config = Config::server();
    config.linger_timeout = std::time::Duration::ZERO;
    let mut connection = open(Role::Server, &config);
    connection.next_timeout(s(0.0));
    connection.handle_timeout(s(20.0));
    written(&mut connection);
    connection.next_timeout(s(20.0));
    connection.handle_timeout(s(40.0));
    let line = connection.close_info().unwrap().to_string();
    let cause = "timed out: no byte was received or could be sent within keepalive.timeout after a ping";
    assert!(line.starts_with(cause), "{line}");
    for (deadline, cause) in [
        (Deadline::Write, "write stalled for write_timeout"),
        (Deadline::Close, "the closing handshake did not end within close_timeout"),
    ] {
        assert_eq!(CloseCause::Timeout(deadline).to_string(), cause);
    }
}

#[test]
fn an_end_is_normal_if_the_peers_close_reports_no_fault() {
    let close = |role, body: &[u8]| sent_to(role, CLOSE, body);
    for role in [Role::Client, Role::Server] {
        let by_peer = |body: &[u8]| closed(role, &close(role, body), |_| ());
        let after_ours = |body: &[u8]| {
            closed(role, &close(role, body), |connection| connection.close(CloseCode(4000), "").unwrap())
        };
        assert!(by_peer(&[]).is_normal());
        assert!(after_ours(&[]).is_normal());
        for code in (1000..5000).filter(|code| CloseCode(*code).is_sendable()) {
            let normal = matches!(code, 1000 | 1001);
            assert_eq!(by_peer(&close_body(code, b"")).is_normal(), normal, "{code}");
            // It repeats our code, or has one of its own.
            assert_eq!(after_ours(&close_body(code, b"")).is_normal(), normal || code == 4000, "{code}");
        }
        assert!(!closed(role, &[], |_| ()).is_normal(), "no Close came");
        let unanswered =
            closed(role, &[], |connection| connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap());
        assert!(!unanswered.is_normal(), "only ours went");
    }
}

#[test]
fn the_line_names_the_last_round_trip_if_there_was_one() {
    let mut connection = open(Role::Server, &Config::server());
    connection.next_timeout(s(0.0));
    connection.handle_timeout(s(20.0));
    let ping = written(&mut connection);
    give(&mut connection, &sent_to(Role::Server, PONG, &ping[2..])).unwrap();
    connection.next_timeout(s(20.25));
    connection.abort();
    let info = connection.close_info().unwrap();
    assert_eq!(info.to_string(), "closed by this end: aborted, last round trip 250ms");
}

#[test]
fn every_cause_has_a_distinct_description() {
    let causes = [
        CloseCause::Handshake,
        CloseCause::Protocol(ProtocolError::ReservedBits),
        CloseCause::Transport(TransportEnd::Eof),
        CloseCause::Transport(TransportEnd::Reset),
        CloseCause::Transport(TransportEnd::Truncated),
        CloseCause::Transport(TransportEnd::Failed),
        CloseCause::Timeout(Deadline::Keepalive),
        CloseCause::Timeout(Deadline::Write),
        CloseCause::Timeout(Deadline::Close),
        CloseCause::Aborted,
    ];
    let words: std::collections::HashSet<_> = causes.iter().map(ToString::to_string).collect();
    assert_eq!(words.len(), causes.len());
    assert!(words.contains(&format!("protocol error: {}", ProtocolError::ReservedBits)));
    for (deadline, setting) in [
        (Deadline::Keepalive, "keepalive.timeout"),
        (Deadline::Write, "write_timeout"),
        (Deadline::Close, "close_timeout"),
    ] {
        assert!(CloseCause::Timeout(deadline).to_string().contains(setting), "{deadline:?}");
    }
}

#[test]
fn a_code_is_shown_as_its_number() {
    assert_eq!(
        (CloseCode::GOING_AWAY.to_string(), format!("{:?}", CloseCode(4711))),
        ("1001".into(), "CloseCode(4711)".into())
    );
    assert_eq!((CloseCode::from(3000), u16::from(CloseCode(3000))), (CloseCode(3000), 3000));
    let info = closed(Role::Server, &[], |_| ());
    assert_eq!((info.initiator, info.code()), (Initiator::Remote, CloseCode::ABNORMAL_CLOSURE));
}
