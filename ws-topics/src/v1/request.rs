//! What a client sends.

use serde::Serialize;

use super::content::Content;
#[cfg(all(feature = "endpoint", not(target_arch = "wasm32")))]
use super::members::{Members, wrong};
use super::reply::is_false;

/// A request of a client. Each has an `id`, which its reply repeats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Request {
    Subscribe {
        id: u64,
        topic: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        last: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        present: Option<String>,
        #[serde(skip_serializing_if = "is_false")]
        watch: bool,
    },
    Unsubscribe {
        id: u64,
        topic: String,
    },
    Publish {
        id: u64,
        topic: String,
        #[serde(flatten)]
        content: Content,
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        #[serde(skip_serializing_if = "is_true")]
        echo: bool,
    },
    Presence {
        id: u64,
        topic: String,
    },
    Ping {
        id: u64,
    },
}

/// A message that is no request: what is wrong with it, and its `id`, if that much can be read.
#[cfg(all(feature = "endpoint", not(target_arch = "wasm32")))]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) id: Option<u64>,
    pub(crate) why: String,
}

impl Request {
    #[cfg(all(feature = "endpoint", not(target_arch = "wasm32")))]
    pub(crate) fn parse(text: &str) -> Result<Self, Unreadable> {
        let unreadable = |id| move |why| Unreadable { id, why };
        let mut members = Members::parse(text).map_err(unreadable(None))?;
        let id = members.optional_integer("id").map_err(unreadable(None))?;
        let id = id.ok_or("the member id is missing".to_owned()).map_err(unreadable(None))?;
        Self::of(id, members).map_err(unreadable(Some(id)))
    }

    #[cfg(all(feature = "endpoint", not(target_arch = "wasm32")))]
    fn of(id: u64, mut members: Members) -> Result<Self, String> {
        let kind = members.text("type")?;
        match kind.as_str() {
            "subscribe" => Ok(Self::Subscribe {
                id,
                topic: members.text("topic")?,
                since: members.optional_text("since")?,
                last: members.optional_integer("last")?,
                present: members.optional_text("present")?,
                watch: members.flag("watch", false)?,
            }),
            "unsubscribe" => Ok(Self::Unsubscribe { id, topic: members.text("topic")? }),
            "publish" => Ok(Self::Publish {
                id,
                topic: members.text("topic")?,
                content: match (members.optional_text("text")?, members.optional_text("base64")?) {
                    (Some(text), None) => Content::Text(text),
                    (None, Some(base64)) => Content::Base64(base64),
                    (None, None) => return Err("a member text or base64 is missing".into()),
                    (Some(_), Some(_)) => return Err("the members text and base64 exclude each other".into()),
                },
                key: members.optional_text("key")?,
                echo: members.flag("echo", true)?,
            }),
            "presence" => Ok(Self::Presence { id, topic: members.text("topic")? }),
            "ping" => Ok(Self::Ping { id }),
            _ => Err(wrong("type", &kind.into(), "subscribe, unsubscribe, publish, presence or ping")),
        }
    }

    #[cfg(feature = "client")]
    pub(crate) fn to_json(&self) -> String {
        super::reply::to_json(self)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_true(value: &bool) -> bool {
    *value
}

#[cfg(all(test, feature = "endpoint"))]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_the_documentation_has_them() {
        let subscribe = Request::Subscribe {
            id: 1,
            topic: "prices/gold".into(),
            since: None,
            last: Some(1),
            present: None,
            watch: false,
        };
        let text = r#"{"type":"subscribe","id":1,"topic":"prices/gold","last":1,"later":{"a":1}}"#;
        assert_eq!(Request::parse(text), Ok(subscribe));
        let publish = Request::Publish {
            id: 3,
            topic: "a".into(),
            content: Content::Base64("AAE=".into()),
            key: Some("k".into()),
            echo: false,
        };
        let text = r#"{"key":"k","base64":"AAE=","echo":false,"topic":"a","id":3,"type":"publish"}"#;
        assert_eq!(Request::parse(text), Ok(publish));
    }

    #[test]
    fn what_is_no_request_is_reported_with_its_id_if_it_has_one() {
        for (text, id) in [
            ("", None),
            ("[]", None),
            (r#"{"type":"ping","id":1,"id":2}"#, None),
            (r#"{"type":"ping","id":9007199254740992}"#, None),
            ("{}", None),
            (r#"{"type":"subscribe","topic":"a"}"#, None),
            (r#"{"type":"subscribe","id":7}"#, Some(7)),
            (r#"{"type":"fly","id":8}"#, Some(8)),
            (r#"{"type":"subscribe","id":-1,"topic":"a"}"#, None),
            (r#"{"type":"publish","id":9,"topic":"a"}"#, Some(9)),
            (r#"{"type":"publish","id":9,"topic":"a","text":7}"#, Some(9)),
        ] {
            assert_eq!(Request::parse(text).map_err(|wrong| wrong.id), Err(id), "{text}");
        }
    }
}
