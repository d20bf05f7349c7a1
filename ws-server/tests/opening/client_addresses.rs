//! Which address a client has behind proxies, for handlers, guards, pages and the log.

use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use ws_server::{
    Acceptor, AcceptorBuilder, Endpoint, ForwardedFields, HandshakeOptions, ProxyOptions, Request, Response,
    Server, ServerBuilder, WebSocket, response,
};

use crate::common::log::logged;
use crate::common::{Running, ask, get, opening, options, run, soon};

const V1: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\xdc\x04\x01\xbb";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\x03abc";

fn trusting(networks: &str) -> ProxyOptions {
    ProxyOptions::default().trusted(networks.parse().unwrap())
}

fn facts(request: &Request) -> String {
    let client = request.client_addr().map(|address| address.to_string());
    let host = request.forwarded_host();
    format!("{client:?} {} {host:?}", request.is_client_secure())
}

/// A server whose page, guard and handler each report the client; the guard refuses with it if that is asked for.
fn server(proxies: ProxyOptions) -> ServerBuilder {
    let guard = async |request: Request| match request.query() {
        Some("refuse") => Err(response::text(StatusCode::FORBIDDEN, &facts(&request))),
        _ => Ok(request),
    };
    let handler = async |mut socket: WebSocket, request: Request| {
        let _ = socket.send(facts(&request)).await;
    };
    let page = async |request: Request| -> Response { response::text(StatusCode::OK, &facts(&request)) };
    Server::builder().endpoint("/", Endpoint::new(handler).guard(guard)).get("/page", page).proxies(proxies)
}

/// What the handler, a guard and a page say, if it is the same.
async fn said(server: &Running, header: &[u8], fields: &str) -> String {
    let mut peer = server.connect().await;
    peer.send([header, opening("/", fields).as_bytes()].concat()).await;
    let head = peer.head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let [_, length] = peer.bytes(2).await[..] else { unreachable!() };
    let handler = String::from_utf8(peer.bytes(length.into()).await).unwrap();
    let guard = ask(server, [header, opening("/?refuse", fields).as_bytes()].concat()).await;
    let page = get("/page").replace("\r\n\r\n", &format!("\r\n{fields}\r\n"));
    let page = ask(server, [header, page.as_bytes()].concat()).await;
    for answer in [guard, page] {
        assert!(answer.ends_with(&format!("\r\n\r\n{handler}\n")), "{handler}: {answer}");
    }
    handler
}

#[tokio::test]
async fn a_header_of_a_trusted_proxy_names_the_client() {
    let server = run(server(trusting("127.0.0.1").proxy_protocol(true))).await;
    for header in [V1, V2] {
        assert_eq!(said(&server, header, "").await, "Some(\"192.0.2.1:56324\") false None");
    }
    // The fields are no source of addresses, as it is not set.
    let fields = "X-Forwarded-For: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\nX-Forwarded-Proto: https\r\n";
    assert_eq!(said(&server, V1, fields).await, "Some(\"192.0.2.1:56324\") false None");
}

#[tokio::test]
async fn a_header_without_an_address_leaves_the_address_of_the_proxy() {
    let server = run(server(trusting("127.0.0.1").proxy_protocol(true))).await;
    for header in [LOCAL, b"PROXY UNKNOWN\r\n"] {
        let answer = ask(&server, [header, get("/page").as_bytes()].concat()).await;
        assert!(answer.contains("\r\n\r\nSome(\"127.0.0.1:"), "{answer}");
    }
}

#[tokio::test]
async fn a_second_header_of_the_proxy_protocol_is_the_clients_and_refused() {
    let server = run(server(trusting("127.0.0.1").proxy_protocol(true))).await;
    let spoofed = b"PROXY TCP4 203.0.113.9 192.0.2.2 1 443\r\n";
    let answer = ask(&server, [V1, spoofed, get("/page").as_bytes()].concat()).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && !answer.contains("203.0.113.9"), "{answer}");
}

#[tokio::test]
async fn a_header_of_a_peer_that_is_not_trusted_is_refused_with_the_name_of_the_setting() {
    let (log, _guard) = logged();
    for proxies in
        [ProxyOptions::default(), trusting("127.0.0.2").proxy_protocol(true), trusting("127.0.0.1")]
    {
        let server = run(server(proxies)).await;
        for header in [V1, V2, LOCAL] {
            let answer = ask(&server, [header, get("/page").as_bytes()].concat()).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
            assert!(answer.contains("handshake.proxies") && answer.contains("load balancer"), "{answer}");
        }
        server.until(|stats| stats.failed_handshakes() == 3).await;
        // Without a header such a peer is a client.
        let answer = ask(&server, get("/page")).await;
        assert!(answer.contains("Some(\"127.0.0.1:"), "{answer}");
    }
    let lines = log.text().lines().filter(|line| line.contains("setting handshake.proxies")).count();
    assert_eq!(lines, 9, "{}", log.text());
}

