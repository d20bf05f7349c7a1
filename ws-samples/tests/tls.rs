//! A server with TLS.
#![allow(clippy::unwrap_used)]

#[path = "../../ws-server/tests/common/mod.rs"]
mod common;

#[path = "tls/certificates.rs"]
mod certificates;

#[path = "tls/large.rs"]
mod large;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Running, ask, budget, echo, frame, get, opening, options, reply, run, soon};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use ws_server::{CloseInfo, Config, Endpoint, Error, ProxyOptions, Request, Server, Tls, WebSocket};

fn certificate() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

fn tls(certificate: &CertifiedKey<KeyPair>) -> Tls {
    Tls::from_pem(certificate.cert.pem(), certificate.signing_key.serialize_pem())
}

/// Returns the configuration of a client that trusts one certificate and may present one.
fn client(trusted: &CertifiedKey<KeyPair>, own: Option<&CertifiedKey<KeyPair>>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.cert.der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let Some(own) = own else { return builder.with_no_client_auth() };
    let key = PrivateKeyDer::from_pem_slice(own.signing_key.serialize_pem().as_bytes()).unwrap();
    builder.with_client_auth_cert(vec![own.cert.der().clone()], key).unwrap()
}

async fn connect(server: &Running, config: ClientConfig) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(server.address).await?;
    soon(TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream)).await
}

