//! What exists: topics by name, filters, connections.

mod names;
mod publishing;
mod remote;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use ws_tokio::{ConnectionId, Sender};

use self::names::{Epochs, Named};
use crate::bus::{Bus, Want};
use crate::error::TopicError;
use crate::options::{Access, Action, TopicsOptions};
use crate::stats::Stats;
use crate::subscribe_options::{Start, SubscribeOptions};
use crate::topic::{Beginning, Budget, Filters, Home, Limits, Place, Seat, Subscriber, Topic};

pub(crate) struct Hub {
    pub(crate) options: Arc<TopicsOptions>,
    topics: RwLock<Known>,
    pub(crate) filters: Filters,
    connections: Mutex<Connections>,
    /// The limits of the latest subscription: most have the same.
    limits: Mutex<Option<Arc<Limits>>>,
    budget: Arc<Budget>,
    epochs: Epochs,
    /// What the other servers get, if there are any.
    bus: Option<Arc<Bus>>,
    published: AtomicU64,
    pub(crate) resumed: AtomicU64,
    #[cfg(feature = "metrics")]
    pub(crate) recorded: crate::stats::Recorded,
    itself: Weak<Self>,
}

#[derive(Default)]
struct Known {
    topics: HashSet<Named>,
    /// With this many topics the idle ones are dropped.
    sweep_at: usize,
}

#[derive(Default)]
struct Connections {
    known: HashMap<ConnectionId, Arc<Subscriber>>,
    /// The counts of those that have ended.
    ended: Stats,
}

impl Hub {
    pub(crate) fn new(options: TopicsOptions, bus: Option<Arc<Bus>>) -> Arc<Self> {
        let budget = Arc::new(Budget::new(options.max_history_bytes));
        Arc::new_cyclic(|itself| Self {
            options: Arc::new(options),
            topics: RwLock::default(),
            filters: Filters::default(),
            connections: Mutex::default(),
            limits: Mutex::default(),
            budget,
            epochs: Epochs::new(),
            bus,
            published: AtomicU64::new(0),
            resumed: AtomicU64::new(0),
            #[cfg(feature = "metrics")]
            recorded: crate::stats::Recorded::default(),
            itself: Weak::clone(itself),
        })
    }

    pub(crate) fn bus(&self) -> Option<&Arc<Bus>> {
        self.bus.as_ref()
    }

    /// Errors unless the connection may do it.
    pub(crate) fn authorize(&self, sender: &Sender, topic: &str, action: Action) -> Result<(), TopicError> {
        let access = Access { connection: sender.connection_id(), topic, action };
        match &self.options.authorize {
            Some(authorize) if !authorize(&access) => Err(TopicError::Forbidden { topic: topic.into() }),
            _ => Ok(()),
        }
    }

    pub(crate) fn subscribe_to_topic(
        &self,
        sender: &Sender,
        name: &str,
        options: SubscribeOptions,
    ) -> Result<(Arc<Seat>, Beginning), TopicError> {
        let subscriber = self.subscriber(sender)?;
        let limits = self.limits(&options);
        loop {
            let topic = self.find_or_add(name)?;
            let member = options.presence.clone();
            match topic.subscribe(&subscriber, &limits, options.start, member) {
                // It has just been dropped for being idle.
                None => {}
                Some(Ok(subscribed)) => {
                    if matches!(options.start, Start::Since(_)) {
                        self.resumed.fetch_add(1, Ordering::Relaxed);
                    }
                    self.touch_topic(name, options.presence.is_some());
                    return Ok(subscribed);
                }
                Some(Err(error)) => {
                    self.drop_if_idle(&topic);
                    return Err(error);
                }
            }
        }
    }

    pub(crate) fn subscribe_to_filter(
        &self,
        sender: &Sender,
        filter: &str,
        options: &SubscribeOptions,
    ) -> Result<Arc<Seat>, TopicError> {
        let not_for_filters = |what| TopicError::NotForFilters { filter: filter.into(), what };
        if options.start != Start::Live {
            return Err(not_for_filters("history"));
        }
        if options.presence.is_some() {
            return Err(not_for_filters("presence"));
        }
        let subscriber = self.subscriber(sender)?;
        let limits = self.limits(options);
        let seat = self.filters.with(filter, self.options.max_filters, |filter| {
            let place = Place::Filter(Arc::clone(filter));
            let seat = Arc::new(Seat::new(place, Arc::clone(&subscriber), limits));
            // The connection's end takes it out of the filter, and so waits for this.
            filter.join(&seat)?;
            Ok(seat)
        })?;
        if let Some(bus) = &self.bus {
            bus.touch(Want::Filter(filter.into()));
        }
        Ok(seat)
    }

    /// Ends a subscription, unless it has ended.
    pub(crate) fn unsubscribe(&self, seat: &Arc<Seat>) {
        // What was published before goes out before, as far as that needs no waiting: a task may be about to write it.
        if seat.subscriber.waiting_for(seat) > 0 {
            seat.subscriber.write_now();
        }
        self.leave(seat);
        seat.subscriber.remove(seat);
    }

