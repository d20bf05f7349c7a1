//! A stream of HTTP/2 as a connection: the bytes of its DATA frames, END_STREAM as the end, RST_STREAM as a reset.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    sync::Notify,
};

use crate::native::target::Wire;

/// The suite's end of a stream.
#[derive(Debug)]
pub(crate) struct Tunnel {
    pipe: DuplexStream,
    ends: Arc<Ends>,
}

/// How the two directions of a stream end.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    /// Why the peer's direction did not end with END_STREAM.
    broken: Mutex<Option<String>>,
    /// Whether the suite ends its direction with RST_STREAM.
    resets: AtomicBool,
    /// Notified when the suite's end is dropped.
    dropped: Notify,
}

impl Ends {
    /// Sets why the peer's direction has ended without END_STREAM.
    pub(crate) fn break_off(&self, why: &str) {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| why.to_owned());
    }

    /// Whether the suite ends its direction with RST_STREAM.
    pub(crate) fn resets(&self) -> bool {
        self.resets.load(Ordering::Relaxed)
    }

    /// Waits until the suite's end is dropped.
    pub(crate) async fn dropped(&self) {
        self.dropped.notified().await;
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.ends.dropped.notify_one();
    }
}

/// How much is buffered between a stream and its connection.
const BUFFER: usize = 64 << 10;

impl Tunnel {
    /// Creates a stream and returns it with the connection's end of it.
    pub(crate) fn new() -> (Self, DuplexStream, Arc<Ends>) {
        let (pipe, far) = tokio::io::duplex(BUFFER);
        let ends = Arc::<Ends>::default();
        (Self { pipe, ends: Arc::clone(&ends) }, far, ends)
    }
}

impl Wire for Tunnel {
    fn arm_reset(&self) {
        self.ends.resets.store(true, Ordering::Relaxed);
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.pipe).poll_read(cx, buf))?;
        let broken = self.ends.broken.lock().unwrap_or_else(PoisonError::into_inner);
        match &*broken {
            Some(why) if buf.filled().len() == before => {
                Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionReset, why.clone())))
            }
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}
