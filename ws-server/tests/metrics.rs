//! The metrics of a server: what they count, and that they are those of `docs/observe.md`.
#![cfg(feature = "metrics")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "metrics/kept.rs"]
mod kept;
#[path = "metrics/reasons.rs"]
mod reasons;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::{Running, ask, echo, frame, get, opening, options, reply, run, soon};
use kept::{Kept, Value};
use ws_server::{
    AddressLimits, CloseCode, Endpoint, Excess, HostPolicy, Request, Response, Server, WebSocket, response,
};

/// A server with an endpoint of each kind, and limits that one address can reach.
fn server() -> ws_server::ServerBuilder {
    let guard = async |_: Request| -> Result<Request, Response> { Err(response::unauthorized()) };
    let panics = async |_: Request| -> Result<Request, Response> { panic!("a guard that panics") };
    let closes = async |mut socket: WebSocket| socket.close(CloseCode(3001), "").await.map(drop);
    let mut config = ws_server::Config::server();
    config.keepalive = config.keepalive.map(|mut keepalive| {
        keepalive.interval = Duration::from_millis(100);
        keepalive
    });
    let pinging = Endpoint::new(echo).connection(config);
    let limits = AddressLimits::default().max_connections(Some(3));
    let options = options(|options| {
        options.per_address = limits;
        // One request waits for it; the others are done long before, also on a busy machine.
        options.handshake.timeout = Duration::from_secs(4);
        options.drain_timeout = Duration::from_millis(800);
        options.drain_spread = Duration::ZERO;
    });
    Server::builder()
        .options(options)
        .allowed_hosts(HostPolicy::Loopback)
        .route("/", echo)
        .route("/closes", closes)
        .endpoint("/pinging", pinging)
        .endpoint("/guarded", Endpoint::new(echo).guard(guard))
        .endpoint("/panics", Endpoint::new(echo).guard(panics))
}

/// Opens a WebSocket, and ends it from the peer's side with a Close of that code.
async fn closed_by_peer(server: &Running, code: u16) {
    let mut peer = server.open("/").await;
    peer.send(frame(0x88, &code.to_be_bytes())).await;
    peer.rest().await;
}

