//! A client: options that open any number of WebSockets.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout_at;

use crate::attempt::Attempt;
use crate::error::ConnectError;
use crate::negotiated::Opened;
use crate::options::Options;
use crate::request::Request;
use crate::setup::Setup;
use ws_core::SettingError;

/// Opens WebSockets. It is cheap to clone and meant to be kept: TLS sessions are resumed between its connections, and its
/// clones share the HTTP/2 connections.
///
/// | the way to the server | method |
/// |---|---|
/// | TCP, TLS, a proxy, a custom [`Connector`](crate::Connector) | [`connect`](Self::connect) |
/// | a Unix socket, on Unix | `connect_unix` |
/// | a stream that is open already, of any type | [`handshake`](Self::handshake) |
/// | an HTTP client of hyper's | `upgrade` (feature `hyper`) |
/// | any of the first row, again whenever the connection is lost | [`reconnect`](Self::reconnect) |
#[derive(Debug, Clone)]
pub struct Client {
    setup: Setup,
}

impl Options {
    /// Checks the settings and makes the client.
    ///
    /// # Errors
    /// [`SettingError`] for the first setting that is not possible, with its value and why.
    pub fn build(self) -> Result<Client, SettingError> {
        Ok(Client { setup: Setup::new(self)? })
    }
}

impl Client {
    /// Returns a client with the default [`Options`].
    ///
    /// # Errors
    /// [`SettingError`] when TLS cannot be set up.
    pub fn new() -> Result<Self, SettingError> {
        Options::default().build()
    }

    /// Returns the settings that the client was built with.
    pub fn options(&self) -> &Options {
        &self.setup.options
    }

    /// Opens a WebSocket: dials the host (or its proxy, or uses the [`Connector`](crate::Connector)), encrypts for
    /// `wss` and performs the opening handshake, all within [`Options::opening_timeout`].
    ///
    /// `request` is a URL, an [`http::Uri`], an [`http::Request<()>`](http::Request) or a [`Request`].
    ///
    /// # Errors
    /// [`ConnectError`].
    #[doc(alias("connect_async", "connect_async_with_config", "client_tls"))]
    pub async fn connect(
        &self,
        request: impl TryInto<Request, Error: Into<ConnectError>>,
    ) -> Result<Opened, ConnectError> {
        self.attempt(request)?.run().await
    }

    /// Opens a WebSocket over a Unix socket; on Unix only. The URL still gives the `Host`, the path and whether to encrypt.
    ///
    /// # Errors
    /// [`ConnectError`].
    #[cfg(unix)]
    #[cfg_attr(docsrs, doc(cfg(unix)))]
    #[doc(alias = "uds")]
    pub async fn connect_unix(
        &self,
        path: impl AsRef<std::path::Path>,
        request: impl TryInto<Request, Error: Into<ConnectError>>,
    ) -> Result<Opened, ConnectError> {
        self.attempt(request)?.run_unix(path.as_ref()).await
    }

    /// Performs the opening handshake on a stream that is already connected, and encrypted if it is to be: the scheme
    /// of the URL changes nothing here but the default port. The stream can be of any type, also one that is not
    /// `Send`. It is HTTP/1.1 always.
    ///
    /// # Errors
    /// [`ConnectError`].
    #[doc(alias("client_async", "client_async_with_config", "from_raw_socket"))]
    pub async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        request: impl TryInto<Request, Error: Into<ConnectError>>,
        stream: S,
    ) -> Result<Opened<S>, ConnectError> {
        let mut attempt = self.attempt(request)?;
        // Boxed, so that the future of the whole connection is not as large as that of its opening.
        let result = timeout_at(attempt.deadline, Box::pin(attempt.perform_handshake(stream))).await;
        attempt.finish(result)
    }

    /// Begins an attempt; its deadline counts from here.
    pub(crate) fn attempt(
        &self,
        request: impl TryInto<Request, Error: Into<ConnectError>>,
    ) -> Result<Attempt<'_>, ConnectError> {
        Ok(Attempt::new(&self.setup, request.try_into().map_err(Into::into)?))
    }
}
