//! WebSockets of an application whose HTTP is served by another crate.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use tokio::time::timeout_at;
use tokio::{join, select};
use tracing::{Instrument, Span};

use crate::config::error::SettingError;
use crate::config::options::{ServerOptions, from_now};
use crate::embed::upgrade::{Agreed, Incoming};
#[cfg(feature = "axum")]
use crate::hub::admission::MAX_HANDSHAKES;
use crate::hub::connections::Connections;
use crate::hub::registry::{Departure, Drained};
use crate::hub::stats::Stats;
use crate::hub::{Hub, Seat};
use crate::opening::endpoint::{Endpoint, Gate};
use crate::opening::handshake::Found;
use crate::serve::running::{Running, report, run};
use crate::transport::peer::Peer;
use crate::transport::stream::WebSocket;
use crate::web::denied::Denied;
use crate::web::handler::{AnyHandler, HandlerFuture};
use crate::web::request::Request;
use crate::web::response::Response;

/// The WebSockets of an application whose HTTP is served by hyper, axum or another framework: what a
/// [`Server`](crate::Server) has built in. It limits them, counts them, and closes them all when the application
/// shuts down. Cheap to clone.
///
/// Of its [`ServerOptions`], `max_handshakes` bounds requests that guards are deciding on; connections without a
/// WebSocket are the HTTP server's.
///
/// ```no_run
/// use ws_server::{Endpoint, WebSocketHub, WebSocket};
///
/// # async fn example(listener: tokio::net::TcpListener) -> Result<(), Box<dyn std::error::Error>> {
/// let sockets = WebSocketHub::default();
/// let chat = sockets.endpoint(Endpoint::new(async |mut socket: WebSocket| socket.send("hello").await))?;
/// // Give `chat` every request for its path, by `answer` or as a `tower::Service`; when all is over:
/// let drained = sockets.drain().await;
/// println!("{} closed, {} cut off", drained.closed, drained.aborted);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct WebSocketHub(Arc<Hub>);

/// An [`Endpoint`] to put into another HTTP server: it answers requests, and runs the endpoint's handler on
/// those that become WebSockets. With the feature `tower` it is a `tower::Service`. Cheap to clone.
#[derive(Clone)]
pub struct EndpointService {
    sockets: WebSocketHub,
    handler: AnyHandler,
    gate: Arc<Gate>,
    peer: Option<SocketAddr>,
}

impl WebSocketHub {
    /// Creates a set with custom options.
    ///
    /// # Errors
    /// [`SettingError`] for the first setting that cannot work.
    pub fn new(options: ServerOptions) -> Result<Self, SettingError> {
        options.check()?;
        Ok(Self::from_options(options))
    }

    fn from_options(options: ServerOptions) -> Self {
        Self(Hub::new(options))
    }

    /// An endpoint whose WebSockets are among these.
    ///
    /// # Errors
    /// [`SettingError`] for the first option of the endpoint that cannot work.
    pub fn endpoint(&self, endpoint: Endpoint) -> Result<EndpointService, SettingError> {
        let (handler, gate) = endpoint.build()?;
        Ok(EndpointService { sockets: self.clone(), handler, gate: Arc::new(gate), peer: None })
    }

    /// Returns the numbers; as connections count the requests that have become WebSockets, over HTTP/2 each of them.
    pub fn stats(&self) -> Stats {
        self.0.stats.clone()
    }

    /// Returns the open WebSockets, to list them, to send to one and to close one. The list has those that open after the first
    /// call of this: before, nothing is kept for it.
    pub fn connections(&self) -> Connections {
        Connections::of(self.0.registry())
    }

    /// Closes all WebSockets with 1001 (spread over [`drain_spread`](ServerOptions::drain_spread)), waits until
    /// [`drain_timeout`](ServerOptions::drain_timeout) is over, and cuts off the rest. From now on requests for more
    /// are answered with 503, those that a guard is deciding on too.
    ///
    /// Call it as soon as the application shuts down, not when the HTTP server has: that waits for its connections, and
    /// a peer that has sent half a request can keep it waiting. [`serve_until`](Self::serve_until) does both.
    pub async fn drain(&self) -> Drained {
        let drained = self.0.drain(Departure::End).await;
        tracing::info!(closed = drained.closed, aborted = drained.aborted, "websockets have been closed");
        drained
    }

    /// Runs the application's HTTP server until `signal` is ready, and then shuts down both: `serve` is called with a
    /// future that becomes ready then, for the server to stop by, and at the same time the WebSockets are
    /// [drained](Self::drain). What `serve` returned is dropped when
    /// [`drain_timeout`](ServerOptions::drain_timeout) is over, so that no peer holds up the end.
    ///
    /// ```no_run
    /// use ws_server::{WebSocketHub, shutdown_signal};
    ///
    /// # async fn example(listener: tokio::net::TcpListener, app: axum::Router, sockets: WebSocketHub) -> std::io::Result<()> {
    /// let serve = |stopped| axum::serve(listener, app).with_graceful_shutdown(stopped);
    /// let drained = sockets.serve_until(shutdown_signal(), serve).await?;
    /// println!("{} closed, {} cut off", drained.closed, drained.aborted);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// That of the HTTP server; the WebSockets have been drained all the same.
    pub async fn serve_until<T, F, E>(
        &self,
        signal: impl Future<Output = T>,
        serve: impl FnOnce(Stopped) -> F,
    ) -> Result<Drained, E>
    where
        F: IntoFuture<Output = Result<(), E>>,
    {
        let (stop, stopped) = oneshot::channel();
        let mut serving = pin!(serve(Stopped(stopped)).into_future());
        select! {
            ended = &mut serving => {
                let drained = self.drain().await;
                return ended.map(|()| drained);
            }
            _ = signal => {}
        }
        let _ = stop.send(());
        let deadline = from_now(self.0.options.drain_timeout);
        let (drained, served) = join!(self.drain(), timeout_at(deadline, serving));
        served.unwrap_or(Ok(())).map(|()| drained)
    }

