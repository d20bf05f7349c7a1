//! What is open at one server, or in one application that embeds endpoints, and how much may be.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::options::ServerOptions;
use crate::observe::{self, End};
#[cfg(feature = "hyper")]
use crate::transport::peer::Peer;
#[cfg(feature = "hyper")]
use crate::transport::source::Source;
use crate::transport::stream::WebSocket;
#[cfg(feature = "hyper")]
use crate::web::denied::Denied;
use crate::web::request::Request;
use ws_tokio::{CloseRecord, ConnectionId};

use self::admission::Admission;
#[cfg(feature = "hyper")]
use self::admission::RequestPermit;
use self::memory::{CONNECTION, Cost, Memory, Share};
use self::registry::{Departure, Drained, Registry};
use self::stats::Stats;
#[cfg(feature = "metrics")]
use self::traffic::{Measured, Totals};

pub(crate) mod addresses;
pub(crate) mod admission;
pub(crate) mod connections;
pub(crate) mod handshakes;
pub(crate) mod memory;
pub(crate) mod numbered;
pub(crate) mod registry;
pub(crate) mod stats;
#[cfg(feature = "metrics")]
mod traffic;

/// The connections and WebSockets of one server or one application: their limits, their numbers, and the list by which
/// they are closed.
pub(crate) struct Hub {
    pub(crate) options: ServerOptions,
    pub(crate) admission: Admission,
    pub(crate) stats: Stats,
    memory: Arc<Memory>,
    registry: Arc<Registry>,
    #[cfg(feature = "metrics")]
    totals: Arc<Totals>,
}

/// What one connection occupies in a [`Hub`], or one request that another HTTP server has read; returned when it is
/// dropped, however that ends.
pub(crate) struct Seat {
    hub: Arc<Hub>,
    id: ConnectionId,
    stage: Stage,
    /// When it was taken, by [`Totals::nanos`]: half as long as an `Instant`.
    #[cfg(feature = "metrics")]
    begun: u64,
    /// Whether it has an open WebSocket, and whether the end of that has been reported.
    is_open: AtomicBool,
    is_reported: AtomicBool,
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
        let memory = Memory::new(options.memory_limit());
        let admission = Admission::new(&options, memory.clone());
        let stats = Stats::new(memory.clone());
        #[cfg(feature = "metrics")]
        let totals = Totals::new(memory.clone(), options.memory_limit());
        #[cfg(feature = "metrics")]
        stats.set_totals(&totals);
        Arc::new(Self {
            options,
            admission,
            stats,
            memory,
            registry: Arc::default(),
            #[cfg(feature = "metrics")]
            totals,
        })
    }

    /// Returns a seat for a connection that has been accepted; `None` during a shutdown.
    pub(crate) fn connection(self: &Arc<Self>, id: ConnectionId) -> Option<Seat> {
        self.registry.enter(id).then(|| {
            self.stats.connection_begins();
            self.seat(id, Stage::Connection)
        })
    }

    /// Returns a seat for a stream of an HTTP/2 connection, which has one itself; `None` during a shutdown.
    #[cfg(feature = "http2")]
    pub(crate) fn stream(self: &Arc<Self>, id: ConnectionId) -> Option<Seat> {
        self.registry.enter(id).then(|| self.seat(id, Stage::Stream))
    }

    /// Returns a seat for a request that another HTTP server has read, before anything decides on it, so that
    /// [`drain`](Self::drain) waits for it; or the answer, when there are too many or during a shutdown.
    #[cfg(feature = "hyper")]
    pub(crate) fn request(self: &Arc<Self>, peer: &Peer) -> Result<Seat, Denied> {
        let (id, permit) = (peer.id, self.admission.request(Source::of(peer.client))?);
        if !self.registry.enter(id) {
            return Err(self.admission.shutting_down());
        }
        Ok(self.seat(id, Stage::Request(Box::new(permit))))
    }

    fn seat(self: &Arc<Self>, id: ConnectionId, stage: Stage) -> Seat {
        #[cfg(feature = "metrics")]
        self.totals.begin_to_record();
        Seat {
            hub: self.clone(),
            id,
            stage,
            #[cfg(feature = "metrics")]
            begun: self.totals.nanos(),
            is_open: AtomicBool::new(false),
            is_reported: AtomicBool::new(false),
        }
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Closes all WebSockets over the time `drain_spread`, waits until `drain_timeout` is over, and cuts off what is still
    /// there. Nothing more is admitted.
    pub(crate) async fn drain(&self, departure: Departure) -> Drained {
        let begin = Instant::now();
        observe::drain_begins();
        let drained = self.registry.drain(departure, &self.admission, &self.options).await;
        observe::drained(drained.closed, drained.aborted, begin.elapsed());
        drained
    }
}

impl Seat {
    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.id
    }

    /// Runs the connection in a task. A request becomes a connection by this.
    #[cfg_attr(not(feature = "hyper"), expect(unused_mut, reason = "only requests change"))]
    pub(crate) fn start<F>(mut self, serve: impl FnOnce(Self) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        #[cfg(feature = "hyper")]
        if let Stage::Request(_) = self.stage {
            self.stage = Stage::Connection;
            self.hub.stats.connection_begins();
        }
        let (hub, id) = (self.hub.clone(), self.id);
        hub.registry.started(id, tokio::spawn(serve(self)).abort_handle());
    }

    /// Counts the memory of what has no open WebSocket yet, until the result is dropped: this many bytes beside what every
    /// connection costs.
    pub(crate) fn costs(&self, further: usize) -> Cost {
        Cost::new(&self.hub.memory, CONNECTION.saturating_add(further))
    }

    /// The WebSocket is open: it is counted and listed until the seat is dropped, its memory, and what else its connection holds for
    /// it, counts until it is dropped itself, and a shutdown closes it.
    pub(crate) fn opened(&self, websocket: &mut WebSocket, request: &Request) {
        let closer = websocket.closer();
        let base = CONNECTION.saturating_add(websocket.get_ref().encryption_memory());
        let share = Share::new(&self.hub.memory, base);
        #[cfg(feature = "metrics")]
        let share = Measured::new(share, &self.hub.totals, self.id);
        websocket.set_observer(Box::new(share));
        self.hub.registry.opened(self.id, closer, request);
        #[cfg(feature = "metrics")]
        let took = Duration::from_nanos(self.hub.totals.nanos().saturating_sub(self.begun));
        #[cfg(not(feature = "metrics"))]
        let took = Duration::ZERO;
        self.hub.stats.websocket_begins(request.version(), took);
        self.is_open.store(true, Relaxed);
    }

    /// Notes how the WebSocket has ended; `None` when another task still has it.
    pub(crate) fn closed(&self, record: Option<&CloseRecord>) {
        self.is_reported.store(true, Relaxed);
        self.hub.stats.websocket_closed(record.map_or(End::DETACHED, |record| End::of(&record.info)));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if *self.is_open.get_mut() {
            if !*self.is_reported.get_mut() {
                self.hub.stats.websocket_closed(End::ABORTED);
                tracing::info!(id = %self.id, cause = End::ABORTED.cause, "closed");
            }
            self.hub.stats.websocket_ends();
        }
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
