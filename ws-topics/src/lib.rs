//! Publish and subscribe over WebSockets, on one server in memory or on several servers: topics and filters, history and resumption,
//! presence, and bounds for slow subscribers.
//!
//! A [`ws_tokio::Broadcast`] is one set of connections, and nothing for a client that was away. [`Topics`] are many sets by name, which
//! keep what was published for those that come back. It is a crate by itself because it needs nothing but `ws-tokio`'s public API: it
//! works with the [`Sender`](ws_tokio::Sender) of any WebSocket, of `ws-server`, in axum or hyper, or of `ws-client`.
//!
//! ```
//! use ws_tokio::{Config, Message, Role, WebSocket};
//! use ws_topics::{History, Position, SubscribeOptions, Topics, TopicsOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The topics below `prices` keep their latest messages. Subscribers get the position with each message.
//! let topics = Topics::new(
//!     TopicsOptions::default()
//!         .history("prices/#", History::default().max_messages(1_000))
//!         .frame(|it| format!("{} {}", it.position, it.message.as_text().unwrap_or_default()).into()),
//! )?;
//!
//! // What a server does for each connection: subscribe it, and receive until it ends.
//! # let connect = || -> std::io::Result<_> {
//! # let (near, far) = tokio::io::duplex(4096);
//! # let socket = WebSocket::from_raw(far, Role::Server, Config::server())?;
//! # let client = WebSocket::from_raw(near, Role::Client, Config::client())?;
//! # Ok((socket, client)) };
//! # let (socket, mut client) = connect()?;
//! let (sender, receiver) = socket.split();
//! let subscription = topics.subscribe(&sender, "prices/gold", SubscribeOptions::default())?;
//! let connection = tokio::spawn(receiver.discard());
//!
//! topics.publish("prices/gold", "2412")?;
//! let message = client.recv().await?.expect("it is open");
//! let (position, price) = message.as_text().and_then(|text| text.split_once(' ')).expect("as framed");
//! assert_eq!(price, "2412");
//! let seen: Position = position.parse()?;
//!
//! // The client is away for two messages; then it comes back, with the position that it has seen.
//! drop((client, subscription));
//! topics.publish_all([("prices/gold", "2413"), ("prices/gold", "2415")])?;
//! # let _ = connection.await;
//! # let (socket, mut client) = connect()?;
//! let (sender, receiver) = socket.split();
//! let _subscription = topics.subscribe(&sender, "prices/gold", SubscribeOptions::default().since(seen))?;
//! # tokio::spawn(receiver.discard());
//! for price in ["2413", "2415"] {
//!     let message = client.recv().await?.expect("it is open");
//!     assert!(message.as_text().is_some_and(|text| text.ends_with(price)));
//! }
//! # Ok(()) }
//! ```
//!
//! # How to …
//!
//! - subscribe: [`Topics::subscribe`], to a topic (`prices/gold`) or a filter (`prices/+`, `prices/#`) as in MQTT 5 section 4.7. The
//!   [`Subscription`] ends when it is dropped, and with its connection;
//! - publish: [`publish`](Topics::publish); [`publish_from`](Topics::publish_from) leaves the sender out; what is published to a
//!   topic in a row reaches each subscriber in one write, and with [`publish_all`](Topics::publish_all) and [`batch`](Topics::batch) what is
//!   published to several topics together;
//! - choose what slow subscribers lose: [`SubscribeOptions::slow`];
//! - keep a history: [`TopicsOptions::history`]; resume from it: [`SubscribeOptions::since`]; begin with the latest: [`SubscribeOptions::last`];
//! - let clients know the position of a message: [`TopicsOptions::frame`]; the form of gap marks: [`TopicsOptions::gap_mark`];
//! - list who is there: [`SubscribeOptions::present`], [`Topics::presence`], [`Topics::watch_presence`];
//! - decide who may do what: [`TopicsOptions::authorize`];
//! - count: [`Topics::stats`], [`Subscription::dropped`];
//! - share topics with other servers: [`Topics::clustered`], [`Topics::events`], [`History::durable`]; with NATS or Redis: `how_to::cluster`
//!   (feature `nats`), `docs/cluster.md`;
//! - serve browsers: `TopicsEndpoint` (feature `endpoint`), which speaks [`topics.v1`](how_to::protocol), and `ws-topics/js/topics.js`: [whole
//!   programs](how_to) with `ws-server` and with axum;
//! - be a client: `TopicsClient` (feature `client`).
//!
#![doc = include_str!("../docs/guarantees.md")]
//!
//! # Several servers
//!
//! [`Topics::clustered`] makes topics that all servers with the same [`Backplane`] share, and a [`Cluster`] to run as a task. It connects, and
//! connects again after waits that double and are a random part of their bound, so that servers do not return all at once.
//! [`Topics::events`] reports `Up`, `Down`, each `Gap`, and durable messages that stay `Unconfirmed`; [`Topics::backplane`] returns the state and the
//! delay of the latest heartbeat, [`Topics::cluster_counts`] what went to and fro. [`TopicsOptions::local`] keeps topics on their server.
//!
//! **Live topics** are those without a [durable](History::durable) history. Each server delivers what is published on it at once, and numbers it for the others. So the order is
//! one for all subscribers of a server, and that of each publishing server everywhere; positions, and the history, are those of one
//! server: a client that resumes on another one gets a gap of unknown size. A server subscribes to a topic of the backplane when
//! it has a subscriber for it: the messages of others arrive from the moment in which the backplane has confirmed that, and each server is followed from the
//! first message or heartbeat that names the topic. What takes effect in the first seconds is therefore not missed, and not marked either.
//!
//! **Durable topics** are logs of the backplane. Here, on purpose, a publish is *not* delivered at once: it is stored first, and then delivered in
//! the order of the log, which is the same on all servers, like its positions. [`Topics::publish`] returns no position for them; [`Topics::publish_confirmed`] waits for
//! it. The first subscription on a server waits for the log to be read: [`Subscription::begun`]. A filter gets a durable topic from the first message on that the server hears of.
//! A connection that published to a durable topic itself may get its message back in a replay long after.
//!
//! **Presence** is that of all servers, on each server on which somebody is present in the topic or [watches](Topics::watch_presence) it; it is up to date after a
//! heartbeat, one second.
//!
//! A server trusts the others, and the backplane: whoever may publish there may publish to every topic.
//!
//! # How a message travels
//!
//! [`publish`](Topics::publish) locks the topic, gives the message the next position, puts it into the history and into the queue of each
//! subscriber, or behind all queues: one step. Later, with nothing locked, a task has each connection take what is in its queue, as far as there is room, and write it.
//! What is left is taken when the peer has read, by whoever polls the connection's [`Receiver`](ws_tokio::Receiver): keep one going. Only when a
//! connection has no room do bounds and policy count: whoever is fast never loses anything.
//!
//! A subscription that resumes gets no live messages at first. Its connection fetches the history in small pieces as it has room; at
//! the end of the history it goes live in the same moment, so that there is nothing that would have to be held back or compared.
//!
//! Do not call these methods while the connection is locked: in [`for_each_event`](ws_tokio::Receiver::for_each_event) that would wait for ever.
//!
//! # What it costs
//!
//! On the heap (`cargo test -p ws-topics --test heap -- --nocapture`): a subscription takes 106 bytes, a topic
//! 180 bytes with a name of 20; goals are 120 and 400. What a history or a queue counts as is more than it takes.
//!
//! Time for a delivery, in nanoseconds, over TCP on loopback, beside [`ws_tokio::Broadcast`], which knows one set and no queue, both by
//! `publish_all` (`cargo bench -p ws-topics --bench publish`, 2026-11-30, Intel Xeon, two cores):
//!
//! | subscribers | | `Broadcast` | `Topics` | ratio | with a history |
//! |---|---|---|---|---|---|
//! | 200 | one message | 2,774 | 2,887 | 1.04 | 2,886 |
//! | 200 | eight together | 377 | 380 | 1.01 | 384 |
//! | 2,000 | one message | 2,953 | 3,030 | 1.03 | 3,054 |
//! | 2,000 | eight together | 411 | 395 | 0.96 | 395 |
//!
//! The goal is 1.1 for each delivery. What is published to a topic in a row is put behind the queues of all its subscribers at once, and the frames of
//! small messages are encoded once and copied together: where there are several subscribers and no filter matches, nobody else publishes in between, and all
//! have room.
//!
//! When somebody comes or goes, each watch of presence spends time on what has changed, however many are present: 100 watches that learn of one
//! who left and one who came take 17 µs together beside 10,000 others, and 560 µs for a hundred changes (`cargo bench -p ws-topics --bench presence`;
//! a comparison of the lists took 135 ms).
//!
//! A client that comes back after 10,000 missed messages has them all, opening handshake included, after 68 ms with `TopicsClient` and after 5 ms by a plain
//! WebSocket that does not parse them (64 bytes each; with 1,024 bytes 72 and 24 ms; `cargo bench -p ws-topics --bench resume`). The goal is 200 ms.
//!
//! # Bounds
//!
//! | | default | |
//! |---|---|---|
//! | topics | 100,000 | [`TopicsOptions::max_topics`] |
//! | different filters | 10,000 | [`TopicsOptions::max_filters`] |
//! | bytes of a name | 255 | [`TopicsOptions::max_topic_length`] |
//! | subscriptions of a connection | 1,000 | [`TopicsOptions::max_subscriptions`] |
//! | what waits for a subscription | 1,024 messages, 1 MiB | [`SubscribeOptions::max_messages`], [`max_bytes`](SubscribeOptions::max_bytes) |
//! | what waits for a subscription of `TopicsClient` | 1,024 events, 8 MiB | `SubscribeRequest::max_waiting`, `max_waiting_bytes` |
//! | what waits for a connection | 8,192 messages, 8 MiB | [`TopicsOptions::max_waiting_messages`], [`max_waiting_bytes`](TopicsOptions::max_waiting_bytes) |
//! | the history of a topic, if it has one | 1,000 messages, 1 MiB, one hour | [`History`] |
//! | all histories | 64 MiB | [`TopicsOptions::max_history_bytes`] |
//! | changes of presence that are kept for watches | as many as there are members, and 256 | [`PresenceWatch`] |
//! | requests of a client of `topics.v1` that does not read their answers | 4 MiB, and one answer | [`Config::max_read_ahead`](ws_tokio::Config::max_read_ahead) |
//! | reports of presence to a client of `topics.v1` | one a second | `EndpointOptions::presence_interval` |
//! | keys of publications that clients may repeat | 65,536, two minutes | `EndpointOptions::max_publish_keys`, `publish_key_age` |
//! | identity and value of a member | 1,024 bytes | [`TopicsOptions::max_presence_bytes`] |
//! | live messages that wait for other servers | 16,384 messages, 16 MiB | [`ClusterOptions::max_outgoing_messages`], [`max_outgoing_bytes`](ClusterOptions::max_outgoing_bytes) |
//! | durable messages that wait to be stored | 16,384 messages, 16 MiB | [`ClusterOptions::max_unstored_messages`], [`max_unstored_bytes`](ClusterOptions::max_unstored_bytes) |
//! | topics that a server published to in the last seconds | 100,000 | [`TopicsOptions::max_topics`] |
//! | pairs of a topic and another server that publishes to it | 262,144 | [`ClusterOptions::max_numbered`] |
//! | members of another server in a topic | 16,384 | [`ClusterOptions::max_remote_members`] |
//! | other servers | 1,024 | |
//! | events that wait | 256 | [`ClusterOptions::max_events`] |
//!
//! Beyond the bounds of what waits there are, for a moment, one message of each thread that publishes, and 32 out of a history.
//! Payloads are shared: what waits for many, and is kept, is in memory once.
//!
//! # The layers
//!
//! ```text
//! endpoint, client                       clients over the subprotocol `topics.v1`: the side of the server, and a client
//! metrics                                metrics of what users call (feature `metrics`)
//! topics                                 Topics: what users call
//! cluster                                what keeps the connection to a backplane
//! batch, subscription                    several messages in one write; a subscription as its owner has it
//! hub, presence_watch                    what exists: topics by name, filters, connections; who comes and goes
//! topic                                  one topic: its subscriptions, their queues, what is unwritten, its history, who is present
//! v1                                     the messages of `topics.v1`
//! bus                                    what the other servers are to get and to be asked for
//! envelope                               what servers send each other
//! nats, redis                            two of them (features `nats`, `redis`)
//! backplane                              what several servers exchange messages through
//! options, subscribe_options             the settings
//! start                                  where a subscription begins, and as whom
//! cluster_options                        those of several servers
//! name, position, stats                  names and filters; where a message stands; counts
//! error                                  why something is refused
//! ```
//!
//! Each line imports only from the lines below it: `tests/topics/layers.rs` checks that.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(target_arch = "wasm32"))]
mod backplane;
#[cfg(not(target_arch = "wasm32"))]
mod batch;
#[cfg(not(target_arch = "wasm32"))]
mod bus;
#[cfg(feature = "client")]
mod client;
#[cfg(not(target_arch = "wasm32"))]
mod cluster;
#[cfg(not(target_arch = "wasm32"))]
mod cluster_options;
#[cfg(all(feature = "endpoint", not(target_arch = "wasm32")))]
mod endpoint;
#[cfg(not(target_arch = "wasm32"))]
mod envelope;
#[cfg(not(target_arch = "wasm32"))]
mod error;
#[cfg(not(target_arch = "wasm32"))]
mod hub;
#[cfg(all(feature = "metrics", not(target_arch = "wasm32")))]
mod metrics;
mod name;
#[cfg(all(feature = "nats", not(target_arch = "wasm32")))]
mod nats;
#[cfg(not(target_arch = "wasm32"))]
mod options;
mod position;
#[cfg(not(target_arch = "wasm32"))]
mod presence_watch;
#[cfg(all(feature = "redis", not(target_arch = "wasm32")))]
mod redis;
mod start;
#[cfg(not(target_arch = "wasm32"))]
mod stats;
#[cfg(not(target_arch = "wasm32"))]
mod subscribe_options;
#[cfg(not(target_arch = "wasm32"))]
mod subscription;
#[cfg(not(target_arch = "wasm32"))]
mod topic;
#[cfg(not(target_arch = "wasm32"))]
mod topics;
#[cfg(any(feature = "client", feature = "endpoint"))]
mod v1;

