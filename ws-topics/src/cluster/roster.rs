//! Who is present by other servers, and what they are told about this one.
//!
//! Each server has a list for each topic, with a version. It sends what has changed at each heartbeat, and a digest, the version; whoever has another version asks
//! for the whole list. A list of which nothing is heard for a few heartbeats is dropped. So all lists agree some time after any loss.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::backplane::Channel;
use crate::bus::Bus;
use crate::envelope::{Envelope, Note};
use crate::hub::Hub;
use crate::topic::Members;

/// The topics whose presence is shared.
#[derive(Debug)]
pub(super) struct Roster {
    topics: BTreeMap<Box<str>, Shared>,
    /// Versions of all lists of this server are different.
    versions: u64,
    origin: u64,
    max_age: Duration,
    max_members: usize,
}

#[derive(Debug, Default)]
struct Shared {
    /// What this server has sent last.
    own: Members,
    version: u64,
    /// Somebody has asked for the list.
    asked: bool,
    others: BTreeMap<u64, List>,
}

/// The list of another server.
#[derive(Debug)]
struct List {
    version: u64,
    members: Members,
    heard: Instant,
    /// A list that is arriving: its version, its next part, and what has arrived.
    arriving: Option<(u64, u32, Members)>,
}

impl Roster {
    pub(super) const fn new(origin: u64, life: u64, max_age: Duration, max_members: usize) -> Self {
        Self { topics: BTreeMap::new(), versions: life, origin, max_age, max_members }
    }

    /// The presence of a topic is subscribed to now.
    pub(super) fn joined(&mut self, topic: &str, hub: &Hub, bus: &Bus) {
        self.topics.entry(topic.into()).or_default();
        self.show_again(topic, hub);
        self.send(topic, Note::Ask { of: 0 }, bus);
    }

    pub(super) fn left(&mut self, topic: &str, hub: &Hub) {
        if let Some(shared) = self.topics.remove(topic) {
            shared.others.keys().for_each(|origin| hub.set_members(topic, *origin, None));
        }
    }

    /// The topic may be another one of that name.
    pub(super) fn show_again(&mut self, topic: &str, hub: &Hub) {
        for (origin, list) in self.topics.get(topic).iter().flat_map(|shared| &shared.others) {
            hub.set_members(topic, *origin, Some(&list.members));
        }
    }

    /// Something about the list of this server has come back. Returns whether it is not of this server: of a version that there was not yet. Then the list gets a later
    /// one, or the others would not take it any more.
    pub(super) fn came_back(&mut self, topic: &str, version: u64) -> bool {
        let is_forged = version > self.versions;
        if is_forged {
            self.versions = version;
            if let Some(shared) = self.topics.get_mut(topic) {
                self.versions = self.versions.saturating_add(1);
                (shared.version, shared.asked) = (self.versions, true);
            }
        }
        is_forged
    }

    /// `origin` is the name of a server; `from` also depends on its process, and is another for each server that has this name.
    pub(super) fn received(
        &mut self,
        (origin, from): (u64, u64),
        topic: &str,
        note: Note,
        now: Instant,
        hub: &Hub,
        bus: &Bus,
    ) {
        let max_members = self.max_members;
        let Some(shared) = self.topics.get_mut(topic) else { return };
        if let Note::Ask { of } = note {
            shared.asked |= of == 0 || of == self.origin;
            return;
        }
        if !shared.others.contains_key(&from) && shared.others.len() >= MAX_SERVERS {
            return;
        }
        let list = shared.others.entry(from).or_insert_with(|| List {
            version: 0,
            members: Members::new(),
            heard: now,
            arriving: None,
        });
        list.heard = now;
        let before = list.version;
        let in_order = match note {
            Note::Digest { version } => version == list.version || list.arriving.is_some(),
            Note::Changes { base, version, set, gone } if base == list.version => {
                gone.iter().for_each(|identity| drop(list.members.remove(identity)));
                list.members.extend(set);
                list.version = version;
                true
            }
            // It was overtaken, or repeated.
            Note::Changes { version, .. } => version <= list.version,
            Note::Whole { version, part, is_last, members } => {
                list.take(version, part, is_last, members, max_members)
            }
            Note::Ask { .. } => true,
        };
        while list.members.len() > max_members {
            list.members.pop_last();
        }
        if list.version != before {
            let members = Some(&list.members).filter(|members| !members.is_empty());
            hub.set_members(topic, from, members);
        }
        if !in_order {
            self.send(topic, Note::Ask { of: origin }, bus);
        }
    }

