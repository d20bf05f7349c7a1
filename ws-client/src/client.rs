//! From a request to an open WebSocket, within one deadline.

use std::sync::Arc;

use http::Response;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
#[cfg(feature = "deflate")]
use ws_core::deflate;
use ws_core::handshake::{ClientHandshake, Established, Extension, HandshakeError};
use ws_core::{Config, Connection};
use ws_tokio::WebSocket;

use crate::chance;
use crate::deadline::{Deadline, from_now};
use crate::dial::dial;
use crate::error::{ConnectError, Stage};
use crate::opening::{self, Failure};
use crate::options::Options;
use crate::proxy::Proxy;
use crate::proxy_error::ProxyError;
use crate::request::{Request, redirect};
use crate::request_error::UrlError;
use crate::resolver::{Resolver, resolve};
use crate::setting_error::SettingError;
use crate::stream::Stream;
#[cfg(feature = "tls")]
use crate::tls_error::TlsError;

/// Opens WebSockets; cheap to clone, meant to be kept: TLS sessions are resumed between its connections.
#[derive(Debug, Clone)]
pub struct Client {
    options: Arc<Options>,
    connection: Arc<Config>,
    #[cfg(feature = "tls")]
    tls: Arc<rustls::ClientConfig>,
}

/// An open WebSocket, and the server's 101 (Switching Protocols) with its header fields.
pub type Opened<S = Stream> = (WebSocket<S>, Response<()>);

impl Options {
    /// Checks the settings and makes the client.
    ///
    /// # Errors
    /// [`SettingError`] for the first setting that is not possible, with its value and why.
    pub fn build(self) -> Result<Client, SettingError> {
        self.check()?;
        Ok(Client {
            connection: Arc::new(self.connection.clone()),
            #[cfg(feature = "tls")]
            tls: self.tls.build()?,
            options: Arc::new(self),
        })
    }
}

impl Client {
    /// A client with the default [`Options`].
    ///
    /// # Errors
    /// [`SettingError`] when TLS cannot be set up.
    pub fn new() -> Result<Self, SettingError> {
        Options::default().build()
    }

    /// The settings it was built with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Opens a WebSocket: dials the host (or its proxy, or the `Connector`), encrypts for `wss`, does the
    /// opening handshake; all within `Options::opening_timeout`.
    ///
    /// `request` is a URL or a [`Request`].
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(
        &self,
        request: impl TryInto<Request, Error: Into<ConnectError>>,
    ) -> Result<Opened, ConnectError> {
        let request = request.try_into().map_err(Into::into)?;
        // Boxed: what opening needs is not to stay in the future of the connection's life.
        Box::pin(self.open(request)).await
    }

    /// Opens a WebSocket over a Unix socket. The URL still gives the `Host`, the path and whether to encrypt.
    ///
    /// # Errors
    /// [`ConnectError`].
    #[cfg(unix)]
    pub async fn connect_unix(
        &self,
        path: impl AsRef<std::path::Path>,
        request: impl TryInto<Request, Error: Into<ConnectError>>,
    ) -> Result<Opened, ConnectError> {
        let request = request.try_into().map_err(Into::into)?;
        Box::pin(async {
            let deadline = self.deadline();
            let path = path.as_ref();
            let connected =
                deadline.within(&request, Stage::Dial, tokio::net::UnixStream::connect(path)).await?;
            let stream = connected.map_err(|source| ConnectError::Io {
                authority: path.display().to_string(),
                during: Stage::Dial,
                source,
            })?;
            let stream = self.encrypt_if_secure(&request, stream.into(), deadline).await?;
            self.open_on(&request, stream, deadline).await
        })
        .await
    }

