//! TLS 1.3 at both ends, with a certificate that the server makes when it starts.

use std::io::{BufRead, Read, Write};
use std::sync::Arc;

use anyhow::Result;
use rcgen::CertifiedKey;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

/// The name in the certificate.
pub const NAME: &str = "localhost";

/// A certificate and its key as PEM.
pub fn certificate() -> Result<(String, String)> {
    let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
    Ok((cert.pem(), signing_key.serialize_pem()))
}

/// The server's end, and its certificate as PEM.
pub fn acceptor(http2: bool) -> Result<(TlsAcceptor, String)> {
    let (certificate, key) = certificate()?;
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes())?];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = alpn(http2);
    Ok((TlsAcceptor::from(Arc::new(config)), certificate))
}

/// The client's end, which trusts the one certificate that it reads.
pub fn connector(mut certificate: impl BufRead, http2: bool) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_reader(&mut certificate)?)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn(http2);
    Ok(Arc::new(config))
}

/// What is offered by ALPN, if anything is.
fn alpn(http2: bool) -> Vec<Vec<u8>> {
    if http2 { vec![b"h2".to_vec()] } else { Vec::new() }
}

/// A session of each side after the handshake and one message each way, without a socket: what a connection over TLS has besides.
pub fn session(
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
) -> Result<(ServerConnection, ClientConnection)> {
    let mut server = ServerConnection::new(Arc::clone(server))?;
    let mut client = ClientConnection::new(Arc::clone(client), NAME.try_into()?)?;
    let mut wire = Vec::new();
    for turn in 0..6 {
        wire.clear();
        if turn % 2 == 0 {
            client.writer().write_all(b"?")?;
            while client.wants_write() {
                client.write_tls(&mut wire)?;
            }
            let mut input = &wire[..];
            while !input.is_empty() {
                server.read_tls(&mut input)?;
                server.process_new_packets()?;
            }
            let _ = server.reader().read(&mut [0; 16]);
        } else {
            server.writer().write_all(b"!")?;
            while server.wants_write() {
                server.write_tls(&mut wire)?;
            }
            let mut input = &wire[..];
            while !input.is_empty() {
                client.read_tls(&mut input)?;
                client.process_new_packets()?;
            }
            let _ = client.reader().read(&mut [0; 16]);
        }
    }
    Ok((server, client))
}
