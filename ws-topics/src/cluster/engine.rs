//! What a server does about what it hears, while there is a connection.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use ws_tokio::Message;

use super::chance::Chance;
use super::interests::Interests;
use super::jobs::{Done, Jobs};
use super::mirrors::{Authors, Mirrors};
use super::numbers::{Missing, Numbers};
use super::roster::Roster;
use crate::backplane::{BackplaneError, Link};
use crate::bus::{Bus, ClusterEvent, Want};
use crate::envelope::{Beat, Envelope, Note, Number, server};
use crate::hub::Hub;
use crate::position::Position;
use crate::topic::Visits;

pub(super) struct Engine {
    pub(super) hub: Arc<Hub>,
    pub(super) bus: Arc<Bus>,
    pub(super) chance: Chance,
    pub(super) interests: Interests,
    pub(super) numbers: Numbers,
    pub(super) mirrors: Mirrors,
    pub(super) authors: Authors,
    pub(super) roster: Roster,
    /// What this server has stored lately: epoch, offset and time.
    pub(super) stored: BTreeMap<Arc<str>, (u64, u64, Instant)>,
    pub(super) beat: u64,
    pub(super) beat_at: Instant,
    /// When a heartbeat of this server came back last.
    pub(super) echo_at: Instant,
}

impl Engine {
    pub(super) fn new(hub: Arc<Hub>, bus: Arc<Bus>, chance: Chance) -> Self {
        let now = Instant::now();
        let options = &bus.options;
        Self {
            interests: Interests::default(),
            numbers: Numbers::new(options.max_numbered, options.max_age(), options.missed_heartbeats),
            mirrors: Mirrors::default(),
            authors: Authors::default(),
            roster: Roster::new(bus.origin, bus.life, options.max_age(), options.max_remote_members),
            stored: BTreeMap::new(),
            beat: bus.life,
            beat_at: now,
            echo_at: now,
            hub,
            bus,
            chance,
        }
    }

    /// There is a connection.
    pub(super) fn connected(&mut self) {
        self.numbers.restart();
        self.mirrors.restart();
        self.echo_at = Instant::now();
        let before = self.hub.wants();
        self.bus.up();
        // Again after that: whatever comes now is noted. What came in between, perhaps at the event, is as new as that: no gap mark for it.
        self.interests.restart(before, self.hub.wants(), self.echo_at);
        self.heartbeat(false);
    }

    /// Begins what is to be done, as much as may be at a time.
    pub(super) fn start_jobs<L: Link>(&mut self, jobs: &mut Jobs<L>) {
        let now = Instant::now();
        for want in self.bus.take_touched() {
            self.look_at(want, now);
        }
        while jobs.interests < MAX_INTERESTS
            && let Some(want) = self.interests.next()
        {
            jobs.subscribe(want);
        }
        while jobs.reads < MAX_READS
            && let Some(topic) = self.mirrors.next()
        {
            let after = self.hub.find(&topic).and_then(|topic| topic.read_after());
            match after.zip(self.hub.options.durable_history_of(&topic)) {
                Some((after, history)) => jobs.read(topic, history, after),
                None => self.mirrors.forget(&topic),
            }
        }
        while jobs.appends < MAX_APPENDS
            && let Some((topic, entries)) = self.bus.next_batch(now)
        {
            if let Some(history) = self.hub.options.durable_history_of(&topic) {
                jobs.append(topic, history, entries);
            }
        }
    }

    /// Something may be wanted now, or no longer.
    pub(super) fn look_at(&mut self, want: Want, now: Instant) {
        let wanted = self.hub.is_wanted(&want);
        if wanted && self.interests.is_joined(&want) {
            match &want {
                // It may be another topic of that name.
                Want::Topic(name) if self.hub.find(name).is_some_and(|topic| topic.is_unread()) => {
                    self.mirrors.read(name, now);
                }
                Want::Presence(name) => self.roster.show_again(name, &self.hub),
                _ => {}
            }
        }
        self.interests.want(want, wanted, now);
    }

