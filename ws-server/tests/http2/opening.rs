//! From a request to an answer.

use h2::ext::Protocol;
use http::{Request, Version};
use ws_server::{Endpoint, HostPolicy, Request as Asked, Response, Server, WebSocket, response};

use crate::common::{ask, echo, frame, get, opening, options, run};
use crate::peer::{Client, Socket, connect};

#[tokio::test]
async fn a_websocket_is_opened_over_http_2_with_its_subprotocol_and_nothing_of_http_1() {
    let endpoint = Endpoint::new(echo).subprotocols(["b", "a"]);
    let server = run(Server::builder().endpoint("/rooms/{room}", endpoint)).await;
    let client = Client::connect(&server).await;
    let request = connect("/rooms/7?x=1")
        .header("sec-websocket-protocol", "a, b")
        .header("sec-websocket-key", "anything")
        .header("origin", "http://localhost");
    let peer = client.ask(request).await.unwrap();
    assert_eq!(peer.head.status(), 200);
    let headers = peer.head.headers();
    assert_eq!(headers["sec-websocket-protocol"], "b");
    assert!(headers.contains_key("date"), "RFC 9110 section 6.6.1");
    for name in
        ["upgrade", "connection", "sec-websocket-accept", "sec-websocket-extensions", "content-length"]
    {
        assert!(!headers.contains_key(name), "{name}");
    }
    let mut socket = Socket::new(peer);
    socket.echo("over HTTP/2").await;
    assert_eq!((server.stats.open(), server.stats.opened(), server.stats.connections()), (1, 1, 1));
}

#[tokio::test]
async fn a_handler_can_ask_for_the_version_and_sees_the_rest_as_over_http_1() {
    let tell = async |mut socket: WebSocket, request: Asked| {
        let told = format!(
            "{:?} {} {} {:?} {} {}",
            request.version(),
            request.path(),
            request.param("room").unwrap(),
            request.query(),
            request.peer_addr().is_some_and(|address| address.ip().is_loopback()),
            socket.get_ref().peer_addr() == request.peer_addr()
                && socket.get_ref().id() == Some(request.id()),
        );
        socket.send(told).await
    };
    let server = run(Server::builder().route("/rooms/{room}", tell)).await;
    let client = Client::connect(&server).await;
    let mut first = client.open("/rooms/7?x=1").await;
    assert_eq!(first.recv().await, "HTTP/2.0 /rooms/7 7 Some(\"x=1\") true true");
}

#[tokio::test]
async fn refusals_over_http_2_have_their_status_and_body_and_end_the_stream() {
    let guard = async |_: Asked| Err::<Asked, Response>(response::unauthorized());
    let options = options(|options| {
        options.handshake.allowed_hosts = HostPolicy::List(vec!["localhost".into()]);
    });
    let builder = Server::builder()
        .route("/", echo)
        .endpoint("/guarded", Endpoint::new(echo).guard(guard))
        .options(options);
    let server = run(builder).await;
    let client = Client::connect(&server).await;
    let version = |version| {
        let protocol = Protocol::from_static("websocket");
        Request::connect("http://localhost/").extension(protocol).header("sec-websocket-version", version)
    };
    let unknown = Request::connect("http://localhost/").extension(Protocol::from_static("connect-udp"));
    let elsewhere =
        Request::connect("http://elsewhere.example/").extension(Protocol::from_static("websocket"));
    for (request, status, line) in [
        (version("8"), 400, "version 13"),
        (unknown, 501, ":protocol"),
        (Request::connect("localhost:80"), 405, "GET"),
        (connect("/nowhere"), 404, "nothing"),
        (connect("/").header("origin", "http://elsewhere.example"), 403, "elsewhere.example"),
        (connect("/guarded"), 401, "password"),
        (elsewhere.header("sec-websocket-version", "13"), 421, "elsewhere.example"),
        (connect("/").header("sec-websocket-protocol", "a b"), 400, "token"),
        (connect("/").header("content-length", "7"), 400, "body"),
        (Request::post("http://localhost/"), 405, "GET"),
    ] {
        let text = format!("{request:?}");
        let mut peer = client.ask(request).await.unwrap();
        assert_eq!(peer.head.status(), status, "{text}");
        let headers = peer.head.headers().clone();
        assert!(headers.contains_key("date"), "{text}");
        let body = peer.text().await;
        assert!(body.contains(line), "{text}: {body}");
        assert_eq!(headers["content-length"], body.len().to_string(), "{text}");
        assert_eq!(headers.contains_key("sec-websocket-version"), line == "version 13", "{text}");
        for name in ["upgrade", "connection"] {
            assert!(!headers.contains_key(name), "{text}: {name}");
        }
    }
    // The connection lives, and nothing holds a permit.
    client.open("/").await.echo("still").await;
    server.until(|stats| stats.open() == 0 || stats.opened() == 1).await;
}

