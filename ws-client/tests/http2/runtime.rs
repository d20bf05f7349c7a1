//! A program that ends its runtime as soon as its client has seen the end: the server still gets the reply to its Close
//! (RFC 6455 section 5.5.1), whatever carries the WebSocket.

use std::net::SocketAddr;
use std::thread;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use ws_client::{Client, CloseCode, HttpVersion};

use super::common::{accept as accept_key_of, read_head, soon};
use super::frames::*;
use super::peer::options;

/// A server's Close with 1000.
const CLOSE: &[u8] = b"\x88\x02\x03\xe8";
const END_STREAM: u8 = 1;
const DATA: u8 = 0;

fn runtimes() -> [Runtime; 2] {
    [
        Builder::new_current_thread().enable_all().build().unwrap(),
        Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap(),
    ]
}

/// How the client learns of the end.
#[derive(Debug, Clone, Copy)]
enum By {
    Recv,
    Close,
}

/// Runs `serve` in a thread, and connects to it by a runtime that is dropped as soon as the client has seen the end.
/// Returns what `serve` does.
fn end_at_once<T: Send + 'static, F: Future<Output = T>>(
    client: Client,
    url: impl Fn(SocketAddr) -> String,
    (runtime, by): (Runtime, By),
    serve: impl FnOnce(TcpListener) -> F + Send + 'static,
) -> T {
    let (sender, address) = oneshot::channel();
    let server = thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            serve(listener).await
        })
    });
    let url = url(address.blocking_recv().unwrap());
    runtime.block_on(async move {
        let (mut websocket, _) = soon(client.connect(url)).await.unwrap();
        match by {
            By::Recv => assert_eq!(soon(websocket.recv()).await.unwrap(), None),
            By::Close => {
                assert!(soon(websocket.close(CloseCode::NORMAL_CLOSURE, "")).await.unwrap().is_clean())
            }
        }
    });
    drop(runtime);
    server.join().unwrap()
}

/// Answers over HTTP/1.1, sends a Close and ends its half at once, and reads to the end.
async fn serve_http1(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Vec<u8> {
    let head = read_head(&mut stream).await;
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        accept_key_of(&head)
    );
    stream.write_all(&[answer.as_bytes(), CLOSE].concat()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    soon(stream.read_to_end(&mut rest)).await.unwrap();
    rest
}

#[test]
fn over_http_1_a_client_whose_runtime_ends_at_once_has_answered_the_close() {
    for by in [By::Recv, By::Close] {
        for runtime in runtimes() {
            let client = options().http_version(HttpVersion::Http1).build().unwrap();
            let rest = end_at_once(
                client,
                |address| format!("ws://{address}/"),
                (runtime, by),
                |listener| async move { serve_http1(listener.accept().await.unwrap().0).await },
            );
            assert_eq!((&rest[..2], rest.len()), (&b"\x88\x82"[..], 8), "{by:?}");
        }
    }
}

#[cfg(feature = "ring")]
#[test]
fn over_tls_a_client_whose_runtime_ends_at_once_has_answered_the_close() {
    use super::common::tls::{certificate, server_config};
    for by in [By::Recv, By::Close] {
        for runtime in runtimes() {
            let certificate = certificate(&["localhost"]);
            let config = server_config(&certificate, None);
            let tls = ws_client::Tls::from_root_pem(certificate.pem.as_bytes()).unwrap();
            let client = options().http_version(HttpVersion::Http1).tls(tls).build().unwrap();
            let url = |address: SocketAddr| format!("wss://localhost:{}/", address.port());
            let rest = end_at_once(client, url, (runtime, by), |listener| async move {
                let (stream, _) = listener.accept().await.unwrap();
                // Reading to the end is an error if close_notify is missing.
                serve_http1(tokio_rustls::TlsAcceptor::from(config).accept(stream).await.unwrap()).await
            });
            assert_eq!((&rest[..2], rest.len()), (&b"\x88\x82"[..], 8), "{by:?}");
        }
    }
}

#[test]
fn over_http_2_a_client_whose_runtime_ends_at_once_has_answered_the_close_and_ended_its_stream() {
    for by in [By::Recv, By::Close] {
        for runtime in runtimes() {
            let client = options().build().unwrap();
            let (payload, ended) = end_at_once(
                client,
                |address| format!("ws://{address}/"),
                (runtime, by),
                |listener| async move {
                    let mut peer = Bytewise::settled(&listener, ALLOW).await;
                    let (request, _) = peer.until(HEADERS).await;
                    peer.send(HEADERS, END_HEADERS, request.stream, STATUS_200).await;
                    // The server closes, and ends its half in the same frame.
                    peer.send(DATA, END_STREAM, request.stream, CLOSE).await;
                    let (mut payload, mut ended) = (Vec::new(), false);
                    while let Some(frame) = peer.receive().await {
                        if frame.kind == DATA {
                            payload.extend(frame.payload);
                            ended |= frame.flags & END_STREAM != 0;
                        }
                    }
                    (payload, ended)
                },
            );
            assert_eq!((payload.get(..2), payload.len()), (Some(&b"\x88\x82"[..]), 8), "{by:?}");
            assert!(ended, "END_STREAM is missing: {by:?}");
        }
    }
}
