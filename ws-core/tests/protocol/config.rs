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
fn the_default_configuration_is_documented_and_valid() {
    let (server, client) = (Config::server(), Config::client());
    assert_eq!((server.check(), client.check()), (Ok(()), Ok(())));
    assert_eq!((server.max_message_size, client.max_message_size), (1 << 20, 16 << 20));
    assert_eq!((server.fragment_limit(), client.fragment_limit()), (16_384, 262_144));
    // Twice a message, both queues and 1 MiB.
    assert_eq!((server.memory_bound(), client.memory_bound()), (14 << 20, 44 << 20));
    assert_eq!(server.close_total_timeout, Some(Duration::from_secs(60)));
    assert_eq!(client.close_total_timeout, Some(Duration::from_secs(300)));
    for config in [server, client] {
        assert_eq!((config.max_control_rate, config.max_stream_size), (None, u64::MAX));
        assert_eq!((config.max_frame_size, config.max_read_ahead), (256 << 10, 4 << 20));
        assert_eq!((config.send_high_water, config.max_queued), (64 << 10, 1 << 20));
        assert_eq!(config.message_timeout, Some(Duration::from_secs(60)));
        assert_eq!(config.write_timeout, Duration::from_secs(30));
        assert_eq!(config.close_timeout, Duration::from_secs(5));
        assert!(!config.delay_close_reply);
        assert_eq!((config.linger_timeout, config.max_linger_bytes), (Duration::from_secs(1), 4 << 20));
        let keepalive =
            Keepalive::default().interval(Duration::from_secs(20)).timeout(Duration::from_secs(20));
        assert_eq!((config.keepalive, Keepalive::default()), (Some(keepalive), keepalive));
    }
}

#[test]
fn a_limit_of_zero_is_refused_by_its_name() {
    assert_eq!(refused(|config| config.max_message_size = 0), Some("max_message_size"));
    assert_eq!(refused(|config| config.max_stream_size = 0), Some("max_stream_size"));
    assert_eq!(refused(|config| config.max_fragments = Some(0)), Some("max_fragments"));
    assert_eq!(refused(|config| config.max_control_rate = Some(0)), Some("max_control_rate"));
    assert_eq!(refused(|config| config.send_high_water = 0), Some("send_high_water"));
    assert_eq!(refused(|config| config.max_queued = 0), Some("max_queued"));
    let neither = |config: &mut Config| (config.send_high_water, config.max_queued) = (0, 0);
    assert_eq!(refused(neither), Some("max_queued"));
    assert_eq!(refused(|config| config.max_read_ahead = 0), Some("max_read_ahead"));
    assert_eq!(refused(|config| config.max_linger_bytes = 0), Some("max_linger_bytes"));
    assert_eq!(refused(|config| config.max_memory = Some(0)), Some("max_memory"));
}

#[test]
fn a_duration_below_a_millisecond_is_refused_by_its_name() {
    for short in [Duration::ZERO, Duration::from_nanos(999_999)] {
        assert_eq!(refused(|config| config.message_timeout = Some(short)), Some("message_timeout"));
        assert_eq!(refused(|config| config.write_timeout = short), Some("write_timeout"));
        assert_eq!(refused(|config| config.close_timeout = short), Some("close_timeout"));
        assert_eq!(refused(|config| config.close_total_timeout = Some(short)), Some("close_total_timeout"));
        assert_eq!(refused(|config| config.linger_timeout = short), Some("linger_timeout"));
        let keepalive = Keepalive::default();
        let interval = Some(keepalive.interval(short));
        assert_eq!(refused(|config| config.keepalive = interval), Some("keepalive.interval"));
        let timeout = Some(keepalive.timeout(short));
        assert_eq!(refused(|config| config.keepalive = timeout), Some("keepalive.timeout"));
    }
    assert_eq!(refused(|config| config.write_timeout = Duration::from_millis(1)), None);
    assert_eq!(refused(|config| config.write_timeout = Duration::MAX), None);
    assert_eq!(refused(|config| config.close_total_timeout = None), None);
    assert_eq!(refused(|config| config.keepalive = None), None);
}

#[test]
fn a_frame_must_be_able_to_hold_a_control_payload() {
    assert_eq!(refused(|config| config.max_frame_size = 124), Some("max_frame_size"));
    assert_eq!(refused(|config| config.max_frame_size = 125), None);
}

#[test]
fn the_high_water_mark_is_above_neither_limit() {
    assert_eq!(refused(|config| config.max_queued = config.send_high_water - 1), Some("max_queued"));
    assert_eq!(refused(|config| config.max_queued = config.send_high_water), None);
    let above = |config: &mut Config| {
        config.send_high_water = 1 << 20;
        config.max_memory = Some((1 << 20) - 1);
    };
    assert_eq!(refused(above), Some("max_memory"));
    assert_eq!(refused(|config| config.max_memory = Some((512 << 10) - 1)), Some("max_memory"));
    assert_eq!(refused(|config| config.max_memory = Some(512 << 10)), None);
}

#[test]
fn a_refusal_says_the_setting_the_value_and_what_to_do() {
    let mut config = Config::server();
    config.max_frame_size = 7;
    let says = config.check().err().map(|error| error.to_string()).unwrap_or_default();
    assert_eq!(says, "max_frame_size = 7 is not possible: it must be at least 125 bytes");
    let mut config = Config::server();
    config.close_timeout = Duration::from_micros(5);
    let says = config.check().err().map(|error| error.to_string()).unwrap_or_default();
    let must = "it is in nanoseconds, and must be at least 1000000 (1 ms)";
    assert_eq!(says, format!("close_timeout = 5000 is not possible: {must}"));
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
