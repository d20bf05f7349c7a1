//! How many WebSockets can be open, and what those hear who come when there are this many.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::common::{Running, ask, echo, frame, get, opening, options, reply, run};
use tokio::time::timeout;
use ws_server::{Endpoint, Request, Response, Server, response};

async fn server(seats: usize, wait: Duration) -> Running {
    let options = options(|options| {
        options.max_connections = Some(seats);
        options.overload_wait = wait;
        options.retry_after = Duration::from_millis(6_001);
    });
    run(Server::builder().route("/", echo).health("/healthz").options(options)).await
}

#[tokio::test]
async fn a_request_beyond_the_limit_waits_until_a_websocket_ends() {
    let server = server(2, Duration::from_secs(9)).await;
    let first = server.open("/").await;
    let mut second = server.open("/").await;
    let mut third = server.connect().await;
    third.send(opening("/", "")).await;
    assert!(
        timeout(Duration::from_millis(200), third.0.readable()).await.is_err(),
        "it waits for a WebSocket to end"
    );
    assert_eq!(server.stats.open(), 2);
    drop(first);
    assert!(third.head().await.starts_with("HTTP/1.1 101 "));
    second.send(frame(0x81, b"me too")).await;
    assert_eq!(second.bytes(8).await, reply(0x81, b"me too"));
}

#[tokio::test]
async fn a_request_that_waits_too_long_for_a_permit_gets_503_and_when_to_retry() {
    let server = server(1, Duration::from_millis(50)).await;
    let mut open = server.open("/").await;
    for _ in 0..3 {
        let begin = Instant::now();
        let answer = ask(&server, opening("/", "")).await;
        assert!(begin.elapsed() >= Duration::from_millis(50), "{:?}", begin.elapsed());
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("\r\nretry-after: 7\r\n"), "{answer}");
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    }
    server.until(|stats| (stats.refused(), stats.failed_handshakes()) == (3, 0)).await;
    open.send(frame(0x81, b"x")).await;
    assert_eq!(open.bytes(3).await, reply(0x81, b"x"));
    // There is room again.
    drop(open);
    server.until(|stats| stats.open() == 0).await;
    server.open("/").await;
}

