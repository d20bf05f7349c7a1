//! Redis as what several servers exchange messages through.

mod connection;
mod log;
mod name;
mod options;
mod publisher;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use ws_tokio::ws_core::SettingError;

use crate::backplane::address::Address;
use crate::backplane::queue::Queue;
use crate::backplane::{
    Appended, Backplane, BackplaneError, Channel, Entry, Inbox, Incoming, Interest, Link, Page,
};
use crate::options::History;

use connection::Connection;
use name::Names;
pub use options::RedisOptions;

/// A [`Backplane`] by Redis, version 7 or later: publish/subscribe for what is live, streams for durable histories. Feature `redis`.
///
/// | | |
/// |---|---|
/// | a message of a live topic | the sharded channel `ws-topics:t:TOPIC`, and the channel `ws-topics:f:TOPIC` for filters |
/// | who is present in a topic | `ws-topics:p:TOPIC` |
/// | what the servers say to each other | `ws-topics:s` |
/// | the log of a topic | the keys `ws-topics:l:{TOPIC}:meta`, `…:entries` (a stream with the ids `OFFSET-0`) and `…:ids` |
///
/// `ws-topics` is [`RedisOptions::prefix`]. Patterns do not match sharded channels, and so a message is published twice, unless
/// [`filters`](RedisOptions::filters) or [`sharded`](RedisOptions::sharded) is off. The pattern of a filter matches more topics than the filter does: in it, `+`
/// goes over several levels. What is received without need is dropped.
///
/// The epoch of a log is the time at which it was made, in microseconds since 1970. A log with fewer entries than were seen before, of a Redis that
/// restarted without an append-only file or of a replica, is begun anew with another epoch.
///
/// It is one Redis server (of a primary with replicas, the primary). The servers of a Redis Cluster are not sought out.
pub struct RedisBackplane {
    options: RedisOptions,
    server: Address,
    database: i64,
    names: Names,
    seen: Arc<log::Seen>,
}

impl RedisBackplane {
    /// A backplane that was not connected yet.
    ///
    /// # Errors
    /// [`SettingError`] if a setting is not possible.
    pub fn new(options: RedisOptions) -> Result<Self, SettingError> {
        let (server, database) = options.check()?;
        let names = Names::new(&options);
        Ok(Self { options, server, database, names, seen: Arc::default() })
    }
}

impl fmt::Debug for RedisBackplane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBackplane").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Backplane for RedisBackplane {
    type Link = RedisLink;
    type Inbox = RedisInbox;

    const NAME: &'static str = "redis";

    fn is_durable(&self) -> bool {
        self.options.durable
    }

    async fn connect(&self) -> Result<(RedisLink, RedisInbox), BackplaneError> {
        let connection = Connection::open(&self.options, &self.server, self.database).await?;
        let inbox = RedisInbox { queue: Arc::clone(&connection.queue) };
        let logs = log::Logs::new(&self.options, self.names.clone(), Arc::clone(&self.seen));
        Ok((RedisLink { connection, names: self.names.clone(), logs }, inbox))
    }
}

/// A connection of a [`RedisBackplane`], for sending.
pub struct RedisLink {
    connection: Connection,
    names: Names,
    logs: log::Logs,
}

impl Link for RedisLink {
    async fn subscribe(&self, interest: &Interest) -> Result<(), BackplaneError> {
        self.connection.subscribe(interest, self.names.of_interest(interest)?).await
    }

    async fn unsubscribe(&self, interest: &Interest) -> Result<(), BackplaneError> {
        self.connection.unsubscribe(interest).await
    }

    async fn publish(&self, channel: &Channel, payload: Bytes) -> Result<(), BackplaneError> {
        self.connection.publish(self.names.of_channel(channel), payload).await
    }

    async fn append(
        &self,
        topic: &str,
        history: &History,
        entries: &[Entry],
    ) -> Result<Appended, BackplaneError> {
        self.logs.append(&self.connection, topic, history, entries).await
    }

    async fn read(
        &self,
        topic: &str,
        history: &History,
        after: u64,
        max_messages: usize,
        max_bytes: usize,
    ) -> Result<Page, BackplaneError> {
        self.logs.read(&self.connection, topic, history, after, max_messages, max_bytes).await
    }
}

impl fmt::Debug for RedisLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLink").field("server", &self.connection.server).finish_non_exhaustive()
    }
}

/// A connection of a [`RedisBackplane`], for receiving.
pub struct RedisInbox {
    queue: Arc<Queue>,
}

impl Inbox for RedisInbox {
    async fn next(&mut self) -> Result<Incoming, BackplaneError> {
        self.queue.next().await
    }
}

impl fmt::Debug for RedisInbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisInbox").finish_non_exhaustive()
    }
}
