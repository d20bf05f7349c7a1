//! The extractor for handlers of axum.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use ::axum::body::Body;
use ::axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use http::StatusCode;
use http::request::Parts;
use tokio::task::unconstrained;
use tracing::{Instrument, Span};
use ws_core::Config;
use ws_core::handshake::RequestHead;

use crate::config::error::AcceptError;
use crate::embed::params::params;
use crate::embed::upgrade::{Asked, Incoming, Judged};
use crate::embed::websocket_hub::{WebSocketHub, start};
use crate::hub::Seat;
use crate::opening::decision::plain;
use crate::opening::endpoint::Gate;
use crate::opening::options::EndpointOptions;
use crate::opening::origin::OriginPolicy;
use crate::transport::peer::Peer;
use crate::transport::stream::WebSocket;
use crate::web::denied::Denied;
use crate::web::handler::{Outcome, boxed};
use crate::web::response::internal_error;

/// The axum extractor for a WebSocket request; the router's state must be a [`WebSocketHub`], by `with_state`, or give one by
/// [`FromRef`]. Where it is missing, the compiler reports that it expected `MethodRouter` and found `MethodRouter<WebSocketHub>`.
///
/// It has the options of an [`Endpoint`](crate::Endpoint), and is checked, answered and limited as a request to a
/// [`Server`](crate::Server) is. The WebSocket is one of the hub's.
///
/// Over HTTP/2 a WebSocket is opened by CONNECT (RFC 8441): the route is made by `any`, which takes every method, and not by
/// `get`. The [how-to](crate::how_to) names what else HTTP/2 needs.
///
/// A request that is malformed is answered before the handler is called, and one that asks for no WebSocket with 426;
/// `Option<WebSocketUpgrade>` is `None` for the latter, for a page at the same path.
///
/// What guards do for an endpoint, other extractors and layers do here. An endpoint that needs no extractor is
/// better made once, by [`WebSocketHub::endpoint`], and given to `route_service`.
///
/// ```no_run
/// use axum::{Router, extract::Path, response::Response, routing::any};
/// use ws_server::{Error, WebSocketHub, WebSocketUpgrade, WebSocket, shutdown_signal};
///
/// async fn room(upgrade: WebSocketUpgrade, Path(room): Path<String>) -> Response {
///     upgrade.subprotocols(["chat.v1"]).on_upgrade(|socket| talk(socket, room))
/// }
///
/// async fn talk(mut socket: WebSocket, room: String) -> Result<(), Error> {
///     socket.send(format!("welcome to {room}")).await
/// }
///
/// # async fn example(listener: tokio::net::TcpListener) -> std::io::Result<()> {
/// let sockets = WebSocketHub::default();
/// let app = Router::new().route("/rooms/{room}", any(room)).with_state(sockets.clone());
/// let serve = |stopped| axum::serve(listener, app).with_graceful_shutdown(stopped);
/// sockets.serve_until(shutdown_signal(), serve).await?;
/// # Ok(()) }
/// ```
#[doc(alias = "Upgrade")]
pub struct WebSocketUpgrade {
    sockets: WebSocketHub,
    seat: Seat,
    /// That of the handshake.
    span: Span,
    // Boxed: extractors are moved about.
    asked: Box<Asked>,
    params: Vec<(String, String)>,
    options: EndpointOptions,
}

impl WebSocketUpgrade {
    /// As [`Endpoint::options`](crate::Endpoint::options).
    #[must_use]
    pub fn options(mut self, options: EndpointOptions) -> Self {
        self.options = options;
        self
    }

    /// As [`Endpoint::connection`](crate::Endpoint::connection).
    #[must_use]
    pub fn connection(mut self, config: Config) -> Self {
        self.options.connection = config;
        self
    }

    /// As [`Endpoint::subprotocols`](crate::Endpoint::subprotocols).
    #[must_use]
    pub fn subprotocols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.options.subprotocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// As [`Endpoint::origin`](crate::Endpoint::origin).
    #[must_use]
    pub fn origin(mut self, policy: OriginPolicy) -> Self {
        self.options.origin = policy;
        self
    }

    /// As [`Endpoint::deflate`](crate::Endpoint::deflate).
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    #[must_use]
    pub fn deflate(mut self, config: ws_core::deflate::Config) -> Self {
        self.options.deflate = Some(config);
        self
    }

