//! What this server has for the others: what is still to be sent and stored, and what they are to be asked for.

mod counts;
mod event;
mod outbox;
mod outgoing;

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, broadcast};
use tokio::time::Instant;
use ws_tokio::Message;

use crate::backplane::{BackplaneError, Channel};
use crate::cluster_options::ClusterOptions;
use crate::envelope::{Beat, Envelope, LIFE};
use crate::error::TopicError;
pub use counts::ClusterCounts;
pub use event::{BackplaneState, ClusterEvent, ClusterEvents};
use outbox::Outbox;
pub(crate) use outbox::{Pending, Waiter};
use outgoing::Outgoing;
pub(crate) use outgoing::{Heads, Next};

/// Shared by the topics and what runs the connection to the backplane. Its lock is the last of all.
pub(crate) struct Bus {
    /// The name of this server, by chance.
    pub(crate) origin: u64,
    /// The upper half of what this server counts: [`LIFE`](crate::envelope::LIFE).
    pub(crate) life: u64,
    pub(crate) options: ClusterOptions,
    state: Mutex<State>,
    /// Wakes whoever runs the connection.
    pub(crate) wake: Notify,
    /// Wakes whoever sends.
    sending: Notify,
    events: broadcast::Sender<ClusterEvent>,
}

struct State {
    status: BackplaneState,
    outgoing: Outgoing,
    /// A live message is being sent: neither waiting nor counted.
    is_sending_live: bool,
    outbox: Outbox,
    touched: BTreeSet<Want>,
    counts: ClusterCounts,
    foreign_reported: u64,
    same_name_reported: u64,
}

/// What may have to be subscribed to on the backplane, or no longer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Want {
    Topic(Box<str>),
    Filter(Box<str>),
    Presence(Box<str>),
}

/// What a message counts as while it waits.
fn cost(length: usize) -> usize {
    const AROUND: usize = 512;
    length.saturating_add(AROUND)
}

impl Bus {
    pub(crate) fn new(options: ClusterOptions, name: &'static str, origin: u64, max_topics: usize) -> Self {
        // Never by the seed: it has to differ where the seed does not.
        let life = (RandomState::new().hash_one("life") >> 1) & LIFE;
        let events = broadcast::Sender::new(options.max_events);
        let state = State {
            status: BackplaneState::down(name),
            outgoing: Outgoing::new(&options, max_topics, life),
            is_sending_live: false,
            outbox: Outbox::new(&options, origin, life),
            touched: BTreeSet::new(),
            counts: ClusterCounts::default(),
            foreign_reported: 0,
            same_name_reported: 0,
        };
        let (wake, sending) = (Notify::new(), Notify::new());
        Self { origin, life, options, state: Mutex::new(state), wake, sending, events }
    }

    /// Sends a live message to the other servers. Called while its topic is locked, so that the numbers follow its order.
    pub(crate) fn send_live(&self, topic: &str, message: &Message) -> Result<(), TopicError> {
        let mut state = self.lock();
        let at = state.outgoing.number(topic)?;
        let cost = cost(message.len());
        if !state.status.up || !state.outgoing.has_room(cost) {
            state.counts.unsent = state.counts.unsent.saturating_add(1);
            return Ok(());
        }
        let envelope =
            Envelope::Live { origin: self.origin, at, topic: topic.into(), message: message.clone() };
        let (channel, payload) = (Channel::Topic(topic.into()), envelope.encode());
        state.outgoing.push(Next { channel, payload, cost, is_live: true });
        drop(state);
        self.sending.notify_one();
        Ok(())
    }

    /// Sends what may be lost, if there is room.
    pub(crate) fn send(&self, channel: Channel, envelope: &Envelope) -> bool {
        let payload = envelope.encode();
        let cost = cost(payload.len());
        let mut state = self.lock();
        if !state.status.up || !state.outgoing.has_room(cost) {
            return false;
        }
        state.outgoing.push(Next { channel, payload, cost, is_live: false });
        drop(state);
        self.sending.notify_one();
        true
    }

