//! The loop that accepts the requests of an HTTP/2 connection, whose wait for the next one is cancelled.

use std::time::Duration;

use ws_server::{Drained, Server};

use crate::bytes::*;
use crate::common::{Running, echo, frame as masked, options, reply, run};

async fn server() -> Running {
    run(Server::builder().route("/", echo).page("/page", "text/plain", "page")).await
}

/// A request for a WebSocket, and the first message on it.
fn request(stream: u32) -> Vec<u8> {
    let mut bytes = frame(HEADERS, END_HEADERS, stream, &fields(&connect_fields("/")));
    bytes.extend(frame(DATA, 0, stream, &masked(0x81, b"early")));
    bytes
}

/// A request for a page, whose answer ends the last stream of its connection: the server's wait for the next request
/// is dropped, and begins anew.
fn page(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &fields(PAGE))
}

#[tokio::test]
async fn a_wait_for_the_next_request_over_http_2_that_is_dropped_at_every_byte_loses_nothing() {
    let server = server().await;
    let whole = request(5);
    for at in 0..=whole.len() {
        let mut peer = Raw::begin(&server).await;
        let (now, later) = whole.split_at(at);
        // Twice, as the first change may find the loop elsewhere.
        assert!(peer.try_send(&[&page(1)[..], &page(3), now].concat()).await);
        for stream in [1, 3] {
            while peer.next_of(stream).await.unwrap().flags & END_STREAM == 0 {}
        }
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        assert!(peer.try_send(later).await);
        assert_eq!(peer.next_of(5).await.unwrap().kind, HEADERS, "dropped after {at} bytes");
        assert_eq!(peer.bytes(5, 7).await, reply(0x81, b"early"), "dropped after {at} bytes");
        peer.echo(5, "goes on").await;
    }
}

#[tokio::test]
async fn a_wait_for_the_next_request_over_http_2_that_a_shutdown_drops_at_any_byte_leaves_nothing_behind() {
    let whole = request(5);
    for at in [0, 1, 8, 9, 10, whole.len() / 2, whole.len() - 1, whole.len()] {
        let options = options(|options| options.drain_timeout = Duration::from_secs(15));
        let builder = Server::builder().route("/", echo).page("/page", "text/plain", "page").options(options);
        let mut server = run(builder).await;
        let mut peer = Raw::begin(&server).await;
        // One WebSocket, so that the connection is not over at once.
        peer.open(1, "/").await;
        assert!(peer.try_send(&whole[..at]).await);
        server.stop();
        // Close 1001 comes, and is answered; afterwards the connection ends.
        while peer.next_of(1).await.is_some_and(|frame| frame.kind == DATA && frame.payload[0] != 0x88) {}
        assert!(peer.try_send(&whole[at..]).await);
        peer.data(1, END_STREAM, &masked(0x88, &[3, 0xe9])).await;
        while peer.next().await.is_some() {}
        let Drained { aborted, .. } = server.drained().await;
        assert_eq!(aborted, 0, "dropped after {at} bytes");
    }
}

#[tokio::test]
async fn a_request_over_http_2_that_arrives_while_its_connection_becomes_idle_is_served_or_refused_and_no_wait_is_for_ever()
 {
    let options = options(|options| {
        options.http2.as_mut().unwrap().idle_timeout = Duration::from_millis(20);
        options.handshake.linger_timeout = Duration::from_millis(200);
    });
    let server =
        run(Server::builder().route("/", echo).page("/page", "text/plain", "page").options(options)).await;
    let whole = request(3);
    for at in (0..=whole.len()).step_by(7) {
        let mut peer = Raw::begin(&server).await;
        assert!(peer.try_send(&[&page(1)[..], &whole[..at]].concat()).await);
        while peer.next_of(1).await.unwrap().flags & END_STREAM == 0 {}
        // GOAWAY, unless the request has been accepted.
        if at < frame(HEADERS, END_HEADERS, 3, &fields(&connect_fields("/"))).len() {
            assert!(peer.next_of_kind(GOAWAY).await.is_some(), "{at} bytes");
        }
        let _ = peer.try_send(&whole[at..]).await;
        // It was sent before the peer knew of the end; or the connection is over.
        if let Some(answer) = peer.next_of(3).await {
            assert!(matches!(answer.kind, HEADERS | RST_STREAM | GOAWAY), "{answer:?}");
        }
    }
    server.until(|stats| stats.connections() == 0).await;
}
