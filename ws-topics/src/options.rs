//! What is settable for all topics.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use ws_tokio::ws_core::SettingError;
use ws_tokio::{ConnectionId, Message};

use crate::cluster_options::ClusterOptions;
use crate::name;
use crate::position::{GapMark, Position};

/// The settings of a [`Topics`](crate::Topics), each with a default; every bound is a hard one.
#[derive(Clone)]
#[non_exhaustive]
pub struct TopicsOptions {
    /// How many topics there may be. Default: 100,000. A topic exists while it has subscribers, a history that has not expired, or a
    /// [`PresenceWatch`](crate::PresenceWatch); or, if a filter matches it, until room is needed.
    pub max_topics: usize,
    /// How many different filters may be subscribed to. Default: 10,000.
    pub max_filters: usize,
    /// How many subscriptions a connection may have. Default: 1,000.
    pub max_subscriptions: usize,
    /// How long the name of a topic or filter may be, in bytes. Default: 255. At most 65,535 (MQTT 5 section 4.7.3).
    pub max_topic_length: usize,
    /// How many messages may wait for one connection, over all its subscriptions. Default: 8,192.
    pub max_waiting_messages: usize,
    /// How many bytes may wait for one connection, over all its subscriptions; each message counts as its payload and 512
    /// bytes. Default: 8 MiB.
    pub max_waiting_bytes: usize,
    /// How many bytes the histories of all topics may hold together, counted as in [`History::max_bytes`]. Default: 64 MiB. Beyond that a topic
    /// that is published to gives up its own oldest messages.
    pub max_history_bytes: usize,
    /// How long identity and value of a present subscriber may be together, in bytes. Default: 1,024.
    pub max_presence_bytes: usize,
    histories: Vec<(String, History)>,
    locals: Vec<String>,
    pub(crate) cluster: ClusterOptions,
    pub(crate) authorize: Option<Arc<Authorize>>,
    pub(crate) frame: Option<Arc<Frame>>,
    pub(crate) gap_mark: Arc<MakeGapMark>,
}

type Authorize = dyn Fn(&Access<'_>) -> bool + Send + Sync;
type Frame = dyn Fn(&Publication<'_>) -> Message + Send + Sync;
type MakeGapMark = dyn Fn(&GapMark<'_>) -> Option<Message> + Send + Sync;

/// Calls a function of the user. `None` if it panics, which the hook for panics has reported: that ends neither what serves others nor, in a
/// destructor, the process.
pub(crate) fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}

/// What a connection asks to do, for [`TopicsOptions::authorize`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Access<'a> {
    /// The connection.
    pub connection: ConnectionId,
    /// The topic, or the filter of a subscription.
    pub topic: &'a str,
    /// What it asks for.
    pub action: Action,
}

/// What a connection may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// To get the messages of a topic, or of all topics that a filter matches: these are not asked about one by one.
    Subscribe,
    /// To publish to a topic.
    Publish,
    /// To be listed as present in a topic, or to read who is.
    Presence,
}

/// A message on its way to the subscribers, for [`TopicsOptions::frame`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Publication<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The place of the message in the topic.
    pub position: Position,
    /// The message as it was published.
    pub message: &'a Message,
}

/// What a topic keeps for subscribers that come, or come back: at most this many messages, this many bytes, for this long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct History {
    /// How many messages. Default: 1,000.
    pub max_messages: usize,
    /// How many bytes; each message counts as its payload and 512 bytes. Default: 1 MiB.
    pub max_bytes: usize,
    /// For how long. Default: one hour.
    pub max_age: Duration,
    /// Whether the history is a log of the [`Backplane`](crate::Backplane), which all servers share and which outlives them. Default: `false`.
    pub durable: bool,
}

impl Default for History {
    fn default() -> Self {
        Self { max_messages: 1_000, max_bytes: 1 << 20, max_age: Duration::from_secs(3_600), durable: false }
    }
}

impl History {
    /// Sets [`max_messages`](Self::max_messages).
    #[must_use]
    pub const fn max_messages(mut self, messages: usize) -> Self {
        self.max_messages = messages;
        self
    }

    /// Sets [`max_bytes`](Self::max_bytes).
    #[must_use]
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets [`max_age`](Self::max_age).
    #[must_use]
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// Sets [`durable`](Self::durable).
    #[must_use]
    pub const fn durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }
}

impl Default for TopicsOptions {
    fn default() -> Self {
        Self {
            max_topics: 100_000,
            max_filters: 10_000,
            max_subscriptions: 1_000,
            max_topic_length: 255,
            max_waiting_messages: 8_192,
            max_waiting_bytes: 8 << 20,
            max_history_bytes: 64 << 20,
            max_presence_bytes: 1_024,
            histories: Vec::new(),
            locals: Vec::new(),
            cluster: ClusterOptions::default(),
            authorize: None,
            frame: None,
            gap_mark: Arc::new(|gap| Some(Message::text(gap.to_json()))),
        }
    }
}

macro_rules! setters {
    ($($name:ident),*) => {
        impl TopicsOptions {
            $(
                #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), ").")]
                #[must_use]
                pub const fn $name(mut self, limit: usize) -> Self {
                    self.$name = limit;
                    self
                }
            )*
        }
    };
}

setters!(
    max_topics,
    max_filters,
    max_subscriptions,
    max_topic_length,
    max_waiting_messages,
    max_waiting_bytes,
    max_history_bytes,
    max_presence_bytes
);

