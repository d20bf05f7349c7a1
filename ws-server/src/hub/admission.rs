//! Which requests and WebSockets are let in, and how many at a time.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::select;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, watch};
use tokio::time::timeout;

use crate::config::error::AcceptError;
use crate::config::open_files::answers;
use crate::config::options::ServerOptions;
use crate::hub::addresses::{Addresses, AtLimit, Deciding, OpenShare};
use crate::hub::handshakes::Handshakes;
use crate::hub::memory::Memory;
use crate::transport::source::Source;
use crate::transport::throttle::ReadBudget;
use crate::web::denied::Denied;
use crate::web::response::{overloaded, shutting_down, too_many};

/// The permits of a server. Those for handshakes, for upgrades that guards decide on, for answers that are being
/// written, and for open WebSockets are counted apart, so that each kind takes nothing from the others.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) handshakes: Arc<Handshakes>,
    addresses: Arc<Addresses>,
    requests: Arc<Semaphore>,
    #[cfg(all(unix, feature = "service"))]
    most_requests: usize,
    answers: Arc<Semaphore>,
    websockets: Arc<Semaphore>,
    memory: Arc<Memory>,
    wait: Duration,
    retry_after: Duration,
    /// Whether the server shuts down.
    closing: watch::Sender<bool>,
}

/// Returned when it is dropped.
pub(crate) type Permit = OwnedSemaphorePermit;

/// A request for a WebSocket that guards decide on, until this is dropped.
#[derive(Debug)]
pub(crate) struct RequestPermit {
    _of_server: Permit,
    _of_address: Deciding,
}

/// An open WebSocket, until this is dropped.
#[derive(Debug)]
pub(crate) struct OpenPermit {
    _of_server: WebSocketPermit,
    /// `None` where addresses have no limits.
    of_address: Option<Box<OpenShare>>,
}

/// One of the WebSockets of a server, until this is dropped: a `Permit` is larger, as it may be for several.
#[derive(Debug)]
struct WebSocketPermit(Arc<Semaphore>);

impl Drop for WebSocketPermit {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

impl OpenPermit {
    /// What may be read from the WebSockets of the address, if that is limited.
    pub(crate) fn reads(&self) -> Option<&Arc<ReadBudget>> {
        self.of_address.as_ref()?.reads()
    }
}

impl Admission {
    pub(crate) fn new(options: &ServerOptions, memory: Arc<Memory>) -> Self {
        Self {
            handshakes: Handshakes::new(options.handshake_limit()),
            addresses: Addresses::new(options.per_address.clone()),
            requests: Arc::new(Semaphore::new(options.handshake_limit())),
            #[cfg(all(unix, feature = "service"))]
            most_requests: options.handshake_limit(),
            answers: Arc::new(Semaphore::new(answers(options.handshake_limit()))),
            websockets: Arc::new(Semaphore::new(options.connection_limit())),
            memory,
            wait: options.overload_wait,
            retry_after: options.retry_after,
            closing: watch::Sender::new(false),
        }
    }

    /// A permit for a request for a WebSocket of that address, while guards decide on it; or the answer.
    pub(crate) fn request(&self, source: Source) -> Result<RequestPermit, Denied> {
        let too_many = |wait| Self::too_many(wait, "per_address.handshakes_per_second");
        self.addresses.request(source).map_err(too_many)?;
        let free = self.requests.available_permits();
        let of_server = self.requests.clone().try_acquire_owned();
        let of_server = of_server.map_err(|_| self.overloaded(MAX_HANDSHAKES))?;
        let of_address = self.addresses.decide(source, free);
        let of_address = of_address.ok_or_else(|| Self::too_many(self.retry_after, MAX_HANDSHAKES))?;
        Ok(RequestPermit { _of_server: of_server, _of_address: of_address })
    }

    /// Whether opening handshakes are in progress, or requests for a WebSocket are being decided on.
    #[cfg(all(unix, feature = "service"))]
    pub(crate) fn is_deciding(&self) -> bool {
        self.handshakes.any() || self.requests.available_permits() < self.most_requests
    }

    /// A permit for an answer that is no WebSocket, until the peer has taken it; `None` if there are too many.
    pub(crate) fn answer(&self) -> Option<Permit> {
        self.answers.clone().try_acquire_owned().ok()
    }

    /// Whether another WebSocket may open, as far as is known before the guards have decided; or the answer.
    pub(crate) async fn room(&self, source: Source) -> Result<(), Denied> {
        if !self.addresses.has_room(source) {
            return Err(Self::too_many(self.retry_after, MAX_OF_ADDRESS));
        }
        // A permit that is free need not be taken to know that.
        if !*self.closing.borrow() && !self.memory.is_short() && self.websockets.available_permits() > 0 {
            return Ok(());
        }
        self.of_server().await.map(drop)
    }

    /// A permit for an open WebSocket of that address; or the answer, when the address has as many as it may, when the
    /// server shuts down, or when none becomes free in time.
    pub(crate) async fn websocket(&self, source: Source) -> Result<OpenPermit, Denied> {
        let of_address = self.addresses.open(source);
        let of_address = of_address.map_err(|AtLimit| Self::too_many(self.retry_after, MAX_OF_ADDRESS))?;
        Ok(OpenPermit { _of_server: self.of_server().await?, of_address })
    }

    async fn of_server(&self) -> Result<WebSocketPermit, Denied> {
        if *self.closing.borrow() {
            return Err(self.shutting_down());
        }
        if self.memory.is_short() {
            return Err(self.overloaded(MAX_MEMORY));
        }
        let taken = |permit: SemaphorePermit<'_>| {
            permit.forget();
            Ok(WebSocketPermit(self.websockets.clone()))
        };
        // Most need not wait, and so no timer. Nobody is overtaken: while others wait no permit is free.
        if let Ok(permit) = self.websockets.try_acquire() {
            return taken(permit);
        }
        match timeout(self.wait, self.websockets.acquire()).await {
            Ok(Ok(permit)) => taken(permit),
            _ => Err(self.overloaded("max_connections")),
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

    /// 429, as the address has or does too much.
    fn too_many(retry_after: Duration, limit: &'static str) -> Denied {
        Denied::limited(too_many(retry_after), limit)
    }

    /// 503, as this limit leaves no room.
    pub(crate) fn overloaded(&self, limit: &'static str) -> Denied {
        Denied::limited(overloaded(self.retry_after), limit)
    }

    /// 503, as the server shuts down.
    pub(crate) fn shutting_down(&self) -> Denied {
        Denied::because(AcceptError::Closing, shutting_down(self.retry_after))
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

/// The names of settings.
pub(crate) const MAX_MEMORY: &str = "max_memory";
pub(crate) const MAX_HANDSHAKES: &str = "max_handshakes";
const MAX_OF_ADDRESS: &str = "per_address.max_connections";
