//! A stream that takes a part of a long write at a time.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream of an HTTP/2 connection that hyper has handed over. hyper takes a copy of each write, however long it is, and
/// keeps up to four of them for a peer that does not read: each is of at most [`MOST_AT_ONCE`] bytes here.
#[derive(Debug)]
pub(crate) struct Bounded<S>(S);

impl<S> Bounded<S> {
    pub(crate) const fn new(io: S) -> Self {
        Self(io)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let part = bytes.get(..MOST_AT_ONCE).unwrap_or(bytes);
        Pin::new(&mut self.0).poll_write(context, part)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // Not copied before there is room: hyper is flushed when it takes another write.
        ready!(Pin::new(&mut self.0).poll_flush(context))?;
        // One write, and so one DATA frame, for header and payload.
        let length = slices.iter().fold(0, |sum: usize, slice| sum.saturating_add(slice.len()));
        let mut bytes = Vec::with_capacity(length.min(MOST_AT_ONCE));
        for slice in slices {
            let part = slice.len().min(bytes.capacity().saturating_sub(bytes.len()));
            bytes.extend_from_slice(slice.get(..part).unwrap_or_default());
        }
        Pin::new(&mut self.0).poll_write(context, &bytes)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// The payload of a frame of the size that every peer takes (RFC 9113 section 4.2).
const MOST_AT_ONCE: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_long_write_is_taken_in_parts_and_short_slices_in_one() {
        let (near, mut far) = tokio::io::duplex(1 << 20);
        let mut bounded = Bounded::new(near);
        let long = vec![1; MOST_AT_ONCE + 1];
        assert_eq!(bounded.write(&long).await.unwrap(), MOST_AT_ONCE);
        let slices = [IoSlice::new(&[2; 4]), IoSlice::new(&[]), IoSlice::new(&[3; 5])];
        assert_eq!(bounded.write_vectored(&slices).await.unwrap(), 9);
        let slices = [IoSlice::new(&[4; 4]), IoSlice::new(&long)];
        assert_eq!(bounded.write_vectored(&slices).await.unwrap(), MOST_AT_ONCE);
        drop(bounded);
        let mut all = Vec::new();
        far.read_to_end(&mut all).await.unwrap();
        assert_eq!(all.len(), 2 * MOST_AT_ONCE + 9);
        assert_eq!(all[MOST_AT_ONCE..][..9], [2, 2, 2, 2, 3, 3, 3, 3, 3]);
    }
}
