//! The tasks that accept connections, and how they end.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;

use crate::config::options::from_now;
use crate::hub::Hub;
use crate::hub::registry::Drained;
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
}

impl Accepting {
    /// Accepts connections on all of these.
    pub(crate) fn start(sockets: Vec<Listener>, state: Arc<ServerState>) -> Self {
        let mut listeners = JoinSet::new();
        for socket in sockets {
            listeners.spawn(accept_all(socket, state.clone()));
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
        }
    }

    /// Accepts no more connections, and closes those that are open.
    pub(crate) fn shut_down(mut self) -> Pin<Box<dyn Future<Output = Drained> + Send>> {
        Box::pin(async move {
            self.listeners.shutdown().await;
            let Hub { admission, options, .. } = &*self.state.hub;
            let mut draining = pin!(self.state.hub.drain());
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
}

/// Accepts connections for as long as it is polled.
async fn accept_all(listener: Listener, server: Arc<ServerState>) {
    let hub = &server.hub;
    let mut in_a_row = 0;
    loop {
        let (socket, peer) = listener.accept(&hub.options, || hub.stats.count_failed_accept()).await;
        // The handshakes that have begun get their turn before more of them begin: in a burst the number of those at
        // work follows from how fast they are done, and the rest wait in the backlog rather than for their deadline.
        in_a_row += 1;
        if in_a_row == ACCEPTS_IN_A_ROW {
            in_a_row = 0;
            yield_now().await;
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
        let address = peer;
        let peer = Peer::new(address);
        // A shutdown stops this loop before it begins.
        let Some(seat) = hub.connection(peer.id) else { continue };
        let arrival =
            Box::new(Arrival { server: server.clone(), socket, peer, header_deadline, deadline, handshake });
        seat.start(address, None, |seat| serve(seat, arrival));
    }
}

/// After this many accepted connections other tasks get a turn.
const ACCEPTS_IN_A_ROW: u32 = 16;
/// How long a shutdown waits for requests that have begun.
const HALF_REQUEST_TIME: Duration = Duration::from_millis(500);
