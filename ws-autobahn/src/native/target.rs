//! The address of the tested server, and connecting to it.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// An address from the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// How to connect to the server.
    pub(crate) scheme: Scheme,
    /// Host and port for the field `Host`.
    pub(crate) authority: String,
    /// The path with the query.
    pub(crate) path: String,
}

/// How to connect to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// `ws://`
    Tcp,
    /// `wss://`
    Tls,
    /// `unix:`, with the path of the socket.
    Unix(PathBuf),
}

impl Address {
    /// Returns the address of the root path of a server on TCP.
    pub(crate) fn of(address: SocketAddr) -> Self {
        Self { scheme: Scheme::Tcp, authority: address.to_string(), path: "/".to_owned() }
    }

    /// Returns the scheme of HTTP, for the pseudo-field `:scheme` (RFC 8441 section 5).
    pub(crate) fn http_scheme(&self) -> &'static str {
        match self.scheme {
            Scheme::Tls => "https",
            Scheme::Tcp | Scheme::Unix(_) => "http",
        }
    }

    /// Returns the URL; `None` for a Unix socket.
    pub(crate) fn url(&self) -> Option<String> {
        let scheme = match self.scheme {
            Scheme::Tcp => "ws",
            Scheme::Tls => "wss",
            Scheme::Unix(_) => return None,
        };
        Some(format!("{scheme}://{}{}", self.authority, self.path))
    }
}

const FORMS: &str = "write ws://host:port/path, wss://host:port/path or unix:/socket[:/path]";

