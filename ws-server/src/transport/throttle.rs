//! How fast the WebSockets of one client address are read.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};
use ws_tokio::Closer;

use crate::config::address_limits::Excess;
use crate::observe::read_delayed;
use crate::transport::bucket::Bucket;
use crate::transport::frame_count::FrameCount;

/// What may still be read from the WebSockets of one address.
#[derive(Debug)]
pub(crate) struct ReadBudget {
    buckets: Mutex<Buckets>,
    excess: Excess,
}

#[derive(Debug)]
struct Buckets {
    frames: Option<Bucket>,
    bytes: Option<Bucket>,
}

impl ReadBudget {
    /// A budget of this many frames and bytes per second; `None` is no limit.
    pub(crate) fn new(frames: Option<u32>, bytes: Option<u64>, excess: Excess) -> Self {
        let now = Instant::now();
        let frames = frames.map(|rate| Bucket::new(rate.into(), now));
        let bytes = bytes.map(|rate| Bucket::new(rate, now));
        Self { buckets: Mutex::new(Buckets { frames, bytes }), excess }
    }

    /// How many bytes may be read now, of which `rest` are of a frame that has begun; or how long to wait.
    fn room(&self, rest: u64) -> Result<usize, Duration> {
        let now = Instant::now();
        let Buckets { frames, bytes } = &*self.buckets();
        let mut room = u64::MAX;
        let mut wait = Duration::ZERO;
        if let Some(frames) = frames {
            // No frame of a client is shorter, so no more begin in these bytes than there are tokens.
            room = rest.saturating_add(frames.available(now).saturating_mul(SHORTEST_FRAME));
            if room == 0 {
                wait = frames.wait_for(1, now);
            }
        }
        if let Some(bytes) = bytes {
            // Not for every byte on its own.
            let least = bytes.per_second().div_ceil(10).min(FEWEST_BYTES);
            let available = bytes.available(now);
            room = room.min(available);
            if available < least {
                wait = wait.max(bytes.wait_for(least, now));
            }
        }
        if wait.is_zero() { Ok(usize::try_from(room).unwrap_or(usize::MAX).max(1)) } else { Err(wait) }
    }

    /// How many bytes may be read now; 0 if nothing may.
    fn allowance(&self, rest: u64) -> usize {
        let now = Instant::now();
        let Buckets { frames, bytes } = &*self.buckets();
        // As above.
        let of_frames =
            |frames: &Bucket| rest.saturating_add(frames.available(now).saturating_mul(SHORTEST_FRAME));
        let frames = frames.as_ref().map_or(u64::MAX, of_frames);
        let bytes = bytes.as_ref().map_or(u64::MAX, |bytes| bytes.available(now));
        usize::try_from(frames.min(bytes)).unwrap_or(usize::MAX)
    }

    fn buckets(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, frames: u64, bytes: usize) {
        let now = Instant::now();
        let mut buckets = self.buckets();
        if let Some(bucket) = &mut buckets.frames {
            bucket.take(frames, now);
        }
        if let Some(bucket) = &mut buckets.bytes {
            bucket.take(bytes as u64, now);
        }
    }
}

/// The reading of one WebSocket, which waits when the budget of its address is spent, or has the WebSocket closed.
#[derive(Debug)]
pub(crate) struct Throttle {
    budget: Arc<ReadBudget>,
    frames: FrameCount,
    waiting: Option<Pin<Box<Sleep>>>,
    /// Closes the WebSocket, if that is what is done about what comes beyond the budget.
    closer: Option<Closer>,
    /// What is read next is beyond the budget.
    is_spent: bool,
    /// Something beyond it has been read: what follows is thrown away.
    is_over: bool,
}

impl Throttle {
    /// For a WebSocket of which these bytes have been read already.
    pub(crate) fn new(budget: Arc<ReadBudget>, received: &[u8]) -> Self {
        let frames = FrameCount::default();
        let mut this = Self { budget, frames, waiting: None, closer: None, is_spent: false, is_over: false };
        this.read(received);
        this
    }

    /// What is read beyond the budget closes the WebSocket, if that is set.
    pub(crate) fn close_beyond(&mut self, closer: &Closer) {
        if self.budget.excess == Excess::Close {
            self.closer = Some(closer.clone());
        }
    }

    /// Ready with the number of bytes that may be read, at least one.
    pub(crate) fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<usize> {
        if self.is_over {
            return Poll::Ready(usize::MAX);
        }
        if self.closer.is_some() {
            let allowance = self.budget.allowance(self.frames.rest());
            self.is_spent = allowance == 0;
            return Poll::Ready(allowance.max(1));
        }
        loop {
            if let Some(waiting) = &mut self.waiting {
                ready!(waiting.as_mut().poll(context));
                self.waiting = None;
            }
            match self.budget.room(self.frames.rest()) {
                Ok(room) => return Poll::Ready(room),
                Err(wait) => {
                    read_delayed();
                    self.waiting = Some(Box::pin(sleep(wait)));
                }
            }
        }
    }

