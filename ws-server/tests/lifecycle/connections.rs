//! Listing the open WebSockets, sending to one of them and closing one.

use http::Version;
use tokio::sync::mpsc::unbounded_channel;
use ws_server::{
    CloseCode, ConnectionId, Connections, Endpoint, Error, ProxyOptions, Request, Server, ServerBuilder,
    WebSocket, response,
};

use crate::common::{Running, ask, echo, frame, get, opening, reply, soon};

/// Serves, and returns the connections beside.
async fn run(builder: ServerBuilder) -> (Running, Connections) {
    let server = builder.bind("127.0.0.1:0").await.unwrap();
    let connections = server.connections();
    (Running::start(server), connections)
}

fn ids(connections: &Connections) -> Vec<ConnectionId> {
    connections.list().iter().map(|open| open.id).collect()
}

#[tokio::test]
async fn open_websockets_are_listed_with_what_is_known_of_them_until_they_end() {
    let endpoint = Endpoint::new(echo).subprotocols(["chat"]);
    let (server, connections) =
        run(Server::builder().endpoint("/rooms/{id}", endpoint).health("/healthz")).await;
    assert!(connections.list().is_empty());
    let _silent = server.connect().await;
    let mut first = server.connect().await;
    first.send(opening("/rooms/7?token=secret", "Sec-WebSocket-Protocol: chat\r\n")).await;
    first.head().await;
    let mut second = server.open("/rooms/8").await;
    let list = connections.list();
    let [one, two] = &list[..] else { panic!("{list:?}") };
    assert!(one.id < two.id);
    assert_eq!((one.path.as_str(), one.subprotocol.as_deref()), ("/rooms/7", Some("chat")));
    assert_eq!((two.path.as_str(), two.subprotocol.as_deref()), ("/rooms/8", None));
    assert_eq!((one.http_version, one.is_tls, one.queued, one.rtt), (Version::HTTP_11, false, 0, None));
    assert_eq!(one.client_addr, Some(first.0.local_addr().unwrap()));
    assert_eq!(connections.get(two.id).unwrap().path, "/rooms/8");
    first.send(frame(0x88, &[3, 232])).await;
    first.rest().await;
    server.until(|stats| stats.open() == 1).await;
    assert_eq!(ids(&connections), [two.id]);
    assert_eq!(connections.get(one.id), None);
    second.send(frame(0x81, b"x")).await;
    assert_eq!(second.bytes(3).await, reply(0x81, b"x"));
}

#[tokio::test]
async fn a_message_and_a_close_reach_the_websocket_of_that_id_and_no_other() {
    let (report, mut reported) = unbounded_channel();
    // The id of the request, of the stream and of the sender is one.
    let split = move |socket: WebSocket, request: Request| {
        let report = report.clone();
        async move {
            let stream = socket.get_ref().id();
            let (sender, mut receiver) = socket.split();
            report.send((request.id(), stream, sender.connection_id())).unwrap();
            while receiver.recv().await?.is_some() {}
            Ok::<(), Error>(())
        }
    };
    let (server, connections) = run(Server::builder().route("/", echo).route("/split", split)).await;
    let (mut whole, mut other) = (server.open("/").await, server.open("/").await);
    let mut split = server.open("/split").await;
    let (request, stream, sender) = soon(reported.recv()).await.unwrap();
    assert!(stream == Some(request) && sender == request, "{request} {stream:?} {sender}");
    let [first, second, third] = ids(&connections)[..] else { panic!("{connections:?}") };
    assert_eq!(third, request);
    for (id, peer) in [(first, &mut whole), (third, &mut split)] {
        assert!(connections.send(id, "for you").unwrap());
        assert_eq!(peer.bytes(9).await, reply(0x81, b"for you"));
        assert!(connections.close(id, CloseCode::SERVICE_RESTART, "").unwrap());
        assert_eq!(peer.bytes(4).await, reply(0x88, &1012u16.to_be_bytes()));
        peer.send(frame(0x88, &1012u16.to_be_bytes())).await;
        peer.rest().await;
    }
    server.until(|stats| stats.open() == 1).await;
    assert_eq!(ids(&connections), [second]);
    assert!(!connections.send(first, "x").unwrap());
    assert!(!connections.close(first, CloseCode::NORMAL_CLOSURE, "").unwrap());
    connections.close(second, CloseCode(1005), "").unwrap_err();
    other.send(frame(0x81, b"x")).await;
    assert_eq!(other.bytes(3).await, reply(0x81, b"x"));
}

#[tokio::test]
async fn the_page_of_the_connections_is_json_behind_its_guard() {
    let guard = async |request: Request| match request.header("authorization") {
        Some("Bearer ops") => Ok(request),
        _ => Err(response::unauthorized()),
    };
    let proxies = ProxyOptions::default().trusted("127.0.0.1".parse().unwrap()).proxy_protocol(true);
    let builder = Server::builder().route("/a%22b", echo).connections_page("/connections", guard);
    let (server, _) = run(builder.proxies(proxies)).await;
    let proxied = |request: String| format!("PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n{request}");
    let mut open = server.connect().await;
    open.send(proxied(opening("/a%22b", ""))).await;
    open.head().await;
    let answer = ask(&server, proxied(get("/connections"))).await;
    assert!(answer.starts_with("HTTP/1.1 401 ") && !answer.contains("192.0.2.1"), "{answer}");
    let request = get("/connections").replace("\r\n\r\n", "\r\nAuthorization: Bearer ops\r\n\r\n");
    let answer = ask(&server, proxied(request)).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("application/json"), "{answer}");
    let (_, json) = answer.split_once("\r\n\r\n").unwrap();
    assert!(json.starts_with("[{\"id\":") && json.ends_with(",\"queued\":0,\"rtt\":null}]"), "{json}");
    assert!(json.contains("\"client_addr\":\"192.0.2.1:5\",\"peer_addr\":\"127.0.0.1:"), "{json}");
    assert!(
        json.contains("\"path\":\"/a%22b\",\"subprotocol\":null,\"http_version\":\"HTTP/1.1\""),
        "{json}"
    );
    assert!(json.contains(",\"tls\":false,\"age\":0."), "{json}");
}
