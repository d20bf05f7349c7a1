//! How a connection ended: one record for the API, the error and the trace.

use core::fmt;
use core::time::Duration;

use bytestring::ByteString;

use crate::close_code::CloseCode;
use crate::error::ProtocolError;

/// How a connection ended: which side began, why, with which codes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseInfo {
    /// The side that began the end: sent the first Close frame, broke a rule, or went silent.
    pub initiator: Initiator,
    /// What ended it.
    pub cause: CloseCause,
    /// The code of the Close frame that was sent, or would have been had the transport still taken it:
    /// [`CloseCode::NO_STATUS_RECEIVED`] for an empty one, `None` if there was none to send.
    pub sent: Option<CloseCode>,
    /// The code of the Close frame that was received: [`CloseCode::NO_STATUS_RECEIVED`] for an empty
    /// one, `None` if none was received.
    pub received: Option<CloseCode>,
    /// The reason in the received Close frame; else the one in the frame that was sent.
    pub reason: ByteString,
    /// The last round trip of a keepalive ping.
    pub rtt: Option<Duration>,
    /// Bytes queued but never written.
    pub unsent: u64,
}

/// The side that began the end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Initiator {
    /// This end.
    Local,
    /// The peer, or the network between.
    Remote,
}

/// What ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseCause {
    /// The closing handshake: a Close frame each way (RFC 6455 section 7.1.4, "cleanly").
    Handshake,
    /// The peer broke the protocol or a limit; it has been sent the error's code.
    Protocol(ProtocolError),
    /// The transport ended without a closing handshake.
    Transport(TransportEnd),
    /// A deadline passed.
    Timeout(Deadline),
    /// The connection was dropped, or aborted, by this end.
    Aborted,
}

/// How a transport ended under an open connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportEnd {
    /// End of stream: the peer shut down its side.
    Eof,
    /// The connection was reset, or the pipe is broken.
    Reset,
    /// The TLS stream was cut off: no close_notify.
    Truncated,
    /// Any other failure.
    Failed,
}

/// Which deadline passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Deadline {
    /// `keepalive.timeout`: after a ping was written, no byte was received and the transport accepted none for this long.
    Keepalive,
    /// `write_timeout`: bytes waited to be written or flushed, and none moved.
    Write,
    /// `close_timeout` or `close_total_timeout`: the closing handshake did not end.
    Close,
}

impl CloseInfo {
    /// Returns a record without codes, for a connection that is not a [`Connection`](crate::Connection): that of a browser,
    /// say, which reports only how it ended.
    pub const fn new(initiator: Initiator, cause: CloseCause) -> Self {
        let reason = ByteString::new();
        Self { initiator, cause, sent: None, received: None, reason, rtt: None, unsent: 0 }
    }

    /// Returns the close code in the sense of RFC 6455 section 7.1.5: the peer's, 1005 if its Close frame
    /// had none, 1006 if there was no Close frame from it.
    pub fn code(&self) -> CloseCode {
        self.received.unwrap_or(CloseCode::ABNORMAL_CLOSURE)
    }

    /// Whether a Close frame went each way (section 7.1.4).
    pub const fn is_clean(&self) -> bool {
        matches!(self.cause, CloseCause::Handshake)
    }

    /// Whether the closing handshake was done and the peer reported no fault in it: its Close had the code 1000 or
    /// 1001, or none, or it only repeated the code of a Close that this end had sent first.
    ///
    /// If not, `WebSocket::recv` returns this record as an error: after 1009 or 1011, for example, the peer may not
    /// have done what it was sent last.
    pub fn is_normal(&self) -> bool {
        // RFC 6455 §7.4.1: 1000 and 1001 are regular ends, 1005 stands for no code; all others name
        // a fault, or are the application's.
        let says_none = matches!(
            self.code(),
            CloseCode::NORMAL_CLOSURE | CloseCode::GOING_AWAY | CloseCode::NO_STATUS_RECEIVED
        );
        // §5.5.1: the answer to a Close typically echoes its code, so that the code is this end's and not the peer's.
        let is_echo = self.initiator == Initiator::Local && self.received == self.sent;
        self.is_clean() && (says_none || is_echo)
    }
}

impl fmt::Display for CloseInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.initiator {
            Initiator::Local => "this end",
            Initiator::Remote => "the peer",
        };
        match self.cause {
            // Neither side closed.
            CloseCause::Timeout(_) => write!(f, "timed out: {}", self.cause)?,
            _ => write!(f, "closed by {side}: {}", self.cause)?,
        }
        if let Some(code) = self.received {
            write!(f, ", received {code}")?;
        }
        if let Some(code) = self.sent {
            write!(f, ", sent {code}")?;
        }
        if !self.reason.is_empty() {
            write!(f, ", reason {:?}", &*self.reason)?;
        }
        if let Some(rtt) = self.rtt {
            write!(f, ", last round trip {rtt:?}")?;
        }
        if self.unsent > 0 {
            write!(f, ", {} bytes unsent", self.unsent)?;
        }
        Ok(())
    }
}

impl fmt::Display for CloseCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake => f.write_str("closing handshake"),
            Self::Protocol(error) => write!(f, "protocol error: {error}"),
            Self::Transport(TransportEnd::Eof) => f.write_str("end of stream without a closing handshake"),
            Self::Transport(TransportEnd::Reset) => {
                f.write_str("connection reset without a closing handshake")
            }
            Self::Transport(TransportEnd::Truncated) => {
                f.write_str("TLS stream cut off without close_notify")
            }
            Self::Transport(TransportEnd::Failed) => f.write_str("transport failed"),
            Self::Timeout(Deadline::Keepalive) => {
                f.write_str("no byte was received or could be sent within keepalive.timeout after a ping")
            }
            Self::Timeout(Deadline::Write) => f.write_str("write stalled for write_timeout"),
            Self::Timeout(Deadline::Close) => {
                f.write_str("the closing handshake did not end within close_timeout")
            }
            Self::Aborted => f.write_str("aborted"),
        }
    }
}
