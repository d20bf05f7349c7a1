//! HTTP CONNECT and SOCKS5, against proxies made of bytes.

use std::net::SocketAddr;

use super::common::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use ws_client::{Blame, Client, ConnectError, Message, Options, Proxy, ProxyChoice, ProxyError};

fn through(proxy: &str) -> Client {
    let mut options = Options::default();
    options.proxy = ProxyChoice::Always(Proxy::new(proxy).unwrap());
    options.build().unwrap()
}

/// Opens a WebSocket over a stream through the proxy; returns the head of the request.
async fn serve(stream: &mut TcpStream) -> String {
    let head = read_head(stream).await;
    stream.write_all(&[switching(&head), b"\x81\x02hi".to_vec()].concat()).await.unwrap();
    head
}

/// A proxy that answers CONNECT with these bytes and then acts as the server itself; returns both heads.
async fn connect_proxy(answer: &'static [u8]) -> (SocketAddr, JoinHandle<(String, String)>) {
    server(move |mut stream| async move {
        let request = read_head(&mut stream).await;
        stream.write_all(answer).await.unwrap();
        if !answer.windows(5).any(|w| w == b" 200 ") {
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
            return (request, String::new());
        }
        (request, serve(&mut stream).await)
    })
    .await
}

async fn connect_fails(answer: &'static [u8]) -> ConnectError {
    let (proxy, _serving) = connect_proxy(answer).await;
    through(&format!("http://u:hunter2@{proxy}")).connect("ws://server.example/").await.unwrap_err()
}

