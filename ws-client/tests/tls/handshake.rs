//! `wss://`: which certificates the client trusts, its errors for others, and how TLS may end.

use std::sync::Arc;
use std::time::Duration;

use super::common::tls::*;
use super::common::*;
use rustls::RootCertStore;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use ws_client::rustls;
use ws_client::ws_core::{CloseCause, TransportEnd};
use ws_client::{Blame, Client, ConnectError, Message, Options, ProxyChoice, Resolver, Resolving, Tls};

fn trusting(tls: Tls) -> Client {
    let mut options = Options::default();
    options.tls = tls;
    options.build().unwrap()
}

fn trusting_certificate(certificate: &Certificate) -> Client {
    trusting(Tls::from_root_pem(certificate.pem.as_bytes()).unwrap())
}

#[tokio::test]
async fn wss_opens_with_a_custom_root_and_http_1_1() {
    let own = certificate(&["localhost", "127.0.0.1"]);
    for host in ["localhost", "127.0.0.1"] {
        let (address, serving) = tls_server(server_config(&own, None), b"\x81\x02hi").await;
        let (mut ws, _) =
            trusting_certificate(&own).connect(format!("wss://{host}:{}/", address.port())).await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::text("hi")));
        assert!(ws.get_ref().is_tls());
        assert_eq!(ws.get_ref().peer_addr(), Some(address));
        assert_eq!(ws.get_ref().tls().unwrap().alpn_protocol(), Some(&b"http/1.1"[..]));
        serving.await.unwrap().unwrap();
    }
    // Nothing of it came from, or went into, the provider of the process.
    assert!(rustls::crypto::CryptoProvider::get_default().is_none());
}

#[tokio::test]
async fn the_server_is_named_in_the_tls_handshake() {
    let own = certificate(&["localhost"]);
    let (address, serving) = tls_server(server_config(&own, None), b"").await;
    let _opened =
        trusting_certificate(&own).connect(format!("wss://localhost:{}", address.port())).await.unwrap();
    let stream = serving.await.unwrap().unwrap();
    assert_eq!(stream.get_ref().1.server_name(), Some("localhost"));
}

/// Every name is at this address.
#[derive(Debug)]
struct Always(std::net::SocketAddr);

impl Resolver for Always {
    fn resolve<'a>(&'a self, _host: &'a str, _port: u16) -> Resolving<'a> {
        Box::pin(std::future::ready(Ok(vec![self.0])))
    }
}

