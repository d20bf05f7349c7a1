//! A connection that has subscribed to something.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ws_tokio::{CloseCode, ConnectionId, Outbox, OutboxRow, PreparedMessage, Sender, WeakSender};

use super::queue::{Item, Lost, Next, Queue, Waiting};
use super::seat::{Place, Seat};
use super::tail::{Room, Tail};
use crate::error::TopicError;
use crate::options::{TopicsOptions, guarded};
use crate::position::GapMark;
use crate::stats::Counts;

/// A connection, what waits for it, and what it is subscribed to. Its sender keeps nothing alive; the connection owns it, as
/// its [`Outbox`].
pub(crate) struct Subscriber {
    pub(crate) id: ConnectionId,
    sender: WeakSender,
    /// Locked last, and for moments only.
    queue: Mutex<Queue>,
    options: Arc<TopicsOptions>,
    home: Weak<dyn Home>,
}

/// Where subscribers are registered.
pub(crate) trait Home: Send + Sync {
    /// A connection has ended.
    fn ended(&self, id: ConnectionId);
}

impl Subscriber {
    pub(crate) fn new(sender: &Sender, options: Arc<TopicsOptions>, home: Weak<dyn Home>) -> Self {
        Self {
            id: sender.connection_id(),
            sender: sender.downgrade(),
            queue: Mutex::default(),
            options,
            home,
        }
    }

    /// Has it write what waits, as far as there is room, and does with the rest what the policy of `seat` says. Returns how many
    /// messages were dropped and whether the connection was closed for being slow.
    pub(crate) fn write(&self, seat: &Arc<Seat>) -> (u64, bool) {
        if self.sender.write_now() {
            return (0, false);
        }
        let settled = self.lock().settle(seat, &self.options);
        if settled.close
            && let Some(sender) = self.sender.upgrade()
        {
            // Closing already is fine too; the code may be sent.
            let closed = sender.start_close(CloseCode::TRY_AGAIN_LATER, "too slow").is_ok();
            sender.write_now();
            return (settled.dropped, closed);
        }
        (settled.dropped, false)
    }

    /// Has it write what waits, as far as there is room.
    pub(crate) fn write_now(&self) {
        self.sender.write_now();
    }

    /// Adds a message to what waits, or the tail that begins with it; returns whether a bound is passed now, and how much may be added to the tail.
    pub(super) fn push(&self, seat: &Seat, waiting: &Arc<Waiting>, tail: Option<&Arc<Tail>>) -> (bool, Room) {
        let mut queue = self.lock();
        match tail {
            Some(tail) => queue.push_tail(seat, waiting, tail, &self.options),
            None => (queue.push(seat, Arc::clone(waiting), &self.options), Room::NONE),
        }
    }

    pub(super) fn push_gap(&self, seat: &Arc<Seat>, lost: Lost) {
        self.lock().push_gap(seat, lost);
    }

    pub(super) fn push_item(&self, seat: &Arc<Seat>, item: Item) {
        self.lock().push_item(seat, item);
    }

    /// Adds what comes next out of a history; counts what that has lost.
    pub(super) fn push_replayed(&self, seat: &Arc<Seat>, items: Vec<Item>, rest: Option<Item>, missed: u64) {
        let mut queue = self.lock();
        queue.counts.missed = queue.counts.missed.saturating_add(missed);
        queue.push_replayed(seat, items);
        if let Some(rest) = rest {
            queue.push_item(seat, rest);
        }
    }

    /// Adds a subscription.
    pub(super) fn add(&self, seat: &Arc<Seat>) -> Result<(), TopicError> {
        self.lock().add(seat, self.options.max_subscriptions)
    }

    /// Forgets a subscription, and all that waits for it.
    pub(crate) fn remove(&self, seat: &Seat) {
        self.lock().remove(seat);
    }

    /// Takes all subscriptions, for good.
    pub(crate) fn end(&self) -> Vec<Arc<Seat>> {
        self.lock().close()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// How many messages wait, and what they count as.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        self.lock().waiting()
    }

    /// How many messages wait for one of its subscriptions.
    pub(crate) fn waiting_for(&self, seat: &Seat) -> usize {
        let _counted = self.lock();
        seat.waiting()
    }

    fn mark(&self, seat: &Seat, lost: Lost) -> Option<PreparedMessage> {
        let range = match &seat.place {
            Place::Topic(_) if lost.messages.is_some() => Some((lost.first, lost.last)),
            _ => None,
        };
        let mark = GapMark { topic: seat.place.name(), lost: lost.messages, range };
        let message = guarded(|| (self.options.gap_mark)(&mark)).flatten()?;
        let mut queue = self.lock();
        queue.counts.gaps = queue.counts.gaps.saturating_add(1);
        drop(queue);
        Some(message.into())
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        let mut queue = self.lock_with_tail();
        queue.end_tail();
        queue
    }

    /// What waits, but for what others may still add.
    fn lock_with_tail(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox for Subscriber {
    fn next(&self) -> Option<PreparedMessage> {
        loop {
            let next = self.lock().pop();
            match next? {
                Next::Message(message) => return Some(message),
                Next::Gap(seat, lost) => {
                    if let Some(mark) = self.mark(&seat, lost) {
                        return Some(mark);
                    }
                }
                Next::Replay(seat, next) => {
                    if let Place::Topic(topic) = &seat.place {
                        topic.replay(&seat, next);
                    }
                }
            }
        }
    }

    fn take(&self, row: &mut OutboxRow<'_>) -> bool {
        self.lock_with_tail().take(row)
    }

    fn memory_usage(&self) -> usize {
        self.lock().memory_usage()
    }

    fn closed(&self) {
        if let Some(home) = self.home.upgrade() {
            home.ended(self.id);
        }
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber").field("id", &self.id).finish_non_exhaustive()
    }
}
