//! The address of a client where another HTTP server has read the request, and the limits that go by it.

use std::net::SocketAddr;

use tokio::net::{TcpSocket, TcpStream};
use ws_server::{AddressLimits, ForwardedFields, ProxyOptions, ServerOptions, WebSocketHub};

use crate::common::{Peer, opening};
use crate::hosts::{Embedded, HOSTS, Host, endpoint};
use crate::peer::connect;

fn hub(limits: AddressLimits, proxies: Option<ProxyOptions>) -> WebSocketHub {
    let mut options = ServerOptions::default().per_address(limits);
    if let Some(proxies) = proxies {
        options.handshake.proxies = proxies;
    }
    WebSocketHub::new(options).unwrap()
}

/// The answer to a request for a WebSocket over HTTP/1.1, with the connection that keeps it open.
async fn ask(address: SocketAddr, from: [u8; 4], fields: &str) -> (Peer, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((from, 0))).unwrap();
    let stream: TcpStream = socket.connect(address).await.unwrap();
    let mut peer = Peer(stream);
    peer.send(opening("/", fields)).await;
    let head = peer.head().await;
    (peer, head)
}

#[tokio::test]
async fn every_framework_reports_the_address_by_which_a_client_is_limited() {
    for host in HOSTS {
        let hub = hub(AddressLimits::default().max_connections(Some(1)), None);
        let embedded = Embedded::serve(host, hub, endpoint()).await;
        // Hyper is set up for HTTP/2 alone.
        if host == Host::Hyper {
            let client = embedded.client().await;
            let first = client.ask(connect("/")).await.unwrap();
            assert_eq!(first.head.status(), 200);
            for field in ["x-forwarded-for", "forwarded"] {
                let spoofed = connect("/").header(field, "for=192.0.2.1");
                assert_eq!(client.ask(spoofed).await.unwrap().head.status(), 429);
            }
            continue;
        }
        let (first, head) = ask(embedded.address, [127, 0, 0, 1], "").await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{host:?}: {head}");
        // What a client claims does not make another of it.
        for spoofed in ["", "X-Forwarded-For: 192.0.2.1\r\n", "Forwarded: for=192.0.2.1\r\n"] {
            let (_, head) = ask(embedded.address, [127, 0, 0, 1], spoofed).await;
            assert!(head.starts_with("HTTP/1.1 429 "), "{host:?}: {head}");
        }
        let (_other, head) = ask(embedded.address, [127, 0, 0, 2], "").await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{host:?}: {head}");
        drop(first);
        embedded.until(|stats| stats.open() == 1).await;
        let (_again, head) = ask(embedded.address, [127, 0, 0, 1], "").await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{host:?}: {head}");
    }
}

#[tokio::test]
async fn each_websocket_of_a_proxys_connection_to_a_framework_counts_for_its_own_client() {
    for host in HOSTS {
        let proxies = ProxyOptions::default().trusted("127.0.0.1".parse().unwrap());
        let proxies = proxies.fields(ForwardedFields::XForwarded);
        let hub = hub(AddressLimits::default().max_connections(Some(1)), Some(proxies));
        let embedded = Embedded::serve(host, hub, endpoint()).await;
        let proxy = embedded.client().await;
        let mut open = Vec::new();
        for (client, status) in
            [("192.0.2.1", 200), ("203.0.113.9, 192.0.2.1", 429), ("192.0.2.2", 200), ("192.0.2.2", 429)]
        {
            let answer = proxy.ask(connect("/").header("x-forwarded-for", client)).await.unwrap();
            assert_eq!(answer.head.status(), status, "{host:?} {client}");
            open.push(answer);
        }
    }
}
