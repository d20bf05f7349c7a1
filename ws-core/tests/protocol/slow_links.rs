//! Deadlines over a link that is slow: they begin when a ping or a Close has been written, and while bytes move nothing is
//! over.

use crate::support::{
    BINARY, CLOSE, PING, PONG, ROLES, TEXT, close_body, config, frames_from, give, open, s, sent_to, written,
};
use bytes::Buf;
use ws_core::{CloseCause, CloseCode, Config, Connection, Deadline, Role, TransportEnd};

/// The payload of the keepalive ping of this number.
fn asked(count: u32) -> Vec<u8> {
    [*b"live", count.to_be_bytes()].concat()
}

/// Lets the clock run from second to second; the transport takes `rate` bytes in each. Returns what it took.
fn trickle(connection: &mut Connection, seconds: std::ops::Range<u32>, rate: usize) -> Vec<u8> {
    let mut taken = Vec::new();
    for second in seconds {
        let now = s(second.into());
        if connection.next_timeout(now).is_some_and(|at| at <= now) {
            connection.handle_timeout(now);
            connection.next_timeout(now);
        }
        let mut left = rate;
        let mut output = connection.output();
        while left > 0 && output.has_remaining() {
            let n = output.chunk().len().min(left);
            taken.extend_from_slice(&output.chunk()[..n]);
            output.advance(n);
            left -= n;
        }
    }
    taken
}

fn cause(connection: &Connection) -> Option<CloseCause> {
    connection.close_info().map(|info| info.cause)
}

#[test]
fn a_ping_that_waits_behind_a_large_frame_begins_no_wait_until_it_is_written() {
    for role in ROLES {
        let mut connection = open(role, &config());
        // One frame, which the transport takes in 80 s.
        connection.send_binary(&[7; 200_000]).unwrap();
        let taken = trickle(&mut connection, 0..80, 2500);
        assert!(connection.is_open(), "{:?}", connection.close_info());
        assert_eq!(taken.len(), 200_000, "and the ping with the rest of the frame is still to come");
        connection.next_timeout(s(80.0));
        let rest = written(&mut connection);
        assert!(rest.len() > 14, "the ping is not written yet");
        // Written at 81; what the transport took in 80 s may be on its way for as long.
        assert_eq!(connection.next_timeout(s(81.0)), Some(s(81.0 + 81.0 + 20.0)));
        let pong = sent_to(role, PONG, &asked(1));
        give(&mut connection, &pong).unwrap();
        connection.next_timeout(s(83.5));
        assert_eq!(connection.rtt(), Some(s(2.5)), "from when it was written");
    }
}

#[test]
fn a_peer_that_takes_bytes_is_alive_however_long_the_answer_to_a_ping_takes() {
    for role in ROLES {
        let mut connection = open(role, &config());
        let mut now = 0;
        // Small frames: the ping is written soon. The transport is never empty.
        for _ in 0..10 {
            for _ in 0..40 {
                connection.send_binary(&[7; 1000]).unwrap();
            }
            trickle(&mut connection, now..now + 20, 2000);
            now += 20;
            assert!(connection.is_open(), "{now}: {:?}", connection.close_info());
        }
    }
}

#[test]
fn bytes_that_an_idle_transport_accepts_are_no_sign_of_life_of_the_peer() {
    for role in ROLES {
        let mut connection = open(role, &config());
        let mut sent = Vec::new();
        for second in 0..40 {
            connection.send_text("ten bytes.").unwrap();
            sent.extend(frames_from(role, &written(&mut connection)));
            let now = s(f64::from(second));
            if connection.next_timeout(now).is_some_and(|at| at <= now) {
                connection.handle_timeout(now);
                sent.extend(frames_from(role, &written(&mut connection)));
                connection.next_timeout(now);
            }
        }
        assert!(connection.is_open() && sent.contains(&(PING, asked(1))));
        assert_eq!(connection.next_timeout(s(40.0)), Some(s(40.0)));
        connection.handle_timeout(s(40.0));
        assert_eq!(cause(&connection), Some(CloseCause::Timeout(Deadline::Keepalive)));
    }
}

