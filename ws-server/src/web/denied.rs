//! A request that becomes no WebSocket.

use ws_core::handshake::Refusal;

use crate::config::error::AcceptError;
use crate::web::response::{Response, internal_error, text};

/// A request that becomes no WebSocket: what to answer, and what to report.
pub(crate) struct Denied {
    pub(crate) response: Box<Response>,
    pub(crate) why: AcceptError,
}

impl Denied {
    pub(crate) fn refused(response: Response) -> Self {
        Self { why: AcceptError::Refused(response.status()), response: Box::new(response) }
    }

    /// The request comes from a page, or is addressed to a host, that the settings do not allow.
    pub(crate) fn not_allowed(refusal: Refusal) -> Self {
        let response = Box::new(text(refusal.status(), refusal.body().trim_end()));
        Self { response, why: AcceptError::NotAllowed(refusal) }
    }

    /// 500, for what is our own fault.
    pub(crate) fn failed(why: AcceptError) -> Self {
        Self { response: Box::new(internal_error()), why }
    }

    pub(crate) fn panicked(panic: String) -> Self {
        Self::failed(AcceptError::Panicked(panic))
    }
}
