//! An HTTP/2 server, made with the crate h2, that does with each request what a test says.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream};
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use ws_client::ws_tokio::http2::{Http2Stream, Inboxes, Opener};
use ws_client::ws_tokio::{Role, WebSocket};
use ws_client::{Client, Config, HttpVersion, Message, Options, ProxyChoice};

use super::common::soon;

/// A server; it ends with the test.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    log: Arc<Log>,
}

/// What a server counts, and how it behaves.
#[derive(Default)]
pub(crate) struct Log {
    accepted: AtomicUsize,
    open: watch::Sender<usize>,
    /// Makes the connections drain, by GOAWAY.
    drain: Notify,
    /// Drops the connections without a word.
    cut: Notify,
}

/// A request, and the means to answer it.
pub(crate) struct Exchange {
    pub(crate) request: Request<RecvStream>,
    pub(crate) respond: SendResponse<Bytes>,
    opener: Opener,
}

type Handler = Arc<dyn Fn(Exchange) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// A builder of connections that allow WebSockets.
pub(crate) fn allowing() -> Builder {
    let mut builder = Builder::new();
    builder.enable_connect_protocol();
    builder
}

/// A client that speaks HTTP/2 only.
pub(crate) fn client() -> Client {
    options().build().unwrap()
}

pub(crate) fn options() -> Options {
    Options::default().http_version(HttpVersion::Http2).proxy(ProxyChoice::Direct)
}

impl Peer {
    /// A server that allows WebSockets.
    pub(crate) async fn new<F: Future<Output = ()> + Send + 'static>(
        handler: impl Fn(Exchange) -> F + Send + Sync + 'static,
    ) -> Self {
        Self::with(allowing(), handler).await
    }

    /// A server that echoes messages.
    pub(crate) async fn echo() -> Self {
        Self::new(Exchange::echo).await
    }

    pub(crate) async fn with<F: Future<Output = ()> + Send + 'static>(
        builder: Builder,
        handler: impl Fn(Exchange) -> F + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Log::default());
        let served = log.clone();
        let handler: Handler = Arc::new(move |exchange| Box::pin(handler(exchange)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, builder.clone(), handler.clone(), served.clone()));
            }
        });
        Self { address, log }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/chat", self.address)
    }

    /// The number of connections so far.
    pub(crate) fn accepted(&self) -> usize {
        self.log.accepted.load(Ordering::SeqCst)
    }

    /// Waits until this many connections are open.
    pub(crate) async fn until_open(&self, count: usize) {
        soon(self.log.open.subscribe().wait_for(|open| *open == count)).await.unwrap();
    }

    /// Makes the connections drain, by GOAWAY.
    pub(crate) fn drain(&self) {
        self.log.drain.notify_waiters();
    }

    /// Drops the connections.
    pub(crate) fn cut(&self) {
        self.log.cut.notify_waiters();
    }
}

/// Serves an HTTP/2 connection.
async fn serve(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    builder: Builder,
    handler: Handler,
    log: Arc<Log>,
) {
    log.accepted.fetch_add(1, Ordering::SeqCst);
    log.open.send_modify(|open| *open += 1);
    let mut inboxes = Inboxes::new();
    let paced = inboxes.pace(io);
    let opener = inboxes.opener();
    if let Ok(mut connection) = builder.handshake(paced).await {
        loop {
            let accepted = poll_fn(|cx| {
                let polled = connection.poll_accept(cx);
                inboxes.poll_fill(cx);
                polled
            });
            tokio::select! {
                request = accepted => {
                    let Some(Ok((request, respond))) = request else { break };
                    let opener = opener.clone();
                    tokio::spawn(handler(Exchange { request, respond, opener }));
                }
                () = log.drain.notified() => connection.graceful_shutdown(),
                () = log.cut.notified() => break,
            }
        }
        drop(connection);
    }
    log.open.send_modify(|open| *open -= 1);
}

/// The same on one stream that is open already, with the handler that echoes; returns when the connection has ended.
pub(crate) async fn serve_echo(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let handler: Handler = Arc::new(|exchange| Box::pin(exchange.echo()));
    serve(io, allowing(), handler, Arc::default()).await;
}

/// The same with a builder that allows no WebSockets; a request is a fault.
pub(crate) async fn serve_pages(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let handler: Handler = Arc::new(|_| panic!("a request without permission"));
    serve(io, Builder::new(), handler, Arc::default()).await;
}

impl Exchange {
    /// Agrees to a WebSocket.
    pub(crate) fn accept(mut self, response: Response<()>) -> Http2Stream {
        let send = self.respond.send_response(response, false).unwrap();
        self.opener.open(send, self.request.into_body())
    }

    pub(crate) fn websocket(self) -> WebSocket<Http2Stream> {
        WebSocket::from_raw(self.accept(Response::new(())), Role::Server, Config::server()).unwrap()
    }

    /// Echoes messages until the client closes.
    pub(crate) async fn echo(self) {
        let mut websocket = self.websocket();
        while let Ok(Some(message)) = websocket.recv().await {
            if websocket.send(message).await.is_err() {
                break;
            }
        }
    }

    /// Answers with a body, and ends the stream.
    pub(crate) fn answer(mut self, response: Response<()>, body: &'static [u8]) {
        let mut send = self.respond.send_response(response, false).unwrap();
        send.send_data(Bytes::from_static(body), true).unwrap();
    }

    pub(crate) fn reset(mut self, reason: Reason) {
        self.respond.send_reset(reason);
    }

    pub(crate) fn path(&self) -> &str {
        self.request.uri().path()
    }
}

/// Sends a message and expects it back.
pub(crate) async fn ping_pong(websocket: &mut ws_client::WebSocket, text: &str) {
    websocket.send(text).await.unwrap();
    assert_eq!(soon(websocket.recv()).await.unwrap(), Some(Message::text(text)));
}

/// One accepted connection of a server of bytes.
pub(crate) async fn accept(listener: &TcpListener) -> TcpStream {
    soon(listener.accept()).await.unwrap().0
}
