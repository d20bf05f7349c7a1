//! A client that is `h2` and ws-core, without a driver.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use h2::client::{self, SendRequest};
use h2::ext::Protocol;
use h2::{RecvStream, SendStream};
use http::{Request, Response};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use ws_server::ws_core::{CloseFrame, Config, Connection, Event};

use crate::common::{Running, soon};

/// An HTTP/2 connection to a server.
pub(crate) struct Client {
    pub(crate) requests: SendRequest<Bytes>,
    pub(crate) task: JoinHandle<Result<(), h2::Error>>,
}

/// The client's end of a stream whose answer is there.
pub(crate) struct Peer {
    pub(crate) head: Response<()>,
    pub(crate) send: SendStream<Bytes>,
    pub(crate) recv: RecvStream,
}

impl Client {
    pub(crate) async fn connect(server: &Running) -> Self {
        let builder = client::Builder::new();
        Self::with(server, &builder).await
    }

    pub(crate) async fn with(server: &Running, builder: &client::Builder) -> Self {
        let socket = TcpStream::connect(server.address).await.unwrap();
        let (requests, connection) = soon(builder.handshake(socket)).await.unwrap();
        let client = Self { requests, task: tokio::spawn(connection) };
        // RFC 8441 §3: the first SETTINGS permit it.
        soon(async {
            while !client.requests.is_extended_connect_protocol_enabled() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        client
    }

    /// Sends a request that stays open, and waits for the head of the answer.
    pub(crate) async fn ask(&self, request: http::request::Builder) -> Result<Peer, h2::Error> {
        let mut requests = soon(self.requests.clone().ready()).await?;
        let (answer, send) = requests.send_request(request.body(()).unwrap(), false)?;
        let (head, recv) = soon(answer).await?.into_parts();
        Ok(Peer { head: Response::from_parts(head, ()), send, recv })
    }

    /// Sends a whole request; returns the answer.
    pub(crate) async fn get(&self, request: http::request::Builder) -> Response<String> {
        let mut requests = soon(self.requests.clone().ready()).await.unwrap();
        let (answer, _) = requests.send_request(request.body(()).unwrap(), true).unwrap();
        let (head, mut recv) = soon(answer).await.unwrap().into_parts();
        let mut body = Vec::new();
        while let Some(data) = soon(recv.data()).await {
            let data = data.unwrap();
            recv.flow_control().release_capacity(data.len()).unwrap();
            body.extend_from_slice(&data);
        }
        Response::from_parts(head, String::from_utf8(body).unwrap())
    }

    /// Opens a WebSocket.
    pub(crate) async fn open(&self, path: &str) -> Socket {
        let peer = self.ask(connect(path)).await.unwrap();
        assert_eq!(peer.head.status(), 200, "{:?}", peer.head);
        Socket::new(peer)
    }
}

/// An extended CONNECT.
pub(crate) fn connect(path: &str) -> http::request::Builder {
    Request::connect(format!("http://localhost{path}"))
        .extension(Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
}

impl Peer {
    /// Sends all of this, as the windows allow it.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            self.send.reserve_capacity(rest.len().min(16 << 10));
            while self.send.capacity() == 0 {
                soon(poll_fn(|cx| self.send.poll_capacity(cx))).await.unwrap().unwrap();
            }
            let (now, later) = rest.split_at(self.send.capacity().min(rest.len()));
            self.send.send_data(Bytes::copy_from_slice(now), false).unwrap();
            rest = later;
        }
    }

    pub(crate) fn end(&mut self) {
        self.send.send_data(Bytes::new(), true).unwrap();
    }

    /// The next DATA that is not empty; `None` at the end.
    pub(crate) async fn data(&mut self) -> Option<Result<Bytes, h2::Error>> {
        loop {
            let data = match soon(self.recv.data()).await? {
                Ok(data) => data,
                Err(error) => return Some(Err(error)),
            };
            self.recv.flow_control().release_capacity(data.len()).unwrap();
            if !data.is_empty() {
                return Some(Ok(data));
            }
        }
    }

    /// Everything up to the end.
    pub(crate) async fn text(&mut self) -> String {
        let mut all = Vec::new();
        while let Some(data) = self.data().await {
            all.extend_from_slice(&data.unwrap());
        }
        String::from_utf8(all).unwrap()
    }
}

/// A WebSocket of the client.
pub(crate) struct Socket {
    pub(crate) connection: Connection,
    pub(crate) peer: Peer,
    input: Vec<u8>,
}

impl Socket {
    pub(crate) fn new(peer: Peer) -> Self {
        let connection = Connection::client(Arc::new(Config::client()), [7; 32]);
        Self { connection, peer, input: Vec::new() }
    }

    pub(crate) async fn flush(&mut self) {
        while self.connection.output().has_remaining() {
            let mut output = self.connection.output();
            let chunk = output.chunk().to_vec();
            output.advance(chunk.len());
            self.peer.write(&chunk).await;
        }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.connection.send_text(text).unwrap();
        self.flush().await;
    }

    /// The next text.
    pub(crate) async fn recv(&mut self) -> String {
        match self.event().await {
            Some(Ok(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    /// The next text, or a Close; `None` at the end.
    pub(crate) async fn event(&mut self) -> Option<Result<String, Option<CloseFrame>>> {
        loop {
            let mut input = self.input.as_mut_slice();
            let before = input.len();
            let event = match self.connection.receive(&mut input).unwrap() {
                Some(Event::Text(text)) => Some(Ok(text.to_string())),
                Some(Event::Close(close)) => Some(Err(close)),
                Some(_) | None => None,
            };
            let used = before - input.len();
            self.input.drain(..used);
            if event.is_some() {
                return event;
            }
            if used > 0 {
                continue;
            }
            self.input.extend_from_slice(&self.peer.data().await?.unwrap());
        }
    }

    /// Sends a text and waits for its echo.
    pub(crate) async fn echo(&mut self, text: &str) {
        self.send(text).await;
        assert_eq!(self.recv().await, text);
    }
}