    /// Sends a heartbeat, whatever waits: without one the connection is lost soon.
    pub(crate) fn send_beat(&self, beat: Beat) {
        let payload = Envelope::Beat(beat).encode();
        let cost = cost(payload.len());
        self.lock().outgoing.push(Next { channel: Channel::Servers, payload, cost, is_live: false });
        self.sending.notify_one();
    }

    /// Waits for what is to be sent next.
    pub(crate) async fn next_outgoing(&self) -> Next {
        loop {
            if let Some(next) = self.pop_outgoing() {
                return next;
            }
            self.sending.notified().await;
        }
    }

    fn pop_outgoing(&self) -> Option<Next> {
        let mut state = self.lock();
        let next = state.outgoing.pop()?;
        state.is_sending_live = next.is_live;
        Some(next)
    }

    /// What was taken to be sent has been sent, or was refused.
    pub(crate) fn sent(&self, is_sent: bool) {
        let mut state = self.lock();
        let live = u64::from(std::mem::take(&mut state.is_sending_live));
        let count = if is_sent { &mut state.counts.sent } else { &mut state.counts.unsent };
        *count = count.saturating_add(live);
    }

    /// Whether all has been sent and stored.
    pub(crate) fn is_flushed(&self) -> bool {
        let state = self.lock();
        state.outgoing.is_empty() && state.outbox.is_empty()
    }

    /// What this server reports with the next heartbeat.
    pub(crate) fn heads(&self, now: Instant, goodbye: bool) -> Heads {
        let keep = self.options.max_age().saturating_add(self.options.heartbeat.saturating_mul(2));
        self.lock().outgoing.heads(now, keep, goodbye)
    }

    /// Notes what may have to be subscribed to now. While there is no connection it is not needed: then all is looked at anew.
    pub(crate) fn touch(&self, want: Want) {
        let mut state = self.lock();
        if state.status.up {
            state.touched.insert(want);
            drop(state);
            self.wake.notify_one();
        }
    }

    pub(crate) fn take_touched(&self) -> BTreeSet<Want> {
        std::mem::take(&mut self.lock().touched)
    }

