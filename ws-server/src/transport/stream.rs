//! The stream under a server's WebSockets: one type for all transports.

mod transport;

use std::io::{self, IoSlice};
use std::mem;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

#[cfg(feature = "hyper")]
use bytes::Bytes;
#[cfg(feature = "hyper")]
use hyper::upgrade::Upgraded;
#[cfg(feature = "hyper")]
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(feature = "tls")]
use tokio_rustls::server::TlsStream;
#[cfg(feature = "http2")]
use ws_tokio::http2::{Held, Http2Stream};
use ws_tokio::{Closer, ConnectionId, Exclusive, TakeOver};

#[cfg(all(feature = "hyper", feature = "http2"))]
use crate::transport::bounded::Bounded;
use crate::transport::rest::Rest;
use crate::transport::socket::Socket;
#[cfg(feature = "hyper")]
use crate::transport::socket::prepare;
use crate::transport::throttle::Throttle;
#[cfg(feature = "tls")]
use crate::transport::watched::Watched;
use transport::Transport;

/// An open WebSocket. A [`Server`](crate::Server) passes `WebSocket`, on its [`Stream`], to handlers;
/// [`accept`](crate::accept()) gives `WebSocket<S>` on a stream of any type.
///
/// Its methods are those of [`ws_tokio::WebSocket`]: [`recv`](ws_tokio::WebSocket::recv), [`send`](ws_tokio::WebSocket::send),
/// [`close`](ws_tokio::WebSocket::close), [`split`](ws_tokio::WebSocket::split) and more.
pub type WebSocket<S = Stream> = ws_tokio::WebSocket<S>;

/// The receiving half of a [`WebSocket`].
///
/// Its methods are those of [`ws_tokio::Receiver`].
pub type Receiver<S = Stream> = ws_tokio::Receiver<S>;

/// What a server's WebSockets run on: TCP or a Unix socket, with or without TLS, a stream of an HTTP/2 connection, or what
/// another HTTP server has handed over.
#[derive(Debug)]
pub struct Stream {
    /// `None` only after `drop`.
    transport: Option<Transport>,
    /// The write side has been shut down: the last bytes are on their way.
    shut_down: bool,
    /// The peer has shut down its side.
    ended: bool,
    rest: Option<Rest>,
    /// What few streams have.
    beside: Option<Box<Beside>>,
}

/// What few streams have: boxed together, so that the others have one place for it.
#[derive(Debug, Default)]
struct Beside {
    /// There if what may be read is limited.
    throttle: Option<Throttle>,
    #[cfg(feature = "http2")]
    shared: Option<Shared>,
}

/// What is known of the connection that an HTTP/2 stream is a part of.
#[cfg(feature = "http2")]
#[derive(Debug, Clone, Copy)]
struct Shared {
    addr: Option<SocketAddr>,
    secure: bool,
}

impl From<Socket> for Stream {
    fn from(socket: Socket) -> Self {
        Self::new(Transport::Plain(socket))
    }
}

impl Stream {
    /// Returns the number of the connection, for a WebSocket that a handler has been called with; `None` for one of
    /// [`Acceptor::upgrade`](crate::Acceptor), which [`Request::id`](crate::Request::id) has.
    pub fn id(&self) -> Option<ConnectionId> {
        self.rest.as_ref().map(Rest::id)
    }

    /// What TLS holds for it, in bytes of memory; 0 for a stream that shares its connection.
    pub(crate) fn encryption_memory(&self) -> usize {
        self.transport.as_ref().map_or(0, Transport::encryption_memory)
    }

