//! A source of handshakes, and how they go.

use std::time::Duration;

use super::state::{Place, Taken};
use super::{ALLOWANCE, MEMORY};
use crate::hub::numbered::Numbered;
use crate::transport::source::Source;

/// A source, for as long as it holds a seat.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) source: Source,
    pub(super) random: u64,
    pub(super) seats: usize,
    /// Its seats that stand still.
    pub(super) still: Vec<u64>,
    /// Its handshakes that have ended well, and those that have stood still and not ended well; of late.
    pub(super) ended: usize,
    pub(super) stood_still: usize,
    /// [`State::waited`] when it was last seen that its handshakes end.
    pub(super) trusted_at: Duration,
    /// How long others may still wait while its handshakes hardly end.
    pub(super) allowance: Duration,
    /// [`State::waited`] when that was last counted.
    pub(super) seen: Duration,
}

impl Holder {
    pub(super) fn new(source: Source, random: u64, waited: Duration) -> Self {
        let (still, allowance) = (Vec::new(), ALLOWANCE);
        Self {
            source,
            random,
            seats: 0,
            still,
            ended: 0,
            stood_still: 0,
            trusted_at: waited,
            allowance,
            seen: waited,
        }
    }

    /// One of the seats that stand still.
    pub(super) fn any_still(&self, draw: u64) -> Option<u64> {
        let index = draw.checked_rem(self.still.len() as u64)?;
        self.still.get(usize::try_from(index).ok()?).copied()
    }

    pub(super) fn remove_still(&mut self, index: usize, seats: &mut Numbered<u64, Taken>) {
        debug_assert!(index < self.still.len());
        if index < self.still.len() {
            self.still.swap_remove(index);
        }
        if let Some(moved) = self.still.get(index).and_then(|id| seats.get_mut(id)) {
            moved.place = Place::Still(index);
        }
    }

    /// What has happened long ago counts less and less.
    pub(super) fn forget(&mut self, limit: usize) {
        if self.ended.max(self.stood_still) > limit.saturating_mul(MEMORY) {
            self.ended /= 2;
            self.stood_still /= 2;
        }
    }
}
