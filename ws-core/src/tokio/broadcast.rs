//! One message to many connections, with a policy for slow ones.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::backlog::{Offered, Slow};
use super::sender::Sender;
use crate::prepared::Prepared;

/// A set of connections to publish messages to. Cheap to clone; every method takes `&self`.
///
/// A message is encoded, and compressed, once for all of them (see [`Prepared`]). What waits for room on a slow
/// connection goes out while its [`Receiver`](super::Receiver) is being polled. Members whose connection has
/// closed leave by themselves with the next message.
///
/// ```
/// # async fn example(sender: ws_core::Sender) {
/// use ws_core::{Broadcast, Slow};
///
/// let room = Broadcast::new();
/// let _member = room.join(sender, Slow::DropOldest(100));
/// let published = room.publish("hello").await;
/// println!("{} got it, {} were too slow", published.delivered, published.dropped);
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Broadcast {
    set: Arc<Mutex<Set>>,
}

/// A connection's place in a [`Broadcast`]; it leaves when this is dropped.
#[derive(Debug)]
#[must_use = "the connection leaves the broadcast when this is dropped"]
pub struct Member {
    broadcast: Broadcast,
    id: u64,
}

/// What became of one or more messages.
///
/// Over all messages, each counts once for each member: one that waits counts as delivered; when another
/// takes its place, that other counts as dropped in its stead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Published {
    /// Queued, now or as soon as there is room.
    pub delivered: u64,
    /// Dropped for members too slow: this message, or one that it took the place of.
    pub dropped: u64,
    /// Members that were closed for being too slow ([`Slow::Close`]).
    pub closed: u64,
    /// Members that were gone.
    pub gone: u64,
}

#[derive(Default)]
struct Set {
    members: Vec<(u64, Sender, Slow)>,
    next_id: u64,
    total: Published,
}

impl Broadcast {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a connection, and says what happens when it is slow.
    pub fn join(&self, sender: Sender, slow: Slow) -> Member {
        let mut set = self.lock();
        let id = set.next_id;
        set.next_id = id.wrapping_add(1);
        set.members.push((id, sender, slow));
        Member { broadcast: self.clone(), id }
    }

    /// The number of members.
    pub fn len(&self) -> usize {
        self.lock().members.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What became of all messages so far.
    pub fn total(&self) -> Published {
        self.lock().total
    }

    /// Sends a message to all members. Only waits for those with [`Slow::Wait`], after all others have it; if
    /// the future is dropped then, those that were still waited for do not get it, and count as dropped.
    pub async fn publish(&self, message: impl Into<Prepared>) -> Published {
        self.offer_and_wait(&message.into(), true).await
    }

    /// As [`publish`](Self::publish), for who cannot wait: a member with [`Slow::Wait`] and no room counts as
    /// dropped.
    pub fn try_publish(&self, message: impl Into<Prepared>) -> Published {
        let (mut published, full) = self.offer_all(&message.into(), true);
        published.dropped = published.dropped.saturating_add(full.len() as u64);
        self.lock().total.add(published);
        published
    }

    /// As [`publish`](Self::publish), but leaves the writing to [`flush`](Self::flush): many messages then go out
    /// in one write for each member.
    ///
    /// A member that has no room left is written to at once, so that a long batch makes nobody slow. What is fed
    /// also goes out with whatever else is sent on a connection, and when its [`Receiver`](super::Receiver) is polled;
    /// one that waits already does not notice.
    pub async fn feed(&self, message: impl Into<Prepared>) -> Published {
        self.offer_and_wait(&message.into(), false).await
    }

    /// Writes what was fed, as far as that needs no waiting; the rest goes out while each member's
    /// [`Receiver`](super::Receiver) is being polled.
    pub fn flush(&self) {
        for (_, sender, _) in &self.lock().members {
            sender.write();
        }
    }

    async fn offer_and_wait(&self, message: &Prepared, write: bool) -> Published {
        let (offered, full) = self.offer_all(message, write);
        let mut counting = Counting { broadcast: self, published: offered, waiting: full.len() as u64 };
        for sender in full {
            let result = sender.feed_prepared(message).await;
            if write {
                sender.write();
            }
            counting.waiting = counting.waiting.saturating_sub(1);
            let Published { delivered, gone, .. } = &mut counting.published;
            let count = if result.is_ok() { delivered } else { gone };
            *count = count.saturating_add(1);
        }
        counting.published
    }

    /// Offers a message to all; returns those it is to be waited for.
    fn offer_all(&self, message: &Prepared, write: bool) -> (Published, Vec<Sender>) {
        let mut published = Published::default();
        let mut full = Vec::new();
        self.lock().members.retain(|(_, sender, slow)| {
            let offered = sender.offer(message, slow, write);
            let count = match offered {
                Offered::Delivered | Offered::Waiting => &mut published.delivered,
                // The one it replaced has been counted as delivered: one of the two is dropped.
                Offered::Replaced | Offered::Dropped => &mut published.dropped,
                Offered::Close => &mut published.closed,
                Offered::Closed => &mut published.gone,
                Offered::Full => {
                    full.push(sender.clone());
                    return true;
                }
            };
            *count = count.saturating_add(1);
            !matches!(offered, Offered::Close | Offered::Closed)
        });
        (published, full)
    }

    fn lock(&self) -> MutexGuard<'_, Set> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a message that is being published, also if that is given up.
struct Counting<'a> {
    broadcast: &'a Broadcast,
    published: Published,
    /// Members still to be waited for.
    waiting: u64,
}

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        self.published.dropped = self.published.dropped.saturating_add(self.waiting);
        self.broadcast.lock().total.add(self.published);
    }
}

impl Published {
    fn add(&mut self, other: Self) {
        self.delivered = self.delivered.saturating_add(other.delivered);
        self.dropped = self.dropped.saturating_add(other.dropped);
        self.closed = self.closed.saturating_add(other.closed);
        self.gone = self.gone.saturating_add(other.gone);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut set = self.broadcast.lock();
        let place = set.members.iter().position(|(id, ..)| *id == self.id);
        let sender = place.map(|place| set.members.swap_remove(place));
        // The last handle of a connection may go with it: not under the lock.
        drop(set);
        drop(sender);
    }
}

impl fmt::Debug for Broadcast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast").field("members", &self.len()).finish_non_exhaustive()
    }
}
