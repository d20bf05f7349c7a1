//! Deadlines on a clock of the test's own: keepalive, stalled writes, control frames a second.

use crate::support;
use std::time::Duration;

use crate::support::{
    BINARY, PING, PONG, ROLES, TEXT, config, frames_from, give, open, s, sent_to, stream_to, written,
};
use bytes::Buf;
use ws_core::{
    CloseCause, CloseCode, Config, Connection, Deadline, Event, Initiator, Keepalive, ProtocolError, Role,
};

/// Lets the clock run to `until`, as a driver does; whatever is to be written is written.
fn run(connection: &mut Connection, now: &mut f64, until: f64) -> Vec<(f64, u8, Vec<u8>)> {
    let role = connection.role();
    let mut sent = Vec::new();
    loop {
        let frames = frames_from(role, &written(connection));
        sent.extend(frames.into_iter().map(|(first, payload)| (*now, first, payload)));
        match connection.next_timeout(s(*now)) {
            Some(at) if at <= s(until) => {
                assert!(at >= s(*now) || at.is_zero(), "a deadline lies ahead");
                *now = at.as_secs_f64();
                connection.handle_timeout(at);
            }
            _ => break,
        }
    }
    *now = until;
    sent
}

/// The payload of the keepalive ping of this number.
fn asked(count: u32) -> Vec<u8> {
    [*b"live", count.to_be_bytes()].concat()
}

fn quiet() -> Config {
    let mut config = config();
    config.keepalive = None;
    config
}

#[test]
fn a_quiet_connection_pings_after_20_s_and_fails_20_s_later() {
    for role in ROLES {
        let mut connection = open(role, &config());
        let mut now = 0.0;
        assert_eq!(run(&mut connection, &mut now, 19.999), []);
        let sent = run(&mut connection, &mut now, 39.999);
        assert_eq!(sent, [(20.0, PING, asked(1))]);
        assert!(connection.is_open());
        run(&mut connection, &mut now, 40.0);
        assert!(connection.is_ended());
        let info = connection.close_info().unwrap();
        assert_eq!(info.cause, CloseCause::Timeout(Deadline::Keepalive));
        assert_eq!((info.initiator, info.code()), (Initiator::Remote, CloseCode::ABNORMAL_CLOSURE));
        assert_eq!(connection.next_timeout(s(41.0)), None, "nothing is armed any more");
    }
}

#[test]
fn a_pong_is_a_sign_of_life_and_measures_the_round_trip() {
    for role in ROLES {
        let mut connection = open(role, &config());
        let mut now = 0.0;
        for round in 1..5u32 {
            let at = 20.0 * f64::from(round);
            let sent = run(&mut connection, &mut now, at + 0.25);
            assert_eq!(sent, [(at, PING, asked(round))]);
            let pong = sent_to(role, PONG, &asked(round));
            assert_eq!(give(&mut connection, &pong), Ok(vec![]), "the answer is the connection's own affair");
            assert!(connection.timeout_changed());
            run(&mut connection, &mut now, at + 0.5);
            assert_eq!(connection.rtt(), Some(s(0.25)));
        }
        assert!(connection.is_open());
    }
}

#[test]
fn data_or_part_of_a_frame_is_a_sign_of_life() {
    for role in ROLES {
        for sign in [sent_to(role, TEXT, b"hi"), sent_to(role, PONG, b"other"), vec![TEXT]] {
            let mut connection = open(role, &config());
            let mut now = 0.0;
            run(&mut connection, &mut now, 39.9);
            give(&mut connection, &sign).unwrap();
            let sent = run(&mut connection, &mut now, 59.9);
            assert_eq!(sent, [(40.0, PING, asked(2))], "the next question");
            assert!(connection.is_open());
            assert_eq!(connection.rtt(), None, "only the pong measures");
            run(&mut connection, &mut now, 60.0);
            assert!(connection.is_ended(), "silent since");
        }
    }
}

#[test]
fn bytes_of_a_large_payload_read_around_the_buffer_are_a_sign_of_life() {
    for role in ROLES {
        for (brought, alive) in [(1, true), (0, false)] {
            let mut connection = open(role, &config());
            let mut now = 0.0;
            let stream = sent_to(role, BINARY, &[0; 100_000]);
            give(&mut connection, &stream[..100]).unwrap();
            run(&mut connection, &mut now, 39.9);
            connection.read_large_payload(|buffer, _| buffer.extend(&[0; 1][..brought])).unwrap();
            run(&mut connection, &mut now, 40.0);
            assert_eq!(connection.is_open(), alive, "{brought} bytes");
        }
    }
}

#[test]
fn bytes_that_have_arrived_and_are_not_received_yet_are_a_sign_of_life() {
    let mut connection = open(Role::Server, &config());
    let mut now = 0.0;
    run(&mut connection, &mut now, 39.9);
    connection.heard_from_peer();
    run(&mut connection, &mut now, 40.0);
    assert!(connection.is_open());
}

