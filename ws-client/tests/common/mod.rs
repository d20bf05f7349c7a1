//! Servers written in bytes: each test states exactly what is sent.
#![allow(dead_code, unreachable_pub)]

pub mod memory;
#[cfg(feature = "ring")]
pub mod tls;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use ws_client::ws_core::handshake::accept_key;
use ws_client::{Client, ConnectError, Opened, Options};

/// A server for one connection; the handle returns the result of `script`.
pub async fn server<F, T>(script: impl FnOnce(TcpStream) -> F + Send + 'static) -> (SocketAddr, JoinHandle<T>)
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        script(stream).await
    });
    (address, serving)
}

/// A server that reads the request, answers with the result of `answer`, and then stays silent until the client
/// disconnects. The handle returns the head of the request.
pub async fn answering(
    answer: impl FnOnce(&str) -> Vec<u8> + Send + 'static,
) -> (SocketAddr, JoinHandle<String>) {
    server(|mut stream| async move {
        let head = read_head(&mut stream).await;
        let _ = stream.write_all(&answer(&head)).await;
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        head
    })
    .await
}

/// The result of connecting to a server that answers with these bytes; `{accept}` stands for the right key.
pub async fn connect_to_answer(answer: &str) -> Result<Opened, ConnectError> {
    let answer = answer.to_owned();
    let (address, _) = answering(move |head| answer.replace("{accept}", &accept(head)).into_bytes()).await;
    ws_client::connect(format!("ws://{address}/")).await
}

/// Everything up to and including the empty line.
pub async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// The value of a field in a head.
pub fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The key that accepts this request.
pub fn accept(head: &str) -> String {
    accept_key(field(head, "sec-websocket-key").unwrap().as_bytes())
}

/// A good 101 for this request.
pub fn switching(head: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        accept(head)
    )
    .into_bytes()
}

/// Awaits a future that must not take long: a test that fails is better than one that hangs.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("a future of the test timed out")
}

/// A client whose opening deadline is `timeout`.
pub fn impatient(timeout: Duration) -> Client {
    let mut options = Options::default();
    options.opening_timeout = timeout;
    options.build().unwrap()
}
