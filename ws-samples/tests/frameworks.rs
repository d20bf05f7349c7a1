//! Endpoints in other HTTP servers: the examples `axum` and `hyper`, tested with ws-client and with raw bytes.

#[allow(dead_code, unreachable_pub, reason = "its main is not run here")]
#[path = "../examples/axum.rs"]
mod axum_example;
#[allow(dead_code, unreachable_pub, reason = "its main is not run here")]
#[path = "../examples/hyper.rs"]
mod hyper_example;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use ws_client::Request as ClientRequest;
use ws_server::{
    CloseCode, Drained, Endpoint, HostPolicy, Message, Request, ServerOptions, WebSocket, WebSocketHub,
    response,
};
use ws_topics::{Event, SubscribeRequest, TopicsClient};

const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the example `axum` on a free port.
struct Axum {
    address: SocketAddr,
    sockets: WebSocketHub,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<Drained>>,
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn serve_axum(options: ServerOptions) -> Axum {
    let (listener, address) = listen().await;
    let sockets = WebSocketHub::new(options).unwrap();
    let (stop, stopped) = oneshot::channel();
    let stopped = async { drop(stopped.await) };
    let serving = tokio::spawn(axum_example::serve(listener, sockets.clone(), stopped));
    Axum { address, sockets, stop, serving }
}

/// Runs an echo endpoint with a guard under hyper.
async fn serve_hyper(sockets: &WebSocketHub) -> SocketAddr {
    let (listener, address) = listen().await;
    let endpoint = Endpoint::new(async |mut socket: WebSocket| {
        while let Ok(Some(message)) = socket.recv().await {
            socket.send(message).await.unwrap();
        }
    })
    .subprotocols(["echo.v1"])
    .guard(async |mut request: Request| match request.query() {
        Some("forbidden") => Err(response::unauthorized()),
        Some("panic") => panic!("a guard that panics"),
        Some("owned") => {
            let mut response = response::html("");
            response.headers_mut().insert("upgrade", "x".parse().unwrap());
            Err(response)
        }
        _ => {
            let peer = request.peer_addr().unwrap().ip().to_string();
            request.response_headers_mut().insert("x-peer", peer.parse().unwrap());
            Ok(request)
        }
    });
    tokio::spawn(hyper_example::serve(listener, sockets.endpoint(endpoint).unwrap()));
    address
}

/// Sends raw bytes and reads to the end of the stream.
async fn talk(address: SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    timeout(Duration::from_secs(10), stream.read_to_end(&mut answer))
        .await
        .expect("the connection did not end")
        .unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n{more}\r\n")
}

const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";

#[tokio::test]
async fn refusals_are_those_of_our_own_server() {
    let axum = serve_axum(ServerOptions::default()).await;
    let sockets = WebSocketHub::default();
    let hyper = serve_hyper(&sockets).await;
    let own = ws_server::Server::builder()
        .route("/echo", async |_: WebSocket| {})
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let own_address = own.local_addr().unwrap();
    tokio::spawn(own.serve());
    let long = format!("X: {}\r\n", "x".repeat(17_000));
    for (request, status, field) in [
        (get("/echo", &[UPGRADE, VERSION].concat()), 400, "connection: close"),
        (get("/echo", &[UPGRADE, KEY].concat()), 400, ""),
        (
            get("/echo", &[UPGRADE, KEY, "Sec-WebSocket-Version: 12\r\n"].concat()),
            426,
            "sec-websocket-version: 13",
        ),
        (get("/echo", &[UPGRADE, KEY, VERSION, "Sec-WebSocket-Protocol: a,b,a\r\n"].concat()), 400, ""),
        (get("/echo", &[UPGRADE, KEY, KEY, VERSION].concat()), 400, ""),
        (get("/echo", &[UPGRADE, KEY, VERSION, "Origin: http://evil.example\r\n"].concat()), 403, ""),
        (get("/echo", &[UPGRADE, KEY, VERSION, &long].concat()), 431, ""),
        (get("/echo", ""), 426, "upgrade: websocket"),
        (get("/echo", &[KEY, VERSION].concat()), 426, "upgrade: websocket"),
        (get("/echo", &["Upgrade: websocket\r\n", KEY, VERSION].concat()), 426, "sec-websocket-version: 13"),
        (get("/echo", &[UPGRADE, KEY, VERSION].concat()).replacen("GET", "PUT", 1), 405, "allow: get"),
    ] {
        let expected = talk(own_address, &request).await;
        let (_, line) = expected.split_once("\r\n\r\n").unwrap();
        for (address, path) in
            [(own_address, "/echo"), (hyper, "/echo"), (axum.address, "/echo"), (axum.address, "/rooms/a")]
        {
            let answer = talk(address, &request.replacen("/echo", path, 1)).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?} {path}: {answer}");
            let (head, _) = answer.split_once("\r\n\r\n").unwrap();
            let head = head.to_lowercase();
            assert!(head.contains(field), "{request:?} {path}: {answer}");
            // RFC 9110 section 6.6.1: hyper and axum add the date.
            assert_eq!(head.matches("\r\ndate: ").count(), 1, "{request:?} {path}: {answer}");
            let (_, body) = answer.split_once("\r\n\r\n").unwrap();
            assert_eq!(body, line, "{request:?} {path}");
            assert_eq!(body.lines().count(), 1);
        }
    }
    assert_eq!((sockets.stats().refused(), sockets.stats().plain()), (1, 1));
    assert_eq!(sockets.stats().opened() + axum.sockets.stats().opened(), 0);
}