#[tokio::test]
async fn http_connect_asks_for_the_server_and_leaves_the_name_to_the_proxy() {
    let (proxy, serving) = connect_proxy(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n").await;
    let client = through(&format!("http://al%40ice:s%3Ecret@{proxy}"));
    let (mut ws, _) = client.connect("ws://server.example/path").await.unwrap();
    assert_eq!(ws.recv().await.unwrap(), Some(Message::text("hi")));
    let (connect, upgrade) = serving.await.unwrap();
    assert!(connect.starts_with("CONNECT server.example:80 HTTP/1.1\r\n"), "{connect}");
    assert_eq!(field(&connect, "host"), Some("server.example:80"));
    assert_eq!(field(&connect, "proxy-authorization"), Some("Basic YWxAaWNlOnM+Y3JldA=="));
    assert!(upgrade.starts_with("GET /path HTTP/1.1\r\n"), "{upgrade}");
    assert_eq!(field(&upgrade, "host"), Some("server.example"));
    // What is the proxy's is not the server's.
    assert_eq!(field(&upgrade, "proxy-authorization"), None);
}

#[tokio::test]
async fn an_ipv6_server_stands_in_brackets_in_connect() {
    let (proxy, serving) = connect_proxy(b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.0 200 OK\r\n\r\n").await;
    let (ws, _) = through(&proxy.to_string()).connect("ws://[2001:db8::1]:8080/").await.unwrap();
    drop(ws);
    assert!(serving.await.unwrap().0.starts_with("CONNECT [2001:db8::1]:8080 HTTP/1.1\r\n"));
}

#[tokio::test]
async fn an_error_of_a_proxy_is_attributed_to_the_proxy() {
    let error = connect_fails(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await;
    assert!(matches!(error, ConnectError::Proxy { source: ProxyError::Refused(_), .. }), "{error:?}");
    assert!(error.to_string().contains("502") && !error.is_fatal(), "{error}");
    let error = connect_fails(b"SSH-2.0\r\n").await;
    assert!(matches!(error, ConnectError::Proxy { source: ProxyError::Head(_), .. }), "{error:?}");
    let error = connect_fails(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 forged").await;
    assert!(matches!(error, ConnectError::Proxy { source: ProxyError::Early, .. }), "{error:?}");
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = through(&nobody.to_string()).connect("ws://server.example/").await.unwrap_err();
    let expected = format!("proxy {nobody}: connection refused by {nobody}: is the server running?");
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_407_says_whether_credentials_were_refused_and_which_schemes_are_wanted() {
    for (fields, without, with) in [
        (
            "",
            "it requires credentials: give them as user:password@",
            "it refused the credentials: check the user",
        ),
        (
            "Proxy-Authenticate: Basic realm=\"a, b\"\r\nProxy-Authenticate: NTLM\r\n",
            "it requires credentials: give them as user:password@",
            "it refused the credentials: check the user name and the password",
        ),
        (
            "Proxy-Authenticate: Negotiate, NTLM\r\n",
            "it requires credentials by Negotiate or NTLM, and only Basic is supported",
            "it refused the credentials: it requires Negotiate or NTLM, and only Basic is supported",
        ),
        (
            "Proxy-Authenticate: Digest realm=\"Basic\", nonce=\"n\", qop=\"auth\"\r\n",
            "it requires credentials by Digest, and only Basic",
            "it refused the credentials: it requires Digest, and only Basic",
        ),
    ] {
        for (user, expected) in [("", without), ("u:hunter2@", with)] {
            let answer = format!("HTTP/1.1 407 X\r\n{fields}Content-Length: 0\r\n\r\n");
            let (proxy, _serving) = answering(move |_| answer.into_bytes()).await;
            let client = through(&format!("http://{user}{proxy}"));
            let error = client.connect("ws://server.example/").await.unwrap_err();
            let text = error.to_string();
            assert!(text.contains(expected) && !text.contains('\n'), "{expected}: {text}");
            assert_eq!((error.blame(), error.is_fatal()), (Blame::Proxy, true));
            assert!(!format!("{error} {error:?}").contains("hunter2"));
            match error {
                ConnectError::Proxy { source: ProxyError::CredentialsRefused { .. }, .. } => {
                    assert!(!user.is_empty());
                }
                ConnectError::Proxy { source: ProxyError::Authentication { .. }, .. } => {
                    assert!(user.is_empty());
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn socks5h_leaves_the_name_to_the_proxy_and_sends_credentials() {
    let (proxy, serving) = server(|mut stream| async move {
        expect(&mut stream, &[5, 2, 0, 2]).await;
        stream.write_all(&[5, 2]).await.unwrap();
        expect(&mut stream, b"\x01\x03u@r\x02p:").await;
        stream.write_all(&[1, 0]).await.unwrap();
        expect(&mut stream, b"\x05\x01\x00\x03\x0eserver.example\x1f\x90").await;
        // A bound address of the third kind: a name.
        stream.write_all(b"\x05\x00\x00\x03\x02xy\x00\x50").await.unwrap();
        serve(&mut stream).await
    })
    .await;
    let client = through(&format!("socks5h://u%40r:p%3A@{proxy}"));
    let (mut ws, _) = client.connect("ws://server.example:8080/").await.unwrap();
    assert_eq!(ws.recv().await.unwrap(), Some(Message::text("hi")));
    assert_eq!(field(&serving.await.unwrap(), "host"), Some("server.example:8080"));
}

#[tokio::test]
async fn socks5_looks_the_name_up_in_the_client() {
    let (proxy, serving) = server(|mut stream| async move {
        expect(&mut stream, &[5, 1, 0]).await;
        stream.write_all(&[5, 0]).await.unwrap();
        let mut request = [0; 4];
        stream.read_exact(&mut request).await.unwrap();
        assert_eq!(request[..3], [5, 1, 0]);
        let mut address = vec![0; if request[3] == 1 { 6 } else { 18 }];
        stream.read_exact(&mut address).await.unwrap();
        stream.write_all(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50").await.unwrap();
        serve(&mut stream).await;
        (request[3], address)
    })
    .await;
    let (ws, _) = through(&format!("socks5://{proxy}")).connect("ws://localhost:80/").await.unwrap();
    drop(ws);
    let (kind, address) = serving.await.unwrap();
    let loopback: &[u8] = if kind == 1 { &[127, 0, 0, 1, 0, 80] } else { &[0; 15] };
    assert!(address.starts_with(loopback), "{kind} {address:?}");
}

#[tokio::test]
async fn a_refusal_of_socks5_is_reported_in_words() {
    for (answers, told) in [
        (&[&[5u8, 0xFF][..]][..], "requires credentials"),
        (&[&[5, 2]], "requires credentials"),
        (&[&[4, 0]], "does not answer in SOCKS5"),
        (&[b"HT"], "does not answer in SOCKS5"),
        (&[&[5, 0], &[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]], "connection refused"),
        (&[&[5, 0], &[5, 2, 0, 1, 0, 0, 0, 0, 0, 0]], "rules do not allow"),
        (&[&[5, 0], &[5, 0, 0, 9, 0, 0, 0, 0, 0, 0]], "does not answer in SOCKS5"),
        (&[&[5, 0], &[5]], "broke"),
    ] {
        let answers: Vec<Vec<u8>> = answers.iter().map(|a| a.to_vec()).collect();
        let (proxy, _serving) = server(|mut stream| async move {
            for answer in answers {
                let mut request = [0; 64];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(&answer).await;
            }
        })
        .await;
        let error = through(&format!("socks5h://{proxy}")).connect("ws://server.example/").await.unwrap_err();
        assert!(error.to_string().contains(told), "{told}: {error}");
        assert_eq!(error.blame(), Blame::Proxy);
    }
}

async fn expect(stream: &mut TcpStream, bytes: &[u8]) {
    let mut found = vec![0; bytes.len()];
    stream.read_exact(&mut found).await.unwrap();
    assert_eq!(found, bytes);
}
