//! How often things happen at a server.

use crate::common::{echo, opening, run};
use ws_server::{Rates, Server};

/// Accepted, opened, plain, refused, failed: as many as the rates say there were.
fn counts(rates: Rates) -> [f64; 5] {
    [rates.accepted, rates.opened, rates.plain, rates.refused, rates.failed_handshakes]
        .map(|rate| (rate * rates.elapsed.as_secs_f64()).round())
}

#[tokio::test]
async fn a_meter_tells_what_happened_since_it_was_read_last() {
    let server = run(Server::builder().route("/", echo).health("/healthz")).await;
    let _before = server.open("/").await;
    let (mut meter, mut other) = (server.stats.meter(), server.stats.meter());

    let _peers = (server.open("/").await, server.open("/").await);
    let mut page = server.connect().await;
    page.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let mut foreign = server.connect().await;
    foreign.send(opening("/", "Origin: http://elsewhere.example\r\n")).await;
    let mut broken = server.connect().await;
    broken.send("nonsense\r\n\r\n").await;
    server.until(|stats| (stats.plain(), stats.refused(), stats.failed_handshakes()) == (1, 1, 1)).await;
    assert_eq!(counts(meter.rates()), [5.0, 2.0, 1.0, 1.0, 1.0]);

    let _third = server.open("/").await;
    assert_eq!(counts(meter.rates()), [1.0, 1.0, 0.0, 0.0, 0.0], "since the last reading");
    assert_eq!(counts(other.rates()), [6.0, 3.0, 1.0, 1.0, 1.0], "each meter has its own");
}
