//! Header fields that the library sets itself (RFC 6455 section 4.1).

use http::header::HeaderName;

use crate::request_error::HeaderError;

/// Refuses a field that the library sets.
pub(super) fn owned_by_caller(name: &HeaderName) -> Result<(), HeaderError> {
    let instead = match name.as_str() {
        "sec-websocket-protocol" => "offer it with `Request::subprotocol`",
        "sec-websocket-extensions" => "set it with `Options::deflate`",
        "upgrade" | "connection" | "sec-websocket-key" | "sec-websocket-version" | "sec-websocket-accept" => {
            "leave it out"
        }
        "content-length" | "transfer-encoding" | "te" | "trailer" | "expect" => {
            "leave it out, a handshake has no body"
        }
        _ => return Ok(()),
    };
    Err(HeaderError::Owned { name: name.clone(), instead })
}
