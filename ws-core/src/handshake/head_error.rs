//! Why bytes are not a head.

use thiserror::Error;

use crate::error::debug_by_display;

/// Why bytes are not the head of an HTTP/1.1 message, or exceed the limits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum HeadError {
    /// The start line is malformed (RFC 9112 sections 3 and 4).
    #[error("malformed start line: {0}")]
    StartLine(&'static str),
    /// A field line is malformed (RFC 9112 sections 2.2 and 5).
    #[error("malformed field line: {0}")]
    FieldLine(&'static str),
    /// A version of HTTP other than 1.1 and 1.0.
    #[error("HTTP version {major}.{minor} is not supported: a WebSocket is opened over HTTP/1.1")]
    Version {
        /// The major version, a digit.
        major: u8,
        /// The minor version, a digit.
        minor: u8,
    },
    /// The head is larger than [`HeadLimits::bytes`](super::HeadLimits::bytes).
    #[error("head is over the limit of HeadLimits::bytes = {limit} bytes")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The head has more lines than [`HeadLimits::fields`](super::HeadLimits::fields).
    #[error("head is over the limit of HeadLimits::fields = {limit} field lines")]
    TooManyFields {
        /// The limit, in lines.
        limit: usize,
    },
    /// The request target is longer than [`HeadLimits::target`](super::HeadLimits::target).
    #[error("request target is over the limit of HeadLimits::target = {limit} bytes")]
    TargetTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
}

debug_by_display!(HeadError);
