//! What one client address may use, and that others do not notice.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpSocket;
use tokio::sync::Semaphore;
use ws_server::{AddressLimits, Endpoint, Excess, ProxyOptions, Request, Server, ServerBuilder};

use crate::common::log::logged;
use crate::common::{Peer, Running, echo, frame, get, opening, options, reply, run};

fn server(limits: AddressLimits) -> ServerBuilder {
    let options = options(|options| {
        options.per_address = limits;
        options.retry_after = Duration::from_millis(2_500);
    });
    Server::builder().route("/", echo).health("/healthz").options(options)
}

/// A connection from that address of loopback.
async fn connect_from(server: &Running, address: [u8; 4]) -> Peer {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((address, 0))).unwrap();
    Peer(socket.connect(server.address).await.unwrap())
}

const OTHER: [u8; 4] = [127, 0, 0, 2];

/// Asks for a WebSocket; returns the connection and the head of the answer.
async fn ask_from(server: &Running, address: [u8; 4]) -> (Peer, String) {
    let mut peer = connect_from(server, address).await;
    peer.send(opening("/", "")).await;
    let head = peer.head().await;
    (peer, head)
}

fn is_too_many(head: &str, retry_after: &str) -> bool {
    head.starts_with("HTTP/1.1 429 ") && head.contains(&format!("\r\nretry-after: {retry_after}\r\n"))
}

#[tokio::test]
async fn an_address_with_as_many_websockets_as_it_may_have_gets_429_and_others_open() {
    let server = run(server(AddressLimits::default().max_connections(Some(2)))).await;
    let first = server.open("/").await;
    let _second = server.open("/").await;
    for _ in 0..3 {
        let (_, head) = ask_from(&server, [127, 0, 0, 1]).await;
        assert!(is_too_many(&head, "3"), "{head}");
    }
    server.until(|stats| (stats.refused(), stats.open()) == (3, 2)).await;
    let (_other, head) = ask_from(&server, OTHER).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    // Pages are no WebSockets.
    let mut page = server.connect().await;
    page.send(get("/healthz")).await;
    assert!(page.head().await.starts_with("HTTP/1.1 200 "));
    drop(first);
    server.until(|stats| stats.open() == 2).await;
    server.open("/").await;
}

#[tokio::test]
async fn a_refusal_is_counted_as_one_also_if_its_peer_does_not_wait_for_the_answer() {
    let server = run(server(AddressLimits::default().max_connections(Some(1)))).await;
    let _open = server.open("/").await;
    for _ in 0..10 {
        let mut peer = server.connect().await;
        peer.send(opening("/", "")).await;
        // With a reset, while the server pauses before it answers.
        peer.0.set_zero_linger().unwrap();
    }
    server.until(|stats| (stats.refused(), stats.open()) == (10, 1)).await;
    assert_eq!(server.stats.failed_handshakes(), 0);
}

#[tokio::test]
async fn an_address_that_asks_too_often_gets_429_and_when_to_retry_and_others_open() {
    let server = run(server(AddressLimits::default().handshakes_per_second(Some(5)))).await;
    let mut refused = 0;
    for _ in 0..60 {
        let (_, head) = ask_from(&server, [127, 0, 0, 1]).await;
        match head.starts_with("HTTP/1.1 101 ") {
            true => {}
            false => {
                assert!(is_too_many(&head, "1"), "{head}");
                refused += 1;
            }
        }
    }
    assert!(refused > 20, "{refused} of 60");
    let (_other, head) = ask_from(&server, OTHER).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
}

#[tokio::test]
async fn an_address_that_asks_again_as_soon_as_it_is_refused_waits_for_each_refusal() {
    for limits in [
        AddressLimits::default().handshakes_per_second(Some(1)),
        AddressLimits::default().max_connections(Some(1)),
    ] {
        let server = run(server(limits)).await;
        let _open = server.open("/").await;
        let begin = Instant::now();
        for _ in 0..4 {
            let (_, head) = ask_from(&server, [127, 0, 0, 1]).await;
            assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
        }
        let took = begin.elapsed();
        assert!(took >= Duration::from_millis(200), "{took:?} for four refusals");
    }
}