#[tokio::test]
async fn a_host_that_is_not_allowed_is_refused_in_frameworks() {
    let mut options = ServerOptions::default();
    options.handshake.allowed_hosts = HostPolicy::Loopback;
    let axum = serve_axum(options.clone()).await;
    let hyper = serve_hyper(&WebSocketHub::new(options).unwrap()).await;
    for (address, path) in [(hyper, "/echo"), (axum.address, "/echo"), (axum.address, "/rooms/a")] {
        for fields in [&[UPGRADE, KEY, VERSION].concat(), ""] {
            let answer = talk(address, &get(path, fields)).await;
            assert!(answer.starts_with("HTTP/1.1 421 "), "{path}: {answer}");
            assert!(answer.contains("handshake.allowed_hosts"), "{path}: {answer}");
        }
        let request = get(path, "").replace("Host: h", "Host: localhost:9001");
        assert!(talk(address, &request).await.starts_with("HTTP/1.1 426 "), "{path}");
    }
}

#[tokio::test]
async fn http_1_0_is_answered_and_not_upgraded_in_frameworks() {
    let axum = serve_axum(ServerOptions::default()).await;
    let hyper = serve_hyper(&WebSocketHub::default()).await;
    for address in [hyper, axum.address] {
        for fields in [&[UPGRADE, KEY, VERSION].concat(), ""] {
            let answer = talk(address, &get("/echo", fields).replace("HTTP/1.1", "HTTP/1.0")).await;
            assert!(answer.starts_with("HTTP/1.0 426 ") || answer.starts_with("HTTP/1.1 426 "), "{answer}");
        }
    }
}

#[tokio::test]
async fn guards_can_refuse_panic_and_add_fields_under_hyper() {
    let sockets = WebSocketHub::default();
    let address = serve_hyper(&sockets).await;
    let ask = |query| get(&format!("/echo?{query}"), &[UPGRADE, KEY, VERSION].concat());
    let forbidden = talk(address, &ask("forbidden")).await;
    assert!(
        forbidden.starts_with("HTTP/1.1 401 ") && forbidden.contains("www-authenticate: Basic"),
        "{forbidden}"
    );
    for query in ["panic", "owned"] {
        let answer = talk(address, &ask(query)).await;
        assert!(answer.starts_with("HTTP/1.1 500 "), "{query}: {answer}");
    }
    assert_eq!((sockets.stats().panicked(), sockets.stats().refused()), (1, 2));

    let url = format!("ws://{address}/echo");
    let request = ClientRequest::new(&url).unwrap().subprotocol("echo.v0").subprotocol("echo.v1");
    let (mut client, answer) = ws_client::connect(request).await.unwrap();
    assert_eq!(answer.headers()["sec-websocket-protocol"], "echo.v1");
    assert_eq!(answer.headers()["x-peer"], "127.0.0.1", "guards see the peer address");
    client.send("hello").await.unwrap();
    assert_eq!(client.recv().await.unwrap(), Some(Message::text("hello")));
    assert!(client.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap().is_clean());
}

