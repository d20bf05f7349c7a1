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

/// The stream under a client's WebSocket: TCP or a Unix socket, with or without TLS, or a custom stream. It is one type for
/// every way to the server, so that `WebSocket<Stream>` can be named without a generic parameter.
///
/// A [`Connector`](crate::Connector) makes one of its socket with `from`, and of any other stream with
/// [`custom`](Self::custom).
#[doc(alias = "MaybeTlsStream")]
pub struct Stream(Carrier);

/// What carries the bytes.
enum Carrier {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    /// Over any of the others. Boxed, because the state of rustls is about a kilobyte.
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<Stream>>),
    Custom(Box<dyn Transport>),
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
            _ => false,
        }
    }

    /// Returns the TCP socket, under TLS too, for its addresses and options; `None` on a Unix socket and a custom
    /// stream.
    pub fn tcp(&self) -> Option<&TcpStream> {
        match &self.0 {
            Carrier::Tcp(stream) => Some(stream),
            #[cfg(feature = "tls")]
            Carrier::Tls(stream) => stream.get_ref().0.tcp(),
            _ => None,
        }
    }

    /// Returns the address at the other end of TCP, under TLS too; that of the proxy when there is one.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.tcp()?.peer_addr().ok()
    }

    /// Returns the TLS session: the server's certificates, protocol version, ALPN.
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

    /// Wraps what rustls has encrypted.
    #[cfg(feature = "tls")]
    pub(crate) fn encrypted(stream: TlsStream<Self>) -> Self {
        Self(Carrier::Tls(Box::new(stream)))
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self(Carrier::Tcp(stream))
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