#[tokio::test]
async fn limits_of_addresses_count_clients_behind_a_trusted_proxy_one_by_one() {
    let proxies = ProxyOptions::default().trusted("127.0.0.1".parse().unwrap()).proxy_protocol(true);
    let server = run(server(AddressLimits::default().max_connections(Some(1))).proxies(proxies)).await;
    let mut open = Vec::new();
    for (client, expected) in [("192.0.2.1", "101"), ("192.0.2.1", "429"), ("192.0.2.2", "101")] {
        let mut peer = server.connect().await;
        peer.send(format!("PROXY TCP4 {client} 192.0.2.9 1 2\r\n{}", opening("/", ""))).await;
        let head = peer.head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {expected} ")), "{client}: {head}");
        open.push(peer);
    }
}

#[tokio::test]
async fn a_flood_of_messages_is_read_at_its_rate_while_another_address_is_served_at_once() {
    let server = run(server(AddressLimits::default().messages_per_second(Some(100)))).await;
    let (mut flood, _) = ask_from(&server, [127, 0, 0, 1]).await;
    let (mut other, _) = ask_from(&server, OTHER).await;
    let begin = Instant::now();
    flood.send(frame(0x81, b"x").repeat(250)).await;
    // The other's messages are answered while the flood waits for its tokens.
    for _ in 0..20 {
        other.send(frame(0x81, b"quiet")).await;
        assert_eq!(other.bytes(7).await, reply(0x81, b"quiet"));
    }
    let quiet = begin.elapsed();
    assert_eq!(flood.bytes(3 * 250).await, reply(0x81, b"x").repeat(250));
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(1_400), "{took:?} for 250 messages at 100 a second");
    assert!(quiet < took, "{quiet:?}");
}

#[tokio::test]
async fn messages_and_bytes_beyond_the_limits_of_an_address_close_their_websocket_with_1008_if_that_is_set() {
    let limits = AddressLimits::default().excess(Excess::Close);
    for limits in [limits.clone().messages_per_second(Some(20)), limits.bytes_per_second(Some(140))] {
        let (log, _guard) = logged();
        let server = run(server(limits)).await;
        let (mut flood, _) = ask_from(&server, [127, 0, 0, 1]).await;
        let (mut same, _) = ask_from(&server, [127, 0, 0, 1]).await;
        let (mut other, _) = ask_from(&server, OTHER).await;
        // As much as the limit allows.
        for _ in 0..20 {
            flood.send(frame(0x81, b"x")).await;
            assert_eq!(flood.bytes(3).await, reply(0x81, b"x"));
        }
        flood.send(frame(0x81, b"y").repeat(500)).await;
        let mut echoes = 0;
        let close = loop {
            match flood.bytes(1).await[0] {
                0x81 => echoes += flood.bytes(2).await.len() / 2,
                0x88 => break flood.rest().await,
                other => panic!("{other:x}"),
            }
        };
        assert!(echoes < 200, "{echoes} were read");
        assert!(close[1..].starts_with(b"\x03\xf0more was sent than one client may send"), "{close:x?}");
        // Others of the address notice nothing until they send, and another address sends.
        other.send(frame(0x81, b"quiet")).await;
        assert_eq!(other.bytes(7).await, reply(0x81, b"quiet"));
        drop(flood);
        server.until(|stats| stats.open() == 2).await;
        same.send(frame(0x88, b"")).await;
        assert_eq!(same.bytes(1).await, [0x88]);
        let text = log.text();
        assert!(
            text.contains("protocol error: more was sent than one client may send in a second"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn one_address_with_many_requests_in_a_guard_gets_429_while_another_reaches_it() {
    let gate = Arc::new(Semaphore::new(0));
    let (asked, mut asking) = tokio::sync::mpsc::unbounded_channel();
    let opened = gate.clone();
    let guard = move |request: Request| {
        asked.send(()).unwrap();
        let gate = opened.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            Ok(request)
        }
    };
    let options = options(|options| options.max_handshakes = Some(10));
    let server = Server::builder().endpoint("/", Endpoint::new(echo).guard(guard)).options(options);
    let server = run(server).await;
    let mut inside = Vec::new();
    for _ in 0..8 {
        let mut peer = server.connect().await;
        peer.send(opening("/", "")).await;
        asking.recv().await.unwrap();
        inside.push(peer);
    }
    let (_, head) = ask_from(&server, [127, 0, 0, 1]).await;
    assert!(is_too_many(&head, "5"), "{head}");
    let mut other = connect_from(&server, OTHER).await;
    other.send(opening("/", "")).await;
    asking.recv().await.unwrap();
    gate.add_permits(9);
    for peer in inside.iter_mut().chain([&mut other]) {
        assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
    }
}
