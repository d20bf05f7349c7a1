//! Where a driver stands: with reading, with writing, with closing.

use bytes::Bytes;
use ws_core::TransportEnd;

use super::aside::Aside;
use crate::backlog::Backlog;
use crate::buffer::Input;
use crate::outbox::Outboxes;

/// What has been read and not been received.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Bytes. None while waiting: the buffer is the thread's.
    pub(super) input: Input,
    /// How many bytes have been read.
    pub(super) bytes: u64,
    /// A large message that was read around `input`.
    pub(super) large: Option<Box<Bytes>>,
    /// Messages that were taken while the user only sent.
    pub(super) aside: Option<Box<Aside>>,
}

/// How far receiving has come. Apart from [`Reading`]: beside the bytes of [`Closing`] these need no padding.
#[derive(Debug, Default)]
pub(super) struct Receiving {
    /// The user has received, or tried to, since the last send: what has arrived is received in its order.
    pub(super) asked: bool,
    /// The transport has ended; what it brought before is still to be received.
    pub(super) ended: Option<TransportEnd>,
    /// Reads without a pause in between, whether they brought anything for the user or not.
    pub(super) in_a_row: u8,
    /// The turn is over, and there may be more to receive of what has been read.
    pub(super) unfinished: bool,
    /// The receiver does not read because too much memory is held; what is written changes that.
    pub(super) held_back: bool,
}

/// What is beside the connection's own queue.
#[derive(Debug, Default)]
pub(super) struct Writing {
    /// Bytes written to the transport so far.
    pub(super) written: u64,
    /// Messages of a broadcast that wait for room.
    pub(super) backlog: Option<Box<Backlog>>,
    /// Queues elsewhere, out of which messages are taken when there is room.
    pub(super) outboxes: Option<Box<Outboxes>>,
    /// What a stream of HTTP/2 has taken and not written yet.
    #[cfg(feature = "http2")]
    pub(super) held: Option<crate::http2::Held>,
}

/// How far the end has come.
#[derive(Debug, Default)]
pub(super) struct Closing {
    /// What is left of the transport.
    pub(super) transport: Transport,
    /// A task closes and waits for the end: messages that still come are dropped.
    pub(super) discarding: bool,
    /// The user has learned of the peer's Close, the reply to which is held back.
    pub(super) close_reported: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Transport {
    #[default]
    Open,
    /// The write side is shut down.
    HalfClosed,
    /// Nothing more is asked of it.
    Closed,
}

/// What others that wait for the same connection may have been waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Progress {
    pub(super) written: u64,
    pub(super) unflushed: bool,
    /// What a stream of HTTP/2 has taken and not written yet, in bytes.
    pub(super) held: usize,
    pub(super) held_back: bool,
    pub(super) unset_deadline: bool,
    pub(super) unread: usize,
    pub(super) open: bool,
    /// The end has been read.
    pub(super) ended: bool,
    /// The conclusion has been drawn.
    pub(super) over: bool,
}

impl Progress {
    /// Whether messages can be sent.
    pub(in super::super) const fn is_open(self) -> bool {
        self.open
    }

    /// Whether the receiver may have waited for what has happened since `before`. Bytes that are written
    /// concern it only while it is held back, or closes.
    pub(in super::super) fn concerns_receiver(self, before: Self) -> bool {
        let Self { written, unflushed, held, .. } = self;
        before.held_back || !self.open || self != Self { written, unflushed, held, ..before }
    }
}
