//! The closing handshake and what ends a connection without one: RFC 6455 sections 5.5.1 and 7.

use crate::support;
use crate::support::miri::few_or;
use crate::support::{
    BINARY, BINARY_PART, CLOSE, PING, ROLES, TEXT, binary, close_body, config, frames_from, give, open,
    receive, receive_every_way, s, sent_to, stream_to, text, written,
};
use bytes::Buf;
use ws_core::{
    CloseCause, CloseCode, Connection, DataType, Deadline, Event, Initiator, ProtocolError, Role, SendError,
    TransportEnd,
};

#[test]
fn data_after_a_close_is_thrown_away() {
    for role in ROLES {
        let stream = stream_to(
            role,
            &[
                (TEXT, b"before"),
                (CLOSE, &close_body(1000, b"")),
                (TEXT, b"after"),
                (PING, b"x"),
                (CLOSE, b""),
            ],
        );
        let got = receive(role, &stream);
        assert_eq!(got.events.len(), 2);
        assert_eq!(got.events[0], text("before"));
        assert_eq!(got.answers, [(CLOSE, 1000u16.to_be_bytes().to_vec())], "one Close, no pong");
        assert_eq!(got.error, None);
    }
}

#[test]
fn garbage_after_a_close_or_an_error_is_no_error() {
    for role in ROLES {
        let stream = [&stream_to(role, &[(CLOSE, b"")])[..], &[0xFF; 40]].concat();
        assert_eq!(receive(role, &stream).error, None);
        let stream = [0xFF; 40];
        let got = receive(role, &stream);
        assert_eq!(got.error, Some(ProtocolError::ReservedBits));
        assert_eq!((got.answers.len(), got.decided_at), (1, Some(1)));
    }
}

#[test]
fn both_sides_closing_at_once_send_one_close_each_and_see_a_clean_close() {
    let (mut client, mut server) = (open(Role::Client, &config()), open(Role::Server, &config()));
    client.close(CloseCode::NORMAL_CLOSURE, "client").unwrap();
    server.close(CloseCode::GOING_AWAY, "server").unwrap();
    let (to_server, to_client) = (written(&mut client), written(&mut server));
    give(&mut client, &to_client).unwrap();
    give(&mut server, &to_server).unwrap();
    assert_eq!((client.queued(), server.queued()), (0, 0), "no second Close");
    for (end, sent, received, reason) in [(&client, 1000, 1001, "server"), (&server, 1001, 1000, "client")] {
        let info = end.close_info().unwrap();
        assert!(info.is_clean());
        assert_eq!(info.initiator, Initiator::Local);
        assert_eq!((info.sent, info.received), (Some(CloseCode(sent)), Some(CloseCode(received))));
        assert_eq!(&*info.reason, reason);
    }
}

#[test]
fn after_a_close_has_been_sent_messages_still_arrive_and_pings_go_unanswered() {
    for role in ROLES {
        let closing = || {
            let mut connection = open(role, &config());
            connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
            connection
        };
        let stream = stream_to(role, &[(TEXT, b"late"), (PING, b"p"), (BINARY, b"b"), (CLOSE, b"")]);
        let got = receive_every_way(closing, &stream);
        assert_eq!(got.events, [text("late"), support::ping(b"p"), binary(b"b"), Event::Close(None)]);
        assert_eq!(got.answers, [(CLOSE, 1000u16.to_be_bytes().to_vec())]);
        assert_eq!(got.close_info.unwrap().initiator, Initiator::Local);
    }
}

#[test]
fn nothing_is_sent_after_a_close_and_every_send_says_so() {
    for role in ROLES {
        for how in 0..4 {
            let mut connection = open(role, &config());
            connection.send_piece(DataType::Text, b"begun", false).unwrap();
            match how {
                0 => connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap(),
                1 => drop(give(&mut connection, &sent_to(role, CLOSE, b""))),
                2 => drop(give(&mut connection, &[0xFF])),
                _ => connection.abort(),
            }
            let queued = connection.queued();
            assert_eq!(connection.send_text("t"), Err(SendError::Closing));
            assert_eq!(connection.send_binary(b"b"), Err(SendError::Closing));
            assert_eq!(connection.send("m".into()), Err(SendError::Closing));
            assert_eq!(connection.send_piece(DataType::Text, b"p", true), Err(SendError::Closing));
            assert_eq!(connection.ping(b""), Err(SendError::Closing));
            assert_eq!(connection.pong(b""), Err(SendError::Closing));
            assert_eq!(connection.close(CloseCode::NORMAL_CLOSURE, ""), Err(SendError::Closing));
            assert_eq!(connection.close_without_code(), Err(SendError::Closing));
            assert_eq!(connection.queued(), queued);
            let frames = frames_from(role, &written(&mut connection));
            assert_eq!(frames.iter().filter(|(first, _)| *first == CLOSE).count(), usize::from(how < 3));
        }
    }
}

