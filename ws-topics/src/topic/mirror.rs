//! A topic as a copy of the end of a log of the backplane, and what it misses of other servers.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::watch;
use ws_tokio::{ConnectionId, Message, PreparedMessage};

use super::filters::Filters;
use super::log::Content;
use super::publishing::Visits;
use super::queue::{Item, Key, Lost, Waiting};
use super::seat::Seat;
use super::{Beginning, Begun, State, Topic};
use crate::options::{Publication, TopicsOptions, guarded};
use crate::position::Position;
use crate::start::Start;

/// How far a topic is a copy of its log.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    /// A part of it has been read.
    begun: bool,
    /// It has been read to its end at least once, and what is published follows.
    synced: bool,
    /// Before it has: subscriptions by filters get the messages from here on.
    live_from: Option<u64>,
    /// Subscriptions that begin when it has.
    held: Vec<Held>,
}

/// A subscription that waits for its beginning.
#[derive(Debug)]
struct Held {
    seat: Arc<Seat>,
    start: Start,
    begun: watch::Sender<Option<Begun>>,
}

/// What a message of the log is to its copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// The next one: it has been delivered.
    New,
    /// One that is there already.
    Old,
    /// There is something before it that is not there yet, or the copy has not begun, or is of another log: the log must be read.
    Unknown,
}

/// A part of a log, with who published what, where this server did.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) epoch: u64,
    pub(crate) oldest: u64,
    pub(crate) head: u64,
    /// By their offsets; `None` for what cannot be read.
    pub(crate) messages: Vec<(u64, Option<Authored>)>,
}

/// A message, and the connection that published it, if that is of this server.
pub(crate) type Authored = (Message, Option<ConnectionId>);

/// What reading a part of a log has come to.
#[derive(Debug, Default)]
pub(crate) struct Extended {
    /// Where to read on; `None` at the end.
    pub(crate) next: Option<u64>,
    /// Messages that the log has lost: as many, if that is known.
    pub(crate) lost: Option<Option<u64>>,
    /// Subscriptions that have begun.
    pub(crate) begun: Vec<Arc<Seat>>,
}

impl Mirror {
    pub(super) const fn is_synced(&self) -> bool {
        self.synced
    }

    /// Has a subscription wait.
    pub(super) fn hold(&mut self, seat: &Arc<Seat>, start: Start) -> Beginning {
        let (begun, receiver) = watch::channel(None);
        // Nothing that is published reaches it yet.
        seat.replaying.store(true, Ordering::Relaxed);
        self.held.push(Held { seat: Arc::clone(seat), start, begun });
        Beginning::Held(receiver)
    }

    /// Forgets subscriptions that have ended before they began.
    pub(super) fn release(&mut self) {
        self.held.retain(|held| !held.seat.has_left());
    }
}

impl Topic {
    /// Where the log is to be read from, for the topic to be a copy of its end. `None` if it is no such topic, or gone.
    pub(crate) fn read_after(&self) -> Option<u64> {
        let state = self.lock();
        let mirror = state.log.as_ref()?.mirror.as_ref().filter(|_| !state.removed)?;
        Some(if mirror.begun { state.head } else { 0 })
    }

    /// Whether it is a copy of a log that is to be read before it can be used.
    pub(crate) fn is_unread(&self) -> bool {
        let state = self.lock();
        state.log.as_ref().and_then(|log| log.mirror.as_ref()).is_some_and(|mirror| !mirror.synced)
    }

