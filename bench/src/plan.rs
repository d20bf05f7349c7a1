//! What is measured, for how long, and in which order.

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use crate::peer::Peer;
use crate::profile::Profile;

/// How long and how often to measure, and what.
#[derive(Debug)]
pub struct Plan {
    pub rounds: usize,
    pub turn: Duration,
    pub load: String,
    pub peers: Vec<Peer>,
    /// How the whole servers and the clients are compiled.
    pub profile: Profile,
    /// Of the order of turns.
    pub seed: u64,
    /// When no further row is begun.
    pub end: Instant,
    /// What was to be measured, and was not.
    pub left_out: RefCell<Vec<String>>,
}

impl Plan {
    /// Whether a row is to be measured.
    pub fn wants_load(&self, name: &str) -> bool {
        if !name.contains(&self.load) {
            return false;
        }
        if self.is_late() {
            self.note(format!("{name}: the time was up"));
        }
        !self.is_late()
    }

    /// Whether the time is up.
    pub fn is_late(&self) -> bool {
        Instant::now() > self.end
    }

    /// Those of `all` that are to be measured.
    pub fn peers(&self, all: &[Peer]) -> Vec<Peer> {
        all.iter().copied().filter(|peer| self.peers.contains(peer)).collect()
    }

    /// The order in which this many entries have their turns in a round: another one for each load and round, the same for the
    /// same seed.
    pub fn order(&self, load: &str, round: usize, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        // `DefaultHasher` is the same in each process.
        order.sort_by_cached_key(|index| {
            let mut hasher = DefaultHasher::new();
            (self.seed, load, round, index).hash(&mut hasher);
            hasher.finish()
        });
        order
    }

    /// Reports an implementation or a mode that failed.
    pub fn leave_out(&self, who: &str, what: &str, why: &anyhow::Error) {
        self.note(format!("{what}, {}: {why:#}", who.replace('*', "")));
    }

    pub fn note(&self, text: String) {
        eprintln!("  left out: {text}");
        self.left_out.borrow_mut().push(text);
    }
}
