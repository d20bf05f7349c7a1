//! What is under a [`Stream`](super::Stream): one of a few types.

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(feature = "tls")]
use tokio_rustls::server::TlsStream;
#[cfg(feature = "http2")]
use ws_tokio::http2::Http2Stream;

use crate::transport::socket::Socket;
#[cfg(feature = "tls")]
use crate::transport::tls::ENCRYPTION_MEMORY;
#[cfg(all(feature = "http2", feature = "tls"))]
use crate::transport::tls::HTTP_2;
#[cfg(feature = "tls")]
use crate::transport::watched::Watched;

/// A socket, perhaps with TLS, or something else.
#[derive(Debug)]
pub(super) enum Transport {
    Plain(Socket),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<Watched<Socket>>>),
    #[cfg(feature = "http2")]
    Http2(Box<Http2Stream>),
    /// Of a type that is not known here, such as what hyper's HTTP server has handed over.
    Custom(Box<dyn Io>),
}

/// What a custom stream can do.
pub(super) trait Io: AsyncRead + AsyncWrite + Debug + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Debug + Send + Sync + Unpin> Io for S {}

impl Transport {
    /// See [`Stream::encryption_memory`](super::Stream::encryption_memory).
    pub(super) fn encryption_memory(&self) -> usize {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(_) => ENCRYPTION_MEMORY,
            _ => 0,
        }
    }

    /// Whether the TLS handshake has agreed on HTTP/2.
    #[cfg(all(feature = "http2", feature = "tls"))]
    pub(super) fn chose_http2(&self) -> bool {
        match self {
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(HTTP_2),
            _ => false,
        }
    }

    /// Whether it encrypts.
    pub(super) fn is_tls(&self) -> bool {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(_) => true,
            _ => false,
        }
    }

    /// The TCP socket, if it is one, or TLS on one.
    pub(super) fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Plain(socket) => socket.tcp(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.get_ref().0.io.tcp(),
            #[cfg(feature = "http2")]
            Self::Http2(_) => None,
            Self::Custom(_) => None,
        }
    }
}

/// Runs a method of whichever transport it is.
macro_rules! each {
    ($transport:expr, $inner:ident => $call:expr) => {
        match $transport {
            Transport::Plain($inner) => $call,
            #[cfg(feature = "tls")]
            Transport::Tls($inner) => $call,
            #[cfg(feature = "http2")]
            Transport::Http2($inner) => $call,
            Transport::Custom($inner) => $call,
        }
    };
}

impl AsyncRead for Transport {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self.get_mut(), io => Pin::new(io).poll_read(context, buffer))
    }
}

impl AsyncWrite for Transport {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), io => Pin::new(io).poll_write(context, bytes))
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), io => Pin::new(io).poll_write_vectored(context, slices))
    }

    #[inline]
    fn is_write_vectored(&self) -> bool {
        each!(self, io => io.is_write_vectored())
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), io => Pin::new(io).poll_flush(context))
    }

    #[inline]
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), io => Pin::new(io).poll_shutdown(context))
    }
}
