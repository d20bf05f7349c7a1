//! The opening handshake, without I/O: RFC 6455 section 4 on top of RFC 9112.
//!
//! Both roles are *fed the bytes received so far*: the driver keeps one buffer, appends what it reads, and calls
//! `receive` again; every byte is looked at once, however the bytes arrive. A fault is reported at the byte that
//! proves it, so a driver need not wait for the end of a head that can only be refused.
//!
//! - Server: [`RequestReader`] → [`Opening`] → [`UpgradeRequest::accept`], or a [`Refusal`].
//! - Client: [`ClientHandshake`] → [`Established`], or a [`HandshakeError`] which carries the server's answer. Over HTTP/2
//!   [`ConnectHandshake`] takes its place.
//! - Where another HTTP library reads the head: [`Opening::from_request`], [`UpgradeRequest::response`] and
//!   [`complete_response`] for a server, [`ClientHandshake::request`] and [`ClientHandshake::judge`] for a client.
//! - HTTP/2 and HTTP/3 (RFC 8441, RFC 9220), over any library that has extended CONNECT: [`Opening::from_connect`],
//!   [`UpgradeRequest::response`] and [`Refusal::response`] for a server. Host, origin, subprotocols and extensions are
//!   judged by the same code as over HTTP/1.1; only the proof that the request was understood differs. The how-to about embedding
//!   of `ws-server` has a whole server on the crate `h2`.
//!
//! Both sides on one page, without a socket between them:
//!
//! ```
//! use ws_core::handshake::{Acceptance, ClientHandshake, HeadLimits, Opening, RequestReader};
//!
//! let template = http::Request::get("ws://localhost:9001/chat").body(())?;
//! let nonce = *b"16 random bytes!"; // From a real source of randomness, of course.
//! let mut client = ClientHandshake::new(template, &["chat".into()], None, nonce)?;
//!
//! let mut server = RequestReader::new(HeadLimits::server());
//! let answer = match server.receive(client.request_bytes()) {
//!     Ok(Some((Opening::Upgrade(upgrade), _))) => {
//!         let subprotocol = upgrade.select_subprotocol(["chat"]);
//!         upgrade.accept(Acceptance::default().subprotocol(subprotocol))?
//!     }
//!     Ok(Some((Opening::Plain(_), _))) => b"HTTP/1.1 404 Not Found\r\n\r\n".to_vec(),
//!     Ok(None) => return Ok(()), // Read more, then ask again.
//!     Err(refusal) => refusal.encode(),
//! };
//!
//! let (established, length) = client.receive(&answer)?.expect("the whole answer is there");
//! assert_eq!((established.subprotocol.as_deref(), length), (Some("chat"), answer.len()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod body;
mod client;
mod connect;
mod cursor;
mod extension;
mod field_lines;
mod field_names;
mod head;
mod head_error;
mod host;
mod key;
mod offered;
mod opening;
mod origin;
mod parsed;
mod proof;
mod refusal;
mod refused;
mod request;
mod request_head;
mod request_line;
mod response;
mod server;
mod subprotocol;
mod token;
mod upgrade;
mod version;

// What is hidden is shared by the crates of this workspace: HTTP/1.1 as far as a handshake needs it, and no API to keep.
#[doc(hidden)]
pub use body::{BodyFraming, BodyProgress, BodyReader};
pub use client::{ClientHandshake, MAX_INTERIM_RESPONSES};
pub use connect::ConnectHandshake;
pub use extension::{Extension, ExtensionParameter, InvalidExtensions};
pub use field_names::FieldNames;
pub use head::HeadLimits;
pub use head_error::HeadError;
pub use host::{Authority, effective_host};
pub use key::accept_key;
pub use offered::Established;
pub use opening::Opening;
pub use origin::{Origin, is_same_host_or_absent};
pub use refusal::{Refusal, ResponseError, complete_response};
#[doc(hidden)]
pub use refusal::{encode_head_response, encode_response};
pub use refused::{HandshakeError, Refused};
pub use request::RequestError;
pub use request_head::RequestHead;
#[doc(hidden)]
pub use request_head::visible_ascii;
#[doc(hidden)]
pub use response::ResponseReader;
pub use server::RequestReader;
#[doc(hidden)]
pub use token::is_token;
pub use upgrade::{Acceptance, UpgradeRequest};
pub use version::VERSION;
