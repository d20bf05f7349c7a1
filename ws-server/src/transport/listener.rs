//! Where connections come from.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::net::{TcpListener, TcpSocket, ToSocketAddrs, lookup_host};
use tokio::time::sleep;
use ws_tokio::SendAhead;

use crate::config::options::ServerOptions;
use crate::transport::socket::{Socket as Accepted, is_prepared, prepare, prepare_listener, set_options};

/// A socket that listens: TCP or Unix.
#[derive(Debug)]
pub struct Listener(Socket);

#[derive(Debug)]
enum Socket {
    Tcp {
        listener: TcpListener,
        /// Whether a connection has been found to inherit what is set on the socket that listens. Those that were in the backlog
        /// before that was set do not, and come first.
        inherits: AtomicBool,
    },
    #[cfg(unix)]
    Unix(UnixListener),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self(Socket::Tcp { listener, inherits: AtomicBool::new(false) })
    }
}

/// On Unix only.
#[cfg(unix)]
#[cfg_attr(docsrs, doc(cfg(unix)))]
impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self(Socket::Unix(listener))
    }
}

impl Listener {
    /// Takes the sockets that have been passed to this process: by systemd (`LISTEN_FDS`, sd_listen_fds(3)), or by the server that
    /// it replaces ([`Server::serve_as_service`](crate::Server::serve_as_service)). TCP and Unix sockets can be mixed. The
    /// first call in a process takes them; further calls return none. On Unix only.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for a descriptor that is no socket that listens.
    #[cfg(all(unix, feature = "service"))]
    #[cfg_attr(docsrs, doc(cfg(all(unix, feature = "service"))))]
    #[doc(alias = "LISTEN_FDS")]
    #[doc(alias = "socket activation")]
    pub fn inherited() -> io::Result<Vec<Self>> {
        crate::transport::inherited::take()
    }

    /// Duplicates the descriptor, for another process.
    #[cfg(all(unix, feature = "service"))]
    pub(crate) fn duplicate(&self) -> io::Result<std::os::fd::OwnedFd> {
        use std::os::fd::AsFd as _;
        match &self.0 {
            Socket::Tcp { listener, .. } => listener.as_fd().try_clone_to_owned(),
            Socket::Unix(listener) => listener.as_fd().try_clone_to_owned(),
        }
    }

    /// Returns the address, for a TCP socket.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.0 {
            Socket::Tcp { listener, .. } => listener.local_addr().ok(),
            #[cfg(unix)]
            Socket::Unix(_) => None,
        }
    }

    /// Sets what the connections are to inherit; before the first is accepted.
    pub(crate) fn prepare(&self, options: &ServerOptions) {
        match &self.0 {
            Socket::Tcp { listener, .. } => prepare_listener(listener, options.nodelay),
            #[cfg(unix)]
            Socket::Unix(_) => {}
        }
    }

    /// The next connection. Errors are waited out: they say that the system is short of something, or
    /// that a peer has gone already. `failed` is called for each of the former.
    pub(crate) async fn accept(
        &self,
        options: &ServerOptions,
        failed: impl Fn(),
    ) -> (Accepted, Option<SocketAddr>) {
        until_accepted(failed, || self.try_accept(options)).await
    }

    async fn try_accept(&self, options: &ServerOptions) -> io::Result<(Accepted, Option<SocketAddr>)> {
        match &self.0 {
            Socket::Tcp { listener, inherits } => {
                let (stream, peer) = listener.accept().await?;
                set_options(&stream, &options.tcp);
                if !inherits.load(Relaxed) && is_prepared(&stream, options.nodelay) {
                    inherits.store(true, Relaxed);
                }
                let accepted = match inherits.load(Relaxed) {
                    true => Accepted::Tcp(SendAhead::prepared(stream)),
                    false => prepare(stream, options.nodelay),
                };
                Ok((accepted, Some(peer)))
            }
            #[cfg(unix)]
            Socket::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Accepted::Unix(stream), None))
            }
        }
    }
}

