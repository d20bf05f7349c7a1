//! The metrics of a server over each transport, and in axum: they are the numbers of what a client did.
#![cfg(feature = "metrics")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code, unreachable_pub, reason = "its main is not run here")]
#[path = "../examples/axum.rs"]
mod axum_example;
#[path = "../../ws-server/tests/common/mod.rs"]
mod common;
#[path = "../../ws-server/tests/metrics/kept.rs"]
mod kept;

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use common::{echo, opening, run, soon};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kept::Kept;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use ws_client::{Client, ConnectError, HttpVersion, Opened, Options, ProxyChoice};
use ws_server::{CloseCode, Endpoint, Message, Server, ServerOptions, Stats, Tls, WebSocketHub};

fn client() -> Options {
    Options::default().proxy(ProxyChoice::Direct)
}

fn certificate() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

fn tls(certificate: &CertifiedKey<KeyPair>) -> Tls {
    Tls::from_pem(certificate.cert.pem(), certificate.signing_key.serialize_pem())
}

/// Waits until no connection is there any more.
async fn ended(stats: &Stats) {
    soon(async {
        while stats.connections() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Opens a WebSocket to an echo, exchanges three messages, closes with 1000, and compares each metric with that.
async fn exchange_and_compare(
    kept: &Kept,
    stats: &Stats,
    http: &str,
    opening: impl Future<Output = Result<Opened, ConnectError>>,
) {
    let (mut socket, _) = soon(opening).await.unwrap();
    for _ in 0..3 {
        soon(socket.send(Message::text("hello"))).await.unwrap();
        assert_eq!(soon(socket.recv()).await.unwrap(), Some(Message::text("hello")));
    }
    assert_eq!(kept.number("websockets_open", &[]), 1.0);
    assert_eq!(kept.number("connections", &[]), 1.0);
    soon(socket.close(CloseCode::NORMAL_CLOSURE, "")).await.unwrap();
    drop(socket);
    // The WebSocket has ended before its connection, which other requests may share over HTTP/2.
    ended(stats).await;
    stats.record_metrics();
    let once = |labels: &str| vec![(labels.to_owned(), 1)];
    assert_eq!(kept.counted("connections_accepted_total"), once(""));
    assert_eq!(kept.counted("websockets_opened_total"), once(http));
    assert_eq!(kept.number("handshake_duration_seconds", &[("http", http)]), 1.0);
    assert_eq!(kept.counted("websockets_closed_total"), once("remote handshake 1000"));
    let each_way = |received, sent| vec![("received".to_owned(), received), ("sent".to_owned(), sent)];
    assert_eq!(kept.counted("messages_total"), each_way(3, 3));
    // Messages of 5 bytes and a Close with a code; a client masks.
    assert_eq!(kept.counted("bytes_total"), each_way(3 * 11 + 8, 3 * 7 + 4));
    for gauge in ["websockets_open", "connections", "queued_bytes", "memory_used_bytes"] {
        assert_eq!(kept.number(gauge, &[]), 0.0, "{gauge}");
    }
    for none in
        ["handshakes_refused_total", "handshakes_failed_total", "panics_total", "plain_requests_total"]
    {
        assert_eq!(kept.counted(none), [], "{none}");
    }
}

#[tokio::test]
async fn over_http_2_each_metric_is_the_number_of_what_has_happened() {
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    let server = run(Server::builder().route("/", echo)).await;
    let client: Client = client().http_version(HttpVersion::Http2).build().unwrap();
    let url = format!("ws://{}/", server.address);
    let opening = async move { client.connect(url.as_str()).await };
    exchange_and_compare(&kept, &server.stats, "2", opening).await;
}

#[tokio::test]
async fn over_tls_each_metric_is_the_number_of_what_has_happened() {
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    let certificate = certificate();
    let server = run(Server::builder().route("/", echo).tls(tls(&certificate))).await;
    let trusting = ws_client::Tls::from_root_pem(certificate.cert.pem().as_bytes()).unwrap();
    let client: Client = client().tls(trusting).build().unwrap();
    let url = format!("wss://localhost:{}/", server.address.port());
    let opening = async move { client.connect(url.as_str()).await };
    exchange_and_compare(&kept, &server.stats, "1.1", opening).await;
}

#[cfg(unix)]
#[tokio::test]
async fn over_a_unix_socket_each_metric_is_the_number_of_what_has_happened() {
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    let path = std::env::temp_dir().join(format!("ws-metrics-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let server = Server::builder().route("/", echo).listener(listener).build().unwrap();
    let stats = server.stats();
    tokio::spawn(server.serve());
    let client: Client = client().build().unwrap();
    let socket = path.clone();
    let opening = async move { client.connect_unix(&socket, "ws://localhost/").await };
    exchange_and_compare(&kept, &stats, "1.1", opening).await;
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn in_axum_each_metric_is_the_number_of_what_has_happened() {
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let sockets = WebSocketHub::new(ServerOptions::default()).unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = axum_example::serve(listener, sockets.clone(), async { drop(stopped.await) });
    let serving = tokio::spawn(serving);
    let client: Client = client().build().unwrap();
    let url = format!("ws://{address}/echo");
    let opening = async move { client.connect(url.as_str()).await };
    exchange_and_compare(&kept, &sockets.stats(), "1.1", opening).await;
    drop(stop);
    soon(serving).await.unwrap().unwrap();
    assert_eq!(kept.number("drain_duration_seconds", &[]), 1.0);
}

#[tokio::test]
async fn a_tls_handshake_that_fails_is_counted_as_tls() {
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    let server = run(Server::builder().route("/", echo).tls(tls(&certificate()))).await;
    let mut peer = server.connect().await;
    // A record of a handshake with a message of no known type; plain HTTP would be malformed.
    peer.send([0x16, 3, 1, 0, 4, 0xFF, 0, 0, 0]).await;
    peer.rest().await;
    server.until(|stats| stats.failed_handshakes() == 1).await;
    assert_eq!(kept.counted("handshakes_failed_total"), [("tls".to_owned(), 1)]);
}

#[tokio::test]
async fn an_upgrade_that_the_http_server_does_not_complete_is_counted_as_upgrade() {
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    let sockets = WebSocketHub::default();
    let endpoint = sockets.endpoint(Endpoint::new(echo)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let service = service_fn(|request| {
        let endpoint = endpoint.clone();
        async move { Ok::<_, Infallible>(endpoint.answer(request).await.map(Full::new)) }
    });
    peer.write_all(opening("/", "").as_bytes()).await.unwrap();
    // Without `with_upgrades`, with which hyper would hand the connection over.
    let _ = soon(http1::Builder::new().serve_connection(TokioIo::new(stream), service)).await;
    ended(&sockets.stats()).await;
    assert_eq!(kept.counted("handshakes_failed_total"), [("upgrade".to_owned(), 1)]);
}
