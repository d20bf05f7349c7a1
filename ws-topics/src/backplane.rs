//! What several servers exchange messages through.

#[cfg(any(feature = "nats", feature = "redis"))]
pub(crate) mod address;
#[cfg(any(feature = "nats", feature = "redis"))]
pub(crate) mod queue;
#[cfg(any(feature = "nats", feature = "redis"))]
pub(crate) mod tls;

use std::error::Error;
use std::fmt;
use std::future::Future;

use bytes::Bytes;

use crate::options::History;

/// A message bus that several servers share, and, if it has one, a log.
///
/// An implementation only moves bytes. It may lose, repeat and reorder what it publishes; [`Topics`](crate::Topics) number their messages, so
/// that subscribers never see one twice, and see a gap mark wherever one is missing. It connects when it is asked to and does not reconnect by
/// itself: that is done here, with back-off and jitter, and is visible as an event.
///
/// Every future may be dropped at any await. Then it is unknown whether its effect has taken place.
pub trait Backplane: Send + Sync + 'static {
    /// What sends to it.
    type Link: Link;
    /// What receives from it.
    type Inbox: Inbox;

    /// A name for logs and metrics, such as `nats`.
    const NAME: &'static str;

    /// Whether [`Link::append`] and [`Link::read`] work: without that a topic with a [durable](History::durable) history is refused.
    fn is_durable(&self) -> bool;

    /// Connects once. It is called again, after a while, when that fails, and when the connection is lost.
    fn connect(&self) -> impl Future<Output = Result<(Self::Link, Self::Inbox), BackplaneError>> + Send;
}

/// A connection to a [`Backplane`], for sending.
///
/// After an error it is dropped, and another one is made. Methods may be called at the same time; of calls to [`publish`](Self::publish)
/// for one channel, and of calls to [`append`](Self::append) for one topic, the second begins after the first has ended.
pub trait Link: Send + Sync + 'static {
    /// Has the [`Inbox`] of this connection receive what is published from now on. When it returns, the backplane has confirmed it, so that nothing that is
    /// published later is missed for lack of it.
    fn subscribe(&self, interest: &Interest) -> impl Future<Output = Result<(), BackplaneError>> + Send;

    /// Ends a subscription.
    fn unsubscribe(&self, interest: &Interest) -> impl Future<Output = Result<(), BackplaneError>> + Send;

    /// Publishes to the servers that are subscribed, this one included if it is. It waits while the connection does not take more, and not for a
    /// confirmation.
    fn publish(
        &self,
        channel: &Channel,
        payload: Bytes,
    ) -> impl Future<Output = Result<(), BackplaneError>> + Send;

    /// Appends entries to the log of a topic, in their order, and waits until they are stored: all of them, or the first ones, at least one. The caller appends the
    /// others again. The log is made if there is none, with the limits of `history`, which also apply from then on.
    ///
    /// An entry that is already there by its [`id`](Entry::id) is not stored again, so that a caller that lost the connection may repeat the call, for a minute at
    /// least. An error that is a [refusal](BackplaneError::refused) is about the first entry alone, which no call of this connection has stored.
    fn append(
        &self,
        topic: &str,
        history: &History,
        entries: &[Entry],
    ) -> impl Future<Output = Result<Appended, BackplaneError>> + Send;

    /// Reads the entries of a log that come after an offset: at most `max_messages` of them, and not many more bytes than `max_bytes`, but
    /// one if there is one. The log is made if there is none.
    fn read(
        &self,
        topic: &str,
        history: &History,
        after: u64,
        max_messages: usize,
        max_bytes: usize,
    ) -> impl Future<Output = Result<Page, BackplaneError>> + Send;
}

/// A connection to a [`Backplane`], for receiving.
pub trait Inbox: Send + 'static {
    /// Waits for what comes next. An error means that the connection is lost.
    ///
    /// No message is lost if the future is dropped.
    fn next(&mut self) -> impl Future<Output = Result<Incoming, BackplaneError>> + Send;
}

/// What an [`Inbox`] receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A payload as it was published.
    Message(Bytes),
    /// Messages were lost here, as far as the implementation knows: it has dropped some since they came faster than they were taken.
    Lost,
}

/// Where a payload is published to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Channel {
    /// The messages of a topic. Subscriptions by filters receive them, too.
    Topic(Box<str>),
    /// Who is present in a topic.
    Presence(Box<str>),
    /// What the servers say to each other.
    Servers,
}

/// What a server subscribes to. A message that matches several of them may come once for each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Interest {
    /// One channel.
    Channel(Channel),
    /// The messages of all topics that a filter matches (MQTT 5 section 4.7); others may come, too.
    Filter(Box<str>),
}

/// What is appended to a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// No two entries of a topic have the same. The upper half names the server, by chance; the lower half counts.
    pub id: u128,
    /// The payload.
    pub payload: Bytes,
}

/// Where entries have been stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Names the life of the log: a log that was lost and made again has another. Less than 2^53.
    pub epoch: u64,
    /// The offsets of the first entries in the log; the log has the offsets 1, 2, 3, … without a hole.
    pub offsets: Vec<u64>,
}

/// A part of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// As [`Appended::epoch`].
    pub epoch: u64,
    /// The offset of the oldest entry that is still there; if there is none, of the next one.
    pub oldest: u64,
    /// The offset of the latest entry, or 0 if there was none yet.
    pub head: u64,
    /// Entries with consecutive offsets, in their order: they begin with the first that was asked for and is still there.
    pub entries: Vec<(u64, Bytes)>,
}

/// Why a [`Backplane`] could not do something.
#[derive(Debug)]
pub struct BackplaneError {
    what: String,
    refusal: bool,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl BackplaneError {
    /// An error with a sentence that says what could not be done, and with whom: `cannot connect to 127.0.0.1:4222`.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), refusal: false, source: None }
    }

    /// An error of this one call, which would fail again: `a payload of 2000000 bytes is over the limit`. The connection is good, and goes on.
    pub fn refused(what: impl Into<String>) -> Self {
        Self { what: what.into(), refusal: true, source: None }
    }

    /// Whether it was made by [`refused`](Self::refused): then the call must not be repeated.
    pub const fn is_refusal(&self) -> bool {
        self.refusal
    }

    /// Adds what has caused it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for BackplaneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for BackplaneError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}
