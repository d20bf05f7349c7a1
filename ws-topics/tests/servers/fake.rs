//! A backplane in memory that delays, repeats, reorders, loses, stalls and dies. All of it follows from a seed, and from tokio's clock.
//!
//! It is not the one that the contract is tested with, `tests/backplane/memory.rs`, which says why.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};
use ws_topics::bytes::Bytes;
use ws_topics::{
    Appended, Backplane, BackplaneError, Channel, Entry, History, Inbox, Incoming, Interest, Link, Page,
};

/// What connects the servers.
#[derive(Clone, Default)]
pub struct Net {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

/// What happens to messages: once in as many; never if it is 0.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    pub lose: u64,
    pub repeat: u64,
    pub reorder: u64,
    /// Entries that are not stored, and reads of logs.
    pub refuse: u64,
    /// Longest delay, in milliseconds.
    pub delay: u64,
}

#[derive(Default)]
struct State {
    chance: u64,
    faults: Faults,
    servers: BTreeMap<usize, Health>,
    links: BTreeMap<u64, Connected>,
    logs: BTreeMap<String, Log>,
    count: u64,
    epochs: u64,
    /// Loses the messages whose payload contains this.
    lose: Option<(Vec<u8>, usize)>,
    /// Refuses to store what contains this.
    refuse: Option<Vec<u8>>,
    /// Refuses to read logs.
    refuse_reads: bool,
    /// Fails the next append that contains this, after it has stored the other entries.
    pass_over: Option<Vec<u8>>,
    /// Fails the connection of a server after its next append has taken effect.
    lose_answer: BTreeSet<usize>,
    appends: u64,
    /// All that was ever stored, by topic and epoch: its ids and payloads.
    stored: BTreeMap<(String, u64), Vec<(u128, Bytes)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Health {
    #[default]
    Well,
    /// Nothing passes, and nothing fails.
    Stalled,
    /// Everything fails.
    Dead,
}

struct Connected {
    server: usize,
    interests: Vec<Interest>,
    /// What is on its way, by the time at which it arrives.
    coming: BTreeMap<(Instant, u64), Incoming>,
    latest: Option<Instant>,
}

#[derive(Default)]
struct Log {
    epoch: u64,
    entries: Vec<(u64, Bytes)>,
    ids: HashMap<u128, u64>,
    /// The connection that stored the entry.
    by: HashMap<u128, u64>,
    head: u64,
}

/// The backplane of one server.
pub struct Fake {
    net: Net,
    server: usize,
}

pub struct FakeLink {
    net: Net,
    server: usize,
    id: u64,
}

pub struct FakeInbox {
    net: Net,
    server: usize,
    id: u64,
}

impl Net {
    pub fn new(seed: u64) -> Self {
        let net = Self::default();
        net.lock().chance = seed;
        net
    }

    pub fn server(&self, server: usize) -> Fake {
        Fake { net: self.clone(), server }
    }

