//! A subscription, as the user of a client has it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;

use super::error::ClientError;
use super::event::Event;
use super::state::Command;
use super::waiting::{self, Waiting};

/// A subscription of a [`TopicsClient`](crate::TopicsClient). It ends when this is dropped.
#[must_use = "the subscription ends when this is dropped"]
pub struct ClientSubscription {
    topic: String,
    events: mpsc::Receiver<Result<Event, ClientError>>,
    commands: mpsc::Sender<Command>,
    waiting: Arc<Waiting>,
}

impl ClientSubscription {
    pub(super) fn new(
        topic: String,
        events: mpsc::Receiver<Result<Event, ClientError>>,
        commands: mpsc::Sender<Command>,
        waiting: Arc<Waiting>,
    ) -> Self {
        Self { topic, events, commands, waiting }
    }

    /// Returns the topic or filter.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Waits for the next event. If the future is dropped nothing is lost.
    ///
    /// # Errors
    /// [`ClientError`] if the subscription has ended: there will be no connection any more, or the server refused to let it resume. It is the last
    /// that this returns but for [`ClientError::Ended`].
    pub async fn next(&mut self) -> Result<Event, ClientError> {
        if self.waiting.behind.load(Ordering::SeqCst) && self.events.is_empty() {
            let permit = self.commands.reserve().await.map_err(|_| ClientError::Ended)?;
            if self.waiting.behind.swap(false, Ordering::SeqCst) {
                permit.send(Command::Resume { topic: self.topic.clone() });
            }
        }
        let event = self.events.recv().await.unwrap_or(Err(ClientError::Ended))?;
        self.waiting.remove(waiting::bytes(&event));
        Ok(event)
    }
}

impl Drop for ClientSubscription {
    fn drop(&mut self) {
        self.events.close();
        // If there is no room, the task notices when it has an event for this subscription.
        let _ = self.commands.try_send(Command::Unsubscribe { topic: std::mem::take(&mut self.topic) });
    }
}

impl fmt::Debug for ClientSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSubscription").field("topic", &self.topic).finish_non_exhaustive()
    }
}
