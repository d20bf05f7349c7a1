//! The opening handshake, without I/O: RFC 6455 section 4 on top of RFC 9112.
//!
//! Both roles are *fed the bytes received so far*: the driver keeps one buffer, appends what it reads, and calls
//! `receive` again; every byte is looked at once, however the bytes arrive. A fault is reported at the byte that
//! proves it, so a driver need not wait for the end of a head that can only be refused.
//!
//! - Server: [`RequestReader`] → [`Opening`] → [`UpgradeRequest::accept`], or a [`Refusal`].
//! - Client: [`ClientHandshake`] → [`Established`], or a [`HandshakeError`] which carries the server's answer.

mod body;
mod client;
mod extension;
mod head;
mod host;
mod key;
mod origin;
mod refusal;
mod refused;
mod request;
mod request_line;
mod response;
mod server;
mod subprotocol;
mod token;

pub use body::{BodyFraming, BodyProgress, BodyReader};
pub use client::{ClientHandshake, Established, MAX_INTERIM_RESPONSES};
pub use extension::{Extension, ExtensionParameter, InvalidExtensions};
pub use head::{HeadFault, HeadLimits};
pub use host::effective_host;
pub use key::accept_key;
pub use origin::{Origin, is_same_host_or_absent};
pub use refusal::{Refusal, ResponseError, encode_head_response, encode_response};
pub use refused::{HandshakeError, Refused};
pub use request::RequestError;
pub use response::ResponseReader;
pub use server::{Acceptance, Opening, RequestReader, UpgradeRequest};
pub use token::is_token;

/// The only version of the protocol spoken here (RFC 6455 section 4.1, item 9).
pub const VERSION: &str = "13";

/// The values of all field lines of `name`, in order.
fn values<'a>(headers: &'a http::HeaderMap, name: &http::HeaderName) -> impl Iterator<Item = &'a [u8]> {
    headers.get_all(name).into_iter().map(http::HeaderValue::as_bytes)
}