/// Listens on the first of an address's meanings that can be listened on.
pub(crate) async fn listen(address: impl ToSocketAddrs, options: &ServerOptions) -> io::Result<TcpListener> {
    let mut failed = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    for address in lookup_host(address).await? {
        let listening = || {
            let socket = if address.is_ipv6() { TcpSocket::new_v6() } else { TcpSocket::new_v4() }?;
            // A restart must not wait until the old connections are forgotten. Elsewhere than on Unix the option means
            // to take a port that is in use.
            #[cfg(unix)]
            socket.set_reuseaddr(true)?;
            #[cfg(unix)]
            if options.tcp.reuse_port {
                socket.set_reuseport(true)?;
            }
            socket.bind(address)?;
            socket.listen(options.backlog)
        };
        match listening() {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Tries to accept until that succeeds. What concerns one peer is passed over at once; before what concerns the system is
/// tried again there is a pause.
async fn until_accepted<T, F>(failed: impl Fn(), mut attempt: impl FnMut() -> F) -> T
where
    F: Future<Output = io::Result<T>>,
{
    let mut pause = SHORTEST_PAUSE;
    loop {
        match attempt().await {
            Ok(accepted) => return accepted,
            Err(error) if concerns_one_peer(&error) => {}
            Err(error) => {
                failed();
                tracing::warn!(%error, ?pause, "cannot accept connections for now");
                // The connection stays in the backlog: trying again at once would only burn time.
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Whether an error of accept is about the connection that was accepted, not about accepting.
fn concerns_one_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkDown,
        NetworkUnreachable,
    };
    // The last three are errors of the new connection too: accept(2), "Error handling".
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | Interrupted
            | HostUnreachable
            | NetworkDown
            | NetworkUnreachable
    )
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::ready;

    use tokio::time::Instant;

    use super::*;

    #[cfg(any(target_os = "android", target_os = "linux"))]
    #[tokio::test]
    async fn connections_have_their_options_also_if_they_came_before_the_server_began() {
        for nodelay in [true, false] {
            let options = ServerOptions { nodelay, ..ServerOptions::default() };
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let listener = Listener::from(listener);
            let mut clients = Vec::new();
            for turn in 0..4 {
                // Two are in the backlog already.
                if turn == 2 {
                    listener.prepare(&options);
                }
                clients.push(tokio::net::TcpStream::connect(address).await.unwrap());
            }
            for turn in 0..4 {
                let (accepted, _) = listener.try_accept(&options).await.unwrap();
                assert!(is_prepared(accepted.tcp().unwrap(), nodelay), "connection {turn}, {nodelay}");
            }
            let Socket::Tcp { inherits, .. } = &listener.0 else { panic!("a TCP socket") };
            assert!(inherits.load(Relaxed), "the system passes the options on");
        }
    }

    /// Fails in these ways and then accepts; how long that took, and how many failures were counted.
    async fn after(kinds: &[io::ErrorKind]) -> (Duration, u64) {
        let (failed, begin) = (Cell::new(0), Instant::now());
        let mut errors = kinds.iter();
        let attempt = || ready(errors.next().map_or(Ok(()), |kind| Err((*kind).into())));
        until_accepted(|| failed.set(failed.get() + 1), attempt).await;
        (begin.elapsed(), failed.get())
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_disconnected_before_it_was_accepted_does_not_stop_the_listener() {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset, HostUnreachable};
        let kinds = [ConnectionAborted, ConnectionReset, HostUnreachable].repeat(100);
        assert_eq!(after(&kinds).await, (Duration::ZERO, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_from_ten_milliseconds_to_a_second() {
        let (took, failed) = after(&[io::ErrorKind::OutOfMemory; 10]).await;
        // 10 + 20 + … + 640 ms, and three times a second; the clock has a grain of a millisecond.
        assert!((4_270..4_300).contains(&took.as_millis()), "{took:?}");
        assert_eq!(failed, 10);
    }
}
