//! One HTTP/2 connection: the handle of the pool, what its WebSockets share, and the task that drives it.

use std::fmt;
use std::future::{Future as _, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Connection, SendRequest};
use h2::{Ping, PingPong, RecvStream, SendStream};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};
use ws_tokio::http2::{Http2Stream, Inboxes, Opener, Paced};

use super::origin::Origin;
use crate::deadline::from_now;
use crate::http2_config::Http2Config;
use crate::stream::{Place, Stream};

/// An open HTTP/2 connection.
pub(crate) struct Link {
    requests: SendRequest<Bytes>,
    shared: Arc<Shared>,
}

/// What a connection's task, the pool and the WebSockets share.
pub(crate) struct Shared {
    /// Where the connection is shared; weak, so that the connection does not keep the pool.
    origin: Weak<Origin>,
    /// The number of WebSockets, those that are being opened included.
    websockets: AtomicUsize,
    /// Whether an attempt has waited for an answer in vain, and no byte has proved since that the server is there.
    doubtful: AtomicBool,
    /// For the task: `websockets` has become zero, or `doubtful` true.
    changed: Notify,
    opener: Opener,
    is_tls: bool,
    #[cfg(feature = "tls")]
    tls_version: Option<rustls::ProtocolVersion>,
    peer_addr: Option<SocketAddr>,
}

/// The place of one WebSocket on a connection; dropping it makes room for another.
pub(crate) struct Slot(Arc<Shared>);

/// A place on a connection, and the handle to use it.
pub(crate) struct Lease {
    pub(crate) requests: SendRequest<Bytes>,
    pub(crate) slot: Slot,
}

impl Link {
    /// Begins an HTTP/2 connection, waits for the server's first SETTINGS, and returns the connection with a place on it.
    pub(crate) async fn open(
        stream: Stream,
        config: &Http2Config,
        origin: &Arc<Origin>,
    ) -> Result<(Self, Lease), Option<h2::Error>> {
        let (is_tls, peer_addr) = (stream.is_tls(), stream.peer_addr());
        #[cfg(feature = "tls")]
        let tls_version = stream.tls_version();
        let mut builder = config.builder();
        builder.initial_max_send_streams(BEFORE_SETTINGS);
        let inboxes = Inboxes::new();
        let (requests, connection) = builder.handshake(inboxes.pace(stream)).await?;
        let shared = Arc::new(Shared {
            origin: Arc::downgrade(origin),
            websockets: AtomicUsize::new(1),
            doubtful: AtomicBool::new(false),
            changed: Notify::new(),
            opener: inboxes.opener(),
            is_tls,
            #[cfg(feature = "tls")]
            tls_version,
            peer_addr,
        });
        let lease = Lease { requests: requests.clone(), slot: Slot(shared.clone()) };
        let (settled, settings) = oneshot::channel();
        let running = Running { connection, inboxes, settled: Some(settled) };
        tokio::spawn(drive(running, shared.clone(), config.idle_timeout));
        match settings.await {
            Ok(Ok(())) => Ok((Self { requests, shared }, lease)),
            Ok(Err(error)) => Err(error),
            // The runtime is being shut down.
            Err(_) => Err(None),
        }
    }

    /// Whether the server allows WebSockets (RFC 8441 section 3).
    pub(crate) fn allows_websockets(&self) -> bool {
        self.requests.is_extended_connect_protocol_enabled()
    }

    /// Returns a place on the connection if there is one.
    pub(super) fn lease(&self) -> Option<Lease> {
        // RFC 9113 §5.1.2: a stream above the server's limit would be refused.
        let limit = self.requests.current_max_send_streams();
        let free = self.shared.websockets.load(Ordering::Relaxed) < limit;
        let sure = !self.shared.doubtful.load(Ordering::Relaxed);
        (free && sure && self.allows_websockets()).then(|| {
            self.shared.websockets.fetch_add(1, Ordering::Relaxed);
            Lease { requests: self.requests.clone(), slot: Slot(self.shared.clone()) }
        })
    }

    /// Whether requests can be sent: the connection is not broken, and the server has sent no GOAWAY.
    pub(super) fn is_open(&mut self) -> bool {
        let polled = self.requests.poll_ready(&mut Context::from_waker(Waker::noop()));
        !matches!(polled, Poll::Ready(Err(_)))
    }