/// Does something of each kind with a server; ends with its shutdown, which cuts one peer off.
async fn everything(kept: &Kept) {
    let mut server = run(server()).await;
    for request in [
        opening("/guarded?token=hush", ""),
        opening("/guarded", ""),
        opening("/nowhere-hush", ""),
        opening("/", "Origin: https://hush.example\r\n"),
        opening("/", "").replace("Host: localhost", "Host: hush.example"),
        opening("/panics", ""),
        get("/hush"),
        "GET / HTTP/1.1\r\nhush\r\n\r\n".to_owned(),
        // Half of a request, until the time of the handshake is over.
        "GET / HTTP/1.1\r\nHost: hush".to_owned(),
    ] {
        ask(&server, request).await;
    }
    drop(server.connect().await);
    for code in [1000, 1000, 1001, 3999, 4000, 4999] {
        closed_by_peer(&server, code).await;
    }
    server.until(|stats| stats.connections() == 0).await;
    let mut unmasked = server.open("/").await;
    unmasked.send(reply(0x81, b"hush")).await;
    unmasked.rest().await;
    drop(server.open("/").await);
    server.until(|stats| stats.connections() == 0).await;
    let mut closing = server.open("/closes").await;
    closing.bytes(4).await;
    closing.send(frame(0x88, &3001u16.to_be_bytes())).await;
    closing.rest().await;
    server.until(|stats| stats.connections() == 0).await;
    // An echo, a ping of the server's that is answered, and one WebSocket too many of the address.
    let mut pinged = server.open("/pinging").await;
    let [first, length] = pinged.bytes(2).await[..] else { unreachable!() };
    assert_eq!(first, 0x89);
    let payload = pinged.bytes(length.into()).await;
    pinged.send(frame(0x8A, &payload)).await;
    let round_trip = async {
        while kept.number("round_trip_seconds", &[]) < 1.0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(round_trip).await;
    drop(pinged);
    server.until(|stats| stats.connections() == 0).await;
    let mut peers = Vec::new();
    for _ in 0..3 {
        let mut peer = server.open("/").await;
        peer.send(frame(0x81, b"hello")).await;
        assert_eq!(peer.bytes(7).await, reply(0x81, b"hello"));
        peers.push(peer);
    }
    assert!(ask(&server, opening("/", "")).await.starts_with("HTTP/1.1 429 "));
    server.until(|stats| stats.connections() == 3).await;
    server.stats.record_metrics();
    assert_eq!(kept.number("websockets_open", &[]), 3.0);
    assert_eq!(kept.number("connections", &[]), 3.0);
    assert!(kept.number("memory_used_bytes", &[]) > 0.0);
    assert!(kept.number("memory_limit_bytes", &[]) >= (1 << 20) as f64);
    server.stop();
    // Two answer the Close; one is there until it is cut off.
    for mut peer in peers.drain(..2) {
        assert_eq!(peer.bytes(27).await[..2], [0x88, 25]);
        assert_eq!(kept.number("draining", &[]), 1.0);
        peer.send(frame(0x88, &1001u16.to_be_bytes())).await;
        peer.rest().await;
    }
    let drained = server.drained().await;
    assert_eq!((drained.closed, drained.aborted), (2, 1));
}

#[tokio::test]
async fn each_metric_is_the_number_of_what_has_happened() {
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    everything(&kept).await;
    let counted = |name: &str| -> Vec<(String, u64)> { kept.counted(name) };
    let expected = |expected: &[(&str, u64)]| -> Vec<(String, u64)> {
        expected.iter().map(|(labels, number)| ((*labels).to_owned(), *number)).collect()
    };
    assert_eq!(
        counted("handshakes_refused_total"),
        expected(&[
            ("guard", 2),
            ("host", 1),
            ("no_endpoint", 1),
            ("origin", 1),
            ("per_address.max_connections", 1)
        ])
    );
    assert_eq!(
        counted("handshakes_failed_total"),
        expected(&[("closed", 1), ("malformed", 1), ("timeout", 1)])
    );
    assert_eq!(counted("panics_total"), expected(&[("", 1)]));
    assert_eq!(counted("plain_requests_total"), expected(&[("", 1)]));
    assert_eq!(counted("websockets_opened_total"), expected(&[("1.1", 13)]));
    assert_eq!(kept.number("handshake_duration_seconds", &[("http", "1.1")]), 13.0);
    assert_eq!(
        counted("websockets_closed_total"),
        expected(&[
            // What the drain cut off, and those that answered its Close.
            ("local aborted 1006", 1),
            ("local handshake 1001", 2),
            ("local handshake 3xxx", 1),
            ("remote eof 1006", 2),
            ("remote handshake 1000", 2),
            ("remote handshake 1001", 1),
            ("remote handshake 3xxx", 1),
            ("remote handshake 4xxx", 2),
            ("remote protocol 1002", 1),
        ])
    );
    // Refused, failed, plain and the panic; then the WebSockets.
    assert_eq!(counted("connections_accepted_total"), expected(&[("", 6 + 3 + 1 + 1 + 13)]));
    assert_eq!(counted("messages_total"), expected(&[("received", 3), ("sent", 3)]));
    let bytes = |direction| kept.number("bytes_total", &[("direction", direction)]);
    // Three messages of 5 bytes, nine Close frames with a code, a pong with the 8 bytes of the ping, and the frame that broke a rule.
    assert_eq!(bytes("received"), (3 * 11 + 9 * 8 + (6 + 8) + 6) as f64);
    // The messages, seven Close frames with a code, one that names the rule, three of the shutdown with a reason, and the ping.
    assert_eq!(bytes("sent"), (3 * 7 + 7 * 4 + 37 + 3 * 27 + (2 + 8)) as f64);
    assert_eq!(counted("drained_total"), expected(&[("aborted", 1), ("closed", 2)]));
    assert_eq!(kept.number("drain_duration_seconds", &[]), 1.0);
    assert_eq!(kept.number("round_trip_seconds", &[]), 1.0);
    for gauge in ["websockets_open", "connections", "queued_bytes", "draining"] {
        assert_eq!(kept.number(gauge, &[]), 0.0, "{gauge}");
    }
}

#[tokio::test]
async fn bytes_that_wait_are_queued_bytes_until_their_websocket_is_gone() {
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    let handler = async |mut socket: WebSocket| {
        socket.feed(vec![7; 8 << 20]).await?;
        socket.recv().await.map(drop)
    };
    let server = run(Server::builder().route("/", handler)).await;
    let peer = server.open("/").await;
    let queued = async {
        while kept.number("queued_bytes", &[]) < (1 << 20) as f64 {
            server.stats.record_metrics();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(queued).await;
    drop(peer);
    server.until(|stats| stats.connections() == 0).await;
    server.stats.record_metrics();
    assert_eq!(kept.number("queued_bytes", &[]), 0.0);
}

#[tokio::test]
async fn reads_that_wait_for_the_limit_of_an_address_are_counted() {
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    let limits = AddressLimits::default().messages_per_second(Some(10));
    let server =
        run(Server::builder().route("/", echo).options(options(|options| options.per_address = limits)))
            .await;
    let mut peer = server.open("/").await;
    peer.send(frame(0x81, b"x").repeat(12)).await;
    peer.bytes(12 * 3).await;
    assert!(kept.number("reads_delayed_total", &[]) >= 1.0);
}

#[tokio::test]
async fn websockets_that_are_closed_for_a_rate_are_counted_by_that_cause() {
    let limits = AddressLimits::default().messages_per_second(Some(10)).excess(Excess::Close);
    let config = ws_server::Config::server().max_control_rate(Some(2));
    let controlled = Server::builder().endpoint("/", Endpoint::new(echo).connection(config));
    let limited = Server::builder().route("/", echo).options(options(|options| options.per_address = limits));
    for (server, opcode) in [(limited, 0x81), (controlled, 0x89)] {
        let kept = Kept::default();
        let _guard = metrics::set_default_local_recorder(&kept);
        let server = run(server).await;
        let mut peer = server.open("/").await;
        peer.send(frame(opcode, b"x").repeat(100)).await;
        peer.rest().await;
        drop(peer);
        server.until(|stats| stats.open() == 0).await;
        let labels = [("initiator", "remote"), ("cause", "rate"), ("code", "1008")];
        assert_eq!(kept.number("websockets_closed_total", &labels), 1.0, "{opcode:x}");
    }
}

#[tokio::test]
async fn the_metrics_are_recorded_once_a_second_without_being_asked_for() {
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    let server = run(Server::builder().route("/", echo)).await;
    let mut peer = server.open("/").await;
    peer.send(frame(0x81, b"x")).await;
    peer.bytes(3).await;
    let counted = async {
        while kept.number("messages_total", &[("direction", "sent")]) < 1.0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon(counted).await;
}

#[tokio::test]
async fn a_page_of_metrics_is_behind_its_guard_and_up_to_date() {
    let kept: &'static Kept = Box::leak(Box::default());
    let _guard = metrics::set_default_local_recorder(kept);
    let guard = async |request: Request| -> Result<Request, Response> {
        if request.bearer_token() == Some("open") { Ok(request) } else { Err(response::token_required()) }
    };
    let render = || format!("sent {}\n", kept.number("messages_total", &[("direction", "sent")]));
    let server = run(Server::builder().route("/", echo).metrics_page("/metrics", guard, render)).await;
    let mut peer = server.open("/").await;
    peer.send(frame(0x81, b"x")).await;
    peer.bytes(3).await;
    let refused = ask(&server, get("/metrics")).await;
    assert!(refused.starts_with("HTTP/1.1 401 ") && !refused.contains("sent"), "{refused}");
    let request = get("/metrics").replace("\r\n\r\n", "\r\nAuthorization: Bearer open\r\n\r\n");
    // What the handler has sent counts when it waits next.
    let seen = async {
        loop {
            let page = ask(&server, &request).await;
            assert!(
                page.contains("\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n"),
                "{page}"
            );
            if page.ends_with("\r\n\r\nsent 1\n") {
                return;
            }
        }
    };
    soon(seen).await;
}

/// The rows of the tables in `docs/observe.md` whose first cell is code, with all cells.
fn table() -> Vec<Vec<String>> {
    let text = include_str!("../docs/observe.md");
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// What stands in backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_metrics_and_their_labels_are_those_of_the_documented_table() {
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    everything(&kept).await;
    let (metrics, labels): (Vec<_>, Vec<_>) =
        table().into_iter().partition(|row| row[0].starts_with("`ws_server_"));
    // Names and kinds.
    let documented: BTreeSet<String> =
        metrics.iter().map(|row| format!("{} {}", row[0].trim_matches('`'), row[1])).collect();
    let described: BTreeSet<String> = kept.described.lock().unwrap().iter().cloned().collect();
    assert_eq!(described, documented);
    let series = kept.series.lock().unwrap();
    let kind = |value: &Value| match value {
        Value::Counter(_) => "counter",
        Value::Gauge(_) => "gauge",
        Value::Histogram(_) => "histogram",
    };
    let emitted: BTreeSet<String> =
        series.iter().map(|((name, _), value)| format!("{name} {}", kind(value))).collect();
    assert_eq!(emitted, documented);
    // The labels of each, and that their values are documented.
    let values = |metric: &str, label: &str| -> BTreeSet<String> {
        let row = labels.iter().find(|row| {
            let first = quoted(&row[0]);
            first[0] == label && first.get(1).is_none_or(|of| of == metric)
        });
        quoted(&row.unwrap_or_else(|| panic!("{label} of {metric} is not documented"))[1])
            .into_iter()
            .collect()
    };
    let mut seen: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for (name, of_series) in series.keys() {
        let row = metrics.iter().find(|row| row[0].trim_matches('`') == name).unwrap();
        let keys: Vec<String> = of_series.iter().map(|(key, _)| key.clone()).collect();
        assert_eq!(keys, quoted(&row[2]), "the labels of {name}");
        for (key, value) in of_series {
            seen.entry((name.clone(), key.clone())).or_default().insert(value.clone());
        }
    }
    for ((metric, label), seen) in &seen {
        let documented = values(metric, label);
        // A list such as 1000 to 1003 is checked where the codes are named.
        if label != "code" {
            assert!(seen.is_subset(&documented), "{label} of {metric}: {seen:?} of {documented:?}");
        }
        // These appear with zero when the server is built, so that all of them have been seen.
        if ["reason", "direction", "outcome"].contains(&label.as_str()) {
            assert_eq!(*seen, documented, "{label} of {metric}");
        }
    }
}
