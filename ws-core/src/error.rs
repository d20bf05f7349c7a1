//! Errors that blame one party: [`ProtocolError`] the peer, [`SendError`] the caller.

use core::time::Duration;

use thiserror::Error;

use crate::close_code::CloseCode;

/// Makes `Debug` print what `Display` prints: `main() -> Result<(), Box<dyn Error>>` prints an error by its `Debug`, which is
/// to be a line that can be read. The variant and its fields are in that line by what they mean.
macro_rules! debug_by_display {
    ($error:ty) => {
        impl core::fmt::Debug for $error {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(self, f)
            }
        }
    };
}
pub(crate) use debug_by_display;

debug_by_display!(ProtocolError);
debug_by_display!(SendError);

/// The peer broke a rule of the protocol, or exceeded a limit of ours.
///
/// The connection has been failed (RFC 6455 section 7.1.7) with the close code that
/// [`close_code`](Self::close_code) names. Nothing further is taken from the peer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// RSV2 or RSV3 is set, or RSV1 where no extension gives it a meaning (section 5.2).
    #[error("reserved bit set in a frame header")]
    ReservedBits,
    /// Opcode 3–7 or 11–15, which RFC 6455 section 5.2 reserves.
    #[error("reserved opcode {0:#x}")]
    ReservedOpCode(u8),
    /// A payload length not in its shortest form, or above 2⁶³ − 1 (section 5.2).
    #[error("payload length is not minimally encoded or has its top bit set")]
    InvalidLength,
    /// A server received an unmasked frame (section 5.1).
    #[error("frame from a client is not masked")]
    UnmaskedFrame,
    /// A client received a masked frame (section 5.1).
    #[error("frame from a server is masked")]
    MaskedFrame,
    /// A control frame with FIN clear (section 5.5).
    #[error("control frame is fragmented")]
    FragmentedControl,
    /// A control frame with a payload over 125 bytes (section 5.5).
    #[error("control frame payload is over 125 bytes")]
    ControlTooLong,
    /// A continuation frame with no message to continue (section 5.4).
    #[error("continuation frame without a message to continue")]
    UnexpectedContinuation,
    /// A text or binary frame inside a fragmented message (section 5.4).
    #[error("new data frame inside a fragmented message")]
    ExpectedContinuation,
    /// A Close frame whose body is one byte long (section 5.5.1).
    #[error("close frame with a one-byte body")]
    InvalidCloseLength,
    /// A status code that must not appear in a Close frame (section 7.4).
    #[error("close code {0} must not be sent")]
    InvalidCloseCode(u16),
    /// Text or a close reason is not UTF-8 (section 8.1).
    #[error("invalid UTF-8")]
    InvalidUtf8,
    /// A message is larger than `max_message_size`, in bytes.
    #[error("message is over the limit of max_message_size = {limit} bytes")]
    MessageTooBig {
        /// The value of `max_message_size` that stopped it.
        limit: u64,
    },
    /// A message taken in pieces is larger than `max_stream_size`, in bytes.
    #[error("message is over the limit of max_stream_size = {limit} bytes")]
    StreamTooBig {
        /// The value of `max_stream_size` that stopped it.
        limit: u64,
    },
    /// More control frames came in a second than `max_control_rate`.
    #[error("control frames are over the limit of max_control_rate = {limit} a second")]
    TooManyControlFrames {
        /// The value of `max_control_rate` that stopped it.
        limit: u32,
    },
    /// A message has more fragments than `max_fragments`.
    #[error("message is over the limit of max_fragments = {limit}")]
    TooManyFragments {
        /// The value of `max_fragments` that stopped it.
        limit: u64,
    },
    /// A message was begun, and nothing more of its payload came for `message_timeout`.
    #[error("message made no progress within the limit of message_timeout = {timeout:?}")]
    MessageStalled {
        /// The value of `message_timeout` that stopped it.
        timeout: Duration,
    },
    /// What the peer made us hold is over `max_memory`, in bytes.
    #[error("message takes more memory than the limit of max_memory = {limit} bytes")]
    MemoryLimit {
        /// The value of `max_memory` that stopped it.
        limit: usize,
    },
    /// All connections together hold more memory than they may, and this one was to
    /// [give way](crate::Connection::give_way).
    #[error("the memory for all connections is used up; try again later")]
    MemoryShort,
    /// More came than the limits of a server for one client allow, in messages or bytes a second
    /// ([`fail_over_rate`](crate::Connection::fail_over_rate)).
    #[error("more was sent than one client may send in a second")]
    OverRate,
    /// A compressed message does not inflate (RFC 7692 section 7.2.2).
    #[error("compressed message is corrupt")]
    InvalidDeflate,
}

impl ProtocolError {
    /// Returns the status code that the connection is failed with (RFC 6455 section 7.4.1).
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::InvalidUtf8 | Self::InvalidDeflate => CloseCode::INVALID_FRAME_PAYLOAD_DATA,
            Self::MessageTooBig { .. } | Self::StreamTooBig { .. } | Self::MemoryLimit { .. } => {
                CloseCode::MESSAGE_TOO_BIG
            }
            Self::TooManyFragments { .. }
            | Self::TooManyControlFrames { .. }
            | Self::MessageStalled { .. }
            | Self::OverRate => CloseCode::POLICY_VIOLATION,
            Self::MemoryShort => CloseCode::TRY_AGAIN_LATER,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}

/// The caller tried to send something that the protocol or a limit does not allow; nothing was queued.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum SendError {
    /// A Close frame has been sent, or the connection has failed (RFC 6455 section 5.5.1:
    /// no data after a Close).
    #[error("the connection is closing")]
    Closing,
    /// A ping or pong payload over 125 bytes (section 5.5).
    #[error("control frame payload of {0} bytes is over 125")]
    ControlTooLong(usize),
    /// A close reason over 123 bytes (section 5.5).
    #[error("close reason of {0} bytes is over 123")]
    ReasonTooLong(usize),
    /// A code that must not be sent (section 7.4).
    #[error("close code {0} must not be sent")]
    InvalidCloseCode(u16),
    /// A close reason without a code (section 5.5.1).
    #[error("a close reason needs a close code")]
    ReasonWithoutCode,
    /// A whole message while a message is being sent in pieces (section 5.4: fragments of
    /// one message are not interleaved with another).
    #[error("a message is being sent in pieces; finish it first")]
    MessageInProgress,
    /// The pieces of a text message do not add up to UTF-8 (section 8.1).
    #[error("invalid UTF-8 in a text message")]
    InvalidUtf8,
    /// The compressor failed inside a message sent in pieces; the connection has failed.
    #[error("the compressor failed inside a message")]
    CompressionFailed,
    /// What is held for the connection has reached `max_memory`.
    #[error("memory held is at its limit of max_memory = {limit} bytes; wait until some is written")]
    MemoryFull {
        /// The value of `max_memory` that stopped it, in bytes.
        limit: usize,
    },
    /// What waits to be written has reached `max_queued`.
    #[error("outbound queue is at its limit of max_queued = {limit} bytes")]
    QueueFull {
        /// The value of `max_queued` that stopped it, in bytes.
        limit: usize,
    },
}
