//! The metrics of a server, by the facade of the crate `metrics`: their names and labels, as `docs/observe.md` lists them. Without the
//! feature `metrics` nothing is counted here.

use std::time::Duration;

use http::Version;
use ws_core::{CloseCause, CloseCode, CloseInfo, Deadline, Initiator, ProtocolError, TransportEnd};

#[cfg(feature = "metrics")]
pub(crate) mod names;

/// Counts one more.
macro_rules! count {
    ($name:ident $(, $label:literal => $value:expr)*) => {{
        #[cfg(feature = "metrics")]
        ::metrics::counter!(names::$name $(, $label => $value)*).increment(1);
        #[cfg(not(feature = "metrics"))]
        let _ = ($($value),*);
    }};
}

/// Adds to a gauge, which several servers share.
macro_rules! add {
    ($name:ident, $amount:expr) => {{
        #[cfg(feature = "metrics")]
        ::metrics::gauge!(names::$name).increment($amount);
    }};
}

/// Adds a value to a histogram.
macro_rules! record {
    ($name:ident, $value:expr $(, $label:literal => $label_value:expr)*) => {{
        #[cfg(feature = "metrics")]
        ::metrics::histogram!(names::$name $(, $label => $label_value)*).record($value);
        #[cfg(not(feature = "metrics"))]
        let _ = ($value, $($label_value),*);
    }};
}

pub(crate) fn connection_accepted() {
    count!(ACCEPTED);
}

pub(crate) fn connection_begins() {
    count!(ACCEPTED);
    add!(CONNECTIONS, 1.0);
}

pub(crate) fn connection_ends() {
    add!(CONNECTIONS, -1.0);
}

pub(crate) fn accept_failed() {
    count!(ACCEPT_FAILURES);
}

pub(crate) fn refused(reason: &'static str) {
    count!(REFUSED, "reason" => reason);
}

pub(crate) fn failed(reason: &'static str) {
    count!(FAILED, "reason" => reason);
}

pub(crate) fn plain_answered() {
    count!(PLAIN);
}

pub(crate) fn panicked() {
    count!(PANICS);
}

/// A WebSocket has opened over this version of HTTP, this long after its request.
pub(crate) fn opened(version: Version, took: Duration) {
    let http = if version >= Version::HTTP_2 { "2" } else { "1.1" };
    count!(OPENED, "http" => http);
    add!(OPEN, 1.0);
    record!(HANDSHAKE_DURATION, took.as_secs_f64(), "http" => http);
}

/// A WebSocket is no longer open.
pub(crate) fn open_ends() {
    add!(OPEN, -1.0);
}

/// A WebSocket has ended in this way.
pub(crate) fn closed(end: End) {
    let End { initiator, cause, code } = end;
    count!(CLOSED, "initiator" => initiator, "cause" => cause, "code" => code);
}

#[cfg(feature = "metrics")]
pub(crate) fn round_trip(rtt: Duration) {
    record!(ROUND_TRIP, rtt.as_secs_f64());
}

pub(crate) fn read_delayed() {
    count!(READS_DELAYED);
}

pub(crate) fn drain_begins() {
    add!(DRAINING, 1.0);
}

/// A shutdown has ended, in which this many connections closed and were cut off.
pub(crate) fn drained(closed: usize, aborted: usize, took: Duration) {
    add!(DRAINING, -1.0);
    #[cfg(feature = "metrics")]
    {
        ::metrics::counter!(names::DRAINED, "outcome" => "closed").increment(closed as u64);
        ::metrics::counter!(names::DRAINED, "outcome" => "aborted").increment(aborted as u64);
    }
    let _ = (closed, aborted);
    record!(DRAIN_DURATION, took.as_secs_f64());
}

/// How a WebSocket has ended, in the words of the labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) initiator: &'static str,
    pub(crate) cause: &'static str,
    pub(crate) code: &'static str,
}

impl End {
    /// Cut off by this end, without a closing handshake.
    pub(crate) const ABORTED: Self = Self { initiator: "local", cause: "aborted", code: "1006" };
    /// Its handler has returned, and another task keeps the WebSocket.
    pub(crate) const DETACHED: Self = Self { initiator: "local", cause: "detached", code: "1005" };

    pub(crate) fn of(info: &CloseInfo) -> Self {
        let (initiator, code) = match info.initiator {
            Initiator::Local => ("local", info.sent.or(info.received)),
            Initiator::Remote => ("remote", info.received.or(info.sent)),
        };
        Self { initiator, cause: cause(info.cause), code: code.map_or("1006", self::code) }
    }
}

