//! TLS for tested clients: a certificate that is made for the run, and the authority that a client must trust.

use std::{
    error::Error,
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::native::target::Version;

/// The suite's end of TLS.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    version: Version,
    authority: PathBuf,
    /// Whether an error has been printed; the others have the same reason.
    reported: AtomicBool,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("authority", &self.authority).finish_non_exhaustive()
    }
}

impl Tls {
    /// Makes an authority, which is written to the file `authority`, and a certificate for this address and localhost.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn create(listen: IpAddr, version: Version, authority: PathBuf) -> Result<Self, String> {
        let (issued, key, issuer) = issue(listen).map_err(|e| format!("--tls: {e}"))?;
        fs::write(&authority, issuer).map_err(|e| format!("--tls: {}: {e}", authority.display()))?;
        let config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(vec![issued.into()], key));
        let mut config = config.map_err(|e| format!("--tls: {e}"))?;
        config.alpn_protocols = vec![version.alpn().to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { acceptor, version, authority, reported: AtomicBool::new(false) })
    }

    /// Returns the file with the certificate of the authority.
    pub(crate) fn authority(&self) -> &Path {
        &self.authority
    }

    /// Does the handshake of TLS; the caller limits the time. The first error is printed.
    pub(crate) async fn accept(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let why = match self.acceptor.accept(stream).await {
            Ok(stream) if self.version == Version::Http1 || stream.get_ref().1.alpn_protocol().is_some() => {
                return Some(stream);
            }
            // RFC 9113 section 3.2: HTTP/2 must be chosen by ALPN.
            Ok(_) => "the client does not offer h2 by ALPN".to_owned(),
            // A connection that ends at once only asks whether the suite listens.
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return None,
            Err(e) => format!("{e}; does the client trust {}?", self.authority.display()),
        };
        if !self.reported.swap(true, Ordering::Relaxed) {
            eprintln!("TLS: {why}");
        }
        None
    }
}

/// Returns a certificate, its key, and the certificate of its authority in PEM format.
type Issued = (Vec<u8>, PrivateKeyDer<'static>, String);

fn issue(listen: IpAddr) -> Result<Issued, Box<dyn Error>> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "ws-autobahn, for one run");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let authority = params.self_signed(&key)?.pem();
    let issuer = Issuer::new(params, key);
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    names.extend(Some(listen.to_string()).filter(|name| !names.contains(name)));
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?.der().to_vec();
    Ok((certificate, PrivatePkcs8KeyDer::from(key.serialize_der()).into(), authority))
}
