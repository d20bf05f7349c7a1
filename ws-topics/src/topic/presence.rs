//! Who is listed as present in a topic, and what has changed.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use tokio::sync::watch;

use super::seat::Seat;
use crate::start::Member;

/// The members of a topic. Joining and leaving cost the same however many there are; to learn what has changed costs as much as has
/// changed.
#[derive(Debug)]
pub(crate) struct Presence {
    members: HashMap<Arc<str>, Present>,
    /// By the address of the seat, which is in here no longer than the seat exists.
    identities: HashMap<usize, Arc<str>>,
    /// Those that are present by other servers.
    remote: BTreeMap<u64, Members>,
    /// The latest changes, as long as somebody watches; at most as many as there are members, or [`MIN_LOG`].
    log: VecDeque<Change>,
    /// Counts changes of what is listed.
    version: watch::Sender<u64>,
}

/// Identities and their values.
pub(crate) type Members = BTreeMap<Arc<str>, Arc<str>>;

#[derive(Debug)]
struct Present {
    value: Arc<str>,
    connections: u32,
}

/// Somebody has come or gone, or has another value.
#[derive(Debug)]
struct Change {
    identity: Arc<str>,
    /// The value before the change; `None` if the identity was not present.
    before: Option<Arc<str>>,
}

/// What has changed about who is present.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PresenceChange {
    /// More has changed since the last report than is kept: all that were reported before are to be forgotten, and those who are present
    /// follow as joined. It is the first change of a report.
    Reset,
    /// Somebody has come.
    Joined(Member),
    /// Somebody has another value now.
    Updated(Member),
    /// Somebody has gone; this was the last value that was reported.
    Left(Member),
}

/// How many changes are kept at least: a list of so few members is short, too.
const MIN_LOG: usize = 256;

impl Presence {
    pub(super) fn new() -> Self {
        let (members, identities, log) = (HashMap::new(), HashMap::new(), VecDeque::new());
        Self { members, identities, remote: BTreeMap::new(), log, version: watch::Sender::new(0) }
    }

    pub(super) fn join(&mut self, seat: &Arc<Seat>, member: Member) {
        let Member { identity, value } = member;
        self.identities.insert(Arc::as_ptr(seat).addr(), Arc::clone(&identity));
        let before = self.value_of(&identity).cloned();
        let Some(present) = self.members.get_mut(&identity) else {
            self.members.insert(Arc::clone(&identity), Present { value, connections: 1 });
            return self.changed(identity, before);
        };
        present.connections = present.connections.saturating_add(1);
        if present.value != value {
            present.value = value;
            self.changed(identity, before);
        }
    }

    pub(super) fn leave(&mut self, seat: &Seat) {
        let Some(identity) = self.identities.remove(&std::ptr::from_ref(seat).addr()) else { return };
        let Some(present) = self.members.get_mut(&identity) else { return };
        present.connections = present.connections.saturating_sub(1);
        if present.connections == 0 {
            let before = self.members.remove(&identity).map(|present| present.value);
            self.changed(identity, before);
        }
    }

    /// Whether nobody is present and nobody watches.
    pub(super) fn is_idle(&self) -> bool {
        self.members.is_empty() && self.version.receiver_count() == 0
    }

    pub(super) fn len(&self) -> usize {
        if self.remote.is_empty() { self.members.len() } else { self.members().count() }
    }

    /// All members: where several servers know an identity, this one counts, and then the first.
    pub(super) fn members(&self) -> impl Iterator<Item = Member> {
        let remote =
            self.remote.iter().flat_map(|(origin, members)| members.iter().map(move |it| (origin, it)));
        let first = |origin: &u64, identity: &str| {
            let others = self.remote.range(..*origin);
            !self.members.contains_key(identity)
                && others.into_iter().all(|(_, members)| !members.contains_key(identity))
        };
        let remote = remote.filter(move |(origin, (identity, _))| first(origin, identity)).map(|(_, it)| it);
        self.own()
            .chain(remote.map(|(identity, value)| (Arc::clone(identity), Arc::clone(value))))
            .map(|(identity, value)| Member { identity, value })
    }

    /// The members by this server.
    pub(super) fn own(&self) -> impl Iterator<Item = (Arc<str>, Arc<str>)> {
        self.members.iter().map(|(identity, present)| (Arc::clone(identity), Arc::clone(&present.value)))
    }

    /// The members by another server, if it has any.
    pub(super) fn set_remote(&mut self, origin: u64, members: Option<&Members>) {
        let empty = Members::new();
        let now = members.unwrap_or(&empty);
        let before = self.remote.get(&origin).unwrap_or(&empty);
        let gone = before.keys().filter(|identity| !now.contains_key(*identity));
        let set = now.iter().filter(|(identity, value)| before.get(*identity) != Some(value));
        let differ: Vec<_> = gone.chain(set.map(|(identity, _)| identity)).cloned().collect();
        let values: Vec<_> = differ.iter().map(|identity| self.value_of(identity).cloned()).collect();
        match members {
            Some(members) => drop(self.remote.insert(origin, members.clone())),
            None => drop(self.remote.remove(&origin)),
        }
        for (identity, before) in differ.into_iter().zip(values) {
            self.changed(identity, before);
        }
    }

    /// The value of an identity, if it is present.
    fn value_of(&self, identity: &str) -> Option<&Arc<str>> {
        let own = self.members.get(identity).map(|present| &present.value);
        own.or_else(|| self.remote.values().find_map(|members| members.get(identity)))
    }

    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Returns what has changed since a version, and the version now. `None`: nothing was reported yet.
    pub(super) fn since(&self, seen: Option<u64>) -> (u64, Vec<PresenceChange>) {
        let version = *self.version.borrow();
        let joined = self.members().map(PresenceChange::Joined);
        let Some(seen) = seen else { return (version, joined.collect()) };
        let news = usize::try_from(version.saturating_sub(seen)).unwrap_or(usize::MAX);
        let Some(known) = self.log.len().checked_sub(news) else {
            return (version, std::iter::once(PresenceChange::Reset).chain(joined).collect());
        };
        let mut looked_at = HashSet::with_capacity(news);
        // Of each identity the first change has what was reported before.
        let firsts = self.log.range(known..).filter(|change| looked_at.insert(&change.identity));
        (version, firsts.filter_map(|change| self.outcome(change)).collect())
    }

    /// What has become of an identity since a change, that one included.
    fn outcome(&self, Change { identity, before }: &Change) -> Option<PresenceChange> {
        let member = |value: &Arc<str>| Member { identity: Arc::clone(identity), value: Arc::clone(value) };
        match (before, self.value_of(identity)) {
            (None, Some(now)) => Some(PresenceChange::Joined(member(now))),
            (Some(before), None) => Some(PresenceChange::Left(member(before))),
            (Some(before), Some(now)) if before != now => Some(PresenceChange::Updated(member(now))),
            _ => None,
        }
    }

    /// What is listed of an identity may have changed.
    fn changed(&mut self, identity: Arc<str>, before: Option<Arc<str>>) {
        if self.value_of(&identity) == before.as_ref() {
            return;
        }
        if self.version.receiver_count() == 0 {
            // Whoever comes to watch gets the whole list.
            self.log = VecDeque::new();
        } else {
            self.log.push_back(Change { identity, before });
            let remote: usize = self.remote.values().map(BTreeMap::len).sum();
            let most = self.members.len().saturating_add(remote).max(MIN_LOG);
            self.log.drain(..self.log.len().saturating_sub(most));
        }
        self.version.send_modify(|version| *version = version.wrapping_add(1));
    }
}
