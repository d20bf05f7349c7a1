//! Credentials that guards and handlers check, and that nothing shows.

use std::sync::Arc;
use std::time::Duration;

use tracing::debug;
use ws_server::auth::{Tickets, first_message, is_same_secret};
use ws_server::{CloseCode, Endpoint, Error, Request, Response, Server, WebSocket, response};

use crate::common::log::logged;
use crate::common::{Running, echo, frame, opening, reply, run};

const SECRET: &str = "s3cret-t0ken";

/// A guard that wants the secret as a subprotocol or as a bearer token, and has everything logged that a program may log.
async fn token(mut request: Request) -> Result<Request, Response> {
    let taken = request.take_subprotocol_token("bearer.");
    let given = taken.as_deref().or_else(|| request.bearer_token()).unwrap_or_default();
    let is_valid = is_same_secret(given, SECRET);
    debug!(?request, offered = ?request.offered_subprotocols(), "guard");
    if is_valid { Ok(request) } else { Err(response::token_required()) }
}

async fn handler(socket: WebSocket, request: Request) -> Result<(), Error> {
    debug!(?request, ?socket, subprotocol = request.subprotocol(), "handler");
    debug!(head = ?request.into_http().headers().get("sec-websocket-protocol"), "head");
    echo(socket).await
}

async fn server() -> Running {
    let endpoint = Endpoint::new(handler).subprotocols(["chat.v1"]).guard(token);
    run(Server::builder().endpoint("/", endpoint)).await
}

#[tokio::test]
async fn a_token_among_the_subprotocols_opens_and_is_neither_sent_back_nor_logged() {
    let (log, _guard) = logged();
    let server = server().await;
    for (offer, chosen) in [
        (format!("chat.v1, bearer.{SECRET}"), true),
        (format!("bearer.{SECRET}, chat.v1"), true),
        (format!("bearer.{SECRET}"), false),
    ] {
        let mut peer = server.connect().await;
        peer.send(opening("/", &format!("Sec-WebSocket-Protocol: {offer}\r\n"))).await;
        let head = peer.head().await.to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        assert_eq!(head.contains("\r\nsec-websocket-protocol: chat.v1\r\n"), chosen, "{head}");
        assert!(!head.contains("bearer") && !head.contains(SECRET), "{head}");
        peer.send(frame(0x81, b"hello")).await;
        assert_eq!(peer.bytes(7).await, reply(0x81, b"hello"));
    }
    for refused in ["chat.v1", "chat.v1, bearer.wr0ng-t0ken", "chat.v1, bearer."] {
        let mut peer = server.connect().await;
        peer.send(opening("/", &format!("Sec-WebSocket-Protocol: {refused}\r\n"))).await;
        let answer = peer.text().await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert!(answer.contains("\r\nwww-authenticate: Bearer\r\n") && !answer.contains("t0ken"), "{answer}");
    }
    server.until(|stats| (stats.connections(), stats.refused()) == (0, 3)).await;
    let text = log.text();
    assert!(text.contains("guard") && text.contains("handler") && text.contains("chat.v1"), "{text}");
    assert!(!text.contains("t0ken"), "{text}");
}

#[tokio::test]
async fn a_bearer_token_is_in_no_log() {
    let (log, _guard) = logged();
    let server = server().await;
    let mut peer = server.connect().await;
    peer.send(opening("/", &format!("Authorization: Bearer {SECRET}\r\n"))).await;
    assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
    drop(peer);
    let mut peer = server.connect().await;
    peer.send(opening("/", "Authorization: Bearer wr0ng-t0ken\r\n")).await;
    assert!(peer.text().await.starts_with("HTTP/1.1 401 "));
    server.until(|stats| stats.connections() == 0).await;
    assert!(log.text().contains("guard") && !log.text().contains("t0ken"), "{}", log.text());
}

