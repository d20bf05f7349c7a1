//! The live messages of other servers, by their numbers: which one is next, and what is missing.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::envelope::{Beat, LIFE, Number};

/// The other servers, and how far each is known in each topic.
#[derive(Debug)]
pub(super) struct Numbers {
    servers: BTreeMap<u64, Server>,
    /// Those that are taken for gone, and since when: what was reached of them is known for longer, so that a message that comes late is in
    /// its place, or not delivered again.
    gone: BTreeMap<u64, Instant>,
    topics: BTreeMap<Box<str>, Topic>,
    /// How many pairs of a topic and a server are known.
    count: usize,
    max_count: usize,
    max_age: Duration,
    missed_heartbeats: u32,
    /// Counts heartbeats, and what else has an order among them.
    ticks: u64,
}

#[derive(Debug)]
struct Server {
    heard: Instant,
    /// Its latest whole heartbeat: number, time, and the latest run that it had begun.
    latest: Option<(u64, u64, u64)>,
    /// The heartbeat that is arriving, and its next part.
    arriving: Option<(u64, u32)>,
}

#[derive(Debug)]
struct Topic {
    joined: Joined,
    reached: BTreeMap<u64, Reached>,
    /// When something of it was heard for the last time.
    heard: Instant,
}

/// How far a server is known in a topic.
#[derive(Debug)]
struct Reached {
    at: Number,
    /// The server has not reported as much when it was heard last.
    ahead: Option<Ahead>,
    /// The server was taken for gone since: how its run has ended was not reported.
    lapsed: bool,
}

/// What was reached before a heartbeat, and not reported by it.
#[derive(Debug)]
struct Ahead {
    at: Number,
    beat: u64,
    since: Instant,
}

/// Since when messages of a topic arrive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Joined {
    pub(super) tick: u64,
    pub(super) at: Instant,
}

/// What a number means: what is missing before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Nothing,
    /// This many; `None` if that is not known.
    Some(Option<u64>),
    /// It has been reached before.
    Repeated,
}

impl Numbers {
    pub(super) fn new(max_count: usize, max_age: Duration, missed_heartbeats: u32) -> Self {
        let (servers, gone, topics) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { servers, gone, topics, count: 0, max_count, max_age, missed_heartbeats, ticks: 0 }
    }

    /// Forgets everything: there was no connection for a while.
    pub(super) fn restart(&mut self) {
        self.servers.clear();
        self.gone.clear();
        self.topics.clear();
        self.count = 0;
    }

    /// A moment, before which nothing of what arrives later was confirmed.
    pub(super) fn now(&mut self, now: Instant) -> Joined {
        self.ticks = self.ticks.saturating_add(1);
        Joined { tick: self.ticks, at: now }
    }

    pub(super) fn has(&self, topic: &str) -> bool {
        self.topics.contains_key(topic)
    }

    /// Messages of a topic arrive from now on.
    pub(super) fn join(&mut self, topic: &str, joined: Joined) {
        self.topics.entry(topic.into()).or_insert_with(|| Topic {
            joined,
            reached: BTreeMap::new(),
            heard: joined.at,
        });
    }

    /// Messages of a topic arrive by a filter. Others decide how many topics that are: beyond the bound they are not numbered.
    pub(super) fn join_by_filter(&mut self, topic: &str, joined: Joined) {
        if self.topics.len() < self.max_count {
            self.join(topic, joined);
        }
    }

    /// Forgets what was reached of servers that have been gone for long: of all that are gone when there is little room.
    pub(super) fn forget_gone(&mut self, now: Instant) {
        let kept =
            if self.has_little_room() { Duration::ZERO } else { self.max_age.saturating_mul(QUIET_AGES) };
        let is_over = |since: &Instant| now.saturating_duration_since(*since) > kept;
        let over: BTreeSet<_> =
            self.gone.iter().filter(|(_, since)| is_over(since)).map(|(origin, _)| *origin).collect();
        if over.is_empty() {
            return;
        }
        self.gone.retain(|origin, _| !over.contains(origin));
        for topic in self.topics.values_mut() {
            let before = topic.reached.len();
            topic.reached.retain(|origin, _| !over.contains(origin));
            self.count = self.count.saturating_sub(before.saturating_sub(topic.reached.len()));
        }
    }

