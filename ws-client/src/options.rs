//! What a client may be told, with its defaults.

use std::sync::Arc;
use std::time::Duration;

use ws_core::Config;
use ws_core::handshake::{BodyReader, HeadLimits};

use crate::backoff::Backoff;
use crate::connector::Connector;
use crate::options_error::OptionsError;
use crate::proxy_choice::ProxyChoice;
use crate::resolver::Resolver;
#[cfg(feature = "tls")]
use crate::tls::Tls;

/// The settings of a [`Client`](crate::Client). Change the fields that matter, then [`build`](Self::build).
///
/// ```
/// # fn main() -> Result<(), ws_client::ConnectError> {
/// let mut options = ws_client::Options::default();
/// options.opening_timeout = std::time::Duration::from_secs(3);
/// options.websocket.max_message_size = 64 << 20;
/// let client = options.build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Limits and deadlines of the open connection. Default [`Config::client`].
    pub websocket: Config,
    /// From the call to the open connection, however it gets there: name lookup, TCP, proxy, TLS,
    /// the opening handshake and redirects together. Absolute: bytes that trickle in do not
    /// prolong it. Default 10 s.
    pub opening_timeout: Duration,
    /// How long an address may stay silent before the next one is tried beside it (RFC 8305
    /// section 5). Default 250 ms.
    pub attempt_delay: Duration,
    /// The offer of permessage-deflate (RFC 7692); `None` offers none. A server may decline it. Default
    /// [`deflate::Config::client`](ws_core::deflate::Config::client): each of our messages is compressed by itself,
    /// those below 1 KiB not at all. Do not compress a secret beside text that an attacker can choose: see
    /// [`ws_core::deflate`].
    #[cfg(feature = "deflate")]
    pub deflate: Option<ws_core::deflate::Config>,
    /// Limits of the server's response head. Default 64 KiB, 100 field lines.
    pub head: HeadLimits,
    /// How much of a refusal's body is kept, in bytes. Default 64 KiB.
    pub max_refusal_body: usize,
    /// How many redirects are followed. When one leads to another origin (scheme, host or port), credentials stay
    /// behind: `Authorization` (that of the URL too), `Cookie`, `Proxy-Authorization`, every
    /// [`secret_header`](crate::Request::secret_header), and the subprotocols, which may hold a token. None leads from
    /// `wss` to `ws`. Default 0: a redirect is an error that carries the response.
    pub max_redirects: u8,
    /// Turns off Nagle's algorithm, which holds back small messages. Default `true`.
    pub nodelay: bool,
    /// Whether to go through a proxy. Default [`ProxyChoice::Environment`].
    pub proxy: ProxyChoice,
    /// Whom to trust under `wss://`. Default [`Tls::webpki`].
    #[cfg(feature = "tls")]
    pub tls: Tls,
    /// The delays of [`Client::reconnect`](crate::Client::reconnect). Default [`Backoff::default`].
    pub backoff: Backoff,
    /// Looks up host names instead of the operating system: those of servers and of proxies. Default none.
    pub resolver: Option<Arc<dyn Resolver>>,
    /// One's own way to reach the server, instead of TCP and proxies. Default none.
    pub connector: Option<Arc<dyn Connector>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            websocket: Config::client(),
            opening_timeout: Duration::from_secs(10),
            attempt_delay: Duration::from_millis(250),
            #[cfg(feature = "deflate")]
            deflate: Some(ws_core::deflate::Config::client()),
            head: HeadLimits::client(),
            max_refusal_body: BodyReader::DEFAULT_LIMIT,
            max_redirects: 0,
            nodelay: true,
            proxy: ProxyChoice::Environment,
            #[cfg(feature = "tls")]
            tls: Tls::default(),
            backoff: Backoff::default(),
            resolver: None,
            connector: None,
        }
    }
}

impl Options {
    /// Whether a client can be made of them.
    pub(crate) fn check(&self) -> Result<(), OptionsError> {
        self.websocket.check()?;
        if self.opening_timeout.is_zero() {
            return Err(OptionsError::OpeningTimeout);
        }
        for (setting, value, least) in
            [("bytes", self.head.bytes, SHORTEST_HEAD), ("fields", self.head.fields, FEWEST_FIELDS)]
        {
            if value < least {
                return Err(OptionsError::Head { setting, value, least });
            }
        }
        #[cfg(feature = "deflate")]
        if let Some(deflate) = &self.deflate {
            deflate.check()?;
        }
        self.backoff.check()
    }
}

/// Status line, Upgrade, Connection and Accept without a space or a reason that could be left out.
const SHORTEST_HEAD: usize = 107;
const FEWEST_FIELDS: usize = 3;
