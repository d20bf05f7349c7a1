//! What an axum handler can read from an upgrade before it opens the WebSocket, and requests without an upgrade.
#![allow(clippy::unwrap_used)]

#[path = "../../ws-server/tests/common/mod.rs"]
mod common;

use std::net::SocketAddr;

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use http::StatusCode;
use tokio::net::{TcpListener, TcpStream};
use ws_server::{Acceptor, AcceptorBuilder, Request, WebSocket, WebSocketHub, WebSocketUpgrade, response};

use common::{Peer, get, opening};

/// Answers with what the handler can read.
async fn facts(upgrade: WebSocketUpgrade) -> Response {
    let upgrade = upgrade.subprotocols(["chat.v2", "chat.v1"]);
    let text = format!("{:?} {:?} {upgrade:?}", upgrade.offered_subprotocols(), upgrade.subprotocol());
    (StatusCode::OK, text).into_response()
}

/// Serves a page and a WebSocket at the same path.
async fn either(upgrade: Option<WebSocketUpgrade>) -> Response {
    match upgrade {
        Some(upgrade) => upgrade.open(async |_: WebSocket| {}).await,
        None => "a page".into_response(),
    }
}

async fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new()
        .route("/facts", any(facts))
        .route("/either", any(either))
        .with_state(WebSocketHub::default());
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}

async fn ask(address: SocketAddr, request: &str) -> String {
    let mut peer = Peer(TcpStream::connect(address).await.unwrap());
    peer.send(request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")).await;
    peer.text().await
}

#[tokio::test]
async fn an_upgrade_shows_what_is_offered_and_what_will_be_chosen() {
    let address = serve().await;
    for (offer, facts) in [
        ("Sec-WebSocket-Protocol: chat.v1, other\r\n", "[\"chat.v1\", \"other\"] Some(\"chat.v1\")"),
        ("Sec-WebSocket-Protocol: other\r\n", "[\"other\"] None"),
        ("", "[] None"),
    ] {
        let answer = ask(address, &opening("/facts", offer)).await;
        assert!(answer.contains(facts), "{answer}");
        assert!(answer.contains("Upgrade { path: \"/facts\", options: EndpointOptions {"), "{answer}");
    }
}

#[tokio::test]
async fn a_handler_of_an_optional_upgrade_answers_both_kinds_of_request() {
    let address = serve().await;
    let mut peer = Peer(TcpStream::connect(address).await.unwrap());
    peer.send(opening("/either", "")).await;
    assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
    let answer = ask(address, &get("/either")).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("a page"), "{answer}");
    let wrong = opening("/either", "").replace("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 12");
    assert!(ask(address, &wrong).await.starts_with("HTTP/1.1 426 "));
}

/// Returns an acceptor with a page that contains the peer address of the request.
fn acceptor() -> Acceptor {
    let page = async |request: Request| response::text(StatusCode::OK, &format!("{:?}", request.peer_addr()));
    AcceptorBuilder::default().page(page).build().unwrap()
}

#[tokio::test]
async fn a_page_of_an_acceptor_sees_the_peer_address_that_the_http_server_put_into_the_request() {
    let peer: SocketAddr = "192.0.2.7:4711".parse().unwrap();
    let request = http::Request::get("/").header("host", "h").extension(peer).body(()).unwrap();
    let answer = acceptor().upgrade(request).await.unwrap_err();
    assert_eq!(std::str::from_utf8(answer.body()).unwrap().trim_end(), format!("{:?}", Some(peer)));
}
