//! Topics to subscribe and publish to.

use std::fmt;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use ws_tokio::ws_core::SettingError;
use ws_tokio::{ConnectionId, Message, Sender};

use crate::backplane::Backplane;
use crate::batch::{Batch, Published};
use crate::bus::{BackplaneState, ClusterCounts, ClusterEvents, Want};
use crate::cluster::Cluster;
use crate::error::TopicError;
use crate::hub::Hub;
use crate::name;
use crate::options::{Action, TopicsOptions};
use crate::position::Position;
use crate::presence_watch::PresenceWatch;
use crate::stats::Stats;
use crate::subscribe_options::{Member, SubscribeOptions};
use crate::subscription::Subscription;
use crate::topic::{Beginning, Begun, Visits};

/// The topics of a server. Cheap to clone; every method takes `&self`; those that are not `async` wait for nothing, and may be called outside of a runtime too.
///
/// See the [documentation of the crate](crate) for what is lost when, and what is not.
#[derive(Clone)]
pub struct Topics {
    hub: Arc<Hub>,
}

/// A message that was published, and may have to be stored yet.
#[derive(Debug)]
pub(crate) enum Confirming {
    Done(Option<Position>),
    Waiting { topic: Box<str>, stored: oneshot::Receiver<Result<Position, TopicError>> },
}

impl Confirming {
    pub(crate) async fn wait(self) -> Result<Option<Position>, TopicError> {
        match self {
            Self::Done(position) => Ok(position),
            Self::Waiting { topic, stored } => {
                let unconfirmed = |_| Err(TopicError::Unconfirmed { topic: topic.into() });
                stored.await.unwrap_or_else(unconfirmed).map(Some)
            }
        }
    }
}

impl Default for Topics {
    /// With the default settings.
    fn default() -> Self {
        Self { hub: Hub::new(TopicsOptions::default(), None) }
    }
}

impl Topics {
    /// No topics yet.
    ///
    /// # Errors
    /// [`SettingError`] if a setting is not possible.
    pub fn new(options: TopicsOptions) -> Result<Self, SettingError> {
        options.check()?;
        options.check_durable(None)?;
        Ok(Self { hub: Hub::new(options, None) })
    }

