//! The settings of a client, with their defaults.

use std::sync::Arc;
use std::time::Duration;

use ws_core::Config;
use ws_core::handshake::{BodyReader, HeadLimits};

use crate::backoff::Backoff;
use crate::connector::Connector;
#[cfg(feature = "http2")]
use crate::http_version::HttpVersion;
#[cfg(feature = "http2")]
use crate::http2_config::Http2Config;
use crate::proxy_choice::ProxyChoice;
use crate::resolver::Resolver;
#[cfg(feature = "tls")]
use crate::tls::Tls;
use ws_core::SettingError;

/// The settings of a [`Client`](crate::Client). Set the fields that matter, or chain the setters of the same names, then
/// [`build`](Self::build).
///
/// ```
/// use std::time::Duration;
/// use ws_client::{Config, Options};
///
/// # fn main() -> Result<(), ws_client::SettingError> {
/// let mut connection = Config::client();
/// connection.max_message_size = 64 << 20;
/// let client =
///     Options::default().opening_timeout(Duration::from_secs(3)).connection(connection).max_redirects(5).build()?;
/// # Ok(())
/// # }
/// ```
#[doc(alias("ClientBuilder", "WebSocketConfig", "ClientConfig"))]
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Limits and deadlines of the open connection: the largest message, the interval of pings, and so on. Default
    /// [`Config::client`].
    #[doc(alias("websocket", "max_size", "max_message_size", "ping_interval", "ping_timeout", "keepalive"))]
    pub connection: Config,
    /// The time from the call to the open connection: name lookup, TCP, proxy, TLS, the opening handshake and
    /// redirects together. Absolute: bytes that trickle in do not
    /// prolong it. Longer than zero; default 10 s.
    #[doc(alias("open_timeout", "connect_timeout", "handshake_timeout"))]
    pub opening_timeout: Duration,
    /// The time after which the next address of a host is tried as well, if one does not answer (RFC 8305
    /// section 5). Default 250 ms.
    pub attempt_delay: Duration,
    /// The offer of permessage-deflate (RFC 7692); `None` offers none. A server may decline it. Default
    /// [`deflate::Config::client`](ws_core::deflate::Config::client): each of our messages is compressed by itself,
    /// those below 1 KiB not at all. Do not compress a secret beside text that an attacker can choose: see
    /// [`ws_core::deflate`].
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    #[doc(alias("compression", "permessage_deflate"))]
    pub deflate: Option<ws_core::deflate::Config>,
    /// The version of HTTP. Default [`HttpVersion::Http1`].
    #[cfg(feature = "http2")]
    #[cfg_attr(docsrs, doc(cfg(feature = "http2")))]
    #[doc(alias("h2", "alpn", "multiplex"))]
    pub http_version: HttpVersion,
    /// The settings of HTTP/2 connections. Default [`Http2Config::default`].
    #[cfg(feature = "http2")]
    #[cfg_attr(docsrs, doc(cfg(feature = "http2")))]
    pub http2: Http2Config,
    /// Limits of the server's response head over HTTP/1.1. Default 64 KiB, 100 field lines.
    pub head: HeadLimits,
    /// The largest part of a refusal's body that is kept, in bytes. Default 64 KiB.
    pub max_refusal_body: usize,
    /// The number of redirects that are followed. When one leads to another origin (scheme, host or port), credentials are
    /// not sent there: `Authorization` (that of the URL too), `Cookie`, `Proxy-Authorization`, every
    /// [`secret_header`](crate::Request::secret_header), and the subprotocols, which may contain a token. None is followed from
    /// `wss` to `ws`. Default 0: a redirect is an error that carries the response.
    #[doc(alias = "follow_redirects")]
    pub max_redirects: u8,
    /// Whether to turn off Nagle's algorithm, which delays small messages. Default `true`.
    #[doc(alias("disable_nagle", "tcp_nodelay"))]
    pub nodelay: bool,
    /// Which proxy to use, if any. Default [`ProxyChoice::Environment`].
    pub proxy: ProxyChoice,
    /// Which certificates to trust under `wss://`. Default [`Tls::webpki`].
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    pub tls: Tls,
    /// The delays of [`Client::reconnect`](crate::Client::reconnect). Default [`Backoff::default`].
    pub backoff: Backoff,
    /// A resolver that looks up host names instead of the operating system: those of servers and of proxies. Default none.
    pub resolver: Option<Arc<dyn Resolver>>,
    /// A custom way to reach the server, instead of TCP and proxies. Default none.
    pub connector: Option<Arc<dyn Connector>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connection: Config::client(),
            opening_timeout: Duration::from_secs(10),
            attempt_delay: Duration::from_millis(250),
            #[cfg(feature = "deflate")]
            deflate: Some(ws_core::deflate::Config::client()),
            #[cfg(feature = "http2")]
            http_version: HttpVersion::default(),
            #[cfg(feature = "http2")]
            http2: Http2Config::default(),
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

