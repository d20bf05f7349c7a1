//! Where connections come from.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
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

/// Whether an error of accept is about the connection that was accepted, not about accepting.
fn concerns_one_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
