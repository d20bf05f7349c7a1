//! One message to many connections, with a policy for slow ones.

mod room;

use std::fmt;
use std::mem;
use std::sync::{Arc, Weak};

use tokio::runtime::Handle;
use tokio::task::yield_now;
use ws_core::{PreparedMessage, Work};

use crate::backlog::SlowPolicy;
use crate::budget::without_budget;
use crate::driver::is_large;
use crate::publish_report::{Membership, PublishReport};
use crate::sender::Sender;
use room::{Place, Room};

/// A set of connections to publish messages to. Cheap to clone; every method takes `&self`.
///
/// A message is encoded, and compressed, once for all of them (see [`PreparedMessage`]). What waits for room on a slow
/// connection goes out while its [`Receiver`](super::Receiver) is being polled. Members whose connection has
/// closed leave by themselves with the next message. Joining, leaving and counting wait for no socket.
///
/// Publishers take turns, so that all members get the messages in the same order.
///
/// ```
/// # async fn example(sender: ws_tokio::Sender) {
/// use ws_tokio::{Broadcast, SlowPolicy};
///
/// let room = Broadcast::new();
/// let _member = room.join(sender, SlowPolicy::DropOldest(100));
/// let published = room.publish("hello").await;
/// println!("{} got it, {} were too slow", published.delivered, published.dropped);
/// # }
/// ```
#[derive(Clone, Default)]
#[doc(alias("room", "fan_out"))]
pub struct Broadcast {
    room: Arc<Room>,
}

/// A connection's place in a [`Broadcast`]; it leaves when this is dropped.
///
/// Leaving waits for no socket: a message that is being published at that moment may still reach the connection.
#[derive(Debug)]
#[must_use = "the connection leaves the broadcast when this is dropped"]
pub struct Member {
    room: Arc<Room>,
    /// Nothing once the broadcast has dropped the connection because it had closed.
    place: Weak<Place>,
}

impl Broadcast {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a connection, and says what happens when it is slow.
    pub fn join(&self, sender: Sender, slow: SlowPolicy) -> Member {
        let place = self.room.join(sender, slow);
        Member { room: Arc::clone(&self.room), place: Arc::downgrade(&place) }
    }

