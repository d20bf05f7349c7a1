//! NATS as what several servers exchange messages through.

mod connect;
mod connection;
mod log;
mod name;
mod options;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use ws_tokio::ws_core::SettingError;

use crate::backplane::address::Address;
use crate::backplane::{
    Appended, Backplane, BackplaneError, Channel, Entry, Inbox, Incoming, Interest, Link, Page,
};
use crate::options::History;

use connection::Connection;
use name::Names;
pub use options::NatsOptions;

/// A [`Backplane`] by NATS: subjects for what is live, streams of JetStream for durable histories. Feature `nats`.
///
/// | | |
/// |---|---|
/// | a message of a live topic | the subject `ws-topics.t.LEVEL.LEVEL…`: each level of the topic is a token |
/// | who is present in a topic | `ws-topics.p.LEVEL.LEVEL…` |
/// | what the servers say to each other | `ws-topics.s` |
/// | the log of a topic | the stream `ws-topics==TOPIC`, with the subject `ws-topics.l.EPOCH.TOPIC`; an offset is a sequence number |
///
/// `ws-topics` is [`NatsOptions::prefix`]. In a token, each byte of a character that is not possible there (spaces, control characters, `.`, `*`, `>`, `=`,
/// `%`, `/`, `\`) is written as `=` and two hexadecimal digits; an empty level is a lone `=`. In the filter of a subscription `+` becomes `*` and a last `#`
/// becomes `>`. The name of a stream has at most 255 bytes, and so a durable topic with a longer one is refused.
///
/// The epoch of a log is the time at which its stream was made, in microseconds since 1970. It is part of the stream's subject, so that nothing is
/// stored in a stream that was deleted and made again without being noticed.
///
/// A payload may be as long as the server's `max_payload` allows, with a header of some 60 bytes: 1 MiB by default.
pub struct NatsBackplane {
    options: NatsOptions,
    servers: Vec<Address>,
    names: Names,
    /// Connections that were begun: each tries the next server.
    attempts: AtomicUsize,
}

impl NatsBackplane {
    /// A backplane that was not connected yet.
    ///
    /// # Errors
    /// [`SettingError`] if a setting is not possible.
    pub fn new(options: NatsOptions) -> Result<Self, SettingError> {
        let servers = options.check()?;
        let names = Names::new(&options.prefix);
        Ok(Self { options, servers, names, attempts: AtomicUsize::new(0) })
    }
}

impl fmt::Debug for NatsBackplane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsBackplane").field("servers", &self.servers).finish_non_exhaustive()
    }
}

impl Backplane for NatsBackplane {
    type Link = NatsLink;
    type Inbox = NatsInbox;

    const NAME: &'static str = "nats";

    fn is_durable(&self) -> bool {
        self.options.durable
    }

    async fn connect(&self) -> Result<(NatsLink, NatsInbox), BackplaneError> {
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
        let server = attempt.checked_rem(self.servers.len()).and_then(|place| self.servers.get(place));
        let server = server.ok_or_else(|| BackplaneError::new("there is no NATS server in the settings"))?;
        let connection = Connection::open(&self.options, server).await?;
        let inbox = NatsInbox { connection: connection.handle() };
        let logs = log::Logs::new(&self.options, self.names.clone());
        Ok((NatsLink { connection, names: self.names.clone(), logs }, inbox))
    }
}

/// A connection of a [`NatsBackplane`], for sending.
pub struct NatsLink {
    connection: Connection,
    names: Names,
    logs: log::Logs,
}

impl Link for NatsLink {
    async fn subscribe(&self, interest: &Interest) -> Result<(), BackplaneError> {
        self.connection.subscribe(interest, self.names.subjects_of(interest)).await
    }

    async fn unsubscribe(&self, interest: &Interest) -> Result<(), BackplaneError> {
        self.connection.unsubscribe(interest);
        Ok(())
    }

    async fn publish(&self, channel: &Channel, payload: Bytes) -> Result<(), BackplaneError> {
        self.connection.send(self.names.subject_of(channel), None, payload).await
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

impl fmt::Debug for NatsLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsLink").field("server", &self.connection.server()).finish_non_exhaustive()
    }
}

/// A connection of a [`NatsBackplane`], for receiving.
pub struct NatsInbox {
    connection: connection::Handle,
}

impl Inbox for NatsInbox {
    async fn next(&mut self) -> Result<Incoming, BackplaneError> {
        self.connection.queue.next().await
    }
}

impl fmt::Debug for NatsInbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsInbox").finish_non_exhaustive()
    }
}