#[tokio::test]
async fn a_trusted_proxy_without_a_header_is_refused_with_the_name_of_the_setting() {
    let server = run(server(trusting("127.0.0.1").proxy_protocol(true))).await;
    for request in [get("/page"), opening("/", ""), "PROXY TCP4 1.2.3.4 nonsense\r\n".to_owned()] {
        let answer = ask(&server, request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("handshake.proxies") && answer.contains("send-proxy"), "{answer}");
    }
}

#[tokio::test]
async fn a_header_that_does_not_come_or_trickles_in_ends_at_its_timeout() {
    let proxies = trusting("127.0.0.1").proxy_protocol(true);
    let server = run(server(proxies.proxy_protocol_timeout(Duration::from_millis(100)))).await;
    let mut silent = server.connect().await;
    let mut half = server.connect().await;
    half.send(&V1[..20]).await;
    assert_eq!((silent.text().await, half.text().await), (String::new(), String::new()));
    server.until(|stats| (stats.failed_handshakes(), stats.connections()) == (2, 0)).await;
    // The opening handshake behind the header has its own time.
    let mut slow = server.connect().await;
    slow.send(V1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    slow.send(get("/page")).await;
    assert!(slow.text().await.contains("192.0.2.1:56324"));
}

#[tokio::test]
async fn fields_of_a_trusted_proxy_name_client_scheme_and_host() {
    let fields = "X-Forwarded-For: 203.0.113.9, 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a.example\r\n\
                  Forwarded: for=192.0.2.7;proto=http\r\n";
    let x_forwarded = trusting("127.0.0.1").fields(ForwardedFields::XForwarded);
    let server_of = |proxies| run(server(proxies));
    let server = server_of(x_forwarded).await;
    assert_eq!(said(&server, b"", fields).await, "Some(\"192.0.2.1:0\") true Some(\"a.example\")");
    let server = server_of(trusting("127.0.0.1").fields(ForwardedFields::Forwarded)).await;
    assert_eq!(said(&server, b"", fields).await, "Some(\"192.0.2.7:0\") false None");
}

#[tokio::test]
async fn fields_of_a_peer_that_is_not_trusted_are_ignored() {
    let fields = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a.example\r\n\
                  Forwarded: for=203.0.113.9;proto=https;host=a.example\r\n";
    for proxies in [
        ProxyOptions::default(),
        trusting("127.0.0.1"),
        trusting("127.0.0.2").fields(ForwardedFields::XForwarded),
        trusting("unix, 10.0.0.0/8").fields(ForwardedFields::Forwarded),
    ] {
        let server = run(server(proxies)).await;
        for (handler, answer) in [
            (true, ask(&server, opening("/?refuse", fields)).await),
            (false, ask(&server, get("/page").replace("\r\n\r\n", &format!("\r\n{fields}\r\n"))).await),
        ] {
            assert!(answer.contains("\r\n\r\nSome(\"127.0.0.1:"), "{handler} {answer}");
            assert!(answer.ends_with(" false None\n"), "{answer}");
        }
    }
}

#[tokio::test]
async fn fields_behind_a_header_count_only_if_the_header_names_a_trusted_proxy() {
    let proxies = |trusted| trusting(trusted).proxy_protocol(true).fields(ForwardedFields::XForwarded);
    let fields = "X-Forwarded-For: 203.0.113.9\r\n";
    let server = run(self::server(proxies("127.0.0.1"))).await;
    assert_eq!(said(&server, V2, fields).await, "Some(\"192.0.2.1:56324\") false None");
    let server = run(self::server(proxies("127.0.0.1, 192.0.2.0/24"))).await;
    assert_eq!(said(&server, V2, fields).await, "Some(\"203.0.113.9:0\") false None");
}

#[tokio::test]
async fn the_same_host_is_the_one_that_a_trusted_proxy_names() {
    let pass = |answer: &str| answer.starts_with("HTTP/1.1 101 ");
    let https = "X-Forwarded-Proto: https\r\nX-Forwarded-Host: a.example\r\n";
    let http = "X-Forwarded-Proto: http\r\nX-Forwarded-Host: a.example:8080\r\n";
    let trusted = run(server(trusting("127.0.0.1").fields(ForwardedFields::XForwarded))).await;
    let other = run(server(ProxyOptions::default())).await;
    for (origin, fields, by_trusted, by_other) in [
        ("https://a.example", https, true, false),
        ("http://a.example", https, false, false),
        ("http://localhost", https, false, true),
        ("https://localhost", "X-Forwarded-Proto: https\r\n", true, true),
        ("http://localhost", "X-Forwarded-Proto: https\r\n", false, true),
        ("http://a.example:8080", http, true, false),
        ("http://a.example", http, false, false),
        ("https://evil.example", https, false, false),
    ] {
        let request = opening("/", &format!("Origin: {origin}\r\n{fields}"));
        for (server, expected) in [(&trusted, by_trusted), (&other, by_other)] {
            let mut peer = server.connect().await;
            peer.send(&request).await;
            assert_eq!(pass(&peer.head().await), expected, "{origin} {fields}");
        }
    }
}

#[tokio::test]
async fn the_log_has_peer_and_client_once_each() {
    let (log, _guard) = logged();
    let proxies = trusting("127.0.0.1").fields(ForwardedFields::XForwarded);
    let servers = [
        (run(server(proxies.clone())).await, &b""[..]),
        (run(server(trusting("127.0.0.1").proxy_protocol(true))).await, V1),
        (run(server(proxies.proxy_protocol(true))).await, V1),
    ];
    for (server, header) in servers {
        let request = opening("/?refuse", "X-Forwarded-For: 192.0.2.1\r\n");
        ask(&server, [header, request.as_bytes()].concat()).await;
        server.until(|stats| stats.connections() == 0).await;
    }
    let text = log.text();
    let refused: Vec<_> = text.lines().filter(|line| line.contains("refused")).collect();
    assert_eq!(refused.len(), 3, "{text}");
    for line in refused {
        assert!(line.contains(" peer=127.0.0.1:") && line.contains(" client=192.0.2.1:"), "{line}");
        assert_eq!(line.matches("client=").count(), 1, "{line}");
    }
}

#[tokio::test]
async fn an_acceptor_believes_the_fields_of_the_peer_that_it_is_told() {
    let handshake =
        HandshakeOptions::default().proxies(trusting("10.0.0.1").fields(ForwardedFields::XForwarded));
    let acceptor: Acceptor = AcceptorBuilder::default().handshake(handshake).build().unwrap();
    for (peer, client) in [("10.0.0.1:1", "192.0.2.1:0"), ("10.0.0.2:1", "10.0.0.2:1")] {
        let (near, mut far) = tokio::io::duplex(4096);
        far.write_all(opening("/", "X-Forwarded-For: 192.0.2.1\r\n").as_bytes()).await.unwrap();
        let (_socket, request) = soon(acceptor.accept_from(near, peer.parse().unwrap())).await.unwrap();
        assert_eq!(request.client_addr(), Some(client.parse().unwrap()));
        assert_eq!(request.peer_addr(), Some(peer.parse().unwrap()));
        drop(far);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_proxy_on_a_unix_socket_is_trusted_only_if_that_is_set() {
    for (networks, client) in [("unix", "Some(\"192.0.2.1:56324\")"), ("0.0.0.0/0, ::/0", "400")] {
        let path = std::env::temp_dir().join(format!("ws-server-proxy-{}.sock", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let server = server(trusting(networks).proxy_protocol(true)).listener(listener).build().unwrap();
        let serving = tokio::spawn(server.serve());
        let mut peer = tokio::net::UnixStream::connect(&path).await.unwrap();
        peer.write_all(&[V2, get("/page").as_bytes()].concat()).await.unwrap();
        let mut answer = String::new();
        soon(peer.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.contains(client), "{answer}");
        serving.abort();
        std::fs::remove_file(&path).unwrap();
    }
}

#[tokio::test]
async fn seats_of_handshakes_behind_a_proxy_count_for_the_clients() {
    // One client of the proxy floods, with handshakes that stand still; another is served all the same.
    let options = options(|options| {
        options.max_handshakes = Some(10);
        options.handshake.proxies = trusting("127.0.0.1").proxy_protocol(true);
    });
    let server = run(server(ProxyOptions::default()).options(options)).await;
    let mut flood = Vec::new();
    for _ in 0..30 {
        let mut peer = server.connect().await;
        peer.send(V1).await;
        flood.push(peer);
    }
    let honest = b"PROXY TCP4 198.51.100.7 192.0.2.2 1 443\r\n";
    for _ in 0..5 {
        let answer = ask(&server, [honest, get("/page").as_bytes()].concat()).await;
        assert!(answer.contains("198.51.100.7:1"), "{answer}");
    }
}
