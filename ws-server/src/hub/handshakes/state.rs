//! The seats that are taken, in the orders in which they are looked for.

use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::holder::Holder;
use super::sources::Sources;
use super::{ALLOWANCE, EARNED, Handshake, HandshakeSeat, Handshakes, Progress};
use crate::config::error::AcceptError;
use crate::hub::numbered::Numbered;
use crate::transport::source::Source;

#[derive(Debug, Default)]
pub(super) struct State {
    next: u64,
    draws: u64,
    pub(super) seats: Numbered<u64, Taken>,
    pub(super) sources: Sources,
    /// The seats that do not stand still, by when to look at them next.
    pub(super) due: BTreeSet<(Instant, u64)>,
    /// How long newcomers have waited, all in all; what two listeners waited at the same time counts once.
    pub(super) waited: Duration,
    /// Up to when it has been counted.
    counted_to: Option<Instant>,
    /// The places of the sources that have a seat that stands still, by the number of all their seats and a random number.
    still: BTreeSet<(usize, u64, usize)>,
}

/// A seat that is taken.
#[derive(Debug)]
pub(super) struct Taken {
    /// The place of its source in [`State::sources`].
    holder: usize,
    since: Instant,
    pub(super) place: Place,
    progress: Arc<Progress>,
    cut: oneshot::Sender<AcceptError>,
}

/// In which list a seat is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// [`State::due`], at this time.
    Due(Instant),
    /// [`Holder::still`], at this index.
    Still(usize),
}

impl State {
    /// Finds out which seats stand still by now.
    pub(super) fn look(&mut self, handshakes: &Handshakes, now: Instant) {
        while let Some((due, id)) = self.due.first().copied()
            && due <= now
        {
            self.due.pop_first();
            let Some(seat) = self.seats.get_mut(&id) else { continue };
            // Before the time is read: what moves after that sees the mark.
            seat.progress.stands_still.store(true, SeqCst);
            let until = seat.progress.fresh_until(seat.since);
            if until > now {
                seat.progress.stands_still.store(false, SeqCst);
                seat.place = Place::Due(until);
                self.due.insert((until, id));
                continue;
            }
            let holder = seat.holder;
            self.change(holder, |seats, holder| {
                if let Some(seat) = seats.get_mut(&id) {
                    seat.place = Place::Still(holder.still.len());
                }
                holder.still.push(id);
                holder.stood_still += 1;
                holder.forget(handshakes.limit);
            });
        }
    }

    /// A seat that stood still does so no longer, unless it is too old.
    pub(super) fn revive(&mut self, id: u64, now: Instant) {
        let Some(Taken { holder, since, place: Place::Still(index), progress, .. }) = self.seats.get(&id)
        else {
            return;
        };
        let (holder, index, until) = (*holder, *index, progress.fresh_until(*since));
        if until <= now {
            return;
        }
        progress.stands_still.store(false, SeqCst);
        self.change(holder, |seats, holder| {
            holder.remove_still(index, seats);
            holder.stood_still = holder.stood_still.saturating_sub(1);
        });
        if let Some(seat) = self.seats.get_mut(&id) {
            seat.place = Place::Due(until);
            self.due.insert((until, id));
        }
    }

    /// Gives a seat to a handshake of a source, of which `found` is the place.
    pub(super) fn take_seat(
        &mut self,
        handshakes: &Arc<Handshakes>,
        (source, found): (Source, Option<usize>),
        now: Instant,
    ) -> Handshake {
        let id = self.next;
        self.next += 1;
        let (cut, receiver) = oneshot::channel();
        let progress = Arc::new(Progress {
            handshakes: handshakes.clone(),
            id,
            last: AtomicU64::new(handshakes.millis(now)),
            stands_still: AtomicBool::new(false),
            has_left: AtomicBool::new(false),
        });
        let due = progress.fresh_until(now);
        self.due.insert((due, id));
        let holder = self.add_seat(handshakes, source, found);
        let seat = Taken { holder, since: now, place: Place::Due(due), progress: progress.clone(), cut };
        self.seats.insert(id, seat);
        Handshake { seat: HandshakeSeat(progress), cut: receiver }
    }

    /// Takes a seat away and gives it to a handshake of this source.
    pub(super) fn displace(
        &mut self,
        handshakes: &Arc<Handshakes>,
        id: u64,
        source: Source,
        now: Instant,
    ) -> Handshake {
        self.cut(id, AcceptError::Displaced);
        // Found only now: a source that loses its last seat may lose its place.
        let found = self.sources.find(source);
        self.take_seat(handshakes, (source, found), now)
    }