    /// Wraps a stream of any type, so that a WebSocket on it can be passed to functions that take the [`WebSocket`] of a
    /// server: `accept(Stream::custom(io))`.
    ///
    /// ```
    /// # async fn example(io: tokio::io::DuplexStream) -> Result<(), Box<dyn std::error::Error>> {
    /// use ws_server::{Stream, WebSocket};
    ///
    /// let (socket, _request): (WebSocket, _) = ws_server::accept(Stream::custom(io)).await?;
    /// # drop(socket); Ok(()) }
    /// ```
    pub fn custom<S>(stream: S) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Self::new(Transport::Custom(Box::new(Exclusive::new(stream))))
    }

    #[cfg(feature = "tls")]
    pub(crate) fn tls(stream: TlsStream<Watched<Socket>>) -> Self {
        // Boxed: rustls' state is about a kilobyte, and most futures would carry it for nothing.
        Self::new(Transport::Tls(Box::new(stream)))
    }

    /// A stream of an HTTP/2 connection, whose peer has that address; `secure` is whether the connection is encrypted.
    #[cfg(feature = "http2")]
    pub(crate) fn http2(stream: Http2Stream, addr: Option<SocketAddr>, secure: bool) -> Self {
        let mut stream = Self::new(Transport::Http2(Box::new(stream)));
        stream.beside().shared = Some(Shared { addr, secure });
        stream
    }

    /// The count of what a stream of an HTTP/2 connection has taken and not written yet.
    #[cfg(feature = "http2")]
    pub(crate) fn held(&self) -> Option<Held> {
        match &self.transport {
            Some(Transport::Http2(stream)) => Some(stream.held()),
            _ => None,
        }
    }

    /// Whether the TLS handshake has agreed on HTTP/2.
    #[cfg(all(feature = "http2", feature = "tls"))]
    pub(crate) fn chose_http2(&self) -> bool {
        self.transport.as_ref().is_some_and(Transport::chose_http2)
    }

    /// Returns the address of the peer, over HTTP/2 too; `None` on a Unix socket, and where [`tcp`](Self::tcp)
    /// returns none for another reason.
    #[doc(alias = "remote_address")]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        #[cfg(feature = "http2")]
        if let Some(shared) = self.beside.as_ref().and_then(|beside| beside.shared) {
            return shared.addr;
        }
        self.tcp()?.peer_addr().ok()
    }

    /// Whether this server has encrypted the stream with TLS.
    pub fn is_tls(&self) -> bool {
        #[cfg(feature = "http2")]
        if let Some(shared) = self.beside.as_ref().and_then(|beside| beside.shared) {
            return shared.secure;
        }
        self.transport.as_ref().is_some_and(Transport::is_tls)
    }

    /// Returns the TCP socket, under TLS too, for its addresses and options; `None` on a Unix socket, over HTTP/2, where
    /// others share the socket, on a [custom](Self::custom) stream, and where another HTTP server has handed over something else.
    pub fn tcp(&self) -> Option<&TcpStream> {
        self.transport.as_ref()?.tcp()
    }

    /// What hyper hands over, and what it has read of it: the socket itself where it is TCP and nothing else.
    #[cfg(feature = "hyper")]
    pub(crate) fn upgraded(upgraded: Upgraded, nodelay: bool) -> (Self, Bytes) {
        let parts = upgraded.downcast::<TokioIo<TcpStream>>().map(|parts| (parts.io, parts.read_buf));
        // As axum serves.
        #[cfg(feature = "axum")]
        let parts = parts.or_else(|upgraded| {
            let parts = hyper_util::server::conn::auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded);
            parts.map(|parts| (parts.io, parts.read_buf))
        });
        match parts {
            Ok((io, received)) => {
                let stream = io.into_inner();
                (prepare(stream, nodelay).into(), received)
            }
            Err(upgraded) => (Self::custom(TokioIo::new(upgraded)), Bytes::new()),
        }
    }

    /// What hyper hands over of an HTTP/2 connection, whose peer has that address: one of its streams.
    #[cfg(all(feature = "hyper", feature = "http2"))]
    pub(crate) fn upgraded_http2(upgraded: Upgraded, addr: Option<SocketAddr>) -> Self {
        let mut stream = Self::custom(Bounded::new(TokioIo::new(upgraded)));
        stream.beside().shared = Some(Shared { addr, secure: false });
        stream
    }

    fn new(transport: Transport) -> Self {
        Self { transport: Some(transport), shut_down: false, ended: false, rest: None, beside: None }
    }

    /// From now on reads are limited.
    pub(crate) fn throttle(&mut self, throttle: Throttle) {
        self.beside().throttle = Some(throttle);
    }

    /// Reads beyond the limits have the connection closed by `closer`, rather than wait.
    pub(crate) fn close_beyond_limits(&mut self, closer: &Closer) {
        if let Some(throttle) = self.beside.as_mut().and_then(|beside| beside.throttle.as_mut()) {
            throttle.close_beyond(closer);
        }
    }

    fn beside(&mut self) -> &mut Beside {
        self.beside.get_or_insert_default()
    }

    /// Has the task that runs this keep what is left of it, or of the WebSocket on it, when that is dropped.
    pub(crate) fn rest(&mut self, id: ConnectionId) -> Rest {
        self.rest.get_or_insert_with(|| Rest::new(id)).clone()
    }

    pub(crate) fn set_rest(&mut self, rest: Rest) {
        self.rest = Some(rest);
    }

    fn transport(self: Pin<&mut Self>) -> io::Result<&mut Transport> {
        self.get_mut().transport.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl TakeOver for Stream {
    fn take(&mut self) -> Option<Self> {
        // Only the connection's own task can close it later.
        if !self.rest.as_ref()?.is_here() {
            return None;
        }
        let hollow = Self { transport: None, shut_down: false, ended: false, rest: None, beside: None };
        Some(mem::replace(self, hollow))
    }

    fn take_over(mut websocket: WebSocket) {
        if let Some(rest) = websocket.get_mut().rest.take() {
            rest.keep_websocket(websocket);
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.shut_down
            && !self.ended
            && let Some(rest) = self.rest.take()
            && let Some(transport) = self.transport.take()
        {
            let mut stream = Self::new(transport);
            stream.beside = self.beside.take();
            rest.keep_stream(stream);
        }
    }
}

impl Stream {
    fn poll_unlimited(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(self.transport()?).poll_read(context, buffer)
    }

    fn poll_throttled(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
        throttle: &mut Throttle,
    ) -> Poll<io::Result<()>> {
        let room = ready!(throttle.poll_room(context)).min(buffer.remaining());
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(room));
        ready!(Pin::new(self.transport()?).poll_read(context, &mut part))?;
        throttle.read(part.filled());
        let length = part.filled().len();
        buffer.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let mut beside = self.beside.take();
        let result = match beside.as_mut().and_then(|beside| beside.throttle.as_mut()) {
            None => self.as_mut().poll_unlimited(context, buffer),
            Some(throttle) => self.as_mut().poll_throttled(context, buffer, throttle),
        };
        self.beside = beside;
        self.ended = match &result {
            Poll::Pending => false,
            Poll::Ready(Ok(())) => buffer.filled().len() == before && buffer.remaining() > 0,
            Poll::Ready(Err(_)) => true,
        };
        result
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self.transport()?).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.transport()?).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.as_ref().is_some_and(Transport::is_write_vectored)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.transport()?).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shut_down = true;
        Pin::new(self.transport()?).poll_shutdown(context)
    }
}
