//! Both bridges in a row, between a TCP client and a TCP server that speak HTTP/1.1; and one against the crate `h2`.

use std::time::Duration;

use h2::ext::Protocol;
use http::{Method, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::*;
use crate::native::handshake::{CheckedRequest, Head, Request};

/// The time that a busy machine may need for anything here.
const PATIENCE: Duration = Duration::from_secs(60);

/// A TCP server behind two bridges: HTTP/1.1 to HTTP/2, and HTTP/2 to HTTP/1.1.
struct Chain {
    server: TcpListener,
    inner: Bridge,
    outer: Bridge,
}

impl Chain {
    async fn new() -> Self {
        let server = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let inner = Bridge::to_http1(server.local_addr().unwrap()).await.unwrap();
        let outer = Bridge::to_http2(inner.address()).await.unwrap();
        Self { server, inner, outer }
    }

    /// Opens a WebSocket through the bridges, and returns its two ends.
    async fn open(&self) -> (TcpStream, TcpStream) {
        let request = Request::new("example.org", "/chat?x=1&y=%20", &[]);
        let mut client = connect(self.outer.address()).await.unwrap();
        client.write_all(request.text.as_bytes()).await.unwrap();
        let (mut server, _) = self.server.accept().await.unwrap();
        let asked = CheckedRequest::check(&head(&mut server).await).unwrap();
        assert_eq!(asked.target, "/chat?x=1&y=%20");
        server.write_all(asked.answer(&[]).0.as_bytes()).await.unwrap();
        request.check(&head(&mut client).await).unwrap();
        (client, server)
    }
}

/// Reads a head and not one byte more.
async fn head(tcp: &mut TcpStream) -> Head {
    let mut bytes = Vec::new();
    loop {
        bytes.push(tcp.read_u8().await.unwrap());
        if let Some((head, _)) = Head::split(&bytes).unwrap() {
            return head;
        }
    }
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("this takes too long")
}

fn bytes(count: usize, seed: usize) -> Vec<u8> {
    (0..count).map(|i| (i.wrapping_mul(7919).wrapping_add(seed) % 251) as u8).collect()
}

#[tokio::test]
async fn bytes_pass_both_bridges_unchanged_in_both_directions_at_once() {
    within(async {
        let chain = Chain::new().await;
        let (client, server) = chain.open().await;
        let (up, down) = (bytes(9 << 20, 1), bytes(7 << 20, 2));
        let (mut client_read, mut client_write) = client.into_split();
        let (mut server_read, mut server_write) = server.into_split();
        let (mut at_server, mut at_client) = (Vec::new(), Vec::new());
        let send = async |write: &mut tokio::net::tcp::OwnedWriteHalf, bytes: &[u8]| {
            // Pieces of many sizes, the first of them single bytes.
            let mut sent = 0;
            let mut size = 1;
            while sent < bytes.len() {
                let piece = &bytes[sent..bytes.len().min(sent + size)];
                write.write_all(piece).await.unwrap();
                sent += piece.len();
                size = (size + 1 + size / 4).min(100_000);
            }
            write.shutdown().await.unwrap();
        };
        let (_, _, received_up, received_down) = tokio::join!(
            send(&mut client_write, &up),
            send(&mut server_write, &down),
            server_read.read_to_end(&mut at_server),
            client_read.read_to_end(&mut at_client),
        );
        received_up.unwrap();
        received_down.unwrap();
        assert!(at_server == up && at_client == down, "{} and {} bytes", at_server.len(), at_client.len());
    })
    .await;
}

#[tokio::test]
async fn a_fin_passes_both_bridges_and_the_other_direction_stays_open() {
    within(async {
        let chain = Chain::new().await;
        for client_first in [true, false] {
            let (client, server) = chain.open().await;
            let (mut one, mut other) = if client_first { (client, server) } else { (server, client) };
            one.write_all(b"last words").await.unwrap();
            one.shutdown().await.unwrap();
            let mut received = Vec::new();
            other.read_to_end(&mut received).await.unwrap();
            assert_eq!(received, b"last words");
            for n in 0..3 {
                other.write_all(&[n]).await.unwrap();
                assert_eq!(one.read_u8().await.unwrap(), n);
            }
            other.shutdown().await.unwrap();
            assert_eq!(one.read(&mut [0; 10]).await.unwrap(), 0);
        }
    })
    .await;
}

#[tokio::test]
async fn a_tcp_reset_passes_both_bridges_as_a_reset() {
    within(async {
        let chain = Chain::new().await;
        for client_first in [true, false] {
            let (client, server) = chain.open().await;
            let (one, mut other) = if client_first { (client, server) } else { (server, client) };
            socket2::SockRef::from(&one).set_linger(Some(Duration::ZERO)).unwrap();
            drop(one);
            let error = other.read(&mut [0; 10]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        }
        // The neighbours of a stream that was reset live on.
        let (mut client, mut server) = chain.open().await;
        client.write_all(b"x").await.unwrap();
        assert_eq!(server.read_u8().await.unwrap(), b'x');
    })
    .await;
}

#[tokio::test]
async fn a_hundred_websockets_share_one_http2_connection() {
    within(async {
        let chain = Chain::new().await;
        let mut open = Vec::new();
        for _ in 0..100 {
            open.push(chain.open().await);
        }
        for (client, server) in &mut open {
            server.write_all(b"y").await.unwrap();
            assert_eq!(client.read_u8().await.unwrap(), b'y');
        }
        assert_eq!((chain.inner.counts(), chain.outer.counts()), ((100, 1), (100, 1)));
    })
    .await;
}

#[tokio::test]
async fn a_refusal_passes_both_bridges_with_its_status_fields_and_body() {
    within(async {
        let chain = Chain::new().await;
        let mut client = connect(chain.outer.address()).await.unwrap();
        client.write_all(Request::new("h", "/", &[]).text.as_bytes()).await.unwrap();
        let (mut server, _) = chain.server.accept().await.unwrap();
        head(&mut server).await;
        let refusal = b"HTTP/1.1 403 Forbidden\r\nX-Why: because\r\nContent-Length: 4\r\n\r\nno, ";
        server.write_all(refusal).await.unwrap();
        drop(server);
        let answer = head(&mut client).await;
        assert_eq!(
            (&*answer.first, &answer.values("x-why")[..]),
            ("HTTP/1.1 403 Forbidden", &["because".to_owned()][..])
        );
        let mut body = Vec::new();
        client.read_to_end(&mut body).await.unwrap();
        assert_eq!((&body[..], chain.outer.counts().0), (&b"no, "[..], 0));
    })
    .await;
}

/// What the server of another HTTP/2 implementation sees of a TCP client at the other side of the bridge.
#[tokio::test]
async fn the_bridge_sends_an_extended_connect_and_maps_fin_and_reset_to_end_stream_and_cancel() {
    within(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let bridge = Bridge::to_http2(listener.local_addr().unwrap()).await.unwrap();
        let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\nOrigin: http://o\r\n\r\n";
        let request = Request::new("h:1", "/p?q", &[]).text.replacen("\r\n\r\n", &format!("\r\n{offer}"), 1);
        let (mut resets, mut ends) =
            (connect(bridge.address()).await.unwrap(), connect(bridge.address()).await.unwrap());
        // Frames that come with the request belong to the stream.
        ends.write_all(format!("{request}early").as_bytes()).await.unwrap();
        let (tcp, _) = listener.accept().await.unwrap();
        let mut builder = h2::server::Builder::new();
        let mut connection =
            builder.enable_connect_protocol().handshake::<_, bytes::Bytes>(tcp).await.unwrap();
        let (request_seen, mut respond) = connection.accept().await.unwrap().unwrap();
        let mut send = respond.send_response(http::Response::new(()), false).unwrap();
        let driven = tokio::spawn(async move {
            let mut accepted = Vec::new();
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                accepted.push((request, respond.send_response(http::Response::new(()), false).unwrap()));
                if accepted.len() == 1 {
                    let (_, send) = &mut accepted[0];
                    let mut send = std::pin::pin!(send);
                    let reason = std::future::poll_fn(|cx| {
                        let _ = connection.poll_closed(cx);
                        send.poll_reset(cx)
                    });
                    return reason.await.unwrap();
                }
            }
            panic!("no second request");
        });

        assert_eq!(request_seen.method(), Method::CONNECT);
        assert_eq!(request_seen.extensions().get::<Protocol>().map(Protocol::as_str), Some("websocket"));
        assert_eq!(request_seen.uri(), "http://h:1/p?q");
        let mut names: Vec<&str> = request_seen.headers().keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["origin", "sec-websocket-extensions", "sec-websocket-version", "user-agent"]);
        let answer = head(&mut ends).await;
        assert!(
            answer.first.starts_with("HTTP/1.1 101 ") && answer.has_token("upgrade", "websocket"),
            "{answer:?}"
        );
        let mut receive = request_seen.into_body();
        assert_eq!(receive.data().await.unwrap().unwrap(), "early");
        ends.shutdown().await.unwrap();
        // FIN is END_STREAM, on a frame without data.
        while let Some(data) = receive.data().await {
            assert_eq!(data.unwrap(), "");
        }
        send.send_data("bye".into(), true).unwrap();
        let mut last = Vec::new();
        ends.read_to_end(&mut last).await.unwrap();
        assert_eq!(last, b"bye");

        resets.write_all(request.as_bytes()).await.unwrap();
        head(&mut resets).await;
        socket2::SockRef::from(&resets).set_linger(Some(Duration::ZERO)).unwrap();
        drop(resets);
        assert_eq!(driven.await.unwrap(), h2::Reason::CANCEL);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_does_not_permit_websockets_over_http2_is_a_502() {
    within(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let bridge = Bridge::to_http2(listener.local_addr().unwrap()).await.unwrap();
        let mut client = connect(bridge.address()).await.unwrap();
        client.write_all(Request::new("h", "/", &[]).text.as_bytes()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        server.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        drop(server);
        let answer = head(&mut client).await;
        assert_eq!(
            answer.first,
            format!("HTTP/1.1 502 {}", StatusCode::BAD_GATEWAY.canonical_reason().unwrap())
        );
    })
    .await;
}