#[tokio::test]
async fn a_final_dot_is_left_out_of_the_server_name_and_of_the_name_that_is_verified() {
    // The second names no host, so that the error shows which one is looked for.
    for names in [&["example.com"][..], &[]] {
        let own = certificate(names);
        let (address, serving) = tls_server(server_config(&own, None), b"").await;
        let mut options = Options::default();
        options.tls = Tls::from_root_pem(own.pem.as_bytes()).unwrap();
        options.resolver = Some(Arc::new(Always(address)));
        options.proxy = ProxyChoice::Direct;
        match options.build().unwrap().connect("wss://example.com./").await {
            Ok(_opened) => {
                assert_eq!(names, ["example.com"]);
                // RFC 6066 section 3: the name stands there without a trailing dot.
                let stream = serving.await.unwrap().unwrap();
                assert_eq!(stream.get_ref().1.server_name(), Some("example.com"));
            }
            Err(error) => {
                assert!(names.is_empty(), "{error}");
                assert!(error.to_string().ends_with("subjectAltName=DNS:example.com"), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn a_custom_configuration_is_used_and_offers_http_1_1() {
    let own = certificate(&["localhost"]);
    let mut roots = RootCertStore::empty();
    roots.add(own.der.clone()).unwrap();
    let config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS12])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    let (address, _serving) = tls_server(server_config(&own, None), b"").await;
    let client = trusting(Tls::from_rustls(Arc::new(config)));
    let (ws, _) = client.connect(format!("wss://localhost:{}", address.port())).await.unwrap();
    let session = ws.get_ref().tls().unwrap();
    assert_eq!(session.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_2));
    assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[tokio::test]
async fn an_unknown_authority_is_named_with_its_remedy() {
    let own = certificate(&["localhost"]);
    let (address, _serving) = tls_server(server_config(&own, None), b"").await;
    let error = ws_client::connect(format!("wss://localhost:{}", address.port())).await.unwrap_err();
    assert!(
        error.to_string().contains("unknown authority") && error.to_string().contains("from_root_pem"),
        "{error}"
    );
    assert_eq!((error.blame(), error.is_fatal()), (Blame::Server, true));
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let other = certificate(&["other.example"]);
    let (address, _serving) = tls_server(server_config(&other, None), b"").await;
    let client = trusting_certificate(&other);
    let error = client.connect(format!("wss://localhost:{}", address.port())).await.unwrap_err();
    assert!(matches!(error, ConnectError::Tls(_)) && error.is_fatal(), "{error:?}");
    assert!(error.to_string().contains("localhost"), "{error}");
}

#[tokio::test]
async fn wss_to_a_plain_port_says_to_write_ws() {
    let (address, _serving) = server(|mut stream| async move {
        let mut hello = [0; 512];
        let _ = stream.read(&mut hello).await;
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await;
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    })
    .await;
    let error = ws_client::connect(format!("wss://{address}")).await.unwrap_err();
    assert!(error.to_string().contains("does not answer in TLS: write ws://"), "{error}");
}

#[tokio::test]
async fn a_server_that_knows_no_tls_above_1_1_is_refused_with_the_reason() {
    // What it answers: an alert protocol_version (RFC 8446 section 6.2), or a ServerHello in its own version,
    // with TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA (RFC 4346 section 7.4.1.3).
    let alert = vec![21, 3, 2, 0, 2, 2, 70];
    let hello = [&[22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2][..], &[7; 32], &[0, 0xc0, 0x09, 0]].concat();
    for answer in [alert, hello] {
        let (address, _serving) = server(|mut stream| async move {
            let _ = stream.read(&mut [0; 4096]).await;
            stream.write_all(&answer).await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
        })
        .await;
        let error = ws_client::connect(format!("wss://{address}")).await.unwrap_err();
        assert!(matches!(error, ConnectError::Tls(_)), "{error:?}");
        assert!(error.to_string().contains("TLS 1.2"), "{error}");
        assert_eq!((error.blame(), error.is_fatal()), (Blame::Server, true));
    }
}

#[tokio::test]
async fn ws_to_a_tls_port_says_to_write_wss() {
    let own = certificate(&["localhost"]);
    let config = server_config(&own, None);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let _serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let _ = TlsAcceptor::from(config).accept(stream).await;
    });
    let error = ws_client::connect(format!("ws://{address}")).await.unwrap_err();
    assert!(error.to_string().contains("write wss:// instead"), "{error} {error:?}");
    assert_eq!((error.blame(), error.is_fatal()), (Blame::Caller, true));
}

#[tokio::test]
async fn a_client_certificate_is_presented_to_a_server_that_asks() {
    let own = certificate(&["localhost"]);
    let me = certificate(&["me.example"]);
    let config = server_config(&own, Some(&me));
    let (address, serving) = tls_server(config.clone(), b"\x81\x02hi").await;
    let tls = Tls::from_root_pem(own.pem.as_bytes()).unwrap();
    let tls = tls.client_certificate(me.pem.as_bytes(), me.key_pem.as_bytes()).unwrap();
    assert!(!format!("{tls:?}").contains("PRIVATE"));
    let (mut ws, _) = trusting(tls).connect(format!("wss://localhost:{}", address.port())).await.unwrap();
    assert_eq!(ws.recv().await.unwrap(), Some(Message::text("hi")));
    let seen = serving.await.unwrap().unwrap();
    assert_eq!(seen.get_ref().1.peer_certificates().unwrap(), [me.der]);

    let (address, _serving) = tls_server(config, b"").await;
    let client = trusting_certificate(&own);
    let error = client.connect(format!("wss://localhost:{}", address.port())).await.unwrap_err();
    // With TLS 1.3 the server's alert arrives after the client's handshake.
    assert!(matches!(error, ConnectError::Tls(_)) && error.is_fatal(), "{error}");
    assert!(
        error.to_string().contains("requires a client certificate: pass one to Tls::client_certificate"),
        "{error}"
    );
}

#[tokio::test]
async fn a_tls_stream_cut_off_is_never_a_clean_end() {
    let own = certificate(&["localhost"]);
    let (address, serving) = tls_server(server_config(&own, None), b"\x81\x02hi").await;
    let (mut ws, _) =
        trusting_certificate(&own).connect(format!("wss://localhost:{}", address.port())).await.unwrap();
    assert_eq!(ws.recv().await.unwrap(), Some(Message::text("hi")));
    // The TCP stream ends; there was no close_notify.
    drop(serving.await.unwrap().unwrap().into_inner().0);
    assert!(ws.recv().await.is_err());
    let info = ws.close_info().unwrap();
    assert_eq!(info.cause, CloseCause::Transport(TransportEnd::Truncated));
    assert_eq!(u16::from(info.code()), 1006);
}

#[test]
fn invalid_pem_is_an_error_when_tls_is_built() {
    assert_eq!(Tls::from_root_pem(b"nothing").unwrap_err().setting, "tls root");
    let (a, b) = (certificate(&["a"]), certificate(&["b"]));
    assert!(Tls::webpki().client_certificate(a.pem.as_bytes(), b"nothing").is_err());
    // A key that is not the certificate's.
    let mut options = Options::default();
    options.tls = Tls::webpki().client_certificate(a.pem.as_bytes(), b.key_pem.as_bytes()).unwrap();
    let error = options.build().unwrap_err();
    assert!(
        error
            .to_string()
            .contains("tls client key = PEM is not possible: it is not the key of the client certificate"),
        "{error}"
    );
}

#[tokio::test]
async fn no_redirect_leads_from_wss_to_ws() {
    let own = certificate(&["localhost"]);
    let config = server_config(&own, None);
    let (address, _serving) = server(move |stream| async move {
        let mut stream = TlsAcceptor::from(config).accept(stream).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let answer =
            "HTTP/1.1 302 X\r\nLocation: http://localhost:1/?token=s3cret\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    })
    .await;
    let mut options = Options::default();
    options.max_redirects = 5;
    options.tls = Tls::from_root_pem(own.pem.as_bytes()).unwrap();
    let client = options.build().unwrap();
    let error = client.connect(format!("wss://localhost:{}", address.port())).await.unwrap_err();
    assert!(matches!(error, ConnectError::InsecureRedirect { .. }), "{error:?}");
    assert!(error.is_fatal() && !error.to_string().contains("s3cret"), "{error}");
}

#[tokio::test]
async fn over_tls_a_send_to_a_server_that_reads_nothing_fails_after_write_timeout_whatever_the_server_sends()
{
    let own = certificate(&["localhost"]);
    let mut options = Options::default();
    options.tls = Tls::from_root_pem(own.pem.as_bytes()).unwrap();
    options.connection.write_timeout = Duration::from_millis(500);
    let (address, serving) = tls_server(server_config(&own, None), b"").await;
    let url = format!("wss://localhost:{}", address.port());
    let (mut ws, _) = options.build().unwrap().connect(url).await.unwrap();
    let (_reader, mut writer) = tokio::io::split(serving.await.unwrap().unwrap());
    let sending = tokio::spawn(async move {
        while writer.write_all(b"\x8a\x00").await.is_ok() && writer.flush().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let sent = tokio::time::timeout(Duration::from_secs(20), async {
        while ws.send(vec![7; 1000]).await.is_ok() {}
    });
    sent.await.expect("send waits for ever");
    sending.abort();
    let info = ws.close_info().unwrap();
    assert_eq!(info.code().0, 1006);
    assert!(info.to_string().contains("write stalled"), "{info}");
}