    /// Sends what has changed, and drops the lists of which nothing was heard.
    pub(super) fn tick(&mut self, topics: &[Box<str>], now: Instant, hub: &Hub, bus: &Bus) {
        for topic in topics {
            let members = hub.own_members(topic);
            let Some(shared) = self.topics.get_mut(topic) else { continue };
            let base = shared.version;
            let mut notes = Vec::new();
            if members != shared.own {
                self.versions = self.versions.saturating_add(1);
                shared.version = self.versions;
                notes.push(changes(base, shared.version, &shared.own, &members));
                shared.own = members;
            }
            // A change that is larger than the list, or that nobody could take as one message: the list.
            let large = |note: &Note| matches!(note, Note::Changes { set, gone, .. } if set.len().saturating_add(gone.len()) > PART);
            let asked = std::mem::take(&mut shared.asked);
            // There was no list yet otherwise, and nothing to say about it.
            if shared.version > 0 {
                if asked || notes.iter().any(large) {
                    notes = whole(shared.version, &shared.own);
                }
                notes.push(Note::Digest { version: shared.version });
            }
            for note in notes {
                self.send(topic, note, bus);
            }
        }
        self.age(now, hub);
    }

    /// Drops the lists of which nothing was heard.
    pub(super) fn age(&mut self, now: Instant, hub: &Hub) {
        let max_age = self.max_age;
        for (topic, shared) in &mut self.topics {
            shared.others.retain(|origin, list| {
                let stays = now.saturating_duration_since(list.heard) <= max_age;
                if !stays {
                    hub.set_members(topic, *origin, None);
                }
                stays
            });
        }
    }

    fn send(&self, topic: &str, note: Note, bus: &Bus) {
        let envelope = Envelope::Presence { origin: self.origin, topic: topic.into(), note };
        // What does not fit is asked for again.
        bus.send(Channel::Presence(topic.into()), &envelope);
    }
}

impl List {
    /// Takes a part of a whole list; returns whether it is in order.
    fn take(
        &mut self,
        version: u64,
        part: u32,
        is_last: bool,
        members: Vec<(Arc<str>, Arc<str>)>,
        max_members: usize,
    ) -> bool {
        if version <= self.version {
            return true;
        }
        if part == 0 {
            self.arriving = Some((version, 0, Members::new()));
        }
        let Some((arriving, next, list)) =
            self.arriving.as_mut().filter(|(arriving, next, _)| (*arriving, *next) == (version, part))
        else {
            self.arriving = None;
            return false;
        };
        list.extend(members);
        // Also before the last part, which may never come.
        while list.len() > max_members {
            list.pop_last();
        }
        *next = next.saturating_add(1);
        if is_last {
            self.version = *arriving;
            self.members = std::mem::take(list);
            self.arriving = None;
        }
        true
    }
}

fn changes(base: u64, version: u64, before: &Members, now: &Members) -> Note {
    let gone = before.keys().filter(|identity| !now.contains_key(*identity)).cloned().collect();
    let set = now.iter().filter(|(identity, value)| before.get(*identity) != Some(value));
    let set = set.map(|(identity, value)| (Arc::clone(identity), Arc::clone(value))).collect();
    Note::Changes { base, version, set, gone }
}

fn whole(version: u64, members: &Members) -> Vec<Note> {
    let all: Vec<_> = members.iter().map(|(it, value)| (Arc::clone(it), Arc::clone(value))).collect();
    let parts = all.len().div_ceil(PART).max(1);
    let part = |number: usize| Note::Whole {
        version,
        part: u32::try_from(number).unwrap_or(u32::MAX),
        is_last: number.saturating_add(1) == parts,
        members: all.chunks(PART).nth(number).unwrap_or_default().to_vec(),
    };
    (0..parts).map(part).collect()
}

/// This many members are sent at a time: some hundred kilobytes at most.
const PART: usize = 256;

/// The lists of more servers than this are not kept.
const MAX_SERVERS: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_whose_last_part_never_comes_is_bounded() {
        let mut list = List { version: 0, members: Members::new(), heard: Instant::now(), arriving: None };
        for part in 0..100 {
            let members = (0..10).map(|member| (format!("{part}-{member}").into(), "".into())).collect();
            assert!(list.take(1, part, false, members, 25));
        }
        assert_eq!(list.arriving.map(|(.., members)| members.len()), Some(25));
    }
}
