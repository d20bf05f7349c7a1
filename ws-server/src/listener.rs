//! Where connections come from.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::net::{TcpListener, TcpSocket, ToSocketAddrs, lookup_host};
use tokio::time::sleep;

use crate::stats::Stats;
use crate::stream::Socket as Accepted;

/// A socket that listens: TCP or Unix.
#[derive(Debug)]
pub struct Listener(Socket);

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self(Socket::Tcp(listener))
    }
}

#[cfg(unix)]
impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self(Socket::Unix(listener))
    }
}

impl Listener {
    /// The address, for a TCP socket.
    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        match &self.0 {
            Socket::Tcp(listener) => listener.local_addr().ok(),
            #[cfg(unix)]
            Socket::Unix(_) => None,
        }
    }

    /// The next connection. Errors are waited out: they say that the system is short of something, or
    /// that a peer has gone already.
    pub(crate) async fn accept(&self, nodelay: bool, stats: &Stats) -> (Accepted, Option<SocketAddr>) {
        let mut pause = SHORTEST_PAUSE;
        loop {
            match self.try_accept(nodelay).await {
                Ok(accepted) => return accepted,
                Err(error) if concerns_one_peer(&error) => {}
                Err(error) => {
                    stats.count_failed_accept();
                    tracing::warn!(%error, ?pause, "cannot accept connections for now");
                    // The connection stays in the backlog: trying again at once would only burn time.
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn try_accept(&self, nodelay: bool) -> io::Result<(Accepted, Option<SocketAddr>)> {
        match &self.0 {
            Socket::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                if nodelay {
                    // It fails only on a connection that is gone; reading will tell.
                    let _ = stream.set_nodelay(true);
                }
                Ok((Accepted::Tcp(stream), Some(peer)))
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
pub(crate) async fn listen(address: impl ToSocketAddrs, backlog: u32) -> io::Result<TcpListener> {
    let mut failed = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    for address in lookup_host(address).await? {
        let listening = || {
            let socket = if address.is_ipv6() { TcpSocket::new_v6() } else { TcpSocket::new_v4() }?;
            // A restart must not wait until the old connections are forgotten. Elsewhere than on Unix the option means
            // to take a port that is in use.
            #[cfg(unix)]
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(backlog)
        };
        match listening() {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Whether an error of accept is about the connection that was accepted, not about accepting.
fn concerns_one_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
