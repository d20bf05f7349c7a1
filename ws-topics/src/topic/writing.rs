//! The task that has connections write what was published in a row.

use std::mem;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::yield_now;

use super::{Topic, Visits};

/// Has a task of the runtime write what is unwritten of the topic. It runs when the calling task waits for something else.
pub(crate) fn write_later(topic: Arc<Topic>, runtime: &Handle) {
    runtime.spawn(write(Writer { topic: Some(topic), visits: Visits::default() }));
}

/// What the task owns. A runtime that is shut down drops the task, perhaps before it has run; the connections may be of another
/// runtime, and what is published there later waits for no task that is gone.
struct Writer {
    /// Until the task has run.
    topic: Option<Arc<Topic>>,
    visits: Visits,
}

impl Writer {
    fn take(&mut self) {
        if let Some(unwritten) = self.topic.take().and_then(|topic| topic.take_unwritten()) {
            self.visits = *unwritten;
        }
    }
}

async fn write(mut writer: Writer) {
    writer.take();
    while writer.visits.write_some(MANY) {
        yield_now().await;
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.take();
        mem::take(&mut self.visits).write_all();
    }
}

/// After this many connections other tasks get their turn.
const MANY: usize = 128;
