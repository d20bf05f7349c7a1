//! Prices that a client resumes.

use ws_client::{CloseCode, WebSocket};

use crate::process::{Sample, soon};

/// Receives a price; returns its topic, epoch and offset.
async fn price(socket: &mut WebSocket) -> (String, u64, u64) {
    let message = soon(socket.recv()).await.unwrap().unwrap();
    let value: serde_json::Value = serde_json::from_str(message.as_text().unwrap()).unwrap();
    assert!(value["price"].as_f64().unwrap() > 0.0, "{value}");
    let (epoch, offset) = value["position"].as_str().unwrap().split_once(':').unwrap();
    (value["topic"].as_str().unwrap().to_owned(), epoch.parse().unwrap(), offset.parse().unwrap())
}

#[tokio::test]
async fn a_client_of_the_ticker_that_comes_back_misses_no_price() {
    let sample = Sample::start("ticker", &[]);
    let mut first = sample.open("/prices/gold").await;
    let (topic, epoch, seen) = price(&mut first).await;
    assert_eq!(topic, "prices/gold");
    drop(first);
    // Meanwhile two prices at least are published.
    let mut other = sample.open("/prices/+").await;
    while price(&mut other).await.2 < seen + 2 {}
    let mut again = sample.open(&format!("/prices/gold?since={epoch}:{seen}")).await;
    for offset in seen + 1..seen + 6 {
        assert_eq!(price(&mut again).await, ("prices/gold".into(), epoch, offset));
    }
}

#[tokio::test]
async fn the_ticker_closes_with_1008_and_the_reason_for_what_it_cannot_do() {
    let sample = Sample::start("ticker", &[]);
    for (target, reason) in [
        (
            "/prices/gold?since=yesterday",
            "since: not a position of the form EPOCH:OFFSET, two decimal numbers",
        ),
        ("/prices/+?since=1:1", "filter \"prices/+\" has no history: subscribe to a topic for it"),
    ] {
        let mut socket = sample.open(target).await;
        while let Ok(Some(_)) = soon(socket.recv()).await {}
        let info = socket.close_info().unwrap();
        assert_eq!(info.code(), CloseCode::POLICY_VIOLATION, "{target}");
        assert_eq!(info.reason, reason);
    }
}