#[test]
fn a_close_goes_out_behind_queued_data_and_in_place_of_waiting_pings_and_pongs() {
    for role in ROLES {
        let mut connection = open(role, &config());
        connection.send_text("first").unwrap();
        give(&mut connection, &sent_to(role, PING, b"?")).unwrap();
        connection.ping(b"mine").unwrap();
        connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
        let sent = frames_from(role, &written(&mut connection));
        assert_eq!(sent, [(TEXT, b"first".to_vec()), (CLOSE, vec![3, 232])]);
    }
}

#[test]
fn the_close_of_a_failure_goes_out_behind_queued_data_and_in_place_of_waiting_pings_and_pongs() {
    for role in ROLES {
        let mut connection = open(role, &config());
        connection.send_text("first").unwrap();
        give(&mut connection, &sent_to(role, PING, b"?")).unwrap();
        connection.ping(b"mine").unwrap();
        give(&mut connection, &[0x83]).unwrap_err();
        let sent = frames_from(role, &written(&mut connection));
        assert_eq!(sent.iter().map(|frame| frame.0).collect::<Vec<_>>(), [TEXT, CLOSE]);
        assert_eq!(sent[1].1[..2], 1002u16.to_be_bytes());
    }
}

#[test]
fn once_nothing_more_counts_what_was_received_of_a_message_is_freed() {
    let ends: [fn(&mut Connection); 3] = [
        |connection| assert!(give(connection, &sent_to(connection.role(), CLOSE, b"")).is_ok()),
        |connection| assert!(give(connection, &[0x83]).is_err()),
        Connection::abort,
    ];
    for role in ROLES {
        for end in ends {
            let mut connection = open(role, &config());
            let size = few_or(2000, 50_000);
            give(&mut connection, &sent_to(role, BINARY_PART, &vec![0; size])).unwrap();
            assert!(connection.memory_usage().total() >= size);
            end(&mut connection);
            assert!(connection.memory_usage().total() < 1000, "{} bytes", connection.memory_usage().total());
        }
    }
}

#[test]
fn a_failure_after_a_sent_close_sends_no_second_close() {
    for role in ROLES {
        let closing = || {
            let mut connection = open(role, &config());
            connection.close(CloseCode::GOING_AWAY, "").unwrap();
            connection
        };
        let got = receive_every_way(closing, &[0x83, 0, 0, 0, 0]);
        assert_eq!(got.error, Some(ProtocolError::ReservedOpCode(3)));
        assert_eq!(got.answers, [(CLOSE, vec![3, 233])]);
        let info = got.close_info.unwrap();
        assert_eq!(info.cause, CloseCause::Protocol(ProtocolError::ReservedOpCode(3)));
        assert_eq!((info.sent, info.code()), (Some(CloseCode::GOING_AWAY), CloseCode::ABNORMAL_CLOSURE));
    }
}

#[test]
fn the_server_shuts_down_first_and_the_client_waits_for_it() {
    for (role, server_first) in [(Role::Server, true), (Role::Client, false)] {
        let mut connection = open(role, &config());
        give(&mut connection, &sent_to(role, CLOSE, b"")).unwrap();
        assert!(!connection.wants_shutdown(), "the answer has not been written yet");
        written(&mut connection);
        assert_eq!(connection.wants_shutdown(), server_first);
        assert!(!connection.is_ended(), "the peer is still to close its side");
        connection.transport_ended(TransportEnd::Eof);
        assert!(connection.is_ended() && !connection.wants_shutdown());
        assert!(connection.close_info().unwrap().is_clean());
    }
}

