//! Requests that ask for no WebSocket, on the port of one.
#![allow(clippy::unwrap_used)]

mod common;

use common::{ask, echo, get, opening, run};
use http::StatusCode;
use ws_server::{Request, Response, Server, response};

async fn room(request: Request) -> Response {
    let peer = request.peer_addr().unwrap();
    assert!(peer.ip().is_loopback() && !request.is_secure());
    let line = format!("{} {:?}", request.param("room").unwrap(), request.query());
    response::text(StatusCode::OK, &line)
}

fn server() -> ws_server::ServerBuilder {
    Server::builder()
        .route("/", echo)
        .page("/", "text/html; charset=utf-8", "<p>hello")
        .route("/socket", echo)
        .health("/healthz")
        .get("/rooms/{room}", room)
}

#[tokio::test]
async fn a_page_is_served_where_an_endpoint_is_too() {
    let server = run(server()).await;
    let answer = ask(&server, get("/")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("content-type: text/html; charset=utf-8\r\n"), "{answer}");
    assert!(answer.contains("Connection: close\r\n"), "{answer}");
    assert!(answer.contains("Content-Length: 8\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n<p>hello"), "{answer}");
}

#[tokio::test]
async fn the_health_check_says_ok() {
    let server = run(server()).await;
    let answer = ask(&server, get("/healthz")).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nok\n"), "{answer}");
}

#[tokio::test]
async fn a_function_sees_path_parameters_query_and_peer() {
    let server = run(server()).await;
    let answer = ask(&server, get("/rooms/blue%20one?x=%201")).await;
    assert!(answer.ends_with("\r\n\r\nblue one Some(\"x=%201\")\n"), "{answer}");
}

#[tokio::test]
async fn a_head_gets_the_fields_without_the_body() {
    let server = run(server()).await;
    let answer = ask(&server, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("Content-Length: 8\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let server = run(server()).await;
    for target in ["/nothing", "/rooms", "/rooms/a/b", "/rooms/%ff", "//"] {
        let answer = ask(&server, get(target)).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{target} {answer}");
    }
    assert!(ask(&server, opening("/nothing", "")).await.starts_with("HTTP/1.1 404 "));
    assert!(
        ask(&server, opening("/healthz", "")).await.starts_with("HTTP/1.1 404 "),
        "a page is no endpoint"
    );
    server.until(|stats| (stats.plain(), stats.refused()) == (5, 2)).await;
}

#[tokio::test]
async fn a_get_for_an_endpoint_is_told_to_upgrade() {
    let server = run(server()).await;
    let answer = ask(&server, get("/socket")).await;
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("\r\nupgrade: websocket\r\n"), "{answer}");
}

#[tokio::test]
async fn another_method_is_405_and_garbage_400() {
    let server = run(server()).await;
    let answer = ask(&server, "POST / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.1 405 ") && answer.to_ascii_lowercase().contains("allow: get"),
        "{answer}"
    );
    assert!(ask(&server, "\x16\x03\x01\x02\x00\x01").await.starts_with("HTTP/1.1 400 "), "a TLS hello");
    server.until(|stats| stats.failed_handshakes() == 2).await;
}

#[tokio::test]
async fn nothing_after_a_plain_request_is_answered() {
    let server = run(server()).await;
    let answer = ask(&server, get("/healthz").repeat(3)).await;
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
}

#[tokio::test]
async fn a_fallback_stands_in_for_404() {
    let builder = Server::builder()
        .route("/", echo)
        .fallback(async |request: Request| response::text(StatusCode::GONE, request.path()));
    let server = run(builder).await;
    let answer = ask(&server, get("/old/page")).await;
    assert!(answer.starts_with("HTTP/1.1 410 ") && answer.ends_with("/old/page\n"), "{answer}");
}

#[tokio::test]
async fn a_response_that_must_not_be_written_becomes_500() {
    let builder = Server::builder().get("/", async |_| {
        let mut response = response::html("smuggled");
        response.headers_mut().insert("transfer-encoding", "chunked".parse().unwrap());
        response
    });
    let server = run(builder).await;
    let answer = ask(&server, get("/")).await;
    assert!(answer.starts_with("HTTP/1.1 500 ") && !answer.contains("smuggled"), "{answer}");
}
