//! The memory that all connections hold together, and which of them give way when it is used up.
//!
//! One counter has what is used. Each connection adds to it what it costs by its kind, and each open WebSocket, as its [`Share`],
//! what its last report said, in steps of 4 KiB. WebSockets that hold unfinished input, or output that waits, are ranked by it: one that
//! holds less than 4 KiB, as nearly all do nearly always, takes no lock and is in no list.

mod ranks;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use ws_tokio::{Closer, Observer, Report};

use self::ranks::{Class, Holding, Leaver, Ranks};

/// The memory of all connections of a server.
pub(crate) struct Memory {
    limit: usize,
    used: AtomicUsize,
    ranks: Mutex<Ranks>,
    epoch: Instant,
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0), ranks: Mutex::default(), epoch: Instant::now() })
    }

    /// Returns how many bytes are used.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    /// Whether so much is used that no further WebSocket may open. Those that hold much unfinished input or output that stands still give
    /// way then, if that makes room: a client that is refused finds it when it comes again.
    pub(crate) fn is_short(&self) -> bool {
        if self.used() <= self.limit - self.limit / 8 {
            return false;
        }
        if self.ripe_ranks().could_return() >= self.limit / 8 {
            self.make_room(self.limit - self.limit / 8);
        }
        true
    }

    fn change(&self, before: usize, now: usize) {
        if now < before {
            self.used.fetch_sub(before - now, Relaxed);
        } else if now > before {
            let more = now - before;
            if self.used.fetch_add(more, Relaxed).saturating_add(more) > self.limit {
                self.make_room(self.limit);
            }
        }
    }

    /// Has WebSockets give way, those that hold most first, until three quarters of the limit will be used; unless no more than `most` will
    /// be, once those have given way that have been asked to.
    fn make_room(&self, most: usize) {
        let mut leavers = Vec::new();
        {
            let mut ranks = self.ripe_ranks();
            let mut left = self.used().saturating_sub(ranks.returning());
            if left <= most {
                return;
            }
            while left > self.limit / 4 * 3 && leavers.len() < AT_ONCE {
                let Some(leaver) = ranks.leave() else { break };
                left = left.saturating_sub(leaver.bytes);
                leavers.push(leaver);
            }
        }
        if !leavers.is_empty() {
            let (used, max_memory) = (self.used(), self.limit);
            let not_reading = leavers.iter().filter(|leaver| leaver.stands_still).count();
            tracing::warn!(used, max_memory, closing = leavers.len(), not_reading, "memory is short");
        }
        // Without the lock, as this wakes tasks.
        leavers.iter().for_each(Leaver::give_way);
    }

    /// Whether a WebSocket with unfinished input of this class is to give way at once: more is used than those free in time that have been
    /// asked to, because others have their turn before them, and it is as large as one of these.
    fn is_beyond_all(&self, class: Class) -> bool {
        self.used() > self.limit.saturating_add(self.limit / 8)
            && self.ranks().least_leaving().is_some_and(|least| class >= least)
    }

    /// The ranks, with those among them whose output has stood still for long enough.
    fn ripe_ranks(&self) -> MutexGuard<'_, Ranks> {
        let still =
            if self.used() > self.limit.saturating_add(self.limit / 4) { STILL_IN_NEED } else { STILL };
        let mut ranks = self.ranks();
        if let Some(since) = Instant::now().checked_sub(still) {
            ranks.ripen(since);
        }
        ranks
    }

    fn ranks(&self) -> MutexGuard<'_, Ranks> {
        self.ranks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a number that changes every quarter of a second.
    fn tick(&self) -> u8 {
        u8::try_from(self.epoch.elapsed().as_millis() / TICK % 256).unwrap_or(0)
    }
}

/// What a connection costs that is no WebSocket yet, or has several; returned when this is dropped.
pub(crate) struct Cost {
    memory: Arc<Memory>,
    bytes: usize,
}

impl Cost {
    pub(crate) fn new(memory: &Arc<Memory>, bytes: usize) -> Self {
        memory.change(0, bytes);
        Self { memory: memory.clone(), bytes }
    }
}

impl Drop for Cost {
    fn drop(&mut self) {
        self.memory.change(self.bytes, 0);
    }
}

