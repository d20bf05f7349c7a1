//! One attempt to open a WebSocket: from a request to a stream, and from that to the open connection.

#[cfg(feature = "http2")]
mod over_http2;

use std::io;
#[cfg(unix)]
use std::path::Path;
use std::pin::Pin;
#[cfg(feature = "tls")]
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};
use ws_core::handshake::{ClientHandshake, Established, HandshakeError};
use ws_tokio::{SendAhead, WebSocket};

#[cfg(feature = "http2")]
use self::over_http2::Http2Outcome;
use crate::deadline::from_now;
use crate::dial::dial;
use crate::error::{ConnectError, Stage};
use crate::negotiated::Opened;
use crate::opening::{self, Failure};
use crate::proxy::Proxy;
use crate::proxy_error::ProxyError;
use crate::request::{Request, redirect};
use crate::resolver::{Resolver, resolve};
use crate::route::Route;
use crate::setup::Setup;
use crate::stream::Stream;
#[cfg(feature = "tls")]
use crate::tls_error::TlsError;

/// One attempt to open a WebSocket. Its methods set no timeouts: the caller awaits them until
/// [`deadline`](Self::deadline), and [`finish`](Self::finish) reports the stage that was reached.
pub(crate) struct Attempt<'s> {
    setup: &'s Setup,
    /// The current request: each redirect that is followed replaces it.
    pub(crate) request: Request,
    /// What the attempt is waiting for.
    pub(crate) stage: Stage,
    /// When `opening_timeout` ends.
    pub(crate) deadline: Instant,
}

/// The future of a whole attempt.
pub(crate) type Run<'a> = Pin<Box<dyn Future<Output = Result<Opened, ConnectError>> + Send + 'a>>;

impl<'s> Attempt<'s> {
    pub(crate) fn new(setup: &'s Setup, request: Request) -> Self {
        let deadline = from_now(setup.options.opening_timeout);
        Self { setup, request, stage: Stage::Handshake, deadline }
    }

    /// The result of an attempt under its timeout.
    pub(crate) fn finish<T>(
        self,
        result: Result<Result<T, ConnectError>, Elapsed>,
    ) -> Result<T, ConnectError> {
        result.unwrap_or_else(|_| {
            Err(ConnectError::Timeout {
                authority: self.request.authority(),
                during: self.stage,
                after: self.setup.options.opening_timeout,
            })
        })
    }

