//! What this server is subscribed to on the backplane.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::numbers::Joined;
use crate::bus::Want;
use crate::name;

/// All that is subscribed to, is about to be, or is not needed any more.
#[derive(Debug, Default)]
pub(super) struct Interests {
    known: BTreeMap<Want, Interest>,
    /// What is to be subscribed to as soon as there are few requests on their way.
    to_do: BTreeSet<Want>,
    /// Filters that are joined, since when.
    filters: BTreeMap<Box<str>, Joined>,
}

#[derive(Debug)]
struct Interest {
    state: State,
    /// It was wanted before the connection was there: something may have been missed.
    late: bool,
    /// Since when it is wanted.
    since: Instant,
    /// Since when it is not wanted.
    idle: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Joining,
    Joined,
    Leaving,
}

impl Interest {
    const fn new(late: bool, since: Instant) -> Self {
        Self { state: State::Waiting, late, since, idle: None }
    }
}

impl Interests {
    /// Begins anew with another connection: with what is wanted by now, some of it since before there was a connection.
    pub(super) fn restart(&mut self, before: Vec<Want>, wants: Vec<Want>, now: Instant) {
        *self = Self::default();
        let before = BTreeSet::from_iter(before);
        for want in wants {
            let late = before.contains(&want);
            self.to_do.insert(want.clone());
            self.known.insert(want, Interest::new(late, now));
        }
    }

    /// Notes whether something is wanted.
    pub(super) fn want(&mut self, want: Want, wanted: bool, now: Instant) {
        match self.known.get_mut(&want) {
            Some(interest) if wanted => interest.idle = None,
            Some(interest) => {
                interest.idle.get_or_insert(now);
            }
            None if wanted => {
                self.to_do.insert(want.clone());
                self.known.insert(want, Interest::new(false, now));
            }
            None => {}
        }
    }

    /// Takes what is to be subscribed to next.
    pub(super) fn next(&mut self) -> Option<Want> {
        let want = self.to_do.pop_first()?;
        if let Some(interest) = self.known.get_mut(&want) {
            interest.state = State::Joining;
        }
        Some(want)
    }

    /// It is subscribed to now; returns whether something may have been missed: it is wanted for longer than that.
    pub(super) fn joined(&mut self, want: &Want, joined: Joined, soon: Duration) -> bool {
        let Some(interest) = self.known.get_mut(want) else { return false };
        interest.state = State::Joined;
        if let Want::Filter(filter) = want {
            self.filters.insert(filter.clone(), joined);
        }
        let waited = joined.at.saturating_duration_since(interest.since);
        std::mem::take(&mut interest.late) || waited > soon
    }

    /// What has not been wanted for a while.
    pub(super) fn idle(&self, now: Instant, linger: Duration) -> Vec<Want> {
        let is_idle = |interest: &Interest| {
            interest.state == State::Joined
                && interest.idle.is_some_and(|since| now.saturating_duration_since(since) >= linger)
        };
        self.known.iter().filter(|(_, it)| is_idle(it)).map(|(want, _)| want.clone()).collect()
    }

    /// What is not subscribed to any more from now on.
    pub(super) fn leaving(&mut self, want: &Want) {
        if let Some(interest) = self.known.get_mut(want) {
            interest.state = State::Leaving;
        }
        if let Want::Filter(filter) = want {
            self.filters.remove(filter);
        }
    }

    /// It is not subscribed to any more; if it has become wanted in between it is subscribed to again.
    pub(super) fn left(&mut self, want: Want, now: Instant) {
        let again = self.known.remove(&want).is_some_and(|interest| interest.idle.is_none());
        if again {
            self.to_do.insert(want.clone());
            self.known.insert(want, Interest::new(false, now));
        }
    }

    pub(super) fn is_joined(&self, want: &Want) -> bool {
        self.known.get(want).is_some_and(|interest| interest.state == State::Joined)
    }

    /// Since when a filter is subscribed to that matches a topic.
    pub(super) fn filter_of(&self, topic: &str) -> Option<Joined> {
        let matching = self.filters.iter().filter(|(filter, _)| name::matches(filter, topic));
        matching.map(|(_, joined)| *joined).min_by_key(|joined| joined.tick)
    }

    /// The topics whose presence is subscribed to.
    pub(super) fn presences(&self) -> Vec<Box<str>> {
        let joined = self.known.iter().filter(|(_, interest)| interest.state == State::Joined);
        let name = |(want, _): (&Want, &Interest)| match want {
            Want::Presence(topic) => Some(topic.clone()),
            _ => None,
        };
        joined.filter_map(name).collect()
    }
}
