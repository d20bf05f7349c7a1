//! Messages of a broadcast that a slow connection has no room for, and what becomes of them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use ws_core::{Connection, Message, PreparedMessage, Work};

/// What happens to a message that a member of a [`Broadcast`](super::Broadcast) has no room for, because its peer reads
/// too slowly: `send_high_water` is reached.
#[derive(Clone)]
#[non_exhaustive]
pub enum SlowPolicy {
    /// [`publish`](super::Broadcast::publish) waits for room, and so do the other members' next messages.
    Wait,
    /// The message is dropped for this member.
    DropNewest,
    /// It waits with at most this many others of this policy; beyond that the oldest is dropped.
    DropOldest(usize),
    /// It waits, in place of an earlier one with the same key: a page that shows prices only wants the
    /// latest of each. There are never more waiting than there are keys. What a connection is sent of another
    /// broadcast has separate keys, unless both were joined with clones of one `SlowPolicy`.
    Conflate(ConflateKey),
    /// The member is closed with 1013.
    Close,
}

/// Chooses which messages of a broadcast replace each other: those for which it returns the same number.
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

/// How much of what waited has been queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moved {
    /// All that will be: nothing waits, or nothing can be sent any more.
    All,
    /// What there was room for.
    Some,
    /// Other tasks are to run before more of a large message is compressed.
    Unfinished,
}

impl SlowPolicy {
    /// [`Conflate`](Self::Conflate) by what `key` gives for a message.
    pub fn conflate<K: Hash>(key: impl Fn(&Message) -> K + Send + Sync + 'static) -> Self {
        Self::Conflate(Arc::new(move |message| {
            let mut hasher = DefaultHasher::new();
            key(message).hash(&mut hasher);
            hasher.finish()
        }))
    }
}

impl fmt::Debug for SlowPolicy {
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

/// What waits for room on one connection. It may be of several broadcasts, each with its policy.
#[derive(Default)]
pub(super) struct Backlog {
    /// By number, which is the order in which they go out.
    waiting: BTreeMap<u64, (Option<Key>, PreparedMessage)>,
    /// The numbers of those that have a key.
    keyed: HashMap<(usize, u64), u64>,
    /// The numbers of those that have none.
    unkeyed: VecDeque<u64>,
    next: u64,
}

/// What a message is conflated by: the key, and the policy that returned it, because another policy may use the same key for
/// something else.
struct Key {
    by: ConflateKey,
    key: u64,
}

impl Key {
    /// Equal for equal keys; `by` is kept with it, so that no other comes to lie at its address.
    fn identity(&self) -> (usize, u64) {
        (Arc::as_ptr(&self.by).addr(), self.key)
    }
}

impl Backlog {
    /// Does with a message that there is no room for what the policy says.
    pub(super) fn refuse(
        backlog: &mut Option<Box<Self>>,
        message: &PreparedMessage,
        slow: &SlowPolicy,
    ) -> Offered {
        match slow {
            SlowPolicy::Wait => Offered::Full,
            SlowPolicy::DropNewest | SlowPolicy::DropOldest(0) => Offered::Dropped,
            SlowPolicy::Close => Offered::Close,
            SlowPolicy::DropOldest(most) => backlog.get_or_insert_default().push(message, *most),
            SlowPolicy::Conflate(by) => {
                let key = Key { by: Arc::clone(by), key: by(message.message()) };
                backlog.get_or_insert_default().conflate(message, key)
            }
        }
    }

    /// Adds a message, in place of the oldest if there are as many as may be.
    fn push(&mut self, message: &PreparedMessage, most: usize) -> Offered {
        let oldest = if self.unkeyed.len() >= most { self.unkeyed.pop_front() } else { None };
        let replaced = oldest.is_some_and(|number| self.waiting.remove(&number).is_some());
        let number = self.add(None, message);
        self.unkeyed.push_back(number);
        if replaced { Offered::Replaced } else { Offered::Waiting }
    }

    /// Adds a message, in the place of the one with its key if there is one.
    fn conflate(&mut self, message: &PreparedMessage, key: Key) -> Offered {
        let identity = key.identity();
        let earlier = self.keyed.get(&identity).and_then(|number| self.waiting.get_mut(number));
        if let Some((_, earlier)) = earlier {
            *earlier = message.clone();
            return Offered::Replaced;
        }
        let number = self.add(Some(key), message);
        self.keyed.insert(identity, number);
        Offered::Waiting
    }

    fn add(&mut self, key: Option<Key>, message: &PreparedMessage) -> u64 {
        let number = self.next;
        // 2^64 of them never wait on one connection.
        self.next = number.wrapping_add(1);
        self.waiting.insert(number, (key, message.clone()));
        number
    }

    /// Queues what waits, oldest first, as long as less than the high-water mark is queued.
    pub(super) fn move_into(&mut self, connection: &mut Connection) -> Moved {
        while connection.queued() < connection.config().send_high_water
            && let Some(first) = self.waiting.first_entry()
        {
            let (key, message) = first.get();
            if connection.is_open() && connection.prepare(message) == Work::More {
                return Moved::Unfinished;
            }
            if connection.send_prepared(message).is_err() {
                break;
            }
            match key {
                Some(key) => drop(self.keyed.remove(&key.identity())),
                None => drop(self.unkeyed.pop_front()),
            }
            first.remove();
        }
        if self.waiting.is_empty() || !connection.is_open() { Moved::All } else { Moved::Some }
    }

    /// Bytes of memory held, payloads that others share included.
    pub(super) fn memory_usage(&self) -> usize {
        let payloads = self.waiting.values().map(|(_, message)| message.message().len());
        let places = [
            self.waiting.len().saturating_mul(size_of::<(u64, (Option<Key>, PreparedMessage))>()),
            self.keyed.capacity().saturating_mul(size_of::<((usize, u64), u64)>()),
            self.unkeyed.capacity().saturating_mul(size_of::<u64>()),
        ];
        payloads.chain(places).fold(0, usize::saturating_add)
    }
}

impl fmt::Debug for Backlog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backlog").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}
