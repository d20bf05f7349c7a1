//! The stream under a client's WebSocket: one type for all transports.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
#[cfg(feature = "tls")]
use tokio_rustls::client::TlsStream;
use ws_tokio::SendAhead;
#[cfg(feature = "http2")]
use ws_tokio::http2::Http2Stream;

/// The stream under a client's WebSocket: TCP or a Unix socket, with or without TLS, or a custom stream. It is one type for
/// every way to the server, so that `WebSocket<Stream>` can be named without a generic parameter.
///
/// A [`Connector`](crate::Connector) makes one of its socket with `from`, and of any other stream with
/// [`custom`](Self::custom).
#[doc(alias = "MaybeTlsStream")]
pub struct Stream(Carrier);

/// What carries the bytes.
enum Carrier {
    Tcp(SendAhead<TcpStream>),
    #[cfg(unix)]
    Unix(UnixStream),
    /// Over any of the others. Boxed, because the state of rustls is about a kilobyte.
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<Stream>>),
    /// One of the streams of an HTTP/2 connection over any of the others.
    #[cfg(feature = "http2")]
    Http2(Box<Http2Stream>, Box<Place>),
    Custom(Box<dyn Transport>),
}

/// The place of a stream on an HTTP/2 connection that others share.
#[cfg(feature = "http2")]
pub(crate) struct Place {
    /// Whether the connection is encrypted.
    pub(crate) is_tls: bool,
    /// The version of TLS, if it is encrypted.
    #[cfg(feature = "tls")]
    pub(crate) tls_version: Option<rustls::ProtocolVersion>,
    /// The address at the other end of the connection.
    pub(crate) peer_addr: Option<SocketAddr>,
    /// Kept until the stream is dropped.
    pub(crate) _slot: Box<dyn std::any::Any + Send + Sync>,
}

/// Any byte stream that can carry a WebSocket; implemented for all types that fit.
pub trait Transport: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Transport for T {}

impl Stream {
    /// Wraps a custom stream.
    pub fn custom(stream: impl Transport + 'static) -> Self {
        Self(Carrier::Custom(Box::new(stream)))
    }

    /// Returns whether the bytes are encrypted by this library.
    pub fn is_tls(&self) -> bool {
        match self.0 {
            #[cfg(feature = "tls")]
            Carrier::Tls(_) => true,
            #[cfg(feature = "http2")]
            Carrier::Http2(_, ref place) => place.is_tls,
            _ => false,
        }
    }

    /// Returns the TCP socket, under TLS too, for its addresses and options; `None` on a Unix socket, on a custom stream,
    /// and over HTTP/2, where it is shared.
    pub fn tcp(&self) -> Option<&TcpStream> {
        match &self.0 {
            Carrier::Tcp(stream) => Some(stream.get_ref()),
            #[cfg(feature = "tls")]
            Carrier::Tls(stream) => stream.get_ref().0.tcp(),
            _ => None,
        }
    }

    /// Returns the address at the other end of TCP, under TLS too; that of the proxy when there is one.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        match &self.0 {
            #[cfg(feature = "http2")]
            Carrier::Http2(_, place) => place.peer_addr,
            _ => self.tcp()?.peer_addr().ok(),
        }
    }

    /// Returns the TLS session: the server's certificates, protocol version, ALPN. `None` without TLS, and over HTTP/2,
    /// where the session is shared.
    ///
    /// The type is that of rustls; a new major version of it is one of this crate.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    #[doc(alias = "peer_certificates")]
    pub fn tls(&self) -> Option<&rustls::ClientConnection> {
        match &self.0 {
            Carrier::Tls(stream) => Some(stream.get_ref().1),
            _ => None,
        }
    }

    /// Returns the version of TLS, over HTTP/2 too.
    ///
    /// The type is that of rustls; a new major version of it is one of this crate.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    pub fn tls_version(&self) -> Option<rustls::ProtocolVersion> {
        match &self.0 {
            #[cfg(feature = "http2")]
            Carrier::Http2(_, place) => place.tls_version,
            _ => self.tls()?.protocol_version(),
        }
    }

    /// Wraps a socket of this library's.
    pub(crate) const fn tcp_of(socket: SendAhead<TcpStream>) -> Self {
        Self(Carrier::Tcp(socket))
    }

    /// Wraps what rustls has encrypted.
    #[cfg(feature = "tls")]
    pub(crate) fn encrypted(stream: TlsStream<Self>) -> Self {
        Self(Carrier::Tls(Box::new(stream)))
    }

    /// Wraps a stream of an HTTP/2 connection.
    #[cfg(feature = "http2")]
    pub(crate) fn http2(stream: Http2Stream, place: Place) -> Self {
        Self(Carrier::Http2(Box::new(stream), Box::new(place)))
    }

    /// Whether the server has chosen HTTP/2 by ALPN.
    #[cfg(feature = "http2")]
    pub(crate) fn speaks_http2(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls().is_some_and(|session| session.alpn_protocol() == Some(b"h2"));
        #[cfg(not(feature = "tls"))]
        false
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        // Its options are the caller's.
        Self::tcp_of(SendAhead::untouched(stream))
    }
}

/// On Unix only.
#[cfg(unix)]
#[cfg_attr(docsrs, doc(cfg(unix)))]
impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Self {
        Self(Carrier::Unix(stream))
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Carrier::Tcp(stream) => stream.fmt(f),
            #[cfg(unix)]
            Carrier::Unix(stream) => stream.fmt(f),
            #[cfg(feature = "tls")]
            Carrier::Tls(stream) => f.debug_tuple("Tls").field(stream.get_ref().0).finish(),
            #[cfg(feature = "http2")]
            Carrier::Http2(_, place) => f.debug_tuple("Http2").field(&place.peer_addr).finish(),
            Carrier::Custom(_) => f.write_str("Custom"),
        }
    }
}

/// Calls the same method on each kind of stream.
macro_rules! forward {
    ($carrier:expr, $stream:ident => $call:expr) => {
        match $carrier {
            Carrier::Tcp($stream) => $call,
            #[cfg(unix)]
            Carrier::Unix($stream) => $call,
            #[cfg(feature = "tls")]
            Carrier::Tls($stream) => $call,
            #[cfg(feature = "http2")]
            Carrier::Http2($stream, _) => $call,
            Carrier::Custom($stream) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let carrier = &mut self.get_mut().0;
        forward!(carrier, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let carrier = &mut self.get_mut().0;
        forward!(carrier, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let carrier = &mut self.get_mut().0;
        forward!(carrier, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        forward!(&self.0, stream => stream.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let carrier = &mut self.get_mut().0;
        forward!(carrier, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let carrier = &mut self.get_mut().0;
        forward!(carrier, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
