//! Shutdown of an application whose HTTP server is axum or hyper.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, unreachable_pub, reason = "its main is not run here")]
#[path = "../examples/axum.rs"]
mod axum_example;
#[path = "../../ws-server/tests/common/mod.rs"]
mod common;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use common::{Peer, budget, opening, soon};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use ws_server::{
    AddressLimits, Endpoint, Excess, Request, ServerOptions, WebSocket, WebSocketHub, WebSocketUpgrade,
};

fn sockets(drain: Duration) -> WebSocketHub {
    let mut options = ServerOptions::default();
    options.drain_timeout = drain;
    options.drain_spread = Duration::from_millis(50);
    WebSocketHub::new(options).unwrap()
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn connect(address: SocketAddr) -> Peer {
    Peer(TcpStream::connect(address).await.unwrap())
}

#[tokio::test]
async fn half_a_request_delays_neither_the_closing_of_websockets_nor_the_shutdown() {
    let (listener, address) = listen().await;
    let (stop, stopped) = oneshot::channel::<()>();
    let drain = Duration::from_secs(3);
    let serving = tokio::spawn(axum_example::serve(listener, sockets(drain), async { drop(stopped.await) }));
    let mut open = connect(address).await;
    open.send(opening("/echo", "")).await;
    assert!(open.head().await.starts_with("HTTP/1.1 101 "));
    let mut half = connect(address).await;
    half.send("GET /echo HTTP/1.1\r\nHost").await;
    // axum has read it once it answers a complete request that was sent later.
    let mut page = connect(address).await;
    page.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(page.text().await.starts_with("HTTP/1.1 200 "));

    let begin = tokio::time::Instant::now();
    stop.send(()).unwrap();
    let close = open.bytes(2).await;
    let body = open.bytes(close[1].into()).await;
    assert_eq!((close[0], &body[..2]), (0x88, &[0x03, 0xe9][..]));
    let told = begin.elapsed();
    assert!(told < drain / 2, "the Close was received after {told:?}");
    open.send(common::frame(0x88, &[0x03, 0xe9])).await;
    let drained = soon(serving).await.unwrap().unwrap();
    assert_eq!((drained.closed, drained.aborted), (1, 0));
    drop(half);
}

#[tokio::test]
async fn a_shutdown_waits_for_a_request_in_a_guard_and_refuses_it() {
    let (listener, address) = listen().await;
    let (asked, mut asking) = mpsc::unbounded_channel();
    let sockets = sockets(Duration::from_secs(15));
    let handler = async |_: WebSocket| {};
    let endpoint = Endpoint::new(handler).guard(move |request: Request| {
        asked.send(()).unwrap();
        async move {
            std::future::pending::<()>().await;
            Ok(request)
        }
    });
    let app = Router::new().route_service("/", sockets.endpoint(endpoint).unwrap());
    tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
    let mut peer = connect(address).await;
    peer.send(opening("/", "")).await;
    soon(asking.recv()).await.unwrap();
    let drained = soon(sockets.drain()).await;
    assert_eq!((drained.closed, drained.aborted), (1, 0));
    assert!(peer.head().await.starts_with("HTTP/1.1 503 "));
    assert_eq!((sockets.stats().opened(), sockets.stats().refused()), (0, 1));
}

#[tokio::test]
async fn a_shutdown_waits_for_an_upgrade_whose_other_extractors_run_and_refuses_it() {
    let (listener, address) = listen().await;
    let (asked, mut asking) = mpsc::unbounded_channel();
    let (decide, decided) = tokio::sync::watch::channel(());
    let sockets = sockets(Duration::from_secs(15));
    let handler = move |upgrade: WebSocketUpgrade| {
        asked.send(()).unwrap();
        let mut decided = decided.clone();
        async move {
            decided.changed().await.unwrap();
            upgrade.open(async |_: WebSocket| {}).await
        }
    };
    let app = Router::new().route("/", any(handler)).with_state(sockets.clone());
    tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
    let mut peer = connect(address).await;
    peer.send(opening("/", "")).await;
    soon(asking.recv()).await.unwrap();
    let mut draining = std::pin::pin!(sockets.drain());
    assert!(poll_once(draining.as_mut()).await.is_none(), "a request is still open");
    decide.send(()).unwrap();
    let drained = soon(draining).await;
    assert_eq!((drained.closed, drained.aborted), (1, 0));
    assert!(peer.head().await.starts_with("HTTP/1.1 503 "));
    assert_eq!(sockets.stats().opened(), 0);
}

/// Returns the output of a future if it is ready at its first poll.
async fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    let mut future = future;
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_refused_request() {
    let (listener, address) = listen().await;
    let sockets = sockets(Duration::from_secs(15));
    let endpoint = Endpoint::new(async |_: WebSocket| {})
        .guard(async |_: Request| Err::<Request, _>(ws_server::response::unauthorized()));
    let app = Router::new().route_service("/", sockets.endpoint(endpoint).unwrap());
    tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
    let mut peer = connect(address).await;
    peer.send(opening("/", "")).await;
    assert!(peer.head().await.starts_with("HTTP/1.1 401 "));
    let drained = soon(sockets.drain()).await;
    assert_eq!((drained.closed, drained.aborted), (0, 0));
}

#[tokio::test]
async fn when_the_http_server_ends_by_itself_the_websockets_are_closed() {
    let (listener, address) = listen().await;
    let sockets = sockets(Duration::from_secs(5));
    let echo = Endpoint::new(async |mut socket: WebSocket| socket.recv().await.map(drop));
    let app = Router::new().route_service("/", sockets.endpoint(echo).unwrap());
    let (fail, failed) = oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        let serve = async |_| {
            tokio::spawn(async { axum::serve(listener, app).await });
            failed.await.unwrap();
            Err(std::io::Error::other("the HTTP server failed"))
        };
        sockets.serve_until(std::future::pending::<()>(), serve).await
    });
    let mut open = connect(address).await;
    open.send(opening("/", "")).await;
    assert!(open.head().await.starts_with("HTTP/1.1 101 "));
    fail.send(()).unwrap();
    assert_eq!(open.bytes(4).await[..1], [0x88]);
    drop(open);
    let error = soon(serving).await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the HTTP server failed");
}