/// Sends `request` and reads until the answer ends with `until`.
async fn exchange(
    stream: &mut TlsStream<TcpStream>,
    request: impl AsRef<[u8]>,
    until: &[u8],
) -> io::Result<Vec<u8>> {
    stream.write_all(request.as_ref()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(until) {
        answer.push(soon(stream.read_u8()).await?);
    }
    Ok(answer)
}

#[tokio::test]
async fn a_websocket_opens_over_tls_with_http_1_1() {
    let certificate = certificate();
    let handler = async |socket: WebSocket, request: Request| {
        assert!(request.is_secure() && request.peer_certificates().is_empty());
        echo(socket).await
    };
    let server = run(Server::builder().route("/", handler).health("/healthz").tls(tls(&certificate))).await;
    let mut config = client(&certificate, None);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let mut stream = connect(&server, config.clone()).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let mut bytes = opening("/", "").into_bytes();
    bytes.extend(frame(0x81, b"Hello"));
    let answer = exchange(&mut stream, bytes, &reply(0x81, b"Hello")).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    let close = exchange(&mut stream, frame(0x88, &[3, 232]), &reply(0x88, &[3, 232])).await.unwrap();
    assert_eq!(close.len(), 4);
    assert_eq!(soon(stream.read(&mut [0])).await.unwrap(), 0, "the stream ends with a close_notify");

    let mut stream = connect(&server, config).await.unwrap();
    let answer = exchange(&mut stream, get("/healthz"), b"ok\n").await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
    assert_eq!(soon(stream.read(&mut [0])).await.unwrap(), 0);
}

#[tokio::test]
async fn a_websocket_opens_over_tls_with_http_2_where_the_client_prefers_it() {
    let certificate = certificate();
    let handler = async |mut socket: WebSocket, request: Request| {
        let told = format!("{:?} {} {}", request.version(), request.is_secure(), socket.get_ref().is_tls());
        socket.send(told).await
    };
    let server = run(Server::builder().route("/", handler).health("/healthz").tls(tls(&certificate))).await;
    let mut config = client(&certificate, None);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = connect(&server, config).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (requests, connection) = soon(h2::client::handshake(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut requests = soon(requests.ready()).await.unwrap();
    let request = http::Request::get("https://localhost/healthz").body(()).unwrap();
    let (page, _) = requests.send_request(request, true).unwrap();
    assert_eq!(soon(page).await.unwrap().status(), 200);
    assert!(requests.is_extended_connect_protocol_enabled());
    let request = http::Request::connect("https://localhost/")
        .extension(h2::ext::Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .header("origin", "https://localhost")
        .body(())
        .unwrap();
    let (opened, _send) = requests.send_request(request, false).unwrap();
    let mut opened = soon(opened).await.unwrap();
    assert_eq!(opened.status(), 200);
    let data = soon(opened.body_mut().data()).await.unwrap().unwrap();
    assert_eq!(data[..], reply(0x81, b"HTTP/2.0 true true"));
    assert_eq!((server.stats.open(), server.stats.plain()), (1, 1));
}

#[tokio::test]
async fn a_client_that_speaks_only_http_2_is_refused_where_that_is_off() {
    let certificate = certificate();
    let options = options(|options| options.http2 = None);
    let server = run(Server::builder().route("/", echo).options(options).tls(tls(&certificate))).await;
    let mut config = client(&certificate, None);
    config.alpn_protocols = vec![b"h2".to_vec()];
    assert!(connect(&server, config).await.is_err());
    server.until(|stats| stats.failed_handshakes() == 1).await;
}

/// Returns the ClientHello of a client whose highest version is 3.`minor` (RFC 4346 section 7.4.1.2, RFC 5246).
fn client_hello(minor: u8) -> Vec<u8> {
    let mut hello = vec![3, minor];
    hello.extend([7; 32]); // random
    hello.push(0); // no session
    // TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA and _GCM_SHA256; no compression.
    hello.extend([0, 4, 0xc0, 0x09, 0xc0, 0x2b, 1, 0]);
    // supported_groups: x25519; ec_point_formats: uncompressed; signature_algorithms: ecdsa_secp256r1_sha256.
    let extensions = [0, 10, 0, 4, 0, 2, 0, 29, 0, 11, 0, 2, 1, 0, 0, 13, 0, 4, 0, 2, 4, 3];
    hello.extend([0, extensions.len() as u8]);
    hello.extend(extensions);
    let mut record = vec![22, 3, 1, 0, hello.len() as u8 + 4, 1, 0, 0, hello.len() as u8];
    record.extend(hello);
    record
}

#[tokio::test]
async fn a_client_that_supports_only_tls_1_1_gets_a_protocol_version_alert() {
    let certificate = certificate();
    let server = run(Server::builder().route("/", echo).tls(tls(&certificate))).await;
    for minor in [1, 2] {
        let mut peer = server.connect().await;
        peer.send(client_hello(minor)).await;
        // RFC 8446 section 6.2: fatal, protocol_version (70).
        assert_eq!(peer.bytes(7).await, [21, 3, 3, 0, 2, 2, 70], "3.{minor}");
        assert_eq!(peer.rest().await, b"");
    }
    server.until(|stats| stats.failed_handshakes() == 2).await;
    // The same ClientHello with TLS 1.2 is answered with a handshake.
    let mut peer = server.connect().await;
    peer.send(client_hello(3)).await;
    assert_eq!(peer.bytes(3).await, [22, 3, 3]);
}

#[tokio::test]
async fn a_stalled_tls_handshake_ends_at_the_handshake_timeout() {
    let certificate = certificate();
    let options = options(|options| options.handshake.timeout = Duration::from_millis(300));
    let server = run(Server::builder().route("/", echo).options(options).tls(tls(&certificate))).await;
    for bytes in [&b""[..], b"\x16", b"\x16\x03\x01\x00\x80\x01"] {
        let begin = Instant::now();
        let mut peer = server.connect().await;
        peer.send(bytes).await;
        let mut rest = Vec::new();
        let _ = soon(peer.0.read_to_end(&mut rest)).await;
        // Ten seconds is the default.
        assert!((300..9000).contains(&begin.elapsed().as_millis()), "{:?}", begin.elapsed());
    }
    server.until(|stats| stats.failed_handshakes() == 3 && stats.connections() == 0).await;
}

#[tokio::test]
async fn the_handshake_timeout_does_not_start_again_after_the_tls_handshake() {
    let certificate = certificate();
    let options = options(|options| options.handshake.timeout = Duration::from_secs(4));
    let server = run(Server::builder().route("/", echo).options(options).tls(tls(&certificate))).await;
    let begin = Instant::now();
    let stream = TcpStream::connect(server.address).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let connector = TlsConnector::from(Arc::new(client(&certificate, None)));
    let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    // Half a request.
    stream.write_all(&opening("/", "").as_bytes()[..40]).await.unwrap();
    let mut answer = String::new();
    let _ = soon(stream.read_to_string(&mut answer)).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    // If the timeout started again it would be 7 s.
    assert!((4.0..6.5).contains(&begin.elapsed().as_secs_f64()), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_refusal_over_tls_reaches_a_peer_that_goes_on_sending() {
    let certificate = certificate();
    // Long enough for a slow machine.
    let options = options(|options| options.handshake.linger_timeout = Duration::from_secs(30));
    let page = "x".repeat(12 << 20);
    let builder = Server::builder().page("/", "text/plain", page).options(options);
    let server = run(builder.tls(tls(&certificate))).await;
    let mut stream = connect(&server, client(&certificate, None)).await.unwrap();
    let mut all = get("/").into_bytes();
    all.resize(all.len() + (1 << 20), b'z');
    // Sending and reading at the same time would hide a reset: here everything is sent first.
    soon(stream.write_all(&all)).await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = Vec::new();
    soon(stream.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 ") && answer.len() > 12 << 20, "{}", answer.len());
    // The close_notify hides a reset from reading, but not from writing.
    for _ in 0..5 {
        stream.write_all(&[b'z'; 1000]).await.unwrap();
        stream.flush().await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_close_of_a_handler_that_panicked_arrives_over_tls_though_the_peer_goes_on_sending() {
    let certificate = certificate();
    let handler = async |mut socket: WebSocket| {
        assert!(socket.recv().await.unwrap().is_none(), "the handler panics at the Close");
    };
    let server = run(Server::builder().route("/", handler).tls(tls(&certificate))).await;
    let mut stream = connect(&server, client(&certificate, None)).await.unwrap();
    exchange(&mut stream, opening("/", ""), b"\r\n\r\n").await.unwrap();
    for _ in 0..5 {
        // A socket that was closed without lingering would answer with a reset, and the next write would fail.
        stream.write_all(&frame(0x82, &[7; 100]).repeat(100)).await.unwrap();
        stream.flush().await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut rest = Vec::new();
    soon(stream.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, reply(0x88, &[3, 243]));
}

#[tokio::test]
async fn a_request_without_tls_to_a_tls_port_is_answered_400_with_the_scheme_to_use() {
    let certificate = certificate();
    let server = run(Server::builder().route("/", echo).tls(tls(&certificate))).await;
    let answer = ask(&server, opening("/", "")).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("wss://"), "{answer}");
    assert_eq!(answer.matches("\r\ndate: ").count(), 1, "{answer}");
}

#[tokio::test]
async fn a_header_of_the_proxy_protocol_before_tls_is_named() {
    let certificate = certificate();
    let server = run(Server::builder().route("/", echo).tls(tls(&certificate))).await;
    for header in [
        &b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n"[..],
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\xdc\x04\x01\xbb",
    ] {
        let answer = ask(&server, [header, &client_hello(3)].concat()).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("PROXY protocol"), "{answer}");
    }
    server.until(|stats| stats.failed_handshakes() == 2).await;
}

#[tokio::test]
async fn a_trusted_proxy_names_the_client_before_tls() {
    let certificate = certificate();
    let handler = async |mut socket: WebSocket, request: Request| {
        assert!(request.is_secure() && socket.get_ref().peer_addr() == request.peer_addr());
        let _ = socket.send(request.client_addr().unwrap().to_string()).await;
    };
    let proxies = ProxyOptions::default().trusted("127.0.0.1".parse().unwrap()).proxy_protocol(true);
    let server = run(Server::builder().route("/", handler).tls(tls(&certificate)).proxies(proxies)).await;
    for header in [
        &b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n"[..],
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\xdc\x04\x01\xbb",
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(header).await.unwrap();
        let connector = TlsConnector::from(Arc::new(client(&certificate, None)));
        let mut stream = soon(connector.connect("localhost".try_into().unwrap(), stream)).await.unwrap();
        exchange(&mut stream, opening("/", ""), &reply(0x81, b"192.0.2.1:56324")).await.unwrap();
    }
    // TLS without the header.
    assert!(connect(&server, client(&certificate, None)).await.is_err());
}

#[tokio::test]
async fn a_header_of_the_proxy_protocol_before_tls_names_the_client_of_all_streams_of_http_2() {
    let certificate = certificate();
    let handler = async |mut socket: WebSocket, request: Request| {
        socket.send(request.client_addr().unwrap().to_string()).await
    };
    let proxies = ProxyOptions::default().trusted("127.0.0.1".parse().unwrap()).proxy_protocol(true);
    let options = options(|options| {
        options.per_address = ws_server::AddressLimits::default().handshakes_per_second(Some(2));
    });
    let builder = Server::builder().route("/", handler).options(options).tls(tls(&certificate));
    let server = run(builder.proxies(proxies)).await;
    let mut config = client(&certificate, None);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n").await.unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let stream = soon(connector.connect("localhost".try_into().unwrap(), stream)).await.unwrap();
    let (requests, connection) = soon(h2::client::handshake(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut requests = soon(requests.ready()).await.unwrap();
    let mut statuses = Vec::new();
    for _ in 0..20 {
        let request = http::Request::connect("https://localhost/")
            .extension(h2::ext::Protocol::from_static("websocket"))
            .header("sec-websocket-version", "13")
            // A field of the client: it is not asked for.
            .header("x-forwarded-for", "203.0.113.9")
            .body(())
            .unwrap();
        let (opened, _send) = requests.send_request(request, false).unwrap();
        let mut opened = soon(opened).await.unwrap();
        statuses.push(opened.status().as_u16());
        if opened.status() == 200 {
            let data = soon(opened.body_mut().data()).await.unwrap().unwrap();
            assert_eq!(data[..], reply(0x81, b"192.0.2.1:56324"));
        }
        requests = soon(requests.ready()).await.unwrap();
    }
    assert_eq!(statuses[..2], [200, 200]);
    assert!(statuses.contains(&429), "{statuses:?}");
}

#[tokio::test]
async fn a_get_for_an_endpoint_over_tls_is_answered_426_with_the_scheme_wss() {
    let certificate = certificate();
    let server = run(Server::builder().route("/", echo).tls(tls(&certificate))).await;
    let mut stream = connect(&server, client(&certificate, None)).await.unwrap();
    let answer = exchange(&mut stream, get("/"), b" URL.\n").await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 426 ") && answer.contains(" wss:// "), "{answer}");
}

#[tokio::test]
async fn where_the_server_ends_tls_a_page_of_the_same_host_comes_by_https() {
    let certificate = certificate();
    let server = run(Server::builder().route("/", echo).tls(tls(&certificate))).await;
    for (origin, status) in [
        ("https://localhost", "101"),
        ("https://localhost:443", "101"),
        ("http://localhost", "403"),
        ("http://localhost:443", "403"),
        ("ftp://localhost", "403"),
        ("https://localhost:444", "403"),
    ] {
        let mut stream = connect(&server, client(&certificate, None)).await.unwrap();
        let request = opening("/", &format!("Origin: {origin}\r\n"));
        let answer = exchange(&mut stream, request, b"\r\n\r\n").await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{origin}: {answer}");
    }
}

#[tokio::test]
async fn a_missing_close_notify_is_not_clean() {
    let certificate = certificate();
    let (tell, told) = tokio::sync::oneshot::channel::<(Error, CloseInfo)>();
    let tell = Mutex::new(Some(tell));
    let handler = move |mut socket: WebSocket| {
        let tell = tell.lock().unwrap().take().unwrap();
        async move {
            let error = socket.recv().await.unwrap_err();
            tell.send((error, socket.close_info().unwrap())).unwrap();
        }
    };
    let server = run(Server::builder().route("/", handler).tls(tls(&certificate))).await;
    let mut stream = connect(&server, client(&certificate, None)).await.unwrap();
    exchange(&mut stream, opening("/", ""), b"\r\n\r\n").await.unwrap();
    // Shuts down the socket without a close_notify.
    let (mut socket, _) = stream.into_inner();
    socket.shutdown().await.unwrap();
    let (error, info) = soon(told).await.unwrap();
    assert!(matches!(error, Error::Closed(_)), "{error}");
    assert_eq!(info.code().0, 1006);
    assert!(info.to_string().contains("close_notify"), "{info}");
}

#[tokio::test]
async fn over_tls_a_send_to_a_peer_that_reads_nothing_fails_after_write_timeout_whatever_the_peer_sends() {
    let certificate = certificate();
    let (tell, told) = tokio::sync::oneshot::channel::<CloseInfo>();
    let tell = Mutex::new(Some(tell));
    let handler = move |mut socket: WebSocket| {
        let tell = tell.lock().unwrap().take().unwrap();
        async move {
            while socket.send(vec![7; 1000]).await.is_ok() {}
            tell.send(socket.close_info().unwrap()).unwrap();
        }
    };
    let mut config = Config::server();
    config.write_timeout = Duration::from_millis(500);
    let endpoint = Endpoint::new(handler).connection(config);
    let server = run(Server::builder().endpoint("/", endpoint).tls(tls(&certificate))).await;
    let mut stream = connect(&server, client(&certificate, None)).await.unwrap();
    exchange(&mut stream, opening("/", ""), b"\r\n\r\n").await.unwrap();
    let (_reader, mut writer) = tokio::io::split(stream);
    let sending = tokio::spawn(async move {
        while writer.write_all(&frame(0x8a, b"")).await.is_ok() && writer.flush().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let info = soon(told).await.unwrap();
    sending.abort();
    assert_eq!(info.code().0, 1006);
    assert!(info.to_string().contains("write stalled"), "{info}");
}

#[tokio::test]
async fn over_tls_unfinished_input_and_output_that_stands_still_give_way_when_memory_is_used_up() {
    let certificate = certificate();
    for input in [true, false] {
        let builder = Server::builder().route("/", budget::handler).options(budget::options());
        let server = run(builder.tls(tls(&certificate))).await;
        let connect = async || connect(&server, client(&certificate, None)).await.unwrap();
        match input {
            true => budget::unfinished_input_gives_way(connect, &server.stats).await,
            false => budget::output_that_stands_still_gives_way(connect, &server.stats).await,
        }
    }
}
