//! Messages of a broadcast that a slow connection has no room for, and what becomes of them.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::connection::Connection;
use crate::message::Message;
use crate::prepared::Prepared;

/// What happens to a message that a member of a [`Broadcast`](super::Broadcast) has no room for, because its peer reads
/// too slowly: `outbound_high_water` is reached.
#[derive(Clone)]
#[non_exhaustive]
pub enum Slow {
    /// [`publish`](super::Broadcast::publish) waits for room, and so do the other members' next messages.
    Wait,
    /// The message is dropped for this member.
    DropNewest,
    /// It waits with at most so many others; beyond that the oldest is dropped.
    DropOldest(usize),
    /// It waits, in place of an earlier one with the same key: a page that shows prices only wants the
    /// latest of each. There are never more waiting than there are keys.
    Conflate(ConflateKey),
    /// The member is closed with 1013.
    Close,
}

/// Tells which messages of a broadcast replace each other: those for which it gives the same number.
pub type ConflateKey = Arc<dyn Fn(&Message) -> u64 + Send + Sync>;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offered {
    /// It is queued.
    Delivered,
    /// It waits for room.
    Waiting,
    /// It waits in place of another, which is dropped.
    Replaced,
    /// It is dropped.
    Dropped,
    /// There is no room, and the policy is to wait for it.
    Full,
    /// The policy is to close the member.
    Close,
    /// The member is closed.
    Closed,
}

impl Slow {
    /// [`Conflate`](Self::Conflate) by what `key` gives for a message.
    pub fn conflate<K: Hash>(key: impl Fn(&Message) -> K + Send + Sync + 'static) -> Self {
        Self::Conflate(Arc::new(move |message| {
            let mut hasher = DefaultHasher::new();
            key(message).hash(&mut hasher);
            hasher.finish()
        }))
    }
}

impl fmt::Debug for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wait => f.write_str("Wait"),
            Self::DropNewest => f.write_str("DropNewest"),
            Self::DropOldest(most) => f.debug_tuple("DropOldest").field(most).finish(),
            Self::Conflate(_) => f.write_str("Conflate(..)"),
            Self::Close => f.write_str("Close"),
        }
    }
}

/// What waits for room on one connection, oldest first.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    waiting: VecDeque<(u64, Prepared)>,
}

impl Backlog {
    /// Does with a message that there is no room for what the policy says.
    pub(super) fn refuse(backlog: &mut Option<Box<Self>>, message: &Prepared, slow: &Slow) -> Offered {
        match slow {
            Slow::Wait => Offered::Full,
            Slow::DropNewest => Offered::Dropped,
            Slow::Close => Offered::Close,
            Slow::DropOldest(0) => Offered::Dropped,
            Slow::DropOldest(most) => {
                let waiting = &mut backlog.get_or_insert_default().waiting;
                let replaced = waiting.len() >= *most && waiting.pop_front().is_some();
                waiting.push_back((0, message.clone()));
                if replaced { Offered::Replaced } else { Offered::Waiting }
            }
            Slow::Conflate(key) => {
                let key = key(message.message());
                let waiting = &mut backlog.get_or_insert_default().waiting;
                if let Some((_, earlier)) = waiting.iter_mut().find(|(other, _)| *other == key) {
                    *earlier = message.clone();
                    Offered::Replaced
                } else {
                    waiting.push_back((key, message.clone()));
                    Offered::Waiting
                }
            }
        }
    }

    /// Queues what waits, oldest first, as long as less than the high-water mark is queued. Whether the backlog is
    /// done with: it is empty, or nothing can be sent any more.
    pub(super) fn move_into(&mut self, connection: &mut Connection) -> bool {
        while connection.queued() < connection.config().outbound_high_water
            && let Some((_, message)) = self.waiting.front()
        {
            match connection.send_prepared(message) {
                Ok(()) => drop(self.waiting.pop_front()),
                Err(_) => break,
            }
        }
        self.waiting.is_empty() || !connection.is_open()
    }

    /// Bytes of memory held, payloads that others share included.
    pub(super) fn memory_usage(&self) -> usize {
        let payloads = self.waiting.iter().map(|(_, message)| message.message().len());
        payloads
            .fold(self.waiting.capacity().saturating_mul(size_of::<(u64, Prepared)>()), usize::saturating_add)
    }
}
