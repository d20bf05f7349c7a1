//! What a well-formed request is for: RFC 6455 section 4.2.1.

use http::{Method, StatusCode, Version, header};

use super::proof::Proof;
use super::refusal::Refusal;
use super::request_head::RequestHead;
use super::token::has_token;
use super::upgrade::UpgradeRequest;

/// A well-formed request.
#[derive(Debug)]
pub enum Opening {
    /// The client requests a WebSocket, and everything it sent is as RFC 6455 section 4.2.1 requires it, or RFC 8441
    /// section 5 over HTTP/2.
    Upgrade(UpgradeRequest),
    /// A GET or HEAD that does not request a WebSocket: a page, a health check. Its version may be HTTP/1.0, and `Host` may
    /// then be absent.
    Plain(RequestHead),
}

impl Opening {
    /// Judges a well-formed request of HTTP/1.1.
    pub(super) fn new(request: RequestHead) -> Result<Self, Refusal> {
        // RFC 9110 §7.8: a server MUST ignore Upgrade in an HTTP/1.0 request.
        let is_http_10 = request.version() == Version::HTTP_10;
        // §4.2.1 items 1, 3, 4 and 5: a GET with `websocket` in Upgrade, `upgrade` in Connection, and a key.
        let upgrade = !is_http_10 && has_token(request.values(&header::UPGRADE), "websocket");
        let key = request.has(&header::SEC_WEBSOCKET_KEY);
        if request.method() != Method::GET || !(upgrade || key) {
            return Ok(Self::Plain(request));
        }
        let connection = has_token(request.values(&header::CONNECTION), "upgrade");
        if upgrade && connection {
            let proof = Proof::http1(&request)?;
            return UpgradeRequest::new(request, proof).map(Self::Upgrade);
        }
        // What is left of a handshake is not taken for the request of a page: a part of it was lost on the way.
        let version = request.has(&header::SEC_WEBSOCKET_VERSION);
        let parts = [
            (upgrade, "Upgrade: websocket"),
            (connection, "Connection: Upgrade"),
            (key, "Sec-WebSocket-Key"),
            (version, "Sec-WebSocket-Version: 13"),
        ];
        let reason = if is_http_10 {
            CAME_AS_HTTP_10.to_owned()
        } else {
            let lacks: Vec<_> =
                parts.iter().filter(|(is_there, _)| !is_there).map(|(_, name)| *name).collect();
            let lacks = lacks.join(" and ");
            format!("the opening handshake lacks {lacks}; a proxy in front of this server has to pass it on")
        };
        Err(Refusal::new(StatusCode::UPGRADE_REQUIRED, &reason))
    }
}

const CAME_AS_HTTP_10: &str = "the opening handshake came as HTTP/1.0, which cannot be upgraded; a proxy in front of \
    this server has to use HTTP/1.1 (nginx: proxy_http_version 1.1)";
