//! A request that becomes no WebSocket.

use std::time::Duration;

#[cfg(any(feature = "hyper", feature = "http2"))]
use bytes::Bytes;
use http::StatusCode;
#[cfg(any(feature = "hyper", feature = "http2"))]
use http::Version;
use tokio::time::sleep;
use ws_core::handshake::Refusal;
#[cfg(any(feature = "hyper", feature = "http2"))]
use ws_core::handshake::complete_response;

use crate::config::error::AcceptError;
#[cfg(any(feature = "hyper", feature = "http2"))]
use crate::config::handshake::HandshakeOptions;
#[cfg(any(feature = "hyper", feature = "http2"))]
use crate::web::response::request_timeout;
use crate::web::response::{Response, internal_error, text};

/// How long a client that asks for too much waits for its refusal. In that time others have theirs.
const PAUSE: Duration = Duration::from_millis(50);

/// A request that becomes no WebSocket: what to answer, and what to report.
pub(crate) struct Denied {
    pub(crate) response: Box<Response>,
    pub(crate) why: AcceptError,
}

impl Denied {
    pub(crate) fn refused(response: Response) -> Self {
        Self { why: AcceptError::Refused(response.status()), response: Box::new(response) }
    }

    /// Refused by the server itself, for that reason.
    pub(crate) fn because(why: AcceptError, response: Response) -> Self {
        Self { response: Box::new(response), why }
    }

    /// This limit leaves no room for the request.
    pub(crate) fn limited(response: Response, limit: &'static str) -> Self {
        Self { why: AcceptError::Limited { status: response.status(), limit }, response: Box::new(response) }
    }

    /// After a pause, if an address asks for too much: one that asks again as soon as it is refused then costs the others little.
    pub(crate) async fn after_a_pause(self) -> Self {
        if let AcceptError::Limited { status: StatusCode::TOO_MANY_REQUESTS, .. } = self.why {
            sleep(PAUSE).await;
        }
        self
    }

    /// The request comes from a page, or is addressed to a host, that the settings do not allow.
    pub(crate) fn not_allowed(refusal: Refusal) -> Self {
        let response = Box::new(text(refusal.status(), refusal.body().trim_end()));
        Self { response, why: AcceptError::NotAllowed(refusal) }
    }

    /// The request is not as the opening handshake requires it.
    #[cfg(any(feature = "hyper", feature = "http2"))]
    pub(crate) fn malformed(refusal: Refusal) -> Self {
        let response = Box::new(text(refusal.status(), refusal.body().trim_end()));
        Self { response, why: AcceptError::Malformed(refusal) }
    }

    /// 500, for what is our own fault.
    pub(crate) fn failed(why: AcceptError) -> Self {
        Self { response: Box::new(internal_error()), why }
    }

    /// The answer as it is to be written over this version of HTTP by another library, and what to report.
    #[cfg(any(feature = "hyper", feature = "http2"))]
    pub(crate) fn complete(self, version: Version) -> (Response, AcceptError) {
        if let AcceptError::Malformed(refusal) = &self.why {
            // It may have fields that no other answer may have, such as the supported version.
            return (refusal.response(version).map(Bytes::from), self.why);
        }
        match complete_response(*self.response, version) {
            Ok(response) => (response, self.why),
            Err(error) => {
                let response = complete_response(internal_error(), version);
                (response.unwrap_or_else(|_| internal_error()), AcceptError::Answer(error))
            }
        }
    }

    /// 408: the handshake's time is over.
    #[cfg(any(feature = "hyper", feature = "http2"))]
    pub(crate) fn late(options: &HandshakeOptions) -> Self {
        Self { response: Box::new(request_timeout()), why: AcceptError::Timeout(options.timeout) }
    }

    pub(crate) fn panicked(panic: String) -> Self {
        Self::failed(AcceptError::Panicked(panic))
    }
}
