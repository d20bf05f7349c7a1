//! The other end of a connection.

use std::net::SocketAddr;

/// What is known of the peer beside its request.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    pub(crate) addr: Option<SocketAddr>,
    /// Whether the connection is encrypted.
    pub(crate) secure: bool,
    /// The chain that it has shown, leaf first.
    #[cfg(feature = "tls")]
    pub(crate) certificates: Vec<rustls::pki_types::CertificateDer<'static>>,
}
