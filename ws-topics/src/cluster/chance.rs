//! Random numbers: good enough for names and for waits.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// SplitMix64.
#[derive(Debug)]
pub(super) struct Chance(u64);

impl Chance {
    /// From a seed, or by chance.
    pub(super) fn new(seed: Option<u64>) -> Self {
        Self(seed.unwrap_or_else(|| RandomState::new().hash_one("server")))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Between nothing and all of it.
    pub(super) fn part_of(&mut self, duration: Duration) -> Duration {
        let thousandths = u32::try_from(self.next() % 1_001).unwrap_or_default();
        duration.saturating_mul(thousandths) / 1_000
    }
}
