//! A topic: who has subscribed to it, what it keeps, and how a message gets to all of them.
//!
//! # What is locked
//!
//! ```text
//! a connection ─▶ topics by name ─▶ a topic ─▶ filters ─▶ a filter ─▶ subscriptions and queue of a connection ─▶ the end of many queues
//! ```
//!
//! Whoever has locked one of these locks only what is to its right. A publisher locks no connection while it has locked
//! anything of these: it puts the message into the queues, and has the connections write afterwards. So no lock of a topic is
//! held while a socket is written to; a connection that writes may take all of them, for moments.

mod beginning;
mod filters;
mod log;
mod mirror;
mod presence;
mod publishing;
mod queue;
mod seat;
mod subscriber;
mod tail;
mod writing;

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::TopicError;
use crate::options::History;
use crate::position::Position;
use crate::subscribe_options::{Member, Start};
pub(crate) use beginning::{Beginning, Begun};
pub use beginning::{Gap, Resumed};
pub(crate) use filters::{Filter, Filters};
pub(crate) use log::Budget;
use log::Log;
pub(crate) use mirror::{Accepted, Extended, Read};
pub(crate) use presence::Members;
use presence::Presence;
pub use presence::PresenceChange;
pub(crate) use publishing::{Outgoing, Visits};
use queue::{Item, Lost};
pub(crate) use seat::{Limits, Place, Seat};
pub(crate) use subscriber::{Home, Subscriber};
use tail::Growing;
pub(crate) use writing::write_later;

pub(crate) struct Topic {
    name: Box<str>,
    state: Mutex<State>,
}

struct State {
    list: Vec<Arc<Seat>>,
    epoch: u64,
    /// The offset of the latest message.
    head: u64,
    log: Option<Box<Log>>,
    /// Without a history: the offset of the latest gap of several messages, or of nobody knows how many; or 0.
    uncounted: u64,
    matched: Option<Box<Matched>>,
    presence: Option<Box<Presence>>,
    /// There while a task is to write what has been published.
    unwritten: Option<Box<Visits>>,
    /// Where what is published next may go.
    growing: Option<Box<Growing>>,
    /// It is not among the topics any more: whoever finds that looks again.
    removed: bool,
}

/// The filters that match the topic, as of a generation.
struct Matched {
    generation: u64,
    filters: Vec<Arc<Filter>>,
}

