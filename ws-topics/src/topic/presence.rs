//! Who is listed as present in a topic.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::seat::Seat;
use crate::subscribe_options::Member;

/// The members of a topic. Joining and leaving cost the same however many there are.
#[derive(Debug)]
pub(crate) struct Presence {
    members: HashMap<Arc<str>, Present>,
    /// By the address of the seat, which is in here no longer than the seat exists.
    identities: HashMap<usize, Arc<str>>,
    /// Counts changes of what is listed.
    version: watch::Sender<u64>,
}

#[derive(Debug)]
struct Present {
    value: Arc<str>,
    connections: u32,
}

impl Presence {
    pub(super) fn new() -> Self {
        Self { members: HashMap::new(), identities: HashMap::new(), version: watch::Sender::new(0) }
    }

    pub(super) fn join(&mut self, seat: &Arc<Seat>, member: Member) {
        let Member { identity, value } = member;
        self.identities.insert(Arc::as_ptr(seat).addr(), Arc::clone(&identity));
        let present =
            self.members.entry(identity).or_insert_with(|| Present { value: value.clone(), connections: 0 });
        let changed = present.connections == 0 || present.value != value;
        present.connections = present.connections.saturating_add(1);
        present.value = value;
        if changed {
            self.changed();
        }
    }

    pub(super) fn leave(&mut self, seat: &Seat) {
        let Some(identity) = self.identities.remove(&std::ptr::from_ref(seat).addr()) else { return };
        let Some(present) = self.members.get_mut(&identity) else { return };
        present.connections = present.connections.saturating_sub(1);
        if present.connections == 0 {
            self.members.remove(&identity);
            self.changed();
        }
    }

    /// Whether nobody is present and nobody watches.
    pub(super) fn is_idle(&self) -> bool {
        self.members.is_empty() && self.version.receiver_count() == 0
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn members(&self) -> HashMap<Arc<str>, Arc<str>> {
        self.members
            .iter()
            .map(|(identity, present)| (Arc::clone(identity), Arc::clone(&present.value)))
            .collect()
    }

    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    fn changed(&self) {
        self.version.send_modify(|version| *version = version.wrapping_add(1));
    }
}
