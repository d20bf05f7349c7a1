//! The memory that all connections hold together, and which of them give way when it is used up.
//!
//! One counter has what is used. Each connection adds to it what it costs by its kind, and each open WebSocket, as its [`Share`],
//! what its last report said, in steps of 4 KiB. WebSockets that hold unfinished input are ranked by it, in classes of powers of two:
//! one that holds less than 4 KiB, as nearly all do nearly always, takes no lock and is in no list.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ws_tokio::{Closer, Observer, Report};

/// The memory of all connections of a server.
pub(crate) struct Memory {
    limit: usize,
    used: AtomicUsize,
    ranks: Mutex<Ranks>,
}

/// The WebSockets that hold unfinished input.
#[derive(Default)]
struct Ranks {
    /// The first holds most, and of its class has done so for longest: one whose input goes on passes through the classes.
    order: BTreeMap<Rank, Candidate>,
    /// Those that have been asked to give way and have not done so, with what they will return.
    leaving: BTreeMap<Rank, usize>,
    /// The numbers of both, by where their shares lie: most have none, and a share has no place for it.
    numbers: HashMap<usize, u64>,
    /// What the former hold, and the latter.
    unfinished: usize,
    returning: usize,
    next: u64,
}

/// The class of what is held, and a number that counts up.
type Rank = (Reverse<u8>, u64);

