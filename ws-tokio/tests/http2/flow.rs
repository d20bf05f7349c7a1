//! Windows, and what waits inside.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::client;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};

use crate::pair::{WINDOW, connect, pair, pair_with, settle, soon};

#[tokio::test]
async fn several_slices_are_one_frame() {
    let mut pair = pair().await;
    let (mut stream, mut peer) = pair.stream().await;
    let slices = [IoSlice::new(b"one "), IoSlice::new(b"two "), IoSlice::new(b"three")];
    assert!(stream.is_write_vectored());
    assert_eq!(soon(stream.write_vectored(&slices)).await.unwrap(), 13);
    assert_eq!(peer.data().await.unwrap(), "one two three");
}

#[tokio::test]
async fn no_more_is_sent_than_the_window_of_the_peer_has_room_for() {
    let mut pair = pair_with(10, 65_535).await;
    let (mut stream, mut peer) = pair.stream().await;
    let writing = tokio::spawn(async move {
        for byte in 0..25 {
            stream.write_all(&[byte]).await.unwrap();
        }
        stream
    });
    let mut all = Vec::new();
    while all.len() < 25 {
        settle().await;
        // What has arrived, and not yet acknowledged, is never above the window.
        assert!(peer.recv.flow_control().used_capacity() <= 10);
        all.extend_from_slice(&peer.data().await.unwrap());
    }
    assert_eq!(all, (0..25).collect::<Vec<u8>>());
    soon(writing).await.unwrap();
}

#[tokio::test]
async fn a_stream_that_waits_for_its_own_window_leaves_that_of_the_connection_to_the_others() {
    let mut pair = pair_with(50_000, 65_535).await;
    let (mut slow, mut reader_of_slow) = pair.stream().await;
    let (mut fast, mut reader) = pair.stream().await;
    // 15,535 bytes of the connection's window are left, and `slow` has more to send than its own window has.
    let writing = tokio::spawn(async move {
        slow.write_all(&[1; 60_000]).await.unwrap();
        slow
    });
    settle().await;
    assert_eq!(reader_of_slow.recv.flow_control().used_capacity(), 50_000);
    soon(fast.write_all(&[2; 15_535])).await.unwrap();
    assert_eq!(reader.read(15_535).await.len(), 15_535);
    assert_eq!(reader_of_slow.read(60_000).await.len(), 60_000);
    soon(writing).await.unwrap();
}

#[tokio::test]
async fn a_write_that_was_cut_short_has_reserved_nothing_afterwards() {
    // 10,000 bytes of the connection's window are left for two writers.
    let mut pair = pair_with(1 << 20, 65_535).await;
    let (mut filler, _unread) = pair.stream().await;
    soon(filler.write_all(&[0; 55_535])).await.unwrap();
    let (mut first, mut peer) = pair.stream().await;
    // A part of it is sent, and its writer asks for no more.
    assert_eq!(soon(first.write(&[1; 16_000])).await.unwrap(), 10_000);
    assert_eq!(peer.read(10_000).await.len(), 10_000);
    let (mut second, mut peer) = pair.stream().await;
    // What the first reader has read comes back to the connection, and is there for the second.
    soon(second.write_all(&[2; 5_000])).await.unwrap();
    assert_eq!(peer.read(5_000).await, [2; 5_000]);
}

#[tokio::test]
async fn a_reader_that_stands_still_holds_at_most_the_window_and_the_others_flow() {
    let mut pair = pair().await;
    let (mut still, mut sender) = pair.stream().await;
    let sending = tokio::spawn(async move {
        sender.write(&vec![1; 3 * WINDOW as usize]).await;
        sender
    });
    for _ in 0..20 {
        let (mut stream, mut peer) = pair.stream().await;
        peer.write(&[3; 40_000]).await;
        let mut all = vec![0; 40_000];
        soon(stream.read_exact(&mut all)).await.unwrap();
    }
    assert!(!sending.is_finished(), "the window of the stream is {WINDOW}");
    let mut all = vec![0; 3 * WINDOW as usize];
    soon(still.read_exact(&mut all)).await.unwrap();
    assert!(all.iter().all(|&byte| byte == 1));
    soon(sending).await.unwrap();
}

#[tokio::test]
async fn thousands_of_tiny_frames_that_nobody_reads_do_not_end_the_connection() {
    let mut pair = pair().await;
    let mut busy = Vec::new();
    for _ in 0..4 {
        let (stream, mut peer) = pair.stream().await;
        peer.send.reserve_capacity(20_000);
        while peer.send.capacity() < 20_000 {
            soon(poll_fn(|cx| peer.send.poll_capacity(cx))).await.unwrap().unwrap();
        }
        for n in 0..20_000_u32 {
            peer.send.send_data(Bytes::from(vec![n as u8]), false).unwrap();
        }
        busy.push((stream, peer));
    }
    let (mut other, mut peer) = pair.stream().await;
    peer.write(b"still here").await;
    let mut words = [0; 10];
    soon(other.read_exact(&mut words)).await.unwrap();
    for (stream, _peer) in &mut busy {
        let mut all = vec![0; 20_000];
        soon(stream.read_exact(&mut all)).await.unwrap();
        assert!(all.iter().enumerate().all(|(n, &byte)| byte == n as u8));
    }
    assert!(!pair.client_task.is_finished());
}

#[tokio::test]
async fn a_flush_waits_for_the_socket_and_a_write_goes_no_further_than_64_kib_ahead_of_it() {
    let (near, far) = duplex(1 << 10);
    let closed = Arc::new(AtomicBool::new(false));
    let mut builder = client::Builder::new();
    builder.initial_window_size(1 << 20).initial_connection_window_size(1 << 20);
    let mut pair = connect(Gate { io: near, closed: closed.clone() }, far, &builder).await;
    let (mut stream, mut peer) = pair.stream().await;
    settle().await;
    closed.store(true, SeqCst);
    // The pipe is full soon: what is written then waits inside of `h2`.
    let mut taken = 0;
    while let Poll::Ready(written) = poll_write(&mut stream, &[1; 8192]) {
        taken += written.unwrap();
        assert!(taken <= 128 << 10, "{taken} bytes were taken");
        settle().await;
    }
    assert!(taken >= 64 << 10, "{taken} bytes were taken");
    let flushing = tokio::spawn(async move {
        stream.flush().await.unwrap();
        stream
    });
    settle().await;
    assert!(!flushing.is_finished(), "the socket takes nothing");
    closed.store(false, SeqCst);
    assert_eq!(peer.read(taken).await.len(), taken);
    let mut stream = soon(flushing).await.unwrap();
    assert!(poll_write(&mut stream, b"x").is_ready(), "there is room again");
}

fn poll_write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Poll<io::Result<usize>> {
    Pin::new(stream).poll_write(&mut Context::from_waker(Waker::noop()), bytes)
}

/// A pipe that is not read while the gate is closed; its task looks again and again.
pub(crate) struct Gate {
    pub(crate) io: DuplexStream,
    pub(crate) closed: Arc<AtomicBool>,
}

impl AsyncRead for Gate {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.closed.load(SeqCst) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Gate {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
