//! What has gone through a connection.

use std::time::Duration;

use ws_core::CloseInfo;

/// What has gone through a WebSocket since it was opened.
///
/// Bytes are those of frames: with their headers, compressed if the messages are, without TLS and HTTP/2; control frames are among
/// them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Messages that were queued to be sent; one in pieces counts with its last piece.
    pub messages_sent: u64,
    /// Messages that have been received whole, whether the user has taken them or not.
    pub messages_received: u64,
    /// Bytes that the transport has taken.
    pub bytes_sent: u64,
    /// Bytes that the transport has brought.
    pub bytes_received: u64,
}

/// The record of a WebSocket that has ended; see [`Closer::record`](crate::Closer::record).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseRecord {
    /// How it ended.
    pub info: CloseInfo,
    /// How long it was there.
    pub duration: Duration,
    /// What went through it.
    pub traffic: Traffic,
}
