//! Heads of HTTP/1.1 messages, scanned strictly as their bytes arrive: RFC 9112 sections 2.2 and 5.

use thiserror::Error;

/// How large a head may be. All counts are of the head of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of the whole head, from its first byte to the empty line, both included. A client counts the interim
    /// (1xx) responses before the final one too.
    pub bytes: usize,
    /// Field lines; lines are counted, not distinct names.
    pub fields: usize,
    /// Bytes of the request target. Without effect on responses.
    pub target: usize,
}

impl HeadLimits {
    /// The defaults of a server: 16 KiB, 100 field lines, a target of 8 KiB.
    pub const fn server() -> Self {
        Self { bytes: 16 * 1024, fields: 100, target: 8 * 1024 }
    }

    /// The defaults of a client: 64 KiB, 100 field lines.
    pub const fn client() -> Self {
        Self { bytes: 64 * 1024, fields: 100, target: 8 * 1024 }
    }
}

/// Why bytes are not the head of an HTTP/1.1 message, or not one within the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum HeadFault {
    /// The start line is malformed (RFC 9112 sections 3 and 4).
    #[error("malformed start line: {0}")]
    StartLine(&'static str),
    /// A field line is malformed (RFC 9112 sections 2.2 and 5).
    #[error("malformed field line: {0}")]
    FieldLine(&'static str),
    /// A version of HTTP other than 1.1, or for a response 1.0.
    #[error("HTTP version {major}.{minor} is not supported")]
    Version {
        /// The major version, a digit.
        major: u8,
        /// The minor version, a digit.
        minor: u8,
    },
    /// The head is larger than [`HeadLimits::bytes`].
    #[error("head is over the limit of HeadLimits::bytes = {limit} bytes")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The head has more lines than [`HeadLimits::fields`].
    #[error("head is over the limit of HeadLimits::fields = {limit} field lines")]
    TooManyFields {
        /// The limit, in lines.
        limit: usize,
    },
    /// The request target is longer than [`HeadLimits::target`].
    #[error("request target is over the limit of HeadLimits::target = {limit} bytes")]
    TargetTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
}
