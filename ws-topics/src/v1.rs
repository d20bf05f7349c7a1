//! The messages of the subprotocol `topics.v1`; `docs/topics-v1.md` describes them.

mod content;
#[cfg(all(feature = "endpoint", not(target_arch = "wasm32")))]
mod members;
mod reply;
mod request;

pub(crate) use content::Content;
#[cfg(all(feature = "endpoint", not(target_arch = "wasm32")))]
pub(crate) use content::NotBase64;
#[cfg(all(feature = "endpoint", not(target_arch = "wasm32")))]
pub(crate) use members::{shorten, wrong};
#[cfg(all(feature = "endpoint", not(target_arch = "wasm32")))]
pub(crate) use reply::Code;
pub(crate) use reply::{Person, Reply};
pub(crate) use request::Request;
#[cfg(all(feature = "endpoint", not(target_arch = "wasm32")))]
pub(crate) use request::Unreadable;

/// The name of the subprotocol, for `Sec-WebSocket-Protocol`.
pub const SUBPROTOCOL: &str = "topics.v1";
