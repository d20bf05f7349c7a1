//! The requests that guards decide on, by the addresses of their clients.

use std::collections::HashMap;

use crate::transport::source::Source;

/// The requests in guards. How many each address has is counted only once one of them could have more than its share: until then, and
/// again when none is there any more, a request costs no look-up.
#[derive(Debug, Default)]
pub(super) struct Deciders {
    /// The address of each request, at its place.
    requests: Vec<Option<Source>>,
    /// The places that no request has.
    free: Vec<usize>,
    /// How many requests each address has, while that is counted.
    counts: Option<HashMap<Source, usize>>,
}

impl Deciders {
    /// Adds a request of an address that has fewer than `share`; returns its place.
    pub(super) fn add(&mut self, source: Source, share: usize) -> Option<usize> {
        // No address has more than all of them.
        if self.len() >= share || self.counts.is_some() {
            let requests = &self.requests;
            let counts = self.counts.get_or_insert_with(|| count(requests));
            let count = counts.entry(source).or_default();
            if *count >= share {
                // A share of none leaves an address that has none.
                if *count == 0 {
                    counts.remove(&source);
                }
                return None;
            }
            *count += 1;
        }
        match self.free.pop() {
            Some(place) => {
                if let Some(request) = self.requests.get_mut(place) {
                    *request = Some(source);
                }
                Some(place)
            }
            None => {
                self.requests.push(Some(source));
                Some(self.requests.len() - 1)
            }
        }
    }

    pub(super) fn remove(&mut self, place: usize) {
        let Some(source) = self.requests.get_mut(place).and_then(Option::take) else {
            debug_assert!(false, "no request is there");
            return;
        };
        self.free.push(place);
        if self.len() == 0 {
            self.counts = None;
        } else if let Some(counts) = &mut self.counts
            && let Some(count) = counts.get_mut(&source)
        {
            *count -= 1;
            if *count == 0 {
                counts.remove(&source);
            }
        }
    }

    /// How many requests there are.
    pub(super) fn len(&self) -> usize {
        self.requests.len() - self.free.len()
    }

    #[cfg(test)]
    pub(super) fn of(&self, source: Source) -> usize {
        self.requests.iter().filter(|request| **request == Some(source)).count()
    }
}

fn count(requests: &[Option<Source>]) -> HashMap<Source, usize> {
    let mut counts = HashMap::new();
    for source in requests.iter().flatten() {
        *counts.entry(*source).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_what_is_there_whenever_the_counting_begins() {
        let (one, two) = (Source::V4(1), Source::V4(2));
        let mut deciders = Deciders::default();
        let mut places: Vec<_> = (0..3).map(|_| deciders.add(one, 100).unwrap()).collect();
        places.push(deciders.add(two, 100).unwrap());
        assert!(deciders.counts.is_none(), "no address can have its share yet");
        assert_eq!(deciders.add(one, 3), None);
        places.push(deciders.add(two, 3).unwrap());
        assert_eq!((deciders.of(one), deciders.of(two)), (3, 2));
        deciders.remove(places.swap_remove(0));
        places.push(deciders.add(one, 3).expect("one of its requests has ended"));
        assert_eq!(deciders.add(one, 3), None);
        assert_eq!(deciders.add(Source::Local, 0), None);
        assert_eq!(deciders.counts.as_ref().map(HashMap::len), Some(2));
        places.drain(..).for_each(|place| deciders.remove(place));
        assert!(deciders.counts.is_none() && deciders.len() == 0);
        assert!(deciders.add(one, 1).is_some() && deciders.requests.len() == 5, "places are used again");
    }
}
