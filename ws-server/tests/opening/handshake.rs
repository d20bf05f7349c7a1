//! The opening handshake through a whole server.

use crate::common::{ACCEPT, ask, echo, frame, opening, reply, run};
use http::{HeaderValue, StatusCode, header};
use ws_server::{Endpoint, Error, OriginPolicy, Request, Response, Server, WebSocket, response};

#[tokio::test]
async fn the_example_of_the_rfc_opens_and_echoes() {
    let server = run(Server::builder().route("/", echo)).await;
    let mut peer = server.connect().await;
    peer.send(opening("/", "")).await;
    let head = peer.head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains(ACCEPT), "{head}");
    peer.send(frame(0x81, b"Hello")).await;
    assert_eq!(peer.bytes(7).await, reply(0x81, b"Hello"));
    peer.send(frame(0x88, &[0x03, 0xe8])).await;
    assert_eq!(peer.rest().await, reply(0x88, &[0x03, 0xe8]));
    server.until(|stats| stats.open() == 0 && stats.connections() == 0).await;
    assert_eq!((server.stats.accepted(), server.stats.opened()), (1, 1));
}

#[tokio::test]
async fn frames_right_behind_the_head_are_not_lost() {
    let server = run(Server::builder().route("/", echo)).await;
    let mut peer = server.connect().await;
    let mut all = opening("/", "").into_bytes();
    all.extend(frame(0x81, b"one"));
    all.extend(frame(0x82, b"two"));
    peer.send(all).await;
    peer.head().await;
    assert_eq!(peer.bytes(10).await, [reply(0x81, b"one"), reply(0x82, b"two")].concat());
}

#[tokio::test]
async fn bytes_one_by_one_make_the_same_connection() {
    let server = run(Server::builder().route("/", echo)).await;
    let mut peer = server.connect().await;
    peer.0.set_nodelay(true).unwrap();
    let mut all = opening("/", "").into_bytes();
    all.extend(frame(0x81, b"drop by drop"));
    for byte in all {
        peer.send([byte]).await;
        tokio::task::yield_now().await;
    }
    assert!(peer.head().await.contains(ACCEPT));
    assert_eq!(peer.bytes(14).await, reply(0x81, b"drop by drop"));
}

#[tokio::test]
async fn the_servers_order_chooses_the_subprotocol() {
    let endpoint = Endpoint::new(async |mut socket: WebSocket, request: Request| {
        assert_eq!(request.offered_subprotocols(), ["c", "b", "a"]);
        socket.send(request.subprotocol().unwrap()).await
    });
    let server = run(Server::builder().endpoint("/", endpoint.subprotocols(["a", "b"]))).await;
    let mut peer = server.connect().await;
    peer.send(opening("/", "Sec-WebSocket-Protocol: c, b\r\nSec-WebSocket-Protocol: a\r\n")).await;
    let head = peer.head().await.to_ascii_lowercase();
    assert!(head.contains("\r\nsec-websocket-protocol: a\r\n"), "{head}");
    assert_eq!(peer.bytes(3).await, reply(0x81, b"a"));
}

#[tokio::test]
async fn without_a_common_subprotocol_none_is_answered() {
    let endpoint = Endpoint::new(echo).subprotocols(["a"]);
    let server = run(Server::builder().endpoint("/", endpoint)).await;
    let mut peer = server.connect().await;
    peer.send(opening("/", "Sec-WebSocket-Protocol: b\r\n")).await;
    let head = peer.head().await.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101 ") && !head.contains("protocol:"), "{head}");
}

#[tokio::test]
async fn another_origin_is_refused_by_default() {
    let server = run(Server::builder().route("/", echo)).await;
    for origin in ["http://evil.example", "null", "http://localhost.evil.example", "http://localhost:81"] {
        let answer = ask(&server, opening("/", &format!("Origin: {origin}\r\n"))).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{origin} {answer}");
    }
    let answer = ask(&server, opening("/", "Origin: http://localhost\r\nOrigin: http://localhost\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 40"), "{answer}");
    let mut peer = server.connect().await;
    peer.send(opening("/", "Origin: http://localhost\r\n")).await;
    assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
    assert_eq!(server.stats.opened(), 1);
}

