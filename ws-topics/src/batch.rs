//! Several messages in one write.

use ws_tokio::{ConnectionId, Message, Sender};

use crate::error::TopicError;
use crate::hub::Hub;
use crate::name;
use crate::options::Action;
use crate::position::Position;
use crate::topic::Visits;
use std::sync::Arc;

/// Messages that are published together, to any topics: [`Topics::batch`](crate::Topics::batch).
///
/// Each goes into the queues of its subscribers at once, in order. Their connections write when the batch is
/// [finished](Self::finish) or dropped: each once, with all that is for it. A subscriber whose bounds are passed is written to in
/// between, so that a long batch makes no subscriber slow.
#[derive(Debug)]
#[must_use = "the connections write when this is finished or dropped"]
pub struct Batch {
    hub: Arc<Hub>,
    visits: Visits,
    position: Option<Position>,
}

/// What became of one or more messages that were published.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The place of the message, or of the last one, in its topic. `None` if the topic does not exist, because nobody has
    /// subscribed and it keeps no history.
    pub position: Option<Position>,
    /// How many subscriptions it was queued for: over all messages, if there are several.
    pub subscribers: u64,
    /// How many messages were dropped for slow subscribers meanwhile: this one, or one that it took the place of. What a task drops that
    /// writes later is in [`Stats`](crate::Stats) only: messages that are conflated.
    pub dropped: u64,
    /// How many connections were closed for being slow.
    pub closed: u64,
}

impl Batch {
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        Self { hub, visits: Visits::of_batch(), position: None }
    }

    /// As [`Topics::publish`](crate::Topics::publish). Returns the place of the message in its topic.
    ///
    /// # Errors
    /// As there.
    pub fn publish(
        &mut self,
        topic: &str,
        message: impl Into<Message>,
    ) -> Result<Option<Position>, TopicError> {
        self.queue(topic, message.into(), None)
    }

    /// As [`Topics::publish_from`](crate::Topics::publish_from). Returns the place of the message in its topic.
    ///
    /// # Errors
    /// As there.
    pub fn publish_from(
        &mut self,
        sender: &Sender,
        topic: &str,
        message: impl Into<Message>,
    ) -> Result<Option<Position>, TopicError> {
        name::check_topic(topic, self.hub.options.max_topic_length)?;
        self.hub.authorize(sender, topic, Action::Publish)?;
        self.queue(topic, message.into(), Some(sender.connection_id()))
    }

    /// Has the connections write, and returns what became of the messages.
    pub fn finish(mut self) -> Published {
        self.visits.write_all();
        let Visits { subscribers, dropped, closed, .. } = self.visits;
        Published { position: self.position, subscribers, dropped, closed }
    }

    fn queue(
        &mut self,
        topic: &str,
        message: Message,
        from: Option<ConnectionId>,
    ) -> Result<Option<Position>, TopicError> {
        name::check_topic(topic, self.hub.options.max_topic_length)?;
        self.position = self.hub.publish(topic, message, from, &mut self.visits)?;
        self.visits.write_over();
        Ok(self.position)
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.visits.write_all();
    }
}
