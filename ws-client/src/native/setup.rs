//! Options that were checked, and what is made of them once for all connections.

use std::sync::Arc;

#[cfg(feature = "deflate")]
use ws_core::deflate;
use ws_core::handshake::Established;
use ws_core::{Config, Connection};

use crate::chance;
use crate::error::ConnectError;
#[cfg(feature = "http2")]
use crate::http2::Pool;
use crate::negotiated::Negotiated;
use crate::options::Options;
use ws_core::SettingError;

/// Options that were checked; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) options: Arc<Options>,
    connection: Arc<Config>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Arc<rustls::ClientConfig>,
    /// What is offered where HTTP/2 is.
    #[cfg(all(feature = "tls", feature = "http2"))]
    pub(crate) tls_http2: Arc<rustls::ClientConfig>,
    #[cfg(feature = "http2")]
    pub(crate) pool: Arc<Pool>,
}

impl Setup {
    pub(crate) fn new(options: Options) -> Result<Self, SettingError> {
        options.check()?;
        #[cfg(feature = "tls")]
        let tls = options.tls.build()?;
        #[cfg(all(feature = "tls", feature = "http2"))]
        let (tls, tls_http2) = crate::tls::for_version(tls, options.http_version)?;
        Ok(Self {
            connection: Arc::new(options.connection.clone()),
            #[cfg(feature = "tls")]
            tls,
            #[cfg(all(feature = "tls", feature = "http2"))]
            tls_http2,
            #[cfg(feature = "http2")]
            pool: Arc::default(),
            options: Arc::new(options),
        })
    }

    /// The value of `Sec-WebSocket-Extensions`.
    pub(crate) fn offer(&self) -> Option<String> {
        #[cfg(feature = "deflate")]
        return self.options.deflate.as_ref().map(deflate::offer);
        #[cfg(not(feature = "deflate"))]
        None
    }

    /// The connection to the server at `authority` as it was agreed.
    #[cfg(feature = "deflate")]
    pub(crate) fn connection(
        &self,
        authority: &str,
        established: Established,
    ) -> Result<(Connection, Negotiated), ConnectError> {
        let connection = self.uncompressed(&established)?;
        // The handshake has refused what was not offered, so there is no other extension.
        let (Some(config), Some(answer)) = (&self.options.deflate, established.extensions.first()) else {
            return Ok((connection, Negotiated::new(established, None)));
        };
        let parameters = answer.parameters.iter().map(|p| (p.name.as_str(), p.value.as_deref()));
        let agreed = deflate::Agreed::from_response(parameters, config)
            .map_err(|source| ConnectError::Deflate { authority: authority.to_owned(), source })?;
        let connection = connection.with_deflate(deflate::PerMessageDeflate::client(agreed, config));
        Ok((connection, Negotiated::new(established, Some(agreed))))
    }

    /// The connection to a server; nothing can be agreed on.
    #[cfg(not(feature = "deflate"))]
    pub(crate) fn connection(
        &self,
        _authority: &str,
        established: Established,
    ) -> Result<(Connection, Negotiated), ConnectError> {
        Ok((self.uncompressed(&established)?, Negotiated::new(established)))
    }

    fn uncompressed(&self, established: &Established) -> Result<Connection, ConnectError> {
        let mut seed = [0; 32];
        chance::fill(&mut seed)?;
        let connection = Connection::client(self.connection.clone(), seed);
        // RFC 8441 §5: the end of a stream is no TCP-level closure, which RFC 6455 §7.1.1 leaves to the server.
        let is_stream = established.response.version() >= http::Version::HTTP_2;
        Ok(if is_stream { connection.shutting_down_first() } else { connection })
    }
}
