//! The connections of a server, for the time when it shuts down.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout_at};
use ws_core::CloseCode;
use ws_tokio::{Closer, ConnectionId};

use crate::config::options::{ServerOptions, from_now};
use crate::hub::admission::Admission;
use crate::hub::connections::{ConnectionInfo, Facts};
use crate::hub::numbered::Numbered;
use crate::web::request::Request;

/// All connections, and whether they are to end.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    state: Mutex<State>,
    /// Told when the last connection has gone.
    empty: Notify,
    /// Whether somebody may ask for a list. Otherwise no facts are kept, which would be a twelfth of an idle connection.
    lists: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// There during a shutdown.
    closing: Option<Departure>,
    /// The shutdown has waited long enough.
    aborting: bool,
    connections: Numbered<ConnectionId, Entry>,
    /// What is known of those that are listed. Apart, as mostly there are none.
    facts: Numbered<ConnectionId, Box<Facts>>,
}

#[derive(Debug, Default)]
struct Entry {
    /// `None` until it has been started: for a request that another HTTP server has read, until that is answered.
    task: Option<AbortHandle>,
    /// There once the WebSocket is open.
    open: Option<Closer>,
}

/// How a shutdown went. WebSockets over HTTP/2 count one by one, and their connection once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Connections that ended in time, with their closing handshake done or timed out.
    pub closed: usize,
    /// Connections that were still there at the deadline and have been cut off.
    pub aborted: usize,
}

/// Why a shutdown closes the WebSockets, as their Close frames say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Departure {
    /// The server ends: 1001.
    End,
    /// Another process has taken its place: 1012, after which clients are to return (with a random delay).
    #[cfg(all(unix, feature = "service"))]
    Restart,
}

impl Registry {
    /// Registers a connection or a request; returns `false`, and does not, during a shutdown.
    pub(crate) fn enter(&self, id: ConnectionId) -> bool {
        let mut state = self.state();
        let enters = state.closing.is_none();
        if enters {
            state.connections.insert(id, Entry::default());
        }
        enters
    }

    /// Notes the task of what has been registered, to abort it when a shutdown has waited long enough.
    pub(crate) fn started(&self, id: ConnectionId, task: AbortHandle) {
        let mut state = self.state();
        if state.aborting {
            task.abort();
        }
        // It may have ended already.
        if let Some(entry) = state.connections.get_mut(&id) {
            entry.task = Some(task);
        }
    }

    /// The connection is open: from now on it can be closed. During a shutdown it is, at once.
    pub(crate) fn opened(&self, id: ConnectionId, closer: Closer, request: &Request) {
        let facts = self.lists.load(Ordering::Relaxed).then(|| Facts::of(request));
        let mut state = self.state();
        if let Some(departure) = state.closing {
            departure.close(&closer);
        }
        if let Some(entry) = state.connections.get_mut(&id) {
            entry.open = Some(closer);
            if let Some(facts) = facts {
                state.facts.insert(id, facts);
            }
        }
    }

    /// From now on WebSockets that open are listed.
    pub(crate) fn begin_to_list(&self) {
        self.lists.store(true, Ordering::Relaxed);
    }

    /// The listed WebSockets that are open and have not ended, the oldest first.
    pub(crate) fn list(&self) -> Vec<ConnectionInfo> {
        let state = self.state();
        let mut list: Vec<_> = state.facts.keys().filter_map(|id| state.info(*id)).collect();
        drop(state);
        list.sort_unstable_by_key(|info| info.id);
        list
    }

    pub(crate) fn info(&self, id: ConnectionId) -> Option<ConnectionInfo> {
        self.state().info(id)
    }

    pub(crate) fn closer(&self, id: ConnectionId) -> Option<Closer> {
        let state = self.state();
        let closer = state.connections.get(&id)?.open.as_ref()?;
        closer.close_info().is_none().then(|| closer.clone())
    }

    pub(crate) fn remove(&self, id: ConnectionId) {
        let mut state = self.state();
        state.connections.remove(&id);
        state.facts.remove(&id);
        if state.connections.is_empty() {
            self.empty.notify_waiters();
        }
    }

    /// Closes all connections over the time `drain_spread`, waits for them until `drain_timeout` is over, and cuts off the
    /// rest. Nothing more is admitted.
    pub(crate) async fn drain(
        &self,
        departure: Departure,
        admission: &Admission,
        options: &ServerOptions,
    ) -> Drained {
        let spread = options.drain_spread;
        let begin = Instant::now();
        let deadline = from_now(options.drain_timeout);
        let ids: Vec<ConnectionId> = {
            let mut state = self.state();
            state.closing = Some(departure);
            state.connections.keys().copied().collect()
        };
        admission.close();
        let all = ids.len();
        let batches = ids.chunks(all.div_ceil(SPREAD_STEPS).max(1));
        let step = spread / u32::try_from(batches.len().max(1)).unwrap_or(u32::MAX);
        let mut next = begin;
        for batch in batches {
            sleep_until(next).await;
            next = next.checked_add(step).unwrap_or(deadline);
            let state = self.state();
            for id in batch {
                if let Some(closer) = state.connections.get(id).and_then(|entry| entry.open.as_ref()) {
                    departure.close(closer);
                }
            }
        }
        let _ = timeout_at(deadline, self.emptied()).await;
        let aborted = {
            let mut state = self.state();
            state.aborting = true;
            state.connections.values().filter_map(|entry| entry.task.as_ref()).for_each(AbortHandle::abort);
            state.connections.len()
        };
        // An aborted task ends at its next turn; one that blocks its thread cannot be waited for.
        let _ = timeout_at(Instant::now() + ABORT_TIME, self.emptied()).await;
        Drained { closed: all.saturating_sub(aborted), aborted }
    }

    async fn emptied(&self) {
        loop {
            let notified = self.empty.notified();
            let mut notified = std::pin::pin!(notified);
            notified.as_mut().enable();
            if self.state().connections.is_empty() {
                return;
            }
            notified.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn info(&self, id: ConnectionId) -> Option<ConnectionInfo> {
        let closer = self.connections.get(&id)?.open.as_ref()?;
        let facts = self.facts.get(&id)?;
        closer.close_info().is_none().then(|| facts.info(id, closer))
    }
}

impl Departure {
    /// Begins the closing handshake, unless it has begun.
    fn close(self, closer: &Closer) {
        let (code, reason) = match self {
            Self::End => (CloseCode::GOING_AWAY, "server is shutting down"),
            #[cfg(all(unix, feature = "service"))]
            Self::Restart => (CloseCode::SERVICE_RESTART, "server restarts"),
        };
        // Both may be sent.
        let _ = closer.start_close(code, reason);
    }
}

/// Close frames are spread in at most this many steps.
const SPREAD_STEPS: usize = 100;
const ABORT_TIME: Duration = Duration::from_secs(1);
