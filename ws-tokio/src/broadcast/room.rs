//! The members of a broadcast.

use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::backlog::SlowPolicy;
use crate::publish_report::PublishReport;
use crate::sender::Sender;

/// The members of a broadcast, and what became of its messages.
#[derive(Default)]
pub(super) struct Room {
    set: Mutex<Set>,
    /// Held while messages are offered, which may take as long as all the members' transports take. Never taken with
    /// `set` locked.
    turn: Mutex<()>,
    unwritten: Mutex<Unwritten>,
}

/// Members that have been offered messages which are still to be written.
#[derive(Default)]
pub(super) struct Unwritten {
    /// A list for each set of members: there is another when some have joined in between.
    pub(super) members: Vec<Vec<Arc<Place>>>,
    /// [`Members::joined`] of the last list.
    joined: u64,
    /// How many messages, or batches of them.
    publishes: u32,
    /// A publisher lets other tasks run, and may publish more after that.
    paused: bool,
}

/// The members at one moment.
pub(super) struct Members {
    pub(super) places: Vec<Arc<Place>>,
    /// How many have ever joined: those of an earlier list are all of them if it is the same.
    joined: u64,
}

/// Locked for moments only: nothing is sent, and nothing of a member's is dropped.
#[derive(Default)]
struct Set {
    places: Vec<Arc<Place>>,
    total: PublishReport,
    joined: u64,
}

/// A member.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) sender: Sender,
    pub(super) slow: SlowPolicy,
    /// Where it stands in the set, or [`Self::LEFT`]. It changes under the set's lock.
    index: AtomicUsize,
}

impl Place {
    /// It is in no set.
    const LEFT: usize = usize::MAX;

    /// Whether it has left since it was listed.
    pub(super) fn has_left(&self) -> bool {
        self.index.load(Ordering::Relaxed) == Self::LEFT
    }
}

impl Room {
    pub(super) fn join(&self, sender: Sender, slow: SlowPolicy) -> Arc<Place> {
        let place = Arc::new(Place { sender, slow, index: AtomicUsize::new(Place::LEFT) });
        let mut set = self.lock();
        place.index.store(set.places.len(), Ordering::Relaxed);
        set.places.push(Arc::clone(&place));
        set.joined = set.joined.wrapping_add(1);
        place
    }

    /// Takes members out of the set, each at a cost that does not depend on how many there are. The caller holds them
    /// too, so that none of them is dropped under the lock.
    pub(super) fn leave_all(&self, leaving: &[Arc<Place>]) {
        if leaving.is_empty() {
            return;
        }
        let mut set = self.lock();
        for place in leaving {
            let index = place.index.swap(Place::LEFT, Ordering::Relaxed);
            if index < set.places.len() {
                set.places.swap_remove(index);
                if let Some(moved) = set.places.get(index) {
                    moved.index.store(index, Ordering::Relaxed);
                }
            }
        }
    }

    /// Waits for other publishers to have offered their messages, and keeps them waiting.
    pub(super) fn take_turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the members as they are now: to copy a list of pointers takes moments, beside what a delivery takes.
    pub(super) fn members(&self) -> Members {
        let set = self.lock();
        Members { places: set.places.clone(), joined: set.joined }
    }

    /// Keeps in mind that these are still to be written to. Returns how many times that has been done since the last
    /// [`take_unwritten`](Self::take_unwritten).
    pub(super) fn leave_unwritten(&self, members: Members) -> u32 {
        let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        if unwritten.members.is_empty() || unwritten.joined != members.joined {
            unwritten.joined = members.joined;
            unwritten.members.push(members.places);
        }
        unwritten.publishes = unwritten.publishes.saturating_add(1);
        unwritten.publishes
    }

    /// Notes that a publisher is going to let other tasks run.
    pub(super) fn pause(&self) {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).paused = true;
    }

    /// Returns whether a publisher has noted that since the last call, and fewer than `enough` messages are unwritten.
    pub(super) fn take_pause(&self, enough: u32) -> bool {
        let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        mem::take(&mut unwritten.paused) && unwritten.publishes < enough
    }

    /// Whether this many messages are unwritten.
    pub(super) fn has_enough(&self, enough: u32) -> bool {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).publishes >= enough
    }

    /// Takes the members that are still to be written to.
    pub(super) fn take_unwritten(&self) -> Unwritten {
        mem::take(&mut *self.unwritten.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn len(&self) -> usize {
        self.lock().places.len()
    }

    pub(super) fn total(&self) -> PublishReport {
        self.lock().total
    }

    pub(super) fn count(&self, published: PublishReport) {
        self.lock().total.add(published);
    }

    fn lock(&self) -> MutexGuard<'_, Set> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("members", &self.len()).finish_non_exhaustive()
    }
}