    pub(super) fn is(&self, shared: &Arc<Shared>) -> bool {
        Arc::ptr_eq(&self.shared, shared)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("websockets", &self.shared.websockets).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn is_idle(&self) -> bool {
        self.websockets.load(Ordering::Relaxed) == 0
    }
}

impl Slot {
    /// Returns a stream of the connection as the stream under a WebSocket, which keeps the place.
    pub(crate) fn carry(self, stream: Http2Stream) -> Stream {
        let place = Place {
            is_tls: self.0.is_tls,
            #[cfg(feature = "tls")]
            tls_version: self.0.tls_version,
            peer_addr: self.0.peer_addr,
            _slot: Box::new(self),
        };
        Stream::http2(stream, place)
    }

    /// Returns a stream of the connection as a stream of bytes.
    pub(crate) fn stream(&self, send: SendStream<Bytes>, receive: RecvStream) -> Http2Stream {
        self.0.opener.open(send, receive)
    }

    /// Takes the connection out of the pool.
    pub(crate) fn leave_pool(&self) {
        self.0.leave_pool();
    }

    /// Uses the connection for no other WebSocket until the server has answered a PING.
    pub(crate) fn doubt(&self) {
        self.0.doubtful.store(true, Ordering::Relaxed);
        self.0.changed.notify_one();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.0.websockets.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.changed.notify_one();
        }
    }
}

impl Shared {
    /// Takes the connection out of the pool unless it is in use again. Returns whether it is out.
    fn retire(self: &Arc<Self>) -> bool {
        self.origin.upgrade().is_none_or(|origin| origin.remove_idle(self))
    }

    fn leave_pool(self: &Arc<Self>) {
        if let Some(origin) = self.origin.upgrade() {
            origin.remove(self);
        }
    }
}

/// What runs a connection. The inboxes are dropped after the connection, so that its streams end with its error.
struct Running {
    connection: Connection<Paced<Stream>, Bytes>,
    inboxes: Inboxes,
    /// For the attempt that has begun the connection: the server's first SETTINGS have arrived, or will not.
    settled: Option<oneshot::Sender<Result<(), Option<h2::Error>>>>,
}

/// Drives a connection until it has ended.
async fn drive(mut running: Running, shared: Arc<Shared>, idle_timeout: Duration) {
    let mut pings = running.connection.ping_pong();
    let mut pinging = false;
    // What the end of `idle` means: the connection leaves the pool, and then that it does not end by itself.
    let (mut idle, mut retired) = (None, false);
    loop {
        match (shared.is_idle(), idle) {
            (true, None) => idle = Some(from_now(if retired { CLOSING } else { idle_timeout })),
            (false, Some(_)) => idle = None,
            _ => {}
        }
        if let Some(pings) = &mut pings
            && shared.doubtful.load(Ordering::Relaxed)
            && !pinging
        {
            pinging = pings.send_ping(Ping::opaque()).is_ok();
        }
        tokio::select! {
            // In this order: what has arrived decides about the rest.
            biased;
            () = poll_fn(|cx| running.poll(cx)) => break,
            () = shared.changed.notified() => {}
            () = pong(&mut pings), if pinging => {
                pinging = false;
                shared.doubtful.store(false, Ordering::Relaxed);
            }
            () = sleep_until(idle.unwrap_or_else(Instant::now)), if idle.is_some() => {
                if retired {
                    break;
                }
                // Without a reference to it the connection says GOAWAY and ends by itself.
                retired = shared.retire();
                idle = None;
            }
        }
    }
    shared.leave_pool();
}

impl Running {
    /// Runs the connection to its end.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let polled = Pin::new(&mut self.connection).poll(cx);
        self.inboxes.poll_fill(cx);
        // RFC 8441 §3: nothing is sent before the server's SETTINGS have arrived.
        if self.connection.max_concurrent_send_streams() != BEFORE_SETTINGS {
            self.settle(Ok(()));
        }
        polled.map(|result| {
            if let Err(error) = &result {
                tracing::debug!(%error, "HTTP/2 connection ended");
            }
            self.settle(Err(result.err()));
        })
    }

    fn settle(&mut self, result: Result<(), Option<h2::Error>>) {
        if let Some(settled) = self.settled.take() {
            // An attempt that was dropped does not wait any more.
            let _ = settled.send(result);
        }
    }
}

/// Waits for the answer to the PING that was sent.
async fn pong(pings: &mut Option<PingPong>) {
    match pings {
        // An error is that of the connection, which ends by it.
        Some(pings) => drop(poll_fn(|cx| pings.poll_pong(cx)).await),
        None => std::future::pending().await,
    }
}

/// The limit of streams until the server's first SETTINGS, by which it is recognised that they have arrived: they set it to the
/// server's own, or to `usize::MAX`.
const BEFORE_SETTINGS: usize = usize::MAX - 1;

/// The time for a connection that nothing uses any more to send what it has queued, GOAWAY at last.
const CLOSING: Duration = Duration::from_secs(5);