    /// Does the opening handshake on a stream that is already connected, and encrypted if it is to be: the scheme
    /// of the URL changes nothing here but the default port.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        request: impl TryInto<Request, Error: Into<ConnectError>>,
        stream: S,
    ) -> Result<Opened<S>, ConnectError> {
        let request = request.try_into().map_err(Into::into)?;
        Box::pin(self.open_on(&request, stream, self.deadline())).await
    }

    async fn open(&self, mut request: Request) -> Result<Opened, ConnectError> {
        let deadline = self.deadline();
        let mut redirects = self.options.max_redirects;
        loop {
            let stream = self.reach(&request, deadline).await?;
            match self.open_on(&request, stream, deadline).await {
                Err(ConnectError::Refused(refused)) if redirects > 0 => {
                    let Some(next) = redirect(&request, &refused.response)? else {
                        return Err(ConnectError::Refused(refused));
                    };
                    redirects -= 1;
                    tracing::debug!(from = %request.authority(), to = %next.authority(), "redirected");
                    request = next;
                }
                ended => return ended,
            }
        }
    }

    /// A stream to the server, by whatever way the options say.
    async fn reach(&self, request: &Request, deadline: Deadline) -> Result<Stream, ConnectError> {
        if request.is_secure() && cfg!(not(feature = "tls")) {
            // Before anything else, so that the network's errors do not hide it.
            return Err(ConnectError::TlsMissing);
        }
        let stream = if let Some(connector) = &self.options.connector {
            let connected = deadline.within(request, Stage::Dial, connector.connect(request)).await?;
            connected.map_err(|source| ConnectError::Io {
                authority: request.authority(),
                during: Stage::Dial,
                source,
            })?
        } else {
            let choice = self.options.proxy.pick(request).map_err(|e| ConnectError::Proxy {
                proxy: "from the environment".into(),
                source: e.into(),
            })?;
            match choice {
                Some(proxy) => self.reach_through(&proxy, request, deadline).await?,
                None => self.reach_directly(request, deadline).await?,
            }
        };
        self.encrypt_if_secure(request, stream, deadline).await
    }

    async fn reach_directly(&self, request: &Request, deadline: Deadline) -> Result<Stream, ConnectError> {
        let host = request.host().ok_or(UrlError::Host)?;
        let name = host.to_string();
        let found =
            deadline.within(request, Stage::Resolve, resolve(self.resolver(), host, request.port())).await?;
        let addresses = found.map_err(|source| ConnectError::Resolve { host: name, source })?;
        let dialling = dial(request.authority(), addresses, self.options.attempt_delay);
        let stream = deadline.within(request, Stage::Dial, dialling).await??;
        Ok(self.tcp(stream))
    }

    async fn reach_through(
        &self,
        proxy: &Proxy,
        request: &Request,
        deadline: Deadline,
    ) -> Result<Stream, ConnectError> {
        let tunnel = async {
            let host = request.host().ok_or(ProxyError::NameTooLong)?;
            let addresses =
                resolve(self.resolver(), proxy.host(), proxy.port()).await.map_err(ProxyError::Resolve)?;
            let stream = dial(proxy.authority(), addresses, self.options.attempt_delay).await?;
            let mut stream = self.tcp(stream);
            #[cfg(feature = "tls")]
            if proxy.is_secure() {
                stream = crate::tls::encrypt(&self.tls, proxy.host(), &proxy.authority(), stream).await?;
            }
            proxy.tunnel(&mut stream, host, request.port(), self.resolver()).await?;
            Ok(stream)
        };
        if proxy.is_secure() && cfg!(not(feature = "tls")) {
            return Err(ConnectError::TlsMissing);
        }
        deadline
            .within(request, Stage::Proxy, tunnel)
            .await?
            .map_err(|source| ConnectError::Proxy { proxy: proxy.authority(), source })
    }

    #[cfg(feature = "tls")]
    async fn encrypt_if_secure(
        &self,
        request: &Request,
        stream: Stream,
        deadline: Deadline,
    ) -> Result<Stream, ConnectError> {
        if !request.is_secure() {
            return Ok(stream);
        }
        let host = request.host().ok_or(UrlError::Host)?;
        let authority = request.authority();
        let encrypting = crate::tls::encrypt(&self.tls, host, &authority, stream);
        Ok(deadline.within(request, Stage::Tls, encrypting).await??)
    }

    #[cfg(not(feature = "tls"))]
    async fn encrypt_if_secure(
        &self,
        request: &Request,
        stream: Stream,
        _deadline: Deadline,
    ) -> Result<Stream, ConnectError> {
        if request.is_secure() { Err(ConnectError::TlsMissing) } else { Ok(stream) }
    }

    async fn open_on<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        request: &Request,
        mut stream: S,
        deadline: Deadline,
    ) -> Result<Opened<S>, ConnectError> {
        let handshake = self.prepare(request)?;
        let opening = opening::open(&mut stream, handshake, self.options.max_refusal_body, deadline.at);
        match deadline.within(request, Stage::Handshake, opening).await? {
            Ok((established, received)) => self.opened(request, stream, &received, established),
            Err(failure) => Err(self.report(request, failure)),
        }
    }

    /// The handshake for a request, with what these options offer.
    pub(crate) fn prepare(&self, request: &Request) -> Result<ClientHandshake, ConnectError> {
        let offer = self.offer();
        opening::prepare(request.template()?, request.subprotocols(), offer.as_deref(), self.options.head)
    }

    /// The WebSocket, as the server agreed to it; `received` came behind the handshake.
    pub(crate) fn opened<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        request: &Request,
        stream: S,
        received: &[u8],
        established: Established,
    ) -> Result<Opened<S>, ConnectError> {
        let connection = self.connection(request, &established.extensions)?;
        tracing::debug!(
            server = %request.authority(),
            secure = request.is_secure(),
            compressing = connection.is_compressing(),
            "websocket open"
        );
        Ok((WebSocket::new(stream, connection, received), established.response))
    }

    /// What to tell the caller of a handshake that failed.
    pub(crate) fn report(&self, request: &Request, failure: Failure) -> ConnectError {
        let authority = request.authority();
        match failure {
            Failure::Handshake(HandshakeError::Refused(refused)) => {
                tracing::debug!(server = %authority, status = %refused.response.status(), "websocket refused");
                ConnectError::Refused(refused)
            }
            Failure::Handshake(source) => ConnectError::Handshake { authority, source },
            #[cfg(feature = "tls")]
            Failure::Io(source) => match TlsError::late(&authority, source) {
                Ok(error) => ConnectError::Tls(error),
                Err(source) => ConnectError::Io { authority, during: Stage::Handshake, source },
            },
            #[cfg(not(feature = "tls"))]
            Failure::Io(source) => ConnectError::Io { authority, during: Stage::Handshake, source },
            Failure::Tls => ConnectError::TlsExpected { authority },
        }
    }

    /// What stands in `Sec-WebSocket-Extensions`.
    fn offer(&self) -> Option<String> {
        #[cfg(feature = "deflate")]
        return self.options.deflate.as_ref().map(deflate::offer);
        #[cfg(not(feature = "deflate"))]
        None
    }

    /// The connection as the server agreed to it.
    fn connection(&self, request: &Request, extensions: &[Extension]) -> Result<Connection, ConnectError> {
        let mut seed = [0; 32];
        chance::fill(&mut seed)?;
        let connection = Connection::client(self.connection.clone(), seed);
        #[cfg(feature = "deflate")]
        if let Some(config) = &self.options.deflate
            // The handshake has refused what was not offered, so there is no other.
            && let Some(answer) = extensions.first()
        {
            let parameters = answer.parameters.iter().map(|p| (p.name.as_str(), p.value.as_deref()));
            let agreed = deflate::Agreed::from_response(parameters, config)
                .map_err(|source| ConnectError::Deflate { authority: request.authority(), source })?;
            return Ok(connection.with_deflate(deflate::PerMessageDeflate::client(agreed, config)));
        }
        let _ = (request, extensions);
        Ok(connection)
    }

    fn resolver(&self) -> Option<&dyn Resolver> {
        self.options.resolver.as_deref()
    }

    pub(crate) fn tcp(&self, stream: TcpStream) -> Stream {
        if self.options.nodelay {
            // Not worth a connection: without it small messages are only later.
            let _ = stream.set_nodelay(true);
        }
        // What the system has taken cannot be seen any more, and deadlines begin when it has: it takes little ahead.
        #[cfg(any(target_os = "android", target_os = "linux"))]
        let _ = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT);
        stream.into()
    }

    pub(crate) fn deadline(&self) -> Deadline {
        let after = self.options.opening_timeout;
        Deadline { at: from_now(after), after }
    }
}

/// Bytes that the system takes of a connection before it has sent what it has.
#[cfg(any(target_os = "android", target_os = "linux"))]
const UNSENT: u32 = 32 << 10;
