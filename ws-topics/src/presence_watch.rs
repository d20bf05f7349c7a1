//! Watching who is present.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use crate::topic::{PresenceChange, Topic};

/// Reports who joins and leaves a topic: [`Topics::watch_presence`](crate::Topics::watch_presence). The topic exists as long as this does.
///
/// A report costs time in proportion to what has changed, not to how many are present, and no memory between reports. The topic keeps
/// the latest changes, as many as there are members and at least 256. A watch that is further behind gets the whole list
/// ([`PresenceChange::Reset`]). Somebody who left and came back between two reports has not changed; what has been reported always adds up to
/// who is present.
pub struct PresenceWatch {
    topic: Arc<Topic>,
    version: watch::Receiver<u64>,
    /// The version of the last report.
    seen: Option<u64>,
}

impl PresenceWatch {
    pub(crate) fn new(topic: Arc<Topic>, version: watch::Receiver<u64>) -> Self {
        Self { topic, version, seen: None }
    }

    /// Waits until somebody is present who was not, or the reverse; the first call reports all who are there as joined. Returns what has
    /// changed, at least one thing. If the future is dropped nothing is lost.
    pub async fn changed(&mut self) -> Vec<PresenceChange> {
        loop {
            let changes = self.take();
            if !changes.is_empty() {
                return changes;
            }
            self.moved().await;
        }
    }

    /// Returns what has changed, if anything has.
    pub(crate) fn take(&mut self) -> Vec<PresenceChange> {
        // First the number, then the list: what comes in between is looked at again.
        self.version.borrow_and_update();
        let (version, changes) = self.topic.presence_since(self.seen);
        self.seen = Some(version);
        changes
    }

    /// Waits until something may have changed since [`take`](Self::take).
    pub(crate) async fn moved(&mut self) {
        if self.version.changed().await.is_err() {
            // Not while there is a watch.
            std::future::pending::<()>().await;
        }
    }
}

impl fmt::Debug for PresenceWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresenceWatch").field("topic", &self.topic.name()).finish_non_exhaustive()
    }
}
