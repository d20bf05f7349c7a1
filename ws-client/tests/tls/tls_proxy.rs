//! A proxy that is itself reached over TLS.

use std::net::SocketAddr;

use super::common::tls::*;
use super::common::*;
use rustls::RootCertStore;
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use ws_client::rustls;
use ws_client::{Client, ConnectError, Message, Options, Proxy, ProxyChoice, ProxyError, Stage, Tls};

/// A TLS proxy which after its 200 acts as the server itself, over TLS again if that has a certificate; returns both heads.
async fn proxy(
    own: &Certificate,
    behind: Option<&Certificate>,
) -> (SocketAddr, JoinHandle<std::io::Result<(String, String)>>) {
    let front = TlsAcceptor::from(server_config(own, None));
    let behind = behind.map(|certificate| TlsAcceptor::from(server_config(certificate, None)));
    server(move |stream| async move {
        let mut tunnel = front.accept(stream).await?;
        let connect = read_head(&mut tunnel).await;
        tunnel.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
        tunnel.flush().await?;
        let mut stream: Box<dyn Duplex> = match behind {
            Some(acceptor) => Box::new(acceptor.accept(tunnel).await?),
            None => Box::new(tunnel),
        };
        let request = read_head(&mut stream).await;
        stream.write_all(&[switching(&request), b"\x81\x02hi".to_vec()].concat()).await?;
        stream.flush().await?;
        Ok((connect, request))
    })
    .await
}

trait Duplex: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send {}
impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send> Duplex for S {}

fn client(proxy: SocketAddr, trusted: &[&Certificate]) -> Client {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add(certificate.der.clone()).unwrap();
    }
    let mut options = Options::default();
    options.tls = Tls::from_roots(roots);
    let url = format!("https://user:hunter2@127.0.0.1:{}", proxy.port());
    options.proxy = ProxyChoice::Always(Proxy::new(&url).unwrap());
    options.build().unwrap()
}

#[tokio::test]
async fn an_https_proxy_carries_ws_and_wss() {
    let (own, behind) = (certificate(&["127.0.0.1"]), certificate(&["server.example"]));
    for (url, inner) in [("ws://server.example/a", None), ("wss://server.example/a", Some(&behind))] {
        let (address, serving) = proxy(&own, inner).await;
        let (mut ws, _) = client(address, &[&own, &behind]).connect(url).await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::text("hi")), "{url}");
        let (connect, request) = serving.await.unwrap().unwrap();
        let port = if inner.is_some() { 443 } else { 80 };
        assert!(connect.starts_with(&format!("CONNECT server.example:{port} HTTP/1.1\r\n")), "{connect}");
        assert_eq!(field(&connect, "proxy-authorization"), Some("Basic dXNlcjpodW50ZXIy"));
        assert_eq!(field(&request, "proxy-authorization"), None);
    }
}

#[tokio::test]
async fn an_https_proxy_with_an_invalid_certificate_gets_no_credentials() {
    let own = certificate(&["127.0.0.1"]);
    let (address, serving) = proxy(&own, None).await;
    let stranger = certificate(&["127.0.0.1"]);
    let error = client(address, &[&stranger]).connect("ws://server.example/").await.unwrap_err();
    assert!(matches!(error, ConnectError::Proxy { source: ProxyError::Tls(_), .. }), "{error:?}");
    assert!(error.is_fatal() && !format!("{error} {error:?}").contains("hunter2"), "{error}");
    assert!(serving.await.unwrap().is_err(), "the proxy has seen no request");
}

#[tokio::test]
async fn a_stalled_https_proxy_ends_at_the_deadline() {
    let (address, _serving) =
        server(|mut stream| async move { tokio::io::copy(&mut stream, &mut tokio::io::sink()).await }).await;
    let mut options = Options::default();
    options.opening_timeout = std::time::Duration::from_secs(2);
    options.proxy = ProxyChoice::Always(Proxy::new(&format!("https://{address}")).unwrap());
    let client = options.build().unwrap();
    let error = soon(client.connect("ws://server.example/")).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout { during: Stage::Proxy, .. }), "{error:?}");
}
