//! What a subscription of a client gets.

use ws_core::Message;

use crate::position::Position;
use crate::start::Member;

/// What happens in a topic, or to the subscription: [`ClientSubscription::next`](crate::ClientSubscription::next).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A message was published.
    #[non_exhaustive]
    Message {
        /// The topic: one that matches, if the subscription is to a filter.
        topic: String,
        /// Its place in the topic, to resume after it with [`SubscribeRequest::since`](crate::SubscribeRequest::since).
        position: Position,
        /// The message.
        message: Message,
    },
    /// Messages are missing at this place.
    #[non_exhaustive]
    Gap {
        /// How many, if that is known.
        lost: Option<u64>,
        /// The positions of the first and the last, if they are known.
        range: Option<(Position, Position)>,
    },
    /// Who is present has changed.
    #[non_exhaustive]
    Presence {
        /// Whether `joined` lists all who are present, so that whoever was reported before and is not in it has gone: with the first report of
        /// each connection, and when too much has changed to be listed.
        all: bool,
        /// Who has come.
        joined: Vec<Member>,
        /// Who has another value now.
        updated: Vec<Member>,
        /// Who has gone.
        left: Vec<Member>,
    },
    /// The connection is lost; the client connects again.
    Disconnected,
    /// The subscription continues, after a loss of connection or because this side was slow.
    #[non_exhaustive]
    Resumed {
        /// How many messages are replayed; `None` if some may be missing: a [`Gap`](Self::Gap) marks the place.
        missed: Option<u64>,
    },
}