#[test]
fn a_sign_of_life_before_the_ping_is_no_answer_to_the_ping() {
    let mut connection = open(Role::Server, &config());
    let mut now = 0.0;
    run(&mut connection, &mut now, 19.9);
    give(&mut connection, &sent_to(Role::Server, TEXT, b"hi")).unwrap();
    run(&mut connection, &mut now, 40.0);
    assert!(connection.is_ended());
}

#[test]
fn a_late_pong_to_a_keepalive_ping_is_not_reported_and_measures_no_round_trip() {
    for role in ROLES {
        let mut connection = open(role, &config());
        let mut now = 0.0;
        run(&mut connection, &mut now, 30.0);
        give(&mut connection, &sent_to(role, TEXT, b"busy")).unwrap();
        // The first ping is abandoned when the second is due, because the peer is alive.
        assert_eq!(run(&mut connection, &mut now, 50.0), [(40.0, PING, asked(2))]);
        assert_eq!(give(&mut connection, &sent_to(role, PONG, &asked(1))), Ok(vec![]));
        run(&mut connection, &mut now, 51.0);
        assert_eq!(connection.rtt(), None);
        give(&mut connection, &sent_to(role, PONG, &asked(2))).unwrap();
        assert_eq!(give(&mut connection, &sent_to(role, PONG, &asked(2))), Ok(vec![]), "a second time");
        run(&mut connection, &mut now, 51.0);
        assert_eq!(connection.rtt(), Some(s(11.0)));
        // These were never asked for by the connection itself.
        for other in [asked(3), asked(0), b"live".to_vec(), 1u32.to_be_bytes().to_vec(), Vec::new()] {
            let told = give(&mut connection, &sent_to(role, PONG, &other)).unwrap();
            assert_eq!(told, [Event::Pong(other.into())]);
        }
    }
}

#[test]
fn a_pong_just_before_a_late_deadline_does_not_answer_the_next_ping() {
    for role in ROLES {
        let mut connection = open(role, &config());
        let mut now = 0.0;
        run(&mut connection, &mut now, 39.0);
        // The driver was busy: it reads the pong and handles the deadline without asking between.
        give(&mut connection, &sent_to(role, PONG, &asked(1))).unwrap();
        connection.handle_timeout(s(40.0));
        now = 40.0;
        let sent = run(&mut connection, &mut now, 59.9);
        assert_eq!(sent, [(40.0, PING, asked(2))]);
        assert_eq!(connection.rtt(), Some(s(20.0)), "the first ping's, by when it was noticed");
        run(&mut connection, &mut now, 60.0);
        assert!(connection.is_ended(), "nothing answered the second ping");
    }
}

#[test]
fn keepalive_interval_and_timeout_are_settable_and_none_turns_keepalive_off() {
    for role in ROLES {
        let mut config = config();
        config.keepalive = Some(Keepalive::default().interval(s(1.0)).timeout(s(3.5)));
        let mut connection = open(role, &config);
        let mut now = 0.0;
        let sent = run(&mut connection, &mut now, 4.4);
        assert_eq!(sent, [(1.0, PING, asked(1))], "one question at a time");
        run(&mut connection, &mut now, 4.5);
        assert!(connection.is_ended());

        let mut connection = open(role, &quiet());
        assert_eq!(connection.next_timeout(s(0.0)), None);
    }
}

#[test]
fn a_write_that_stands_still_for_30_s_ends_the_connection() {
    for role in ROLES {
        let mut connection = open(role, &quiet());
        assert_eq!(connection.next_timeout(s(0.0)), None);
        connection.send_binary(&[0; 1000]).unwrap();
        let queued = connection.queued() as u64;
        assert!(connection.timeout_changed());
        assert_eq!(connection.next_timeout(s(10.0)), Some(s(40.0)));
        assert!(!connection.timeout_changed());
        connection.handle_timeout(s(39.999));
        assert!(!connection.is_ended());
        connection.handle_timeout(s(40.0));
        let info = connection.close_info().unwrap();
        assert_eq!((info.cause, info.unsent), (CloseCause::Timeout(Deadline::Write), queued));
    }
}

#[test]
fn progress_resets_the_write_deadline_and_more_to_write_does_not() {
    for role in ROLES {
        let mut connection = open(role, &quiet());
        connection.send_binary(&[0; 1000]).unwrap();
        assert_eq!(connection.next_timeout(s(0.0)), Some(s(30.0)));
        connection.send_binary(&[0; 1000]).unwrap();
        connection.ping(b"").unwrap();
        assert_eq!(connection.next_timeout(s(10.0)), Some(s(30.0)), "more to write is no progress");
        connection.output().advance(0);
        assert_eq!(connection.next_timeout(s(20.0)), Some(s(30.0)), "no byte is no progress");
        connection.output().advance(1);
        assert!(connection.timeout_changed());
        assert_eq!(connection.next_timeout(s(25.0)), Some(s(55.0)));
        written(&mut connection);
        assert_eq!(connection.next_timeout(s(26.0)), None, "all is written");
        connection.send_binary(b"x").unwrap();
        assert_eq!(connection.next_timeout(s(100.0)), Some(s(130.0)), "each stall has its own deadline");
    }
}

