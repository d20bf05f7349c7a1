//! The connections of a server, for the time when it shuts down.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout_at};
use ws_core::{CloseCode, Closer};

use crate::options::from_now;

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
    /// Those that are no open WebSocket, oldest first; what is sent tells them to give up.
    handshakes: BTreeMap<u64, oneshot::Sender<()>>,
}

#[derive(Debug)]
struct Entry {
    task: AbortHandle,
    /// There once the WebSocket is open.
    closer: Option<Closer>,
}

/// How a shutdown went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Connections that ended in time, with their closing handshake done or given up by their own deadlines.
    pub closed: usize,
    /// Connections that were still there at the deadline and have been cut off.
    pub aborted: usize,
}

impl Registry {
    /// Starts a task and registers it. The task gets the number under which it is known, and must call
    /// [`remove`](Self::remove) with it when it ends; and what tells it to give up its handshake.
    pub(crate) fn start(&self, spawn: impl FnOnce(u64, oneshot::Receiver<()>) -> AbortHandle) {
        // Under the lock, so that a task that ends at once cannot remove itself before it is there.
        let mut state = self.state();
        let id = state.next;
        state.next += 1;
        let (displace, displaced) = oneshot::channel();
        let task = spawn(id, displaced);
        state.handshakes.insert(id, displace);
        state.connections.insert(id, Entry { task, closer: None });
    }

    /// Whether it drains: nobody else is to come.
    #[cfg(feature = "hyper")]
    pub(crate) fn is_closing(&self) -> bool {
        self.state().closing
    }

    /// The connection is open: from now on it can be closed. During a shutdown it is, at once.
    pub(crate) fn opened(&self, id: u64, closer: Closer) {
        let mut state = self.state();
        state.handshakes.remove(&id);
        if state.closing {
            say_away(&closer);
        }
        if let Some(entry) = state.connections.get_mut(&id) {
            entry.closer = Some(closer);
        }
    }

    /// Tells the oldest connection that is no open WebSocket to give up, if there is one.
    pub(crate) fn displace_oldest(&self) {
        if let Some((_, displace)) = self.state().handshakes.pop_first() {
            // It may have ended just now.
            let _ = displace.send(());
        }
    }

    pub(crate) fn remove(&self, id: u64) {
        let mut state = self.state();
        state.handshakes.remove(&id);
        state.connections.remove(&id);
        if state.connections.is_empty() {
            self.empty.notify_waiters();
        }
    }

    /// Closes all connections with 1001 over the time `spread`, waits for them until `drain` is over,
    /// and cuts off the rest.
    pub(crate) async fn drain(&self, spread: Duration, drain: Duration) -> Drained {
        let begin = Instant::now();
        let deadline = from_now(drain);
        let ids: Vec<u64> = {
            let mut state = self.state();
            state.closing = true;
            state.connections.keys().copied().collect()
        };
        let all = ids.len();
        for (i, batch) in ids.chunks(all.div_ceil(SPREAD_STEPS).max(1)).enumerate() {
            let step = spread / SPREAD_STEPS as u32 * u32::try_from(i).unwrap_or(0);
            sleep_until(begin.checked_add(step).unwrap_or(deadline)).await;
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
            state.connections.values().for_each(|entry| entry.task.abort());
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

fn say_away(closer: &Closer) {
    // Code and reason may be sent.
    let _ = closer.close(CloseCode::AWAY, AWAY);
}

/// Told to clients in the Close frame.
const AWAY: &str = "server is shutting down";
/// In so many steps Close frames are spread.
const SPREAD_STEPS: usize = 100;
const ABORT_TIME: Duration = Duration::from_secs(1);
