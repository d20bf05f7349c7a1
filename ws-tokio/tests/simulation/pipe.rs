//! One way of the network: what is on it, and how fast the link carries it.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

/// A slow link, each way. The system accepts bytes ahead of the link: they are on their way, and how far is not visible.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// Bytes a second.
    pub bandwidth: u64,
    /// Bytes that the system takes and has not sent yet, at first.
    pub kernel: usize,
    /// How many it takes at most: for each byte that it sends it takes one more, as TCP does while it finds out how much
    /// the queues between hold; until the link is idle.
    pub deep: usize,
}

/// What one end sends to the other.
#[derive(Debug, Default)]
pub struct Pipe {
    pub flying: VecDeque<(Instant, Vec<u8>)>,
    pub bytes: usize,
    pub held: Vec<u8>,
    /// When a slow link has sent all that the system has taken.
    pub sent_at: Option<Instant>,
    /// Bytes that it has been given since it was idle.
    pub given: usize,
    /// A reset has taken bytes from the reader, or the end of the stream.
    pub robbed: bool,
    /// When the reader sees the end of the stream.
    pub end: Option<Instant>,
    /// Bytes delivered after which it sees the end anyhow.
    pub cut_after: Option<usize>,
    pub delivered: usize,
    /// All that was ever written, for the record.
    pub wire: Vec<u8>,
    pub reader: Option<Waker>,
    pub writer: Option<Waker>,
    pub gone: bool,
}

impl Link {
    /// How long it takes to send `n` bytes.
    pub fn time(self, n: usize) -> Duration {
        Duration::from_nanos(n as u64 * 1_000_000_000 / self.bandwidth)
    }

    /// How many bytes are sent in this time.
    fn bytes(self, time: Duration) -> usize {
        (time.as_nanos() * u128::from(self.bandwidth)).div_ceil(1_000_000_000) as usize
    }
}

impl Pipe {
    /// How many bytes the system takes now. A writer is not woken for little.
    pub fn free(&mut self, link: Link, now: Instant) -> usize {
        let waiting = self.waiting(link, now);
        if waiting == 0 {
            self.given = 0;
        }
        let limit = link.kernel.saturating_add(self.given - waiting.min(self.given)).min(link.deep);
        if limit.saturating_sub(waiting) < link.kernel / 4 { 0 } else { limit - waiting }
    }

    /// Bytes that the system has taken and not sent.
    fn waiting(&self, link: Link, now: Instant) -> usize {
        link.bytes(self.sent_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now)))
    }

    /// When it takes some again; not before it has sent some.
    pub fn free_at(&self, link: Link, now: Instant) -> Instant {
        let waiting = self.waiting(link, now);
        if waiting == 0 {
            now
        } else {
            now + link.time(waiting.min(link.kernel / 8)) + Duration::from_millis(1)
        }
    }
}
