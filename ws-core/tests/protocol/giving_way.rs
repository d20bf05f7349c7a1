//! What a connection drops when its memory is needed for others, and what still goes out.

use crate::support::miri::few_or;
use crate::support::{BINARY, CLOSE, PING, ROLES, TEXT, config, frames_from, open, written};
use bytes::{Buf, Bytes};
use ws_core::{CloseCause, CloseCode, Connection, ProtocolError, Role, SendError};

/// Messages queued in the buffer and by reference, and a ping.
fn busy(role: Role, large: usize) -> Connection {
    let mut connection = open(role, &config());
    connection.send_text("first").unwrap();
    connection.send(vec![2; large].into()).unwrap();
    connection.send_text("third").unwrap();
    connection.send(vec![4; 6000].into()).unwrap();
    connection.send_text("last").unwrap();
    connection
}

fn write(connection: &mut Connection, mut n: usize) -> Vec<u8> {
    let mut wire = Vec::new();
    let mut output = connection.output();
    while n > 0 {
        let step = output.chunk().len().min(n);
        wire.extend_from_slice(&output.chunk()[..step]);
        output.advance(step);
        n -= step;
    }
    wire
}

#[test]
fn what_has_not_been_begun_is_dropped_and_whole_frames_with_a_close_go_out_wherever_writing_has_stopped() {
    for role in ROLES {
        let all = busy(role, 5000).queued();
        for n in (0..all).step_by(few_or(499, 1)) {
            for pinged in [false, true] {
                let mut connection = busy(role, 5000);
                let mut wire = write(&mut connection, n);
                if pinged {
                    connection.ping(b"p").unwrap();
                }
                let before = connection.queued();
                assert!(connection.give_way_with_output());
                let reason = ProtocolError::MemoryShort.to_string().len();
                let close = 2 + if role == Role::Client { 4 } else { 0 } + 2 + reason;
                let left = connection.queued() - close;
                assert!(left <= 6014, "{left} bytes are left of one frame, at {n}");
                assert!(connection.memory_usage().total() <= 2 * (left + close) + 1000, "at {n}");
                let info = connection.close_info().unwrap();
                assert_eq!(info.cause, CloseCause::Protocol(ProtocolError::MemoryShort));
                assert_eq!(info.unsent, (before - left) as u64, "at {n}");
                wire.extend(written(&mut connection));
                let frames = frames_from(role, &wire);
                let kinds: Vec<_> = frames.iter().map(|frame| frame.0).collect();
                let whole = [TEXT, BINARY, TEXT, BINARY, TEXT];
                let (last, data) = kinds.split_last().unwrap();
                assert_eq!((*last, data), (CLOSE, &whole[..data.len()]), "at {n}");
                assert_eq!(frames.last().unwrap().1[..2], [0x03, 0xf5], "1013");
                assert_eq!(connection.send_text("no more"), Err(SendError::Closing));
                assert!(!kinds.contains(&PING), "what waits is dropped");
            }
        }
    }
}

#[test]
fn a_large_payload_that_others_hold_is_dropped_wherever_writing_has_stopped() {
    let payload = Bytes::from(vec![2; 70_000]);
    for role in ROLES {
        let busy = || {
            let mut connection = open(role, &config());
            connection.send_text("first").unwrap();
            connection.send(payload.clone().into()).unwrap();
            connection.send(payload.clone().into()).unwrap();
            connection
        };
        let all = busy().queued();
        for n in (0..all).filter(|n| *n < 40 || n % few_or(9973, 199) == 0 || (70_000..70_060).contains(n)) {
            let mut connection = busy();
            let mut wire = write(&mut connection, n);
            // One is masked that has not been begun.
            let _ = connection.output();
            assert!(connection.give_way_with_output());
            if connection.is_ended() {
                assert_eq!((connection.queued(), connection.memory_usage().total()), (0, 0));
                continue;
            }
            // The piece of one that has been begun stays; the first message takes 11 bytes.
            let masked = if n <= 11 { 0 } else { 64 << 10 };
            assert!(connection.memory_usage().total() <= masked + 2 * connection.queued() + 1000, "at {n}");
            wire.extend(written(&mut connection));
            let kinds: Vec<_> = frames_from(role, &wire).iter().map(|frame| frame.0).collect();
            let whole = [TEXT, BINARY, BINARY];
            let (last, data) = kinds.split_last().unwrap();
            assert_eq!((*last, data), (CLOSE, &whole[..data.len()]), "at {n}");
        }
    }
}

#[test]
fn with_much_left_of_a_frame_the_connection_ends_at_once() {
    for role in ROLES {
        let mut connection = busy(role, 40_000);
        let all = connection.queued();
        write(&mut connection, 1000);
        assert!(connection.give_way_with_output() && connection.is_ended());
        assert_eq!((connection.queued(), connection.memory_usage().total()), (0, 0));
        let info = connection.close_info().unwrap();
        assert_eq!(info.cause, CloseCause::Protocol(ProtocolError::MemoryShort));
        assert_eq!((info.sent, info.unsent), (None, all as u64 - 1000));
        assert!(!connection.give_way_with_output());
    }
}

#[test]
fn a_peer_that_sends_too_much_gets_1008_once_and_what_was_queued_before() {
    for role in ROLES {
        let mut connection = busy(role, 100);
        assert!(connection.fail_over_rate() && !connection.fail_over_rate() && !connection.give_way());
        let frames = frames_from(role, &written(&mut connection));
        assert_eq!((frames.len(), frames[5].0), (6, CLOSE));
        assert_eq!(frames[5].1[..2], 1008u16.to_be_bytes());
        assert_eq!(connection.close_info().unwrap().cause, CloseCause::Protocol(ProtocolError::OverRate));
    }
}

#[test]
fn a_connection_that_gives_way_ends_at_once_when_its_transport_holds_much_or_it_is_closing() {
    let mut held = busy(Role::Server, 10);
    held.set_held(20_000);
    assert!(held.give_way_with_output() && held.is_ended());
    let mut closing = busy(Role::Server, 10);
    closing.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
    assert!(closing.give_way_with_output() && closing.is_ended());
    assert_eq!(closing.close_info().unwrap().cause, CloseCause::Protocol(ProtocolError::MemoryShort));
}
