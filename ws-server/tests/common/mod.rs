//! A server on loopback, and a peer that speaks bytes.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

pub mod budget;
pub mod log;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use ws_server::{Drained, Error, Server, ServerBuilder, ServerOptions, Stats, WebSocket};

/// The key of RFC 6455 section 1.3, and what answers it.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub async fn echo(mut socket: WebSocket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

/// Options that differ from the defaults.
pub fn options(set: impl FnOnce(&mut ServerOptions)) -> ServerOptions {
    let mut options = ServerOptions::default();
    set(&mut options);
    options
}

/// A server that runs until the test ends, or until it is stopped.
pub struct Running {
    pub address: SocketAddr,
    pub stats: Stats,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Drained>,
}

pub async fn run(builder: ServerBuilder) -> Running {
    Running::start(builder.bind("127.0.0.1:0").await.unwrap())
}

impl Running {
    /// Serves with a server that has been built.
    pub fn start(server: Server) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (address, stats) = (server.local_addr().unwrap(), server.stats());
        Self { address, stats, stop: Some(stop), task: tokio::spawn(server.serve_until(stopped)) }
    }

    pub async fn connect(&self) -> Peer {
        Peer(TcpStream::connect(self.address).await.unwrap())
    }

    /// A peer whose opening handshake for `target` is done.
    pub async fn open(&self, target: &str) -> Peer {
        let mut peer = self.connect().await;
        peer.send(opening(target, "")).await;
        let head = peer.head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        peer
    }

    pub fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    pub async fn drained(self) -> Drained {
        soon(self.task).await.unwrap()
    }

    /// Waits for a number to be reached.
    pub async fn until(&self, what: impl Fn(&Stats) -> bool) {
        soon(async {
            while !what(&self.stats) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

/// A peer that writes and reads bytes.
pub struct Peer(pub TcpStream);

impl Peer {
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The bytes up to the empty line that ends a head.
    pub async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon(self.0.read_u8()).await.unwrap_or_else(|e| {
                panic!("{e} after {:?}", String::from_utf8_lossy(&head));
            }));
        }
        String::from_utf8(head).unwrap()
    }

    /// This many bytes.
    pub async fn bytes(&mut self, n: usize) -> Vec<u8> {
        let mut bytes = vec![0; n];
        soon(self.0.read_exact(&mut bytes)).await.unwrap();
        bytes
    }

    /// Everything up to the end of the stream, which must not be a reset.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        soon(self.0.read_to_end(&mut rest)).await.unwrap();
        rest
    }

    pub async fn text(&mut self) -> String {
        String::from_utf8(self.rest().await).unwrap()
    }
}

/// Sends one request and gives everything that comes back.
pub async fn ask(server: &Running, request: impl AsRef<[u8]>) -> String {
    let mut peer = server.connect().await;
    peer.send(request).await;
    peer.text().await
}

/// A GET for `target`.
pub fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// An opening handshake for `target`, with further field lines.
pub fn opening(target: &str, fields: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{fields}\r\n"
    )
}

/// A client's frame, masked with zeros.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    ws_wire::frame(first, payload, Some([0; 4]))
}

/// A server's frame.
pub fn reply(first: u8, payload: &[u8]) -> Vec<u8> {
    ws_wire::frame(first, payload, None)
}

/// Fails the test rather than letting it hang.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), future).await.expect("it takes too long")
}
