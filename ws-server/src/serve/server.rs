//! A server: listeners, routes, and the tasks between.

use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::hub::connections::Connections;
use crate::hub::registry::{Departure, Drained};
use crate::hub::stats::Stats;
use crate::serve::accepting::Accepting;
use crate::serve::builder::ServerBuilder;
#[cfg(all(unix, feature = "service"))]
use crate::serve::service::Service;
use crate::serve::state::ServerState;
use crate::transport::listener::Listener;

/// A WebSocket server that also answers plain HTTP requests on the same port.
///
/// [`Server::builder`] begins one; the crate's page has an example.
pub struct Server {
    pub(super) listeners: Vec<Listener>,
    pub(super) connections: Connections,
    pub(super) state: Arc<ServerState>,
}

impl Server {
    /// Returns a builder with the default options.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// Returns the address of the first TCP listener; with the port that was picked, if it was bound to port 0.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] when there is no TCP listener.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.local_addrs().next().ok_or_else(|| io::ErrorKind::Unsupported.into())
    }

    /// Returns the addresses of all TCP listeners.
    pub fn local_addrs(&self) -> impl Iterator<Item = SocketAddr> {
        self.listeners.iter().filter_map(Listener::local_addr)
    }

    /// Returns the numbers of this server; the handle stays valid while it runs and afterwards.
    pub fn stats(&self) -> Stats {
        self.state.hub.stats.clone()
    }

    /// Returns the open WebSockets of this server, to list them, to send to one and to close one. Without a call of this, and
    /// without a [`connections_page`](ServerBuilder::connections_page), nothing is kept for a list.
    pub fn connections(&self) -> Connections {
        self.state.hub.registry().begin_to_list();
        self.connections.clone()
    }

    /// Serves for ever, or until the future is dropped; that cuts off no connection that is open.
    #[doc(alias("run", "listen"))]
    pub async fn serve(self) {
        self.serve_until(pending::<()>()).await;
    }

    /// Serves until `signal` is ready, then shuts down: takes no more connections, closes the open ones
    /// with 1001 (spread over [`drain_spread`](crate::ServerOptions::drain_spread)), waits until
    /// [`drain_timeout`](crate::ServerOptions::drain_timeout) is over, and cuts off the rest. Requests that guards have not
    /// decided on are answered with 503; those that are not whole after half a second are cut off.
    #[doc(alias = "shutdown")]
    #[doc(alias = "graceful_shutdown")]
    pub async fn serve_until<T>(self, signal: impl Future<Output = T>) -> Drained {
        // What this begins and awaits is compiled with this crate: the future of a generic function is compiled with the
        // program, each time that is built.
        let accepting = Accepting::start(self.listeners, self.state);
        signal.await;
        accepting.shut_down(Departure::End).await
    }

    /// Serves as a service of the system: returns a future to await, during which this holds. On Unix only.
    ///
    /// - Ctrl-C and SIGTERM shut it down, as [`serve_until`](Self::serve_until) does.
    /// - SIGUSR2 restarts it without refusing a connection: the same program, which may have been replaced by a newer one, is
    ///   started with the same arguments and gets the listening sockets. Once it reports that it serves, this process
    ///   accepts no more, serves the requests that it has accepted, closes its WebSockets with 1012 (spread over
    ///   [`drain_spread`](crate::ServerOptions::drain_spread)) and returns. If the new process ends before, or is not ready after 30 s
    ///   and is killed, this one continues, and an event is logged. For the new process to take the sockets it must call
    ///   [`ServerBuilder::bind_or_inherit`] or [`Listener::inherited`], and this method.
    /// - To systemd, or to what else has set `NOTIFY_SOCKET`, it sends `READY=1` with `MAINPID`, `STOPPING=1`, and
    ///   `WATCHDOG=1` twice in the time of `WATCHDOG_USEC`, for as long as the runtime runs tasks.
    ///
    /// From this call on, the three signals do not end the process by themselves. How-to: [run it as a
    /// service](crate::how_to::service).
    ///
    /// # Errors
    /// The system's error, if signals cannot be awaited or the sockets cannot be duplicated for a new process.
    ///
    /// # Panics
    /// Outside a runtime of tokio, or in one without its I/O driver.
    #[cfg(all(unix, feature = "service"))]
    #[cfg_attr(docsrs, doc(cfg(all(unix, feature = "service"))))]
    #[doc(alias = "systemd")]
    #[doc(alias = "sd_notify")]
    #[doc(alias = "SIGUSR2")]
    #[doc(alias = "zero-downtime restart")]
    pub fn serve_as_service(self) -> io::Result<impl Future<Output = Drained> + Send + 'static> {
        Ok(Service::new(self.listeners, self.state)?.serve())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("listeners", &self.listeners).finish_non_exhaustive()
    }
}
