//! What holds exactly at the border of a limit, and of what is and is no progress.

use std::time::Duration;

use crate::support::{ROLES, config, open, s, written};
use ws_core::{Config, Role};

#[test]
fn there_is_room_below_the_high_water_mark() {
    let mut config = config();
    config.send_high_water = 1000;
    for (payload, room) in [(995, true), (996, false), (997, false)] {
        let mut connection = open(Role::Server, &config);
        assert!(connection.has_room());
        // Behind a header of four bytes.
        connection.send_binary(&vec![7; payload]).unwrap();
        assert_eq!(connection.has_room(), room, "{payload}");
        written(&mut connection);
        assert!(connection.has_room());
    }
}

#[test]
fn a_memory_limit_is_at_least_512_kib_and_the_high_water_mark() {
    let refused = |max_memory, send_high_water| {
        let mut config = Config::server();
        (config.max_memory, config.send_high_water) = (Some(max_memory), send_high_water);
        config.check().err().map(|error| error.setting)
    };
    assert_eq!(refused(524_288, 65_536), None);
    assert_eq!(refused(524_287, 65_536), Some("max_memory"));
    assert_eq!(refused(600_000, 600_000), None);
    assert_eq!(refused(600_000, 600_001), Some("max_memory"));
}

#[test]
fn that_bytes_are_held_back_is_no_progress_however_often_it_is_reported() {
    for role in ROLES {
        let mut config = config();
        config.keepalive = None;
        let mut connection = open(role, &config);
        connection.send_binary(&[7; 1000]).unwrap();
        written(&mut connection);
        connection.set_unflushed(true);
        assert_eq!(connection.next_timeout(s(0.0)), Some(s(30.0)));
        connection.set_unflushed(true);
        assert_eq!(connection.next_timeout(s(10.0)), Some(s(30.0)));
        connection.set_unflushed(false);
        assert_eq!(connection.next_timeout(s(20.0)), None);
        connection.set_unflushed(false);
        assert_eq!(connection.next_timeout(s(20.0)), None);
    }
}

#[test]
fn the_answer_to_a_ping_that_is_not_flushed_is_not_awaited_yet() {
    for role in ROLES {
        let mut config = config();
        config.write_timeout = Duration::from_secs(120);
        let mut connection = open(role, &config);
        assert_eq!(connection.next_timeout(s(0.0)), Some(s(20.0)));
        connection.handle_timeout(s(20.0));
        assert!(!written(&mut connection).is_empty(), "the ping");
        connection.set_unflushed(true);
        assert_eq!(connection.next_timeout(s(20.0)), Some(s(140.0)), "write_timeout, not that of the answer");
        connection.set_unflushed(false);
        // Flushed at 30; what has taken ten seconds may be on its way for as long.
        assert_eq!(connection.next_timeout(s(30.0)), Some(s(30.0 + 10.0 + 20.0)));
    }
}
