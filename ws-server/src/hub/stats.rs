//! Numbers of a server, readable at any time.

#[cfg(feature = "metrics")]
use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Version;

use crate::hub::memory::Memory;
#[cfg(feature = "metrics")]
use crate::hub::traffic::Totals;
use crate::observe::{self, End};

/// A handle to the numbers of a server; cheap to clone, valid after the server has ended.
///
/// How often something happens is the difference of two [snapshots](Self::snapshot), divided by the time between them:
///
/// ```
/// # async fn example(stats: ws_server::Stats) {
/// let (before, begin) = (stats.snapshot(), std::time::Instant::now());
/// tokio::time::sleep(std::time::Duration::from_secs(10)).await;
/// let opened = stats.snapshot().opened - before.opened;
/// println!("{:.1} WebSockets opened a second", opened as f64 / begin.elapsed().as_secs_f64());
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Stats(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    accepted: AtomicU64,
    connections: AtomicU64,
    opened: AtomicU64,
    open: AtomicU64,
    plain: AtomicU64,
    refused: AtomicU64,
    failed_handshakes: AtomicU64,
    failed_accepts: AtomicU64,
    panicked: AtomicU64,
    refused_for_memory: AtomicU64,
    closed_for_memory: AtomicU64,
    memory: OnceLock<Arc<Memory>>,
    #[cfg(feature = "metrics")]
    totals: OnceLock<Weak<Totals>>,
}

/// The numbers of a server at one time, each under the name of the method of [`Stats`] that returns it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is documented at the method of the same name")]
pub struct StatsSnapshot {
    pub accepted: u64,
    pub connections: u64,
    pub opened: u64,
    pub open: u64,
    pub plain: u64,
    pub refused: u64,
    pub failed_handshakes: u64,
    pub failed_accepts: u64,
    pub panicked: u64,
    pub refused_for_memory: u64,
    pub closed_for_memory: u64,
    pub memory: u64,
}

impl Stats {
    pub(crate) fn new(memory: Arc<Memory>) -> Self {
        let this = Self::default();
        // It is empty.
        let _ = this.0.memory.set(memory);
        this
    }

    /// From now on these are recorded when that is asked for.
    #[cfg(feature = "metrics")]
    pub(crate) fn set_totals(&self, totals: &Arc<Totals>) {
        // It is called once.
        let _ = self.0.totals.set(Arc::downgrade(totals));
    }

    /// Brings those metrics up to date that are recorded once a second: messages, bytes, queued bytes and memory. For a page that
    /// renders them: [`ServerBuilder::metrics_page`](crate::ServerBuilder::metrics_page) calls it. What goes through a WebSocket counts
    /// when that waits next.
    #[cfg(feature = "metrics")]
    #[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
    pub fn record_metrics(&self) {
        if let Some(totals) = self.0.totals.get().and_then(Weak::upgrade) {
            totals.record();
        }
    }

    /// Returns all numbers as they are now. They are read one after the other, while the server goes on.
    #[doc(alias = "metrics")]
    pub fn snapshot(&self) -> StatsSnapshot {
        StatsSnapshot {
            accepted: self.accepted(),
            connections: self.connections(),
            opened: self.opened(),
            open: self.open(),
            plain: self.plain(),
            refused: self.refused(),
            failed_handshakes: self.failed_handshakes(),
            failed_accepts: self.failed_accepts(),
            panicked: self.panicked(),
            refused_for_memory: self.refused_for_memory(),
            closed_for_memory: self.closed_for_memory(),
            memory: self.memory(),
        }
    }

    /// Connections accepted since the start, whatever became of them.
    pub fn accepted(&self) -> u64 {
        self.0.accepted.load(Relaxed)
    }

    /// Connections held now: handshakes, answers being written, and open WebSockets.
    pub fn connections(&self) -> u64 {
        self.0.connections.load(Relaxed)
    }