    /// Finds a topic, or adds it.
    pub(crate) fn find_or_add(&self, name: &str) -> Result<Arc<Topic>, TopicError> {
        if let Some(topic) = self.find(name) {
            return Ok(topic);
        }
        let mut known = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(Named(topic)) = known.topics.get(name) {
            return Ok(Arc::clone(topic));
        }
        let limit = self.options.max_topics;
        if known.topics.len() >= known.sweep_at.clamp(SWEPT, limit.max(SWEPT)).min(limit) {
            known.topics.retain(|Named(topic)| !self.epochs.forget_if_idle(topic));
            known.sweep_at = known.topics.len().saturating_mul(2);
            if known.topics.len() >= limit {
                return Err(TopicError::TooManyTopics { limit });
            }
        }
        let topic = Topic::new(name, self.epochs.current(name), self.options.history_of(name), &self.budget);
        let topic = Arc::new(topic);
        known.topics.insert(Named(Arc::clone(&topic)));
        Ok(topic)
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<Topic>> {
        let known = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        known.topics.get(name).map(|Named(topic)| Arc::clone(topic))
    }

    pub(crate) fn stats(&self) -> Stats {
        let connections = self.connections();
        let mut stats = connections.ended;
        for subscriber in connections.known.values() {
            stats.add(subscriber.counts());
            let (messages, bytes) = subscriber.waiting();
            stats.waiting = stats.waiting.saturating_add(messages as u64);
            stats.waiting_bytes = stats.waiting_bytes.saturating_add(bytes as u64);
        }
        stats.published = self.published.load(Ordering::Relaxed);
        stats.resumed = self.resumed.load(Ordering::Relaxed);
        stats.connections = connections.known.len();
        drop(connections);
        stats.history_bytes = self.budget.used() as u64;
        stats.topics = self.topics.read().unwrap_or_else(PoisonError::into_inner).topics.len();
        stats
    }

    /// Finds the connection's subscriber, or adds it.
    fn subscriber(&self, sender: &Sender) -> Result<Arc<Subscriber>, TopicError> {
        let id = sender.connection_id();
        let mut connections = self.connections();
        if let Some(subscriber) = connections.known.get(&id) {
            return Ok(Arc::clone(subscriber));
        }
        let home: Weak<Self> = Weak::clone(&self.itself);
        let subscriber = Arc::new(Subscriber::new(sender, Arc::clone(&self.options), home));
        connections.known.insert(id, Arc::clone(&subscriber));
        drop(connections);
        // A connection that is locked may wait for the list, so this must not wait for a connection while it has locked it.
        if sender.attach(Arc::clone(&subscriber) as _).is_err() {
            self.ended(id);
            return Err(TopicError::Closed);
        }
        Ok(subscriber)
    }

    /// Takes a subscription out of its topic or filter.
    fn leave(&self, seat: &Arc<Seat>) {
        match &seat.place {
            Place::Topic(topic) => {
                if topic.unsubscribe(seat) {
                    self.drop_if_idle(topic);
                }
                self.touch_topic(topic.name(), seat.is_present());
            }
            Place::Filter(filter) => {
                if filter.leave(seat) {
                    self.filters.remove_if_idle(filter);
                    if let Some(bus) = &self.bus {
                        bus.touch(Want::Filter(filter.text().into()));
                    }
                }
            }
        }
    }

    fn drop_if_idle(&self, topic: &Arc<Topic>) {
        let mut known = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        if self.epochs.forget_if_idle(topic)
            && known.topics.get(topic.name()).is_some_and(|own| Arc::ptr_eq(&own.0, topic))
        {
            known.topics.remove(topic.name());
        }
    }

    fn touch_topic(&self, name: &str, presence: bool) {
        if let Some(bus) = &self.bus {
            bus.touch(Want::Topic(name.into()));
            if presence {
                bus.touch(Want::Presence(name.into()));
            }
        }
    }

    pub(crate) fn is_filtered(&self, name: &str) -> bool {
        self.filters.generation() > 0 && !self.filters.matching(name).is_empty()
    }

    fn limits(&self, options: &SubscribeOptions) -> Arc<Limits> {
        let limits = Limits {
            slow: options.slow.clone(),
            max_messages: options.max_messages.max(1),
            max_bytes: options.max_bytes,
        };
        let mut latest = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        match &*latest {
            Some(latest) if latest.is_same(&limits) => Arc::clone(latest),
            _ => Arc::clone(latest.insert(Arc::new(limits))),
        }
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Home for Hub {
    fn ended(&self, id: ConnectionId) {
        let mut connections = self.connections();
        let Some(subscriber) = connections.known.remove(&id) else { return };
        let seats = subscriber.end();
        connections.ended.add(subscriber.counts());
        drop(connections);
        for seat in seats {
            self.leave(&seat);
        }
    }
}

/// With fewer topics than this, idle ones are not looked for.
const SWEPT: usize = 1_024;

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}
