//! The other end of a connection.

use std::net::SocketAddr;

use tracing::Span;
use tracing::field::{Empty, display};
use ws_tokio::ConnectionId;

/// What is known of a connection and its peer beside the request.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) id: ConnectionId,
    /// The other end of the connection: the client, or a proxy.
    pub(crate) addr: Option<SocketAddr>,
    /// The client, as far as it is known: the same, or what a trusted proxy has named.
    pub(crate) client: Option<SocketAddr>,
    /// What a trusted proxy says beside that.
    pub(crate) forwarded: Option<Box<Forwarded>>,
    /// Whether the connection is encrypted.
    pub(crate) secure: bool,
    /// The chain that it has shown, leaf first.
    #[cfg(feature = "tls")]
    pub(crate) certificates: Vec<rustls::pki_types::CertificateDer<'static>>,
}

/// How a client has reached a trusted proxy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Forwarded {
    /// Whether that connection is encrypted.
    pub(crate) https: Option<bool>,
    /// The host that the request was addressed to.
    pub(crate) host: Option<String>,
}

impl Peer {
    /// The peer of a new connection.
    pub(crate) fn new(addr: Option<SocketAddr>) -> Self {
        Self {
            id: ConnectionId::next(),
            addr,
            client: addr,
            forwarded: None,
            secure: false,
            #[cfg(feature = "tls")]
            certificates: Vec::new(),
        }
    }

    /// Whether the client's connection is encrypted: the one to this server, or the one to a trusted proxy.
    pub(crate) fn is_client_secure(&self) -> bool {
        self.forwarded.as_ref().and_then(|forwarded| forwarded.https).unwrap_or(self.secure)
    }

    /// The span of an opening handshake, in which it is decided on; with `client` where that is known already and is not the peer.
    pub(crate) fn handshake_span(&self, client: Option<SocketAddr>) -> Span {
        let (id, peer, client) = (self.id, self.addr.map(display), client.map(display));
        tracing::info_span!("handshake", %id, peer, client, path = Empty)
    }

    /// The client, if it is not the peer.
    pub(crate) fn behind(&self) -> Option<SocketAddr> {
        self.client.filter(|_| self.client != self.addr)
    }

    /// The same peer on another stream of its connection, which has a number of its own.
    #[cfg(feature = "http2")]
    pub(crate) fn on_another_stream(&self) -> Self {
        Self {
            id: ConnectionId::next(),
            addr: self.addr,
            client: self.client,
            forwarded: None,
            secure: self.secure,
            #[cfg(feature = "tls")]
            certificates: self.certificates.clone(),
        }
    }
}
