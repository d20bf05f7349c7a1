//! How many connections there can be.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{echo, frame, opening, reply, run};
use tokio::time::timeout;
use ws_server::Server;

#[tokio::test]
async fn one_too_many_waits_until_another_leaves() {
    let options = common::options(|options| options.max_connections = Some(2));
    let server = run(Server::builder().route("/", echo).options(options)).await;
    let first = server.open("/").await;
    let mut second = server.open("/").await;
    let mut third = server.connect().await;
    third.send(opening("/", "")).await;
    assert!(
        timeout(Duration::from_millis(200), third.0.readable()).await.is_err(),
        "it waits in the backlog"
    );
    assert_eq!(server.stats.connections(), 2);
    drop(first);
    assert!(third.head().await.starts_with("HTTP/1.1 101 "));
    second.send(frame(0x81, b"me too")).await;
    assert_eq!(second.bytes(8).await, reply(0x81, b"me too"));
}
