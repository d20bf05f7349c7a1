//! The reasons for which handshakes are refused and fail, each brought about by what a peer does.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use ws_server::{Endpoint, ProxyOptions, Request, Response, Server, ServerBuilder, response};

use crate::common::{ask, echo, opening, options, run, soon};
use crate::kept::Kept;

/// A server with one seat for handshakes, whose guard reports each request and then waits to be released.
fn guarded() -> (ServerBuilder, mpsc::UnboundedReceiver<()>, watch::Sender<bool>) {
    let (asked, asking) = mpsc::unbounded_channel();
    let (release, released) = watch::channel(false);
    let guard = move |request: Request| {
        asked.send(()).unwrap();
        let mut released = released.clone();
        async move {
            released.wait_for(|released| *released).await.unwrap();
            Ok::<Request, Response>(request)
        }
    };
    let options = options(|options| options.max_handshakes = Some(1));
    (Server::builder().endpoint("/", Endpoint::new(echo).guard(guard)).options(options), asking, release)
}

fn once(reason: &str) -> Vec<(String, u64)> {
    vec![(reason.to_owned(), 1)]
}

#[tokio::test]
async fn a_request_beyond_max_handshakes_is_refused_by_that_reason() {
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    let (builder, mut asking, release) = guarded();
    let server = run(builder).await;
    let mut first = server.connect().await;
    first.send(opening("/", "")).await;
    soon(asking.recv()).await.unwrap();
    assert!(ask(&server, opening("/", "")).await.starts_with("HTTP/1.1 503 "));
    release.send(true).unwrap();
    assert!(first.head().await.starts_with("HTTP/1.1 101 "));
    server.until(|stats| stats.refused() == 1).await;
    assert_eq!(kept.counted("handshakes_refused_total"), once("max_handshakes"));
    assert_eq!(kept.counted("handshakes_failed_total"), []);
}

#[tokio::test]
async fn a_shutdown_is_the_reason_of_the_request_that_it_refuses_and_of_the_connection_that_it_cuts_off() {
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    let (builder, mut asking, _release) = guarded();
    let mut server = run(builder).await;
    let mut asked = server.connect().await;
    asked.send(opening("/", "")).await;
    soon(asking.recv()).await.unwrap();
    let mut silent = server.connect().await;
    server.until(|stats| stats.accepted() == 2).await;
    server.stop();
    assert!(asked.text().await.starts_with("HTTP/1.1 503 "));
    assert_eq!(silent.rest().await, b"");
    server.drained().await;
    assert_eq!(kept.counted("handshakes_refused_total"), once("shutting_down"));
    assert_eq!(kept.counted("handshakes_failed_total"), once("shutting_down"));
}

#[tokio::test]
async fn an_answer_of_a_guard_that_must_not_be_written_is_refused_as_internal() {
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    let guard = async |_: Request| -> Result<Request, Response> {
        let mut response = response::unauthorized();
        response.headers_mut().insert("upgrade", "x".parse().unwrap());
        Err(response)
    };
    let server = run(Server::builder().endpoint("/", Endpoint::new(echo).guard(guard))).await;
    assert!(ask(&server, opening("/", "")).await.starts_with("HTTP/1.1 500 "));
    server.until(|stats| stats.refused() == 1).await;
    assert_eq!(kept.counted("handshakes_refused_total"), once("internal"));
}

#[tokio::test]
async fn a_connection_that_its_peer_resets_during_the_handshake_fails_as_io() {
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    let server = run(Server::builder().route("/", echo)).await;
    let mut peer = server.connect().await;
    peer.send(&opening("/", "")[..40]).await;
    server.until(|stats| stats.accepted() == 1).await;
    peer.0.set_zero_linger().unwrap();
    drop(peer);
    server.until(|stats| stats.failed_handshakes() == 1).await;
    assert_eq!(kept.counted("handshakes_failed_total"), once("io"));
}

#[tokio::test]
async fn a_proxy_that_sends_no_header_in_time_fails_as_proxy_timeout() {
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    let proxies = ProxyOptions::default().trusted("127.0.0.1".parse().unwrap()).proxy_protocol(true);
    let proxies = proxies.proxy_protocol_timeout(Duration::from_millis(50));
    let server = run(Server::builder().route("/", echo).proxies(proxies)).await;
    assert_eq!(server.connect().await.rest().await, b"");
    server.until(|stats| stats.failed_handshakes() == 1).await;
    assert_eq!(kept.counted("handshakes_failed_total"), once("proxy_timeout"));
}

#[tokio::test]
async fn a_handshake_that_stands_still_fails_as_displaced_when_a_newer_one_takes_its_seat() {
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    let options = options(|options| options.max_handshakes = Some(1));
    let server = run(Server::builder().route("/", echo).options(options)).await;
    let _silent = server.connect().await;
    server.until(|stats| stats.accepted() == 1).await;
    server.open("/").await;
    server.until(|stats| stats.failed_handshakes() == 1).await;
    assert_eq!(kept.counted("handshakes_failed_total"), once("displaced"));
}

#[tokio::test]
async fn connections_of_an_address_that_floods_fail_as_flood() {
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    let options = options(|options| {
        options.max_handshakes = Some(4);
        options.handshake.timeout = Duration::from_secs(600);
    });
    let server = run(Server::builder().route("/", echo).options(options)).await;
    let flood = async {
        let mut silent = Vec::new();
        while kept.number("handshakes_failed_total", &[("reason", "flood")]) < 1.0 {
            silent.push(server.connect().await);
            // Each is judged before the next comes.
            server.until(|stats| stats.accepted() >= silent.len() as u64).await;
        }
    };
    soon(flood).await;
}
