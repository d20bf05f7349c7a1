//! The async echo, against a transport in memory: what the library costs without the kernel.

use std::borrow::Cow;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ws_core::mask::MaskKey;
use ws_core::{Config, Connection, Event, FrameHeader, OpCode, WebSocket};

/// Gives the same batch of messages again and again, each after a wait; swallows what is written.
struct Script {
    batch: Vec<u8>,
    at: usize,
    waits: bool,
    reads: u64,
}

impl AsyncRead for Script {
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

fn batch(size: usize, in_flight: usize) -> Vec<u8> {
    let mask = Some(MaskKey([0x37, 0xFA, 0x21, 0x3D]));
    let header =
        FrameHeader { fin: true, rsv1: false, opcode: OpCode::Binary, mask, payload_len: size as u64 };
    let mut frame = header.encode().to_vec();
    frame.resize(frame.len() + size, 0x55);
    frame.repeat(in_flight)
}

fn echo(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let config = Arc::new(Config::server());
    let mut group = c.benchmark_group("echo in memory");
    for (size, in_flight) in [(20, 1), (20, 16), (20, 128), (16 << 10, 1), (1 << 20, 1)] {
        group.throughput(Throughput::Elements(in_flight as u64));
        let script = |reads| Script { batch: batch(size, in_flight), at: 0, waits: false, reads };
        let connection = || Connection::server(Arc::clone(&config));
        group.bench_function(BenchmarkId::new(format!("{size} bytes, lent"), in_flight), |b| {
            b.iter_custom(|reads| {
                let mut websocket = WebSocket::new(script(reads), connection(), &[]);
                runtime.block_on(async move {
                    let begin = Instant::now();
                    let echo = |connection: &mut Connection, event: Event<'_>| match event {
                        Event::Binary(Cow::Owned(bytes)) => connection.send(bytes.into()),
                        Event::Binary(bytes) => connection.send_binary(&bytes),
                        _ => Ok(()),
                    };
                    // The script ends without a Close.
                    let _ = websocket.for_each(echo).await;
                    begin.elapsed()
                })
            });
        });
        group.bench_function(BenchmarkId::new(format!("{size} bytes"), in_flight), |b| {
            b.iter_custom(|reads| {
                let mut websocket = WebSocket::new(script(reads), connection(), &[]);
                runtime.block_on(async move {
                    let begin = Instant::now();
                    while let Ok(Some(message)) = websocket.recv().await {
                        if websocket.feed(message).await.is_err() {
                            break;
                        }
                    }
                    begin.elapsed()
                })
            });
        });
    }
}

criterion_group!(benches, echo);
criterion_main!(benches);