#[test]
fn a_peer_that_is_gone_after_a_transfer_is_noticed_after_as_long_again_and_a_timeout() {
    for role in ROLES {
        let mut connection = open(role, &config());
        for _ in 0..30 {
            connection.send_binary(&[7; 1000]).unwrap();
        }
        // The ping goes out at 20, the last byte some 30 s after the first.
        trickle(&mut connection, 0..40, 1000);
        let deadline = connection.next_timeout(s(40.0)).unwrap();
        assert!(deadline > s(78.0) && deadline < s(84.0), "{deadline:?}");
        connection.handle_timeout(deadline);
        assert_eq!(cause(&connection), Some(CloseCause::Timeout(Deadline::Keepalive)));
    }
}

#[test]
fn an_answered_ping_says_that_what_was_written_before_it_has_arrived() {
    for role in ROLES {
        let mut connection = open(role, &config());
        for _ in 0..60 {
            connection.send_binary(&[7; 1000]).unwrap();
        }
        trickle(&mut connection, 0..50, 1000);
        give(&mut connection, &sent_to(role, PONG, &asked(1))).unwrap();
        connection.next_timeout(s(50.0));
        let rtt = connection.rtt().unwrap();
        assert!(rtt >= s(28.0) && rtt <= s(30.0), "{rtt:?}");
        connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
        trickle(&mut connection, 50..70, 1000);
        // All is written at some 61 s. The answer took 29 s at 21 s; since then 40 s are the most that can have been added.
        let deadline = connection.next_timeout(s(70.0)).unwrap();
        let server = role == Role::Server;
        assert!(deadline > s(118.0) && deadline < s(140.0), "{server} {deadline:?}");
    }
}

#[test]
fn pings_answered_soon_leave_no_more_to_be_on_its_way_than_since_the_last_one() {
    for role in ROLES {
        let mut connection = open(role, &config());
        for second in 0..100 {
            connection.send_binary(&[7; 1000]).unwrap();
            connection.send_binary(&[7; 1000]).unwrap();
            trickle(&mut connection, second..second + 1, 2000);
            if second % 20 == 2 {
                give(&mut connection, &sent_to(role, PONG, &asked(second / 20))).unwrap();
            }
        }
        connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
        trickle(&mut connection, 100..105, 2000);
        // The last ping was written at some 80 s and answered at once.
        let deadline = connection.next_timeout(s(105.0)).unwrap();
        assert!(deadline > s(120.0) && deadline < s(140.0), "{deadline:?}");
    }
}

#[test]
fn the_close_timeout_begins_when_the_close_has_been_written() {
    for role in ROLES {
        let mut config = config();
        config.keepalive = None;
        let mut connection = open(role, &config);
        connection.send_binary(&[7; 100_000]).unwrap();
        connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
        trickle(&mut connection, 0..20, 4000);
        assert_eq!(cause(&connection), None, "it is 20 s since the Close was queued");
        written(&mut connection);
        connection.next_timeout(s(20.0));
        assert_eq!(connection.next_timeout(s(20.0)), Some(s(20.0 + 20.0 + 5.0)));
        connection.handle_timeout(s(44.9));
        assert_eq!(cause(&connection), None);
        connection.handle_timeout(s(45.0));
        assert_eq!(cause(&connection), Some(CloseCause::Timeout(Deadline::Close)));
        assert!(connection.wants_shutdown(), "what is on its way can still be delivered");
    }
}

/// Our Close written at 0 by a transport that took it at once.
fn closing(role: Role, config: &Config) -> Connection {
    let mut connection = open(role, config);
    connection.next_timeout(s(0.0));
    connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
    written(&mut connection);
    assert_eq!(connection.next_timeout(s(0.0)), Some(s(5.0)));
    connection
}

