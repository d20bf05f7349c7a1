//! How much the system takes of a TCP connection ahead of what it can send.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::has_budget_remaining;

use self::link::Link;

mod link;
mod system;
#[cfg(all(test, any(target_os = "android", target_os = "linux")))]
mod tests;

/// A TCP socket of which the system takes 32 KiB ahead (`TCP_NOTSENT_LOWAT`), and more of a large write while the link proves to
/// be fast. Where the system has no such option, this changes nothing.
///
/// Deadlines for the peer begin when the system has taken bytes, and it does not report when it sends them: so it is to take
/// few ahead. At 32 KiB a message of 1 MiB is taken in pieces, with a wake-up before each. So while the `Link` is fast a large
/// write may take `MUCH`, all but its last bytes (`REST`). Those are refused until fewer than 16 KiB are unsent, or until a further
/// large write has them at its beginning, which takes `MUCH` again, and no more is unsent then. A ping and a Close are the last of
/// what is written with them, so when one of them counts as written it has no more before it than on a slow link, whatever the link
/// does meanwhile: 32 KiB and a segment.
pub struct SendAhead<S> {
    socket: S,
    link: Link,
}

impl<S: system::Socket> SendAhead<S> {
    /// Wraps a socket, and sets the option on it.
    pub fn new(socket: S) -> Self {
        let link = if system::set(&socket, LITTLE) { Link::new() } else { Link::unknown() };
        Self { socket, link }
    }

    /// Wraps a socket that has the option from its [listener](Self::prepare).
    pub const fn prepared(socket: S) -> Self {
        Self { socket, link: Link::new() }
    }

    /// Sets the option on a socket that listens, for the connections that it accepts from now on: a system call less for each
    /// of them. [`is_prepared`](Self::is_prepared) finds out whether that has worked.
    pub fn prepare(listener: &impl system::Socket) {
        system::set(listener, LITTLE);
    }

    /// Whether a socket has what [`new`](Self::new) sets.
    pub fn is_prepared(socket: &S) -> bool {
        system::get(socket) == Some(LITTLE)
    }
}

impl<S> SendAhead<S> {
    /// Wraps a socket whose option is its owner's.
    pub const fn untouched(socket: S) -> Self {
        Self { socket, link: Link::unknown() }
    }

    /// The socket.
    pub const fn get_ref(&self) -> &S {
        &self.socket
    }

    #[inline]
    fn wrote(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Pending => self.refused(),
            Poll::Ready(Ok(_)) if self.link.waits() => self.link.took(system::now()),
            Poll::Ready(_) => {}
        }
        written
    }

    // Apart, so that what each write asks is compiled into its caller.
    #[cold]
    fn refused(&mut self) {
        // Without a budget tokio refuses for a socket that may have room: that its task continues soon proves nothing.
        if !self.link.waits() && has_budget_remaining() {
            self.link.refused(system::now());
        }
    }
}

impl<S: AsyncWrite + system::Socket + Unpin> SendAhead<S> {
    /// Writes while the system takes [`MUCH`].
    fn with_much(
        &mut self,
        write: impl FnOnce(Pin<&mut S>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        // What the owner of the socket has set stays.
        let raised = system::get(&self.socket) == Some(LITTLE) && system::set(&self.socket, MUCH);
        let written = write(Pin::new(&mut self.socket));
        if raised {
            // This fails only on a connection that is gone.
            system::set(&self.socket, LITTLE);
        }
        written
    }

    #[inline(never)]
    fn poll_large(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let all = bytes.len().saturating_sub(REST);
        self.with_much(|socket| socket.poll_write(context, bytes.get(..all).unwrap_or_default()))
    }

    #[inline(never)]
    fn poll_large_vectored(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
        length: usize,
    ) -> Poll<io::Result<usize>> {
        let (mut parts, mut used, mut left) = ([IoSlice::new(&[]); SLICES], 0, length.saturating_sub(REST));
        for (slice, part) in slices.iter().zip(&mut parts) {
            let bytes = slice.get(..left).unwrap_or(slice);
            *part = IoSlice::new(bytes);
            used += 1;
            left -= bytes.len();
        }
        self.with_much(|socket| socket.poll_write_vectored(context, parts.get(..used).unwrap_or_default()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for SendAhead<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + system::Socket + Unpin> AsyncWrite for SendAhead<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = match bytes.len() >= LARGE && self.link.is_fast(system::now) {
            false => Pin::new(&mut self.socket).poll_write(context, bytes),
            true => self.poll_large(context, bytes),
        };
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let is_fast = self.link.is_fast(system::now);
        let length = if is_fast { slices.iter().map(|slice| slice.len()).sum() } else { 0 };
        let written = match length >= LARGE {
            false => Pin::new(&mut self.socket).poll_write_vectored(context, slices),
            true => self.poll_large_vectored(context, slices, length),
        };
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

impl<S: fmt::Debug> fmt::Debug for SendAhead<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt(f)
    }
}

/// Bytes that the system takes before it has sent what it has: a second's worth at 256 kbit/s.
const LITTLE: u32 = 32 << 10;

/// Bytes that it takes of a large write on a fast link: nearly all of 1 MiB, with what is sent at once. Should the link fall to
/// 256 kbit/s then, they are on their way in 24 s, while nothing else is seen to be written: less than the default of
/// `write_timeout`, 30 s.
const MUCH: u32 = 768 << 10;

/// Writes that are worth the two system calls. What TLS and HTTP/2 write at a time is less.
const LARGE: usize = 128 << 10;

/// What is not written with the rest of a large write. The system looks at how much is unsent only when it begins a segment,
/// and adds to one that has room whatever the option is: this is more than fits into one.
const REST: usize = 64 << 10;

/// The most slices of a large write.
const SLICES: usize = 64;