    pub fn faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    pub fn health(&self, server: usize, health: Health) {
        let mut state = self.lock();
        state.servers.insert(server, health);
        if health == Health::Dead {
            state.links.retain(|_, link| link.server != server);
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Publishes what no server has sent.
    pub fn publish(&self, channel: &Channel, payload: impl Into<Bytes>) {
        self.lock().publish(channel, &payload.into());
        self.changed.notify_waiters();
    }

    /// Puts an entry into a log that no server has stored.
    pub fn store(&self, topic: &str, payload: impl Into<Bytes>) {
        let mut state = self.lock();
        let log = state.log(topic);
        log.head += 1;
        log.entries.push((log.head, payload.into()));
    }

    /// Loses the next messages whose payload contains a text.
    pub fn lose(&self, text: &str, count: usize) {
        self.lock().lose = Some((text.as_bytes().to_vec(), count));
    }

    pub fn refuse_reads(&self, refuses: bool) {
        self.lock().refuse_reads = refuses;
    }

    /// Refuses to store messages whose payload contains a text; the others of an append are stored, as NATS does.
    pub fn refuse(&self, text: &str) {
        self.lock().refuse = Some(text.as_bytes().to_vec());
    }

    /// Fails at the entries whose payload contains a text, once, and stores the others of that append.
    pub fn fail_once_at(&self, text: &str) {
        self.lock().pass_over = Some(text.as_bytes().to_vec());
    }

    pub fn lose_next_answer(&self, server: usize) {
        self.lock().lose_answer.insert(server);
    }

    /// Loses a log, so that another begins; or only its oldest entries.
    pub fn lose_log(&self, topic: &str) {
        self.lock().logs.remove(topic);
    }

    pub fn lose_entries(&self, topic: &str, count: usize) {
        if let Some(log) = self.lock().logs.get_mut(topic) {
            log.entries.drain(..count.min(log.entries.len()));
        }
    }

    pub fn is_interested(&self, server: usize, interest: &Interest) -> bool {
        self.lock().links.values().any(|link| link.server == server && link.interests.contains(interest))
    }

    /// Epoch and entries of a log.
    pub fn log(&self, topic: &str) -> (u64, u64, Vec<(u64, Bytes)>) {
        let state = self.lock();
        state.logs.get(topic).map_or((0, 0, Vec::new()), |log| (log.epoch, log.head, log.entries.clone()))
    }

    /// All that was ever stored in a life of a log, in order.
    pub fn stored(&self, topic: &str, epoch: u64) -> Vec<(u128, Bytes)> {
        self.lock().stored.get(&(topic.into(), epoch)).cloned().unwrap_or_default()
    }

    pub fn lives(&self) -> Vec<(String, u64)> {
        self.lock().stored.keys().cloned().collect()
    }

    pub fn appends(&self) -> u64 {
        self.lock().appends
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Waits for a moment, or as long as the server is stalled; fails if it is dead, or the connection is.
    async fn pass(&self, server: usize, link: Option<u64>) -> Result<(), BackplaneError> {
        let delay = {
            let mut state = self.lock();
            let most = state.faults.delay;
            state.up_to(most)
        };
        if delay > 0 {
            sleep(Duration::from_millis(delay)).await;
        }
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            {
                let state = self.lock();
                let is_open = link.is_none_or(|id| state.links.contains_key(&id));
                match state.servers.get(&server).copied().unwrap_or_default() {
                    _ if !is_open => return Err(BackplaneError::new("the connection is lost")),
                    Health::Well => return Ok(()),
                    Health::Dead => return Err(BackplaneError::new("nobody is there")),
                    Health::Stalled => {}
                }
            }
            changed.await;
        }
    }
}

impl State {
    fn next(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn up_to(&mut self, most: u64) -> u64 {
        if most == 0 { 0 } else { self.next() % (most + 1) }
    }

    fn one_in(&mut self, n: u64) -> bool {
        n > 0 && self.next().is_multiple_of(n)
    }

    fn publish(&mut self, channel: &Channel, payload: &Bytes) {
        if let Some((text, count)) = &mut self.lose
            && *count > 0
            && contains(payload, text)
        {
            *count -= 1;
            return;
        }
        let links: Vec<_> = self.links.keys().copied().collect();
        for id in links {
            let link = &self.links[&id];
            let times = link.interests.iter().filter(|interest| matches(interest, channel)).count();
            for _ in 0..times {
                if self.one_in(self.faults.lose) {
                    continue;
                }
                let copies = if self.one_in(self.faults.repeat) { 2 } else { 1 };
                for _ in 0..copies {
                    let most = self.faults.delay;
                    let mut at = Instant::now() + Duration::from_millis(self.up_to(most));
                    let overtakes = self.one_in(self.faults.reorder);
                    self.count += 1;
                    let count = self.count;
                    let link = self.links.get_mut(&id).unwrap();
                    if !overtakes {
                        at = link.latest.map_or(at, |latest| latest.max(at));
                        link.latest = Some(at);
                    }
                    link.coming.insert((at, count), Incoming::Message(payload.clone()));
                }
            }
        }
    }

    /// As a server with limits does, which looks at those before it looks whether it has an entry. What it has from this connection the connection
    /// knows.
    fn refuses(&mut self, topic: &str, entry: &Entry, link: u64) -> bool {
        let is_known = self.log(topic).by.get(&entry.id) == Some(&link);
        let by_chance = self.one_in(self.faults.refuse) && !is_known;
        by_chance || self.refuse.as_ref().is_some_and(|text| contains(&entry.payload, text))
    }

    fn refuses_to_read(&mut self) -> bool {
        self.refuse_reads || self.one_in(self.faults.refuse)
    }

    fn log(&mut self, topic: &str) -> &mut Log {
        if !self.logs.contains_key(topic) {
            self.epochs += 1;
            let log = Log { epoch: self.epochs, ..Log::default() };
            self.logs.insert(topic.into(), log);
        }
        self.logs.get_mut(topic).unwrap()
    }
}

fn contains(payload: &[u8], text: &[u8]) -> bool {
    payload.windows(text.len()).any(|part| part == text)
}

fn matches(interest: &Interest, channel: &Channel) -> bool {
    match (interest, channel) {
        (Interest::Channel(wanted), channel) => wanted == channel,
        // More than what matches may come.
        (Interest::Filter(filter), Channel::Topic(topic)) => {
            topic.split('/').next() == filter.split('/').next() || filter.starts_with(['+', '#'])
        }
        _ => false,
    }
}

impl Backplane for Fake {
    type Link = FakeLink;
    type Inbox = FakeInbox;
    const NAME: &'static str = "fake";

    fn is_durable(&self) -> bool {
        true
    }

    async fn connect(&self) -> Result<(FakeLink, FakeInbox), BackplaneError> {
        let (net, server) = (self.net.clone(), self.server);
        net.pass(server, None).await?;
        let mut state = net.lock();
        state.links.retain(|_, link| link.server != server);
        state.count += 1;
        let id = state.count;
        let link = Connected { server, interests: Vec::new(), coming: BTreeMap::new(), latest: None };
        state.links.insert(id, link);
        drop(state);
        net.changed.notify_waiters();
        Ok((FakeLink { net: net.clone(), server, id }, FakeInbox { net, server, id }))
    }
}

impl FakeLink {
    async fn act<T>(&self, act: impl FnOnce(&mut State) -> T) -> Result<T, BackplaneError> {
        self.net.pass(self.server, Some(self.id)).await?;
        let done = act(&mut self.net.lock());
        self.net.changed.notify_waiters();
        Ok(done)
    }
}

impl Link for FakeLink {
    async fn subscribe(&self, interest: &Interest) -> Result<(), BackplaneError> {
        let interest = interest.clone();
        self.act(|state| {
            if let Some(link) = state.links.get_mut(&self.id) {
                link.interests.push(interest);
            }
        })
        .await?;
        self.net.pass(self.server, Some(self.id)).await
    }

    async fn unsubscribe(&self, interest: &Interest) -> Result<(), BackplaneError> {
        self.act(|state| {
            if let Some(link) = state.links.get_mut(&self.id) {
                link.interests.retain(|own| own != interest);
            }
        })
        .await
    }

    async fn publish(&self, channel: &Channel, payload: Bytes) -> Result<(), BackplaneError> {
        let (is_open, stalled) = {
            let state = self.net.lock();
            let stalled = state.servers.get(&self.server) == Some(&Health::Stalled);
            (state.links.contains_key(&self.id), stalled)
        };
        if !is_open {
            return Err(BackplaneError::new("the connection is lost"));
        }
        if stalled {
            self.net.pass(self.server, Some(self.id)).await?;
        }
        let mut state = self.net.lock();
        if state.refuse.as_ref().is_some_and(|text| contains(&payload, text)) {
            return Err(BackplaneError::refused("a payload is over the limit"));
        }
        state.publish(channel, &payload);
        drop(state);
        self.net.changed.notify_waiters();
        Ok(())
    }

    async fn append(
        &self,
        topic: &str,
        history: &History,
        entries: &[Entry],
    ) -> Result<Appended, BackplaneError> {
        let appended = self
            .act(|state| {
                state.appends += 1;
                let is_refused: Vec<_> = entries.iter().map(|it| state.refuses(topic, it, self.id)).collect();
                let has = |entry: &Entry, text: &Vec<u8>| contains(&entry.payload, text);
                let passed_over = state.pass_over.take_if(|text| entries.iter().any(|it| has(it, text)));
                let log = state.log(topic);
                let (mut offsets, mut new) = (Vec::new(), Vec::new());
                for (entry, is_refused) in entries.iter().zip(&is_refused) {
                    if *is_refused || passed_over.as_ref().is_some_and(|text| has(entry, text)) {
                        continue;
                    }
                    let offset = *log.ids.entry(entry.id).or_insert_with(|| {
                        log.head += 1;
                        log.entries.push((log.head, entry.payload.clone()));
                        new.push((entry.id, entry.payload.clone()));
                        log.by.insert(entry.id, self.id);
                        log.head
                    });
                    offsets.push(offset);
                }
                let excess = log.entries.len().saturating_sub(history.max_messages);
                log.entries.drain(..excess);
                // Of those behind a refused one the caller is not told.
                let before = is_refused.iter().take_while(|refused| !**refused).count();
                offsets.truncate(before);
                let appended = Appended { epoch: log.epoch, offsets };
                state.stored.entry((topic.into(), appended.epoch)).or_default().extend(new);
                if state.lose_answer.remove(&self.server) {
                    state.links.remove(&self.id);
                }
                if before == 0 {
                    return Err(BackplaneError::refused("a payload is over the limit"));
                }
                if passed_over.is_some() {
                    return Err(BackplaneError::new("one of the entries was not stored"));
                }
                Ok(appended)
            })
            .await??;
        self.net.pass(self.server, Some(self.id)).await?;
        Ok(appended)
    }

    async fn read(
        &self,
        topic: &str,
        _: &History,
        after: u64,
        max_messages: usize,
        _: usize,
    ) -> Result<Page, BackplaneError> {
        if self.net.lock().refuses_to_read() {
            return Err(BackplaneError::refused("there is no room for another log"));
        }
        let page = self
            .act(|state| {
                let most = if state.one_in(3) { 2 } else { max_messages };
                let log = state.log(topic);
                let oldest = log.entries.first().map_or(log.head + 1, |(offset, _)| *offset);
                let entries = log.entries.iter().filter(|(offset, _)| *offset > after).take(most);
                Page { epoch: log.epoch, oldest, head: log.head, entries: entries.cloned().collect() }
            })
            .await?;
        self.net.pass(self.server, Some(self.id)).await?;
        Ok(page)
    }
}

impl Inbox for FakeInbox {
    async fn next(&mut self) -> Result<Incoming, BackplaneError> {
        loop {
            let changed = std::pin::pin!(self.net.changed.notified());
            let mut changed = changed;
            changed.as_mut().enable();
            let due = {
                let mut state = self.net.lock();
                let stalled = state.servers.get(&self.server) == Some(&Health::Stalled);
                let Some(link) = state.links.get_mut(&self.id) else {
                    return Err(BackplaneError::new("the connection is lost"));
                };
                match link.coming.first_key_value() {
                    Some(((at, _), _)) if !stalled && *at <= Instant::now() => {
                        return Ok(link.coming.pop_first().unwrap().1);
                    }
                    Some(((at, _), _)) if !stalled => Some(*at),
                    _ => None,
                }
            };
            match due {
                Some(at) => {
                    tokio::select! {
                        biased;
                        () = changed => {}
                        () = sleep_until(at) => {}
                    }
                }
                None => changed.await,
            }
        }
    }
}
