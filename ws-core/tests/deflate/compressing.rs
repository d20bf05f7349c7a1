//! Large messages that are compressed in steps of 64 KiB, and messages that are prepared so.

use std::sync::Arc;

use bytes::Buf;
use ws_core::{CloseCode, Config, Connection, DataType, Message, PreparedMessage, Role, SendError, Work};

use super::connection::{agreed, receive, server, written};
use super::steps::{STEP, compressed, large, pair, text};
use crate::support::ROLES;
use crate::support::miri::few_or;

/// Compresses a message to its end; returns how many turns others have had.
fn compress(connection: &mut Connection, message: Message) -> usize {
    let mut compressing = connection.start_compressing(message).unwrap();
    let mut turns = 0;
    while compressing.step() == Work::More {
        turns += 1;
        assert_eq!(connection.queued(), 0);
    }
    connection.send_compressing(compressing).unwrap();
    turns
}

#[test]
fn a_step_compresses_64_kib_and_the_message_inflates_to_what_it_was() {
    for (role, takeover) in ROLES.into_iter().flat_map(|role| [(role, false), (role, true)]) {
        let (mut sender, mut receiver) = pair(role, takeover);
        for len in [STEP + 1, 2 * STEP, large() - STEP + 1, large() - 1, large()] {
            for message in [Message::text(text(len)), Message::binary(text(len))] {
                assert_eq!(compress(&mut sender, message.clone()), len.div_ceil(STEP) - 1);
                let bytes = written(&mut sender);
                assert!(bytes.len() < message.len() * 9 / 10, "{} bytes", bytes.len());
                assert_eq!(receive(&mut receiver, &bytes, STEP).unwrap(), [message]);
                // With takeover what follows refers back to it.
                let small = Message::text(text(2000));
                assert_eq!(receive(&mut receiver, &compressed(&mut sender, &small), STEP).unwrap(), [small]);
            }
        }
    }
}

#[test]
fn a_message_compressed_in_steps_is_the_same_bytes_as_one_compressed_at_once() {
    for takeover in [false, true] {
        let (mut at_once, _) = pair(Role::Client, takeover);
        let (mut in_steps, _) = pair(Role::Client, takeover);
        for _ in 0..2 {
            let message = Message::text(text(few_or(2, 5) * STEP));
            let bytes = compressed(&mut at_once, &message);
            compress(&mut in_steps, message);
            let difference = bytes.len().abs_diff(written(&mut in_steps).len());
            // Where zlib is given its input decides where some of its blocks end.
            assert!(difference < bytes.len() / 100, "{difference} of {} bytes", bytes.len());
        }
    }
}

#[test]
fn a_message_dropped_at_any_step_leaves_the_compressor_where_the_wire_is() {
    for takeover in [false, true] {
        let (mut sender, mut receiver) = pair(Role::Client, takeover);
        let message = Message::text(text(few_or(2, 5) * STEP));
        for steps in 0..few_or(3, 6) {
            let before = sender.memory_usage();
            let never = Message::text("never sent ".repeat(few_or(13_000, 30_000)));
            let len = never.len();
            let mut dropped = sender.start_compressing(never).unwrap();
            for _ in 0..steps {
                let _ = dropped.step();
            }
            assert!(
                sender.memory_usage().queued >= before.queued + len,
                "what is being compressed is counted"
            );
            drop(dropped);
            assert_eq!(sender.memory_usage(), before);
            assert_eq!(sender.queued(), 0);
            compress(&mut sender, message.clone());
            let bytes = written(&mut sender);
            assert_eq!(
                receive(&mut receiver, &bytes, STEP).unwrap(),
                std::slice::from_ref(&message),
                "after {steps} steps"
            );
        }
    }
}

#[test]
fn a_message_that_another_one_has_overtaken_is_sent_uncompressed_if_later_ones_refer_to_that() {
    for takeover in [false, true] {
        let (mut sender, mut receiver) = pair(Role::Client, takeover);
        let message = Message::text(text(3 * STEP));
        let mut slow = sender.start_compressing(message.clone()).unwrap();
        let _ = slow.step();
        let overtaking = Message::text(text(3000));
        sender.send(overtaking.clone()).unwrap();
        while slow.step() == Work::More {}
        sender.send_compressing(slow).unwrap();
        sender.send(overtaking.clone()).unwrap();
        let bytes = written(&mut sender);
        assert_eq!(bytes.len() > message.len(), takeover);
        assert_eq!(receive(&mut receiver, &bytes, STEP).unwrap(), [overtaking.clone(), message, overtaking]);
    }
}