#[tokio::test]
async fn pages_and_health_checks_are_answered_over_http_2() {
    let server =
        run(Server::builder().route("/", echo).page("/", "text/html", "a page").health("/healthz")).await;
    let client = Client::connect(&server).await;
    let uri = |path: &str| format!("http://localhost{path}");
    let page = client.get(Request::get(uri("/"))).await;
    assert_eq!(
        (page.status().as_u16(), page.body().as_str(), page.version()),
        (200, "a page", Version::HTTP_2)
    );
    assert!(page.headers().contains_key("date"));
    assert_eq!(client.get(Request::get(uri("/healthz"))).await.body(), "ok\n");
    assert_eq!(client.get(Request::get(uri("/nowhere"))).await.status(), 404);
    let head = client.get(Request::head(uri("/"))).await;
    assert_eq!(
        (head.status().as_u16(), head.body().as_str(), &head.headers()["content-length"]),
        (200, "", &"6".parse().unwrap())
    );
    client.open("/").await.echo("beside the page").await;
    server.until(|stats| stats.plain() == 4).await;
    let large = "x".repeat(1 << 20);
    let copy = large.clone();
    let server = run(Server::builder().page("/large", "text/plain", copy)).await;
    let client = Client::connect(&server).await;
    assert!(*client.get(Request::get(uri("/large"))).await.body() == large);
}

#[tokio::test]
async fn http_1_is_served_on_the_same_port_and_alone_when_http_2_is_off() {
    let server = run(Server::builder().route("/", echo).page("/page", "text/plain", "1.1")).await;
    assert!(ask(&server, get("/page")).await.ends_with("1.1"));
    server.open("/").await;
    // A POST begins as the preface of HTTP/2 does.
    assert!(ask(&server, "POST / HTTP/1.1\r\n").await.starts_with("HTTP/1.1 405 "));
    let off = run(Server::builder().route("/", echo).options(options(|options| options.http2 = None))).await;
    let answer = ask(&off, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert!(ask(&off, opening("/nowhere", "")).await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn a_preface_that_comes_byte_by_byte_is_recognised() {
    let server = run(Server::builder().page("/", "text/plain", "two")).await;
    let mut peer = server.connect().await;
    for byte in *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" {
        peer.send([byte]).await;
        tokio::task::yield_now().await;
    }
    // SETTINGS of the server: its header says so in the fourth byte.
    assert_eq!(peer.bytes(9).await[3], 4);
}

#[cfg(feature = "deflate")]
#[tokio::test]
async fn compression_is_negotiated_over_http_2() {
    use ws_server::deflate;
    let endpoint = Endpoint::new(echo).deflate(deflate::Config::server());
    let server = run(Server::builder().endpoint("/", endpoint)).await;
    let client = Client::connect(&server).await;
    let request = connect("/").header("sec-websocket-extensions", "permessage-deflate");
    let mut peer = client.ask(request).await.unwrap();
    let answer = peer.head.headers()["sec-websocket-extensions"].to_str().unwrap().to_owned();
    assert!(answer.starts_with("permessage-deflate"), "{answer}");
    // A stored block of RFC 7692 section 7.2.3.3 with "Hello".
    let compressed = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    peer.write(&frame(0xc1, &compressed)).await;
    let echo = peer.data().await.unwrap().unwrap();
    // RSV1 is set: it came back compressed.
    assert!(echo[0] == 0xc1 || echo[..] == *b"\x81\x05Hello", "{echo:?}");
}

#[tokio::test]
async fn a_request_whose_stream_is_reset_in_a_guard_holds_nothing() {
    let (asked, mut asking) = tokio::sync::mpsc::unbounded_channel();
    let guard = move |request: Asked| {
        asked.send(()).unwrap();
        async move {
            std::future::pending::<()>().await;
            Ok::<Asked, Response>(request)
        }
    };
    let endpoint = Endpoint::new(echo).guard(guard);
    let options = options(|options| options.max_handshakes = Some(1));
    let server = run(Server::builder().endpoint("/", endpoint).route("/free", echo).options(options)).await;
    let client = Client::connect(&server).await;
    for _ in 0..3 {
        let mut requests = client.requests.clone().ready().await.unwrap();
        let (_answer, mut send) = requests.send_request(connect("/").body(()).unwrap(), false).unwrap();
        crate::common::soon(asking.recv()).await.unwrap();
        send.send_reset(h2::Reason::CANCEL);
        server.until(|stats| stats.failed_handshakes() > 0).await;
    }
    server.until(|stats| stats.failed_handshakes() == 3).await;
    client.open("/free").await.echo("there is room").await;
}
