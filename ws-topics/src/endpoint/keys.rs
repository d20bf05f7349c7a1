//! Publications that were published already.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::TopicError;
use crate::position::Position;

/// The keys of the latest publications, with the positions that they got.
pub(super) struct PublishKeys {
    limit: usize,
    age: Duration,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    positions: HashMap<Arc<Key>, Outcome>,
    /// The oldest first. Some have no position any more, and another of the same text may have one.
    order: VecDeque<(Instant, Arc<Key>)>,
}

/// What has become of a publication.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Known(Option<Position>),
    /// It is still being stored.
    Waiting(Waiting),
}

/// What a publication that is being stored will have come to.
pub(super) type Waiting = watch::Receiver<Option<Result<Option<Position>, TopicError>>>;

/// A client chooses the text; the rest is so that it matches no other client's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) identity: Arc<str>,
    pub(super) topic: Box<str>,
    pub(super) text: Box<str>,
}

impl PublishKeys {
    pub(super) fn new(limit: usize, age: Duration) -> Self {
        Self { limit, age, kept: Mutex::default() }
    }

    /// Returns the position of the publication with this key, or has `publish` publish it. Nothing is remembered of one that was refused.
    ///
    /// This holds a lock meanwhile, so that two repetitions at the same time are one; `publish` must not write to a socket.
    pub(super) fn once<E>(
        &self,
        key: Key,
        publish: impl FnOnce() -> Result<Outcome, E>,
    ) -> Result<Outcome, E> {
        let now = Instant::now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.forget_before(now.checked_sub(self.age));
        if let Some(outcome) = kept.positions.get(&key) {
            return Ok(outcome.clone());
        }
        let outcome = publish()?;
        if kept.order.len() >= self.limit {
            kept.forget_oldest();
        }
        let key = Arc::new(key);
        kept.order.push_back((now, Arc::clone(&key)));
        kept.positions.insert(key, outcome.clone());
        Ok(outcome)
    }

    /// Remembers what has become of a publication that was being stored. One that is not stored may be tried again.
    pub(super) fn settle(&self, key: &Key, outcome: &Result<Option<Position>, TopicError>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(position) => {
                if let Some(known) = kept.positions.get_mut(key) {
                    *known = Outcome::Known(*position);
                }
            }
            // Its place in the order stays until it is the oldest: to look for it would cost as much as there are keys, for
            // each of all that wait when the backplane fails.
            Err(_) => drop(kept.positions.remove(key)),
        }
    }
}

impl Kept {
    fn forget_before(&mut self, time: Option<Instant>) {
        while let (Some(time), Some((at, _))) = (time, self.order.front())
            && *at <= time
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, oldest)) = self.order.pop_front()
            && self.positions.get_key_value(&oldest).is_some_and(|(key, _)| Arc::ptr_eq(key, &oldest))
        {
            self.positions.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key { identity: "ada".into(), topic: "a".into(), text: text.into() }
    }

    fn publish(keys: &PublishKeys, text: &str, offset: u64) -> u64 {
        let position = Position { epoch: 4, offset };
        match keys.once(key(text), || Ok::<_, ()>(Outcome::Known(Some(position)))) {
            Ok(Outcome::Known(Some(position))) => position.offset,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_oldest_key_is_forgotten_beyond_the_limit() {
        let keys = PublishKeys::new(2, Duration::from_secs(60));
        assert_eq!([publish(&keys, "x", 1), publish(&keys, "y", 2), publish(&keys, "x", 3)], [1, 2, 1]);
        assert_eq!([publish(&keys, "z", 4), publish(&keys, "y", 5), publish(&keys, "x", 6)], [4, 2, 6]);
    }

    #[test]
    fn a_key_that_was_not_stored_and_is_published_again_is_as_old_as_that() {
        let keys = PublishKeys::new(3, Duration::from_secs(60));
        keys.settle(&key("x"), &Err(TopicError::Closed));
        let waiting = |text| keys.once(key(text), || Ok::<_, ()>(Outcome::Waiting(watch::channel(None).1)));
        waiting("x").unwrap();
        keys.settle(&key("x"), &Err(TopicError::Closed));
        assert_eq!([publish(&keys, "x", 1), publish(&keys, "y", 2), publish(&keys, "z", 3)], [1, 2, 3]);
        assert_eq!([publish(&keys, "x", 4), publish(&keys, "w", 5), publish(&keys, "x", 6)], [1, 5, 6]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_forgotten_at_its_age() {
        let keys = PublishKeys::new(9, Duration::from_secs(60));
        assert_eq!(publish(&keys, "x", 1), 1);
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(publish(&keys, "x", 2), 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(publish(&keys, "x", 3), 3);
    }

    #[test]
    fn a_refused_publication_may_be_tried_again_with_its_key() {
        let keys = PublishKeys::new(2, Duration::from_secs(60));
        assert_eq!(keys.once(key("x"), || Err("no")).unwrap_err(), "no");
        assert_eq!(publish(&keys, "x", 1), 1);
    }
}
