//! A network of two ends that does what networks do, as chance says.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::chance::Chance;

/// How bytes travel.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Bytes on their way before a writer has to wait.
    pub room: usize,
    /// Bytes a single read or write moves at most.
    pub grain: usize,
    /// The longest way, in milliseconds.
    pub delay: usize,
    /// Once in so many calls the answer is "not yet" for no reason; 0 for never.
    pub hesitation: usize,
    /// Bytes that a stream keeps to itself until it is flushed, as TLS does.
    pub held: usize,
}

/// The network between two streams. All of its switches wake whoever waits.
#[derive(Debug)]
pub struct Net {
    shape: Shape,
    chance: Chance,
    /// What end 0 sends, and what end 1 sends.
    pipes: [Pipe; 2],
    reset: bool,
    frozen: bool,
    calls: usize,
}

#[derive(Debug, Default)]
struct Pipe {
    flying: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    held: Vec<u8>,
    /// When the reader sees the end of the stream.
    end: Option<Instant>,
    /// Bytes delivered after which it sees the end anyhow.
    cut_after: Option<usize>,
    delivered: usize,
    /// All that was ever written, for the record.
    wire: Vec<u8>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    gone: bool,
}

/// One end.
#[derive(Debug)]
pub struct Stream {
    net: Arc<Mutex<Net>>,
    end: usize,
    arrival: Option<Pin<Box<Sleep>>>,
}

pub fn streams(shape: Shape, chance: Chance) -> (Arc<Mutex<Net>>, [Stream; 2]) {
    let pipes = [Pipe::default(), Pipe::default()];
    let net = Net { shape, chance, pipes, reset: false, frozen: false, calls: 0 };
    let net = Arc::new(Mutex::new(net));
    let stream = |end| Stream { net: Arc::clone(&net), end, arrival: None };
    let both = [stream(0), stream(1)];
    (net, both)
}

impl Net {
    /// Both ends fail; what is on its way is lost.
    pub fn reset(&mut self) {
        self.reset = true;
        self.wake();
    }

    /// Nothing moves until it is undone.
    pub fn freeze(&mut self, frozen: bool) {
        self.frozen = frozen;
        self.wake();
    }

    /// What `end` sends stops after so many bytes: the other sees the end of the stream.
    pub fn cut_after(&mut self, end: usize, bytes: usize) {
        self.pipes[end].cut_after = Some(bytes);
    }

    /// All bytes that `end` ever wrote.
    pub fn wire(&self, end: usize) -> &[u8] {
        &self.pipes[end].wire
    }

    fn wake(&mut self) {
        for pipe in &mut self.pipes {
            [pipe.reader.take(), pipe.writer.take()].into_iter().flatten().for_each(Waker::wake);
        }
    }

    fn hesitates(&mut self, cx: &Context<'_>) -> bool {
        self.calls += 1;
        assert!(self.calls < 20_000_000, "the transport is asked without end");
        let hesitates = self.shape.hesitation > 0 && self.chance.one_in(self.shape.hesitation);
        if hesitates {
            cx.waker().wake_by_ref();
        }
        hesitates
    }

    /// Sends `bytes` of `end`'s on their way, as far as there is room; how many.
    fn launch(&mut self, end: usize, bytes: &[u8]) -> usize {
        let most = 1 + self.chance.below(self.shape.grain);
        let delay = self.chance.below(self.shape.delay + 1) as u64;
        let pipe = &mut self.pipes[end];
        let n = bytes.len().min(most).min(self.shape.room.saturating_sub(pipe.bytes));
        if n > 0 {
            let earliest = pipe.flying.back().map_or_else(Instant::now, |(at, _)| *at);
            let at = earliest.max(Instant::now() + Duration::from_millis(delay));
            pipe.flying.push_back((at, bytes[..n].to_vec()));
            pipe.bytes += n;
            if let Some(reader) = pipe.reader.take() {
                reader.wake();
            }
        }
        n
    }

