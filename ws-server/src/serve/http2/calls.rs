//! How many streams of a connection are in use.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::sync::Notify;

/// The streams of one connection that have a task.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    running: AtomicUsize,
    /// Notified when there is none any more.
    emptied: Notify,
}

/// A stream in use, until it is dropped.
#[derive(Debug)]
pub(crate) struct InUse(Arc<Calls>);

impl Calls {
    pub(crate) fn begin(self: &Arc<Self>) -> InUse {
        self.running.fetch_add(1, SeqCst);
        InUse(self.clone())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.running.load(SeqCst) == 0
    }

    /// Ready when the last stream has ended since this was ready last.
    pub(crate) async fn changed(&self) {
        self.emptied.notified().await;
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, SeqCst) == 1 {
            self.0.emptied.notify_one();
        }
    }
}
