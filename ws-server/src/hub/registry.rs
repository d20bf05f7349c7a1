//! The connections of a server, for the time when it shuts down.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout_at};
use ws_core::CloseCode;
use ws_tokio::Closer;

use crate::config::options::{ServerOptions, from_now};
use crate::hub::admission::Admission;

/// All connections, and whether they are to end.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    state: Mutex<State>,
    /// Told when the last connection has gone.
    empty: Notify,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    closing: bool,
    connections: HashMap<u64, Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    /// `None` while it is a request that another HTTP server has read.
    task: Option<AbortHandle>,
    /// There once the WebSocket is open.
    closer: Option<Closer>,
}

/// How a shutdown went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Connections that ended in time, with their closing handshake done or timed out.
    pub closed: usize,
    /// Connections that were still there at the deadline and have been cut off.
    pub aborted: usize,
}

impl Registry {
    /// Starts a task and registers it. The task gets the number under which it is known, and must call
    /// [`remove`](Self::remove) with it when it ends.
    pub(crate) fn start(&self, spawn: impl FnOnce(u64) -> AbortHandle) {
        // Under the lock, so that a task that ends at once cannot remove itself before it is there.
        let mut state = self.state();
        let id = state.take_id();
        let task = Some(spawn(id));
        state.connections.insert(id, Entry { task, closer: None });
    }

    /// Registers a request, under a number as a connection is; `None` during a shutdown.
    #[cfg(feature = "hyper")]
    pub(crate) fn enter(&self) -> Option<u64> {
        let mut state = self.state();
        if state.closing {
            return None;
        }
        let id = state.take_id();
        state.connections.insert(id, Entry::default());
        Some(id)
    }

    /// Starts the task of what has been registered.
    #[cfg(feature = "hyper")]
    pub(crate) fn start_entered(&self, id: u64, spawn: impl FnOnce() -> AbortHandle) {
        let mut state = self.state();
        let task = spawn();
        if let Some(entry) = state.connections.get_mut(&id) {
            entry.task = Some(task);
        }
    }

    /// The connection is open: from now on it can be closed. During a shutdown it is, at once.
    pub(crate) fn opened(&self, id: u64, closer: Closer) {
        let mut state = self.state();
        if state.closing {
            say_away(&closer);
        }
        if let Some(entry) = state.connections.get_mut(&id) {
            entry.closer = Some(closer);
        }
    }

    pub(crate) fn remove(&self, id: u64) {
        let mut state = self.state();
        state.connections.remove(&id);
        if state.connections.is_empty() {
            self.empty.notify_waiters();
        }
    }

    /// Closes all connections with 1001 over the time `drain_spread`, waits for them until `drain_timeout` is over,
    /// and cuts off the rest. Nothing more is admitted.
    pub(crate) async fn drain(&self, admission: &Admission, options: &ServerOptions) -> Drained {
        let spread = options.drain_spread;
        let begin = Instant::now();
        let deadline = from_now(options.drain_timeout);
        let ids: Vec<u64> = {
            let mut state = self.state();
            state.closing = true;
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
                if let Some(closer) = state.connections.get(id).and_then(|entry| entry.closer.as_ref()) {
                    say_away(closer);
                }
            }
        }
        let _ = timeout_at(deadline, self.emptied()).await;
        let aborted = {
            let state = self.state();
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
    fn take_id(&mut self) -> u64 {
        let id = self.next;
        self.next += 1;
        id
    }
}

fn say_away(closer: &Closer) {
    // Code and reason may be sent.
    let _ = closer.start_close(CloseCode::AWAY, AWAY);
}

/// Told to clients in the Close frame.
const AWAY: &str = "server is shutting down";
/// Close frames are spread in at most this many steps.
const SPREAD_STEPS: usize = 100;
const ABORT_TIME: Duration = Duration::from_secs(1);
