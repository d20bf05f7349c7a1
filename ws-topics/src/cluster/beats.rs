//! Heartbeats: what a server reports to the others, and what is done as often.

use tokio::time::Instant;

use super::engine::Engine;
use super::jobs::Jobs;
use super::numbers::Missing;
use crate::backplane::{BackplaneError, Link};
use crate::bus::Want;
use crate::envelope::Beat;
use crate::topic::Visits;

impl Engine {
    /// A heartbeat of another server.
    pub(super) fn heard(&mut self, beat: &Beat, now: Instant, visits: &mut Visits) {
        if self.numbers.is_old(beat) {
            return;
        }
        for (topic, number) in &beat.live {
            if !self.follows(topic) || self.hub.options.durable_history_of(topic).is_some() {
                continue;
            }
            if let Missing::Some(messages) = self.numbers.reach(topic, beat.origin, *number, now) {
                self.lose(topic, messages, visits);
            }
            if self.numbers.is_beyond(topic, beat, *number, now) {
                self.bus.forged(topic);
                self.lose(topic, None, visits);
            }
        }
        for (topic, epoch, offset) in &beat.stored {
            let known = self.hub.find(topic).filter(|_| self.follows_log(topic));
            if let Some(head) = known.and_then(|topic| topic.known_head())
                && (head.epoch != *epoch || head.offset < *offset)
            {
                self.mirrors.read(topic, now);
            }
        }
        self.numbers.heard(beat, now);
        if beat.goodbye && beat.is_last {
            self.numbers.lapse(beat.origin, now);
        }
        self.bus.count_servers(self.numbers.servers());
    }

    /// What is done at each heartbeat. An error means that the connection is lost.
    pub(super) fn tick<L: Link>(&mut self, jobs: &mut Jobs<L>) -> Result<(), BackplaneError> {
        let now = Instant::now();
        let max_age = self.bus.options.max_age();
        let waited = now.saturating_duration_since(self.echo_at);
        if waited > max_age.saturating_add(self.bus.options.heartbeat) {
            let waited = waited.as_secs_f32();
            return Err(BackplaneError::new(format!("no heartbeat came back for {waited:.1} s")));
        }
        self.bus.expire(now);
        self.bus.report_counted();
        self.heartbeat(false);
        let mut visits = Visits::of_batch();
        for origin in self.numbers.silent(now) {
            for topic in self.numbers.lapse(origin, now) {
                self.lose(&topic, None, &mut visits);
            }
        }
        visits.write_all();
        self.bus.count_servers(self.numbers.servers());
        self.numbers.forget_gone(now);
        let interests = &self.interests;
        self.numbers.forget_quiet(now, |topic| interests.is_joined(&Want::Topic(topic.into())));
        self.mirrors.check(now);
        self.leave_idle(now, jobs);
        let presences = self.interests.presences();
        for topic in &presences {
            self.look_at(Want::Presence(topic.clone()), now);
        }
        self.roster.tick(&presences, now, &self.hub, &self.bus);
        self.start_jobs(jobs);
        Ok(())
    }

    /// Reports what this server has published, in parts.
    pub(super) fn heartbeat(&mut self, goodbye: bool) {
        let now = Instant::now();
        let heads = self.bus.heads(now, goodbye);
        let keep = self.bus.options.max_age().saturating_add(self.bus.options.heartbeat);
        self.stored.retain(|_, (.., at)| now.saturating_duration_since(*at) < keep);
        let stored: Vec<_> = self
            .stored
            .iter()
            .map(|(topic, (epoch, offset, _))| (Box::from(topic.as_ref()), *epoch, *offset))
            .collect();
        self.beat = self.beat.saturating_add(1);
        self.beat_at = now;
        let (mut live, mut stored) = (heads.live.chunks(PART), stored.chunks(PART));
        let mut part = 0_u32;
        loop {
            let (own_live, own_stored) = (live.next().unwrap_or_default(), stored.next().unwrap_or_default());
            let is_last = live.len() == 0 && stored.len() == 0;
            self.bus.send_beat(Beat {
                origin: self.bus.origin,
                beat: self.beat,
                part,
                is_last,
                goodbye,
                runs: heads.runs,
                live: own_live.to_vec(),
                stored: own_stored.to_vec(),
            });
            part = part.saturating_add(1);
            if is_last {
                return;
            }
        }
    }
}

/// Topics in one part of a heartbeat.
const PART: usize = 1_024;
