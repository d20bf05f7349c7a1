//! Where a subscription begins, and as whom: what subscribers and clients of `topics.v1` both ask for.

use std::sync::Arc;

use crate::position::Position;

/// Where a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Start {
    /// With the next message.
    #[default]
    Live,
    /// With the message after this position: what was missed is replayed from the history, then it continues live, without loss,
    /// duplicate or disorder. If the history does not have all of it, the subscription reports the [`Gap`](crate::Gap), and begins with a gap mark
    /// and what there is.
    Since(Position),
    /// With at most this many of the latest messages of the history; the rest is not missed.
    Last(u64),
}

/// A present subscriber: who it is, and a small value to show for it, such as a name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member {
    /// Who it is. Several connections may have the same identity: it joins with the first and leaves with the last.
    pub identity: Arc<str>,
    /// The value; that of the connection which subscribed last counts.
    pub value: Arc<str>,
}
