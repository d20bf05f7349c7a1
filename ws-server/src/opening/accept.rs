//! The opening handshake on a custom stream.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use ws_tokio::WebSocket;

use crate::config::error::{AcceptError, SettingError};
use crate::config::handshake::HandshakeOptions;
use crate::config::options::from_now;
use crate::config::setters::setters;
use crate::opening::endpoint::Gate;
use crate::opening::handshake::{Found, Site, open};
use crate::opening::options::EndpointOptions;
use crate::transport::peer::Peer;
use crate::web::handler::{AnyGuard, AnyPage, any_guard, any_page};
use crate::web::request::Request;
use crate::web::response::Response;

/// Does the server's side of the opening handshake on any stream, with default options.
///
/// A request that is refused is answered before this returns; so is one that asks for no WebSocket, with
/// 426. For options, guards and pages there is [`Acceptor`]; for a whole server, [`Server`](crate::Server).
///
/// ```
/// # async fn example(listener: tokio::net::TcpListener) -> Result<(), Box<dyn std::error::Error>> {
/// let (stream, _) = listener.accept().await?;
/// let (mut socket, request) = ws_server::accept(stream).await?;
/// println!("somebody asks for {}", request.path());
/// while let Some(message) = socket.recv().await? {
///     socket.feed(message).await?; // queued: the next `recv` writes it
/// }
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`AcceptError`]; the stream is dropped.
#[doc(alias = "accept_async")]
#[doc(alias = "accept_hdr_async")]
pub async fn accept<S>(stream: S) -> Result<(WebSocket<S>, Request), AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // Boxed: what the handshake needs shall not live in the caller's future afterwards.
    Box::pin(async { Acceptor::default().run(stream, Peer::new(None)).await }).await
}

/// Does opening handshakes with custom options.
///
/// ```
/// use ws_server::{AcceptorBuilder, EndpointOptions, HandshakeOptions, OriginPolicy};
///
/// let endpoint = EndpointOptions::default()
///     .subprotocols(vec!["chat".into()])
///     .origin(OriginPolicy::List(vec!["https://example.com".into()]));
/// let handshake = HandshakeOptions::default().timeout(std::time::Duration::from_secs(3));
/// let acceptor = AcceptorBuilder::default().endpoint(endpoint).handshake(handshake).build()?;
/// # Ok::<(), ws_server::SettingError>(())
/// ```
#[derive(Default)]
pub struct Acceptor {
    handshake: HandshakeOptions,
    gate: Gate,
    page: Option<AnyPage>,
}

/// The settings of an [`Acceptor`].
#[derive(Default)]
#[non_exhaustive]
pub struct AcceptorBuilder {
    /// Limits and deadline of the handshake.
    pub handshake: HandshakeOptions,
    /// Subprotocols, origins, and limits of the open connection.
    pub endpoint: EndpointOptions,
    guards: Vec<AnyGuard>,
    page: Option<AnyPage>,
}

impl AcceptorBuilder {
    setters! {
        handshake: HandshakeOptions,
        endpoint: EndpointOptions,
    }

    /// Adds a guard; see [`Endpoint::guard`](crate::Endpoint::guard).
    #[must_use]
    pub fn guard<F, Fut>(mut self, guard: F) -> Self
    where
        F: Fn(Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Request, Response>> + Send + 'static,
    {
        self.guards.push(any_guard(guard));
        self
    }

    /// Answers requests that ask for no WebSocket, in place of 426.
    #[must_use]
    pub fn page<F, Fut>(mut self, page: F) -> Self
    where
        F: Fn(Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Response> + Send + 'static,
    {
        self.page = Some(any_page(page));
        self
    }

    /// Returns the acceptor.
    ///
    /// # Errors
    /// [`SettingError`] for the first setting that cannot work.
    pub fn build(self) -> Result<Acceptor, SettingError> {
        self.handshake.check()?;
        let gate = Gate::new(self.endpoint, self.guards)?;
        Ok(Acceptor { handshake: self.handshake, gate, page: self.page })
    }
}

impl Acceptor {
    /// Does the server's side of the opening handshake; see [`accept`].
    ///
    /// # Errors
    /// [`AcceptError`]; the stream is dropped.
    pub async fn accept<S>(&self, stream: S) -> Result<(WebSocket<S>, Request), AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        Box::pin(self.run(stream, Peer::new(None))).await
    }

    /// As [`accept`](Self::accept), for a stream whose peer has an address: guards and the request
    /// will know it.
    ///
    /// # Errors
    /// [`AcceptError`]; the stream is dropped.
    pub async fn accept_from<S>(
        &self,
        stream: S,
        peer: SocketAddr,
    ) -> Result<(WebSocket<S>, Request), AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        Box::pin(self.run(stream, Peer::new(Some(peer)))).await
    }

    /// What is at every path.
    pub(crate) fn found(&self) -> Found<'_> {
        let page = self.page.as_ref();
        let params = Vec::new();
        Found { gate: Some(&self.gate), handler: None, page, params, admission: None, any_host: false }
    }

    #[cfg(feature = "hyper")]
    pub(crate) fn handshake_options(&self) -> &HandshakeOptions {
        &self.handshake
    }

    async fn run<S>(&self, mut stream: S, peer: Peer) -> Result<(WebSocket<S>, Request), AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let deadline = from_now(self.handshake.timeout);
        let opened = open(&mut stream, self, peer, &self.handshake, deadline, Vec::new()).await?;
        Ok((WebSocket::new(stream, opened.connection, &opened.received), opened.request))
    }
}

impl Site for Acceptor {
    fn find(&self, _: &str) -> Option<Found<'_>> {
        Some(self.found())
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").field("handshake", &self.handshake).finish_non_exhaustive()
    }
}

impl fmt::Debug for AcceptorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptorBuilder")
            .field("handshake", &self.handshake)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}
