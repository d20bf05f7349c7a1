//! What is open at one server, or in one application that embeds endpoints, and how much may be.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use tracing::Instrument;
use ws_tokio::Closer;

use crate::config::options::ServerOptions;
#[cfg(feature = "hyper")]
use crate::transport::peer::Peer;
#[cfg(feature = "hyper")]
use crate::transport::source::Source;
#[cfg(feature = "hyper")]
use crate::web::denied::Denied;
use crate::web::request::Request;
use ws_tokio::ConnectionId;

use self::admission::Admission;
#[cfg(feature = "hyper")]
use self::admission::RequestPermit;
use self::registry::{Departure, Drained, Registry};
use self::stats::{Open, Stats};

pub(crate) mod addresses;
pub(crate) mod admission;
pub(crate) mod connections;
pub(crate) mod handshakes;
pub(crate) mod numbered;
pub(crate) mod registry;
pub(crate) mod stats;

/// The connections and WebSockets of one server or one application: their limits, their numbers, and the list by which
/// they are closed.
pub(crate) struct Hub {
    pub(crate) options: ServerOptions,
    pub(crate) admission: Admission,
    pub(crate) stats: Stats,
    registry: Arc<Registry>,
}

/// What one connection occupies in a [`Hub`], or one request that another HTTP server has read; returned when it is
/// dropped, however that ends.
pub(crate) struct Seat {
    hub: Arc<Hub>,
    id: ConnectionId,
    stage: Stage,
}

/// What a seat is for.
enum Stage {
    /// A request is being decided on.
    #[cfg(feature = "hyper")]
    Request(#[expect(dead_code, reason = "held")] Box<RequestPermit>),
    /// A connection, which is counted.
    Connection,
    /// A stream of one.
    #[cfg(feature = "http2")]
    Stream,
}

impl Hub {
    /// A hub with options that have been checked.
    pub(crate) fn new(options: ServerOptions) -> Arc<Self> {
        let admission = Admission::new(&options);
        Arc::new(Self { options, admission, stats: Stats::default(), registry: Arc::default() })
    }

    /// Returns a seat for a connection that has been accepted; `None` during a shutdown.
    pub(crate) fn connection(self: &Arc<Self>, id: ConnectionId) -> Option<Seat> {
        self.registry.enter(id).then(|| {
            self.stats.connection_begins();
            Seat { hub: self.clone(), id, stage: Stage::Connection }
        })
    }

    /// Returns a seat for a stream of an HTTP/2 connection, which has one itself; `None` during a shutdown.
    #[cfg(feature = "http2")]
    pub(crate) fn stream(self: &Arc<Self>, id: ConnectionId) -> Option<Seat> {
        self.registry.enter(id).then(|| Seat { hub: self.clone(), id, stage: Stage::Stream })
    }

    /// Returns a seat for a request that another HTTP server has read, before anything decides on it, so that
    /// [`drain`](Self::drain) waits for it; or the answer, when there are too many or during a shutdown.
    #[cfg(feature = "hyper")]
    pub(crate) fn request(self: &Arc<Self>, peer: &Peer) -> Result<Seat, Denied> {
        let (id, permit) = (peer.id, self.admission.request(Source::of(peer.client))?);
        if !self.registry.enter(id) {
            return Err(self.admission.shutting_down());
        }
        Ok(Seat { hub: self.clone(), id, stage: Stage::Request(Box::new(permit)) })
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Closes all WebSockets over the time `drain_spread`, waits until `drain_timeout` is over, and cuts off what is still
    /// there. Nothing more is admitted.
    pub(crate) async fn drain(&self, departure: Departure) -> Drained {
        self.registry.drain(departure, &self.admission, &self.options).await
    }
}

impl Seat {
    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Runs the connection in a task, within its span, which has `client` where that is known already and is not the peer. A
    /// request becomes a connection by this.
    #[cfg_attr(not(feature = "hyper"), expect(unused_mut, reason = "only requests change"))]
    pub(crate) fn start<F>(
        mut self,
        peer: Option<SocketAddr>,
        client: Option<SocketAddr>,
        serve: impl FnOnce(Self) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        #[cfg(feature = "hyper")]
        if let Stage::Request(_) = self.stage {
            self.stage = Stage::Connection;
            self.hub.stats.connection_begins();
        }
        let (hub, id) = (self.hub.clone(), self.id);
        let span = tracing::info_span!(
            "connection",
            %id,
            peer = peer.map(tracing::field::display),
            client = client.map(tracing::field::display),
            path = tracing::field::Empty
        );
        hub.registry.started(id, tokio::spawn(serve(self).instrument(span)).abort_handle());
    }

    /// The WebSocket is open: it is counted and listed for as long as the result lives, and a shutdown closes it.
    pub(crate) fn opened(&self, closer: Closer, request: &Request) -> Open {
        self.hub.registry.opened(self.id, closer, request);
        self.hub.stats.websocket()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        match self.stage {
            Stage::Connection => self.hub.stats.connection_ends(),
            #[cfg(feature = "http2")]
            Stage::Stream => {}
            #[cfg(feature = "hyper")]
            Stage::Request(_) => {}
        }
        // Last, as a shutdown may have waited for this.
        self.hub.registry.remove(self.id);
    }
}