#[tokio::test]
async fn a_list_of_origins_replaces_the_default() {
    let list = OriginPolicy::List(vec!["https://app.example".into()]);
    let server = run(Server::builder().endpoint("/", Endpoint::new(echo).origin(list))).await;
    let mut peer = server.connect().await;
    peer.send(opening("/", "Origin: https://app.example\r\n")).await;
    assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
    let answer = ask(&server, opening("/", "Origin: http://localhost\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
}

#[derive(Clone)]
struct User(String);

async fn token(mut request: Request) -> Result<Request, Response> {
    let Some(user) = request.query().and_then(|query| query.strip_prefix("token=")).map(str::to_owned) else {
        let mut refusal = response::text(StatusCode::from_u16(418).unwrap(), "a token, please");
        refusal.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("7"));
        return Err(refusal);
    };
    request.extensions_mut().insert(User(user));
    request.response_headers_mut().insert(header::SET_COOKIE, HeaderValue::from_static("seen=1"));
    Ok(request)
}

async fn greet(mut socket: WebSocket, request: Request) -> Result<(), Error> {
    let User(user) = request.extensions().get().unwrap();
    socket.send(format!("{} in {}", user, request.param("room").unwrap())).await
}

#[tokio::test]
async fn a_guard_refuses_with_a_custom_status_headers_and_body() {
    let server = run(Server::builder().endpoint("/{room}", Endpoint::new(greet).guard(token))).await;
    let answer = ask(&server, opening("/blue", "")).await;
    assert!(answer.starts_with("HTTP/1.1 418 ") && answer.ends_with("\r\n\r\na token, please\n"), "{answer}");
    assert!(
        answer.contains("\r\nretry-after: 7\r\n") && answer.contains("\r\nConnection: close\r\n"),
        "{answer}"
    );
    server.until(|stats| (stats.refused(), stats.opened()) == (1, 0)).await;
}

#[tokio::test]
async fn a_guard_passes_data_to_the_handler_and_may_set_a_cookie() {
    let server = run(Server::builder().endpoint("/{room}", Endpoint::new(greet).guard(token))).await;
    let mut peer = server.connect().await;
    peer.send(opening("/bl%75e?token=ann", "")).await;
    let head = peer.head().await;
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("\r\nset-cookie: seen=1\r\n"), "{head}");
    assert_eq!(peer.bytes(13).await, reply(0x81, b"ann in blue"));
}

#[tokio::test]
async fn a_guard_cannot_set_fields_of_the_handshake_in_the_101() {
    for fault in 0..3 {
        let endpoint = Endpoint::new(echo).guard(move |mut request: Request| async move {
            let headers = request.response_headers_mut();
            match fault {
                0 => request.choose_subprotocol(Some("never-offered")),
                1 => drop(headers.insert("connection", HeaderValue::from_static("close"))),
                _ => drop(headers.insert("sec-websocket-accept", HeaderValue::from_static("x"))),
            }
            Ok(request)
        });
        let server = run(Server::builder().endpoint("/", endpoint)).await;
        let answer = ask(&server, opening("/", "Sec-WebSocket-Protocol: a\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 500 ") && !answer.contains("101"), "{fault} {answer}");
    }
}

#[tokio::test]
async fn a_request_of_version_8_is_answered_with_the_supported_version() {
    let server = run(Server::builder().route("/", echo)).await;
    let answer = ask(&server, opening("/", "").replace("Version: 13", "Version: 8")).await;
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("sec-websocket-version: 13"), "{answer}");
}

#[cfg(feature = "deflate")]
mod deflate {
    use super::*;
    use ws_server::deflate::Config;

    const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

    #[tokio::test]
    async fn compression_is_off_until_it_is_turned_on() {
        let server = run(Server::builder().route("/", echo)).await;
        let mut peer = server.connect().await;
        peer.send(opening("/", OFFER)).await;
        let head = peer.head().await.to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 101 ") && !head.contains("extensions"), "{head}");
    }

    #[tokio::test]
    async fn only_parameters_that_were_offered_are_answered() {
        let endpoint = Endpoint::new(echo).deflate(Config::server());
        let server = run(Server::builder().endpoint("/", endpoint)).await;
        for (offer, expected) in [
            ("permessage-deflate", "permessage-deflate"),
            // websocket-sharp and Unity.
            (
                "permessage-deflate; client_no_context_takeover",
                "permessage-deflate; client_no_context_takeover",
            ),
            (
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            ),
            ("permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits=12"),
        ] {
            let mut peer = server.connect().await;
            peer.send(opening("/", &format!("Sec-WebSocket-Extensions: {offer}\r\n"))).await;
            let head = peer.head().await;
            let answer = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
            assert_eq!(answer, Some(expected), "{offer}");
        }
    }

    #[tokio::test]
    async fn a_compressed_message_comes_back_compressed() {
        let mut config = Config::server();
        config.threshold = 0;
        let server = run(Server::builder().endpoint("/", Endpoint::new(echo).deflate(config))).await;
        let mut peer = server.connect().await;
        peer.send(opening("/", OFFER)).await;
        let head = peer.head().await.to_ascii_lowercase();
        assert!(head.contains("sec-websocket-extensions: permessage-deflate"), "{head}");
        // RFC 7692 §7.2.3.1: "Hello", compressed.
        let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        peer.send(frame(0xc1, &hello)).await;
        assert_eq!(peer.bytes(7).await, reply(0x81, b"Hello"), "too short to be worth it on the way back");
        peer.send(frame(0x81, &[b'a'; 120])).await;
        let head = peer.bytes(2).await;
        assert!(head[0] == 0xc1 && head[1] < 40, "RSV1, and much shorter: {head:?}");
    }
}