#[tokio::test]
async fn the_example_axum_opens_websockets_on_both_kinds_of_routes() {
    let axum = serve_axum(ServerOptions::default()).await;
    let page = talk(axum.address, &get("/", "Connection: close\r\n")).await;
    assert!(page.contains("Connect to"), "{page}");

    let request = ClientRequest::new(&format!("ws://{}/rooms/a%20b", axum.address)).unwrap();
    let (mut room, answer) = ws_client::connect(request.subprotocol("chat.v1")).await.unwrap();
    assert_eq!(answer.headers()["sec-websocket-protocol"], "chat.v1");
    assert_eq!(room.recv().await.unwrap(), Some(Message::text("welcome to a b")));
    let (mut echo, _) = ws_client::connect(format!("ws://{}/echo", axum.address).as_str()).await.unwrap();
    let large = Message::binary(vec![7; 300_000]);
    for socket in [&mut room, &mut echo] {
        socket.send(large.clone()).await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Some(large.clone()));
    }
    let stats = axum.sockets.stats();
    assert_eq!((stats.open(), stats.opened(), stats.accepted()), (2, 2, 2));
}

#[tokio::test]
async fn a_router_drains_with_its_websockets() {
    let mut options = ServerOptions::default();
    options.drain_spread = Duration::from_millis(50);
    options.drain_timeout = Duration::from_secs(1);
    let axum = serve_axum(options).await;
    let url = format!("ws://{}/echo", axum.address);
    let mut clients = Vec::new();
    for _ in 0..5 {
        let (mut client, _) = ws_client::connect(url.as_str()).await.unwrap();
        clients.push(tokio::spawn(async move {
            let end = client.recv().await;
            (end, client.close_info().unwrap().received)
        }));
    }
    // An open WebSocket whose peer never reads.
    let mut silent = TcpStream::connect(axum.address).await.unwrap();
    silent.write_all(get("/echo", &[UPGRADE, KEY, VERSION].concat()).as_bytes()).await.unwrap();
    silent.read_exact(&mut [0; 12]).await.unwrap();
    while axum.sockets.stats().open() < 6 {
        tokio::task::yield_now().await;
    }
    axum.stop.send(()).unwrap();
    let drained = timeout(Duration::from_secs(5), axum.serving).await.unwrap().unwrap().unwrap();
    assert_eq!((drained.closed, drained.aborted), (5, 1));
    for client in clients {
        let (end, code) = client.await.unwrap();
        assert_eq!((end.unwrap(), code), (None, Some(CloseCode::GOING_AWAY)));
    }
    assert_eq!(axum.sockets.stats().open(), 0);
}

#[tokio::test]
async fn requests_beyond_the_limit_or_during_the_shutdown_are_answered_503() {
    let mut options = ServerOptions::default();
    options.max_connections = Some(1);
    options.overload_wait = Duration::from_millis(1);
    let sockets = WebSocketHub::new(options).unwrap();
    let address = serve_hyper(&sockets).await;
    let (client, _) = ws_client::connect(format!("ws://{address}/echo").as_str()).await.unwrap();
    let ask = get("/echo", &[UPGRADE, KEY, VERSION].concat());
    let full = talk(address, &ask).await;
    assert!(full.starts_with("HTTP/1.1 503 ") && full.contains("retry-after: 5"), "{full}");
    let reading = tokio::spawn(async move {
        let mut client = client;
        client.recv().await
    });
    let drained = sockets.drain().await;
    assert_eq!((drained.closed, drained.aborted), (1, 0));
    assert_eq!(reading.await.unwrap().unwrap(), None);
    let late = talk(address, &ask).await;
    assert!(late.starts_with("HTTP/1.1 503 ") && late.contains("shutting down"), "{late}");
}