    /// The subprotocols the client offered, in its order of preference (RFC 6455 section 4.1).
    pub fn offered_subprotocols(&self) -> &[String] {
        self.asked.upgrade.subprotocols()
    }

    /// The subprotocol that will be chosen, if any.
    pub fn subprotocol(&self) -> Option<&str> {
        let spoken = self.options.subprotocols.iter().map(String::as_str);
        self.asked.upgrade.select_subprotocol(spoken)
    }

    /// Returns the response, as [`open`](Self::open) does but without waiting: when as many WebSockets are open as may
    /// be, the answer is 503 at once rather than after [`overload_wait`](crate::ServerOptions::overload_wait).
    #[must_use = "the handler must return the response"]
    pub fn on_upgrade<F, Fut>(self, run: F) -> http::Response<Body>
    where
        F: FnOnce(WebSocket) -> Fut + Send + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        let (sockets, version) = (self.sockets.clone(), self.asked.version());
        // Only the wait for a permit can be pending: there are no guards here.
        let opening = pin!(unconstrained(self.open(run)));
        match opening.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(response) => response,
            Poll::Pending => {
                let denied = sockets.overloaded();
                sockets.deny(denied, version).map(Body::from)
            }
        }
    }

    /// Makes the response: 101, or 200 over HTTP/2, after which `run` runs in its own task; 403 for an origin that may not connect;
    /// 503 when as many WebSockets are open as may be, or all are being closed. An option that cannot work is logged
    /// and answered with 500.
    ///
    /// `run` is given the WebSocket, and returns nothing or a `Result<(), E>`; see [`Handler`](crate::Handler) for how the
    /// WebSocket is closed then.
    pub async fn open<F, Fut>(self, run: F) -> http::Response<Body>
    where
        F: FnOnce(WebSocket) -> Fut + Send + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        let Self { sockets, seat, span, asked, params, options } = self;
        let version = asked.version();
        let decided = match Gate::new(options, Vec::new()) {
            Ok(gate) => {
                let deciding = asked.decide(sockets.found(&gate, params), &sockets.options().handshake);
                deciding.instrument(span.clone()).await
            }
            Err(error) => {
                tracing::error!(%error, "an option of an upgrade cannot work");
                Err(Denied::because(
                    AcceptError::NotSetUp(StatusCode::INTERNAL_SERVER_ERROR),
                    internal_error(),
                ))
            }
        };
        match decided {
            Ok((response, agreed)) => {
                start(seat, span, agreed, |websocket, request| {
                    drop(request);
                    boxed(run(websocket))
                });
                response.map(Body::from)
            }
            Err(denied) => span.in_scope(|| sockets.deny(denied, version).map(Body::from)),
        }
    }

    async fn extract(
        parts: &Parts,
        sockets: WebSocketHub,
    ) -> Result<Result<Self, (RequestHead, Peer)>, Denied> {
        let (params, parts) = params(parts.clone()).await;
        let options = &sockets.options().handshake;
        let incoming = Incoming::from_parts(parts).learn_client(options);
        let span = incoming.peer.handshake_span(incoming.peer.behind());
        Ok(match incoming.judge(options)? {
            Judged::Asked(asked) => {
                let seat = sockets.enter(&asked.peer)?;
                Ok(Self { sockets, seat, span, asked, params, options: EndpointOptions::default() })
            }
            Judged::Plain(head, peer) => Err((*head, peer)),
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for WebSocketUpgrade
where
    WebSocketHub: FromRef<S>,
{
    type Rejection = http::Response<Body>;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let sockets = WebSocketHub::from_ref(state);
        let denied = match Self::extract(parts, sockets.clone()).await {
            Ok(Ok(upgrade)) => return Ok(upgrade),
            Ok(Err((head, peer))) => plain(head, Vec::new(), peer, Some(None)).await,
            Err(denied) => denied,
        };
        Err(sockets.deny(denied, parts.version).map(Body::from))
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for WebSocketUpgrade
where
    WebSocketHub: FromRef<S>,
{
    type Rejection = http::Response<Body>;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Self::Rejection> {
        let sockets = WebSocketHub::from_ref(state);
        match Self::extract(parts, sockets.clone()).await {
            Ok(judged) => Ok(judged.ok()),
            Err(denied) => Err(sockets.deny(denied, parts.version).map(Body::from)),
        }
    }
}

impl fmt::Debug for WebSocketUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketUpgrade")
            .field("path", &self.asked.upgrade.uri().path())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
