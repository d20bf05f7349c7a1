//! What a connection to the backplane is asked to do at the same time.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::backplane::{Appended, BackplaneError, Channel, Entry, Interest, Link, Page};
use crate::bus::{Bus, Next, Want};
use crate::options::History;

/// Tasks that end with this.
pub(super) struct Jobs<L> {
    link: Arc<L>,
    tasks: JoinSet<Done>,
    /// How many subscribe or unsubscribe, read, and append.
    pub(super) interests: usize,
    pub(super) reads: usize,
    pub(super) appends: usize,
}

/// What has become of one.
pub(super) enum Done {
    Subscribed(Want, Result<(), BackplaneError>),
    Unsubscribed(Want, Result<(), BackplaneError>),
    Read(Arc<str>, Result<Page, BackplaneError>),
    Appended(Arc<str>, usize, Result<Appended, BackplaneError>),
    /// Sending ends only with an error.
    Sending(BackplaneError),
}

impl<L: Link> Jobs<L> {
    /// Begins to send.
    pub(super) fn new(link: L, bus: Arc<Bus>) -> Self {
        let link = Arc::new(link);
        let mut tasks = JoinSet::new();
        let sending = Arc::clone(&link);
        tasks.spawn(async move {
            loop {
                let Next { channel, payload, .. } = bus.next_outgoing().await;
                let sent = sending.publish(&channel, payload).await;
                bus.sent(sent.is_ok());
                match sent {
                    // The others find out by the numbers that it is missing.
                    Err(error) if !error.is_refusal() => return Done::Sending(error),
                    _ => {}
                }
            }
        });
        Self { link, tasks, interests: 0, reads: 0, appends: 0 }
    }

    pub(super) fn subscribe(&mut self, want: Want) {
        let link = Arc::clone(&self.link);
        self.interests = self.interests.saturating_add(1);
        self.tasks.spawn(async move {
            let done = link.subscribe(&interest(&want)).await;
            Done::Subscribed(want, done)
        });
    }

    pub(super) fn unsubscribe(&mut self, want: Want) {
        let link = Arc::clone(&self.link);
        self.interests = self.interests.saturating_add(1);
        self.tasks.spawn(async move {
            let done = link.unsubscribe(&interest(&want)).await;
            Done::Unsubscribed(want, done)
        });
    }

    pub(super) fn read(&mut self, topic: Arc<str>, history: History, after: u64) {
        let link = Arc::clone(&self.link);
        self.reads = self.reads.saturating_add(1);
        self.tasks.spawn(async move {
            let page = link.read(&topic, &history, after, PAGE, PAGE_BYTES).await;
            Done::Read(topic, page)
        });
    }

    pub(super) fn append(&mut self, topic: Arc<str>, history: History, entries: Vec<Entry>) {
        let link = Arc::clone(&self.link);
        self.appends = self.appends.saturating_add(1);
        self.tasks.spawn(async move {
            let appended = link.append(&topic, &history, &entries).await;
            Done::Appended(topic, entries.len(), appended)
        });
    }

    /// Waits until one is done. If the future is dropped nothing is lost.
    pub(super) async fn next(&mut self) -> Result<Done, BackplaneError> {
        // There is always the one that sends.
        let done = match self.tasks.join_next().await {
            Some(done) => {
                done.map_err(|error| BackplaneError::new("a task of the backplane failed").caused_by(error))?
            }
            None => std::future::pending().await,
        };
        let count = match &done {
            Done::Subscribed(..) | Done::Unsubscribed(..) => &mut self.interests,
            Done::Read(..) => &mut self.reads,
            Done::Appended(..) => &mut self.appends,
            Done::Sending(_) => return Ok(done),
        };
        *count = count.saturating_sub(1);
        Ok(done)
    }
}

fn interest(want: &Want) -> Interest {
    match want {
        Want::Topic(topic) => Interest::Channel(Channel::Topic(topic.clone())),
        Want::Filter(filter) => Interest::Filter(filter.clone()),
        Want::Presence(topic) => Interest::Channel(Channel::Presence(topic.clone())),
    }
}

/// Entries that are read at a time, at most.
const PAGE: usize = 512;

/// With about this many bytes.
const PAGE_BYTES: usize = 1 << 20;
