//! A backplane in memory: what the contract asks for, and nothing more.
//!
//! `tests/servers/fake.rs` is another one, which does everything that the contract allows and servers have to bear: it brings more than a filter matches, a message once for each
//! subscription, and short pages, late, twice and out of order, by tokio's stopped clock. It would not pass the steps of the contract, and this one would test nothing of the servers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;
use ws_topics::bytes::Bytes;
use ws_topics::{
    Appended, Backplane, BackplaneError, Channel, Entry, History, Inbox, Incoming, Interest, Link, Page,
};

#[derive(Clone, Default)]
pub(crate) struct Memory {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    connections: Vec<(Vec<Interest>, mpsc::UnboundedSender<Bytes>)>,
    logs: HashMap<String, Log>,
    epochs: u64,
}

struct Log {
    epoch: u64,
    head: u64,
    entries: Vec<(u64, u128, Bytes)>,
    ids: HashMap<u128, u64>,
}

impl Memory {
    /// Deletes the log of a topic.
    pub(crate) fn delete(&self, topic: &str) {
        self.shared.lock().unwrap().logs.remove(topic);
    }
}

impl Backplane for Memory {
    type Link = MemoryLink;
    type Inbox = MemoryInbox;

    const NAME: &'static str = "memory";

    fn is_durable(&self) -> bool {
        true
    }

    async fn connect(&self) -> Result<(MemoryLink, MemoryInbox), BackplaneError> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut shared = self.shared.lock().unwrap();
        shared.connections.push((Vec::new(), sender));
        let number = shared.connections.len() - 1;
        Ok((MemoryLink { shared: Arc::clone(&self.shared), number }, MemoryInbox { receiver }))
    }
}

pub(crate) struct MemoryLink {
    shared: Arc<Mutex<Shared>>,
    number: usize,
}

pub(crate) struct MemoryInbox {
    receiver: mpsc::UnboundedReceiver<Bytes>,
}

impl Inbox for MemoryInbox {
    async fn next(&mut self) -> Result<Incoming, BackplaneError> {
        let next = self.receiver.recv().await.map(Incoming::Message);
        next.ok_or_else(|| BackplaneError::new("the connection has ended"))
    }
}

fn is_in(interest: &Interest, channel: &Channel) -> bool {
    match (interest, channel) {
        (Interest::Channel(wanted), channel) => wanted == channel,
        (Interest::Filter(filter), Channel::Topic(topic)) => {
            let (mut filters, mut levels) = (filter.split('/'), topic.split('/'));
            loop {
                match (filters.next(), levels.next()) {
                    (Some("#"), _) | (None, None) => return true,
                    (Some("+"), Some(_)) => {}
                    (Some(wanted), Some(level)) if wanted == level => {}
                    _ => return false,
                }
            }
        }
        _ => false,
    }
}

impl Shared {
    fn log(&mut self, topic: &str) -> &mut Log {
        if !self.logs.contains_key(topic) {
            self.epochs += 1;
            let log = Log { epoch: self.epochs, head: 0, entries: Vec::new(), ids: HashMap::new() };
            self.logs.insert(topic.into(), log);
        }
        self.logs.get_mut(topic).unwrap()
    }
}

impl Link for MemoryLink {
    async fn subscribe(&self, interest: &Interest) -> Result<(), BackplaneError> {
        let interests = &mut self.shared.lock().unwrap().connections[self.number].0;
        if !interests.contains(interest) {
            interests.push(interest.clone());
        }
        Ok(())
    }

    async fn unsubscribe(&self, interest: &Interest) -> Result<(), BackplaneError> {
        self.shared.lock().unwrap().connections[self.number].0.retain(|other| other != interest);
        Ok(())
    }

    async fn publish(&self, channel: &Channel, payload: Bytes) -> Result<(), BackplaneError> {
        for (interests, sender) in &self.shared.lock().unwrap().connections {
            for _ in interests.iter().filter(|interest| is_in(interest, channel)) {
                let _ = sender.send(payload.clone());
            }
        }
        Ok(())
    }

    async fn append(
        &self,
        topic: &str,
        history: &History,
        entries: &[Entry],
    ) -> Result<Appended, BackplaneError> {
        let mut shared = self.shared.lock().unwrap();
        let log = shared.log(topic);
        let mut offsets = Vec::new();
        for entry in entries {
            if !log.ids.contains_key(&entry.id) {
                log.head += 1;
                log.entries.push((log.head, entry.id, entry.payload.clone()));
                log.ids.insert(entry.id, log.head);
            }
            offsets.push(log.ids[&entry.id]);
        }
        let excess = log.entries.len().saturating_sub(history.max_messages);
        log.entries.drain(..excess);
        Ok(Appended { epoch: log.epoch, offsets })
    }

    async fn read(
        &self,
        topic: &str,
        _: &History,
        after: u64,
        max_messages: usize,
        max_bytes: usize,
    ) -> Result<Page, BackplaneError> {
        let mut shared = self.shared.lock().unwrap();
        let log = shared.log(topic);
        let oldest = log.entries.first().map_or(log.head + 1, |(offset, ..)| *offset);
        let mut entries: Vec<(u64, Bytes)> = Vec::new();
        for (offset, _, payload) in
            log.entries.iter().filter(|(offset, ..)| *offset > after).take(max_messages)
        {
            let bytes: usize = entries.iter().map(|(_, payload)| payload.len()).sum();
            if bytes >= max_bytes && !entries.is_empty() {
                break;
            }
            entries.push((*offset, payload.clone()));
        }
        Ok(Page { epoch: log.epoch, oldest, head: log.head, entries })
    }
}
