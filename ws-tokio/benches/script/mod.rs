//! A transport in memory that plays the same batch of messages again and again.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ws_core::mask::MaskKey;
use ws_core::{FrameHeader, OpCode};

/// Gives the same batch of messages again and again, each after a wait; swallows what is written.
pub(crate) struct Script {
    batch: Vec<u8>,
    at: usize,
    waits: bool,
    reads: u64,
}

impl Script {
    /// One that gives `batch` this many times, then ends.
    pub(crate) fn new(batch: Vec<u8>, reads: u64) -> Self {
        Self { batch, at: 0, waits: false, reads }
    }
}

impl AsyncRead for Script {
    // Whether it is inlined is not to depend on what is measured.
    #[inline(always)]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.at == 0 {
            if this.reads == 0 {
                return Poll::Ready(Ok(()));
            }
            this.waits = !this.waits;
            if this.waits {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            this.reads -= 1;
        }
        let rest = &this.batch[this.at..];
        let n = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..n]);
        this.at = (this.at + n) % this.batch.len();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// This many masked binary messages of `size` bytes.
pub(crate) fn batch(size: usize, in_flight: usize) -> Vec<u8> {
    let mask = Some(MaskKey([0x37, 0xFA, 0x21, 0x3D]));
    let header =
        FrameHeader { fin: true, rsv1: false, opcode: OpCode::Binary, mask, payload_len: size as u64 };
    let mut frame = header.encode().to_vec();
    frame.resize(frame.len() + size, 0x55);
    frame.repeat(in_flight)
}