#[tokio::test]
async fn a_full_server_still_answers_its_health_check() {
    let server = server(1, Duration::ZERO).await;
    let _open = server.open("/").await;
    assert!(ask(&server, opening("/", "")).await.starts_with("HTTP/1.1 503 "));
    assert!(ask(&server, get("/healthz")).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn no_guard_is_called_for_a_request_without_room() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let guard = move |request: Request| {
        counter.fetch_add(1, Relaxed);
        let fits = request.query() == Some("open");
        async move { if fits { Ok(request) } else { Err::<Request, Response>(response::unauthorized()) } }
    };
    let options = options(|options| {
        options.max_connections = Some(1);
        options.overload_wait = Duration::ZERO;
    });
    let endpoint = Endpoint::new(echo).guard(guard);
    let server = run(Server::builder().endpoint("/", endpoint).options(options)).await;
    // A refusal gives its permit back.
    for _ in 0..3 {
        assert!(ask(&server, opening("/", "")).await.starts_with("HTTP/1.1 401 "));
    }
    let _open = server.open("/?open").await;
    assert!(ask(&server, opening("/?open", "")).await.starts_with("HTTP/1.1 503 "));
    assert_eq!(asked.load(Relaxed), 4);
}

#[tokio::test]
async fn requests_in_a_guard_hold_no_permit_of_a_websocket() {
    let options = options(|options| {
        options.max_connections = Some(50);
        options.overload_wait = Duration::ZERO;
    });
    let endpoint = Endpoint::new(echo).guard(async |request: Request| {
        if request.query() == Some("open") {
            return Ok(request);
        }
        tokio::time::sleep(Duration::from_millis(400)).await;
        Err(response::unauthorized())
    });
    let server = run(Server::builder().endpoint("/", endpoint).options(options)).await;
    let mut wrong = Vec::new();
    for _ in 0..100 {
        let mut peer = server.connect().await;
        peer.send(opening("/", "")).await;
        wrong.push(peer);
    }
    let mut honest = Vec::new();
    for _ in 0..20 {
        honest.push(server.open("/?open").await);
    }
    for mut peer in wrong {
        assert!(peer.head().await.starts_with("HTTP/1.1 401 "));
    }
    server.until(|stats| (stats.open(), stats.refused()) == (20, 100)).await;
}

#[tokio::test]
async fn requests_in_guards_have_a_limit_and_beyond_it_are_answered_503() {
    let (asked, mut asking) = tokio::sync::mpsc::unbounded_channel();
    let (release, released) = tokio::sync::watch::channel(false);
    let options = options(|options| options.max_handshakes = Some(4));
    let endpoint = Endpoint::new(echo).guard(move |request: Request| {
        asked.send(()).unwrap();
        let mut released = released.clone();
        async move {
            released.wait_for(|released| *released).await.unwrap();
            Ok(request)
        }
    });
    let server = run(Server::builder().endpoint("/", endpoint).health("/healthz").options(options)).await;
    let mut inside = Vec::new();
    for _ in 0..4 {
        let mut peer = server.connect().await;
        peer.send(opening("/", "")).await;
        asking.recv().await.unwrap();
        inside.push(peer);
    }
    for _ in 0..8 {
        let answer = ask(&server, opening("/", "")).await;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 5"), "{answer}");
    }
    assert!(ask(&server, get("/healthz")).await.starts_with("HTTP/1.1 200 "));
    // It is longer ago than a handshake may stand still.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(ask(&server, opening("/", "")).await.starts_with("HTTP/1.1 503 "));
    release.send(true).unwrap();
    for mut peer in inside {
        assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
    }
    server.open("/").await;
}

#[tokio::test]
async fn a_server_that_became_full_while_a_guard_decided_answers_503() {
    let (asked, mut asking) = tokio::sync::mpsc::unbounded_channel();
    let (release, released) = tokio::sync::watch::channel(false);
    let options = options(|options| {
        options.max_connections = Some(1);
        options.overload_wait = Duration::ZERO;
    });
    let endpoint = Endpoint::new(echo).guard(move |request: Request| {
        asked.send(()).unwrap();
        let mut released = released.clone();
        async move {
            released.wait_for(|released| *released).await.unwrap();
            Ok(request)
        }
    });
    let server = run(Server::builder().endpoint("/", endpoint).route("/free", echo).options(options)).await;
    let mut peer = server.connect().await;
    peer.send(opening("/", "")).await;
    asking.recv().await.unwrap();
    let _open = server.open("/free").await;
    release.send(true).unwrap();
    assert!(peer.text().await.starts_with("HTTP/1.1 503 "));
}

#[tokio::test]
async fn pages_that_nobody_reads_keep_no_websocket_from_opening() {
    let options = options(|options| options.max_handshakes = Some(8));
    let server = Server::builder().route("/", echo).page("/large", "text/plain", vec![b'x'; 8 << 20]);
    let server = run(server.options(options)).await;
    let mut readers = Vec::new();
    for _ in 0..8 {
        let mut peer = server.connect().await;
        peer.send(get("/large")).await;
        // The answer is on its way.
        assert!(peer.head().await.starts_with("HTTP/1.1 200 "));
        readers.push(peer);
    }
    for _ in 0..8 {
        server.open("/").await;
    }
}

#[tokio::test]
async fn refusals_whose_peers_stay_connected_keep_no_websocket_from_opening() {
    let options = options(|options| {
        options.max_handshakes = Some(8);
        // They would linger for as long as the test runs.
        options.handshake.linger_timeout = Duration::from_secs(60);
    });
    let server = run(Server::builder().route("/", echo).options(options)).await;
    let mut refused = Vec::new();
    for _ in 0..40 {
        let mut peer = server.connect().await;
        peer.send(opening("/", "Origin: http://elsewhere.example\r\n")).await;
        assert!(peer.head().await.starts_with("HTTP/1.1 403 "));
        refused.push(peer);
    }
    for _ in 0..8 {
        server.open("/").await;
    }
}
