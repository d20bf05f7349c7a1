//! The addresses that are remembered, and the order in which they are forgotten.

use std::collections::hash_map::Entry as Place;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::time::Instant;

use crate::config::address_limits::AddressLimits;
use crate::transport::bucket::Bucket;
use crate::transport::source::Source;
use crate::transport::throttle::ReadBudget;

#[derive(Debug, Default)]
pub(super) struct State {
    entries: HashMap<Source, Entry>,
    /// The addresses that use nothing, by a number that grows: the first has been idle for longest.
    idle: BTreeMap<u64, Source>,
    next: u64,
}

/// What an address uses.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// Open WebSockets.
    pub(super) open: usize,
    handshakes: Option<Bucket>,
    /// Shared by its WebSockets.
    pub(super) reads: Option<Arc<ReadBudget>>,
    /// Its number in [`State::idle`].
    idle: Option<u64>,
}

impl Entry {
    pub(super) fn handshakes(&mut self, rate: u32, now: Instant) -> &mut Bucket {
        self.handshakes.get_or_insert_with(|| Bucket::new(rate.into(), now))
    }

    fn is_in_use(&self) -> bool {
        self.open > 0
    }

    /// Whether something is to be remembered of an address that uses nothing.
    fn has_memory(&self) -> bool {
        self.handshakes.is_some() || self.reads.is_some()
    }
}

impl State {
    pub(super) fn entry(&self, source: Source) -> Option<&Entry> {
        self.entries.get(&source)
    }

    /// Changes what is known of an address, and forgets addresses beyond the limit.
    pub(super) fn with<T>(
        &mut self,
        limits: &AddressLimits,
        source: Source,
        change: impl FnOnce(&mut Entry) -> T,
    ) -> T {
        let Self { entries, idle, next } = self;
        let mut place = match entries.entry(source) {
            Place::Occupied(place) => place,
            Place::Vacant(place) => place.insert_entry(Entry::default()),
        };
        let entry = place.get_mut();
        if let Some(number) = entry.idle.take() {
            idle.remove(&number);
        }
        let result = change(entry);
        if !entry.is_in_use() {
            if entry.has_memory() {
                *next = next.wrapping_add(1);
                entry.idle = Some(*next);
                idle.insert(*next, source);
            } else {
                place.remove();
            }
        }
        while entries.len() > limits.max_addresses
            && let Some((_, longest)) = idle.pop_first()
        {
            entries.remove(&longest);
        }
        result
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.entries.len(), self.idle.len())
    }
}
