//! The payload of a message that is published.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use ws_core::Message;

/// A member `text` or `base64`: exactly one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Content {
    Text(String),
    Base64(String),
}

/// A text that is not base64.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotBase64(pub(crate) String);

impl Content {
    pub(crate) fn of(message: &Message) -> Self {
        match message.as_text() {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Base64(BASE64.encode(message.as_bytes())),
        }
    }

    /// Returns the message. Errors if it is not base64 (RFC 4648 section 4).
    pub(crate) fn into_message(self) -> Result<Message, NotBase64> {
        match self {
            Self::Text(text) => Ok(Message::text(text)),
            Self::Base64(text) => BASE64.decode(&text).map(Message::binary).map_err(|_| NotBase64(text)),
        }
    }
}