fn cause(cause: CloseCause) -> &'static str {
    match cause {
        CloseCause::Handshake => "handshake",
        CloseCause::Protocol(ProtocolError::MemoryShort) => "memory",
        CloseCause::Protocol(ProtocolError::MessageStalled { .. }) => "message_timeout",
        CloseCause::Protocol(ProtocolError::OverRate | ProtocolError::TooManyControlFrames { .. }) => "rate",
        CloseCause::Protocol(_) => "protocol",
        CloseCause::Transport(TransportEnd::Eof) => "eof",
        CloseCause::Transport(TransportEnd::Reset) => "reset",
        CloseCause::Transport(TransportEnd::Truncated) => "truncated",
        CloseCause::Timeout(Deadline::Keepalive) => "keepalive_timeout",
        CloseCause::Timeout(Deadline::Write) => "write_timeout",
        CloseCause::Timeout(Deadline::Close) => "close_timeout",
        CloseCause::Aborted => "aborted",
        // `TransportEnd::Failed`, and what is added later.
        _ => "transport",
    }
}

/// A peer may send any of 2,000 codes of its own, which have two values here: a label must have few.
fn code(code: CloseCode) -> &'static str {
    match code.0 {
        1000 => "1000",
        1001 => "1001",
        1002 => "1002",
        1003 => "1003",
        1005 => "1005",
        1006 => "1006",
        1007 => "1007",
        1008 => "1008",
        1009 => "1009",
        1010 => "1010",
        1011 => "1011",
        1012 => "1012",
        1013 => "1013",
        1014 => "1014",
        3000..=3999 => "3xxx",
        4000..=4999 => "4xxx",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn info(initiator: Initiator, cause: CloseCause, sent: Option<u16>, received: Option<u16>) -> CloseInfo {
        let mut info = CloseInfo::new(initiator, cause);
        (info.sent, info.received) = (sent.map(CloseCode), received.map(CloseCode));
        info
    }

    #[test]
    fn the_code_of_an_end_is_that_of_the_side_that_ended_it() {
        use Initiator::{Local, Remote};
        let handshake = CloseCause::Handshake;
        let eof = CloseCause::Transport(TransportEnd::Eof);
        let memory = CloseCause::Protocol(ProtocolError::MemoryShort);
        let rate = CloseCause::Protocol(ProtocolError::OverRate);
        let control = CloseCause::Protocol(ProtocolError::TooManyControlFrames { limit: 20 });
        for (info, expected) in [
            (info(Local, handshake, Some(1001), Some(1000)), ("local", "handshake", "1001")),
            (info(Remote, handshake, Some(1000), Some(4321)), ("remote", "handshake", "4xxx")),
            (info(Remote, handshake, Some(3000), Some(3000)), ("remote", "handshake", "3xxx")),
            (info(Remote, eof, None, None), ("remote", "eof", "1006")),
            (info(Remote, memory, Some(1013), None), ("remote", "memory", "1013")),
            (info(Remote, rate, Some(1008), None), ("remote", "rate", "1008")),
            (info(Remote, control, Some(1008), None), ("remote", "rate", "1008")),
        ] {
            let End { initiator, cause, code } = End::of(&info);
            assert_eq!((initiator, cause, code), expected);
        }
    }

    /// Settings that the table names beside the values.
    const SETTINGS: [&str; 3] = ["max_memory", "Excess::Close", "max_control_rate"];

    /// The values of a label in the table of `docs/observe.md`.
    fn documented(label: &str) -> BTreeSet<String> {
        let text = include_str!("../docs/observe.md");
        let row = text.lines().find(|line| line.starts_with(&format!("| `{label}` |"))).unwrap();
        let cell = row.split('|').nth(2).unwrap();
        cell.split('`')
            .skip(1)
            .step_by(2)
            .filter(|word| !SETTINGS.contains(word))
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn the_codes_that_a_peer_may_send_are_few_and_all_are_documented() {
        let values: BTreeSet<String> =
            (0..=u16::MAX).map(|number| code(CloseCode(number)).to_owned()).collect();
        // 1001, 1002 and 1008 to 1013 are between those that the table names.
        let between = [1001, 1002].into_iter().chain(1008..=1013).map(|code: u16| code.to_string());
        assert_eq!(values, documented("code").into_iter().chain(between).collect());
    }

    #[test]
    fn the_causes_of_ends_are_those_that_are_documented() {
        let stalled = ProtocolError::MessageStalled { timeout: Duration::ZERO };
        let protocol =
            [ProtocolError::MemoryShort, stalled, ProtocolError::OverRate, ProtocolError::InvalidUtf8]
                .map(CloseCause::Protocol);
        let ends = [TransportEnd::Eof, TransportEnd::Reset, TransportEnd::Truncated, TransportEnd::Failed];
        let deadlines = [Deadline::Keepalive, Deadline::Write, Deadline::Close].map(CloseCause::Timeout);
        let causes = [CloseCause::Handshake, CloseCause::Aborted].into_iter().chain(protocol);
        let causes = causes.chain(ends.map(CloseCause::Transport)).chain(deadlines);
        let values = causes.map(cause).chain([End::DETACHED.cause, End::ABORTED.cause]).map(str::to_owned);
        assert_eq!(values.collect::<BTreeSet<_>>(), documented("cause"));
    }
}
