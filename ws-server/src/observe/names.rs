//! The names of the metrics, with what they say of themselves.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

pub(crate) const ACCEPTED: &str = "ws_server_connections_accepted_total";
pub(crate) const CONNECTIONS: &str = "ws_server_connections";
pub(crate) const ACCEPT_FAILURES: &str = "ws_server_accept_failures_total";
pub(crate) const REFUSED: &str = "ws_server_handshakes_refused_total";
pub(crate) const FAILED: &str = "ws_server_handshakes_failed_total";
pub(crate) const HANDSHAKE_DURATION: &str = "ws_server_handshake_duration_seconds";
pub(crate) const PLAIN: &str = "ws_server_plain_requests_total";
pub(crate) const OPENED: &str = "ws_server_websockets_opened_total";
pub(crate) const OPEN: &str = "ws_server_websockets_open";
pub(crate) const CLOSED: &str = "ws_server_websockets_closed_total";
pub(crate) const PANICS: &str = "ws_server_panics_total";
pub(crate) const MESSAGES: &str = "ws_server_messages_total";
pub(crate) const BYTES: &str = "ws_server_bytes_total";
pub(crate) const QUEUED: &str = "ws_server_queued_bytes";
pub(crate) const ROUND_TRIP: &str = "ws_server_round_trip_seconds";
pub(crate) const MEMORY_USED: &str = "ws_server_memory_used_bytes";
pub(crate) const MEMORY_LIMIT: &str = "ws_server_memory_limit_bytes";
pub(crate) const READS_DELAYED: &str = "ws_server_reads_delayed_total";
pub(crate) const DRAINING: &str = "ws_server_draining";
pub(crate) const DRAINED: &str = "ws_server_drained_total";
pub(crate) const DRAIN_DURATION: &str = "ws_server_drain_duration_seconds";

/// The reasons of refusals: [`AcceptError::reason`](crate::config::error::AcceptError::reason).
const REFUSALS: [&str; 11] = [
    "guard",
    "origin",
    "host",
    "no_endpoint",
    "shutting_down",
    "internal",
    "max_connections",
    "max_handshakes",
    "max_memory",
    "per_address.max_connections",
    "per_address.handshakes_per_second",
];

/// The reasons of failures, from there too, and that of a connection that was cut off at once.
const FAILURES: [&str; 10] = [
    "malformed",
    "closed",
    "io",
    "tls",
    "timeout",
    "proxy_timeout",
    "displaced",
    "flood",
    "shutting_down",
    "upgrade",
];

/// Describes all of them, and makes those that count appear with zero: what has not happened yet is then no gap in a graph. Only
/// `CLOSED` appears with the first end of a kind, as there are too many kinds.
pub(crate) fn describe() {
    describe_counter!(ACCEPTED, "Connections accepted.");
    describe_gauge!(CONNECTIONS, "Connections held: handshakes, answers being written, WebSockets.");
    describe_counter!(ACCEPT_FAILURES, "Attempts to accept a connection that the system refused.");
    describe_counter!(REFUSED, "Opening handshakes refused with an HTTP status, by reason.");
    describe_counter!(FAILED, "Opening handshakes that came to nothing, by reason.");
    describe_histogram!(
        HANDSHAKE_DURATION,
        Unit::Seconds,
        "Time until a WebSocket is open, by HTTP version."
    );
    describe_counter!(PLAIN, "Requests that asked for no WebSocket and were answered as plain HTTP.");
    describe_counter!(OPENED, "WebSockets opened, by HTTP version.");
    describe_gauge!(OPEN, "WebSockets open now.");
    describe_counter!(CLOSED, "WebSockets that have ended, by initiator, cause and close code.");
    describe_counter!(PANICS, "Handlers, guards and pages that panicked.");
    describe_counter!(MESSAGES, "Messages, by direction.");
    describe_counter!(BYTES, Unit::Bytes, "Bytes of frames, by direction.");
    describe_gauge!(QUEUED, Unit::Bytes, "Bytes that wait to be written to all WebSockets.");
    describe_histogram!(ROUND_TRIP, Unit::Seconds, "Round trips of keepalive pings.");
    describe_gauge!(MEMORY_USED, Unit::Bytes, "Memory of all connections, as max_memory counts it.");
    describe_gauge!(MEMORY_LIMIT, Unit::Bytes, "The setting max_memory.");
    describe_counter!(READS_DELAYED, "How often reading waited for a limit of an address.");
    describe_gauge!(DRAINING, "Servers that are shutting down.");
    describe_counter!(DRAINED, "Connections that a shutdown found, by outcome.");
    describe_histogram!(DRAIN_DURATION, Unit::Seconds, "Duration of shutdowns.");
    for name in [ACCEPTED, ACCEPT_FAILURES, PLAIN, PANICS, READS_DELAYED] {
        metrics::counter!(name).increment(0);
    }
    for name in [CONNECTIONS, OPEN, QUEUED, MEMORY_USED, DRAINING] {
        metrics::gauge!(name).increment(0.0);
    }
    for (name, label, values) in [
        (REFUSED, "reason", &REFUSALS[..]),
        (FAILED, "reason", &FAILURES),
        (OPENED, "http", &["1.1", "2"]),
        (MESSAGES, "direction", &["received", "sent"]),
        (BYTES, "direction", &["received", "sent"]),
        (DRAINED, "outcome", &["closed", "aborted"]),
    ] {
        for value in values {
            metrics::counter!(name, label => *value).increment(0);
        }
    }
}