    /// Takes a message of the log, if it is the next one.
    pub(crate) fn accept(
        &self,
        at: Position,
        message: &Message,
        from: Option<ConnectionId>,
        filters: &Filters,
        options: &TopicsOptions,
        visits: &mut Visits,
    ) -> Accepted {
        let mut state = self.lock();
        let epoch = state.epoch;
        let Some(mirror) = state.mirror() else { return Accepted::Unknown };
        if !mirror.synced {
            // Subscriptions by filters begin with what they hear first.
            let first = mirror.live_from.map_or(at.offset, |first| first.min(at.offset));
            mirror.live_from = Some(first);
            return Accepted::Unknown;
        }
        if at.epoch != epoch {
            return Accepted::Unknown;
        }
        if at.offset <= state.head {
            return Accepted::Old;
        }
        if at.offset > state.head.saturating_add(1) {
            return Accepted::Unknown;
        }
        state.append_or_lose(self.name(), message, from, true, (filters, options), visits);
        Accepted::New
    }

    /// Takes a part of the log that has been read. What is there already is passed over.
    pub(crate) fn extend(
        &self,
        read: Read,
        filters: &Filters,
        options: &TopicsOptions,
        visits: &mut Visits,
    ) -> Extended {
        let mut state = self.lock();
        let mut extended = Extended::default();
        let Some(mirror) = state.mirror() else { return extended };
        let (synced, live_from) = (mirror.synced, mirror.live_from);
        let has_begun = std::mem::replace(&mut mirror.begun, true);
        let first = read.oldest.max(1);
        // From where on subscribers are to get everything: those of the topic itself once it has been read, those by filters from what they heard first.
        let next = state.head.saturating_add(1);
        let owed = if synced { Some(next) } else { live_from.map(|first| first.max(next)) };
        if has_begun && read.epoch != state.epoch {
            // The log was lost: a new one has begun.
            state.restart(read.epoch, first);
            if owed.is_some() {
                let lost = Lost { messages: None, ..Lost::at(state.at(0)) };
                state.offer_gap(lost, self.name(), filters, visits);
                extended.lost = Some(None);
            }
            if read.messages.first().is_none_or(|(offset, _)| *offset > first) && read.head >= first {
                // This part was of after a place that is in the other log.
                extended.next = Some(first.saturating_sub(1));
                return extended;
            }
        } else if !has_begun || first > next {
            // It has lost what was not read yet.
            let epoch = read.epoch;
            state.restart(epoch, first);
            if let Some(owed) = owed.filter(|owed| *owed < first) {
                let messages = Some(first.saturating_sub(owed));
                let at = |offset| Position { epoch, offset };
                let lost = Lost { messages, first: at(owed), last: at(first.saturating_sub(1)) };
                state.offer_gap(lost, self.name(), filters, visits);
                extended.lost = Some(lost.messages);
            }
        }
        for (offset, message) in read.messages {
            if offset != state.head.saturating_add(1) {
                continue;
            }
            let live = synced || live_from.is_some_and(|first| offset >= first);
            match message {
                Some((message, from)) => {
                    state.append_or_lose(self.name(), &message, from, live, (filters, options), visits);
                }
                // Something else than a message of this crate.
                None => state.lose(Some(1), live, self.name(), filters, visits),
            }
        }
        if state.head < read.head {
            extended.next = Some(state.head);
            return extended;
        }
        let Some(mirror) = state.mirror() else { return extended };
        mirror.synced = true;
        mirror.live_from = None;
        let held = std::mem::take(&mut mirror.held);
        state.end_tail();
        for Held { seat, start, begun } in held {
            if seat.has_left() {
                continue;
            }
            seat.replaying.store(false, Ordering::Relaxed);
            let resumed = state.begin(&seat, start);
            begun.send_replace(Some(Begun { resumed, head: Some(state.at(state.head)) }));
            extended.begun.push(seat);
        }
        extended
    }

    /// Messages of other servers are missing: that takes an offset, and subscribers get a mark.
    pub(crate) fn lose(&self, messages: Option<u64>, filters: &Filters, visits: &mut Visits) {
        let mut state = self.lock();
        if !state.removed {
            state.lose(messages, true, self.name(), filters, visits);
        }
    }

