//! What is settable for a subscription.

use std::fmt;
use std::sync::Arc;

use ws_tokio::ConflateKey;

use crate::position::Position;
pub(crate) use crate::start::{Member, Start};

/// The settings of a subscription.
///
/// A subscriber is slow when its connection has no room ([`Config::send_high_water`](ws_tokio::Config::send_high_water)). Then messages wait within
/// these bounds, and beyond them `slow` decides.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SubscribeOptions {
    /// What happens to a message that a bound leaves no place for. Default: [`SlowSubscriber::DropOldest`].
    pub slow: SlowSubscriber,
    /// How many messages may wait. Default: 1,024. At least 1: 0 counts as 1.
    pub max_messages: usize,
    /// How many bytes may wait; each message counts as its payload and 512 bytes. Default: 1 MiB. A larger message counts as lost for a
    /// subscriber that is slow at that moment.
    pub max_bytes: usize,
    /// Where it begins. Default: [`Start::Live`].
    pub start: Start,
    /// As whom the subscriber is listed in the topic. Default: not at all.
    pub presence: Option<Member>,
}

/// What happens to messages that a slow subscriber has no place for.
///
/// Whatever is dropped is counted, and the subscriber gets a gap mark ([`TopicsOptions::gap_mark`](crate::TopicsOptions::gap_mark)) in
/// its place, with one mark for all that are missing at that place.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum SlowSubscriber {
    /// The oldest that waits is dropped.
    #[default]
    DropOldest,
    /// The new one is dropped.
    DropNewest,
    /// Of the messages that wait with the same key only the latest is kept. Messages of different topics never have the same key; with
    /// `None` all of a topic have. The order is kept: the latest goes out at its own place. Beyond the bounds the oldest is dropped.
    ///
    /// The function is called while the queue is locked, and must not use the [`Topics`](crate::Topics). A message for which it panics replaces none, and none replaces it.
    Conflate(Option<ConflateKey>),
    /// The connection is closed with 1013.
    Close,
}

impl Default for SubscribeOptions {
    fn default() -> Self {
        Self {
            slow: SlowSubscriber::default(),
            max_messages: 1_024,
            max_bytes: 1 << 20,
            start: Start::default(),
            presence: None,
        }
    }
}

impl SubscribeOptions {
    /// Sets [`slow`](Self::slow).
    #[must_use]
    pub fn slow(mut self, slow: SlowSubscriber) -> Self {
        self.slow = slow;
        self
    }

    /// Sets [`max_messages`](Self::max_messages).
    #[must_use]
    pub fn max_messages(mut self, messages: usize) -> Self {
        self.max_messages = messages;
        self
    }

    /// Sets [`max_bytes`](Self::max_bytes).
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Has it begin after a position, if there is one: [`Start::Since`].
    #[must_use]
    pub fn since(mut self, position: impl Into<Option<Position>>) -> Self {
        self.start = position.into().map_or(Start::Live, Start::Since);
        self
    }

    /// Has it begin with the latest messages of the history: [`Start::Last`].
    #[must_use]
    pub fn last(mut self, messages: u64) -> Self {
        self.start = Start::Last(messages);
        self
    }

    /// Has the subscriber be listed as present, until the subscription ends.
    #[must_use]
    pub fn present(mut self, identity: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        self.presence = Some(Member { identity: identity.into(), value: value.into() });
        self
    }
}

impl SlowSubscriber {
    /// Whether both are the same, the functions of keys included.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Conflate(Some(own)), Self::Conflate(Some(other))) => Arc::ptr_eq(own, other),
            (Self::DropOldest, Self::DropOldest)
            | (Self::DropNewest, Self::DropNewest)
            | (Self::Conflate(None), Self::Conflate(None))
            | (Self::Close, Self::Close) => true,
            _ => false,
        }
    }
}

impl fmt::Debug for SlowSubscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DropOldest => "DropOldest",
            Self::DropNewest => "DropNewest",
            Self::Conflate(None) => "Conflate(None)",
            Self::Conflate(Some(_)) => "Conflate(..)",
            Self::Close => "Close",
        })
    }
}
