//! A bridge between HTTP/1.1 and HTTP/2 (RFC 8441), by which Autobahn's suite, which speaks HTTP/1.1 only, tests ws-server
//! and ws-client over HTTP/2.
//!
//! ```text
//! server role:  wstest ── HTTP/1.1 ──▶ Bridge::to_http2 ── HTTP/2 ──▶ ws-server
//! client role:  ws-client ── HTTP/2 ──▶ Bridge::to_http1 ── HTTP/1.1 ──▶ wstest
//! ```
//!
//! Only the opening handshake is translated. The bytes after it are passed on as they arrive, and so are the ends of a
//! connection: FIN is END_STREAM and RST is RST_STREAM, in both directions. The bridge is built on the crate `h2` alone and shares
//! no code with ws-tokio's streams.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

mod heads;
mod relay;
#[cfg(test)]
mod tests;
mod to_http1;
mod to_http2;

/// A running bridge on the loopback interface, which ends with its connections when this value is dropped.
#[derive(Debug)]
pub(crate) struct Bridge {
    address: SocketAddr,
    counts: Arc<Counts>,
    running: JoinHandle<()>,
}

/// What a bridge has passed on.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    websockets: AtomicUsize,
    connections: AtomicUsize,
}

impl Bridge {
    /// Starts a bridge that accepts WebSockets over HTTP/1.1 and passes them on to `server` over HTTP/2 without TLS, on one
    /// connection for as long as it lives.
    ///
    /// # Errors
    /// No port is free.
    pub(crate) async fn to_http2(server: SocketAddr) -> io::Result<Self> {
        Self::start(|listener, counts| to_http2::run(listener, server, counts)).await
    }

    /// Starts a bridge that accepts WebSockets over HTTP/2 without TLS and passes them on to `server` over HTTP/1.1.
    ///
    /// # Errors
    /// No port is free.
    pub(crate) async fn to_http1(server: SocketAddr) -> io::Result<Self> {
        Self::start(|listener, counts| to_http1::run(listener, server, counts)).await
    }

    async fn start<F: Future<Output = ()> + Send + 'static>(
        run: impl FnOnce(TcpListener, Arc<Counts>) -> F,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (address, counts) = (listener.local_addr()?, Arc::new(Counts::default()));
        let running = tokio::spawn(run(listener, Arc::clone(&counts)));
        Ok(Self { address, counts, running })
    }

    /// Returns the address on which it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns how many WebSockets have been opened, and on how many HTTP/2 connections.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.counts.websockets.load(Relaxed), self.counts.connections.load(Relaxed))
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        // The task owns those of its connections.
        self.running.abort();
    }
}

async fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect(server).await?;
    // What arrives in pieces is passed on in pieces.
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

/// The window of each stream and of each connection: large enough that flow control of the bridge delays nothing.
const WINDOW: u32 = 4 << 20;
/// `h2` ends a connection on which many small DATA frames wait. That is no property of the tested implementation.
const DATA_FRAME_BUDGET: usize = usize::MAX >> 1;