/// Setters, to chain: each returns the options with the field of its name replaced.
impl Options {
    /// Sets the [limits and deadlines](Self#structfield.connection) of the open connection.
    #[must_use]
    pub fn connection(mut self, connection: Config) -> Self {
        self.connection = connection;
        self
    }

    /// Sets the [time](Self#structfield.opening_timeout) from the call to the open connection.
    #[must_use]
    pub fn opening_timeout(mut self, timeout: Duration) -> Self {
        self.opening_timeout = timeout;
        self
    }

    /// Sets the [time](Self#structfield.attempt_delay) after which the next address is tried as well.
    #[must_use]
    pub fn attempt_delay(mut self, delay: Duration) -> Self {
        self.attempt_delay = delay;
        self
    }

    /// Sets the [offer of permessage-deflate](Self#structfield.deflate); `None` offers none.
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    #[must_use]
    pub fn deflate(mut self, deflate: impl Into<Option<ws_core::deflate::Config>>) -> Self {
        self.deflate = deflate.into();
        self
    }

    /// Sets the [version of HTTP](Self#structfield.http_version).
    #[cfg(feature = "http2")]
    #[cfg_attr(docsrs, doc(cfg(feature = "http2")))]
    #[must_use]
    pub fn http_version(mut self, version: HttpVersion) -> Self {
        self.http_version = version;
        self
    }

    /// Sets the [settings of HTTP/2 connections](Self#structfield.http2).
    #[cfg(feature = "http2")]
    #[cfg_attr(docsrs, doc(cfg(feature = "http2")))]
    #[must_use]
    pub fn http2(mut self, config: Http2Config) -> Self {
        self.http2 = config;
        self
    }

    /// Sets the [limits](Self#structfield.head) of the server's response head.
    #[must_use]
    pub fn head(mut self, head: HeadLimits) -> Self {
        self.head = head;
        self
    }

    /// Sets [how much](Self#structfield.max_refusal_body) of a refusal's body is kept, in bytes.
    #[must_use]
    pub fn max_refusal_body(mut self, bytes: usize) -> Self {
        self.max_refusal_body = bytes;
        self
    }

    /// Sets [how many redirects](Self#structfield.max_redirects) are followed.
    #[must_use]
    pub fn max_redirects(mut self, count: u8) -> Self {
        self.max_redirects = count;
        self
    }

    /// Sets whether [Nagle's algorithm](Self#structfield.nodelay) is turned off.
    #[must_use]
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.nodelay = nodelay;
        self
    }

    /// Sets the [proxy](Self#structfield.proxy): a [`Proxy`](crate::Proxy) or a [`ProxyChoice`].
    #[must_use]
    pub fn proxy(mut self, proxy: impl Into<ProxyChoice>) -> Self {
        self.proxy = proxy.into();
        self
    }

    /// Sets [which certificates to trust](Self#structfield.tls) under `wss://`.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// Sets the [delays](Self#structfield.backoff) between attempts to connect again.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Sets the [resolver](Self#structfield.resolver) of host names.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolver + 'static) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Sets a [custom way](Self#structfield.connector) to reach the server.
    #[must_use]
    pub fn connector(mut self, connector: impl Connector + 'static) -> Self {
        self.connector = Some(Arc::new(connector));
        self
    }
}

