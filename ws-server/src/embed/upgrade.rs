//! The opening handshake on a request that hyper has read, or a framework on top of it.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{Extensions, StatusCode, Version};
use hyper::upgrade::OnUpgrade;
use tokio::time::timeout;
use ws_core::Connection;
use ws_core::handshake::{Opening, RequestHead, UpgradeRequest};

use crate::config::error::AcceptError;
use crate::config::handshake::HandshakeOptions;
use crate::hub::admission::OpenPermit;
use crate::opening::accept::Acceptor;
use crate::opening::decision::{Granted, decide, plain};
use crate::opening::handshake::{Found, Opened};
use crate::transport::peer::Peer;
use crate::transport::stream::Stream;
use crate::transport::stream::WebSocket;
use crate::web::denied::Denied;
use crate::web::forwarded::learn;
use crate::web::request::Request;
use crate::web::response::{Response, not_found, text};

impl Acceptor {
    /// Does the opening handshake on a request that hyper has read, with the options and guards of this acceptor.
    ///
    /// The first of the pair is the answer, a 101 or over HTTP/2 a 200; the second becomes the WebSocket once hyper has
    /// written that and handed over the connection or the stream, so it is to be awaited in another task. hyper has to be
    /// configured for it: over HTTP/1.1 with `with_upgrades` or `serve_connection_with_upgrades`, over HTTP/2 with
    /// `enable_connect_protocol`.
    ///
    /// A [`SocketAddr`] among the request's extensions is taken for the peer's address; of
    /// [`ProxyOptions`](crate::ProxyOptions) the fields apply.
    ///
    /// ```no_run
    /// # async fn example(request: http::Request<()>) -> ws_server::Response {
    /// match ws_server::Acceptor::default().upgrade(request).await {
    ///     Ok((response, upgrading)) => {
    ///         tokio::spawn(async move {
    ///             let (mut socket, _request) = upgrading.await?;
    ///             socket.send("hello").await?;
    ///             Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    ///         });
    ///         response
    ///     }
    ///     Err(refusal) => refusal,
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// The response to send instead, as a server of this crate would: a refusal, or the acceptor's page.
    pub fn upgrade<B>(
        &self,
        request: http::Request<B>,
    ) -> impl Future<Output = Result<(Response, Upgrading), Response>> + Send + use<'_, B> {
        let incoming = Incoming::from_parts(request.into_parts().0).learn_client(self.handshake_options());
        async move {
            let version = incoming.version;
            let options = self.handshake_options();
            match incoming.decide(self.found(), options).await {
                Ok((response, agreed)) => {
                    let options = options.clone();
                    let opening = async move {
                        let (stream, opened) = agreed.open(&options, true).await?;
                        let Opened { connection, request, received, .. } = opened;
                        Ok((WebSocket::new(stream, connection, &received), request))
                    };
                    Ok((response, Upgrading(Box::pin(opening))))
                }
                Err(denied) => Err(denied.complete(version).0),
            }
        }
    }
}

/// Becomes a WebSocket, with the request that asked for it; see [`Acceptor::upgrade`].
///
/// It fails with [`AcceptError::Timeout`] if the answer is not written within
/// [`HandshakeOptions::timeout`], and with [`AcceptError::Upgrade`] if it is never written.
#[must_use = "the WebSocket opens only when this is awaited"]
pub struct Upgrading(Pin<Box<dyn Future<Output = Upgraded> + Send>>);

type Upgraded = Result<(WebSocket, Request), AcceptError>;

impl Future for Upgrading {
    type Output = Upgraded;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl fmt::Debug for Upgrading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrading").finish_non_exhaustive()
    }
}

/// A request that has been read elsewhere.
pub(crate) struct Incoming {
    head: http::Request<()>,
    /// The pseudo-field `:protocol` of an extended CONNECT (RFC 8441 section 4).
    protocol: Option<Protocol>,
    on_upgrade: Option<OnUpgrade>,
    pub(crate) version: Version,
    pub(crate) peer: Peer,
}

/// What it asks for.
pub(crate) enum Judged {
    Asked(Box<Asked>),
    /// No WebSocket.
    Plain(Box<RequestHead>, Peer),
}

/// One that asks for a WebSocket, correctly.
pub(crate) struct Asked {
    pub(crate) upgrade: UpgradeRequest,
    on_upgrade: OnUpgrade,
    pub(crate) peer: Peer,
}

/// One that has got what it asked for; the answer is still to be written.
pub(crate) struct Agreed {
    connection: Connection,
    request: Request,
    permit: Option<OpenPermit>,
    on_upgrade: OnUpgrade,
}

impl Incoming {
    pub(crate) fn from_parts(mut parts: Parts) -> Self {
        let on_upgrade = parts.extensions.remove::<OnUpgrade>();
        let protocol = parts.extensions.remove::<Protocol>();
        let peer = Peer::new(address(&parts.extensions));
        let version = parts.version;
        Self { protocol, on_upgrade, version, peer, head: http::Request::from_parts(parts, ()) }
    }

