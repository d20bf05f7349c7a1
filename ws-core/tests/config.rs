//! Settings: the defaults of the contract, and what `check` refuses.

use std::time::Duration;

use ws_core::{Config, Keepalive};

/// The setting that `check` names once `change` has been made.
fn refused(change: impl Fn(&mut Config)) -> Option<&'static str> {
    let mut config = Config::server();
    change(&mut config);
    config.check().err().map(|error| error.setting)
}

#[test]
fn the_defaults_are_the_contracts_and_make_sense() {
    let (server, client) = (Config::server(), Config::client());
    assert_eq!((server.check(), client.check()), (Ok(()), Ok(())));
    assert_eq!((server.max_message_size, client.max_message_size), (1 << 20, 16 << 20));
    assert_eq!((server.fragment_limit(), client.fragment_limit()), (16_384, 262_144));
    // Twice a message, both queues and 1 MiB.
    assert_eq!((server.memory_bound(), client.memory_bound()), (14 << 20, 44 << 20));
    for config in [server, client] {
        assert_eq!((config.max_control_rate, config.max_stream_size), (None, u64::MAX));
        assert_eq!((config.max_frame_size, config.inbound_budget), (256 << 10, 4 << 20));
        assert_eq!((config.outbound_high_water, config.outbound_limit), (64 << 10, 1 << 20));
        assert_eq!(config.write_timeout, Duration::from_secs(30));
        assert_eq!(config.close_timeout, Duration::from_secs(5));
        assert_eq!((config.linger_timeout, config.linger_bytes), (Duration::from_secs(1), 4 << 20));
        let keepalive = Keepalive { interval: Duration::from_secs(20), timeout: Duration::from_secs(20) };
        assert_eq!((config.keepalive, Keepalive::default()), (Some(keepalive), keepalive));
    }
}

#[test]
fn a_limit_of_zero_is_refused_by_its_name() {
    assert_eq!(refused(|config| config.max_message_size = 0), Some("max_message_size"));
    assert_eq!(refused(|config| config.max_stream_size = 0), Some("max_stream_size"));
    assert_eq!(refused(|config| config.max_fragments = Some(0)), Some("max_fragments"));
    assert_eq!(refused(|config| config.max_control_rate = Some(0)), Some("max_control_rate"));
}

#[test]
fn a_duration_of_zero_is_refused_by_its_name() {
    let zero = Duration::ZERO;
    assert_eq!(refused(|config| config.write_timeout = zero), Some("write_timeout"));
    assert_eq!(refused(|config| config.close_timeout = zero), Some("close_timeout"));
    assert_eq!(refused(|config| config.linger_timeout = zero), Some("linger_timeout"));
    let keepalive = Keepalive::default();
    let interval = Some(Keepalive { interval: zero, ..keepalive });
    assert_eq!(refused(|config| config.keepalive = interval), Some("keepalive.interval"));
    let timeout = Some(Keepalive { timeout: zero, ..keepalive });
    assert_eq!(refused(|config| config.keepalive = timeout), Some("keepalive.timeout"));
    assert_eq!(refused(|config| config.keepalive = None), None);
}

#[test]
fn a_frame_must_be_able_to_hold_a_control_payload() {
    assert_eq!(refused(|config| config.max_frame_size = 124), Some("max_frame_size"));
    assert_eq!(refused(|config| config.max_frame_size = 125), None);
}

#[test]
fn the_high_water_mark_is_above_neither_limit() {
    assert_eq!(
        refused(|config| config.outbound_limit = config.outbound_high_water - 1),
        Some("outbound_limit")
    );
    assert_eq!(refused(|config| config.outbound_limit = config.outbound_high_water), None);
    assert_eq!(
        refused(|config| config.memory_limit = Some(config.outbound_high_water - 1)),
        Some("memory_limit")
    );
    assert_eq!(refused(|config| config.memory_limit = Some(config.outbound_high_water)), None);
}

#[test]
fn a_refusal_says_the_setting_the_value_and_what_to_do() {
    let mut config = Config::server();
    config.max_frame_size = 7;
    let says = config.check().err().map(|error| error.to_string()).unwrap_or_default();
    assert_eq!(says, "max_frame_size = 7 is not possible: it must be at least 125 bytes");
}

#[cfg(feature = "deflate")]
#[test]
fn a_compression_level_above_9_is_refused_by_its_name() {
    let mut config = ws_core::deflate::Config::server();
    config.level = 9;
    assert_eq!(config.check(), Ok(()));
    config.level = 10;
    assert_eq!(config.check().unwrap_err().setting, "deflate.level");
}
