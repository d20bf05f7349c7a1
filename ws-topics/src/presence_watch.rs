//! Watching who is present.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use crate::subscribe_options::Member;
use crate::topic::Topic;

/// Reports who joins and leaves a topic: [`Topics::watch_presence`](crate::Topics::watch_presence). The topic exists as long as this does.
///
/// It keeps no list of events that could grow, or lose some: [`changed`](Self::changed) compares those who are present with those of the
/// last time. Somebody who left and came back in between has not changed; what has been reported always adds up to who is present.
pub struct PresenceWatch {
    topic: Arc<Topic>,
    version: watch::Receiver<u64>,
    known: HashMap<Arc<str>, Arc<str>>,
}

/// What has changed about who is present.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PresenceChange {
    /// Somebody has come.
    Joined(Member),
    /// Somebody has another value now.
    Updated(Member),
    /// Somebody has gone; this was the last value.
    Left(Member),
}

impl PresenceWatch {
    pub(crate) fn new(topic: Arc<Topic>, version: watch::Receiver<u64>) -> Self {
        Self { topic, version, known: HashMap::new() }
    }

    /// Waits until somebody is present who was not, or the reverse; the first call reports all who are there as joined. Returns what has
    /// changed, at least one thing. If the future is dropped nothing is lost.
    pub async fn changed(&mut self) -> Vec<PresenceChange> {
        loop {
            // First the number, then the list: what comes in between is looked at again.
            self.version.borrow_and_update();
            let changes = self.compare();
            if !changes.is_empty() {
                return changes;
            }
            if self.version.changed().await.is_err() {
                // Not while there is a watch.
                std::future::pending::<()>().await;
            }
        }
    }

    fn compare(&mut self) -> Vec<PresenceChange> {
        let mut present = self.topic.members();
        std::mem::swap(&mut self.known, &mut present);
        let (before, now) = (present, &self.known);
        let member = |identity: &Arc<str>, value: &Arc<str>| Member {
            identity: Arc::clone(identity),
            value: Arc::clone(value),
        };
        let left = before
            .iter()
            .filter(|(identity, _)| !now.contains_key(*identity))
            .map(|(identity, value)| PresenceChange::Left(member(identity, value)));
        let come = now.iter().filter_map(|(identity, value)| match before.get(identity) {
            None => Some(PresenceChange::Joined(member(identity, value))),
            Some(earlier) if earlier != value => Some(PresenceChange::Updated(member(identity, value))),
            Some(_) => None,
        });
        left.chain(come).collect()
    }
}

impl fmt::Debug for PresenceWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresenceWatch").field("topic", &self.topic.name()).finish_non_exhaustive()
    }
}