#[test]
fn bytes_that_arrive_restart_the_close_timeout() {
    for role in ROLES {
        let mut connection = closing(role, &config());
        let message = sent_to(role, BINARY, &[0; 40]);
        for (second, part) in message.chunks(4).enumerate() {
            let now = 4.0 * second as f64 + 4.0;
            give(&mut connection, part).unwrap();
            assert!(connection.timeout_changed());
            assert_eq!(connection.next_timeout(s(now)), Some(s(now + 5.0)));
            assert!(!connection.timeout_changed());
        }
        give(&mut connection, &sent_to(role, CLOSE, &close_body(1000, b""))).unwrap();
        assert!(connection.close_info().unwrap().is_clean());
    }
}

#[test]
fn bytes_that_arrive_while_no_task_receives_restart_the_close_timeout() {
    let mut connection = closing(Role::Client, &config());
    connection.heard_from_peer();
    assert_eq!(connection.next_timeout(s(3.0)), Some(s(8.0)));
}

#[test]
fn a_peer_that_trickles_after_a_sent_close_gets_no_more_than_close_total_timeout() {
    for (role, total) in [(Role::Server, Some(60)), (Role::Client, Some(300))] {
        let config = match role {
            Role::Server => Config::server(),
            Role::Client => Config::client(),
        };
        let mut connection = closing(role, &config);
        let mut ended = None;
        for second in 1..400 {
            let now = s(f64::from(second));
            give(&mut connection, &sent_to(role, TEXT, b"still here")).unwrap();
            if connection.next_timeout(now).is_some_and(|at| at <= now) {
                connection.handle_timeout(now);
                ended = Some(second);
                break;
            }
        }
        assert_eq!(ended, total, "{role:?}");
    }
}

#[test]
fn a_close_timeout_that_was_restarted_is_never_shortened() {
    let mut config = Config::client();
    config.keepalive = None;
    let mut connection = open(Role::Client, &config);
    connection.send_binary(&[7; 100_000]).unwrap();
    connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
    trickle(&mut connection, 0..20, 5000);
    written(&mut connection);
    connection.next_timeout(s(20.0));
    assert_eq!(connection.next_timeout(s(20.0)), Some(s(45.0)));
    give(&mut connection, &sent_to(Role::Client, TEXT, b"x")).unwrap();
    assert_eq!(connection.next_timeout(s(21.0)), Some(s(45.0)));
}

#[test]
fn bytes_that_are_not_flushed_have_not_been_written() {
    for role in ROLES {
        let mut connection = open(role, &config());
        assert_eq!(connection.next_timeout(s(0.0)), Some(s(20.0)));
        connection.send_binary(&[7; 1000]).unwrap();
        written(&mut connection);
        connection.set_unflushed(true);
        assert!(connection.is_unflushed() && connection.timeout_changed());
        assert_eq!(
            connection.next_timeout(s(1.0)),
            Some(s(20.0)),
            "the ping is due before write_timeout is over"
        );
        connection.handle_timeout(s(20.0));
        written(&mut connection);
        assert_eq!(connection.next_timeout(s(20.0)), Some(s(31.0)));
        // A transport that buffers takes more as long as its buffer has room.
        connection.send_binary(&[7; 1000]).unwrap();
        written(&mut connection);
        assert_eq!(connection.next_timeout(s(25.0)), Some(s(31.0)), "that it takes more is no progress");
        // What the peer sends does not excuse that it does not read.
        give(&mut connection, &sent_to(role, PONG, b"")).unwrap();
        connection.handle_timeout(s(31.0));
        assert_eq!(cause(&connection), Some(CloseCause::Timeout(Deadline::Write)));
        assert_eq!(connection.next_timeout(s(31.0)), None);
    }
}

