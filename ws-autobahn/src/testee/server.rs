//! ws-server as the tested server: an echo server on the loopback interface.

use std::net::SocketAddr;

use tokio::sync::oneshot;
use ws_server::{Config, Endpoint, WebSocket, deflate};

/// A running server, which shuts down when this value is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    _running: oneshot::Sender<()>,
}

impl Server {
    /// Starts a server on a port that the system chooses.
    ///
    /// # Errors
    /// The server cannot listen.
    pub(crate) async fn start() -> Result<Self, String> {
        let endpoint = Endpoint::new(echo).connection(config()).deflate(compression());
        let server = ws_server::Server::builder().endpoint("/", endpoint);
        let server = server.bind(("127.0.0.1", 0)).await.map_err(|e| e.to_string())?;
        let address = server.local_addr().map_err(|e| e.to_string())?;
        let (running, dropped) = oneshot::channel();
        tokio::spawn(server.serve_until(dropped));
        Ok(Self { address, _running: running })
    }

    /// Returns the address on which it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn echo(mut socket: WebSocket) -> Result<(), ws_server::Error> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

/// The defaults, except where the suite exceeds them or allows no unexpected frames.
fn config() -> Config {
    let mut config = Config::server();
    // 9.1.6 and 9.2.6: messages of 16 MiB.
    config.max_message_size = 16 << 20;
    config.keepalive = None;
    config
}

/// The defaults, except that every message is compressed, however short.
fn compression() -> deflate::Config {
    let mut config = deflate::Config::server();
    config.threshold = 0;
    config
}