    pub(super) fn done<L: Link>(&mut self, done: Done, jobs: &mut Jobs<L>) -> Result<(), BackplaneError> {
        let now = Instant::now();
        match done {
            Done::Subscribed(want, done) => {
                match done {
                    Err(error) if !error.is_refusal() => return Err(error),
                    done => self.joined(&want, now, done.is_err()),
                }
                // It may have changed meanwhile.
                self.look_at(want, now);
            }
            Done::Unsubscribed(want, done) => {
                done?;
                self.interests.left(want.clone(), now);
                self.look_at(want, now);
            }
            Done::Read(topic, Err(error)) if error.is_refusal() => {
                self.bus.report_refusal(&topic, &error);
                self.mirrors.refused(&topic, now + self.bus.options.check_interval);
            }
            Done::Read(topic, page) => self.read(&topic, page?, now),
            Done::Appended(topic, _, Err(error)) if error.is_refusal() => self.bus.refused(&topic, &error),
            Done::Appended(topic, count, appended) => {
                let appended = appended?;
                if appended.offsets.is_empty() || appended.offsets.len() > count {
                    return Err(BackplaneError::new(format!(
                        "an answer has {} offsets for {count} entries",
                        appended.offsets.len()
                    )));
                }
                self.appended(&topic, appended.epoch, &appended.offsets, now);
            }
            Done::Sending(error) => return Err(error),
        }
        self.start_jobs(jobs);
        Ok(())
    }

    /// `refused`: messages of others do not come, which is a gap.
    fn joined(&mut self, want: &Want, now: Instant, refused: bool) {
        let joined = self.numbers.now(now);
        let late = self.interests.joined(want, joined, self.bus.options.max_age()) || refused;
        let mut visits = Visits::of_batch();
        match want {
            Want::Topic(name) if self.hub.options.durable_history_of(name).is_some() => {
                self.mirrors.read(name, now);
            }
            Want::Topic(name) => {
                // By a filter its messages may arrive for longer.
                self.numbers.join(name, self.interests.filter_of(name).unwrap_or(joined));
                if late {
                    self.lose(name, None, &mut visits);
                }
            }
            Want::Filter(filter) => {
                if late {
                    self.hub.lose_by_filter(filter, &mut visits);
                    let topic = filter.as_ref().into();
                    self.bus.report(ClusterEvent::Gap { topic, messages: None });
                }
            }
            Want::Presence(name) => self.roster.joined(name, &self.hub, &self.bus),
        }
        visits.write_all();
    }

    /// Messages of other servers are missing.
    pub(super) fn lose(&mut self, topic: &str, messages: Option<u64>, visits: &mut Visits) {
        self.hub.lose(topic, messages, visits);
        self.bus.report(ClusterEvent::Gap { topic: topic.into(), messages });
    }

    pub(super) fn received(&mut self, payload: Bytes, now: Instant, visits: &mut Visits) {
        match Envelope::decode(payload) {
            Some(Envelope::Live { origin, at, topic, message }) => {
                if let Some(server) = self.other(origin, at.run) {
                    self.live(server, at, &topic, message, now, visits);
                }
            }
            Some(Envelope::Stored { topic, epoch, offset, record }) => {
                self.noticed(&topic, Position { epoch, offset }, &record, now, visits);
            }
            Some(Envelope::Beat(beat)) => match self.other(beat.origin, beat.beat) {
                Some(server) => self.heard(&Beat { origin: server, ..beat }, now, visits),
                // It is not one of this server.
                None if beat.beat > self.beat => self.bus.count_same_name(),
                None => {
                    self.echo_at = now;
                    if beat.beat == self.beat {
                        self.bus.measured(now.saturating_duration_since(self.beat_at));
                    }
                }
            },
            Some(Envelope::Presence { origin, topic, note }) => self.presence(origin, &topic, note, now),
            // Of a later version, or damaged: numbers and offsets show what is missing.
            None => self.bus.count_foreign(),
        }
    }

