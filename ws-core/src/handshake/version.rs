//! The version of the protocol.

/// The only supported version of the protocol (RFC 6455 section 4.1, item 9).
pub const VERSION: &str = "13";
