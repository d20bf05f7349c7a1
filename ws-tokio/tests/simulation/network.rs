//! A network of two ends that does what networks do, as chance says.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::chance::Chance;
use super::pipe::{Link, Pipe};

/// How bytes travel.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Bytes on their way before a writer has to wait.
    pub room: usize,
    /// Bytes a single read or write moves at most.
    pub grain: usize,
    /// The longest way, in milliseconds.
    pub delay: usize,
    /// Once in this many calls the answer is "not yet" for no reason; 0 for never.
    pub hesitation: usize,
    /// Bytes that a stream keeps to itself until it is flushed, as TLS does.
    pub held: usize,
    /// What carries the bytes, where it is slow.
    pub link: Option<Link>,
}

/// The network between two streams. Each of its switches wakes all tasks that wait.
#[derive(Debug)]
pub struct Net {
    shape: Shape,
    chance: Chance,
    /// What end 0 sends, and what end 1 sends.
    pipes: [Pipe; 2],
    reset: bool,
    /// When a reset over a slow link arrives: what would arrive later never does.
    reset_at: Option<Instant>,
    frozen: bool,
    calls: usize,
}

/// One end.
#[derive(Debug)]
pub struct Stream {
    net: Arc<Mutex<Net>>,
    end: usize,
    arrival: Option<Pin<Box<Sleep>>>,
    departure: Option<Pin<Box<Sleep>>>,
}

pub fn streams(shape: Shape, chance: Chance) -> (Arc<Mutex<Net>>, [Stream; 2]) {
    let pipes = [Pipe::default(), Pipe::default()];
    let net = Net { shape, chance, pipes, reset: false, reset_at: None, frozen: false, calls: 0 };
    let net = Arc::new(Mutex::new(net));
    let stream = |end| Stream { net: Arc::clone(&net), end, arrival: None, departure: None };
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

    /// What `end` sends stops after this many bytes from now: the other sees the end of the stream.
    pub fn cut_after(&mut self, end: usize, bytes: usize) {
        let pipe = &mut self.pipes[end];
        pipe.cut_after = Some(pipe.delivered + bytes);
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
        let (link, now) = (self.shape.link, Instant::now());
        let pipe = &mut self.pipes[end];
        let free = link.map_or(usize::MAX, |link| pipe.free(link, now));
        let n = bytes.len().min(most).min(self.shape.room.saturating_sub(pipe.bytes)).min(free);
        if n > 0 {
            let earliest = pipe.flying.back().map_or(now, |(at, _)| *at);
            let sent = link.map_or(now, |link| pipe.sent_at.map_or(now, |at| at.max(now)) + link.time(n));
            pipe.sent_at = Some(sent);
            let at = earliest.max(sent + Duration::from_millis(delay));
            if self.pipes[1 - end].gone {
                // The other end is gone: the system that receives the bytes answers with a reset.
                self.reset_by(at + Duration::from_millis(delay));
            }
            let pipe = &mut self.pipes[end];
            pipe.given += n;
            pipe.flying.push_back((at, bytes[..n].to_vec()));
            pipe.bytes += n;
            if let Some(reader) = pipe.reader.take() {
                reader.wake();
            }
        }
        n
    }

    fn reset_by(&mut self, at: Instant) {
        self.reset_at = Some(self.reset_at.map_or(at, |earlier| earlier.min(at)));
        self.wake();
    }

    /// Whether nothing can be written any more. That the other end is gone is seen at once where bytes travel fast.
    fn is_broken(&self, end: usize) -> bool {
        let gone = self.pipes[1 - end].gone && self.shape.link.is_none();
        self.reset || gone || self.reset_at.is_some_and(|at| at <= Instant::now())
    }

    /// Lets go of what `end` holds back.
    fn let_go(&mut self, end: usize, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if self.is_broken(end) {
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

impl Stream {
    /// The system has taken all it takes for now: has the task woken when it has sent some.
    fn wait_for_room(&mut self, cx: &mut Context<'_>) {
        let (net, now) = (self.net.lock().unwrap(), Instant::now());
        let Some(link) = net.shape.link else { return };
        let at = net.pipes[self.end].free_at(link, now);
        drop(net);
        if at <= now {
            // What it waits for is not the link.
            return;
        }
        let sleep = self.departure.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        if sleep.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { net, end, arrival, .. } = self.get_mut();
        let net = &mut *net.lock().unwrap();
        if net.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if net.hesitates(cx) {
            return Poll::Pending;
        }
        let most = 1 + net.chance.below(net.shape.grain);
        let (frozen, reset_at) = (net.frozen, net.reset_at);
        let pipe = &mut net.pipes[1 - *end];
        if let Some(at) = reset_at {
            let before = pipe.flying.len();
            pipe.flying.retain(|(arrives, _)| *arrives <= at);
            pipe.robbed |= pipe.flying.len() < before || pipe.end.is_none_or(|end| end > at);
        }
        let room = pipe.cut_after.map_or(usize::MAX, |cut| cut - pipe.delivered);
        if room == 0 && !frozen {
            return Poll::Ready(Ok(()));
        }
        loop {
            let end = if pipe.robbed { reset_at } else { pipe.end };
            let next = pipe.flying.front().map(|(at, _)| *at).or(end);
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
            let Some((_, bytes)) = pipe.flying.front_mut() else {
                return Poll::Ready(match pipe.robbed {
                    true => Err(io::ErrorKind::ConnectionReset.into()),
                    false => Ok(()),
                });
            };
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
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let answer = self.try_write(cx, buf);
        if answer.is_pending() {
            self.wait_for_room(cx);
        }
        answer
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

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let answer = self.net.lock().unwrap().let_go(self.end, cx);
        if answer.is_pending() {
            self.wait_for_room(cx);
        }
        answer
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let answer = self.try_shutdown(cx);
        if answer.is_pending() {
            self.wait_for_room(cx);
        }
        answer
    }
}

impl Stream {
    fn try_write(&self, cx: &Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let end = self.end;
        let net = &mut *self.net.lock().unwrap();
        assert!(net.pipes[end].end.is_none(), "end {end} writes after it has shut down");
        if net.is_broken(end) {
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

    fn try_shutdown(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
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
        let last = net.pipes[own].flying.back().map(|(at, _)| *at);
        net.pipes[own].gone = true;
        net.pipes[own].end.get_or_insert_with(|| last.unwrap_or_else(Instant::now));
        // As TCP does it: closed with something unread, it resets, and the peer loses what it has not read. What the
        // system has taken is delivered otherwise, unless something arrives here: then it resets too.
        let unread = net.pipes[other].flying.front().map(|(at, _)| *at);
        let delay = Duration::from_millis(net.shape.delay as u64);
        match (unread, net.shape.link) {
            (Some(at), Some(_)) => net.reset_by(at.max(Instant::now()) + delay),
            (Some(at), None) if at <= Instant::now() => net.reset = true,
            _ => {}
        }
        net.wake();
    }
}