struct Candidate {
    closer: Closer,
    unfinished: usize,
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0), ranks: Mutex::default() })
    }

    /// How many bytes are used.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    /// Whether so much is used that no further WebSocket may open. Those that hold much unfinished input give way then, if that
    /// makes room: a client that is refused finds it when it comes again.
    pub(crate) fn is_short(&self) -> bool {
        if self.used() <= self.limit - self.limit / 8 {
            return false;
        }
        if self.ranks().unfinished >= self.limit / 8 {
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

    /// Has WebSockets give way, those with the most unfinished input first, until three quarters of the limit will be used; unless no
    /// more than `most` will be, once those have given way that have been asked to.
    fn make_room(&self, most: usize) {
        let mut closers = Vec::new();
        {
            let mut ranks = self.ranks();
            let mut left = self.used().saturating_sub(ranks.returning);
            if left <= most {
                return;
            }
            while left > self.limit / 4 * 3 && closers.len() < AT_ONCE {
                let Some((rank, Candidate { closer, unfinished })) = ranks.order.pop_first() else { break };
                left = left.saturating_sub(unfinished);
                ranks.unfinished = ranks.unfinished.saturating_sub(unfinished);
                ranks.returning = ranks.returning.saturating_add(unfinished);
                ranks.leaving.insert(rank, unfinished);
                closers.push(closer);
            }
        }
        if !closers.is_empty() {
            let (used, max_memory) = (self.used(), self.limit);
            tracing::warn!(used, max_memory, closing = closers.len(), "memory is short");
        }
        // Without the lock, as this wakes tasks.
        closers.iter().for_each(Closer::give_way);
    }

    /// Whether a WebSocket with unfinished input of this class is to give way at once: more is used than those free in time that have been
    /// asked to, because others have their turn before them, and it is as large as one of these.
    fn is_beyond_all(&self, class: u8) -> bool {
        self.used() > self.limit.saturating_add(self.limit / 8)
            && self.ranks().leaving.last_key_value().is_some_and(|((Reverse(least), _), _)| class >= *least)
    }

    fn ranks(&self) -> MutexGuard<'_, Ranks> {
        self.ranks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ranks {
    fn insert(&mut self, key: usize, class: u8, candidate: Candidate) {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.unfinished = self.unfinished.saturating_add(candidate.unfinished);
        self.numbers.insert(key, number);
        self.order.insert((Reverse(class), number), candidate);
    }

    fn remove(&mut self, key: usize, class: u8) {
        let Some(number) = self.numbers.remove(&key) else { return };
        let rank = (Reverse(class), number);
        if let Some(Candidate { unfinished, .. }) = self.order.remove(&rank) {
            self.unfinished = self.unfinished.saturating_sub(unfinished);
        } else if let Some(unfinished) = self.leaving.remove(&rank) {
            self.returning = self.returning.saturating_sub(unfinished);
        }
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
    /// The class of its rank; 0 for none.
    class: AtomicU8,
}

impl Share {
    /// For a WebSocket whose connection costs `base` bytes beside.
    pub(crate) fn new(memory: &Arc<Memory>, base: usize) -> Self {
        let base = u16::try_from(base >> 10).unwrap_or(u16::MAX);
        memory.change(0, usize::from(base) << 10);
        Self { memory: memory.clone(), steps: AtomicU32::new(0), base, class: AtomicU8::new(0) }
    }

    fn set_held(&self, steps: u32) {
        let before = self.steps.swap(steps, Relaxed);
        self.memory.change(before as usize * STEP, steps as usize * STEP);
    }

    /// Only the connection, or the drop of it, calls this: it is not called twice at a time.
    fn set_unfinished(&self, unfinished: usize, closer: Option<&Closer>) {
        let class = unfinished.checked_ilog2().filter(|log| *log >= STEP.ilog2());
        let class = class.and_then(|log| u8::try_from(log).ok()).unwrap_or(0);
        let before = self.class.swap(class, Relaxed);
        if class == before {
            return;
        }
        // It is boxed, and so does not move.
        let key = std::ptr::from_ref(self).addr();
        let mut ranks = self.memory.ranks();
        if before != 0 {
            ranks.remove(key, before);
        }
        if class != 0
            && let Some(closer) = closer.cloned()
        {
            ranks.insert(key, class, Candidate { closer, unfinished });
        }
    }
}

impl Observer for Share {
    fn observe(&self, report: &Report, closer: &Closer) -> bool {
        let held = u32::try_from(report.memory.total().div_ceil(STEP)).unwrap_or(u32::MAX);
        let before = self.steps.load(Relaxed);
        // What is returned is returned before it is no longer expected, and what is taken is ranked before it is looked for: otherwise more
        // than is needed would give way.
        if held < before {
            self.set_held(held);
        }
        self.set_unfinished(report.unfinished, Some(closer));
        if held > before {
            self.set_held(held);
        }
        let class = self.class.load(Relaxed);
        class > 0 && self.memory.is_beyond_all(class)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set_held(0);
        self.set_unfinished(0, None);
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

/// What a connection costs beside what its WebSocket holds: its task, its handler, its place in lists.
pub(crate) const CONNECTION: usize = 2 << 10;
/// What `h2` holds for a connection: its buffers and the tables of header fields.
#[cfg(feature = "http2")]
pub(crate) const HTTP_2: usize = 16 << 10;

/// What is held counts in steps of this many bytes.
const STEP: usize = 4 << 10;
/// At most this many WebSockets are asked to give way at one time, so that the lock is not kept for long.
const AT_ONCE: usize = 1024;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{DuplexStream, duplex};
    use ws_core::{Config, MemoryUsage, Role};
    use ws_tokio::WebSocket;

    use super::*;

    /// A WebSocket, whose closer a share has.
    fn websocket() -> (WebSocket<DuplexStream>, DuplexStream) {
        let (near, far) = duplex(4096);
        (WebSocket::from_raw(near, Role::Server, Config::server()).unwrap(), far)
    }

    fn report(held: usize, unfinished: usize) -> Report {
        let mut report = Report::default();
        report.memory = MemoryUsage::default();
        report.memory.assembled = held;
        report.unfinished = unfinished;
        report
    }

    trait Seen {
        fn see(&self, held: usize, unfinished: usize) -> bool;
    }

    impl Seen for Share {
        fn see(&self, held: usize, unfinished: usize) -> bool {
            self.observe(&report(held, unfinished), &websocket().0.closer())
        }
    }

    fn share(memory: &Arc<Memory>) -> Box<Share> {
        Box::new(Share::new(memory, 0))
    }

    fn leaving(memory: &Memory) -> Vec<u8> {
        memory.ranks().leaving.keys().map(|(Reverse(class), _)| *class).collect()
    }

    #[test]
    fn what_a_connection_holds_counts_in_steps_and_is_returned_when_its_share_is_dropped() {
        let memory = Memory::new(MEBIBYTE);
        let (connection, first, second) = (Cost::new(&memory, 100), share(&memory), share(&memory));
        assert_eq!(memory.used(), 100);
        assert!(!first.see(1, 1));
        assert_eq!(memory.used(), 100 + STEP);
        assert!(!second.see(STEP + 1, STEP + 1));
        assert_eq!(memory.used(), 100 + 3 * STEP);
        second.see(STEP + 1, 0);
        drop((connection, first));
        assert_eq!(memory.used(), 2 * STEP);
        second.see(500_000, 500_000);
        drop(second);
        let ranks = memory.ranks();
        assert_eq!((memory.used(), ranks.unfinished, ranks.order.len()), (0, 0, 0));
    }

    #[test]
    fn those_with_the_most_unfinished_input_give_way_first_and_no_more_of_them_than_needed() {
        let memory = Memory::new(MEBIBYTE);
        let shares: Vec<_> = [10, 100, 400, 50, 380].map(|_| share(&memory)).into();
        for (share, kibibytes) in shares.iter().zip([10, 100, 400, 50, 380]) {
            assert!(!share.see(kibibytes << 10, kibibytes << 10));
        }
        assert_eq!(leaving(&memory), []);
        // Of the class of the largest, the one that has been in it for longest.
        let last = share(&memory);
        last.see(100 << 10, 0);
        assert_eq!((leaving(&memory), memory.ranks().returning), (vec![18], 400 << 10));
        // What is expected of it is no reason for more to give way.
        last.see(300 << 10, 0);
        assert_eq!(leaving(&memory).len(), 1);
        // It has received the rest of its message, and is as others are.
        shares[2].see(0, 0);
        assert_eq!((leaving(&memory), memory.ranks().returning), (vec![], 0));
        assert_eq!(memory.used(), (12 + 100 + 52 + 380 + 300) << 10);
    }

    #[test]
    fn far_beyond_the_limit_a_connection_as_large_as_one_that_was_asked_to_gives_way_at_once() {
        let memory = Memory::new(MEBIBYTE);
        let shares: Vec<_> = (0..20).map(|_| share(&memory)).collect();
        let at_once: Vec<_> = shares.iter().map(|share| share.see(100_000, 100_000)).collect();
        let stay = at_once.iter().take_while(|at_once| !**at_once).count();
        // Others have been asked when the limit was passed, and have not had their turn.
        assert_eq!(stay, 11, "{at_once:?}");
        assert!(at_once[stay..].iter().all(|at_once| *at_once));
        // A small one stays.
        assert!(!share(&memory).see(10_000, 10_000));
        assert!(!share(&memory).see(100_000, 0));
    }

    #[test]
    fn a_request_that_is_refused_has_those_give_way_that_hold_much_and_none_if_that_makes_no_room() {
        let memory = Memory::new(MEBIBYTE);
        let (large, small) = (share(&memory), share(&memory));
        large.see(200 << 10, 200 << 10);
        assert!(!memory.is_short());
        let idle = Cost::new(&memory, 720 << 10);
        assert!(memory.is_short());
        assert_eq!(leaving(&memory).len(), 1);
        drop(large);
        let more = Cost::new(&memory, 200 << 10);
        small.see(20 << 10, 20 << 10);
        assert!(memory.is_short());
        assert_eq!(leaving(&memory).len(), 0);
        drop((idle, more));
        assert!(!memory.is_short());
    }

    const MEBIBYTE: usize = 1 << 20;
}
