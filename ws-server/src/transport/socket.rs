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

use crate::config::tcp::TcpOptions;

/// A socket.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// Sets what is to hold for a socket that a WebSocket is to run on.
pub(crate) fn prepare(stream: &TcpStream, nodelay: bool) {
    // Each of them fails only on a connection that is gone; reading reports that.
    if nodelay {
        let _ = stream.set_nodelay(true);
    }
    // What the system has taken cannot be seen any more, and deadlines begin when it has: it takes little ahead.
    #[cfg(any(target_os = "android", target_os = "linux"))]
    let _ = socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT);
}

/// Sets on a socket that listens what the connections that it accepts from now on inherit: two system calls less for each of them.
pub(crate) fn prepare_listener(listener: &TcpListener, nodelay: bool) {
    #[cfg(any(target_os = "android", target_os = "linux"))]
    {
        let socket = socket2::SockRef::from(listener);
        // `is_prepared` finds out whether it has worked.
        let _ = socket.set_tcp_nodelay(nodelay);
        let _ = socket.set_tcp_notsent_lowat(UNSENT);
    }
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    let _ = (listener, nodelay);
}

/// Whether a socket has what [`prepare`] sets.
pub(crate) fn is_prepared(stream: &TcpStream, nodelay: bool) -> bool {
    #[cfg(any(target_os = "android", target_os = "linux"))]
    {
        let socket = socket2::SockRef::from(stream);
        let little = socket.tcp_notsent_lowat().is_ok_and(|bytes| bytes == UNSENT);
        little && socket.tcp_nodelay().is_ok_and(|is_set| is_set == nodelay)
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

/// Bytes that the system takes of a connection before it has sent what it has.
#[cfg(any(target_os = "android", target_os = "linux"))]
const UNSENT: u32 = 32 << 10;

impl Socket {
    pub(crate) fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(stream) => Some(stream),
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
        let _ = socket!(self, io => io.readable().await);
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
