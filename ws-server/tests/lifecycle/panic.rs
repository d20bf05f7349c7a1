//! A handler that panics costs its own connection.

use std::time::Duration;

use crate::common::{ask, frame, get, opening, reply, run};
use ws_server::{Endpoint, Error, Request, Response, Server, WebSocket};

/// Echoes until it receives the message that makes it panic.
async fn fragile(mut socket: WebSocket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        assert_ne!(message.as_text(), Some("panic"), "as it was told");
        socket.send(message).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_panicking_handler_closes_its_connection_with_1011_and_no_other() {
    let server = run(Server::builder().route("/", fragile)).await;
    let (mut neighbour, mut victim) = (server.open("/").await, server.open("/").await);
    victim.send(frame(0x81, b"panic")).await;
    // More than anybody will ever look at: the Close must arrive all the same. A socket that was closed
    // rather than lingering would answer with a reset, and the next write would fail.
    for _ in 0..5 {
        victim.send(frame(0x82, &[7; 100]).repeat(100)).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(victim.rest().await, reply(0x88, &[0x03, 0xf3]));
    neighbour.send(frame(0x81, b"fine")).await;
    assert_eq!(neighbour.bytes(6).await, reply(0x81, b"fine"));
    server.until(|stats| stats.open() == 1 && stats.connections() == 1).await;
    assert_eq!(server.stats.panicked(), 1);
}

#[tokio::test]
async fn a_panicking_handler_releases_its_permit() {
    let options = crate::common::options(|options| options.max_connections = Some(1));
    let server = run(Server::builder().route("/", fragile).options(options)).await;
    for _ in 0..5 {
        let mut peer = server.open("/").await;
        peer.send(frame(0x81, b"panic")).await;
        assert_eq!(peer.rest().await, reply(0x88, &[0x03, 0xf3]));
    }
    server.until(|stats| stats.panicked() == 5).await;
}

#[tokio::test]
async fn a_handler_that_panics_before_its_first_await_releases_its_permit() {
    let options = crate::common::options(|options| options.max_connections = Some(1));
    let broken = |_: WebSocket| -> std::future::Ready<()> { panic!("before any await") };
    let server = run(Server::builder().route("/", broken).options(options)).await;
    for _ in 0..3 {
        assert_eq!(server.open("/").await.rest().await, reply(0x88, &[0x03, 0xf3]));
    }
}

#[tokio::test]
async fn a_guard_or_a_page_that_panics_costs_its_connection_only() {
    let options = crate::common::options(|options| options.max_connections = Some(1));
    let guard = |_: Request| -> std::future::Ready<Result<Request, Response>> { panic!("guard") };
    let builder = Server::builder()
        .endpoint("/", Endpoint::new(fragile).guard(guard))
        .get("/page", async |_| panic!("page"))
        .health("/healthz")
        .options(options);
    let server = run(builder).await;
    for request in [opening("/", ""), get("/page")] {
        let answer = ask(&server, request).await;
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    }
    assert!(ask(&server, get("/healthz")).await.starts_with("HTTP/1.1 200 "));
    server.until(|stats| stats.panicked() == 2).await;
}
