//! Control frames that wait to be written, and those on their way.

use alloc::vec::Vec;

/// Control frames: they wait apart from data, and once they are on their way they are not replaced.
#[derive(Debug, Default)]
pub(super) struct ControlQueue {
    /// The automatic pongs that wait, at most [`PONG_ROOM`] bytes of them.
    pong: Vec<u8>,
    /// Pings and pongs of the user, and keepalive pings.
    other: Vec<u8>,
    /// Those on their way, and how much of them has been written.
    sending: Vec<u8>,
    sent: usize,
    /// Where the keepalive ping is.
    ping: PingAt,
}

/// Where among the control frames a keepalive ping is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum PingAt {
    #[default]
    Nowhere,
    /// In `other`.
    Waiting,
    /// In `sending`.
    OnItsWay,
}

impl ControlQueue {
    /// Appends a control frame to those that wait.
    pub(super) fn push(&mut self, header: &[u8], payload: impl Iterator<Item = u8>) {
        self.other.extend_from_slice(header);
        self.other.extend(payload);
    }

    /// Appends an automatic pong. Each ping is answered while little waits; a peer that pings on
    /// without reading gets the latest in place of those that wait, as section 5.5.3 allows.
    pub(super) fn push_pong(&mut self, header: &[u8], payload: impl Iterator<Item = u8>) {
        let before = self.pong.len();
        self.pong.extend_from_slice(header);
        self.pong.extend(payload);
        if self.pong.len() > PONG_ROOM {
            self.pong.drain(..before);
        }
    }

    /// Remembers that the frame appended last is a keepalive ping.
    pub(super) fn mark_ping(&mut self) {
        self.ping = PingAt::Waiting;
    }

    /// Whether the keepalive ping has not been written, or not all of it.
    pub(super) fn ping_waits(&self) -> bool {
        self.ping != PingAt::Nowhere
    }

    /// Drops the frames that are not on their way.
    pub(super) fn drop_waiting(&mut self) {
        self.pong.clear();
        self.other.clear();
        if self.ping == PingAt::Waiting {
            self.ping = PingAt::Nowhere;
        }
    }

    /// Whether frames wait, and none are on their way.
    pub(super) fn is_ready(&self) -> bool {
        self.sending.is_empty() && self.waiting() > 0
    }

    /// Moves the frames that wait on their way, pongs first.
    pub(super) fn start(&mut self) {
        debug_assert!(self.sending.is_empty(), "control frames are on their way already");
        self.sending.append(&mut self.pong);
        self.sending.append(&mut self.other);
        if self.ping == PingAt::Waiting {
            self.ping = PingAt::OnItsWay;
        }
    }

    /// What is still to be written of the frames on their way.
    pub(super) fn unsent(&self) -> &[u8] {
        debug_assert!(self.sent <= self.sending.len(), "more has been written than was there");
        self.sending.get(self.sent..).unwrap_or_default()
    }

    /// Counts up to `n` written bytes of the frames on their way; returns the rest of `n`.
    pub(super) fn advance(&mut self, n: usize) -> usize {
        let used = n.min(self.unsent().len());
        self.sent = self.sent.saturating_add(used);
        if self.sent == self.sending.len() {
            self.sending.clear();
            self.sent = 0;
            if self.ping == PingAt::OnItsWay {
                self.ping = PingAt::Nowhere;
            }
        }
        n.saturating_sub(used)
    }

    /// Bytes of the frames that wait and are not on their way.
    pub(super) fn waiting(&self) -> usize {
        self.pong.len().saturating_add(self.other.len())
    }

    /// Bytes that are still to be written.
    pub(super) fn len(&self) -> usize {
        self.unsent().len().saturating_add(self.waiting())
    }

    /// Bytes of memory held.
    pub(super) fn capacity(&self) -> usize {
        self.pong.capacity().saturating_add(self.other.capacity()).saturating_add(self.sending.capacity())
    }
}

/// Automatic pongs that wait take no more than this, in bytes: four of the largest, dozens of common ones.
const PONG_ROOM: usize = 4 * 131;
