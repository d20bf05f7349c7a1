//! The client's request: a template made into bytes. RFC 6455 section 4.1.

use http::header::HeaderName;
use thiserror::Error;

/// The caller's template or offers cannot be made into a handshake request; nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// A method other than GET (RFC 6455 section 4.1, item 2).
    #[error("the method of a handshake request is GET, not {0}")]
    Method(http::Method),
    /// A version other than HTTP/1.1.
    #[error("the version of a handshake request is HTTP/1.1, not {0:?}")]
    Version(http::Version),
    /// A scheme other than `ws`, `wss`, `http` and `https`.
    #[error("the scheme {0:?} is none of ws, wss, http and https")]
    Scheme(String),
    /// A URI that is neither absolute nor in origin form with a `Host` field.
    #[error("the request has no host: give a URI such as ws://host/path, or a path and one Host field")]
    MissingHost,
    /// A host or port that cannot stand in a `Host` field.
    #[error("the host {0:?} is not a host with an optional port")]
    InvalidHost(String),
    /// A field that this library writes by itself, or that would announce a body.
    #[error("the field {0} is set by the handshake; leave it out of the request's headers")]
    OwnedHeader(HeaderName),
    /// A subprotocol that is no token (RFC 6455 section 4.1, item 10).
    #[error("the subprotocol {0:?} is not a token")]
    InvalidSubprotocol(String),
    /// A subprotocol that is offered twice (RFC 6455 section 4.1, item 10).
    #[error("the subprotocol {0:?} is offered twice")]
    RepeatedSubprotocol(String),
    /// An offer outside the grammar of RFC 6455 section 9.1.
    #[error("the extensions {0:?} are not a list of extensions")]
    InvalidExtensions(String),
}