#[tokio::test]
async fn on_upgrade_opens_a_websocket_and_answers_503_at_once_when_all_are_taken() {
    let mut options = ServerOptions::default();
    options.max_connections = Some(1);
    options.overload_wait = Duration::from_secs(9);
    let hub = WebSocketHub::new(options).unwrap();
    let (listener, address) = listen().await;
    let echo = |upgrade: ws_server::WebSocketUpgrade| async move {
        upgrade.on_upgrade(async |mut socket: WebSocket| {
            while let Some(message) = socket.recv().await? {
                socket.send(message).await?;
            }
            Ok::<_, ws_server::Error>(())
        })
    };
    let app = axum::Router::new().route("/", axum::routing::any(echo)).with_state(hub);
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });

    let (mut client, _) = ws_client::connect(format!("ws://{address}/").as_str()).await.unwrap();
    client.send("x").await.unwrap();
    assert_eq!(client.recv().await.unwrap(), Some(Message::from("x")));
    let begin = std::time::Instant::now();
    let full = talk(address, &get("/", &[UPGRADE, KEY, VERSION].concat())).await;
    assert!(full.starts_with("HTTP/1.1 503 ") && full.contains("retry-after: 5"), "{full}");
    assert!(begin.elapsed() < Duration::from_secs(9), "the answer waited for overload_wait");
    serving.abort();
}

#[test]
fn the_types_for_frameworks_are_send_and_sync() {
    fn check<T: Send + Sync + 'static>() {}
    check::<WebSocket>();
    check::<WebSocketHub>();
    check::<ws_server::EndpointService>();
    check::<ws_client::WebSocket>();
}

#[tokio::test]
async fn a_request_over_http_2_that_asks_for_no_websocket_is_answered_with_one_line() {
    use hyper_util::rt::{TokioExecutor, TokioIo};

    let sockets = WebSocketHub::default();
    let endpoint = sockets.endpoint(Endpoint::new(async |_: WebSocket| {})).unwrap();
    let (client, server) = tokio::io::duplex(1 << 16);
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let answering = endpoint.answer(request);
        async move { Ok::<_, std::convert::Infallible>(answering.await.map(http_body_util::Full::new)) }
    });
    let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    tokio::spawn(serving.serve_connection(TokioIo::new(server), service));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(client)).await.unwrap();
    tokio::spawn(connection);
    // An endpoint has no page: the answer to other requests says what it is.
    for (method, status) in [("GET", 426), ("CONNECT", 405)] {
        let uri = if method == "GET" { "http://h/echo" } else { "h:80" };
        let request = http::Request::builder().method(method).uri(uri).version(http::Version::HTTP_2);
        let request = request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
        let answer = timeout(Duration::from_secs(5), sender.send_request(request)).await.unwrap().unwrap();
        assert_eq!(answer.status().as_u16(), status, "{method}");
        let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
        assert_eq!(std::str::from_utf8(&body).unwrap().lines().count(), 1);
    }
    assert_eq!((sockets.stats().plain(), sockets.stats().failed_handshakes()), (1, 1));
}

#[tokio::test]
async fn topics_are_served_in_axum_and_resumed_by_their_client() {
    let Axum { address, stop, serving, .. } = serve_axum(ServerOptions::default()).await;
    let client = |user: &str| {
        let url = format!("ws://{address}/topics/{user}");
        TopicsClient::new(&ws_client::Client::new().unwrap(), url).unwrap()
    };
    let (ann, bo) = (client("ann"), client("bo"));
    let request = SubscribeRequest::default().present("");
    let mut news = timeout(PATIENCE, ann.subscribe("news", request)).await.unwrap().unwrap();
    let position = timeout(PATIENCE, bo.publish("news", "1")).await.unwrap().unwrap();
    let Event::Message { message, .. } = timeout(PATIENCE, news.next()).await.unwrap().unwrap() else {
        panic!("another event")
    };
    assert_eq!(message.as_text(), Some("1"));
    assert_eq!(&*timeout(PATIENCE, bo.presence("news")).await.unwrap().unwrap()[0].identity, "ann");
    timeout(PATIENCE, ann.close()).await.unwrap();
    // Somebody who comes with the position gets what follows it.
    timeout(PATIENCE, bo.publish("news", "2")).await.unwrap().unwrap();
    let request = SubscribeRequest::default().since(position);
    let mut news = timeout(PATIENCE, bo.subscribe("news", request)).await.unwrap().unwrap();
    let Event::Message { message, .. } = timeout(PATIENCE, news.next()).await.unwrap().unwrap() else {
        panic!("another event")
    };
    assert_eq!(message.as_text(), Some("2"));
    // The shutdown closes the WebSockets of topics as well.
    stop.send(()).unwrap();
    let drained = timeout(PATIENCE, serving).await.unwrap().unwrap().unwrap();
    assert_eq!((drained.closed, drained.aborted), (1, 0));
}