    /// WebSockets opened since the start.
    pub fn opened(&self) -> u64 {
        self.0.opened.load(Relaxed)
    }

    /// WebSockets open now.
    pub fn open(&self) -> u64 {
        self.0.open.load(Relaxed)
    }

    /// Requests that asked for no WebSocket and were answered as plain HTTP, 404 and 426 included.
    pub fn plain(&self) -> u64 {
        self.0.plain.load(Relaxed)
    }

    /// Opening handshakes refused: by an endpoint's policy or guard, for want of an endpoint, or with 503 or 429 because of
    /// a limit.
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Relaxed)
    }

    /// Handshakes that came to nothing: malformed, cut off, too slow, displaced by newer ones, or TLS that failed.
    pub fn failed_handshakes(&self) -> u64 {
        self.0.failed_handshakes.load(Relaxed)
    }

    /// Attempts to accept a connection that the system refused, for want of descriptors for instance.
    pub fn failed_accepts(&self) -> u64 {
        self.0.failed_accepts.load(Relaxed)
    }

    /// Handlers that panicked.
    pub fn panicked(&self) -> u64 {
        self.0.panicked.load(Relaxed)
    }

    /// Opening handshakes refused with 503 because nearly all of [`max_memory`](crate::ServerOptions::max_memory) was used; they
    /// are among the [refused](Self::refused).
    pub fn refused_for_memory(&self) -> u64 {
        self.0.refused_for_memory.load(Relaxed)
    }

    /// WebSockets closed with 1013 because all of [`max_memory`](crate::ServerOptions::max_memory) was used, or nearly all, and
    /// they held the most unfinished input, or output that their peers did not read. The log has one event each time (`memory is
    /// short`, with how many of which kind), and for each connection how much was `unsent`.
    pub fn closed_for_memory(&self) -> u64 {
        self.0.closed_for_memory.load(Relaxed)
    }

    /// Bytes of memory that the connections hold now, as [`max_memory`](crate::ServerOptions::max_memory) counts them.
    pub fn memory(&self) -> u64 {
        self.0.memory.get().map_or(0, |memory| memory.used() as u64)
    }

    pub(crate) fn count_refused_for_memory(&self) {
        self.0.refused_for_memory.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_closed_for_memory(&self) {
        self.0.closed_for_memory.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_plain(&self) {
        observe::plain_answered();
        self.0.plain.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_refused(&self, reason: &'static str) {
        observe::refused(reason);
        self.0.refused.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_failed_handshake(&self, reason: &'static str) {
        observe::failed(reason);
        self.0.failed_handshakes.fetch_add(1, Relaxed);
    }

    /// Counts a connection that was accepted and cut off at once.
    pub(crate) fn count_cut_off(&self) {
        self.0.accepted.fetch_add(1, Relaxed);
        observe::connection_accepted();
        self.count_failed_handshake("flood");
    }

    pub(crate) fn count_failed_accept(&self) {
        observe::accept_failed();
        self.0.failed_accepts.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_panic(&self) {
        observe::panicked();
        self.0.panicked.fetch_add(1, Relaxed);
    }

    pub(crate) fn connection_begins(&self) {
        observe::connection_begins();
        self.0.accepted.fetch_add(1, Relaxed);
        self.0.connections.fetch_add(1, Relaxed);
    }

    pub(crate) fn connection_ends(&self) {
        observe::connection_ends();
        self.0.connections.fetch_sub(1, Relaxed);
    }

    pub(crate) fn websocket_begins(&self, version: Version, took: Duration) {
        observe::opened(version, took);
        self.0.opened.fetch_add(1, Relaxed);
        self.0.open.fetch_add(1, Relaxed);
    }

    /// How it has ended; it may still be held.
    pub(crate) fn websocket_closed(&self, end: End) {
        observe::closed(end);
    }

    pub(crate) fn websocket_ends(&self) {
        observe::open_ends();
        self.0.open.fetch_sub(1, Relaxed);
    }
}
