//! Certificates, and servers that speak TLS.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use ws_client::rustls;

use super::{server, switching};

/// A certificate for these names that is its own authority.
pub struct Certificate {
    pub pem: String,
    pub der: CertificateDer<'static>,
    pub key_pem: String,
    pub key: PrivateKeyDer<'static>,
}

pub fn certificate(names: &[&str]) -> Certificate {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    Certificate {
        pem: made.cert.pem(),
        der: made.cert.der().clone(),
        key_pem: made.signing_key.serialize_pem(),
        key: PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into(),
    }
}

pub fn server_config(certificate: &Certificate, clients: Option<&Certificate>) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    server_config_of(provider, certificate, clients)
}

pub fn server_config_of(
    provider: Arc<CryptoProvider>,
    certificate: &Certificate,
    clients: Option<&Certificate>,
) -> Arc<ServerConfig> {
    let builder =
        ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let mut roots = RootCertStore::empty();
            roots.add(client.der.clone()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config =
        builder.with_single_cert(vec![certificate.der.clone()], certificate.key.clone_key()).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

/// A server for one TLS connection, which opens a WebSocket and sends `frames`; the handle returns the stream.
pub async fn tls_server(
    config: Arc<ServerConfig>,
    frames: &'static [u8],
) -> (SocketAddr, JoinHandle<std::io::Result<TlsStream<tokio::net::TcpStream>>>) {
    server(move |stream| async move {
        let mut stream = TlsAcceptor::from(config).accept(stream).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        stream.write_all(&switching(&String::from_utf8(head).unwrap())).await?;
        stream.write_all(frames).await?;
        stream.flush().await?;
        Ok(stream)
    })
    .await
}
