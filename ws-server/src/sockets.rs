//! WebSockets of an application whose HTTP is served by somebody else.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use tracing::Instrument;

use crate::WebSocket;
use crate::admission::Admission;
use crate::decision::Denied;
use crate::endpoint::{Endpoint, Gate};
use crate::error::{AcceptError, SettingError};
use crate::handler::{AnyHandler, HandlerFuture};
use crate::opening::Found;
use crate::options::ServerOptions;
use crate::registry::{Drained, Registry};
use crate::request::Request;
use crate::response::{Response, shutting_down};
use crate::running::{Running, report};
use crate::stats::{Counted, Stats};
use crate::upgrade::{Agreed, Incoming, finish};

/// The WebSockets of an application whose HTTP is served by hyper, axum or another framework: what a
/// [`Server`](crate::Server) knows of its own. It limits them, counts them, and closes them all when the application
/// shuts down. Cheap to clone.
///
/// Of its [`ServerOptions`], `max_handshakes` has no effect: connections without a WebSocket are the HTTP server's.
///
/// ```no_run
/// use ws_server::{Endpoint, Sockets, WebSocket};
///
/// # async fn example(listener: tokio::net::TcpListener) -> Result<(), Box<dyn std::error::Error>> {
/// let sockets = Sockets::default();
/// let chat = sockets.endpoint(Endpoint::new(async |mut socket: WebSocket| socket.send("hello").await))?;
/// // Give `chat` every request for its path, by `answer` or as a `tower::Service`; when all is over:
/// let drained = sockets.drain().await;
/// println!("{} closed, {} cut off", drained.closed, drained.aborted);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Sockets(Arc<House>);

struct House {
    options: ServerOptions,
    registry: Registry,
    stats: Stats,
    admission: Admission,
}

/// An [`Endpoint`] to put into somebody else's HTTP server: it answers requests, and runs the endpoint's handler on
/// those that become WebSockets. With the feature `tower` it is a `tower::Service`. Cheap to clone.
#[derive(Clone)]
pub struct EndpointService {
    sockets: Sockets,
    handler: AnyHandler,
    gate: Arc<Gate>,
}

impl Sockets {
    /// With options of one's own.
    ///
    /// # Errors
    /// [`SettingError`] for the first setting that cannot work.
    pub fn new(options: ServerOptions) -> Result<Self, SettingError> {
        options.check()?;
        Ok(Self::from_options(options))
    }

    fn from_options(options: ServerOptions) -> Self {
        let admission = Admission::new(&options);
        Self(Arc::new(House { options, admission, registry: Registry::default(), stats: Stats::default() }))
    }

    /// An endpoint whose WebSockets are among these.
    ///
    /// # Errors
    /// [`SettingError`] for the first option of the endpoint that cannot work.
    pub fn endpoint(&self, endpoint: Endpoint) -> Result<EndpointService, SettingError> {
        let (handler, gate) = endpoint.build()?;
        Ok(EndpointService { sockets: self.clone(), handler, gate: Arc::new(gate) })
    }

    /// The numbers: of connections, those count that have been answered with 101.
    pub fn stats(&self) -> Stats {
        self.0.stats.clone()
    }

    /// Closes all WebSockets with 1001 (spread over [`drain_spread`](ServerOptions::drain_spread)), waits until
    /// [`drain_timeout`](ServerOptions::drain_timeout) is over, and cuts off the rest. From now on requests for more
    /// are answered with 503.
    ///
    /// To be called when the HTTP server has stopped taking connections, or at the same time.
    pub async fn drain(&self) -> Drained {
        let options = &self.0.options;
        let drained = self.0.registry.drain(options.drain_spread, options.drain_timeout).await;
        tracing::info!(closed = drained.closed, aborted = drained.aborted, "websockets have been closed");
        drained
    }

    pub(crate) fn options(&self) -> &ServerOptions {
        &self.0.options
    }

    /// That others may come; what is at the end of the way they take.
    pub(crate) fn found<'a>(
        &'a self,
        gate: &'a Gate,
        params: Vec<(String, String)>,
    ) -> Result<Found<'a>, Denied> {
        if self.0.registry.is_closing() {
            return Err(Denied::refused(shutting_down(self.0.options.retry_after)));
        }
        let admission = Some(&self.0.admission);
        Ok(Found { gate: Some(gate), handler: None, page: None, params, admission, any_host: false })
    }

    /// Reports a refusal, and makes the answer ready to be written.
    pub(crate) fn deny(&self, denied: Denied, version: http::Version) -> Response {
        let (response, why) = finish(denied, version);
        report(&self.0.stats, &why);
        response
    }

    /// Runs the handler, in a task of its own, once the 101 is written.
    pub(crate) fn start(
        &self,
        agreed: Agreed,
        handler: impl FnOnce(WebSocket, Request) -> HandlerFuture + Send + 'static,
    ) {
        self.0.registry.start(|id, _| {
            let peer = agreed.request().peer_addr().map(tracing::field::display);
            let span = tracing::info_span!("connection", peer, path = tracing::field::Empty);
            let place = Place { house: self.0.clone(), id, _counted: self.0.stats.connection() };
            tokio::spawn(serve(place, Box::new((agreed, handler))).instrument(span)).abort_handle()
        });
    }
}

impl Default for Sockets {
    fn default() -> Self {
        // The defaults make sense.
        Self::from_options(ServerOptions::default())
    }
}

impl EndpointService {
    /// Answers a request: with 101, after which the handler runs in a task of its own, or with a refusal, as a
    /// [`Server`](crate::Server) would.
    pub fn answer<B>(
        &self,
        request: http::Request<B>,
    ) -> impl Future<Output = Response> + Send + 'static + use<B> {
        let this = self.clone();
        let parts = request.into_parts().0;
        async move {
            #[cfg(feature = "axum")]
            let (params, parts) = crate::params::params(parts).await;
            #[cfg(not(feature = "axum"))]
            let params = Vec::new();
            let incoming = Incoming::from_parts(parts);
            let version = incoming.version;
            let decided = match this.sockets.found(&this.gate, params) {
                Ok(found) => incoming.decide(found, &this.sockets.options().handshake).await,
                Err(denied) => Err(denied),
            };
            match decided {
                Ok((response, agreed)) => {
                    let handler = this.handler;
                    this.sockets.start(agreed, move |websocket, request| handler(websocket, request));
                    response
                }
                Err(denied) => this.sockets.deny(denied, version),
            }
        }
    }
}

/// What a WebSocket occupies; given back when it is dropped, however the task ends.
struct Place {
    house: Arc<House>,
    id: u64,
    _counted: Counted,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.house.registry.remove(self.id);
    }
}

async fn serve<H>(place: Place, accepted: Box<(Agreed, H)>)
where
    H: FnOnce(WebSocket, Request) -> HandlerFuture,
{
    let House { options, registry, stats, .. } = &*place.house;
    // Boxed: the handshake's memory is given back before the handler's long life begins.
    let start = async {
        let (agreed, handler) = *accepted;
        let (stream, opened) = agreed.open(&options.handshake, options.nodelay).await?;
        Ok::<_, AcceptError>(Running::start(stream, opened, handler, place.id, registry, stats))
    };
    match Box::pin(start).await {
        Ok(running) => running.finish(stats, &options.handshake).await,
        Err(error) => report(stats, &error),
    }
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sockets").field("stats", &self.0.stats).finish_non_exhaustive()
    }
}

impl fmt::Debug for EndpointService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointService").field("options", &self.gate.options).finish_non_exhaustive()
    }
}
