//! Requests that ask for no WebSocket, on the port of one.

use crate::common::{ask, echo, get, opening, run};
use http::{HeaderValue, StatusCode};
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
async fn http_1_0_gets_pages_and_health_checks_and_no_upgrade() {
    let server = run(server()).await;
    // haproxy's check has no Host, which is a rule of HTTP/1.1 only.
    for request in ["GET /healthz HTTP/1.0\r\n\r\n", "GET /healthz HTTP/1.0\r\nHost: 10.0.0.1\r\n\r\n"] {
        let answer = ask(&server, request).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nok\n"), "{answer}");
    }
    let answer = ask(&server, "HEAD / HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n"), "{answer}");
    // RFC 9110 section 7.8: Upgrade is ignored.
    let answer = ask(&server, "GET / HTTP/1.0\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("<p>hello"), "{answer}");
    let answer = ask(&server, "GET /socket HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    let answer = ask(&server, opening("/", "").replace("HTTP/1.1", "HTTP/1.0")).await;
    assert!(answer.starts_with("HTTP/1.1 426 ") && answer.contains("proxy_http_version 1.1"), "{answer}");
    assert_eq!(server.stats.opened(), 0);
}

#[tokio::test]
async fn a_handshake_that_lost_a_part_gets_426_and_not_the_page_at_its_path() {
    let server = run(server()).await;
    for (lost, named) in [
        ("Connection: Upgrade\r\n", "lacks Connection: Upgrade;"),
        ("Upgrade: websocket\r\n", "lacks Upgrade: websocket;"),
    ] {
        for target in ["/", "/socket"] {
            let answer = ask(&server, opening(target, "").replace(lost, "")).await;
            assert!(answer.starts_with("HTTP/1.1 426 ") && answer.contains(named), "{answer}");
            let answer = answer.to_ascii_lowercase();
            assert!(answer.contains("\r\nupgrade: websocket\r\n"), "{answer}");
            assert!(answer.contains("\r\nsec-websocket-version: 13\r\n"), "{answer}");
        }
    }
    server.until(|stats| (stats.failed_handshakes(), stats.plain()) == (4, 0)).await;
}

#[tokio::test]
async fn a_header_of_the_proxy_protocol_is_named() {
    let server = run(server()).await;
    for header in [
        &b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n"[..],
        b"PROXY UNKNOWN\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\xdc\x04\x01\xbb",
    ] {
        let answer = ask(&server, [header, opening("/", "").as_bytes()].concat()).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("PROXY protocol"), "{answer}");
    }
}

#[tokio::test]
async fn a_target_beyond_ascii_is_refused_and_says_what_to_do() {
    let server = run(server()).await;
    let answer = ask(&server, get("/rooms/b\u{fc}cher")).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("percent-encoded"), "{answer}");
    let answer = ask(&server, get("/rooms/b%C3%BCcher")).await;
    assert!(answer.ends_with("\r\n\r\nb\u{fc}cher None\n"), "{answer}");
}

#[tokio::test]
async fn a_function_sees_path_parameters_query_and_peer() {
    let server = run(server()).await;
    let answer = ask(&server, get("/rooms/blue%20one?x=%201")).await;
    assert!(answer.ends_with("\r\n\r\nblue one Some(\"x=%201\")\n"), "{answer}");
    // Decoded once.
    let answer = ask(&server, get("/rooms/%2525")).await;
    assert!(answer.ends_with("\r\n\r\n%25 None\n"), "{answer}");
}

#[tokio::test]
async fn a_head_gets_the_fields_without_the_body() {
    let server = run(server()).await;
    let answer = ask(&server, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("Content-Length: 8\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn a_path_without_a_route_is_404() {
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
async fn a_get_for_an_endpoint_gets_426() {
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
    assert!(ask(&server, "nonsense\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
    let answer = ask(&server, "\x16\x03\x01\x02\x00\x01").await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("begins as TLS does"), "{answer}");
    server.until(|stats| stats.failed_handshakes() == 3).await;
}

#[tokio::test]
async fn any_answer_but_a_101_has_one_date() {
    let old = HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT");
    let builder = server().get("/dated", move |_| {
        let mut response = response::text(StatusCode::OK, "as of then");
        response.headers_mut().insert("date", old.clone());
        std::future::ready(response)
    });
    let server = run(builder.get("/panic", async |_| panic!("a page that panics"))).await;
    for (request, status) in [
        (get("/"), 200),
        (get("/dated"), 200),
        ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n".into(), 200),
        ("HEAD / HTTP/1.1\r\n\r\n".into(), 400),
        ("nonsense\r\n\r\n".into(), 400),
        (opening("/", "Origin: http://evil.example\r\n"), 403),
        (get("/nothing"), 404),
        (get("/").replace("GET", "POST"), 405),
        (get("/socket"), 426),
        (opening("/", "").replace("Version: 13", "Version: 8"), 426),
        (get("/").replace("1.1", "2.0"), 505),
        (get("/panic"), 500),
    ] {
        let answer = ask(&server, &request).await;
        let (head, _) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {head}");
        let dates: Vec<_> = head.lines().filter_map(|line| line.strip_prefix("date: ")).collect();
        // RFC 9110 section 5.6.7: Sun, 06 Nov 1994 08:49:37 GMT.
        let [date] = dates[..] else { panic!("{request}: {head}") };
        assert!(date.len() == 29 && date.ends_with(" GMT"), "{request}: {head}");
        assert_eq!(date.contains("1994"), request.contains("/dated"), "{request}: {head}");
    }
    let mut peer = server.connect().await;
    peer.send(opening("/", "")).await;
    assert!(!peer.head().await.to_ascii_lowercase().contains("date:"), "a 101 has none");
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