#[cfg(not(target_arch = "wasm32"))]
pub use backplane::{
    Appended, Backplane, BackplaneError, Channel, Entry, Inbox, Incoming, Interest, Link, Page,
};
#[cfg(not(target_arch = "wasm32"))]
pub use batch::{Batch, Published};
#[cfg(not(target_arch = "wasm32"))]
pub use bus::{BackplaneState, ClusterCounts, ClusterEvent, ClusterEvents};
#[cfg(feature = "client")]
pub use client::{ClientError, ClientSubscription, Event, SubscribeRequest, TopicsClient};
#[cfg(not(target_arch = "wasm32"))]
pub use cluster::Cluster;
#[cfg(not(target_arch = "wasm32"))]
pub use cluster_options::ClusterOptions;
#[cfg(all(feature = "endpoint", not(target_arch = "wasm32")))]
pub use endpoint::{EndpointAccess, EndpointOptions, TopicsEndpoint};
#[cfg(not(target_arch = "wasm32"))]
pub use error::TopicError;
#[cfg(all(feature = "nats", not(target_arch = "wasm32")))]
pub use nats::{NatsBackplane, NatsInbox, NatsLink, NatsOptions};
#[cfg(not(target_arch = "wasm32"))]
pub use options::{Access, Action, History, Publication, TopicsOptions};
pub use position::{GapMark, Position, PositionError};
#[cfg(not(target_arch = "wasm32"))]
pub use presence_watch::PresenceWatch;
#[cfg(all(feature = "redis", not(target_arch = "wasm32")))]
pub use redis::{RedisBackplane, RedisInbox, RedisLink, RedisOptions};
pub use start::{Member, Start};
#[cfg(not(target_arch = "wasm32"))]
pub use stats::Stats;
#[cfg(not(target_arch = "wasm32"))]
pub use subscribe_options::{SlowSubscriber, SubscribeOptions};
#[cfg(not(target_arch = "wasm32"))]
pub use subscription::Subscription;
#[cfg(not(target_arch = "wasm32"))]
pub use topic::{Gap, PresenceChange, Resumed};
#[cfg(not(target_arch = "wasm32"))]
pub use topics::Topics;
#[cfg(any(feature = "client", feature = "endpoint"))]
pub use v1::SUBPROTOCOL;

#[cfg(not(target_arch = "wasm32"))]
pub use bytes;
#[cfg(feature = "client")]
pub use ws_client;
#[cfg(not(target_arch = "wasm32"))]
pub use ws_tokio;

/// How to do the usual things.
// Its examples need axum, and so are tested by the package `ws-samples`.
#[cfg(all(doc, not(doctest)))]
#[doc = include_str!("../docs/how-to.md")]
pub mod how_to {
    /// The subprotocol `topics.v1`, for clients in other languages.
    #[doc = include_str!("../docs/topics-v1.md")]
    pub mod protocol {}

    /// Metrics and traces.
    #[cfg(feature = "metrics")]
    #[doc = include_str!("../docs/metrics.md")]
    pub mod metrics {}

    /// Several servers, with NATS or Redis.
    #[cfg(feature = "nats")]
    #[doc = include_str!("../docs/cluster.md")]
    pub mod cluster {}
}