impl TopicsOptions {
    /// Has the topics that a topic or filter matches keep a history. Default: none does. Of several that match a topic the one that was
    /// set first counts.
    #[must_use]
    pub fn history(mut self, topics: impl Into<String>, history: History) -> Self {
        self.histories.push((topics.into(), history));
        self
    }

    /// Has the topics that a topic or filter matches stay on this server, where the others are [shared](crate::Topics::clustered) by several.
    /// Default: none does. They have no [durable](History::durable) history.
    #[must_use]
    pub fn local(mut self, topics: impl Into<String>) -> Self {
        self.locals.push(topics.into());
        self
    }

    /// Sets how several servers work together. Default: that of [`ClusterOptions`].
    #[must_use]
    pub fn cluster(mut self, options: ClusterOptions) -> Self {
        self.cluster = options;
        self
    }

    /// Sets who may do what: a connection may where `authorize` returns `true`. Default: every connection may do everything. What the
    /// server itself does, such as [`publish`](crate::Topics::publish), is not asked about.
    #[must_use]
    pub fn authorize(mut self, authorize: impl Fn(&Access<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.authorize = Some(Arc::new(authorize));
        self
    }

    /// Sets what subscribers are sent for a message, such as an envelope with topic and position: a client that is to resume must know the
    /// position. It is called once for each publication. Default: the message as it was published.
    ///
    /// It is called while the topic is locked, and must not use the [`Topics`](crate::Topics). If it panics, the publisher does, and nothing is published; a message of
    /// another server is missing then, with a gap mark.
    #[must_use]
    pub fn frame(mut self, frame: impl Fn(&Publication<'_>) -> Message + Send + Sync + 'static) -> Self {
        self.frame = Some(Arc::new(frame));
        self
    }

    /// Sets what a subscriber is sent at a place where it lost messages; with `None` nothing. Default: a text message with
    /// [`GapMark::to_json`].
    ///
    /// It is called while the connection is locked, and must not use it. If it panics, nothing is sent.
    #[must_use]
    pub fn gap_mark(
        mut self,
        mark: impl Fn(&GapMark<'_>) -> Option<Message> + Send + Sync + 'static,
    ) -> Self {
        self.gap_mark = Arc::new(mark);
        self
    }

    /// Errors if a setting is not possible.
    ///
    /// # Errors
    /// [`SettingError`] names it.
    pub fn check(&self) -> Result<(), SettingError> {
        let limits = [
            ("max_topics", self.max_topics),
            ("max_subscriptions", self.max_subscriptions),
            ("max_topic_length", self.max_topic_length),
            ("max_waiting_messages", self.max_waiting_messages),
            ("max_waiting_bytes", self.max_waiting_bytes),
        ];
        if let Some((setting, value)) = limits.into_iter().find(|(_, value)| *value == 0) {
            return Err(SettingError::new(setting, value, "it must be at least 1"));
        }
        if self.max_topic_length > 65_535 {
            let must = "it must be at most 65535 (MQTT 5 section 4.7.3)";
            return Err(SettingError::new("max_topic_length", self.max_topic_length, must));
        }
        for (topics, history) in &self.histories {
            if let Err(error) = name::check_filter(topics, self.max_topic_length) {
                return Err(SettingError::new("history", topics, error.to_string()));
            }
            if history.max_messages == 0 {
                return Err(SettingError::new("history.max_messages", 0, "it must be at least 1"));
            }
        }
        for topics in &self.locals {
            if let Err(error) = name::check_filter(topics, self.max_topic_length) {
                return Err(SettingError::new("local", topics, error.to_string()));
            }
        }
        self.cluster.check()
    }

    /// Errors if a history is to be a log of the backplane, and there is no such backplane.
    pub(crate) fn check_durable(&self, backplane: Option<(&str, bool)>) -> Result<(), SettingError> {
        let Some((topics, _)) = self.histories.iter().find(|(_, history)| history.durable) else {
            return Ok(());
        };
        match backplane {
            Some((_, true)) => Ok(()),
            Some((name, false)) => {
                let must = format!("it must not be durable: the backplane {name} has no logs");
                Err(SettingError::new("history", topics, must))
            }
            None => {
                let must = "it must not be durable without a backplane: see Topics::clustered";
                Err(SettingError::new("history", topics, must))
            }
        }
    }

    /// Whether a topic stays on this server.
    pub(crate) fn is_local(&self, topic: &str) -> bool {
        self.locals.iter().any(|topics| name::matches(topics, topic))
    }

    /// What a topic is to keep.
    pub(crate) fn history_of(&self, topic: &str) -> Option<History> {
        let own = self.histories.iter().find(|(topics, _)| name::matches(topics, topic));
        let mut history = own.map(|(_, history)| *history)?;
        history.durable &= !self.is_local(topic);
        Some(history)
    }

    /// The history of a topic that is a log of the backplane.
    pub(crate) fn durable_history_of(&self, topic: &str) -> Option<History> {
        self.history_of(topic).filter(|history| history.durable)
    }
}

impl fmt::Debug for TopicsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicsOptions")
            .field("max_topics", &self.max_topics)
            .field("max_filters", &self.max_filters)
            .field("max_subscriptions", &self.max_subscriptions)
            .field("max_topic_length", &self.max_topic_length)
            .field("max_waiting_messages", &self.max_waiting_messages)
            .field("max_waiting_bytes", &self.max_waiting_bytes)
            .field("max_history_bytes", &self.max_history_bytes)
            .field("max_presence_bytes", &self.max_presence_bytes)
            .field("histories", &self.histories)
            .field("locals", &self.locals)
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}