    /// Notes the address of the peer, if the request has none.
    pub(crate) fn or_from(mut self, address: Option<SocketAddr>) -> Self {
        if self.peer.addr.is_none() {
            (self.peer.addr, self.peer.client) = (address, address);
        }
        self
    }

    /// Notes what trusted proxies say of the client.
    pub(crate) fn learn_client(mut self, options: &HandshakeOptions) -> Self {
        learn(&mut self.peer, self.head.headers(), &options.proxies);
        self
    }

    /// Judges the head.
    pub(crate) fn judge(self, options: &HandshakeOptions) -> Result<Judged, Denied> {
        let peer = self.peer;
        let opening = match self.protocol {
            #[cfg(feature = "http2")]
            Some(protocol) => Opening::from_connect(self.head, Some(protocol.as_str()), options.head),
            _ => Opening::from_request(self.head, options.head),
        };
        let upgrade = match opening {
            Ok(Opening::Upgrade(upgrade)) => upgrade,
            Ok(Opening::Plain(head)) => {
                options.allowed_hosts.check_request(&head).map_err(Denied::not_allowed)?;
                return Ok(Judged::Plain(Box::new(head), peer));
            }
            Err(refusal) => return Err(Denied::malformed(refusal)),
        };
        options.allowed_hosts.check_request(upgrade.request()).map_err(Denied::not_allowed)?;
        let Some(on_upgrade) = self.on_upgrade else {
            tracing::error!("the HTTP server hands over no connection: let hyper serve it with upgrades");
            let line = "The HTTP server does not hand over its connections.";
            let why = AcceptError::NotSetUp(StatusCode::NOT_IMPLEMENTED);
            return Err(Denied::because(why, text(StatusCode::NOT_IMPLEMENTED, line)));
        };
        Ok(Judged::Asked(Box::new(Asked { upgrade, on_upgrade, peer })))
    }

    /// The whole way to the answer.
    pub(crate) async fn decide(
        self,
        found: Found<'_>,
        options: &HandshakeOptions,
    ) -> Result<(Response, Agreed), Denied> {
        match self.judge(options)? {
            Judged::Asked(asked) => asked.decide(found, options).await,
            Judged::Plain(head, peer) => {
                let answering = plain(*head, found.params, peer, Some(found.page));
                Err(timeout(options.timeout, answering).await.unwrap_or_else(|_| Denied::late(options)))
            }
        }
    }
}

impl Asked {
    /// The version of HTTP that the request came by.
    #[cfg(feature = "axum")]
    pub(crate) fn version(&self) -> Version {
        self.upgrade.request().version()
    }

    /// Asks policy and guards, within the handshake's time, and makes the answer.
    pub(crate) async fn decide(
        self,
        found: Found<'_>,
        options: &HandshakeOptions,
    ) -> Result<(Response, Agreed), Denied> {
        let Self { mut upgrade, on_upgrade, peer } = self;
        let Found { gate: Some(gate), params, admission, .. } = found else {
            return Err(Denied::because(AcceptError::NoEndpoint, not_found()));
        };
        let deciding = decide(&mut upgrade, params, peer, gate, admission);
        let mut granted =
            timeout(options.timeout, deciding).await.unwrap_or_else(|_| Err(Denied::late(options)))?;
        let response = upgrade
            .response(granted.acceptance())
            .map_err(|error| Denied::failed(AcceptError::Answer(error)))?;
        let Granted { connection, request, permit, .. } = granted;
        Ok((response.map(|()| Bytes::new()), Agreed { connection, request, permit, on_upgrade }))
    }
}

impl Agreed {
    /// Waits for the connection, or over HTTP/2 for the stream, to be handed over.
    pub(crate) async fn open(
        self,
        options: &HandshakeOptions,
        nodelay: bool,
    ) -> Result<(Stream, Opened), AcceptError> {
        let Self { connection, request, permit, on_upgrade } = self;
        let upgraded = timeout(options.timeout, on_upgrade).await;
        let upgraded = upgraded.map_err(|_| AcceptError::Timeout(options.timeout))?;
        let upgraded = upgraded.map_err(AcceptError::Upgrade)?;
        #[cfg(feature = "http2")]
        if request.version() >= Version::HTTP_2 {
            let stream = Stream::upgraded_http2(upgraded, request.peer_addr());
            let received = Vec::new();
            return Ok((stream, Opened { connection, request, handler: None, permit, received }));
        }
        let (stream, received) = Stream::upgraded(upgraded, nodelay);
        Ok((stream, Opened { connection, request, handler: None, permit, received: received.into() }))
    }
}

/// Which protocol an extended CONNECT asks for: hyper knows none without HTTP/2.
#[cfg(feature = "http2")]
type Protocol = hyper::ext::Protocol;
#[cfg(not(feature = "http2"))]
type Protocol = std::convert::Infallible;

/// The client's address, if the HTTP server has left it among the extensions.
fn address(extensions: &Extensions) -> Option<SocketAddr> {
    #[cfg(feature = "axum")]
    if let Some(info) = extensions.get::<::axum::extract::ConnectInfo<SocketAddr>>() {
        return Some(info.0);
    }
    extensions.get().copied()
}