#[tokio::test]
async fn in_axum_unfinished_input_and_output_that_stands_still_give_way_when_memory_is_used_up() {
    for input in [true, false] {
        let (listener, address) = listen().await;
        let hub = WebSocketHub::new(budget::options()).unwrap();
        let app = Router::new().route_service("/", hub.endpoint(Endpoint::new(budget::handler)).unwrap());
        let serving = tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
        let connect = async || TcpStream::connect(address).await.unwrap();
        match input {
            true => budget::unfinished_input_gives_way(connect, &hub.stats()).await,
            false => budget::output_that_stands_still_gives_way(connect, &hub.stats()).await,
        }
        serving.abort();
    }
}

#[tokio::test]
async fn in_axum_messages_beyond_the_limit_of_an_address_close_their_websocket_with_1008_if_that_is_set() {
    let (listener, address) = listen().await;
    let limits = AddressLimits::default().messages_per_second(Some(20)).excess(Excess::Close);
    let hub = WebSocketHub::new(ServerOptions::default().per_address(limits)).unwrap();
    let app = Router::new().route_service("/", hub.endpoint(Endpoint::new(common::echo)).unwrap());
    tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
    let mut flood = connect(address).await;
    flood.send(opening("/", "")).await;
    assert!(flood.head().await.starts_with("HTTP/1.1 101 "));
    flood.send(common::frame(0x81, b"x").repeat(500)).await;
    let answers = flood.rest().await;
    let close = answers.iter().position(|byte| *byte == 0x88).unwrap();
    assert!(close < 3 * 200, "{} were read", close / 3);
    assert_eq!(answers[close + 2..close + 4], [0x03, 0xf0]);
}
