//! The body of a Close frame: RFC 6455 section 5.5.1.

use bytestring::ByteString;

use crate::close_code::CloseCode;
use crate::error::{ProtocolError, SendError};

/// The body of a Close frame that has one: a code and a reason of at most 123 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseFrame {
    /// The reason as a code, for programs.
    pub code: CloseCode,
    /// The reason in words, for people who read logs; may be empty.
    pub reason: ByteString,
}

impl CloseFrame {
    /// The longest reason, in bytes: a control frame's 125 less the code's 2 (section 5.5).
    pub const MAX_REASON: usize = 123;

    /// Returns a body to send.
    ///
    /// # Errors
    /// [`SendError::InvalidCloseCode`] for a code that must not be sent,
    /// [`SendError::ReasonTooLong`] for a reason over [`MAX_REASON`](Self::MAX_REASON).
    pub fn new(code: CloseCode, reason: &str) -> Result<Self, SendError> {
        if !code.is_sendable() {
            return Err(SendError::InvalidCloseCode(code.0));
        }
        if reason.len() > Self::MAX_REASON {
            return Err(SendError::ReasonTooLong(reason.len()));
        }
        Ok(Self { code, reason: reason.into() })
    }

    /// Reads the whole payload of a received Close frame; `None` for an empty one.
    ///
    /// # Errors
    /// What [`check_prefix`](Self::check_prefix) finds, and a one-byte or cut-off body.
    pub fn parse(payload: &[u8]) -> Result<Option<Self>, ProtocolError> {
        let Some((code, reason)) = payload.split_first_chunk::<2>() else {
            // §5.5.1: if there is a body, its first two bytes are the code.
            return if payload.is_empty() { Ok(None) } else { Err(ProtocolError::InvalidCloseLength) };
        };
        let code = CloseCode(u16::from_be_bytes(*code));
        if !code.is_sendable() {
            return Err(ProtocolError::InvalidCloseCode(code.0));
        }
        // §5.5.1: the reason is UTF-8; §8.1: fail when it is not.
        match simdutf8::basic::from_utf8(reason) {
            Ok(reason) => Ok(Some(Self { code, reason: reason.into() })),
            Err(_) => Err(ProtocolError::InvalidUtf8),
        }
    }

    /// Checks as much of a Close payload as has arrived, so that a fault is found at the
    /// byte that proves it.
    ///
    /// # Errors
    /// A forbidden code, or a reason that no further bytes can make UTF-8.
    pub fn check_prefix(payload: &[u8]) -> Result<(), ProtocolError> {
        let Some((code, reason)) = payload.split_first_chunk::<2>() else { return Ok(()) };
        let code = CloseCode(u16::from_be_bytes(*code));
        if !code.is_sendable() {
            return Err(ProtocolError::InvalidCloseCode(code.0));
        }
        match core::str::from_utf8(reason) {
            Err(e) if e.error_len().is_some() => Err(ProtocolError::InvalidUtf8),
            _ => Ok(()),
        }
    }
}