/// What one open WebSocket holds; returned when this is dropped, which its connection does when that is dropped.
pub(crate) struct Share {
    memory: Arc<Memory>,
    /// What its WebSocket holds, in steps.
    steps: AtomicU32,
    /// What its connection costs beside, in KiB.
    base: u16,
    /// The classes of its unfinished input and, times sixteen, of its output; 0 if it has no rank.
    classes: AtomicU8,
    /// When its output was noted last to have moved.
    tick: AtomicU8,
}

impl Share {
    /// For a WebSocket whose connection costs `base` bytes beside.
    pub(crate) fn new(memory: &Arc<Memory>, base: usize) -> Self {
        let base = u16::try_from(base >> 10).unwrap_or(u16::MAX);
        memory.change(0, usize::from(base) << 10);
        let (classes, tick) = (AtomicU8::new(0), AtomicU8::new(0));
        Self { memory: memory.clone(), steps: AtomicU32::new(0), base, classes, tick }
    }

    fn set_held(&self, steps: u32) {
        let before = self.steps.swap(steps, Relaxed);
        self.memory.change(before as usize * STEP, steps as usize * STEP);
    }

    /// Only the connection, or the drop of it, calls this: it is not called twice at a time.
    fn set_holding(&self, holding: Holding, closer: &Closer) {
        let (input, output) = holding.classes();
        let classes = input | output << 4;
        let has_changed = self.classes.swap(classes, Relaxed) != classes;
        // That it moves is noted now and then.
        let moves = holding.has_moved && output > 0 && {
            let tick = self.memory.tick();
            self.tick.swap(tick, Relaxed) != tick
        };
        if has_changed || moves {
            self.memory.ranks().set(self.key(), holding, Instant::now(), closer);
        }
    }

    /// It is boxed, and so does not move.
    fn key(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn input_class(&self) -> Class {
        self.classes.load(Relaxed) & 15
    }
}

impl Observer for Share {
    fn observe(&self, report: &Report, closer: &Closer) -> bool {
        let lost = lost_beside(report.unfinished);
        let held = report.memory.total().saturating_add(lost).div_ceil(STEP);
        let held = u32::try_from(held).unwrap_or(u32::MAX);
        let before = self.steps.load(Relaxed);
        // What is returned is returned before it is no longer expected, and what is taken is ranked before it is looked for: otherwise more
        // than is needed would give way.
        if held < before {
            self.set_held(held);
        }
        let (unfinished, output) = (report.unfinished.saturating_add(lost), report.memory.queued);
        self.set_holding(Holding { unfinished, output, has_moved: report.has_written }, closer);
        if held > before {
            self.set_held(held);
        }
        let class = self.input_class();
        class > 0 && self.memory.is_beyond_all(class)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set_held(0);
        if *self.classes.get_mut() > 0 {
            self.memory.ranks().remove(self.key());
        }
        self.memory.change(usize::from(self.base) << 10, 0);
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("used", &self.used())
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Share").field("steps", &self.steps).finish_non_exhaustive()
    }
}

/// What unfinished input of this size costs beside: the allocator cannot use again all that lies between messages that have grown side by
/// side, each of them moved several times. With ten thousand of them, glibc and two threads, a process had up to 1.8 times the memory that
/// they held.
fn lost_beside(unfinished: usize) -> usize {
    if unfinished < STEP { 0 } else { unfinished / 2 }
}

/// What a connection costs beside what its WebSocket holds: its task, its handler, its place in lists.
pub(crate) const CONNECTION: usize = 2 << 10;
/// What `h2` holds for a connection: its buffers and the tables of header fields.
#[cfg(feature = "http2")]
pub(crate) const HTTP_2: usize = 16 << 10;

/// What is held counts in steps of this many bytes.
const STEP: usize = 4 << 10;
/// At most this many WebSockets are asked to give way at one time, so that the lock is not kept for long.
const AT_ONCE: usize = 1024;
/// Output of which the transport has taken no byte for this long counts as that of a peer that does not read.
const STILL: Duration = Duration::from_secs(5);
/// The same while more than one and a quarter times the limit is used.
const STILL_IN_NEED: Duration = Duration::from_secs(1);
/// In milliseconds.
const TICK: u128 = 250;
