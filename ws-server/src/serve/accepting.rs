//! The tasks that accept connections, and how they end.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use tokio::select;
use tokio::sync::watch;
use tokio::task::{JoinSet, yield_now};
#[cfg(all(unix, feature = "service"))]
use tokio::time::timeout_at;
use tokio::time::{sleep, timeout};

use crate::config::options::from_now;
use crate::hub::Hub;
use crate::hub::registry::{Departure, Drained};
use crate::serve::connection::{Arrival, serve};
use crate::serve::state::ServerState;
use crate::transport::listener::Listener;
use crate::transport::peer::Peer;
use crate::transport::source::Source;

/// The tasks that accept connections; dropped, they end, and the listening sockets with them.
pub(crate) struct Accepting {
    state: Arc<ServerState>,
    listeners: JoinSet<()>,
    /// Those that take no connections.
    #[cfg(feature = "tls")]
    _others: JoinSet<()>,
    /// Set when no more connections are to be accepted; when it is dropped, too.
    #[cfg_attr(not(all(unix, feature = "service")), expect(dead_code, reason = "held"))]
    stop: watch::Sender<bool>,
}

impl Accepting {
    /// Accepts connections on all of these.
    pub(crate) fn start(sockets: Vec<Listener>, state: Arc<ServerState>) -> Self {
        let stop = watch::Sender::new(false);
        let mut listeners = JoinSet::new();
        for socket in sockets {
            listeners.spawn(accept_all(socket, state.clone(), stop.subscribe()));
        }
        #[cfg(feature = "tls")]
        let mut _others = JoinSet::new();
        #[cfg(feature = "tls")]
        if let Some(tls) = &state.tls {
            _others.spawn(tls.clone().follow_files());
        }
        Self {
            state,
            listeners,
            #[cfg(feature = "tls")]
            _others,
            stop,
        }
    }

    /// Accepts no more connections, and closes those that are open.
    pub(crate) fn shut_down(mut self, departure: Departure) -> Pin<Box<dyn Future<Output = Drained> + Send>> {
        Box::pin(async move {
            self.listeners.shutdown().await;
            let Hub { admission, options, .. } = &*self.state.hub;
            let mut draining = pin!(self.state.hub.drain(departure));
            let half = HALF_REQUEST_TIME.min(options.drain_timeout / 2);
            let drained = match timeout(half, &mut draining).await {
                Ok(drained) => drained,
                Err(_) => {
                    admission.handshakes.cut_all();
                    draining.await
                }
            };
            tracing::info!(closed = drained.closed, aborted = drained.aborted, "server has shut down");
            drained
        })
    }

    /// The same, as another process accepts on these sockets from now on: what has been accepted is served first. A request
    /// that is on its way to this process would be refused otherwise, and its client would see the restart as a fault.
    #[cfg(all(unix, feature = "service"))]
    pub(crate) async fn make_way(mut self) -> Drained {
        self.stop.send_replace(true);
        let Hub { admission, options, .. } = &*self.state.hub;
        let deadline = from_now(options.handshake.timeout.min(options.drain_timeout / 2));
        let served = async {
            while self.listeners.join_next().await.is_some() {}
            // Between two of the stages of an opening handshake it is in none of them, for less than a turn.
            let mut quiet = 0;
            while quiet < 2 {
                quiet = if admission.is_deciding() { 0 } else { quiet + 1 };
                sleep(LOOK_INTERVAL).await;
            }
        };
        // Those that take longer are slow or hostile.
        let _ = timeout_at(deadline, served).await;
        self.shut_down(Departure::Restart).await
    }
}

/// Accepts connections until `stop` is set.
async fn accept_all(listener: Listener, server: Arc<ServerState>, mut stop: watch::Receiver<bool>) {
    let hub = &server.hub;
    let mut stopped = pin!(stop.wait_for(|stop| *stop));
    let mut in_a_row = 0;
    listener.prepare(&hub.options);
    // tokio is woken by a system call whenever a timer becomes the first to expire, as the one of a connection would on a server
    // with few of them. While connections come, this one is before theirs.
    let mut first_timer = pin!(sleep(FIRST_TIMER));
    let mut is_set = false;
    loop {
        // The handshakes that have begun get their turn before more of them begin: in a burst the number of those at
        // work follows from how fast they are done, and the rest wait in the backlog rather than for their deadline.
        if in_a_row == ACCEPTS_IN_A_ROW {
            in_a_row = 0;
            yield_now().await;
        }
        in_a_row += 1;
        // What has been accepted is seated, or a restart would lose it.
        let (socket, peer) = select! {
            biased;
            accepted = listener.accept(&hub.options, || hub.stats.count_failed_accept()) => accepted,
            _ = &mut stopped => return,
            () = &mut first_timer, if is_set => {
                is_set = false;
                continue;
            }
        };
        if !is_set {
            first_timer.as_mut().reset(from_now(FIRST_TIMER));
            is_set = true;
        }
        // One connection at a time is without a seat, so that their number stays bounded.
        let Some(handshake) = hub.admission.handshakes.seat(Source::of(peer)).await else {
            hub.stats.count_cut_off();
            tracing::debug!(peer = peer.map(tracing::field::display), "cut off: the address floods");
            continue;
        };
        let options = &hub.options.handshake;
        let deadline = from_now(options.timeout);
        let header_deadline = options
            .proxies
            .expects_header_of(peer)
            .then(|| from_now(options.proxies.proxy_protocol_timeout).min(deadline));
        let peer = Peer::new(peer);
        // A shutdown stops this loop before it begins.
        let Some(seat) = hub.connection(peer.id) else { continue };
        let arrival =
            Box::new(Arrival { server: server.clone(), socket, peer, header_deadline, deadline, handshake });
        seat.start(|seat| serve(seat, arrival));
    }
}

/// After this many accepted connections other tasks get a turn.
const ACCEPTS_IN_A_ROW: u32 = 16;
/// How long a timer of the server's is set for when a connection has come: less than those of connections by default.
const FIRST_TIMER: Duration = Duration::from_secs(4);
/// How long a shutdown waits for requests that have begun.
const HALF_REQUEST_TIME: Duration = Duration::from_millis(500);
/// How often a restart looks whether handshakes are in progress.
#[cfg(all(unix, feature = "service"))]
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
