//! Which address a WebSocket over HTTP/2 has behind proxies, and that limits of addresses count it there: a proxy's connection
//! carries the WebSockets of many clients.

use std::time::{Duration, Instant};

use h2::client;
use http::StatusCode;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use ws_server::{
    AddressLimits, Endpoint, Excess, ForwardedFields, ProxyOptions, Request, Server, ServerBuilder,
    WebSocket, response,
};

use crate::common::{Running, options, run, soon};
use crate::peer::{Client, Peer, Socket, connect};

const V1: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.9 56324 443\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x09\xdc\x04\x01\xbb";

fn trusting(networks: &str) -> ProxyOptions {
    ProxyOptions::default().trusted(networks.parse().unwrap())
}

/// A server whose handler sends the client's address, and then echoes; a guard refuses with it if that is asked for.
fn server(limits: AddressLimits, proxies: ProxyOptions) -> ServerBuilder {
    let guard = async |request: Request| match request.query() {
        Some("refuse") => Err(response::text(StatusCode::FORBIDDEN, &address(&request))),
        _ => Ok(request),
    };
    let handler = async |mut socket: WebSocket, request: Request| {
        socket.send(address(&request)).await?;
        while let Some(message) = socket.recv().await? {
            socket.send(message).await?;
        }
        Ok::<_, ws_server::Error>(())
    };
    let options = options(|options| {
        options.per_address = limits;
        options.retry_after = Duration::from_millis(2_500);
    });
    Server::builder().endpoint("/", Endpoint::new(handler).guard(guard)).options(options).proxies(proxies)
}

fn address(request: &Request) -> String {
    request.client_addr().map(|address| address.ip().to_string()).unwrap_or_default()
}

/// Asks for a WebSocket with a field.
async fn ask(client: &Client, (name, value): (&str, &str)) -> Peer {
    client.ask(connect("/").header(name, value)).await.unwrap()
}

/// The same; returns the WebSocket of that address.
async fn open_as(client: &Client, field: (&str, &str), address: &str) -> Socket {
    let peer = ask(client, field).await;
    assert_eq!(peer.head.status(), 200, "{field:?} {:?}", peer.head);
    let mut socket = Socket::new(peer);
    assert_eq!(socket.event().await.unwrap().unwrap(), address, "{field:?}");
    socket
}

/// A connection that begins with a header of the PROXY protocol.
async fn connect_behind(server: &Running, header: &[u8]) -> Client {
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.write_all(header).await.unwrap();
    let (requests, connection) = soon(client::handshake(socket)).await.unwrap();
    let client = Client { requests, task: tokio::spawn(connection) };
    while !client.requests.is_extended_connect_protocol_enabled() {
        tokio::task::yield_now().await;
    }
    client
}

#[tokio::test]
async fn each_websocket_on_a_proxys_http_2_connection_counts_for_its_own_client() {
    for (fields, name, clients) in [
        (
            ForwardedFields::XForwarded,
            "x-forwarded-for",
            ["192.0.2.1", "203.0.113.9, 192.0.2.1", "192.0.2.2"],
        ),
        (
            ForwardedFields::Forwarded,
            "forwarded",
            ["for=192.0.2.1", "for=203.0.113.9, for=192.0.2.1", "for=192.0.2.2"],
        ),
    ] {
        let limits = AddressLimits::default().max_connections(Some(1));
        let server = run(server(limits, trusting("127.0.0.1").fields(fields))).await;
        let proxy = Client::connect(&server).await;
        let first = open_as(&proxy, (name, clients[0]), "192.0.2.1").await;
        for _ in 0..2 {
            // What the client itself has put before does not make another of it.
            let refused = ask(&proxy, (name, clients[1])).await;
            assert_eq!(refused.head.status(), 429, "{:?}", refused.head);
            assert_eq!(refused.head.headers()["retry-after"], "3");
        }
        let mut second = open_as(&proxy, (name, clients[2]), "192.0.2.2").await;
        // The share is returned with the stream, not with the connection.
        drop(first);
        server.until(|stats| stats.open() == 1).await;
        let _again = open_as(&proxy, (name, clients[0]), "192.0.2.1").await;
        second.echo("nothing noticed").await;
    }
}

#[tokio::test]
async fn fields_of_an_http_2_peer_that_is_not_trusted_are_ignored_and_evade_no_limit() {
    for proxies in [
        ProxyOptions::default(),
        trusting("127.0.0.1"),
        trusting("127.0.0.2, unix").fields(ForwardedFields::XForwarded),
        trusting("10.0.0.0/8").fields(ForwardedFields::Forwarded),
    ] {
        let server = run(server(AddressLimits::default().max_connections(Some(1)), proxies)).await;
        let client = Client::connect(&server).await;
        let _first = open_as(&client, ("x-forwarded-for", "192.0.2.1"), "127.0.0.1").await;
        for field in [("x-forwarded-for", "192.0.2.2"), ("forwarded", "for=192.0.2.2")] {
            assert_eq!(ask(&client, field).await.head.status(), 429, "{field:?}");
        }
    }
}

