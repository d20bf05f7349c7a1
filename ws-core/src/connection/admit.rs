//! Which frames are legal at their place: RFC 6455 sections 5.2 and 5.4, and the limits of messages.

use super::Incoming;
use crate::config::Config;
use crate::error::ProtocolError;
use crate::frame::{HeaderPrefix, OpCode};

/// How messages are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Take {
    Whole,
    /// Whole, by a driver that lets others have their turn within a large one.
    Steps,
    Pieces,
}

/// Whether a legal header is legal at its place, by as much of it as is known.
#[inline]
pub(super) fn admit(
    prefix: HeaderPrefix,
    incoming: Option<&Incoming>,
    config: &Config,
    compressing: bool,
    take: Take,
) -> Result<(), ProtocolError> {
    if prefix.opcode.is_control() {
        return Ok(());
    }
    // §5.2: RSV1 MUST be 0 unless an extension gives it a meaning.
    if prefix.rsv1 && !compressing {
        return Err(ProtocolError::ReservedBits);
    }
    match (prefix.opcode, incoming) {
        // §5.4: a continuation continues; a message's fragments are not interleaved with another's.
        (OpCode::Continuation, None) => return Err(ProtocolError::UnexpectedContinuation),
        (OpCode::Text | OpCode::Binary, Some(_)) => return Err(ProtocolError::ExpectedContinuation),
        _ => {}
    }
    let pieces = take == Take::Pieces;
    let (so_far, fragments, pieces) = incoming
        .map_or((0, 0, pieces), |incoming| (incoming.wire, incoming.fragments, incoming.handed || pieces));
    let limit = if pieces { config.max_stream_size } else { config.message_limit() };
    if fragments > 0 {
        let limit = config.fragment_limit_for(limit);
        if fragments >= limit {
            return Err(ProtocolError::TooManyFragments { limit });
        }
    }
    let Some(len) = prefix.payload_len else { return Ok(()) };
    let compressed = prefix.rsv1 || incoming.is_some_and(|incoming| incoming.compressed);
    // Of a compressed message this bounds the work; what it inflates to is counted as it does. The
    // allowance is for data that does not compress.
    let allowance = if compressed { ALLOWANCE } else { 0 };
    if so_far.saturating_add(len) > limit.saturating_add(allowance) {
        return Err(if pieces {
            ProtocolError::StreamTooBig { limit }
        } else {
            ProtocolError::MessageTooBig { limit }
        });
    }
    Ok(())
}

/// This many bytes more than `max_message_size` a compressed message may have on the wire.
const ALLOWANCE: u64 = 1 << 10;