impl Topic {
    pub(crate) fn new(name: &str, epoch: u64, history: Option<History>, budget: &Arc<Budget>) -> Self {
        let log = history.map(|history| Box::new(Log::new(history, Arc::clone(budget))));
        let state = State {
            list: Vec::new(),
            epoch,
            head: 0,
            log,
            uncounted: 0,
            matched: None,
            presence: None,
            unwritten: None,
            growing: None,
            removed: false,
        };
        Self { name: name.into(), state: Mutex::new(state) }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Adds a subscription. `None` if the topic is gone.
    pub(crate) fn subscribe(
        self: &Arc<Self>,
        subscriber: &Arc<Subscriber>,
        limits: &Arc<Limits>,
        start: Start,
        member: Option<Member>,
    ) -> Option<Result<(Arc<Seat>, Beginning), TopicError>> {
        let seat =
            Arc::new(Seat::new(Place::Topic(Arc::clone(self)), Arc::clone(subscriber), Arc::clone(limits)));
        let mut state = self.lock();
        if state.removed {
            return None;
        }
        if let Err(error) = subscriber.add(&seat) {
            return Some(Err(error));
        }
        seat.join(&mut state.list);
        state.end_tail();
        if let Some(member) = member {
            state.presence().join(&seat, member);
            seat.present.store(true, Ordering::Relaxed);
        }
        let mirror = state.log.as_mut().and_then(|log| log.mirror.as_mut());
        let beginning = match mirror.filter(|mirror| !mirror.is_synced()) {
            Some(mirror) => mirror.hold(&seat, start),
            None => {
                let resumed = state.begin(&seat, start);
                Beginning::Now(Begun { resumed, head: Some(state.at(state.head)) })
            }
        };
        Some(Ok((seat, beginning)))
    }

    /// Ends a subscription; returns whether nothing is left that needs the topic.
    pub(crate) fn unsubscribe(&self, seat: &Seat) -> bool {
        let mut state = self.lock();
        state.end_tail();
        if seat.leave(&mut state.list)
            && seat.present.load(Ordering::Relaxed)
            && let Some(presence) = &mut state.presence
        {
            presence.leave(seat);
        }
        if let Some(mirror) = state.log.as_mut().and_then(|log| log.mirror.as_mut()) {
            mirror.release();
        }
        state.is_idle()
    }

    /// Removes it for good if nothing needs it; the caller forgets it then.
    pub(crate) fn remove_if_idle(&self) -> bool {
        let mut state = self.lock();
        let idle = state.is_idle();
        state.removed |= idle;
        if idle {
            // What histories may hold together is free again now, whoever else still has the topic.
            state.log = None;
        }
        idle
    }

    /// The position of the latest message, if anything needs to know it.
    pub(crate) fn head(&self) -> Position {
        let state = self.lock();
        state.at(state.head)
    }

    /// As [`head`](Self::head), unless it is in a log that has not been read yet.
    pub(crate) fn known_head(&self) -> Option<Position> {
        if self.is_unread() { None } else { Some(self.head()) }
    }

    pub(crate) fn has_subscriptions(&self) -> bool {
        !self.lock().list.is_empty()
    }

    pub(crate) fn members(&self) -> Vec<Member> {
        self.lock().presence.as_ref().map(|presence| presence.members().collect()).unwrap_or_default()
    }

    /// Returns what has changed about its members since a version, and the version now; all of them as joined for `None`.
    pub(crate) fn presence_since(&self, seen: Option<u64>) -> (u64, Vec<PresenceChange>) {
        self.lock().presence().since(seen)
    }

    pub(crate) fn count_members(&self) -> usize {
        self.lock().presence.as_ref().map_or(0, |presence| presence.len())
    }

    /// Those that are present by this server.
    pub(crate) fn own_members(&self) -> Members {
        self.lock().presence.as_ref().map(|presence| presence.own().collect()).unwrap_or_default()
    }

    /// Those that are present by another server, if there are any.
    pub(crate) fn set_members(&self, origin: u64, members: Option<&Members>) {
        if let Some(presence) = &mut self.lock().presence {
            presence.set_remote(origin, members);
        }
    }

    /// Whether anybody is present here, or watches who is.
    pub(crate) fn needs_presence(&self) -> bool {
        self.lock().presence.as_ref().is_some_and(|presence| !presence.is_idle())
    }

    /// Watches for changes of its members. `None` if the topic is gone.
    pub(crate) fn watch(&self) -> Option<watch::Receiver<u64>> {
        let mut state = self.lock();
        if state.removed { None } else { Some(state.presence().watch()) }
    }

    pub(crate) fn count_subscriptions(&self) -> usize {
        self.lock().list.len()
    }

    /// Fetches what comes next out of the history for a subscription that replays it: called by its connection when it has
    /// room. At the end it continues live, in the same moment.
    fn replay(&self, seat: &Arc<Seat>, next: Position) {
        let mut state = self.lock();
        if seat.has_left() {
            return;
        }
        let (epoch, head) = (state.epoch, state.head);
        let at = |offset| Position { epoch, offset };
        let mut items = Vec::new();
        let (from, mut next, mut missed) = (next, next.offset, 0);
        if let Some(log) = &mut state.log {
            log.expire(Instant::now());
            let oldest = log.oldest();
            if from.epoch != epoch {
                // What was to be replayed is of a log that is lost.
                items.push(Item::Gap(Box::new(Lost { messages: None, ..Lost::at(from) })));
                next = oldest;
            } else if oldest > next {
                missed = oldest.saturating_sub(next);
                let (first, last) = (at(next), at(oldest.saturating_sub(1)));
                let messages = (log.uncounted() < next).then_some(missed);
                items.push(Item::Gap(Box::new(Lost { messages, first, last })));
                next = oldest;
            }
            let (first, mut bytes) = (next, 0_usize);
            for (offset, content, author) in log.from(next).take(seat.limits.max_messages.min(FETCHED)) {
                bytes = bytes.saturating_add(content.cost());
                if bytes > seat.limits.max_bytes && offset > first {
                    break;
                }
                next = offset.saturating_add(1);
                // What a connection has published itself it is not sent back.
                if author != Some(seat.subscriber.id) {
                    items.push(mirror::item(content, at(offset)));
                }
            }
        }
        let advanced = from.epoch != epoch || from.offset < next;
        debug_assert!(advanced || next > head, "{next} of {head} is neither kept nor lost");
        let rest = (advanced && next <= head).then_some(Item::Replay(Box::new(at(next))));
        seat.replaying.store(rest.is_some(), Ordering::Relaxed);
        state.end_tail();
        seat.subscriber.push_replayed(seat, items, rest, missed);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    const fn at(&self, offset: u64) -> Position {
        Position { epoch: self.epoch, offset }
    }

    /// Who gets what is published is about to change: what comes next is put into each queue.
    fn end_tail(&mut self) {
        self.growing = None;
    }

    fn presence(&mut self) -> &mut Presence {
        self.presence.get_or_insert_with(|| Box::new(Presence::new()))
    }

    /// Has a new subscription begin where it is to.
    fn begin(&mut self, seat: &Arc<Seat>, start: Start) -> Option<Resumed> {
        if let Some(log) = &mut self.log {
            log.expire(Instant::now());
        }
        let oldest = self.log.as_ref().map_or(self.head.saturating_add(1), |log| log.oldest());
        let (next, resumed) = match start {
            Start::Live => return None,
            Start::Last(most) => (oldest.max(self.head.saturating_sub(most).saturating_add(1)), None),
            Start::Since(position) => {
                let next = position.offset.saturating_add(1);
                let known = position.epoch == self.epoch && position.offset <= self.head;
                if known && next >= oldest {
                    (next, Some(Resumed::Complete { missed: self.head.saturating_sub(position.offset) }))
                } else {
                    let (first, last) = (self.at(next), self.at(oldest.saturating_sub(1)));
                    // A gap between servers takes one offset, however many messages that are.
                    let uncounted = self.log.as_ref().map_or(self.uncounted, |log| log.uncounted());
                    let messages = (known && uncounted < next).then(|| oldest.saturating_sub(next));
                    seat.subscriber.push_item(seat, Item::Gap(Box::new(Lost { messages, first, last })));
                    (oldest, Some(Resumed::Gap(Gap { oldest: self.at(oldest), head: self.at(self.head) })))
                }
            }
        };
        if next <= self.head {
            seat.replaying.store(true, Ordering::Relaxed);
            seat.subscriber.push_item(seat, Item::Replay(Box::new(self.at(next))));
        }
        resumed
    }

    fn is_idle(&mut self) -> bool {
        if self.presence.as_ref().is_some_and(|presence| presence.is_idle()) {
            self.presence = None;
        }
        if let Some(log) = &mut self.log {
            log.expire(Instant::now());
        }
        self.list.is_empty() && self.presence.is_none() && self.log.as_ref().is_none_or(|log| log.is_empty())
    }
}

/// This many messages are fetched out of a history at a time.
const FETCHED: usize = 32;

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic").field("name", &self.name).finish_non_exhaustive()
    }
}