#[tokio::test]
async fn a_header_before_the_preface_of_http_2_names_the_client_of_all_its_streams() {
    for header in [V1, V2] {
        let limits = AddressLimits::default().max_connections(Some(2));
        let server = run(server(limits, trusting("127.0.0.1").proxy_protocol(true))).await;
        let client = connect_behind(&server, header).await;
        // The fields are no source of addresses, as it is not set.
        let spoofed = ("x-forwarded-for", "203.0.113.9");
        let _one = open_as(&client, spoofed, "192.0.2.1").await;
        let _two = open_as(&client, spoofed, "192.0.2.1").await;
        assert_eq!(ask(&client, spoofed).await.head.status(), 429);
        let refused = client.ask(connect("/?refuse").header(spoofed.0, spoofed.1)).await.unwrap();
        assert_eq!(refused.head.status(), 429, "before the guards");
        // Another connection of the same client, and one of another.
        let again = connect_behind(&server, header).await;
        assert_eq!(ask(&again, spoofed).await.head.status(), 429);
        let other = connect_behind(&server, b"PROXY TCP4 192.0.2.2 192.0.2.9 1 2\r\n").await;
        open_as(&other, spoofed, "192.0.2.2").await.echo("nothing noticed").await;
    }
}

#[tokio::test]
async fn fields_behind_a_header_before_http_2_count_only_if_it_names_a_trusted_proxy() {
    let proxies = |trusted| trusting(trusted).proxy_protocol(true).fields(ForwardedFields::XForwarded);
    let field = ("x-forwarded-for", "203.0.113.9");
    let server_of = |proxies| run(server(AddressLimits::default().max_connections(Some(1)), proxies));
    let server = server_of(proxies("127.0.0.1")).await;
    let client = connect_behind(&server, V2).await;
    let _open = open_as(&client, field, "192.0.2.1").await;
    assert_eq!(ask(&client, ("x-forwarded-for", "203.0.113.10")).await.head.status(), 429);
    let server = server_of(proxies("127.0.0.1, 192.0.2.0/24")).await;
    let client = connect_behind(&server, V2).await;
    let _open = open_as(&client, field, "203.0.113.9").await;
    let _other = open_as(&client, ("x-forwarded-for", "203.0.113.10"), "203.0.113.10").await;
}

#[tokio::test]
async fn requests_over_http_2_take_from_the_bucket_of_their_own_client() {
    let limits = AddressLimits::default().handshakes_per_second(Some(5));
    let proxies = trusting("127.0.0.1").fields(ForwardedFields::XForwarded);
    let server = run(server(limits, proxies)).await;
    let proxy = Client::connect(&server).await;
    let mut refused = 0;
    for _ in 0..50 {
        let answer = ask(&proxy, ("x-forwarded-for", "192.0.2.1")).await;
        refused += usize::from(answer.head.status() == 429);
    }
    assert!(refused > 10, "{refused} of 50");
    let _other = open_as(&proxy, ("x-forwarded-for", "192.0.2.2"), "192.0.2.2").await;
}

#[tokio::test]
async fn a_flood_of_one_client_on_a_proxys_http_2_connection_is_read_at_its_rate_and_another_is_served_at_once()
 {
    let limits = AddressLimits::default().messages_per_second(Some(100));
    let proxies = trusting("127.0.0.1").fields(ForwardedFields::XForwarded);
    let server = run(server(limits, proxies)).await;
    let proxy = Client::connect(&server).await;
    let mut flood = open_as(&proxy, ("x-forwarded-for", "192.0.2.1"), "192.0.2.1").await;
    let mut other = open_as(&proxy, ("x-forwarded-for", "192.0.2.2"), "192.0.2.2").await;
    let begin = Instant::now();
    for _ in 0..250 {
        flood.send("x").await;
    }
    for _ in 0..20 {
        other.echo("quiet").await;
    }
    let quiet = begin.elapsed();
    for _ in 0..250 {
        assert_eq!(flood.event().await.unwrap().unwrap(), "x");
    }
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(1_400), "{took:?} for 250 messages at 100 a second");
    assert!(quiet < took, "{quiet:?}");
}

#[tokio::test]
async fn a_flood_of_one_client_closes_its_stream_with_1008_if_that_is_set_and_no_other_of_the_connection() {
    let limits = AddressLimits::default().messages_per_second(Some(20)).excess(Excess::Close);
    let proxies = trusting("127.0.0.1").fields(ForwardedFields::XForwarded);
    let server = run(server(limits, proxies)).await;
    let proxy = Client::connect(&server).await;
    let mut flood = open_as(&proxy, ("x-forwarded-for", "192.0.2.1"), "192.0.2.1").await;
    let mut other = open_as(&proxy, ("x-forwarded-for", "192.0.2.2"), "192.0.2.2").await;
    for _ in 0..500 {
        flood.connection.send_text("x").unwrap();
    }
    flood.flush().await;
    let mut echoes = 0;
    let close = loop {
        match flood.event().await.unwrap() {
            Ok(_) => echoes += 1,
            Err(close) => break close.unwrap(),
        }
    };
    assert!(echoes < 200, "{echoes} were read");
    assert_eq!(u16::from(close.code), 1008);
    other.echo("quiet").await;
}