    /// Lets go of what `end` holds back.
    fn let_go(&mut self, end: usize, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if self.reset || self.pipes[1 - end].gone {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        while !self.pipes[end].held.is_empty() {
            let held = std::mem::take(&mut self.pipes[end].held);
            let n = if self.frozen { 0 } else { self.launch(end, &held) };
            let pipe = &mut self.pipes[end];
            pipe.held = held;
            pipe.held.drain(..n);
            if n == 0 {
                pipe.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { net, end, arrival } = self.get_mut();
        let net = &mut *net.lock().unwrap();
        if net.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if net.hesitates(cx) {
            return Poll::Pending;
        }
        let most = 1 + net.chance.below(net.shape.grain);
        let frozen = net.frozen;
        let pipe = &mut net.pipes[1 - *end];
        let room = pipe.cut_after.map_or(usize::MAX, |cut| cut - pipe.delivered);
        if room == 0 && !frozen {
            return Poll::Ready(Ok(()));
        }
        loop {
            let next = pipe.flying.front().map(|(at, _)| *at).or(pipe.end);
            let Some(at) = next.filter(|_| !frozen) else {
                pipe.reader = Some(cx.waker().clone());
                return Poll::Pending;
            };
            if at > Instant::now() {
                let sleep = arrival.get_or_insert_with(|| Box::pin(sleep_until(at)));
                if sleep.deadline() != at {
                    sleep.as_mut().reset(at);
                }
                pipe.reader = Some(cx.waker().clone());
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                continue;
            }
            let Some((_, bytes)) = pipe.flying.front_mut() else { return Poll::Ready(Ok(())) };
            let n = bytes.len().min(most).min(room).min(buf.remaining());
            buf.put_slice(&bytes[..n]);
            if n == bytes.len() {
                pipe.flying.pop_front();
            } else {
                bytes.drain(..n);
            }
            pipe.bytes -= n;
            pipe.delivered += n;
            if let Some(writer) = pipe.writer.take() {
                writer.wake();
            }
            return Poll::Ready(Ok(()));
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let end = self.end;
        let net = &mut *self.net.lock().unwrap();
        assert!(net.pipes[end].end.is_none(), "end {end} writes after it has shut down");
        if net.reset || net.pipes[1 - end].gone {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if net.hesitates(cx) {
            return Poll::Pending;
        }
        let n = if net.shape.held > 0 {
            if net.pipes[end].held.len() >= net.shape.held && net.let_go(end, cx)?.is_pending() {
                return Poll::Pending;
            }
            let n = buf.len().min(net.shape.held);
            net.pipes[end].held.extend_from_slice(&buf[..n]);
            n
        } else if net.frozen {
            0
        } else {
            net.launch(end, buf)
        };
        net.pipes[end].wire.extend_from_slice(&buf[..n]);
        if n == 0 && !buf.is_empty() {
            net.pipes[end].writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let net = self.net.lock().unwrap();
        let free = net.shape.room.saturating_sub(net.pipes[self.end].bytes);
        let most = net.shape.grain.min(free.max(net.shape.held)).max(1);
        drop(net);
        let mut all = Vec::new();
        for buf in bufs {
            all.extend_from_slice(&buf[..buf.len().min(most - all.len())]);
        }
        self.poll_write(cx, &all)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.net.lock().unwrap().let_go(self.end, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let end = self.end;
        let net = &mut *self.net.lock().unwrap();
        if net.let_go(end, cx)?.is_pending() {
            return Poll::Pending;
        }
        let delay = net.chance.below(net.shape.delay + 1) as u64;
        let pipe = &mut net.pipes[end];
        let last = pipe.flying.back().map_or_else(Instant::now, |(at, _)| *at);
        pipe.end.get_or_insert(last.max(Instant::now() + Duration::from_millis(delay)));
        if let Some(reader) = pipe.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let Ok(mut net) = self.net.lock() else { return };
        let (own, other) = (self.end, 1 - self.end);
        net.pipes[own].gone = true;
        net.pipes[own].end.get_or_insert_with(Instant::now);
        // As TCP does it: closed with something unread, it resets, and the peer loses what it has not read.
        if net.pipes[other].flying.front().is_some_and(|(at, _)| *at <= Instant::now()) {
            net.reset = true;
        }
        net.wake();
    }
}
