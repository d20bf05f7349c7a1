//! A stream of which the beginning has been read already.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// A stream whose first bytes have been read, and are read again.
#[derive(Debug)]
pub(crate) struct Replayed<S> {
    first: Bytes,
    io: S,
}

impl<S> Replayed<S> {
    pub(crate) fn new(first: Vec<u8>, io: S) -> Self {
        Self { first: first.into(), io }
    }
}

/// Reads until it is known whether a stream begins as HTTP/2 does; returns that, and what has been read. Nothing is waited
/// for that a request of HTTP/1.1 does not have.
pub(crate) async fn begins_http2<S>(stream: &mut S, most: usize) -> io::Result<(bool, Vec<u8>)>
where
    S: AsyncRead + Unpin,
{
    let mut first = Vec::with_capacity(FIRST_READ.min(most));
    loop {
        // RFC 9113 §3.4: the connection preface.
        let length = first.len().min(PREFACE.len());
        if first.get(..length) != PREFACE.get(..length) {
            return Ok((false, first));
        }
        if length == PREFACE.len() {
            return Ok((true, first));
        }
        let room = FIRST_READ.min(most).saturating_sub(first.len()) as u64;
        if (&mut *stream).take(room).read_buf(&mut first).await? == 0 {
            return Ok((false, first));
        }
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FIRST_READ: usize = 1024;

impl<S: AsyncRead + Unpin> AsyncRead for Replayed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.io).poll_read(context, buffer);
        }
        let length = self.first.len().min(buffer.remaining());
        if let Some(bytes) = self.first.get(..length) {
            buffer.put_slice(bytes);
        }
        self.first.advance(length);
        if self.first.is_empty() {
            self.first = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Replayed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
