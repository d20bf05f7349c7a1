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
mod origin;
mod refusal;
mod refused;
mod request;
mod response;
mod server;
mod token;

pub use body::{BodyFraming, BodyProgress, BodyReader};
pub use client::{ClientHandshake, Established, MAX_INTERIM_RESPONSES};
pub use extension::{Extension, ExtensionParameter, InvalidExtensions};
pub use head::{HeadFault, HeadLimits};
pub use host::effective_host;
pub use origin::{Origin, is_same_host_or_absent};
pub use refusal::{Refusal, ResponseError, encode_head_response, encode_response};
pub use refused::{HandshakeError, Refused};
pub use request::RequestError;
pub use response::ResponseReader;
pub use server::{Acceptance, Opening, RequestReader, UpgradeRequest};
pub use token::is_token;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// The value of `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key` (RFC 6455 section 4.2.2).
///
/// `key` is the field's value as it was sent, in Base64, without surrounding whitespace.
pub fn accept_key(key: &[u8]) -> String {
    // §4.2.2 step 5.4: Base64 of the SHA-1 of the key followed by the GUID.
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

/// The only version of the protocol spoken here (RFC 6455 section 4.1, item 9).
pub const VERSION: &str = "13";

/// The GUID that only a server which understands the protocol knows to append (RFC 6455 section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_section_1_3_gives_its_accept_key() {
        assert_eq!(accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