    /// Makes room when there is little: forgets the topics of which nothing has been heard for long, except those that stay. Their
    /// runs have ended, and the number of a message of a later run shows what is missing before it.
    pub(super) fn forget_quiet(&mut self, now: Instant, stays: impl Fn(&str) -> bool) {
        if !self.has_little_room() {
            return;
        }
        let quiet = self.max_age.saturating_mul(QUIET_AGES);
        let is_quiet = |topic: &Topic| now.saturating_duration_since(topic.heard) > quiet;
        let gone: Vec<_> = self
            .topics
            .iter()
            .filter(|(name, topic)| is_quiet(topic) && !stays(name))
            .map(|(name, _)| name.clone())
            .collect();
        gone.iter().for_each(|topic| self.leave(topic));
    }

    /// They do no more.
    pub(super) fn leave(&mut self, topic: &str) {
        if let Some(topic) = self.topics.remove(topic) {
            self.count = self.count.saturating_sub(topic.reached.len());
        }
    }

    pub(super) fn leave_unless(&mut self, stays: impl Fn(&str) -> bool) {
        let gone: Vec<_> = self.topics.keys().filter(|topic| !stays(topic)).cloned().collect();
        gone.iter().for_each(|topic| self.leave(topic));
    }

    /// A message has arrived.
    pub(super) fn arrived(&mut self, topic: &str, origin: u64, at: Number, now: Instant) -> Missing {
        let Some(before) = at.number.checked_sub(1) else { return Missing::Repeated };
        if self.reached(topic, origin).is_some_and(|reached| at <= reached) {
            return Missing::Repeated;
        }
        // If it is not heard from now on, what it publishes next may be missing.
        self.add(origin, now);
        let missing = self.reach(topic, origin, Number { number: before, ..at }, now);
        if let Some(reached) = self.topics.get_mut(topic).and_then(|topic| topic.reached.get_mut(&origin)) {
            reached.at = at;
        }
        missing
    }

    /// Whether more was reached of a server than it has published, by what it reports: then something else has published under its name, and what it has published itself
    /// may have been taken for repeated. From then on what it reports counts.
    ///
    /// A heartbeat reports what was published up to the one before. One that comes later than all that may be delayed reports what had been reached before.
    pub(super) fn is_beyond(&mut self, topic: &str, beat: &Beat, at: Number, now: Instant) -> bool {
        let Some(reached) = self.topics.get_mut(topic).and_then(|topic| topic.reached.get_mut(&beat.origin))
        else {
            return false;
        };
        match &reached.ahead {
            Some(ahead) if at < ahead.at => {
                let beats = beat.beat.saturating_sub(ahead.beat);
                let is_late = beats > u64::from(self.missed_heartbeats)
                    && now.saturating_duration_since(ahead.since) >= self.max_age;
                if is_late {
                    *reached = Reached { at, ahead: None, lapsed: false };
                }
                is_late
            }
            _ => {
                let ahead = Ahead { at: reached.at, beat: beat.beat, since: now };
                reached.ahead = (at < reached.at).then_some(ahead);
                false
            }
        }
    }

