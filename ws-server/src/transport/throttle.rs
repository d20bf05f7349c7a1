//! How fast the WebSockets of one client address are read.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use crate::observe::read_delayed;
use crate::transport::bucket::Bucket;
use crate::transport::frame_count::FrameCount;

/// What may still be read from the WebSockets of one address.
#[derive(Debug)]
pub(crate) struct ReadBudget(Mutex<Buckets>);

#[derive(Debug)]
struct Buckets {
    frames: Option<Bucket>,
    bytes: Option<Bucket>,
}

impl ReadBudget {
    /// A budget of this many frames and bytes per second; `None` is no limit.
    pub(crate) fn new(frames: Option<u32>, bytes: Option<u64>) -> Self {
        let now = Instant::now();
        let frames = frames.map(|rate| Bucket::new(rate.into(), now));
        let bytes = bytes.map(|rate| Bucket::new(rate, now));
        Self(Mutex::new(Buckets { frames, bytes }))
    }

    /// How many bytes may be read now, of which `rest` are of a frame that has begun; or how long to wait.
    fn room(&self, rest: u64) -> Result<usize, Duration> {
        let now = Instant::now();
        let Buckets { frames, bytes } = &*self.0.lock().unwrap_or_else(PoisonError::into_inner);
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

    fn take(&self, frames: u64, bytes: usize) {
        let now = Instant::now();
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = &mut buckets.frames {
            bucket.take(frames, now);
        }
        if let Some(bucket) = &mut buckets.bytes {
            bucket.take(bytes as u64, now);
        }
    }
}

/// The reading of one WebSocket, which waits when the budget of its address is spent.
#[derive(Debug)]
pub(crate) struct Throttle {
    budget: Arc<ReadBudget>,
    frames: FrameCount,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Throttle {
    /// For a WebSocket of which these bytes have been read already.
    pub(crate) fn new(budget: Arc<ReadBudget>, received: &[u8]) -> Self {
        let mut this = Self { budget, frames: FrameCount::default(), waiting: None };
        this.read(received);
        this
    }

    /// Ready with the number of bytes that may be read, at least one.
    pub(crate) fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<usize> {
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
                let budget = Arc::new(ReadBudget::new(Some(50), None));
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
            let budget = Arc::new(ReadBudget::new(None, Some(rate)));
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
        let budget = Arc::new(ReadBudget::new(Some(100), Some(1 << 20)));
        let bytes = frames(200, 5);
        let mut first = stream(&budget, &bytes, 0).await;
        let mut second = stream(&budget, &bytes, 0).await;
        let other = Arc::new(ReadBudget::new(Some(100), Some(1 << 20)));
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
        let budget = Arc::new(ReadBudget::new(Some(1), Some(1)));
        let mut stream = stream(&budget, &frames(4, 0), 0).await;
        let mut byte = [0; 64];
        for _ in 0..24 {
            let begin = Instant::now();
            assert!(stream.read(&mut byte).await.unwrap() > 0);
            assert!(begin.elapsed() <= Duration::from_millis(1_010), "{:?}", begin.elapsed());
        }
    }
}
