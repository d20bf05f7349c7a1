//! `ws --http2`.

use std::future::poll_fn;
use std::io::Write as _;
use std::net::SocketAddr;

use ws_client::Config;
use ws_client::ws_tokio::http2::Inboxes;
use ws_client::ws_tokio::{Role, WebSocket};

use super::{events, text};
use crate::command::*;

/// An echo server that speaks HTTP/2 only; it ends with the test.
fn serving_http2() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream));
            }
        });
    });
    address
}

async fn serve(stream: tokio::net::TcpStream) {
    let mut inboxes = Inboxes::new();
    let paced = inboxes.pace(stream);
    let mut builder = h2::server::Builder::new();
    builder.enable_connect_protocol();
    let mut connection = builder.handshake::<_, bytes::Bytes>(paced).await.unwrap();
    loop {
        let accepted = poll_fn(|cx| {
            let accepted = connection.poll_accept(cx);
            inboxes.poll_fill(cx);
            accepted
        });
        let Some(Ok((request, mut respond))) = accepted.await else { return };
        let send = respond.send_response(http::Response::new(()), false).unwrap();
        let stream = inboxes.opener().open(send, request.into_body());
        tokio::spawn(async move {
            let mut websocket = WebSocket::from_raw(stream, Role::Server, Config::server()).unwrap();
            while let Ok(Some(message)) = websocket.recv().await {
                websocket.send(message).await.unwrap();
            }
        });
    }
}

#[test]
fn lines_come_back_over_http_2() {
    let address = serving_http2();
    let output = run(&[&format!("ws://{address}/"), "--http2"], b"hello\nworld\n");
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("hello\nworld\n", ""));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn the_version_of_http_is_reported_in_json() {
    let address = serving_http2();
    let output = run(&[&format!("ws://{address}/"), "--http2", "--json", "--once", "-m", "hello"], b"");
    let events = events(&output.stdout);
    assert_eq!((&events[0]["http"], &events[0]["peer"]), (&"2".into(), &address.to_string().into()));
    assert_eq!(events[1]["data"], "hello");
}

#[test]
fn a_server_of_http_1_1_is_an_error_with_http2_that_names_the_option() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let output = run(&[&url, "--http2"], b"");
    serving.join().unwrap();
    let error = text(&output.stderr);
    assert!(error.contains("does not speak HTTP/2") && error.contains("leave out --http2"), "{error}");
    assert_eq!(output.status.code(), Some(5));
}