    /// Topics that are shared by all servers which have the same backplane: no topics yet, and what connects them. That is to
    /// [run](Cluster::run) as a task, as long as the server does; until then, and while there is no connection, everything works on this server.
    ///
    /// See ["Several servers"](crate#several-servers) for what is different then.
    ///
    /// # Errors
    /// [`SettingError`] if a setting is not possible, or a history is to be [durable](crate::History::durable) and the backplane has no logs.
    pub fn clustered<B: Backplane>(
        options: TopicsOptions,
        backplane: B,
    ) -> Result<(Self, Cluster<B>), SettingError> {
        options.check()?;
        options.check_durable(Some((B::NAME, backplane.is_durable())))?;
        let cluster = Cluster::new(options, backplane);
        Ok((Self { hub: cluster.hub() }, cluster))
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn recorded(&self) -> &crate::stats::Recorded {
        &self.hub.recorded
    }

    /// Receives what happens between servers, from now on.
    pub fn events(&self) -> ClusterEvents {
        self.hub.bus().map_or_else(ClusterEvents::none, |bus| bus.events())
    }

    /// Returns how the connection to the backplane is. `None` on one server only.
    pub fn backplane(&self) -> Option<BackplaneState> {
        self.hub.bus().map(|bus| bus.status())
    }

    /// Returns what went to and came from other servers. `None` on one server only.
    pub fn cluster_counts(&self) -> Option<ClusterCounts> {
        self.hub.bus().map(|bus| bus.counts())
    }

    /// Subscribes a connection to a topic, or to all topics that a filter with `+` or `#` matches, as in MQTT 5 section 4.7. A connection with
    /// several subscriptions that match a topic gets its messages once for each.
    ///
    /// # Errors
    /// [`TopicError`] if the name is not valid, the hook refuses it, a limit is reached, or the connection is closed.
    pub fn subscribe(
        &self,
        sender: &Sender,
        topic: &str,
        options: SubscribeOptions,
    ) -> Result<Subscription, TopicError> {
        let hub = &self.hub;
        name::check_filter(topic, hub.options.max_topic_length)?;
        if let Some(Member { identity, value }) = &options.presence {
            let (length, limit) =
                (identity.len().saturating_add(value.len()), hub.options.max_presence_bytes);
            if length > limit {
                return Err(TopicError::PresenceTooLong { length, limit });
            }
        }
        hub.authorize(sender, topic, Action::Subscribe)?;
        if options.presence.is_some() {
            hub.authorize(sender, topic, Action::Presence)?;
        }
        let (seat, beginning) = if name::is_filter(topic) {
            let begun = Begun { resumed: None, head: None };
            (hub.subscribe_to_filter(sender, topic, &options)?, Beginning::Now(begun))
        } else {
            hub.subscribe_to_topic(sender, topic, options)?
        };
        // There may be something to replay.
        seat.subscriber.write(&seat);
        Ok(Subscription::new(Arc::clone(hub), seat, beginning))
    }

    /// Publishes a message to all subscribers of a topic and of the filters that match it.
    ///
    /// The message is in their queues when this returns, and written by a separate task, which runs when the calling task waits for
    /// something else: what is published to a topic in a row goes out in one write for each connection, at most 16 messages. A subscriber
    /// whose bounds are passed is written to at once, so that this makes no subscriber slow. Outside of a tokio runtime the message is
    /// written at once. For messages to several topics see [`batch`](Self::batch).
    ///
    /// # Errors
    /// [`TopicError`] if the name is not valid, or if the topic would have to be added, for its history or a filter, and a limit is reached.
    pub fn publish(&self, topic: &str, message: impl Into<Message>) -> Result<Published, TopicError> {
        name::check_topic(topic, self.hub.options.max_topic_length)?;
        self.publish_one(topic, message.into(), None)
    }

    /// As [`publish`](Self::publish), on behalf of a connection: it is left out itself, and the hook
    /// [`authorize`](TopicsOptions::authorize) is asked.
    ///
    /// # Errors
    /// As there, and if the hook refuses it.
    pub fn publish_from(
        &self,
        sender: &Sender,
        topic: &str,
        message: impl Into<Message>,
    ) -> Result<Published, TopicError> {
        name::check_topic(topic, self.hub.options.max_topic_length)?;
        self.hub.authorize(sender, topic, Action::Publish)?;
        let from = Some(sender.connection_id());
        self.publish_one(topic, message.into(), from)
    }

    /// As [`publish`](Self::publish), and waits until the message is stored, if the topic is [durable](crate::History::durable): then it
    /// has a position, which is the same on all servers. For any other topic this waits for nothing.
    ///
    /// If the future is dropped the message may still be published.
    ///
    /// # Errors
    /// As there. [`TopicError::BackplaneFull`] if too much waits already; [`TopicError::Unconfirmed`] if it was not confirmed in
    /// [time](crate::ClusterOptions::retry): the message may be stored, or not.
    pub async fn publish_confirmed(
        &self,
        topic: &str,
        message: impl Into<Message>,
    ) -> Result<Option<Position>, TopicError> {
        name::check_topic(topic, self.hub.options.max_topic_length)?;
        self.start_confirmed(topic, message.into(), None)?.wait().await
    }

    /// As [`publish_confirmed`](Self::publish_confirmed), on behalf of a connection, as [`publish_from`](Self::publish_from).
    ///
    /// # Errors
    /// As these two.
    pub async fn publish_confirmed_from(
        &self,
        sender: &Sender,
        topic: &str,
        message: impl Into<Message>,
    ) -> Result<Option<Position>, TopicError> {
        name::check_topic(topic, self.hub.options.max_topic_length)?;
        self.hub.authorize(sender, topic, Action::Publish)?;
        self.start_confirmed(topic, message.into(), Some(sender.connection_id()))?.wait().await
    }

    /// As [`publish`](Self::publish) for each topic and message in turn, but each subscriber gets all of them in one write.
    ///
    /// # Errors
    /// As there, at the first message that is refused: those before it are published.
    pub fn publish_all<T: AsRef<str>, M: Into<Message>>(
        &self,
        messages: impl IntoIterator<Item = (T, M)>,
    ) -> Result<Published, TopicError> {
        let mut batch = self.batch();
        for (topic, message) in messages {
            batch.publish(topic.as_ref(), message)?;
        }
        Ok(batch.finish())
    }

    /// Begins a batch: what is published with it reaches each subscriber in one write, when it is finished or dropped.
    pub fn batch(&self) -> Batch {
        Batch::new(Arc::clone(&self.hub))
    }

    /// Returns the position of the latest message of a topic, if the topic exists; of a durable topic, if its log has been read, for
    /// a subscription. Its `offset` is 0 before the first message.
    pub fn head(&self, topic: &str) -> Option<Position> {
        self.hub.find(topic).and_then(|topic| topic.known_head())
    }

    /// Returns how many subscriptions a topic has, those by filters not included.
    pub fn subscribers(&self, topic: &str) -> usize {
        self.hub.find(topic).map_or(0, |topic| topic.count_subscriptions())
    }

    /// Returns who is present in a topic, in no particular order.
    pub fn presence(&self, topic: &str) -> Vec<Member> {
        self.hub.find(topic).map(|topic| topic.members()).unwrap_or_default()
    }

    /// As [`presence`](Self::presence), on behalf of a connection: the hook [`authorize`](TopicsOptions::authorize) is asked.
    ///
    /// # Errors
    /// [`TopicError::Forbidden`] if the hook refuses it.
    pub fn presence_for(&self, sender: &Sender, topic: &str) -> Result<Vec<Member>, TopicError> {
        self.hub.authorize(sender, topic, Action::Presence)?;
        Ok(self.presence(topic))
    }

    /// Returns how many are present in a topic, each identity once.
    pub fn presence_count(&self, topic: &str) -> usize {
        self.hub.find(topic).map_or(0, |topic| topic.count_members())
    }

    /// Watches who joins and leaves a topic.
    ///
    /// # Errors
    /// [`TopicError`] if the name is not valid, or if the topic would have to be added and a limit is reached.
    pub fn watch_presence(&self, topic: &str) -> Result<PresenceWatch, TopicError> {
        name::check_topic(topic, self.hub.options.max_topic_length)?;
        loop {
            let topic = self.hub.find_or_add(topic)?;
            // Otherwise it has just been dropped for being idle.
            if let Some(version) = topic.watch() {
                if let Some(bus) = self.hub.bus() {
                    bus.touch(Want::Presence(topic.name().into()));
                }
                return Ok(PresenceWatch::new(topic, version));
            }
        }
    }

    /// Returns what became of all messages so far, and what is held now. It looks at each connection.
    pub fn stats(&self) -> Stats {
        self.hub.stats()
    }

    /// Errors unless it is a topic, or also a filter.
    #[cfg(feature = "endpoint")]
    pub(crate) fn check_name(&self, name: &str, may_be_filter: bool) -> Result<(), TopicError> {
        let check = if may_be_filter { name::check_filter } else { name::check_topic };
        check(name, self.hub.options.max_topic_length)
    }

    /// Publishes a message in this moment; what is returned waits until it is stored.
    pub(crate) fn start_confirmed(
        &self,
        topic: &str,
        message: Message,
        from: Option<ConnectionId>,
    ) -> Result<Confirming, TopicError> {
        let (waiter, stored) = oneshot::channel();
        match self.hub.store(topic, message, from, waiter) {
            Err(message) => Ok(Confirming::Done(self.publish_one(topic, message, from)?.position)),
            Ok(waiting) => waiting.map(|()| Confirming::Waiting { topic: topic.into(), stored }),
        }
    }

    /// As [`start_confirmed`](Self::start_confirmed), for a client.
    #[cfg(feature = "endpoint")]
    pub(crate) fn start_confirmed_for(
        &self,
        sender: &Sender,
        topic: &str,
        message: Message,
        echo: bool,
    ) -> Result<Confirming, TopicError> {
        name::check_topic(topic, self.hub.options.max_topic_length)?;
        if echo {
            return self.start_confirmed(topic, message, None);
        }
        self.hub.authorize(sender, topic, Action::Publish)?;
        self.start_confirmed(topic, message, Some(sender.connection_id()))
    }

    /// Whether what is published to a topic waits to be stored.
    #[cfg(feature = "endpoint")]
    pub(crate) fn is_durable(&self, topic: &str) -> bool {
        self.hub.bus().is_some() && self.hub.options.durable_history_of(topic).is_some()
    }

    fn publish_one(
        &self,
        topic: &str,
        message: Message,
        from: Option<ConnectionId>,
    ) -> Result<Published, TopicError> {
        let mut visits = Visits::default();
        let position = match Handle::try_current() {
            Ok(runtime) => self.hub.publish_later(topic, message, from, &mut visits, &runtime),
            Err(_) => self.hub.publish(topic, message, from, &mut visits),
        };
        // Also if this one is refused: those before it in a row may be to be written now.
        visits.write_over();
        visits.write_all();
        let (Visits { subscribers, dropped, closed, .. }, position) = (visits, position?);
        Ok(Published { position, subscribers, dropped, closed })
    }
}

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topics").finish_non_exhaustive()
    }
}