    /// Returns the server that something is from, unless it is this one.
    fn other(&self, origin: u64, count: u64) -> Option<u64> {
        let is_named_alike = origin == self.bus.origin;
        let from = server(origin, count);
        if is_named_alike && from == server(origin, self.bus.life) {
            return None;
        }
        if is_named_alike {
            self.bus.count_same_name();
        }
        Some(from)
    }

    fn presence(&mut self, origin: u64, topic: &str, note: Note, now: Instant) {
        if !self.interests.is_joined(&Want::Presence(topic.into())) {
            return;
        }
        let from = match note.version() {
            Some(version) => match self.other(origin, version) {
                Some(server) => server,
                None => {
                    if self.roster.came_back(topic, version) {
                        self.bus.count_same_name();
                    }
                    return;
                }
            },
            // Whose question it is makes no difference, but that nobody asks for its own list.
            None if origin == self.bus.origin && note != (Note::Ask { of: origin }) => return,
            None => origin,
        };
        self.roster.received((origin, from), topic, note, now, &self.hub, &self.bus);
    }

    fn live(
        &mut self,
        origin: u64,
        at: Number,
        topic: &str,
        message: Message,
        now: Instant,
        visits: &mut Visits,
    ) {
        if !self.follows(topic) || self.hub.options.durable_history_of(topic).is_some() {
            return;
        }
        match self.numbers.arrived(topic, origin, at, now) {
            Missing::Repeated => return self.bus.count_received(false),
            Missing::Some(messages) => self.lose(topic, messages, visits),
            Missing::Nothing => {}
        }
        self.bus.count_received(true);
        self.hub.deliver_live(topic, message, visits);
    }

    /// Whether messages of a topic arrive: by a subscription to it, or by a filter.
    pub(super) fn follows(&mut self, topic: &str) -> bool {
        if self.numbers.has(topic) {
            return true;
        }
        if self.hub.options.is_local(topic) {
            return false;
        }
        let Some(joined) = self.interests.filter_of(topic) else { return false };
        self.numbers.join_by_filter(topic, joined);
        true
    }

    pub(super) fn leave_idle<L: Link>(&mut self, now: Instant, jobs: &mut Jobs<L>) {
        for want in self.interests.idle(now, self.bus.options.linger) {
            if self.hub.is_wanted(&want) {
                self.interests.want(want, true, now);
                continue;
            }
            if let Want::Topic(name) = &want
                && !self.hub.lapse(name)
            {
                continue;
            }
            self.interests.leaving(&want);
            match &want {
                Want::Topic(name) if self.interests.filter_of(name).is_none() => {
                    self.numbers.leave(name);
                    self.mirrors.forget(name);
                }
                Want::Topic(_) => {}
                Want::Filter(_) => {
                    let interests = &self.interests;
                    let stays = |topic: &str| {
                        interests.is_joined(&Want::Topic(topic.into()))
                            || interests.filter_of(topic).is_some()
                    };
                    self.numbers.leave_unless(stays);
                    for topic in self.mirrors.forget_unless(stays) {
                        self.hub.lapse(&topic);
                    }
                }
                Want::Presence(name) => self.roster.left(name, &self.hub),
            }
            jobs.unsubscribe(want);
        }
    }

    /// The backplane has dropped messages. Numbers show which of the live ones; logs are read.
    pub(super) fn lost(&mut self, now: Instant) {
        self.mirrors.read_all(now);
    }

    /// What is done while there is no connection.
    pub(super) fn wait(&mut self) {
        self.roster.age(Instant::now(), &self.hub);
    }

    pub(super) fn heartbeat_interval(&self) -> Duration {
        self.bus.options.heartbeat
    }
}

/// Subscriptions and their ends that are on their way to the backplane at a time.
const MAX_INTERESTS: usize = 64;

/// Logs that are read at a time.
const MAX_READS: usize = 16;

/// Topics for which messages are being stored at a time.
const MAX_APPENDS: usize = 64;
