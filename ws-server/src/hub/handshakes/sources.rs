//! The sources that hold seats. Each has a place, so that a handshake looks its source up once.

use std::collections::HashMap;

use super::holder::Holder;
use crate::transport::source::Source;

/// The sources that hold seats, and the one that held some last: mostly the next handshake is of the same source again.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// With keys that no peer knows, so that no peer can choose addresses that fall together.
    places: HashMap<Source, usize>,
    holders: Vec<Holder>,
    /// The places that no source has.
    free: Vec<usize>,
    /// The place of a source that holds no seat any more.
    spare: Option<usize>,
}

impl Sources {
    /// Returns the place of a source, if it has one; until a seat is given back it stays there.
    pub(super) fn find(&self, source: Source) -> Option<usize> {
        self.places.get(&source).copied()
    }

    pub(super) fn get(&self, place: usize) -> Option<&Holder> {
        self.holders.get(place)
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut Holder> {
        self.holders.get_mut(place)
    }

    /// Counts one more seat of a source, of which `found` is the place; returns the place. Of a source without a seat nothing is
    /// remembered: it becomes the `new` one.
    pub(super) fn add_seat(&mut self, found: Option<usize>, new: impl FnOnce() -> Holder) -> usize {
        let place = match found {
            Some(place) => {
                if let Some(holder) = self.holders.get_mut(place)
                    && holder.seats == 0
                {
                    *holder = new();
                    self.spare = None;
                }
                place
            }
            None => self.add(new()),
        };
        if let Some(holder) = self.holders.get_mut(place) {
            holder.seats += 1;
        }
        place
    }

    fn add(&mut self, holder: Holder) -> usize {
        let source = holder.source;
        let place = match self.free.pop() {
            Some(place) => {
                if let Some(free) = self.holders.get_mut(place) {
                    *free = holder;
                }
                place
            }
            None => {
                self.holders.push(holder);
                self.holders.len() - 1
            }
        };
        self.places.insert(source, place);
        place
    }

    /// The source at this place holds no seat any more. The one that was kept before it is forgotten.
    pub(super) fn keep_as_spare(&mut self, place: usize) {
        debug_assert!(self.get(place).is_some_and(|holder| holder.seats == 0), "it holds a seat");
        if let Some(before) = self.spare.replace(place)
            && before != place
            && let Some(holder) = self.holders.get(before)
        {
            self.places.remove(&holder.source);
            self.free.push(before);
        }
    }

    /// How many sources hold a seat.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.places.values().filter(|place| self.holders[**place].seats > 0).count()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_source_has_one_place_while_it_holds_seats_and_nothing_is_remembered_of_one_that_holds_none() {
        let mut sources = Sources::default();
        let take = |sources: &mut Sources, number| {
            let source = Source::V4(number);
            sources.add_seat(sources.find(source), || Holder::new(source, 0, Duration::ZERO))
        };
        let leave = |sources: &mut Sources, place: usize| {
            let holder = sources.get_mut(place).unwrap();
            holder.ended += 1;
            holder.seats -= 1;
            if holder.seats == 0 {
                sources.keep_as_spare(place);
            }
        };
        let one = take(&mut sources, 1);
        assert_eq!((take(&mut sources, 1), sources.get(one).unwrap().seats), (one, 2));
        let two = take(&mut sources, 2);
        assert_ne!(one, two);
        leave(&mut sources, one);
        leave(&mut sources, one);
        assert_eq!(take(&mut sources, 1), one, "it is the spare one");
        assert_eq!((sources.get(one).unwrap().seats, sources.get(one).unwrap().ended), (1, 0));
        leave(&mut sources, one);
        leave(&mut sources, two);
        assert_eq!((sources.find(Source::V4(1)), sources.find(Source::V4(2))), (None, Some(two)));
        for number in 3..1000 {
            let place = take(&mut sources, number);
            leave(&mut sources, place);
        }
        assert_eq!((sources.count(), sources.places.len(), sources.holders.len()), (0, 1, 2));
    }
}
