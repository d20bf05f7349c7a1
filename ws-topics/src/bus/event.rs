//! What happens between servers, for the user.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::Instant;

/// What happens between servers: [`Topics::events`](crate::Topics::events).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClusterEvent {
    /// There is a connection to the backplane.
    Up,
    /// There is none, or it is lost. Reported once; attempts to connect go on.
    Down {
        /// Why.
        cause: Arc<str>,
    },
    /// Subscribers of this server miss messages of others, and have got a gap mark.
    Gap {
        /// The topic, or a filter if it is not known of which topics.
        topic: Arc<str>,
        /// How many; `None` if that is not known.
        messages: Option<u64>,
    },
    /// Durable messages of this server may or may not be stored: the backplane did not confirm them in [time](crate::ClusterOptions::retry).
    Unconfirmed {
        /// The topic.
        topic: Arc<str>,
        /// How many.
        messages: u64,
    },
    /// The backplane refuses a durable message, which is not stored: it is too long, for example, or there is no room for it. Or it refuses to make or to read the
    /// log of a durable topic, which is [tried again](crate::ClusterOptions::check_interval).
    Refused {
        /// The topic.
        topic: Arc<str>,
        /// Why.
        cause: Arc<str>,
    },
    /// Payloads came that are none of this version of the library, or are damaged, and were left out: something else publishes where the servers do.
    /// Reported once for each heartbeat.
    Foreign {
        /// How many since the last report.
        messages: u64,
    },
    /// Another server has the name of this one: both have the same [`seed`](crate::ClusterOptions::seed), or a server with this seed was here a moment ago, or
    /// something else publishes under the name. Servers with one name are told apart all the same, unless they are copies of one running process, as from a snapshot of a
    /// virtual machine: of these the others take some messages for repeated. Reported once for each heartbeat.
    SameName {
        /// How many messages since the last report.
        messages: u64,
    },
    /// A message came under the name of a server that did not publish it: its number is beyond what that server reports. What the server published since may have been taken for
    /// repeated, and is marked as a gap of unknown size.
    Forged {
        /// The topic.
        topic: Arc<str>,
    },
    /// Events were dropped here, since they were not taken as fast as they came.
    Missed {
        /// How many.
        events: u64,
    },
}

impl ClusterEvent {
    /// Writes it to the log.
    #[cfg(feature = "tracing")]
    pub(super) fn trace(&self) {
        use tracing::{info, warn};

        match self {
            Self::Up => info!(target: "ws_topics", "Up"),
            Self::Down { cause } => warn!(target: "ws_topics", %cause, "Down"),
            Self::Gap { topic, messages } => warn!(target: "ws_topics", %topic, ?messages, "Gap"),
            Self::Unconfirmed { topic, messages } => {
                warn!(target: "ws_topics", %topic, messages, "Unconfirmed")
            }
            Self::Refused { topic, cause } => warn!(target: "ws_topics", %topic, %cause, "Refused"),
            Self::Foreign { messages } => warn!(target: "ws_topics", messages, "Foreign"),
            Self::SameName { messages } => warn!(target: "ws_topics", messages, "SameName"),
            Self::Forged { topic } => warn!(target: "ws_topics", %topic, "Forged"),
            Self::Missed { .. } => {}
        }
    }
}

/// Receives events. It keeps no more than [`max_events`](crate::ClusterOptions::max_events), and reports how many it missed beyond that.
#[derive(Debug)]
pub struct ClusterEvents {
    receiver: Option<Receiver<ClusterEvent>>,
}

impl ClusterEvents {
    pub(crate) const fn new(receiver: Receiver<ClusterEvent>) -> Self {
        Self { receiver: Some(receiver) }
    }

    /// Of topics on one server, where nothing happens.
    pub(crate) const fn none() -> Self {
        Self { receiver: None }
    }

    /// Waits for the next event. `None` if there will be no more: the topics are gone, or on one server only. If the future is dropped, nothing is lost.
    pub async fn next(&mut self) -> Option<ClusterEvent> {
        match self.receiver.as_mut()?.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(events)) => Some(ClusterEvent::Missed { events }),
            Err(RecvError::Closed) => None,
        }
    }
}

/// How the connection to the backplane is: [`Topics::backplane`](crate::Topics::backplane).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackplaneState {
    /// [`Backplane::NAME`](crate::Backplane::NAME).
    pub name: &'static str,
    /// Whether there is a connection.
    pub up: bool,
    /// Since when it is so.
    pub since: Instant,
    /// Why there is none; `None` before the first attempt, too.
    pub cause: Option<Arc<str>>,
    /// How long the latest heartbeat took to the backplane and back.
    pub delay: Option<Duration>,
    /// How many other servers are known to be there.
    pub servers: usize,
}

impl BackplaneState {
    pub(super) fn down(name: &'static str) -> Self {
        Self { name, up: false, since: Instant::now(), cause: None, delay: None, servers: 0 }
    }

    pub(super) fn change(&mut self, up: bool, cause: Option<Arc<str>>) {
        (self.up, self.cause, self.since, self.delay) = (up, cause, Instant::now(), None);
    }
}
