//! What goes through all WebSockets of a hub, and when the metrics learn of it.
//!
//! Each WebSocket adds what has changed since its last report to one of several [`Stripe`]s, each time that it is about to wait: an
//! addition costs a few nanoseconds while no other thread adds to the same stripe. Once a second, when they are asked for and at the
//! end the sums go to the recorder, as do the other numbers that change all the time.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use ws_tokio::{Closer, ConnectionId, Observer, Report, TrafficReport};

use crate::hub::memory::{Memory, Share};
use crate::observe::{names, round_trip};

/// The sums of a hub.
#[derive(Debug)]
pub(crate) struct Totals {
    stripes: [Stripe; STRIPES],
    epoch: Instant,
    memory: Arc<Memory>,
    limit: usize,
    recorded: Mutex<Sums>,
    /// Whether there is a task that records.
    is_recording: AtomicBool,
}

/// A part of the sums, on cache lines that no other has.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe {
    messages_sent: AtomicU64,
    messages_received: AtomicU64,
    bytes_sent: AtomicU64,
    bytes_received: AtomicU64,
    queued: AtomicI64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    messages_sent: u64,
    messages_received: u64,
    bytes_sent: u64,
    bytes_received: u64,
    queued: i64,
    memory: usize,
}

impl Totals {
    /// For a server whose connections may hold `limit` bytes of memory.
    pub(crate) fn new(memory: Arc<Memory>, limit: usize) -> Arc<Self> {
        names::describe();
        metrics::gauge!(names::MEMORY_LIMIT).increment(limit as f64);
        Arc::new(Self {
            stripes: Default::default(),
            epoch: Instant::now(),
            memory,
            limit,
            recorded: Mutex::default(),
            is_recording: AtomicBool::new(false),
        })
    }

    /// Begins to record once a second, unless that has begun; in the runtime that this is called in.
    pub(crate) fn begin_to_record(self: &Arc<Self>) {
        if self.is_recording.load(Relaxed) || self.is_recording.swap(true, Relaxed) {
            return;
        }
        let totals = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                sleep(INTERVAL).await;
                let Some(totals) = totals.upgrade() else { return };
                totals.record();
            }
        });
    }

    /// Returns the time since these were made, in nanoseconds.
    pub(crate) fn nanos(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Records the sums as they are now.
    pub(crate) fn record(&self) {
        self.record_change(|now| now);
    }

    fn sums(&self) -> Sums {
        let mut sums = Sums { memory: self.memory.used(), ..Sums::default() };
        for stripe in &self.stripes {
            sums.messages_sent = sums.messages_sent.wrapping_add(stripe.messages_sent.load(Relaxed));
            sums.messages_received =
                sums.messages_received.wrapping_add(stripe.messages_received.load(Relaxed));
            sums.bytes_sent = sums.bytes_sent.wrapping_add(stripe.bytes_sent.load(Relaxed));
            sums.bytes_received = sums.bytes_received.wrapping_add(stripe.bytes_received.load(Relaxed));
            sums.queued = sums.queued.wrapping_add(stripe.queued.load(Relaxed));
        }
        sums
    }

    fn record_change(&self, adapt: impl FnOnce(Sums) -> Sums) {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that no older sums are recorded after newer ones.
        let now = adapt(self.sums());
        let before = std::mem::replace(&mut *recorded, now);
        let count = |name, direction, before: u64, now: u64| {
            metrics::counter!(name, "direction" => direction).increment(now.wrapping_sub(before));
        };
        count(names::MESSAGES, "sent", before.messages_sent, now.messages_sent);
        count(names::MESSAGES, "received", before.messages_received, now.messages_received);
        count(names::BYTES, "sent", before.bytes_sent, now.bytes_sent);
        count(names::BYTES, "received", before.bytes_received, now.bytes_received);
        // Several servers add to the same gauges.
        metrics::gauge!(names::QUEUED).increment((now.queued - before.queued) as f64);
        metrics::gauge!(names::MEMORY_USED).increment(now.memory as f64 - before.memory as f64);
    }
}

impl Drop for Totals {
    fn drop(&mut self) {
        // Nothing is queued any more, and nothing held.
        self.record_change(|now| Sums { queued: 0, memory: 0, ..now });
        metrics::gauge!(names::MEMORY_LIMIT).decrement(self.limit as f64);
    }
}

/// The observer of one WebSocket: its share of the memory, and what goes through it.
#[derive(Debug)]
pub(crate) struct Measured {
    share: Share,
    totals: Arc<Totals>,
    stripe: u8,
    messages_sent: AtomicU64,
    messages_received: AtomicU64,
    bytes_sent: AtomicU64,
    bytes_received: AtomicU64,
    queued: AtomicU32,
    round_trips: AtomicU8,
}

impl Measured {
    pub(crate) fn new(share: Share, totals: &Arc<Totals>, id: ConnectionId) -> Self {
        Self {
            share,
            totals: totals.clone(),
            stripe: u8::try_from(id.get() % STRIPES as u64).unwrap_or(0),
            messages_sent: AtomicU64::new(0),
            messages_received: AtomicU64::new(0),
            bytes_sent: AtomicU64::new(0),
            bytes_received: AtomicU64::new(0),
            queued: AtomicU32::new(0),
            round_trips: AtomicU8::new(0),
        }
    }

    /// Only the connection, or the drop of it, calls this: it is not called twice at a time.
    fn set_queued(&self, queued: u32) {
        let before = self.queued.load(Relaxed);
        if queued != before {
            self.queued.store(queued, Relaxed);
            self.stripe().queued.fetch_add(i64::from(queued) - i64::from(before), Relaxed);
        }
    }

    fn stripe(&self) -> &Stripe {
        &self.totals.stripes[usize::from(self.stripe)]
    }
}

impl Observer for Measured {
    fn observe(&self, report: &Report, closer: &Closer) -> bool {
        self.share.observe(report, closer)
    }

    fn counts_traffic(&self) -> bool {
        true
    }

    fn observe_traffic(&self, report: &TrafficReport) {
        let stripe = self.stripe();
        let count = |seen: &AtomicU64, now: u64, sum: &AtomicU64| {
            let before = seen.load(Relaxed);
            if now != before {
                seen.store(now, Relaxed);
                sum.fetch_add(now.wrapping_sub(before), Relaxed);
            }
        };
        count(&self.messages_sent, report.traffic.messages_sent, &stripe.messages_sent);
        count(&self.messages_received, report.traffic.messages_received, &stripe.messages_received);
        count(&self.bytes_sent, report.traffic.bytes_sent, &stripe.bytes_sent);
        count(&self.bytes_received, report.traffic.bytes_received, &stripe.bytes_received);
        self.set_queued(u32::try_from(report.queued).unwrap_or(u32::MAX));
        if self.round_trips.load(Relaxed) != report.round_trips {
            self.round_trips.store(report.round_trips, Relaxed);
            if let Some(rtt) = report.rtt {
                round_trip(rtt);
            }
        }
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        self.set_queued(0);
    }
}

const STRIPES: usize = 16;
/// How often the sums are recorded.
const INTERVAL: Duration = Duration::from_secs(1);
