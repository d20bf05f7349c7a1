//! Who is at the other end.

use std::net::SocketAddr;

/// What is known of the client beside its request.
#[derive(Debug, Default)]
pub(crate) struct Client {
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) secure: bool,
    /// The chain it showed, leaf first.
    #[cfg(feature = "tls")]
    pub(crate) certificates: Vec<rustls::pki_types::CertificateDer<'static>>,
}
