//! HTTP/2 over TLS: what is offered by ALPN (RFC 7301), and HTTP/1.1 where HTTP/2 is not to be had.

use std::sync::{Arc, Mutex};

use super::common::tls::{certificate, server_config};
use super::common::*;
use super::peer::*;
use http::Version;
use rustls::ServerConfig;
use rustls::server::Acceptor;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::LazyConfigAcceptor;
use ws_client::{Client, Http2Error, HttpVersion, Tls, rustls};

use super::opening::http2_error;

/// What a server does with a connection that has chosen HTTP/2.
#[derive(Clone, Copy, PartialEq)]
enum Over2 {
    Echo,
    Pages,
    HttpOneRequired,
}

/// A server over TLS that offers these protocols.
struct Server {
    url: String,
    /// What each connection was offered by the client.
    offers: Arc<Mutex<Vec<Vec<String>>>>,
    tls: Tls,
}

impl Server {
    async fn new(protocols: &[&str], over_2: Over2) -> Self {
        let certificate = certificate(&["localhost"]);
        let mut config = ServerConfig::clone(&server_config(&certificate, None));
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("wss://localhost:{}/", listener.local_addr().unwrap().port());
        let offers = Arc::new(Mutex::new(Vec::new()));
        let kept = offers.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, config.clone(), kept.clone(), over_2));
            }
        });
        Self { url, offers, tls: Tls::from_root_pem(certificate.pem.as_bytes()).unwrap() }
    }

    fn client(&self, version: HttpVersion) -> Client {
        options().http_version(version).tls(self.tls.clone()).build().unwrap()
    }

    fn offers(&self) -> Vec<String> {
        self.offers.lock().unwrap().iter().map(|offer| offer.join(" ")).collect()
    }
}

async fn serve(
    stream: tokio::net::TcpStream,
    config: Arc<ServerConfig>,
    offers: Arc<Mutex<Vec<Vec<String>>>>,
    over_2: Over2,
) {
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await.unwrap();
    let offer = start.client_hello().alpn().into_iter().flatten();
    let offer = offer.map(|name| String::from_utf8(name.to_vec()).unwrap()).collect();
    offers.lock().unwrap().push(offer);
    let Ok(mut stream) = start.into_stream(config).await else { return };
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        return match over_2 {
            Over2::Echo => serve_echo(stream).await,
            Over2::Pages => serve_pages(stream).await,
            Over2::HttpOneRequired => {
                let mut connection = allowing().handshake::<_, bytes::Bytes>(stream).await.unwrap();
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    respond.send_reset(h2::Reason::HTTP_1_1_REQUIRED);
                }
            }
        };
    }
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    stream.write_all(&switching(&String::from_utf8(head).unwrap())).await.unwrap();
    stream.flush().await.unwrap();
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
}

#[tokio::test]
async fn http_2_is_used_where_the_server_chooses_it() {
    for (version, offered) in [(HttpVersion::Http2, "h2"), (HttpVersion::Http2IfOffered, "h2 http/1.1")] {
        let server = Server::new(&["h2", "http/1.1"], Over2::Echo).await;
        let client = server.client(version);
        let (mut one, negotiated) = client.connect(&server.url).await.unwrap();
        let (mut two, _) = client.connect(&server.url).await.unwrap();
        assert_eq!(negotiated.http_version(), Version::HTTP_2);
        ping_pong(&mut one, "one").await;
        ping_pong(&mut two, "two").await;
        assert_eq!(server.offers(), [offered]);
        assert!(one.into_inner().is_tls());
    }
}

#[tokio::test]
async fn http_1_1_offers_no_http_2() {
    let server = Server::new(&["h2", "http/1.1"], Over2::Echo).await;
    let (_open, negotiated) = server.client(HttpVersion::Http1).connect(&server.url).await.unwrap();
    assert_eq!(negotiated.http_version(), Version::HTTP_11);
    assert_eq!(server.offers(), ["http/1.1"]);
}

#[tokio::test]
async fn a_server_that_chooses_http_1_1_gets_it_on_the_same_connection_and_is_remembered() {
    for protocols in [&["http/1.1"][..], &[]] {
        let server = Server::new(protocols, Over2::Echo).await;
        let client = server.client(HttpVersion::Http2IfOffered);
        for _ in 0..2 {
            let (_open, negotiated) = client.connect(&server.url).await.unwrap();
            assert_eq!(negotiated.http_version(), Version::HTTP_11);
        }
        assert_eq!(server.offers(), ["h2 http/1.1", "http/1.1"]);
    }
}

#[tokio::test]
async fn a_server_that_allows_no_websockets_over_http_2_gets_http_1_1_and_is_not_asked_again() {
    for over_2 in [Over2::Pages, Over2::HttpOneRequired] {
        let server = Server::new(&["h2", "http/1.1"], over_2).await;
        let client = server.client(HttpVersion::Http2IfOffered);
        for _ in 0..2 {
            let (_open, negotiated) = soon(client.connect(&server.url)).await.unwrap();
            assert_eq!(negotiated.http_version(), Version::HTTP_11);
        }
        assert_eq!(server.offers(), ["h2 http/1.1", "http/1.1", "http/1.1"]);
    }
}

#[tokio::test]
async fn strict_http_2_says_so_when_the_server_does_not_choose_it() {
    // By the alert no_application_protocol, and by no word on ALPN.
    for protocols in [&["http/1.1"][..], &[]] {
        let server = Server::new(protocols, Over2::Echo).await;
        let error = server.client(HttpVersion::Http2).connect(&server.url).await.unwrap_err();
        assert!(error.is_fatal() && error.to_string().contains("HttpVersion::Http2IfOffered"), "{error}");
        assert_eq!(http2_error(error), Http2Error::NotOffered);
    }
}

#[tokio::test]
async fn strict_http_2_says_so_when_the_server_allows_no_websockets() {
    let server = Server::new(&["h2", "http/1.1"], Over2::Pages).await;
    let error = server.client(HttpVersion::Http2).connect(&server.url).await.unwrap_err();
    assert_eq!(http2_error(error), Http2Error::NotAllowed);
}

#[tokio::test]
async fn a_given_configuration_without_h2_cannot_be_used_for_http_2() {
    let server = Server::new(&["h2"], Over2::Echo).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate(&["x"]).der).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"other".to_vec()];
    let build = |config: &rustls::ClientConfig| {
        let tls = Tls::from_rustls(Arc::new(config.clone()));
        options().tls(tls).build().map(|_| ())
    };
    let error = build(&config).unwrap_err();
    assert!(error.to_string().contains("h2") && error.to_string().contains("http_version"), "{error}");
    config.alpn_protocols.push(b"h2".to_vec());
    build(&config).unwrap();
    drop(server);
}
