//! The other end of a connection.

use std::net::SocketAddr;

use crate::transport::connection_id::ConnectionId;

/// What is known of a connection and its peer beside the request.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) id: ConnectionId,
    pub(crate) addr: Option<SocketAddr>,
    /// Whether the connection is encrypted.
    pub(crate) secure: bool,
    /// The chain that it has shown, leaf first.
    #[cfg(feature = "tls")]
    pub(crate) certificates: Vec<rustls::pki_types::CertificateDer<'static>>,
}

impl Peer {
    /// The peer of a new connection.
    pub(crate) fn new(addr: Option<SocketAddr>) -> Self {
        Self {
            id: ConnectionId::next(),
            addr,
            secure: false,
            #[cfg(feature = "tls")]
            certificates: Vec::new(),
        }
    }

    /// The same peer on another stream of its connection, which has a number of its own.
    #[cfg(feature = "http2")]
    pub(crate) fn on_another_stream(&self) -> Self {
        Self {
            id: ConnectionId::next(),
            addr: self.addr,
            secure: self.secure,
            #[cfg(feature = "tls")]
            certificates: self.certificates.clone(),
        }
    }
}