    /// The number of members.
    pub fn len(&self) -> usize {
        self.room.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What became of all messages so far.
    pub fn total(&self) -> PublishReport {
        self.room.total()
    }

    /// Sends a message to all members. Only waits for those with [`SlowPolicy::Wait`], after all others have it; if
    /// the future is dropped then, those that were still waited for do not get it, and count as dropped.
    ///
    /// The message is queued when this returns, and written by a separate task, which runs when the calling task waits for
    /// something else: what is published in a row goes out in one write for each member, at most 16 messages. Outside of a tokio
    /// runtime the message is written at once.
    ///
    /// A message of more than 64 KiB is compressed before, in steps between which other tasks run; if the future is dropped then, no
    /// member gets it. [`try_publish`](Self::try_publish) compresses it at once.
    pub async fn publish(&self, message: impl Into<PreparedMessage>) -> PublishReport {
        self.offer_and_wait(&[message.into()], Handle::try_current().ok()).await
    }

    /// As [`publish`](Self::publish) for each message in turn, but with one write for each member, and a member is
    /// visited once: the cheapest way for messages that come together.
    ///
    /// A member that has no room left is written to in between, so that a long batch makes no member slow.
    pub async fn publish_all<M: Into<PreparedMessage>>(
        &self,
        messages: impl IntoIterator<Item = M>,
    ) -> PublishReport {
        let messages: Vec<PreparedMessage> = messages.into_iter().map(Into::into).collect();
        self.offer_and_wait(&messages, None).await
    }

    /// As [`publish`](Self::publish) without waiting, also outside of a runtime: a member with [`SlowPolicy::Wait`] and no room
    /// counts as dropped.
    pub fn try_publish(&self, message: impl Into<PreparedMessage>) -> PublishReport {
        let (mut published, full, _) = self.offer_all(&[message.into()], None);
        published.dropped = published.dropped.saturating_add(full.len() as u64);
        self.room.count(published);
        published
    }

    /// Offers messages to all, and waits where the policy says so. With a runtime a task of that writes them.
    async fn offer_and_wait(&self, messages: &[PreparedMessage], later: Option<Handle>) -> PublishReport {
        for message in messages.iter().filter(|message| is_large(message.message().len())) {
            Box::pin(self.prepare_in_turns(message)).await;
        }
        let (offered, full, unwritten) = self.offer_all(messages, later.as_ref());
        let lacking = full.iter().map(|(_, from)| messages.len().saturating_sub(*from) as u64);
        let mut counting = Counting { room: &self.room, published: offered, waiting: lacking.sum() };
        for (place, from) in full {
            counting.wait_for(&place.sender, messages.get(from..).unwrap_or_default()).await;
        }
        if counting.published.delivered >= MANY || unwritten >= IN_A_ROW {
            // It has taken a while, outside of the budget. The task that writes is to wait for what is published next.
            self.room.pause();
            yield_now().await;
        }
        counting.published
    }

    /// Compresses a large message for all members, in steps between which other tasks run.
    async fn prepare_in_turns(&self, message: &PreparedMessage) {
        for place in self.room.members().places {
            while !place.has_left() && place.sender.prepare(message) == Work::More {
                yield_now().await;
            }
        }
    }

    /// Offers messages to all. Returns the members that are to be waited for, from which message on; and how many times in a row
    /// this has left the writing to a task.
    fn offer_all(
        &self,
        messages: &[PreparedMessage],
        later: Option<&Handle>,
    ) -> (PublishReport, Vec<(Arc<Place>, usize)>, u32) {
        let mut published = PublishReport::default();
        let (mut full, mut leaving) = (Vec::new(), Vec::new());
        let turn = self.room.take_turn();
        let members = self.room.members();
        without_budget(|| {
            for place in members.places.iter().filter(|place| !place.has_left()) {
                match place.sender.offer(messages, &place.slow, later.is_some(), &mut published) {
                    Membership::Stays => {}
                    Membership::Waits { from } => full.push((Arc::clone(place), from)),
                    Membership::Leaves => leaving.push(Arc::clone(place)),
                }
            }
        });
        drop(turn);
        self.room.leave_all(&leaving);
        let unwritten = later.map_or(0, |runtime| {
            let unwritten = self.room.leave_unwritten(members);
            if unwritten == 1 {
                runtime.spawn(write(Writer(Arc::clone(&self.room))));
            }
            unwritten
        });
        // With the list of members the last handles of connections may go, and with them code of the transport's.
        (published, full, unwritten)
    }
}

/// After this many messages to members others get their turn: what a task may do at a time, by tokio's own measure.
const MANY: u64 = 128;

/// This many messages in a row are written together at most.
const IN_A_ROW: u32 = 16;

/// Writes to the members that are still to be written to.
async fn write(writer: Writer) {
    let room = &writer.0;
    // Tasks that let others run do not come back in the order in which they did so: this one may have its turn before the publisher
    // has had its own.
    let mut is_patient = false;
    loop {
        match room.take_pause(IN_A_ROW) {
            true => is_patient = true,
            false if !mem::take(&mut is_patient) => break,
            false if room.has_enough(IN_A_ROW) => break,
            false => {}
        }
        yield_now().await;
    }
    let mut written = 0u64;
    for members in room.take_unwritten().members {
        for some in members.chunks(MANY as usize) {
            if written >= MANY {
                written = 0;
                yield_now().await;
            }
            without_budget(|| some.iter().for_each(|place| place.sender.write()));
            written = written.saturating_add(some.len() as u64);
        }
    }
}

/// What the task that writes owns. A runtime that is shut down drops the task, perhaps before it has run; the members may be
/// of another runtime, and what is published there later waits for no task that is gone.
struct Writer(Arc<Room>);

impl Drop for Writer {
    fn drop(&mut self) {
        for members in self.0.take_unwritten().members {
            without_budget(|| members.iter().for_each(|place| place.sender.write()));
        }
    }
}

/// Counts messages that are being published, also if that is dropped.
struct Counting<'a> {
    room: &'a Room,
    published: PublishReport,
    /// Messages for members that are still to be waited for.
    waiting: u64,
}

impl Counting<'_> {
    /// Waits for room for each of the messages.
    async fn wait_for(&mut self, sender: &Sender, messages: &[PreparedMessage]) {
        let mut left = messages.len() as u64;
        for message in messages {
            let result = sender.feed_prepared(message).await;
            if result.is_err() {
                self.published.gone = self.published.gone.saturating_add(1);
                break;
            }
            self.published.delivered = self.published.delivered.saturating_add(1);
            self.waiting = self.waiting.saturating_sub(1);
            left = left.saturating_sub(1);
        }
        // A member that has gone waits for nothing any more.
        self.waiting = self.waiting.saturating_sub(left);
        sender.write();
    }
}

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        self.published.dropped = self.published.dropped.saturating_add(self.waiting);
        self.room.count(self.published);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(place) = self.place.upgrade() {
            self.room.leave_all(&[place]);
        }
    }
}

impl fmt::Debug for Broadcast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast").field("members", &self.len()).finish_non_exhaustive()
    }
}