#[test]
fn a_close_that_cannot_be_written_ends_by_the_write_deadline() {
    for role in ROLES {
        let mut connection = open(role, &quiet());
        connection.send_binary(b"x").unwrap();
        assert_eq!(connection.next_timeout(s(0.0)), Some(s(30.0)));
        connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
        assert_eq!(
            connection.next_timeout(s(1.0)),
            Some(s(30.0)),
            "the peer cannot answer what it has not got"
        );
        connection.handle_timeout(s(30.0));
        assert_eq!(connection.close_info().unwrap().cause, CloseCause::Timeout(Deadline::Write));
    }
}

#[test]
fn handling_a_timeout_early_does_nothing() {
    for role in ROLES {
        let mut connection = open(role, &config());
        connection.next_timeout(s(0.0));
        for tenth in 0..200 {
            connection.handle_timeout(s(f64::from(tenth) / 10.0));
            assert_eq!((connection.queued(), connection.is_open()), (0, true));
            assert_eq!(connection.next_timeout(s(f64::from(tenth) / 10.0)), Some(s(20.0)));
        }
        connection.handle_timeout(s(20.0));
        assert_eq!(frames_from(role, &written(&mut connection)), [(PING, asked(1))]);
        for tenth in 200..400 {
            connection.handle_timeout(s(f64::from(tenth) / 10.0));
            assert_eq!((connection.queued(), connection.is_open()), (0, true));
            assert_eq!(connection.next_timeout(s(f64::from(tenth) / 10.0)), Some(s(40.0)));
        }
    }
}

#[test]
fn more_control_frames_in_a_second_than_the_limit_fail_with_1008() {
    for role in ROLES {
        let mut config = quiet();
        config.max_control_rate = Some(3);
        let mut connection = open(role, &config);
        connection.next_timeout(s(0.0));
        give(&mut connection, &stream_to(role, &[(PING, b""), (PONG, b""), (TEXT, b"t"), (PING, b"")]))
            .unwrap();
        connection.next_timeout(s(0.5));
        let error = give(&mut connection, &sent_to(role, PONG, b"")).unwrap_err();
        assert_eq!(error, ProtocolError::TooManyControlFrames { limit: 3 });
        assert_eq!(error.close_code().0, 1008);
    }
}

#[test]
fn control_frames_at_the_limit_pass_for_ever_however_seldom_the_clock_is_looked_at() {
    for role in ROLES {
        for gap in [1.0, 1.5, 10.0] {
            let mut config = quiet();
            config.max_control_rate = Some(2);
            let mut connection = open(role, &config);
            let mut now = 0.0;
            for _ in 0..20 {
                give(&mut connection, &stream_to(role, &[(PING, b""), (PONG, b"")])).unwrap();
                // The driver waits for input or the returned deadline, whichever is first.
                let until = now + gap;
                run(&mut connection, &mut now, until);
            }
            assert!(connection.is_open());
            let quiet_since = now;
            run(&mut connection, &mut now, quiet_since + 5.0);
            assert_eq!(connection.next_timeout(s(now)), None, "the count needs no clock when nothing comes");
        }
    }
}

#[test]
fn a_duration_beyond_the_clock_is_never_and_not_soon() {
    // 2⁶⁴ ns and a little, and the longest there is.
    for duration in [Duration::new(18_446_744_074, 0), Duration::from_secs(1 << 40), Duration::MAX] {
        let mut config = config();
        config.keepalive = Some(Keepalive::default().interval(duration).timeout(duration));
        config.write_timeout = duration;
        config.close_timeout = duration;
        let mut connection = open(Role::Server, &config);
        connection.send_text("x").unwrap();
        assert_eq!(connection.next_timeout(s(1.0)), None, "{duration:?}");
        connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
        assert_eq!(connection.next_timeout(s(2.0)), None);
        connection.handle_timeout(s(1e9));
        assert!(!connection.is_ended());
    }
}

#[test]
fn every_deadline_that_is_armed_comes_to_an_end() {
    for role in ROLES {
        for how in 0..5 {
            let mut connection = open(role, &config());
            match how {
                0 => {}
                1 => connection.send_text("x").unwrap(),
                2 => connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap(),
                3 => drop(give(&mut connection, &[0xFF])),
                _ => drop(give(&mut connection, &sent_to(role, support::CLOSE, b""))),
            }
            // A peer that is gone: nothing comes, and nothing can be written.
            let mut steps = 0;
            let mut now = s(0.0);
            while let Some(at) = connection.next_timeout(now) {
                now = at;
                connection.handle_timeout(at);
                steps += 1;
                assert!(steps < 10 && now < s(120.0), "it does not end");
            }
            assert!(connection.is_ended(), "case {how}");
        }
    }
}

#[test]
fn no_keepalive_ping_follows_a_sent_close() {
    for role in ROLES {
        let mut connection = open(role, &config());
        assert_eq!(connection.next_timeout(s(0.0)), Some(s(20.0)));
        connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
        written(&mut connection);
        // The driver has not asked again.
        connection.handle_timeout(s(20.0));
        assert!(written(&mut connection).is_empty());
    }
}