#[test]
fn a_flush_that_ends_is_progress_and_so_are_bytes_taken_after_a_refusal() {
    for role in ROLES {
        let mut config = config();
        config.keepalive = None;
        let mut connection = open(role, &config);
        connection.send_binary(&[7; 1000]).unwrap();
        connection.output().advance(500);
        connection.set_unflushed(true);
        assert_eq!(connection.next_timeout(s(0.0)), Some(s(30.0)), "refused");
        connection.output().advance(100);
        assert_eq!(connection.next_timeout(s(10.0)), Some(s(40.0)), "taken after all");
        written(&mut connection);
        assert_eq!(connection.next_timeout(s(20.0)), Some(s(50.0)), "all is taken, and not flushed");
        connection.send_binary(&[7; 10]).unwrap();
        assert!(connection.timeout_changed(), "the transport may refuse that");
        assert_eq!(connection.next_timeout(s(25.0)), Some(s(50.0)));
        connection.output().advance(1);
        assert_eq!(connection.next_timeout(s(30.0)), Some(s(60.0)), "refused, and taken");
        written(&mut connection);
        connection.next_timeout(s(35.0));
        connection.set_unflushed(false);
        assert!(connection.timeout_changed());
        assert_eq!(connection.next_timeout(s(40.0)), None, "flushed");
    }
}

#[test]
fn after_a_failed_write_or_the_end_nothing_is_unflushed() {
    for role in ROLES {
        for end in [
            |connection: &mut Connection| connection.abort(),
            |connection: &mut Connection| {
                connection.write_failed(TransportEnd::Reset);
            },
        ] {
            let mut connection = open(role, &config());
            connection.set_unflushed(true);
            end(&mut connection);
            assert!(!connection.is_unflushed());
            connection.set_unflushed(true);
            assert!(!connection.is_unflushed());
        }
    }
}

#[test]
fn a_close_that_is_not_flushed_is_awaited_by_the_write_deadline() {
    for role in ROLES {
        let mut connection = open(role, &config());
        connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
        written(&mut connection);
        connection.set_unflushed(true);
        assert_eq!(connection.next_timeout(s(0.0)), Some(s(30.0)));
        connection.set_unflushed(false);
        connection.next_timeout(s(1.0));
        assert_eq!(connection.next_timeout(s(1.0)), Some(s(1.0 + 1.0 + 5.0)), "the flush took a second");
    }
}

#[test]
fn bytes_that_move_on_a_shared_transport_put_off_the_deadline_of_a_ping_for_two_minutes() {
    for role in ROLES {
        let mut connection = open(role, &config());
        connection.next_timeout(s(0.0));
        connection.handle_timeout(s(20.0));
        assert!(!written(&mut connection).is_empty(), "a ping");
        assert_eq!(connection.next_timeout(s(20.0)), Some(s(40.0)));
        let mut deadline = 40.0;
        while deadline < 140.0 {
            connection.shared_transport_moved(s(deadline - 1.0));
            connection.handle_timeout(s(deadline));
            assert!(connection.is_open(), "{role:?} at {deadline} s");
            deadline += 19.0;
            assert_eq!(connection.next_timeout(s(deadline - 19.0)), Some(s(deadline)));
        }
        connection.shared_transport_moved(s(deadline));
        connection.handle_timeout(s(deadline));
        assert_eq!(cause(&connection), Some(CloseCause::Timeout(Deadline::Keepalive)), "{role:?}");
    }
}

#[test]
fn bytes_that_move_on_a_shared_transport_put_off_the_deadline_of_a_write_only_if_it_holds_some_of_it() {
    for (held, put_off) in [(0, false), (1000, true)] {
        let mut connection = open(Role::Server, &config());
        connection.send_binary(&[7; 1000]).unwrap();
        connection.next_timeout(s(0.0));
        connection.set_held(held);
        connection.shared_transport_moved(s(29.0));
        connection.handle_timeout(s(30.0));
        assert_eq!(connection.is_open(), put_off, "{held} bytes are held");
    }
}