    /// Opens a WebSocket as the options say, within their timeout.
    ///
    /// Boxed, as is [`run_unix`](Self::run_unix), so that the future of the whole connection is not as large as that of its
    /// opening; and `dyn`, so that all of it is compiled with this crate, not with each program.
    pub(crate) fn run(mut self) -> Run<'s> {
        Box::pin(async move {
            let result = timeout_at(self.deadline, self.connect()).await;
            self.finish(result)
        })
    }

    /// The same over a Unix socket.
    #[cfg(unix)]
    pub(crate) fn run_unix(mut self, path: &'s Path) -> Run<'s> {
        Box::pin(async move {
            let result = timeout_at(self.deadline, self.connect_unix(path)).await;
            self.finish(result)
        })
    }

    /// Reaches the server as the options say and performs the opening handshake, following redirects.
    async fn connect(&mut self) -> Result<Opened, ConnectError> {
        let mut redirects = self.setup.options.max_redirects;
        loop {
            let route = self.route()?;
            match self.connect_by(&route).await {
                Err(ConnectError::Refused(refused)) if redirects > 0 => {
                    let Some(next) = redirect(&self.request, &refused.response)? else {
                        return Err(ConnectError::Refused(refused));
                    };
                    redirects -= 1;
                    tracing::debug!(from = %self.request.authority(), to = %next.authority(), "redirected");
                    self.request = next;
                }
                result => return result,
            }
        }
    }

    /// The same over a Unix socket, without redirects.
    #[cfg(unix)]
    async fn connect_unix(&mut self, path: &Path) -> Result<Opened, ConnectError> {
        self.connect_by(&Route::Unix(path.to_owned())).await
    }

    /// Opens a WebSocket in the version of HTTP that the options say.
    async fn connect_by(&mut self, route: &Route) -> Result<Opened, ConnectError> {
        if self.request.is_secure() && cfg!(not(feature = "tls")) {
            // Checked first, so that no error of the network hides it.
            return Err(ConnectError::TlsMissing);
        }
        #[cfg(feature = "http2")]
        let stream = match self.connect_over_http2(route).await? {
            Http2Outcome::Opened(opened) => return Ok(*opened),
            Http2Outcome::Http1(stream) => stream,
        };
        #[cfg(not(feature = "http2"))]
        let stream = None;
        let stream = match stream {
            Some(stream) => stream,
            None => {
                let stream = self.reach(route).await?;
                self.encrypt_if_secure(stream).await?
            }
        };
        self.perform_handshake(stream).await
    }

    /// Performs the opening handshake on a stream.
    pub(crate) async fn perform_handshake<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        mut stream: S,
    ) -> Result<Opened<S>, ConnectError> {
        self.stage = Stage::Handshake;
        let handshake = self.prepare()?;
        match opening::open(&mut stream, handshake, self.max_refusal_body(), self.deadline).await {
            Ok((established, received)) => self.opened(stream, &received, established),
            Err(failure) => Err(self.failed(failure)),
        }
    }

    /// Returns the way to the server.
    fn route(&self) -> Result<Route, ConnectError> {
        let options = &self.setup.options;
        if options.connector.is_some() {
            return Ok(Route::Connector);
        }
        let choice = options.proxy.pick(&self.request).map_err(|error| ConnectError::Proxy {
            proxy: "from the environment".into(),
            source: error.into(),
        })?;
        Ok(choice.map_or(Route::Direct, Route::Proxy))
    }

    /// Returns a stream to the server, not yet encrypted for `wss`.
    async fn reach(&mut self, route: &Route) -> Result<Stream, ConnectError> {
        match route {
            Route::Proxy(proxy) => self.reach_through(proxy).await,
            #[cfg(unix)]
            Route::Unix(path) => {
                self.stage = Stage::Dial;
                let connected = tokio::net::UnixStream::connect(path).await;
                let authority = || path.display().to_string();
                let during = self.stage;
                let broke = |source| ConnectError::Io { authority: authority(), during, source };
                Ok(connected.map_err(broke)?.into())
            }
            Route::Direct | Route::Connector => match &self.setup.options.connector {
                Some(connector) if *route == Route::Connector => {
                    self.stage = Stage::Dial;
                    connector.connect(&self.request).await.map_err(|source| self.broke(source))
                }
                _ => self.reach_directly().await,
            },
        }
    }

    async fn reach_directly(&mut self) -> Result<Stream, ConnectError> {
        self.stage = Stage::Resolve;
        let host = self.request.host();
        let addresses = resolve(self.resolver(), host, self.request.port())
            .await
            .map_err(|source| ConnectError::Resolve { host: host.to_string(), source })?;
        self.stage = Stage::Dial;
        let stream = dial(self.request.authority(), addresses, self.setup.options.attempt_delay).await?;
        Ok(self.tcp(stream))
    }

    async fn reach_through(&mut self, proxy: &Proxy) -> Result<Stream, ConnectError> {
        if proxy.is_secure() && cfg!(not(feature = "tls")) {
            return Err(ConnectError::TlsMissing);
        }
        self.stage = Stage::Proxy;
        self.tunnel(proxy).await.map_err(|source| ConnectError::Proxy { proxy: proxy.authority(), source })
    }

    async fn tunnel(&self, proxy: &Proxy) -> Result<Stream, ProxyError> {
        let addresses =
            resolve(self.resolver(), proxy.host(), proxy.port()).await.map_err(ProxyError::Resolve)?;
        let stream = dial(proxy.authority(), addresses, self.setup.options.attempt_delay).await?;
        let mut stream = self.tcp(stream);
        #[cfg(feature = "tls")]
        if proxy.is_secure() {
            stream = crate::tls::encrypt(&self.setup.tls, proxy.host(), &proxy.authority(), stream).await?;
        }
        proxy.tunnel(&mut stream, self.request.host(), self.request.port(), self.resolver()).await?;
        Ok(stream)
    }

    /// Encrypts a stream for `wss`, for HTTP/1.1.
    #[cfg(feature = "tls")]
    async fn encrypt_if_secure(&mut self, stream: Stream) -> Result<Stream, ConnectError> {
        self.encrypt_by(&self.setup.tls, stream).await
    }

    #[cfg(feature = "tls")]
    async fn encrypt_by(
        &mut self,
        config: &Arc<rustls::ClientConfig>,
        stream: Stream,
    ) -> Result<Stream, ConnectError> {
        if !self.request.is_secure() {
            return Ok(stream);
        }
        self.stage = Stage::Tls;
        let host = self.request.host();
        Ok(crate::tls::encrypt(config, host, &self.request.authority(), stream).await?)
    }

    #[cfg(not(feature = "tls"))]
    async fn encrypt_if_secure(&mut self, stream: Stream) -> Result<Stream, ConnectError> {
        if self.request.is_secure() { Err(ConnectError::TlsMissing) } else { Ok(stream) }
    }

    /// The handshake for the request, with what the options offer.
    pub(crate) fn prepare(&self) -> Result<ClientHandshake, ConnectError> {
        let offer = self.setup.offer();
        let head = self.setup.options.head;
        opening::prepare(self.request.template()?, self.request.subprotocols(), offer.as_deref(), head)
    }

    /// Returns the WebSocket that the server agreed to; `received` are the bytes after the handshake.
    pub(crate) fn opened<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        received: &[u8],
        established: Established,
    ) -> Result<Opened<S>, ConnectError> {
        let authority = self.request.authority();
        let (connection, negotiated) = self.setup.connection(&authority, established)?;
        tracing::debug!(
            server = %authority,
            secure = self.request.is_secure(),
            version = ?negotiated.http_version(),
            compressing = connection.is_compressing(),
            "websocket open"
        );
        Ok((WebSocket::new(stream, connection, received), negotiated))
    }

    /// The error for a handshake that failed.
    pub(crate) fn failed(&self, failure: Failure) -> ConnectError {
        let authority = self.request.authority();
        match failure {
            Failure::Handshake(HandshakeError::Refused(refused)) => {
                tracing::debug!(server = %authority, status = %refused.response.status(), "websocket refused");
                ConnectError::Refused(refused)
            }
            Failure::Handshake(source) => ConnectError::Handshake { authority, source },
            #[cfg(feature = "tls")]
            Failure::Io(source) => match TlsError::late(&authority, source) {
                Ok(error) => ConnectError::Tls(error),
                Err(source) => self.broke(source),
            },
            #[cfg(not(feature = "tls"))]
            Failure::Io(source) => self.broke(source),
            Failure::Tls => ConnectError::TlsExpected { authority },
        }
    }

    /// The error for a stream that broke.
    fn broke(&self, source: io::Error) -> ConnectError {
        ConnectError::Io { authority: self.request.authority(), during: self.stage, source }
    }

    pub(crate) fn max_refusal_body(&self) -> usize {
        self.setup.options.max_refusal_body
    }

    fn resolver(&self) -> Option<&'s dyn Resolver> {
        self.setup.options.resolver.as_deref()
    }

    pub(crate) fn tcp(&self, stream: TcpStream) -> Stream {
        if self.setup.options.nodelay {
            // A failure is no reason to drop the connection: small messages are sent later, that is all.
            let _ = stream.set_nodelay(true);
        }
        Stream::tcp_of(SendAhead::new(stream))
    }
}