#[test]
fn a_client_on_a_stream_of_http_2_shuts_down_once_both_sides_have_closed() {
    for closes_itself in [true, false] {
        let mut connection = open(Role::Client, &config()).shutting_down_first();
        if closes_itself {
            connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
            written(&mut connection);
            assert!(!connection.wants_shutdown(), "the Close of the server is awaited");
        }
        give(&mut connection, &sent_to(Role::Client, CLOSE, &close_body(1000, b""))).unwrap();
        assert_eq!(connection.wants_shutdown(), closes_itself, "what is owed is written first");
        written(&mut connection);
        assert!(connection.wants_shutdown());
        connection.shutdown_done();
        // Its end of the stream is over; that of the server is waited for as long as a server waits.
        assert_eq!(connection.next_timeout(s(1.0)), Some(s(2.0)), "linger_timeout");
        connection.handle_timeout(s(2.0));
        assert!(connection.is_ended() && connection.close_info().unwrap().is_clean());
    }
}

#[test]
fn a_failed_connection_shuts_down_in_both_roles_once_its_close_is_written() {
    for role in ROLES {
        let mut connection = open(role, &config());
        give(&mut connection, &[0xFF]).unwrap_err();
        assert!(!connection.wants_shutdown());
        written(&mut connection);
        assert!(connection.wants_shutdown());
        connection.shutdown_done();
        assert!(!connection.wants_shutdown() && !connection.is_ended());
    }
}

#[test]
fn after_a_received_close_any_end_of_the_transport_is_clean() {
    for role in ROLES {
        for how in [TransportEnd::Eof, TransportEnd::Reset, TransportEnd::Truncated, TransportEnd::Failed] {
            let mut connection = open(role, &config());
            give(&mut connection, &sent_to(role, CLOSE, &close_body(1000, b""))).unwrap();
            connection.transport_ended(how);
            let info = connection.close_info().unwrap();
            assert!(info.is_clean() && info.code() == CloseCode::NORMAL_CLOSURE);
            assert!(connection.is_ended());
        }
    }
}

#[test]
fn an_end_without_a_close_is_1006_with_its_cause() {
    for role in ROLES {
        for how in [TransportEnd::Eof, TransportEnd::Reset, TransportEnd::Truncated, TransportEnd::Failed] {
            for (closing, initiator) in [(false, Initiator::Remote), (true, Initiator::Local)] {
                let mut connection = open(role, &config());
                if closing {
                    connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
                }
                connection.transport_ended(how);
                let info = connection.close_info().unwrap();
                assert_eq!(info.code(), CloseCode::ABNORMAL_CLOSURE);
                assert_eq!((info.cause, info.initiator), (CloseCause::Transport(how), initiator));
                assert!(!info.is_clean() && connection.is_ended());
            }
        }
    }
}

#[test]
fn what_was_never_written_is_counted_and_stays_counted() {
    for role in ROLES {
        let mut connection = open(role, &config());
        connection.send_binary(&[0; 100]).unwrap();
        let queued = connection.queued() as u64;
        connection.output().advance(10);
        connection.transport_ended(TransportEnd::Reset);
        assert_eq!(connection.close_info().unwrap().unsent, queued - 10);
        assert_eq!(connection.queued(), 0, "its memory is free");
        // Neither a second end nor a late deadline changes what is known.
        connection.abort();
        connection.handle_timeout(s(1e6));
        let info = connection.close_info().unwrap();
        assert_eq!(info.unsent, queued - 10);
        assert_eq!(info.cause, CloseCause::Transport(TransportEnd::Reset));
    }
}

#[test]
fn a_message_cut_off_by_a_close_is_not_delivered() {
    for role in ROLES {
        let stream = stream_to(role, &[(BINARY_PART, b"half"), (CLOSE, b"")]);
        let got = receive(role, &stream);
        assert_eq!(got.events, [Event::Close(None)]);
        assert!(got.close_info.unwrap().is_clean());
    }
}

#[test]
fn there_is_no_close_info_before_the_end_is_settled() {
    let mut connection = open(Role::Server, &config());
    assert_eq!(connection.close_info(), None);
    connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
    assert_eq!(connection.close_info(), None);
    written(&mut connection);
    connection.next_timeout(s(0.0));
    connection.handle_timeout(s(5.0));
    let info = connection.close_info().unwrap();
    assert_eq!((info.cause, info.initiator), (CloseCause::Timeout(Deadline::Close), Initiator::Local));
}
