//! Topics by their names, and the numbers of their lives.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::topic::Topic;

/// A topic that is found by its name, which is kept once.
pub(super) struct Named(pub(super) Arc<Topic>);

/// Numbers for the lives of topics, each another one, as far as chance goes: of another topic, of an earlier process, and of the same topic
/// when it was published to and is forgotten. One that was never published to may come and go: nobody can have missed anything.
pub(super) struct Epochs {
    hashing: RandomState,
    /// How many topics that were published to are forgotten.
    forgotten: AtomicU64,
}

impl Epochs {
    pub(super) fn new() -> Self {
        Self { hashing: RandomState::new(), forgotten: AtomicU64::new(0) }
    }

    /// For a topic that is added. The list of topics is locked, here and in the next function.
    pub(super) fn current(&self, name: &str) -> u64 {
        // Less than 2^53, which JavaScript has exactly.
        self.hashing.hash_one((name, self.forgotten.load(Ordering::Relaxed))) & ((1 << 53) - 1)
    }

    /// Returns whether the topic is to be removed from the list.
    pub(super) fn forget_if_idle(&self, topic: &Topic) -> bool {
        let idle = topic.remove_if_idle();
        if idle && topic.head().offset > 0 {
            self.forgotten.fetch_add(1, Ordering::Relaxed);
        }
        idle
    }
}

impl Borrow<str> for Named {
    fn borrow(&self) -> &str {
        self.0.name()
    }
}

impl Hash for Named {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name().hash(state);
    }
}

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        self.0.name() == other.0.name()
    }
}

impl Eq for Named {}
