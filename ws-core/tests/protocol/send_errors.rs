//! What may not be sent: each is refused, and the queue is as it was.

use crate::support;
use crate::support::{BINARY, PONG, ROLES, config, frames_from, give, open, sent_to, written};
use ws_core::{CloseCode, Connection, DataType, Message, SendError};

/// That `send` fails with `error` and changes neither the queue nor what can be sent after it.
fn refused(
    connection: &mut Connection,
    error: SendError,
    send: impl FnOnce(&mut Connection) -> Result<(), SendError>,
) {
    let (queued, memory) = (connection.queued(), connection.memory_usage().total());
    assert_eq!(send(connection), Err(error));
    assert_eq!((connection.queued(), connection.memory_usage().total()), (queued, memory));
    assert!(connection.is_open());
}

#[test]
fn a_control_payload_over_125_bytes_is_refused() {
    for role in ROLES {
        let mut connection = open(role, &config());
        refused(&mut connection, SendError::ControlTooLong(126), |c| c.ping(&[0; 126]));
        refused(&mut connection, SendError::ControlTooLong(1000), |c| c.pong(&[0; 1000]));
        connection.ping(&[0; 125]).unwrap();
        connection.pong(&[0; 125]).unwrap();
    }
}

#[test]
fn a_whole_message_inside_one_sent_in_pieces_is_refused() {
    for role in ROLES {
        let mut connection = open(role, &config());
        connection.send_piece(DataType::Text, b"a", false).unwrap();
        let error = SendError::MessageInProgress;
        refused(&mut connection, error, |c| c.send_text("t"));
        refused(&mut connection, error, |c| c.send_binary(b"b"));
        refused(&mut connection, error, |c| c.send(Message::text("m")));
        refused(&mut connection, error, |c| c.send_uncompressed(Message::text("m")));
        refused(&mut connection, error, |c| c.send_piece(DataType::Binary, b"x", true));
        connection.send_piece(DataType::Text, b"b", true).unwrap();
        connection.send_text("next").unwrap();
    }
}

#[test]
fn text_pieces_that_do_not_add_up_to_utf8_are_refused_and_the_message_can_go_on() {
    for role in ROLES {
        let mut connection = open(role, &config());
        let error = SendError::InvalidUtf8;
        refused(&mut connection, error, |c| c.send_piece(DataType::Text, b"\xFF", false));
        refused(&mut connection, error, |c| c.send_piece(DataType::Text, b"\xC3", true));
        connection.send_piece(DataType::Text, b"\xE2\x82", false).unwrap();
        refused(&mut connection, error, |c| c.send_piece(DataType::Text, b"x", false));
        refused(&mut connection, error, |c| c.send_piece(DataType::Text, b"", true));
        connection.send_piece(DataType::Text, b"\xAC", true).unwrap();
        let sent: Vec<u8> =
            frames_from(role, &written(&mut connection)).into_iter().flat_map(|f| f.1).collect();
        assert_eq!(sent, "€".as_bytes());
        connection.send_piece(DataType::Binary, b"\xFF", true).unwrap();
    }
}

#[test]
fn a_full_queue_refuses_all_but_the_answers_of_the_protocol() {
    for role in ROLES {
        let mut config = config();
        config.send_high_water = 500;
        config.max_queued = 1000;
        let mut connection = open(role, &config);
        connection.send_binary(&[0; 900]).unwrap();
        connection.send_binary(&[0; 5000]).unwrap();
        let error = SendError::QueueFull { limit: 1000 };
        refused(&mut connection, error, |c| c.send_text("t"));
        refused(&mut connection, error, |c| c.send_binary(b""));
        refused(&mut connection, error, |c| c.send(Message::binary(vec![0; 9000])));
        refused(&mut connection, error, |c| c.send_piece(DataType::Text, b"p", true));
        refused(&mut connection, error, |c| c.ping(b""));
        refused(&mut connection, error, |c| c.pong(b""));
        assert!(error.to_string().contains("max_queued = 1000"));
        give(&mut connection, &sent_to(role, support::PING, b"!")).unwrap();
        connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
        let frames = frames_from(role, &written(&mut connection));
        assert_eq!(frames.len(), 3, "two messages and the Close");
    }
}

#[test]
fn one_message_may_exceed_the_cap_and_nothing_may_be_queued_behind_it() {
    for role in ROLES {
        let mut config = config();
        config.send_high_water = 500;
        config.max_queued = 1000;
        let head = if role == ws_core::Role::Client { 8 } else { 4 };
        let mut connection = open(role, &config);
        connection.send_binary(&vec![0; 999 - head]).unwrap();
        assert_eq!(connection.queued(), 999);
        connection.send_binary(&vec![0; 100_000]).unwrap();
        assert_eq!(connection.send_text(""), Err(SendError::QueueFull { limit: 1000 }));

        let mut connection = open(role, &config);
        connection.send_binary(&vec![0; 1000 - head]).unwrap();
        assert_eq!(connection.send_text(""), Err(SendError::QueueFull { limit: 1000 }));
        written(&mut connection);
        connection.send_text("").unwrap();
    }
}

#[test]
fn control_frames_that_the_user_sends_are_charged() {
    for role in ROLES {
        let mut config = config();
        config.send_high_water = 500;
        config.max_queued = 1000;
        let mut connection = open(role, &config);
        let pings = (0..100).take_while(|_| connection.ping(&[0; 100]).is_ok()).count();
        assert!((9..=10).contains(&pings), "{pings}");
        assert_eq!(connection.send_text("t"), Err(SendError::QueueFull { limit: 1000 }));
    }
}

#[test]
fn what_was_refused_leaves_no_trace_on_the_wire() {
    for role in ROLES {
        let mut connection = open(role, &config());
        connection.send_binary(b"1").unwrap();
        let _ = connection.ping(&[0; 126]);
        let _ = connection.close(CloseCode(1005), "");
        let _ = connection.close(CloseCode::NORMAL_CLOSURE, &"x".repeat(124));
        let _ = connection.send_piece(DataType::Text, b"\xFF", true);
        connection.send_binary(b"2").unwrap();
        connection.pong(b"p").unwrap();
        let frames = frames_from(role, &written(&mut connection));
        assert_eq!(frames, [(PONG, b"p".to_vec()), (BINARY, b"1".to_vec()), (BINARY, b"2".to_vec())]);
    }
}
