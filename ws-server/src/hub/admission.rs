//! Which requests and WebSockets are let in, and how many at a time.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::select;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use crate::config::open_files::answers;
use crate::config::options::ServerOptions;
use crate::hub::handshakes::Handshakes;
use crate::web::denied::Denied;
use crate::web::response::{overloaded, shutting_down};

/// The permits of a server. Those for handshakes, for upgrades that guards decide on, for answers that are being
/// written, and for open WebSockets are counted apart, so that each kind takes nothing from the others.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) handshakes: Arc<Handshakes>,
    requests: Arc<Semaphore>,
    answers: Arc<Semaphore>,
    websockets: Arc<Semaphore>,
    wait: Duration,
    retry_after: Duration,
    /// Whether the server shuts down.
    closing: watch::Sender<bool>,
}

/// Returned when it is dropped.
pub(crate) type Permit = OwnedSemaphorePermit;

impl Admission {
    pub(crate) fn new(options: &ServerOptions) -> Self {
        Self {
            handshakes: Handshakes::new(options.handshake_limit()),
            requests: Arc::new(Semaphore::new(options.handshake_limit())),
            answers: Arc::new(Semaphore::new(answers(options.handshake_limit()))),
            websockets: Arc::new(Semaphore::new(options.connection_limit())),
            wait: options.overload_wait,
            retry_after: options.retry_after,
            closing: watch::Sender::new(false),
        }
    }

    /// A permit for a request for a WebSocket, while guards decide on it; or the answer.
    pub(crate) fn request(&self) -> Result<Permit, Denied> {
        self.requests.clone().try_acquire_owned().map_err(|_| self.overloaded())
    }

    /// A permit for an answer that is no WebSocket, until the peer has taken it; `None` if there are too many.
    pub(crate) fn answer(&self) -> Option<Permit> {
        self.answers.clone().try_acquire_owned().ok()
    }

    /// Whether another WebSocket may open, as far as is known before the guards have decided; or the answer.
    pub(crate) async fn room(&self) -> Result<(), Denied> {
        self.websocket().await.map(drop)
    }

    /// A permit for an open WebSocket; or the answer, when the server shuts down, or none becomes free in time.
    pub(crate) async fn websocket(&self) -> Result<Permit, Denied> {
        if *self.closing.borrow() {
            return Err(self.shutting_down());
        }
        match timeout(self.wait, self.websockets.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(self.overloaded()),
        }
    }

    /// What a future returns; or the answer, once the server shuts down.
    pub(crate) async fn unless_closing<T>(&self, future: impl Future<Output = T>) -> Result<T, Denied> {
        select! {
            biased;
            done = future => Ok(done),
            () = self.closed() => Err(self.shutting_down()),
        }
    }

    /// 503, as too much is going on.
    pub(crate) fn overloaded(&self) -> Denied {
        Denied::refused(overloaded(self.retry_after))
    }

    /// 503, as the server shuts down.
    pub(crate) fn shutting_down(&self) -> Denied {
        Denied::refused(shutting_down(self.retry_after))
    }

    /// From now on no WebSocket opens.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Ready when the server shuts down.
    pub(crate) async fn closed(&self) {
        // The sender lives as long as `self`.
        let _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }
}
