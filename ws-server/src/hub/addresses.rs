//! What each client address uses of a server, and how much it may.

mod deciders;
mod state;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use self::deciders::Deciders;
use self::state::State;
use crate::config::address_limits::AddressLimits;
use crate::transport::source::Source;
use crate::transport::throttle::ReadBudget;

/// All addresses that use something, and those that did lately.
#[derive(Debug)]
pub(crate) struct Addresses {
    limits: AddressLimits,
    state: Mutex<State>,
    deciders: Mutex<Deciders>,
}

/// A request of an address that is in a guard, until this is dropped.
#[derive(Debug)]
pub(crate) struct Deciding {
    addresses: Arc<Addresses>,
    place: usize,
}

/// An open WebSocket of an address, until this is dropped.
#[derive(Debug)]
pub(crate) struct OpenShare {
    addresses: Arc<Addresses>,
    source: Source,
    reads: Option<Arc<ReadBudget>>,
}

impl Addresses {
    /// With limits that have been checked.
    pub(crate) fn new(limits: AddressLimits) -> Arc<Self> {
        Arc::new(Self { limits, state: Mutex::default(), deciders: Mutex::default() })
    }

    /// Counts a request for a WebSocket; or returns after how long the next one may come.
    pub(crate) fn request(&self, source: Source) -> Result<(), Duration> {
        let Some(rate) = self.limits.handshakes_per_second else { return Ok(()) };
        let now = Instant::now();
        self.state().with(&self.limits, source, |entry| {
            let bucket = entry.handshakes(rate, now);
            let wait = bucket.wait_for(1, now);
            if !wait.is_zero() {
                return Err(wait);
            }
            bucket.take(1, now);
            Ok(())
        })
    }

    /// Counts a request that a guard is to decide on, when `free` more may be; `None` when the address has too many there.
    pub(crate) fn decide(self: &Arc<Self>, source: Source, free: usize) -> Option<Deciding> {
        let place = self.deciders().add(source, SHARE.saturating_mul(free))?;
        Some(Deciding { addresses: self.clone(), place })
    }

    /// Whether an address may open another WebSocket, as far as is known before the guards have decided.
    pub(crate) fn has_room(&self, source: Source) -> bool {
        let Some(limit) = self.limits.max_connections else { return true };
        self.state().entry(source).is_none_or(|entry| entry.open < limit)
    }

    /// Counts an open WebSocket; `Err` when the address has as many as it may. Without a limit that asks for it nothing is
    /// counted.
    pub(crate) fn open(self: &Arc<Self>, source: Source) -> Result<Option<Box<OpenShare>>, AtLimit> {
        let AddressLimits { max_connections, messages_per_second, bytes_per_second, excess, .. } =
            self.limits;
        let is_throttled = messages_per_second.is_some() || bytes_per_second.is_some();
        if max_connections.is_none() && !is_throttled {
            return Ok(None);
        }
        let reads = self.state().with(&self.limits, source, |entry| {
            if max_connections.is_some_and(|limit| entry.open >= limit) {
                return Err(AtLimit);
            }
            entry.open += 1;
            let budget = || Arc::new(ReadBudget::new(messages_per_second, bytes_per_second, excess));
            Ok(is_throttled.then(|| entry.reads.get_or_insert_with(budget).clone()))
        })?;
        Ok(Some(Box::new(OpenShare { addresses: self.clone(), source, reads })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deciders(&self) -> MutexGuard<'_, Deciders> {
        self.deciders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An address has as many WebSockets open as it may.
#[derive(Debug)]
pub(crate) struct AtLimit;

impl OpenShare {
    /// What may be read from the WebSockets of the address.
    pub(crate) fn reads(&self) -> Option<&Arc<ReadBudget>> {
        self.reads.as_ref()
    }
}

impl Drop for Deciding {
    fn drop(&mut self) {
        self.addresses.deciders().remove(self.place);
    }
}

impl Drop for OpenShare {
    fn drop(&mut self) {
        let Addresses { limits, .. } = &*self.addresses;
        self.addresses.state().with(limits, self.source, |entry| entry.open = entry.open.saturating_sub(1));
    }
}

/// An address may have up to this many times as many requests in guards as there is room for more.
const SHARE: usize = 4;
