//! The mistakes of a first day, as they are reported by every build: this program also runs in one without TLS.

mod common;

use common::*;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use ws_client::{Blame, ConnectError};

#[track_caller]
fn check(error: &ConnectError, blame: Blame, what: &str) {
    let said = error.to_string();
    assert!(said.contains(what) && !said.contains('\n'), "{said}");
    assert_eq!(error.blame(), blame, "{said}");
}

/// Why a connection to this did not open.
async fn refused(url: &str) -> ConnectError {
    ws_client::connect(url).await.map(|_| ()).unwrap_err()
}

#[tokio::test]
async fn a_wrong_address_says_how_to_write_it() {
    for (url, what) in [
        ("http://localhost:9001", "write ws:// instead"),
        ("https://example.com/", "write wss:// instead"),
        ("localhost:9001", "no scheme: write ws://host:port/path"),
        ("ftp://example.com", "write ws:// or wss://"),
        ("ws://localhost:0", "use the port that the server prints"),
        ("ws://h/#top", "leave out `#"),
    ] {
        check(&refused(url).await, Blame::Caller, what);
    }
}

#[cfg(not(feature = "url"))]
#[tokio::test]
async fn an_international_host_name_names_the_feature_and_punycode() {
    let error = refused("ws://bücher.example/").await;
    check(&error, Blame::Caller, "as in xn--bcher-kva.example, or enable the feature `url` of ws-client");
}

#[tokio::test]
async fn a_port_without_a_listener_asks_whether_the_server_is_running() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    check(&refused(&format!("ws://{nobody}")).await, Blame::Network, "is the server running?");
}

#[tokio::test]
async fn a_server_without_websockets_says_what_to_check() {
    for (answer, what) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            "plain HTTP, it is not a WebSocket's: check the path",
        ),
        ("HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n", "nothing at this path: check the path"),
        (
            "HTTP/1.1 301 X\r\nLocation: http://h/b?t=1\r\n\r\n",
            "points to http://h/b: set Options::max_redirects",
        ),
        ("HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n", "give them as ws://user:password@"),
        ("HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n", "check the credentials and the Origin"),
        ("220 mail.example ESMTP\r\n", "did not open a WebSocket"),
        ("", "does a WebSocket server listen there, or one that wants TLS (wss://)?"),
    ] {
        let error = if answer.is_empty() {
            let (address, _) = server(|mut stream| async move { read_head(&mut stream).await }).await;
            refused(&format!("ws://{address}/")).await
        } else {
            connect_to_answer(answer).await.map(|_| ()).unwrap_err()
        };
        check(&error, Blame::Server, what);
    }
}

#[tokio::test]
async fn a_subprotocol_that_was_not_offered_says_how_to_offer_it() {
    let answer = "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
    let error = connect_to_answer(answer).await.map(|_| ()).unwrap_err();
    check(&error, Blame::Server, "\"chat\", which was not offered: offer it with `Request::subprotocol`");
}

#[tokio::test]
async fn ws_to_a_port_that_speaks_tls_says_to_write_wss() {
    let (address, _serving) = server(|mut stream| async move {
        read_head(&mut stream).await;
        // handshake_failure, as servers answer what is no ClientHello.
        stream.write_all(b"\x15\x03\x03\0\x02\x02\x28").await
    })
    .await;
    check(&refused(&format!("ws://{address}")).await, Blame::Caller, "write wss:// instead of ws://");
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn wss_without_tls_names_the_feature_before_it_connects() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    check(
        &refused(&format!("wss://{nobody}")).await,
        Blame::Caller,
        "enable the feature `ring` of ws-client",
    );
}
