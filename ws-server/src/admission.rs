//! Who is let in: so many opening handshakes at a time, so many open WebSockets.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::options::ServerOptions;

/// The permits of a server. Those for handshakes and those for open WebSockets are counted apart, so that
/// whoever does not finish a handshake takes nothing from those who have finished theirs.
#[derive(Debug)]
pub(crate) struct Admission {
    handshakes: Arc<Semaphore>,
    websockets: Arc<Semaphore>,
    wait: Duration,
    pub(crate) retry_after: Duration,
}

/// Given back when it is dropped.
pub(crate) type Permit = OwnedSemaphorePermit;

impl Admission {
    pub(crate) fn new(options: &ServerOptions) -> Self {
        Self {
            handshakes: Arc::new(Semaphore::new(options.handshake_limit())),
            websockets: Arc::new(Semaphore::new(options.connection_limit())),
            wait: options.overload_wait,
            retry_after: options.retry_after,
        }
    }

    /// A permit for a handshake, if one is free.
    pub(crate) fn try_handshake(&self) -> Option<Permit> {
        self.handshakes.clone().try_acquire_owned().ok()
    }

    /// A permit for a handshake, when one is free.
    pub(crate) async fn handshake(&self) -> Option<Permit> {
        self.handshakes.clone().acquire_owned().await.ok()
    }

    /// A permit for an open WebSocket; `None` when none becomes free in time.
    pub(crate) async fn websocket(&self) -> Option<Permit> {
        timeout(self.wait, self.websockets.clone().acquire_owned()).await.ok()?.ok()
    }
}
