//! Which hosts requests may be addressed to, and what a page's origin is compared with.

use crate::common::{Running, ask, echo, get, opening, run};
use ws_server::{BuildError, HostPolicy, OriginPolicy, Server, ServerBuilder};

fn server(policy: HostPolicy) -> ServerBuilder {
    Server::builder()
        .route("/socket", echo)
        .page("/", "text/html; charset=utf-8", "<p>hello")
        .health("/healthz")
        .allowed_hosts(policy)
}

async fn status(server: &Running, request: String) -> String {
    ask(server, request).await.split(' ').nth(1).unwrap().to_owned()
}

/// Whether the opening handshake is answered with 101.
async fn opens(server: &Running, request: String) -> bool {
    let mut peer = server.connect().await;
    peer.send(request).await;
    peer.head().await.starts_with("HTTP/1.1 101 ")
}

#[tokio::test]
async fn a_page_whose_name_was_rebound_reaches_neither_endpoint_nor_page() {
    let server = run(server(HostPolicy::Loopback)).await;
    let rebound = |request: String| request.replace("Host: localhost", "Host: evil.example:9001");
    // The browser takes the server for the page's own: the origin is the same host.
    let request = rebound(opening("/socket", "Origin: http://evil.example:9001\r\n"));
    let answer = ask(&server, request).await;
    assert!(answer.starts_with("HTTP/1.1 421 Misdirected Request\r\n"), "{answer}");
    assert!(answer.contains("evil.example") && answer.contains("handshake.allowed_hosts"), "{answer}");
    for target in ["/", "/socket", "/nothing"] {
        assert_eq!(status(&server, rebound(get(target))).await, "421", "{target}");
    }
    let absolute = get("http://evil.example/");
    assert_eq!(status(&server, absolute).await, "421", "the target's authority counts, not the Host field");
    assert_eq!(status(&server, rebound(get("http://localhost/"))).await, "200");
    server.until(|stats| (stats.refused(), stats.opened()) == (5, 0)).await;
}

#[tokio::test]
async fn loopback_names_and_addresses_pass_the_loopback_policy() {
    let server = run(server(HostPolicy::Loopback)).await;
    for host in ["localhost", "localhost:9001", "LOCALHOST", "127.0.0.1:1", "[::1]:9001", "app.localhost"] {
        let request = opening("/socket", "").replace("Host: localhost", &format!("Host: {host}"));
        assert!(opens(&server, request).await, "{host}");
        let request = get("/").replace("Host: localhost", &format!("Host: {host}"));
        assert_eq!(status(&server, request).await, "200", "{host}");
    }
}

#[tokio::test]
async fn a_health_check_is_answered_whatever_the_host() {
    let server = run(server(HostPolicy::Loopback)).await;
    let request = get("/healthz").replace("localhost", "10.1.2.3:9001");
    assert_eq!(status(&server, request).await, "200");
    let request = opening("/healthz", "").replace("Host: localhost", "Host: 10.1.2.3:9001");
    assert_eq!(status(&server, request).await, "421", "this asks for a WebSocket");
}

#[tokio::test]
async fn any_host_passes_by_default() {
    let server = run(server(HostPolicy::default())).await;
    let request = opening("/socket", "").replace("Host: localhost", "Host: public.example");
    assert!(opens(&server, request).await);
    let request = get("/").replace("localhost", "public.example");
    assert_eq!(status(&server, request).await, "200");
}

#[tokio::test]
async fn a_list_of_hosts_that_cannot_work_stops_the_server_from_being_built() {
    let policy = HostPolicy::List(vec!["http://example.com".into()]);
    match server(policy).bind("127.0.0.1:0").await {
        Err(BuildError::Setting(error)) => assert_eq!(error.setting, "handshake.allowed_hosts"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refused_origin_is_named_with_the_setting() {
    let list = OriginPolicy::List(vec!["https://*.example.com".into(), "file://".into()]);
    let endpoint = ws_server::Endpoint::new(echo).origin(list);
    let server = run(Server::builder().route("/", echo).endpoint("/list", endpoint)).await;
    for (target, origin, rule) in [
        ("/", "https://evil.example", "OriginPolicy::SameHost"),
        ("/list", "https://evil.example", "OriginPolicy::List"),
        ("/list", "https://example.com", "OriginPolicy::List"),
    ] {
        let answer = ask(&server, opening(target, &format!("Origin: {origin}\r\n"))).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        assert!(
            answer.contains(origin) && answer.contains("setting origin") && answer.contains(rule),
            "{answer}"
        );
    }
    for origin in ["https://a.b.example.com", "file://"] {
        assert!(opens(&server, opening("/list", &format!("Origin: {origin}\r\n"))).await, "{origin}");
    }
}
