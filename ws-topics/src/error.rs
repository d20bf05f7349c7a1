//! Why topics refuse something.

use std::fmt;

use thiserror::Error;

/// Why a subscription or a publication was refused. Nothing has changed then, except perhaps with [`Unconfirmed`](Self::Unconfirmed).
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TopicError {
    /// The name of a topic or filter is not valid (MQTT 5 section 4.7).
    #[error("topic {name:?} is not valid: {why}")]
    InvalidName {
        /// The name.
        name: String,
        /// The rule that it breaks.
        why: &'static str,
    },
    /// The name of a topic or filter is too long.
    #[error("topic of {length} bytes is over max_topic_length = {limit} bytes")]
    NameTooLong {
        /// Its length in bytes.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// The hook [`authorize`](crate::TopicsOptions::authorize) refused it.
    #[error("not authorized for topic {topic:?}")]
    Forbidden {
        /// The topic or filter.
        topic: String,
    },
    /// The connection takes no more messages.
    #[error("the connection is closed or closing")]
    Closed,
    /// No topic can be added, and none is idle.
    #[error("the number of topics is at its limit of max_topics = {limit}")]
    TooManyTopics {
        /// The limit.
        limit: usize,
    },
    /// No filter can be added.
    #[error("the number of filters is at its limit of max_filters = {limit}")]
    TooManyFilters {
        /// The limit.
        limit: usize,
    },
    /// The connection has as many subscriptions as may be.
    #[error("the subscriptions of the connection are at their limit of max_subscriptions = {limit}")]
    TooManySubscriptions {
        /// The limit.
        limit: usize,
    },
    /// History and presence belong to a topic; a filter has neither.
    #[error("filter {filter:?} has no {what}: subscribe to a topic for it")]
    NotForFilters {
        /// The filter.
        filter: String,
        /// `history` or `presence`.
        what: &'static str,
    },
    /// Identity and value of a present subscriber are too long.
    #[error("identity and value of {length} bytes are over max_presence_bytes = {limit} bytes")]
    PresenceTooLong {
        /// Their length together.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// Too much waits to be stored by the backplane: it is down, or slower than the publishers.
    #[error(
        "a message to {topic:?} cannot be stored now: what waits for the backplane is at its limit of max_unstored_messages = {messages} or max_unstored_bytes = {bytes} bytes"
    )]
    BackplaneFull {
        /// The topic.
        topic: String,
        /// The limit of messages.
        messages: usize,
        /// The limit of bytes.
        bytes: usize,
    },
    /// The backplane refuses to store a message: it is too long, for example, or there is no room for it.
    #[error("the message to {topic:?} is not stored: {cause}")]
    Refused {
        /// The topic.
        topic: String,
        /// Why.
        cause: String,
    },
    /// The backplane did not confirm in time that it has stored a message: it may have, or not.
    #[error("it is not known whether the message to {topic:?} is stored: the backplane did not confirm it")]
    Unconfirmed {
        /// The topic.
        topic: String,
    },
}

/// As [`Display`](fmt::Display), like every error of these crates.
impl fmt::Debug for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