    /// Counts a seat for another source, if it is still taken.
    pub(super) fn give(&mut self, handshakes: &Handshakes, id: u64, source: Source, now: Instant) {
        let Some(mut seat) = self.remove(id) else { return };
        // Something has just moved: the name of the source.
        seat.progress.stands_still.store(false, SeqCst);
        let due = seat.progress.fresh_until(seat.since).max(now);
        seat.holder = self.add_seat(handshakes, source, self.sources.find(source));
        seat.place = Place::Due(due);
        self.due.insert((due, id));
        self.seats.insert(id, seat);
    }

    /// Counts one more seat of a source, of which `found` is the place; returns the place.
    fn add_seat(&mut self, handshakes: &Handshakes, source: Source, found: Option<usize>) -> usize {
        self.draws = self.draws.wrapping_add(1);
        let Self { draws, waited, still, sources, .. } = self;
        if let Some(place) = found
            && let Some(holder) = sources.get(place)
            && !holder.still.is_empty()
        {
            still.remove(&(holder.seats, holder.random, place));
            still.insert((holder.seats + 1, holder.random, place));
        }
        sources.add_seat(found, || Holder::new(source, handshakes.random.hash_one(*draws), *waited))
    }

    /// Counts the time that a newcomer has waited.
    pub(super) fn count_wait(&mut self, from: Instant, to: Instant) {
        let from = self.counted_to.map_or(from, |counted| counted.max(from));
        self.waited = self.waited.saturating_add(to.saturating_duration_since(from));
        self.counted_to = Some(to.max(from));
    }

    /// Takes a seat away.
    pub(super) fn cut(&mut self, id: u64, why: AcceptError) {
        if let Some(seat) = self.remove(id) {
            // It may have ended just now.
            let _ = seat.cut.send(why);
        }
    }

    /// Frees a seat, if it is not free yet.
    pub(super) fn leave(&mut self, id: u64, well: bool, limit: usize) {
        let Some(seat) = self.remove(id) else { return };
        if well && let Some(holder) = self.sources.get_mut(seat.holder) {
            holder.ended += 1;
            holder.allowance = holder.allowance.saturating_add(EARNED).min(ALLOWANCE);
            if matches!(seat.place, Place::Still(_)) {
                holder.stood_still = holder.stood_still.saturating_sub(1);
            }
            holder.forget(limit);
        }
    }

    fn remove(&mut self, id: u64) -> Option<Taken> {
        let seat = self.seats.remove(&id)?;
        self.change(seat.holder, |seats, holder| {
            holder.seats = holder.seats.saturating_sub(1);
            if let Place::Still(index) = seat.place {
                holder.remove_still(index, seats);
            }
        });
        if let Place::Due(due) = seat.place {
            self.due.remove(&(due, id));
        }
        if self.sources.get(seat.holder).is_some_and(|holder| holder.seats == 0) {
            self.sources.keep_as_spare(seat.holder);
        }
        Some(seat)
    }

    /// A seat that stands still, of the source that holds most among those that have one, if it holds at least this
    /// many; at random among equals.
    pub(super) fn still_of_most(&mut self, handshakes: &Handshakes, at_least: usize) -> Option<u64> {
        let (most, ..) = *self.still.last()?;
        if most < at_least {
            return None;
        }
        let draw = self.draw(handshakes);
        let after = self.still.range((most, draw, 0)..).next();
        let (.., place) = *after.or_else(|| self.still.range((most, 0, 0)..).next())?;
        self.sources.get(place)?.any_still(draw)
    }

    /// Changes the source at this place, and keeps [`Self::still`] right.
    fn change(&mut self, place: usize, change: impl FnOnce(&mut Numbered<u64, Taken>, &mut Holder)) {
        let Some(holder) = self.sources.get_mut(place) else { return };
        if !holder.still.is_empty() {
            self.still.remove(&(holder.seats, holder.random, place));
        }
        change(&mut self.seats, holder);
        if !holder.still.is_empty() {
            self.still.insert((holder.seats, holder.random, place));
        }
    }

    /// A random number that peers cannot foresee: the keys of the hash are random.
    pub(super) fn draw(&mut self, handshakes: &Handshakes) -> u64 {
        self.draws = self.draws.wrapping_add(1);
        handshakes.random.hash_one(self.draws)
    }
}