impl std::str::FromStr for Address {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let wrong = |why| format!("{url:?}: {why}; {FORMS}");
        if let Some(rest) = url.strip_prefix("unix:") {
            let (socket, path) = match rest.split_once(":/") {
                Some((socket, path)) => (socket, format!("/{path}")),
                None => (rest, "/".to_owned()),
            };
            if socket.is_empty() {
                return Err(wrong("the path of the socket is missing"));
            }
            let scheme = Scheme::Unix(PathBuf::from(socket));
            return Ok(Self { scheme, authority: "localhost".to_owned(), path });
        }
        let (scheme, rest, port) = match (url.strip_prefix("ws://"), url.strip_prefix("wss://")) {
            (Some(rest), _) => (Scheme::Tcp, rest, 80),
            (_, Some(rest)) => (Scheme::Tls, rest, 443),
            _ => return Err(wrong("this is not the address of a WebSocket server")),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = match rest.find(['/', '?']) {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        if authority.is_empty() || authority.contains(['@', ' ']) {
            return Err(wrong("the host is missing"));
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if has_port { authority.to_owned() } else { format!("{authority}:{port}") };
        let path = if path.starts_with('?') { format!("/{path}") } else { path.to_owned() };
        Ok(Self { scheme, authority, path })
    }
}

/// The certificates that are accepted from a server on TLS.
#[derive(Clone, Debug, Default)]
pub(crate) enum Trust {
    /// Those issued by Mozilla's list of authorities.
    #[default]
    Public,
    /// Those issued by the authorities in this PEM file.
    File(PathBuf),
    /// Any.
    Anything,
}

/// The tested server.
#[derive(Clone)]
pub(crate) struct Target {
    /// The address.
    pub(crate) address: Address,
    /// The version of HTTP in which WebSockets are opened.
    pub(crate) version: Version,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// A version of HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Version {
    /// HTTP/1.1: RFC 6455 section 4.
    #[default]
    Http1,
    /// HTTP/2: RFC 8441, by prior knowledge, or with TLS by ALPN.
    Http2,
}

impl Version {
    /// Returns the version that `--http2` selects.
    pub(crate) fn of(http2: bool) -> Self {
        if http2 { Self::Http2 } else { Self::Http1 }
    }

    /// Returns the setting of ws-client.
    pub(crate) fn of_client(self) -> ws_client::HttpVersion {
        match self {
            Self::Http1 => ws_client::HttpVersion::Http1,
            Self::Http2 => ws_client::HttpVersion::Http2,
        }
    }

    /// Returns the protocol's name for ALPN.
    pub(crate) fn alpn(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
        }
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Target {
    /// Creates a target; the trusted certificates matter only for `wss://`.
    ///
    /// # Errors
    /// The certificates cannot be read, or the host is not a valid name for TLS.
    pub(crate) fn new(address: Address, trust: &Trust, version: Version) -> Result<Self, String> {
        let tls = match address.scheme {
            Scheme::Tls => {
                let host = address.authority.rsplit_once(':').map_or("", |(host, _)| host);
                let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
                let name = ServerName::try_from(host.clone())
                    .map_err(|e| format!("wss://{}: {host:?}: {e}", address.authority))?;
                Some((TlsConnector::from(Arc::new(config(trust, version)?)), name))
            }
            Scheme::Tcp | Scheme::Unix(_) => None,
        };
        Ok(Self { address, version, tls })
    }

    /// Connects, including TLS, within `patience`.
    ///
    /// # Errors
    /// Why there is no connection.
    pub(crate) async fn connect(&self, patience: Duration) -> Result<Box<dyn Wire>, String> {
        match timeout(patience, self.connect_patiently()).await {
            Ok(connected) => connected,
            Err(_) => Err("no connection in time".to_owned()),
        }
    }

    async fn connect_patiently(&self) -> Result<Box<dyn Wire>, String> {
        let no = |e: std::io::Error| format!("no connection: {e}");
        if let Scheme::Unix(path) = &self.address.scheme {
            return unix(path).await;
        }
        let stream = TcpStream::connect(&self.address.authority).await.map_err(no)?;
        // Without it, small writes would be delayed.
        let _ = stream.set_nodelay(true);
        match &self.tls {
            None => Ok(Box::new(stream)),
            Some((connector, name)) => {
                let connected = connector.connect(name.clone(), stream).await;
                let stream = connected.map_err(|e| format!("TLS: {e}"))?;
                // RFC 9113 section 3.2: HTTP/2 must be chosen by ALPN.
                if self.version == Version::Http2 && stream.get_ref().1.alpn_protocol() != Some(b"h2") {
                    return Err("TLS: the server does not choose h2 by ALPN".to_owned());
                }
                Ok(Box::new(stream))
            }
        }
    }
}

#[cfg(unix)]
async fn unix(path: &Path) -> Result<Box<dyn Wire>, String> {
    match tokio::net::UnixStream::connect(path).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(e) => Err(format!("no connection: {e}")),
    }
}

#[cfg(not(unix))]
async fn unix(_: &Path) -> Result<Box<dyn Wire>, String> {
    Err("this system has no Unix sockets".to_owned())
}

/// A connection of any kind.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {
    /// From now on, dropping the connection resets it (RFC 9293 section 3.10.7.4) if that is possible.
    fn arm_reset(&self) {}
}

impl Wire for TcpStream {
    fn arm_reset(&self) {
        // If this fails, the connection ends with a FIN.
        let _ = socket2::SockRef::from(self).set_linger(Some(Duration::ZERO));
    }
}

impl Wire for TlsStream<TcpStream> {
    fn arm_reset(&self) {
        self.get_ref().0.arm_reset();
    }
}

impl Wire for tokio_rustls::server::TlsStream<TcpStream> {
    fn arm_reset(&self) {
        self.get_ref().0.arm_reset();
    }
}

#[cfg(unix)]
impl Wire for tokio::net::UnixStream {}

impl Wire for DuplexStream {}

impl Wire for tokio::io::Empty {}

impl Wire for Box<dyn Wire> {
    fn arm_reset(&self) {
        (**self).arm_reset();
    }
}

fn config(trust: &Trust, version: Version) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    let mut config = match trust {
        Trust::Anything => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Any(provider)))
            .with_no_client_auth(),
        Trust::Public => builder
            .with_root_certificates(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
            .with_no_client_auth(),
        Trust::File(path) => builder.with_root_certificates(roots(path)?).with_no_client_auth(),
    };
    // RFC 7301: the server may choose this version only.
    config.alpn_protocols = vec![version.alpn().to_vec()];
    Ok(config)
}

fn roots(path: &Path) -> Result<RootCertStore, String> {
    let wrong = |e: &dyn std::fmt::Display| format!("--ca {}: {e}", path.display());
    let pem = fs::read(path).map_err(|e| wrong(&e))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate.map_err(|e| wrong(&e))?).map_err(|e| wrong(&e))?;
    }
    match roots.is_empty() {
        true => Err(wrong(&"the file has no certificate in PEM format")),
        false => Ok(roots),
    }
}

/// `--insecure`: accepts any certificate. The signatures of the TLS handshake are still verified.
#[derive(Debug)]
struct Any(Arc<CryptoProvider>);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