impl Options {
    /// Checks whether a client can be built.
    pub(crate) fn check(&self) -> Result<(), SettingError> {
        self.connection.check()?;
        if self.opening_timeout.is_zero() {
            let must = "it must be longer than zero; the default is 10 s";
            return Err(SettingError::new("opening_timeout", "0ns", must));
        }
        for (setting, value, least) in
            [("head.bytes", self.head.bytes, SHORTEST_HEAD), ("head.fields", self.head.fields, FEWEST_FIELDS)]
        {
            if value < least {
                let must =
                    format!("no response fits into less than {least}; the default is HeadLimits::client()");
                return Err(SettingError::new(setting, value, must));
            }
        }
        #[cfg(feature = "deflate")]
        if let Some(deflate) = &self.deflate {
            deflate.check()?;
        }
        #[cfg(feature = "http2")]
        self.http2.check()?;
        self.backoff.check()
    }
}

/// The length of a status line, Upgrade, Connection and Accept without any optional space or reason.
const SHORTEST_HEAD: usize = 107;
const FEWEST_FIELDS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::Connecting;
    use crate::proxy::Proxy;
    use crate::request::Request;
    use crate::resolver::Resolving;

    #[derive(Debug)]
    struct Nowhere;

    impl Resolver for Nowhere {
        fn resolve<'a>(&'a self, _host: &'a str, _port: u16) -> Resolving<'a> {
            Box::pin(std::future::pending())
        }
    }

    impl Connector for Nowhere {
        fn connect<'a>(&'a self, _request: &'a Request) -> Connecting<'a> {
            Box::pin(std::future::pending())
        }
    }

    #[test]
    fn every_setter_sets_the_field_of_its_name() {
        let second = Duration::from_secs(1);
        let mut connection = Config::client();
        connection.max_message_size = 7;
        let proxy = Proxy::new("socks5://h").unwrap();
        let backoff =
            Backoff { initial: second, max: second * 2, stable_after: second * 3, max_failures: Some(4) };
        let mut head = HeadLimits::client();
        head.fields = 7;
        let expected = Options {
            connection: connection.clone(),
            opening_timeout: second,
            attempt_delay: second * 2,
            #[cfg(feature = "deflate")]
            deflate: None,
            #[cfg(feature = "http2")]
            http_version: HttpVersion::Http2,
            #[cfg(feature = "http2")]
            http2: Http2Config::default().stream_window(1 << 20),
            head,
            max_refusal_body: 3,
            max_redirects: 4,
            nodelay: false,
            proxy: ProxyChoice::Always(proxy.clone()),
            #[cfg(feature = "tls")]
            tls: Tls::from_roots(rustls::RootCertStore::empty()),
            backoff,
            resolver: Some(Arc::new(Nowhere)),
            connector: Some(Arc::new(Nowhere)),
        };
        let options = Options::default()
            .connection(connection)
            .opening_timeout(second)
            .attempt_delay(second * 2)
            .head(head)
            .max_refusal_body(3)
            .max_redirects(4)
            .nodelay(false)
            .proxy(proxy)
            .backoff(
                Backoff::default().initial(second).max(second * 2).stable_after(second * 3).max_failures(4),
            )
            .resolver(Nowhere)
            .connector(Nowhere);
        #[cfg(feature = "deflate")]
        let options = options.deflate(None);
        #[cfg(feature = "http2")]
        let options =
            options.http_version(HttpVersion::Http2).http2(Http2Config::default().stream_window(1 << 20));
        #[cfg(feature = "tls")]
        let options = options.tls(Tls::from_roots(rustls::RootCertStore::empty()));
        assert_eq!(format!("{options:?}"), format!("{expected:?}"));
        assert_ne!(format!("{options:?}"), format!("{:?}", Options::default()));
    }
}