    /// The topic no longer hears of other servers, unless it has a subscriber again; returns whether it has none.
    pub(crate) fn lapse(&self, filters: &Filters) -> bool {
        let mut state = self.lock();
        if !state.list.is_empty() {
            return false;
        }
        let has_filters = filters.generation() > 0 && !filters.matching(self.name()).is_empty();
        if has_filters {
            return true;
        }
        let Some(log) = &mut state.log else { return true };
        if let Some(mirror) = &mut log.mirror {
            // The backplane has all of it.
            *mirror = Mirror::default();
            log.restart(1);
            state.head = 0;
        } else if !log.is_empty() {
            state.lose(None, false, self.name(), filters, &mut Visits::default());
        }
        true
    }
}

impl State {
    fn mirror(&mut self) -> Option<&mut Mirror> {
        if self.removed { None } else { self.log.as_mut()?.mirror.as_mut() }
    }

    /// Adds the next message, and puts it into the queues of the subscribers if it is `live`.
    pub(super) fn append(
        &mut self,
        name: &str,
        message: &Message,
        from: Option<ConnectionId>,
        live: bool,
        (filters, options): (&Filters, &TopicsOptions),
        visits: &mut Visits,
    ) -> Position {
        let position = self.at(self.head.saturating_add(1));
        let framed = match &options.frame {
            Some(frame) => frame(&Publication { topic: name, position, message }),
            None => message.clone(),
        };
        let waiting =
            Arc::new(Waiting { message: PreparedMessage::new(framed), position, key: Key::Unasked });
        self.head = position.offset;
        if let Some(log) = &mut self.log {
            log.push(Content::Message(Arc::clone(&waiting)), from);
        }
        if live {
            self.offer(name, &waiting, from, filters, visits);
        }
        position
    }

    /// As [`append`](Self::append), of a message of a log: one that cannot be framed is a gap in its place.
    fn append_or_lose(
        &mut self,
        name: &str,
        message: &Message,
        from: Option<ConnectionId>,
        live: bool,
        (filters, options): (&Filters, &TopicsOptions),
        visits: &mut Visits,
    ) {
        if guarded(|| self.append(name, message, from, live, (filters, options), visits)).is_none() {
            self.lose(Some(1), live, name, filters, visits);
        }
    }

    /// Notes that messages are missing.
    fn lose(
        &mut self,
        messages: Option<u64>,
        live: bool,
        name: &str,
        filters: &Filters,
        visits: &mut Visits,
    ) {
        let position = self.at(self.head.saturating_add(1));
        self.head = position.offset;
        let content = Content::Gap(messages);
        match &mut self.log {
            Some(log) => log.push(content, None),
            None if content.is_one() => {}
            None => self.uncounted = position.offset,
        }
        if live {
            self.offer_gap(Lost { messages, ..Lost::at(position) }, name, filters, visits);
        }
    }

    fn offer_gap(&mut self, lost: Lost, name: &str, filters: &Filters, visits: &mut Visits) {
        let mut offer = |seat: &Arc<Seat>| {
            if !seat.replaying.load(Ordering::Relaxed) {
                seat.subscriber.push_gap(seat, lost);
                visits.remember(seat, false);
            }
        };
        self.list.iter().for_each(&mut offer);
        self.with_filters(filters, name, |list| list.iter().for_each(&mut offer));
    }

    /// Continues with another log, or another part of it. Who replays finds out when it goes on.
    fn restart(&mut self, epoch: u64, oldest: u64) {
        self.epoch = epoch;
        self.head = oldest.saturating_sub(1);
        if let Some(log) = &mut self.log {
            log.restart(oldest);
        }
    }
}

/// What comes next of a history, for a subscription that replays it.
pub(super) fn item(content: &Content, position: Position) -> Item {
    match content {
        Content::Message(waiting) => Item::Message(Arc::clone(waiting)),
        Content::Gap(messages) => Item::Gap(Box::new(Lost { messages: *messages, ..Lost::at(position) })),
    }
}