    /// A server has published to a topic up to a number: returns what is missing of that.
    pub(super) fn reach(&mut self, topic: &str, origin: u64, at: Number, now: Instant) -> Missing {
        let latest = self.servers.get(&origin).and_then(|server| server.latest);
        // It is beyond the bound.
        let Some(known) = self.topics.get_mut(topic) else { return Missing::Some(None) };
        known.heard = known.heard.max(now);
        let some = |missing| if missing == 0 { Missing::Nothing } else { Missing::Some(Some(missing)) };
        match known.reached.get_mut(&origin) {
            Some(reached) if at <= reached.at => Missing::Nothing,
            Some(reached) if at.run == reached.at.run => {
                let missing = at.number.saturating_sub(reached.at.number);
                (reached.at, reached.lapsed) = (at, false);
                some(missing)
            }
            // The end of the run before was reported often enough.
            Some(reached) if !reached.lapsed => {
                reached.at = at;
                some(at.number)
            }
            before => {
                let is_kept = before.is_some() || self.count < self.max_count;
                if is_kept {
                    let new = Reached { at, ahead: None, lapsed: false };
                    self.count = self.count.saturating_add(usize::from(before.is_none()));
                    known.reached.insert(origin, new);
                }
                match latest.filter(|(_, tick, _)| *tick > known.joined.tick) {
                    // The run began after a heartbeat that came after messages could arrive: all of it should have.
                    Some((_, _, runs)) if at.run > runs && is_kept => some(at.number),
                    Some(_) => Missing::Some(None),
                    // Nothing is known of before. If that is so for long the server could not be heard.
                    None if now.saturating_duration_since(known.joined.at) > self.max_age
                        && (at.run & !LIFE, at.number) != (1, 0) =>
                    {
                        Missing::Some(None)
                    }
                    None => Missing::Nothing,
                }
            }
        }
    }

    /// A part of a heartbeat has arrived, and what it reports has been looked at.
    pub(super) fn heard(&mut self, beat: &Beat, now: Instant) {
        self.add(beat.origin, now);
        let Some(server) = self.servers.get_mut(&beat.origin) else { return };
        if server.latest.is_some_and(|(latest, ..)| beat.beat <= latest) {
            return;
        }
        if beat.part != 0 && server.arriving != Some((beat.beat, beat.part)) {
            server.arriving = None;
            return;
        }
        server.arriving = Some((beat.beat, beat.part.saturating_add(1)));
        if beat.is_last {
            self.ticks = self.ticks.saturating_add(1);
            server.heard = now;
            server.latest = Some((beat.beat, self.ticks, beat.runs));
        }
    }

    /// Whether a heartbeat is an old one, that was overtaken.
    pub(super) fn is_old(&self, beat: &Beat) -> bool {
        let latest = self.servers.get(&beat.origin).and_then(|server| server.latest);
        latest.is_some_and(|(latest, ..)| beat.beat <= latest)
    }

    /// The servers of which nothing was heard for too long.
    pub(super) fn silent(&self, now: Instant) -> Vec<u64> {
        let is_silent = |server: &Server| now.saturating_duration_since(server.heard) > self.max_age;
        self.servers.iter().filter(|(_, server)| is_silent(server)).map(|(origin, _)| *origin).collect()
    }

    /// A server is taken for gone; returns the topics that it was heard in.
    pub(super) fn lapse(&mut self, origin: u64, now: Instant) -> Vec<Box<str>> {
        self.servers.remove(&origin);
        let mut topics = Vec::new();
        for (name, topic) in &mut self.topics {
            if let Some(reached) = topic.reached.get_mut(&origin) {
                reached.lapsed = true;
                topics.push(name.clone());
            }
        }
        if !topics.is_empty() {
            self.gone.insert(origin, now);
        }
        topics
    }

    pub(super) fn servers(&self) -> usize {
        self.servers.len()
    }

    /// Adds a server, unless it is known or there are too many.
    fn add(&mut self, origin: u64, now: Instant) {
        if self.servers.len() < MAX_SERVERS
            && let Entry::Vacant(new) = self.servers.entry(origin)
        {
            new.insert(Server { heard: now, latest: None, arriving: None });
            self.gone.remove(&origin);
        }
    }

    fn has_little_room(&self) -> bool {
        self.count.max(self.topics.len()) >= self.max_count / 4 * 3
    }

    fn reached(&self, topic: &str, origin: u64) -> Option<Number> {
        self.topics.get(topic)?.reached.get(&origin).map(|reached| reached.at)
    }
}

/// The numbers of more servers than this are not followed.
const MAX_SERVERS: usize = 1_024;
/// A server reports a topic for little more than one `max_age` after its latest message, and no backplane repeats or delays a message by as
/// much as the rest.
const QUIET_AGES: u32 = 4;

#[cfg(test)]
mod tests;
