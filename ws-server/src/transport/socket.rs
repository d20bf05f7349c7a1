//! A socket: TCP or Unix.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
#[cfg(any(target_os = "android", target_os = "linux"))]
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::net::{TcpListener, TcpStream};
use ws_tokio::SendAhead;

use crate::config::tcp::TcpOptions;

/// A socket.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(SendAhead<TcpStream>),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// Sets the options of a socket that a WebSocket is to run on.
pub(crate) fn prepare(stream: TcpStream, nodelay: bool) -> Socket {
    if nodelay {
        // This fails only on a connection that is gone; reading reports that.
        let _ = stream.set_nodelay(true);
    }
    Socket::Tcp(SendAhead::new(stream))
}

/// Sets on a socket that listens what the connections that it accepts from now on inherit: two system calls less for each of them.
pub(crate) fn prepare_listener(listener: &TcpListener, nodelay: bool) {
    #[cfg(any(target_os = "android", target_os = "linux"))]
    {
        // `is_prepared` finds out whether it has worked.
        let _ = socket2::SockRef::from(listener).set_tcp_nodelay(nodelay);
        SendAhead::<TcpStream>::prepare(listener);
    }
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    let _ = (listener, nodelay);
}

/// Whether a socket has what [`prepare`] sets.
pub(crate) fn is_prepared(stream: &TcpStream, nodelay: bool) -> bool {
    #[cfg(any(target_os = "android", target_os = "linux"))]
    {
        let nodelay_is = socket2::SockRef::from(stream).tcp_nodelay();
        SendAhead::is_prepared(stream) && nodelay_is.is_ok_and(|is_set| is_set == nodelay)
    }
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    {
        let _ = (stream, nodelay);
        false
    }
}

/// Sets the options of a server's socket, where the system has them.
pub(crate) fn set_options(stream: &TcpStream, options: &TcpOptions) {
    #[cfg(any(target_os = "android", target_os = "linux"))]
    {
        let socket = socket2::SockRef::from(stream);
        // As in `prepare`.
        if let Some(time) = options.keepalive {
            // The system counts whole seconds.
            let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0)).max(1);
            let time = Duration::from_secs(seconds);
            let keepalive = socket2::TcpKeepalive::new().with_time(time).with_interval(time);
            let _ = socket.set_tcp_keepalive(&keepalive);
        }
        if options.user_timeout.is_some() {
            let _ = socket.set_tcp_user_timeout(options.user_timeout);
        }
    }
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    let _ = (stream, options);
}

impl Socket {
    pub(crate) fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(stream) => Some(stream.get_ref()),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }
}

/// Runs a method of whichever socket it is.
macro_rules! socket {
    ($socket:expr, $inner:ident => $call:expr) => {
        match $socket {
            Socket::Tcp($inner) => $call,
            #[cfg(unix)]
            Socket::Unix($inner) => $call,
        }
    };
}

impl Socket {
    /// Waits for the first byte or the end.
    pub(crate) async fn readable(&self) {
        // An error is found by reading.
        let _ = match self {
            Self::Tcp(stream) => stream.get_ref().readable().await,
            #[cfg(unix)]
            Self::Unix(stream) => stream.readable().await,
        };
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        socket!(self.get_mut(), io => Pin::new(io).poll_read(context, buffer))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        socket!(self.get_mut(), io => Pin::new(io).poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        socket!(self.get_mut(), io => Pin::new(io).poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        socket!(self, io => io.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        socket!(self.get_mut(), io => Pin::new(io).poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        socket!(self.get_mut(), io => Pin::new(io).poll_shutdown(context))
    }
}