    /// These bytes have been read.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        let frames = self.frames.count(bytes);
        self.budget.take(frames, bytes.len());
        if self.is_spent
            && !bytes.is_empty()
            && let Some(closer) = &self.closer
        {
            closer.fail_over_rate();
            self.is_over = true;
        }
    }
}

/// Two bytes of header and a masking key (RFC 6455 section 5.2).
const SHORTEST_FRAME: u64 = 6;
/// The fewest bytes for which a WebSocket that has waited is read again, unless as many take more than a tenth of a second.
const FEWEST_BYTES: u64 = 4096;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::transport::stream::Stream;

    /// A stream with this budget, from which these bytes can be read, of which `received` have been read already.
    async fn stream(budget: &Arc<ReadBudget>, bytes: &[u8], received: usize) -> Stream {
        let (mut far, near) = tokio::io::duplex(1 << 20);
        far.write_all(&bytes[received..]).await.unwrap();
        let mut stream = Stream::custom(near);
        stream.throttle(Throttle::new(budget.clone(), &bytes[..received]));
        stream
    }

    /// Reads everything, into a buffer of that size; returns how long it takes.
    async fn time(stream: &mut Stream, size: usize) -> (Duration, Vec<u8>) {
        let begin = Instant::now();
        let (mut all, mut buffer) = (Vec::new(), vec![0; size]);
        loop {
            match stream.read(&mut buffer).await.unwrap() {
                0 => return (begin.elapsed(), all),
                length => all.extend_from_slice(&buffer[..length]),
            }
        }
    }

    /// Masked frames with payloads of that length.
    fn frames(count: usize, length: u8) -> Vec<u8> {
        ws_wire::frame(0x82, &vec![7; length.into()], Some([0; 4])).repeat(count)
    }

    #[tokio::test(start_paused = true)]
    async fn frames_beyond_the_rate_of_an_address_are_read_later_whatever_their_size() {
        for (length, received) in [(0, 0), (0, 60), (100, 0), (100, 777)] {
            for size in [10, 1000, 1 << 16] {
                let budget = Arc::new(ReadBudget::new(Some(50), None, Excess::Delay));
                let bytes = frames(300, length);
                let mut stream = stream(&budget, &bytes, received).await;
                let (took, read) = time(&mut stream, size).await;
                assert_eq!(read, bytes[received..]);
                // The burst is read at once, the others at the rate.
                let took = took.as_millis();
                assert!((4_950..5_600).contains(&took), "{took} ms for {length}, {received}, {size}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_beyond_the_rate_of_an_address_are_read_later() {
        for rate in [10, 1000, 100_000] {
            let budget = Arc::new(ReadBudget::new(None, Some(rate), Excess::Delay));
            let bytes = vec![0; usize::try_from(rate).unwrap() * 5];
            let mut stream = stream(&budget, &bytes, 0).await;
            let (took, read) = time(&mut stream, 1 << 16).await;
            assert_eq!(read, bytes);
            let took = took.as_millis();
            assert!((3_900..4_700).contains(&took), "{took} ms at {rate}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn websockets_of_one_address_share_its_rate_and_another_has_its_own() {
        let budget = Arc::new(ReadBudget::new(Some(100), Some(1 << 20), Excess::Delay));
        let bytes = frames(200, 5);
        let mut first = stream(&budget, &bytes, 0).await;
        let mut second = stream(&budget, &bytes, 0).await;
        let other = Arc::new(ReadBudget::new(Some(100), Some(1 << 20), Excess::Delay));
        let mut other = stream(&other, &frames(100, 5), 0).await;
        let (first, second, (quiet, _)) =
            tokio::join!(time(&mut first, 4096), time(&mut second, 4096), time(&mut other, 4096));
        let took = first.0.max(second.0).as_millis();
        assert!((2_900..3_500).contains(&took), "{took} ms for 400 frames");
        // The end of the stream is read with the next token.
        assert!(quiet.as_millis() <= 10, "{quiet:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn no_wait_is_so_long_that_a_peer_seems_dead() {
        // Whatever has been read at once, the next read is after a second at the latest.
        let budget = Arc::new(ReadBudget::new(Some(1), Some(1), Excess::Delay));
        let mut stream = stream(&budget, &frames(4, 0), 0).await;
        let mut byte = [0; 64];
        for _ in 0..24 {
            let begin = Instant::now();
            assert!(stream.read(&mut byte).await.unwrap() > 0);
            assert!(begin.elapsed() <= Duration::from_millis(1_010), "{:?}", begin.elapsed());
        }
    }
}
