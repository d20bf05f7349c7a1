//! What a server sends.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::content::Content;
#[cfg(all(feature = "endpoint", not(target_arch = "wasm32")))]
use crate::error::TopicError;
#[cfg(all(feature = "endpoint", not(target_arch = "wasm32")))]
use crate::position::{GapMark, Position};
use crate::start::Member;

/// A message of a server: the answer to a request, or what happens in a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Reply {
    Subscribed {
        id: u64,
        topic: String,
        position: Option<String>,
        /// `Some(None)`: not all that was missed is known.
        #[serde(default, skip_serializing_if = "Option::is_none", with = "nullable")]
        missed: Option<Option<u64>>,
    },
    Unsubscribed {
        id: u64,
        topic: String,
    },
    Published {
        id: u64,
        topic: String,
        position: Option<String>,
    },
    Members {
        id: u64,
        topic: String,
        members: Vec<Person>,
    },
    Pong {
        id: u64,
    },
    Error {
        id: Option<u64>,
        code: Code,
        message: String,
    },
    Message {
        topic: String,
        position: String,
        #[serde(flatten)]
        content: Content,
    },
    Gap {
        topic: String,
        lost: Option<u64>,
        first: Option<String>,
        last: Option<String>,
    },
    Presence {
        topic: String,
        /// The lists are whole: whoever is not in them is not present.
        #[serde(default, skip_serializing_if = "is_false")]
        all: bool,
        joined: Vec<Person>,
        updated: Vec<Person>,
        left: Vec<Person>,
    },
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Code {
    Invalid,
    Forbidden,
    Name,
    Limit,
    Filter,
    Subscribed,
    NotSubscribed,
    Closed,
    Content,
    /// A message may or may not have been published.
    Unconfirmed,
    /// Of a later version of the server.
    #[serde(other)]
    Unknown,
}

/// Somebody who is present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Person {
    identity: Arc<str>,
    value: Arc<str>,
}

#[cfg(all(feature = "endpoint", not(target_arch = "wasm32")))]
impl Reply {
    pub(crate) fn to_json(&self) -> String {
        to_json(self)
    }

    pub(crate) fn refused(id: u64, error: &TopicError) -> Self {
        Self::Error { id: Some(id), code: Code::of(error), message: error.to_string() }
    }

    pub(crate) fn gap(mark: &GapMark<'_>) -> Self {
        let text = |position: Position| position.to_string();
        Self::Gap {
            topic: mark.topic.to_owned(),
            lost: mark.lost,
            first: mark.range.map(|(first, _)| text(first)),
            last: mark.range.map(|(_, last)| text(last)),
        }
    }
}

impl fmt::Display for Code {
    /// As it is in the message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

#[cfg(all(feature = "endpoint", not(target_arch = "wasm32")))]
impl Code {
    fn of(error: &TopicError) -> Self {
        match error {
            TopicError::InvalidName { .. } | TopicError::NameTooLong { .. } => Self::Name,
            TopicError::Forbidden { .. } => Self::Forbidden,
            TopicError::Closed => Self::Closed,
            TopicError::NotForFilters { .. } => Self::Filter,
            TopicError::TooManyTopics { .. }
            | TopicError::TooManyFilters { .. }
            | TopicError::TooManySubscriptions { .. }
            | TopicError::PresenceTooLong { .. }
            | TopicError::BackplaneFull { .. }
            | TopicError::Refused { .. } => Self::Limit,
            TopicError::Unconfirmed { .. } => Self::Unconfirmed,
        }
    }
}

impl From<Member> for Person {
    fn from(Member { identity, value }: Member) -> Self {
        Self { identity, value }
    }
}

impl From<Person> for Member {
    fn from(Person { identity, value }: Person) -> Self {
        Self { identity, value }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
pub(super) fn is_false(value: &bool) -> bool {
    !value
}

/// Writes text, numbers and lists: nothing that JSON does not have.
pub(super) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| {
        debug_assert!(false, "{error}");
        String::new()
    })
}

/// A member that may be absent, and may be `null`.
mod nullable {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    #[expect(clippy::ref_option, reason = "serde asks for a reference")]
    pub(super) fn serialize<S: Serializer>(value: &Option<Option<u64>>, to: S) -> Result<S::Ok, S::Error> {
        value.flatten().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<u64>>, D::Error> {
        Option::<u64>::deserialize(from).map(Some)
    }
}

#[cfg(all(test, feature = "endpoint"))]
mod tests {
    use super::*;

    #[test]
    fn replies_are_written_as_the_documentation_has_them_and_are_read_again() {
        let subscribed =
            |missed| Reply::Subscribed { id: 2, topic: "a/b".into(), position: Some("4:9".into()), missed };
        for (reply, text) in [
            (subscribed(None), r#"{"type":"subscribed","id":2,"topic":"a/b","position":"4:9"}"#),
            (
                subscribed(Some(None)),
                r#"{"type":"subscribed","id":2,"topic":"a/b","position":"4:9","missed":null}"#,
            ),
            (
                subscribed(Some(Some(1))),
                r#"{"type":"subscribed","id":2,"topic":"a/b","position":"4:9","missed":1}"#,
            ),
            (
                Reply::Message {
                    topic: "a\"b".into(),
                    position: "4:7".into(),
                    content: Content::Text("\n".into()),
                },
                r#"{"type":"message","topic":"a\"b","position":"4:7","text":"\n"}"#,
            ),
            (
                Reply::Error { id: None, code: Code::NotSubscribed, message: "no".into() },
                r#"{"type":"error","id":null,"code":"not_subscribed","message":"no"}"#,
            ),
            (
                Reply::gap(&GapMark { topic: "a", lost: None, range: None }),
                r#"{"type":"gap","topic":"a","lost":null,"first":null,"last":null}"#,
            ),
        ] {
            assert_eq!(reply.to_json(), text);
            assert_eq!(serde_json::from_str::<Reply>(text).unwrap(), reply);
        }
    }
}
