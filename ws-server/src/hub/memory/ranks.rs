//! Which WebSockets hold much, and the order in which they give way.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use tokio::time::Instant;
use ws_tokio::Closer;

use super::STEP;

/// The WebSockets that hold unfinished input or output.
///
/// Unfinished input counts at once, output only once it has stood still for long enough: until then it may be that of a peer that
/// reads.
#[derive(Default)]
pub(super) struct Ranks {
    /// All of them, by where their shares lie: most have none, and a share has no place for it.
    candidates: HashMap<usize, Candidate>,
    /// Those that may give way. The first holds most, and of its class has done so for longest: one whose input goes on passes through
    /// the classes.
    order: BTreeMap<Rank, usize>,
    /// Those whose output may come to stand still for long enough: the first stands still for longest.
    moving: BTreeMap<Standing, usize>,
    /// Those that have been asked to give way and have not done so.
    leaving: BTreeMap<Rank, usize>,
    could_return: usize,
    returning: usize,
    next: u64,
}

/// The power of two of what is at least a step, from 1 on; 0 for less.
pub(super) type Class = u8;

/// The class of what is held, and a number that counts up.
type Rank = (Reverse<Class>, u64);

/// Since when output stands still, and a number that counts up.
type Standing = (Instant, u64);

/// What a WebSocket holds that it could return.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holding {
    /// Input that has not been received.
    pub(super) unfinished: usize,
    /// What waits to be written.
    pub(super) output: usize,
    /// Some of that has been written since this was asked last.
    pub(super) has_moved: bool,
}

struct Candidate {
    closer: Closer,
    unfinished: usize,
    output: usize,
    /// Since when its output stands still.
    since: Instant,
    /// Where it is among those that may come to stand still.
    moving: Option<Standing>,
    stands_still: bool,
    /// Where it is in the order or among those that leave.
    rank: Option<Rank>,
    is_leaving: bool,
}

/// A WebSocket that is to give way.
pub(super) struct Leaver {
    closer: Closer,
    /// What it is expected to return.
    pub(super) bytes: usize,
    /// Its output stands still, and is dropped, too.
    pub(super) stands_still: bool,
}

impl Ranks {
    /// What those that may give way would return.
    pub(super) fn could_return(&self) -> usize {
        self.could_return
    }

    /// What those are expected to return that have been asked to.
    pub(super) fn returning(&self) -> usize {
        self.returning
    }

    /// The class of the smallest that has been asked to give way and has not done so.
    pub(super) fn least_leaving(&self) -> Option<Class> {
        self.leaving.last_key_value().map(|((Reverse(least), _), _)| (*least).min(HIGHEST))
    }

    /// A WebSocket holds something else than before.
    pub(super) fn set(&mut self, key: usize, holding: Holding, now: Instant, closer: &Closer) {
        let before = self.take(key);
        let Holding { unfinished, output, has_moved } = holding;
        let (input_class, output_class) = holding.classes();
        if input_class == 0 && output_class == 0 {
            return;
        }
        let stood = before.filter(|before| before.output > 0 && !has_moved);
        let (since, stands_still) = stood.map_or((now, false), |stood| (stood.since, stood.stands_still));
        let candidate = Candidate {
            closer: closer.clone(),
            unfinished: if input_class > 0 { unfinished } else { 0 },
            output: if output_class > 0 { output } else { 0 },
            since,
            moving: None,
            stands_still: stands_still && output_class > 0,
            rank: None,
            is_leaving: false,
        };
        self.put(key, candidate);
    }

    pub(super) fn remove(&mut self, key: usize) {
        self.take(key);
    }

    /// Ranks those by their output, too, whose output has stood still since before `since`.
    pub(super) fn ripen(&mut self, since: Instant) {
        while let Some((&(stands, _), &key)) = self.moving.first_key_value()
            && stands <= since
            && let Some(mut candidate) = self.take(key)
        {
            candidate.stands_still = true;
            self.put(key, candidate);
        }
    }

    /// Takes the one that holds most out of the order: it is to be asked to give way.
    pub(super) fn leave(&mut self) -> Option<Leaver> {
        let (rank, key) = self.order.pop_first()?;
        let candidate = self.candidates.get_mut(&key)?;
        let bytes = candidate.returns();
        candidate.is_leaving = true;
        self.could_return = self.could_return.saturating_sub(bytes);
        self.returning = self.returning.saturating_add(bytes);
        self.leaving.insert(rank, key);
        Some(Leaver { closer: candidate.closer.clone(), bytes, stands_still: candidate.stands_still })
    }

    /// Takes a candidate out of all lists.
    fn take(&mut self, key: usize) -> Option<Candidate> {
        let mut candidate = self.candidates.remove(&key)?;
        if let Some(standing) = candidate.moving.take() {
            self.moving.remove(&standing);
        }
        if let Some(rank) = candidate.rank.take() {
            let bytes = candidate.returns();
            if candidate.is_leaving {
                self.leaving.remove(&rank);
                self.returning = self.returning.saturating_sub(bytes);
            } else {
                self.order.remove(&rank);
                self.could_return = self.could_return.saturating_sub(bytes);
            }
            candidate.is_leaving = false;
        }
        Some(candidate)
    }

    /// Puts it where it belongs, behind its equals.
    fn put(&mut self, key: usize, mut candidate: Candidate) {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let bytes = candidate.returns();
        if bytes > 0 {
            let rank = (Reverse(class(bytes)), number);
            self.order.insert(rank, key);
            candidate.rank = Some(rank);
            self.could_return = self.could_return.saturating_add(bytes);
        }
        if candidate.output > 0 && !candidate.stands_still {
            let standing = (candidate.since, number);
            self.moving.insert(standing, key);
            candidate.moving = Some(standing);
        }
        self.candidates.insert(key, candidate);
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> [usize; 4] {
        [self.candidates.len(), self.order.len(), self.moving.len(), self.leaving.len()]
    }

    #[cfg(test)]
    pub(super) fn leaving(&self) -> Vec<Class> {
        self.leaving.keys().map(|(Reverse(class), _)| *class).collect()
    }
}

impl Candidate {
    /// What it would return.
    fn returns(&self) -> usize {
        self.unfinished.saturating_add(if self.stands_still { self.output } else { 0 })
    }
}

impl Holding {
    pub(super) fn classes(&self) -> (Class, Class) {
        (class(self.unfinished).min(HIGHEST), class(self.output).min(HIGHEST))
    }
}

impl Leaver {
    pub(super) fn give_way(&self) {
        match self.stands_still {
            true => self.closer.give_way_with_output(),
            false => self.closer.give_way(),
        }
    }
}

fn class(bytes: usize) -> Class {
    let log = bytes.checked_ilog2().unwrap_or(0);
    Class::try_from(log.saturating_sub(STEP.ilog2() - 1)).unwrap_or(Class::MAX)
}

/// What fits into four bits: 64 MiB.
const HIGHEST: Class = 15;