    pub(crate) fn options(&self) -> &ServerOptions {
        &self.0.options
    }

    /// A seat for a request, before anything decides on it.
    pub(crate) fn enter(&self, peer: &Peer) -> Result<Seat, Denied> {
        self.0.request(peer)
    }

    /// What is at the end of the way of a request.
    pub(crate) fn found<'a>(&'a self, gate: &'a Gate, params: Vec<(String, String)>) -> Found<'a> {
        let admission = Some(&self.0.admission);
        Found { gate: Some(gate), handler: None, page: None, params, admission, any_host: false }
    }

    /// The answer to a request for which no WebSocket may open.
    #[cfg(feature = "axum")]
    pub(crate) fn overloaded(&self) -> Denied {
        self.0.admission.overloaded(MAX_HANDSHAKES)
    }

    /// Reports a refusal, and makes the answer ready to be written.
    pub(crate) fn deny(&self, denied: Denied, version: http::Version) -> Response {
        let (response, why) = denied.complete(version);
        report(&self.0.stats, &why);
        response
    }
}

/// Ready when an HTTP server is to stop; see [`WebSocketHub::serve_until`].
#[derive(Debug)]
pub struct Stopped(oneshot::Receiver<()>);

impl Future for Stopped {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // A sender that has been dropped says the same.
        Pin::new(&mut self.0).poll(context).map(drop)
    }
}

impl Default for WebSocketHub {
    fn default() -> Self {
        // The defaults make sense.
        Self::from_options(ServerOptions::default())
    }
}

impl EndpointService {
    /// Returns the endpoint for the requests of one connection, with the address of its peer: guards, the log,
    /// [`AddressLimits`](crate::AddressLimits) and [`ProxyOptions`](crate::ProxyOptions) go by it. Without it they go by the
    /// [`SocketAddr`] among the extensions of a request, or by axum's `ConnectInfo<SocketAddr>`, if there is one; it is
    /// preferred to this.
    ///
    /// ```no_run
    /// # fn example(endpoint: ws_server::EndpointService, stream: tokio::net::TcpStream) -> std::io::Result<()> {
    /// let endpoint = endpoint.for_peer(stream.peer_addr()?);
    /// // Serve `stream` with `endpoint`.
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn for_peer(&self, address: SocketAddr) -> Self {
        Self { peer: Some(address), ..self.clone() }
    }

    /// Answers a request: with 101, or 200 over HTTP/2, after which the handler runs in its own task, or with a refusal, as a
    /// [`Server`](crate::Server) would.
    pub fn answer<B>(
        &self,
        request: http::Request<B>,
    ) -> impl Future<Output = Response> + Send + 'static + use<B> {
        let this = self.clone();
        let parts = request.into_parts().0;
        async move {
            #[cfg(feature = "axum")]
            let (params, parts) = crate::embed::params::params(parts).await;
            #[cfg(not(feature = "axum"))]
            let params = Vec::new();
            let options = &this.sockets.options().handshake;
            let incoming = Incoming::from_parts(parts).or_from(this.peer).learn_client(options);
            let version = incoming.version;
            let span = incoming.peer.handshake_span(incoming.peer.behind());
            let decided = match this.sockets.enter(&incoming.peer) {
                Ok(seat) => {
                    let found = this.sockets.found(&this.gate, params);
                    let decided = incoming.decide(found, options).instrument(span.clone()).await;
                    decided.map(|(response, agreed)| (seat, response, agreed))
                }
                Err(denied) => Err(denied),
            };
            match decided {
                Ok((seat, response, agreed)) => {
                    let handler = this.handler;
                    start(seat, span, agreed, move |websocket, request| handler(websocket, request));
                    response
                }
                Err(denied) => span.in_scope(|| this.sockets.deny(denied, version)),
            }
        }
    }
}

/// Runs the handler in the seat of its request, in a task, once the answer is written.
pub(crate) fn start<H>(seat: Seat, span: Span, agreed: Agreed, handler: H)
where
    H: FnOnce(WebSocket, Request) -> HandlerFuture + Send + 'static,
{
    let accepted = Box::new((agreed, handler));
    seat.start(|seat| serve(seat, span, accepted));
}

#[expect(clippy::manual_async_fn, reason = "an async function keeps its arguments twice")]
fn serve<H>(seat: Seat, span: Span, accepted: Box<(Agreed, H)>) -> impl Future<Output = ()>
where
    H: FnOnce(WebSocket, Request) -> HandlerFuture,
{
    async move {
        let opening = async {
            let (agreed, handler) = *accepted;
            let options = &seat.hub().options;
            let (stream, opened) = agreed.open(&options.handshake, options.nodelay).await?;
            Ok(Running::start(stream, opened, handler, &seat))
        };
        run(&seat, span, opening).await;
    }
}

impl fmt::Debug for WebSocketHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketHub").field("stats", &self.0.stats).finish_non_exhaustive()
    }
}

impl fmt::Debug for EndpointService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointService").field("options", &self.gate.options).finish_non_exhaustive()
    }
}