    /// Has a message stored.
    pub(crate) fn store(&self, topic: &str, pending: Pending) -> Result<(), TopicError> {
        let mut state = self.lock();
        state.outbox.push(topic, pending)?;
        let up = state.status.up;
        drop(state);
        if up {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Takes the next messages of a topic that are to be stored, of a topic for which nothing is being stored.
    pub(crate) fn next_batch(&self, now: Instant) -> Option<(Arc<str>, Vec<crate::backplane::Entry>)> {
        self.lock().outbox.next_batch(now)
    }

    /// The first messages of a topic have been stored.
    pub(crate) fn stored(&self, topic: &str, count: usize) -> Vec<Pending> {
        let mut state = self.lock();
        let stored = state.outbox.stored(topic, count);
        state.counts.stored = state.counts.stored.saturating_add(stored.len() as u64);
        stored
    }

    /// The backplane refuses the first message of a topic.
    pub(crate) fn refused(&self, topic: &str, cause: &BackplaneError) {
        let refused = self.lock().outbox.refused(topic);
        let Some(pending) = refused else { return };
        if pending.may_be_stored() {
            return self.unconfirmed(topic.into(), vec![pending]);
        }
        self.report_refusal(topic, cause);
        pending.resolve(Err(TopicError::Refused { topic: topic.into(), cause: cause.to_string() }));
    }

    fn unconfirmed(&self, topic: Arc<str>, all: Vec<Pending>) {
        let messages = all.len() as u64;
        let mut state = self.lock();
        state.counts.unconfirmed = state.counts.unconfirmed.saturating_add(messages);
        drop(state);
        for pending in all {
            pending.resolve(Err(TopicError::Unconfirmed { topic: topic.to_string() }));
        }
        self.report(ClusterEvent::Unconfirmed { topic, messages });
    }

    pub(crate) fn report_refusal(&self, topic: &str, cause: &BackplaneError) {
        self.report(ClusterEvent::Refused { topic: topic.into(), cause: cause.to_string().into() });
    }

    /// Which connection has published a message that is being stored.
    pub(crate) fn author(&self, topic: &str, id: u128) -> Option<ws_tokio::ConnectionId> {
        self.lock().outbox.author(topic, id)
    }

    /// Drops the messages that may no longer be sent again, and reports that their outcome is not known.
    pub(crate) fn expire(&self, now: Instant) {
        let expired = self.lock().outbox.expire(now, self.options.retry);
        for (topic, pending) in expired {
            self.unconfirmed(topic, pending);
        }
    }

    /// Drops all that is to be stored: nothing will be any more.
    pub(crate) fn abandon(&self) {
        self.down("it was shut down");
        let rest = self.lock().outbox.take_all();
        for (topic, pending) in rest {
            let unconfirmed = || TopicError::Unconfirmed { topic: topic.to_string() };
            pending.into_iter().for_each(|pending| pending.resolve(Err(unconfirmed())));
        }
    }

    pub(crate) fn report(&self, event: ClusterEvent) {
        let mut state = self.lock();
        if matches!(event, ClusterEvent::Gap { .. }) {
            state.counts.gaps = state.counts.gaps.saturating_add(1);
        }
        drop(state);
        #[cfg(feature = "tracing")]
        event.trace();
        let _nobody_listens = self.events.send(event);
    }

    pub(crate) fn up(&self) {
        self.lock().status.change(true, None);
        self.report(ClusterEvent::Up);
        self.wake.notify_one();
    }

    /// The connection is lost, or there was none: reported once.
    pub(crate) fn down(&self, cause: &str) {
        let mut state = self.lock();
        let first = state.status.up || state.status.cause.is_none();
        state.touched.clear();
        let being_sent = u64::from(std::mem::take(&mut state.is_sending_live));
        let dropped = state.outgoing.clear().saturating_add(being_sent);
        state.counts.unsent = state.counts.unsent.saturating_add(dropped);
        state.outbox.interrupted();
        if first {
            state.status.change(false, Some(cause.into()));
            drop(state);
            self.report(ClusterEvent::Down { cause: cause.into() });
        }
    }

    pub(crate) fn measured(&self, delay: Duration) {
        self.lock().status.delay = Some(delay);
    }

    pub(crate) fn count_servers(&self, servers: usize) {
        self.lock().status.servers = servers;
    }

    pub(crate) fn count_received(&self, new: bool) {
        let mut state = self.lock();
        let count = if new { &mut state.counts.received } else { &mut state.counts.repeated };
        *count = count.saturating_add(1);
    }

    pub(crate) fn count_foreign(&self) {
        let mut state = self.lock();
        state.counts.foreign = state.counts.foreign.saturating_add(1);
    }

    /// Another server has the name of this one.
    pub(crate) fn count_same_name(&self) {
        let mut state = self.lock();
        state.counts.same_name = state.counts.same_name.saturating_add(1);
    }

    /// Something has a number that its server has not given.
    pub(crate) fn forged(&self, topic: &str) {
        let mut state = self.lock();
        state.counts.forged = state.counts.forged.saturating_add(1);
        drop(state);
        self.report(ClusterEvent::Forged { topic: topic.into() });
    }

    /// Reports what was counted since the last time.
    pub(crate) fn report_counted(&self) {
        let mut state = self.lock();
        let foreign = state.counts.foreign.saturating_sub(state.foreign_reported);
        let same_name = state.counts.same_name.saturating_sub(state.same_name_reported);
        (state.foreign_reported, state.same_name_reported) = (state.counts.foreign, state.counts.same_name);
        drop(state);
        if foreign > 0 {
            self.report(ClusterEvent::Foreign { messages: foreign });
        }
        if same_name > 0 {
            self.report(ClusterEvent::SameName { messages: same_name });
        }
    }

    pub(crate) fn status(&self) -> BackplaneState {
        self.lock().status.clone()
    }

    pub(crate) fn counts(&self) -> ClusterCounts {
        let state = self.lock();
        let (outgoing, outgoing_bytes) = state.outgoing.waiting();
        let (unstored, unstored_bytes) = state.outbox.waiting();
        ClusterCounts { outgoing, outgoing_bytes, unstored, unstored_bytes, ..state.counts }
    }

    pub(crate) fn events(&self) -> ClusterEvents {
        ClusterEvents::new(self.events.subscribe())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("origin", &self.origin).finish_non_exhaustive()
    }
}
