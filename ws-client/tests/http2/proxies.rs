//! HTTP/2 through proxies, which see a tunnel of bytes.

use super::common::*;
use super::peer::*;
use http::Version;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use ws_client::{Client, Proxy};

/// A proxy of CONNECT or SOCKS5 that tunnels everything to `to`; returns its address, and one message for each tunnel.
async fn proxy(socks: bool, to: std::net::SocketAddr) -> (String, mpsc::UnboundedReceiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (told, tunnels) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            told.send(()).unwrap();
            tokio::spawn(async move {
                if socks {
                    let mut request = [0; 3];
                    stream.read_exact(&mut request).await.unwrap();
                    stream.write_all(&[5, 0]).await.unwrap();
                    let mut name = [0; 5];
                    stream.read_exact(&mut name).await.unwrap();
                    stream.read_exact(&mut vec![0; usize::from(name[4]) + 2]).await.unwrap();
                    stream.write_all(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50").await.unwrap();
                } else {
                    let head = read_head(&mut stream).await;
                    assert!(head.starts_with("CONNECT server.example:80 HTTP/1.1\r\n"), "{head}");
                    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                }
                let mut server = TcpStream::connect(to).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
            });
        }
    });
    (format!("{}://{address}", if socks { "socks5h" } else { "http" }), tunnels)
}

fn through(proxy: &str) -> Client {
    options().proxy(Proxy::new(proxy).unwrap()).build().unwrap()
}

#[tokio::test]
async fn websockets_through_a_proxy_share_one_tunnel() {
    for socks in [false, true] {
        let peer = Peer::echo().await;
        let (proxy, mut tunnels) = proxy(socks, peer.address).await;
        let client = through(&proxy);
        let mut open = Vec::new();
        for _ in 0..3 {
            let (mut websocket, negotiated) = soon(client.connect("ws://server.example/chat")).await.unwrap();
            assert_eq!(negotiated.http_version(), Version::HTTP_2);
            ping_pong(&mut websocket, "hello").await;
            open.push(websocket);
        }
        tunnels.recv().await.unwrap();
        assert!(tunnels.try_recv().is_err(), "socks: {socks}");
        assert_eq!(peer.accepted(), 1);
    }
}

#[tokio::test]
async fn another_host_or_port_has_a_connection_of_its_own() {
    let (one, two) = (Peer::echo().await, Peer::echo().await);
    let client = client();
    let by_name = format!("ws://localhost:{}/", one.address.port());
    let mut open = Vec::new();
    for url in [one.url(), two.url(), by_name] {
        open.push(client.connect(url).await.unwrap());
    }
    assert_eq!((one.accepted(), two.accepted()), (2, 1));
}