#[test]
fn a_message_that_is_passed_on_before_its_last_step_is_sent_uncompressed() {
    let (mut sender, mut receiver) = pair(Role::Client, true);
    let message = Message::text(text(2 * STEP));
    let mut early = sender.start_compressing(message.clone()).unwrap();
    let _ = early.step();
    sender.send_compressing(early).unwrap();
    let bytes = written(&mut sender);
    assert!(bytes.len() > message.len());
    assert_eq!(receive(&mut receiver, &bytes, STEP).unwrap(), [message]);
}

#[test]
fn a_large_message_that_does_not_shrink_is_sent_as_it_is() {
    let (mut sender, mut receiver) = pair(Role::Client, true);
    let mut state = 1u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(2 * STEP)
    .collect();
    for message in [Message::binary(noise), Message::text(text(2 * STEP))] {
        compress(&mut sender, message.clone());
        let bytes = written(&mut sender);
        assert_eq!(bytes.len() > message.len(), message.is_binary());
        assert_eq!(receive(&mut receiver, &bytes, STEP).unwrap(), [message]);
    }
}

#[test]
fn only_large_messages_that_may_be_compressed_now_are_compressed_in_steps() {
    let (mut connection, _) = pair(Role::Client, true);
    assert!(connection.start_compressing(Message::binary(vec![0; STEP])).is_err());
    connection.send_piece(DataType::Text, b"a", false).unwrap();
    assert!(connection.start_compressing(Message::binary(vec![0; STEP + 1])).is_err());
    connection.send_piece(DataType::Text, b"", true).unwrap();
    let compressing = connection.start_compressing(Message::binary(vec![0; STEP + 1])).unwrap();
    connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
    assert_eq!(connection.send_compressing(compressing), Err(SendError::Closing));
    let mut plain = Connection::server(Arc::new(Config::server()));
    assert!(plain.start_compressing(Message::binary(vec![0; STEP + 1])).is_err());
    assert!(!plain.renew_turn());
}

#[test]
fn what_is_being_compressed_fills_the_memory_of_the_connection_but_not_for_itself() {
    let mut config = Config::server();
    config.max_memory = Some(3 << 20);
    let mut sender = server(config, agreed(false));
    sender.send_binary(b"something is queued").unwrap();
    let first = sender.start_compressing(Message::binary(vec![0; 2 << 20])).unwrap();
    let second = sender.start_compressing(Message::binary(vec![0; 2 << 20])).unwrap();
    let refused = sender.send_binary(b"a");
    assert!(matches!(refused, Err(SendError::MemoryFull { .. })), "{refused:?}");
    drop(second);
    sender.send_compressing(first).unwrap();
}

#[test]
fn what_is_compressed_at_once_ends_a_turn() {
    let (mut sender, _) = pair(Role::Client, true);
    assert!(!sender.renew_turn());
    sender.send(Message::text(text(STEP - 1))).unwrap();
    assert!(!sender.renew_turn());
    sender.send_piece(DataType::Text, b"a", false).unwrap();
    assert!(sender.renew_turn() && !sender.renew_turn(), "the next one begins");
}

#[test]
fn a_prepared_message_is_compressed_once_in_steps_that_connections_share() {
    let message = Message::text(text(large()));
    let prepared = PreparedMessage::new(message.clone());
    let mut senders = [pair(Role::Client, false).0, pair(Role::Client, false).0];
    for step in 1..large() / STEP {
        assert_eq!(senders[step % 2].prepare(&prepared), Work::More, "step {step}");
        // They wait at most.
        let other = senders[(step + 1) % 2].prepare(&PreparedMessage::new("small"));
        assert_eq!(other, Work::Done);
    }
    assert_eq!(senders[0].prepare(&prepared), Work::Done);
    assert_eq!(senders[1].prepare(&prepared), Work::Done);
    for mut sender in senders {
        assert_eq!((sender.queued(), sender.renew_turn()), (0, false));
        sender.send_prepared(&prepared).unwrap();
        assert!(!sender.renew_turn(), "it has not been compressed again");
        let bytes = written(&mut sender);
        assert!(bytes.len() < message.len() * 3 / 4);
        assert_eq!(
            receive(&mut pair(Role::Client, false).1, &bytes, STEP).unwrap(),
            std::slice::from_ref(&message)
        );
    }
}

#[test]
fn a_prepared_message_needs_no_steps_where_it_is_sent_as_it_is() {
    let prepared = PreparedMessage::new(text(2 * STEP));
    let (mut takeover, _) = pair(Role::Client, true);
    assert_eq!(takeover.prepare(&prepared), Work::Done);
    assert_eq!(Connection::server(Arc::new(Config::server())).prepare(&prepared), Work::Done);
    // Compressed at once while the steps are under way.
    let (mut sender, _) = pair(Role::Client, false);
    assert_eq!(sender.prepare(&prepared), Work::More);
    sender.send_prepared(&prepared).unwrap();
    assert_eq!(sender.prepare(&prepared), Work::Done);
    assert!(sender.output().remaining() < prepared.message().len());
}
