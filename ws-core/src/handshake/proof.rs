//! How an answer shows that a request for a WebSocket was understood: the only part of the opening handshake that depends
//! on the version of HTTP.

use http::StatusCode;
use http::header::{self, HeaderName};

use super::key::{accept_key, is_key};
use super::refusal::Refusal;
use super::request_head::RequestHead;
use super::version::VERSION;

/// What the answer consists of, besides what was agreed on.
#[derive(Debug)]
pub(super) enum Proof {
    /// HTTP/1.1: status 101, and the answer to the client's key (RFC 6455 section 4.2.2).
    Http1 {
        /// The value of `Sec-WebSocket-Accept`.
        accept: String,
    },
    /// HTTP/2 and HTTP/3: status 200. The setting that permits the request is proof enough (RFC 8441 section 5).
    Connect,
}

impl Proof {
    /// The proof for a request of HTTP/1.1: its key and its version are checked.
    pub(super) fn http1(head: &RequestHead) -> Result<Self, Refusal> {
        // §4.4: another version gets 426 with the supported one; it is checked first, because another
        // version may have other fields.
        if single(head, &header::SEC_WEBSOCKET_VERSION)? != VERSION.as_bytes() {
            return Err(Refusal::new(StatusCode::UPGRADE_REQUIRED, ONLY_VERSION_13));
        }
        // §4.2.1 item 5: a key which, decoded, is 16 bytes long.
        let key = single(head, &header::SEC_WEBSOCKET_KEY)?;
        if !is_key(key) {
            return Err(Refusal::bad_request("Sec-WebSocket-Key is not 16 bytes in Base64"));
        }
        Ok(Self::Http1 { accept: accept_key(key) })
    }

    /// The proof for an extended CONNECT: its version is checked; a key is ignored (RFC 8441 section 5).
    pub(super) fn connect(head: &RequestHead) -> Result<Self, Refusal> {
        // RFC 8441 §5: Sec-WebSocket-Version works as in RFC 6455 §4.4, but HTTP/2 has no 426 (RFC 9113 §8.2.2: no Upgrade).
        let version = single(head, &header::SEC_WEBSOCKET_VERSION).map_err(Refusal::with_version)?;
        if version != VERSION.as_bytes() {
            return Err(Refusal::bad_request(ONLY_VERSION_13).with_version());
        }
        Ok(Self::Connect)
    }

    /// The status of the answer.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Http1 { .. } => StatusCode::SWITCHING_PROTOCOLS,
            // RFC 8441 §5: a 2xx opens the WebSocket.
            Self::Connect => StatusCode::OK,
        }
    }

    /// The fields of the answer that are the proof, each with the name as RFC 6455 spells it.
    pub(super) fn fields(&self) -> Vec<(HeaderName, &'static str, &str)> {
        match self {
            Self::Http1 { accept } => vec![
                (header::UPGRADE, "Upgrade", "websocket"),
                (header::CONNECTION, "Connection", "Upgrade"),
                (header::SEC_WEBSOCKET_ACCEPT, "Sec-WebSocket-Accept", accept),
            ],
            // RFC 8441 §5: neither Upgrade nor Connection, and no key to be answered.
            Self::Connect => Vec::new(),
        }
    }
}

/// The value of a field that must be there once.
fn single<'a>(head: &'a RequestHead, name: &'a HeaderName) -> Result<&'a [u8], Refusal> {
    let mut lines = head.values(name);
    // §11.3.1 and §11.3.5: these fields MUST NOT appear more than once in a request.
    match (lines.next(), lines.next()) {
        (Some(value), None) => Ok(value),
        (None, _) => Err(Refusal::bad_request(&format!("there is no {name} field"))),
        (Some(_), Some(_)) => Err(Refusal::bad_request(&format!("there is more than one {name} field"))),
    }
}

const ONLY_VERSION_13: &str = "this server supports only version 13 of the WebSocket protocol";