#[tokio::test]
async fn a_ticket_in_the_query_opens_one_websocket_and_is_in_no_log() {
    let (log, _guard) = logged();
    let tickets = Arc::new(Tickets::new(Duration::from_secs(60)));
    let valid = tickets.clone();
    let guard = move |mut request: Request| {
        let user = request.query_param("ticket").and_then(|ticket| valid.redeem(&ticket));
        debug!(?request, "guard");
        async move {
            let Some(user) = user else { return Err(response::token_required()) };
            request.extensions_mut().insert::<String>(user);
            Ok(request)
        }
    };
    let greet = async |mut socket: WebSocket, request: Request| {
        debug!(?request, "handler");
        let user = request.extensions().get::<String>().cloned().unwrap_or_default();
        socket.send(user).await
    };
    let server = run(Server::builder().endpoint("/", Endpoint::new(greet).guard(guard))).await;
    let ticket = tickets.issue("ada".to_owned()).unwrap();
    let mut peer = server.open(&format!("/?a=b&ticket={ticket}")).await;
    assert_eq!(peer.bytes(5).await, reply(0x81, b"ada"));
    for target in [format!("/?ticket={ticket}"), format!("/nowhere?ticket={ticket}"), "/?ticket=".to_owned()]
    {
        let mut peer = server.connect().await;
        peer.send(opening(&target, "")).await;
        let answer = peer.text().await;
        assert!(answer.starts_with("HTTP/1.1 40"), "{answer}");
        assert!(!answer.contains(&ticket), "{answer}");
    }
    drop(peer);
    server.until(|stats| stats.connections() == 0).await;
    let text = log.text();
    assert!(text.contains("guard") && text.contains("handler"), "{text}");
    assert!(!text.contains(&ticket) && !text.contains("ticket="), "{text}");
    assert!(!format!("{tickets:?}").contains(&ticket));
}

#[tokio::test]
async fn a_websocket_without_a_first_message_by_the_deadline_is_closed_with_1008() {
    for (deadline, keeps_pinging) in [(50, false), (300, true)] {
        let handler = move |mut socket: WebSocket| async move {
            let first = first_message(&mut socket, Duration::from_millis(deadline)).await?;
            assert!(first.is_none(), "nothing has been sent");
            Ok::<_, Error>(())
        };
        let server = run(Server::builder().route("/", handler)).await;
        let mut peer = server.open("/").await;
        if keeps_pinging {
            // A ping is no message: it does not put the deadline off.
            for _ in 0..5 {
                peer.send(frame(0x89, b"!")).await;
                assert_eq!(peer.bytes(3).await, reply(0x8a, b"!"));
            }
        }
        let [0x88, length] = peer.bytes(2).await[..] else { panic!("no Close") };
        let close = peer.bytes(length.into()).await;
        assert_eq!(close[..2], CloseCode::POLICY_VIOLATION.0.to_be_bytes());
        assert_eq!(&close[2..], b"no first message came in time");
        server.until(|stats| stats.panicked() == 0).await;
    }
}

#[tokio::test]
async fn a_first_message_in_time_is_received_and_the_others_follow() {
    let handler = async |mut socket: WebSocket| {
        let first = first_message(&mut socket, Duration::from_secs(60)).await?;
        match first {
            Some(first) if is_same_secret(first.as_bytes(), SECRET) => echo(socket).await,
            _ => socket.close(CloseCode::POLICY_VIOLATION, "not signed in").await.map(drop),
        }
    };
    let server = run(Server::builder().route("/", handler)).await;
    let mut peer = server.open("/").await;
    peer.send([frame(0x81, SECRET.as_bytes()), frame(0x81, b"hello")].concat()).await;
    assert_eq!(peer.bytes(7).await, reply(0x81, b"hello"));
    let mut peer = server.open("/").await;
    peer.send(frame(0x81, b"wrong")).await;
    assert_eq!(peer.bytes(4).await[2..], CloseCode::POLICY_VIOLATION.0.to_be_bytes());
}
