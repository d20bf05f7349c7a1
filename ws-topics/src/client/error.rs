//! Why a client of topics fails.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;
use ws_client::ConnectError;

/// Why something that was asked of a [`TopicsClient`](crate::TopicsClient) did not happen.
#[derive(Clone, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The server refused it.
    #[error("the server refused it ({code}): {message}")]
    Refused {
        /// The code of the error, as the description of the subprotocol lists them.
        code: String,
        /// What the server says about it.
        message: String,
    },
    /// The client has a subscription to this topic or filter already.
    #[error("there is a subscription to {topic:?} already")]
    AlreadySubscribed {
        /// The topic or filter.
        topic: String,
    },
    /// The server could not be reached, and trying again is of no use, or the back-off does not allow it.
    #[error("{0}")]
    Connect(Arc<ConnectError>),
    /// The server opened the WebSocket without the subprotocol.
    #[error(
        "the server does not speak the subprotocol topics.v1: check the path of the URL, and that the endpoint offers it"
    )]
    NoSubprotocol,
    /// The system has no random numbers for a key.
    #[cfg(not(target_arch = "wasm32"))]
    #[error("no random numbers for the key of a publication: {0}")]
    Random(getrandom::Error),
    /// The task of the client has ended, with its runtime or after one of the other errors.
    #[error("the client has ended")]
    Ended,
}

/// As [`Display`](fmt::Display), like every error of these crates.
impl fmt::Debug for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
