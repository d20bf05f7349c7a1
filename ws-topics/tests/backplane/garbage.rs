//! Servers on a backplane that something else writes to as well: what is none of theirs is counted, and ends nothing.

use std::time::Duration;

use tokio::io::{DuplexStream, duplex};
use tokio::time::timeout;
use ws_topics::bytes::Bytes;
use ws_topics::ws_tokio::{Config, Role, WebSocket};
use ws_topics::{
    Backplane, Channel, ClusterEvent, ClusterEvents, Entry, History, Inbox, Incoming, Interest, Link,
    SubscribeOptions, Subscription, Topics, TopicsOptions,
};

use crate::contract::Names;

const PATIENCE: Duration = Duration::from_secs(20);
const ROUNDS: usize = 10;

/// A server and what happens to it.
struct Server {
    topics: Topics,
    events: ClusterEvents,
}

impl Server {
    async fn start<B: Backplane>(backplane: B) -> Self {
        let options = TopicsOptions::default()
            .history("+/log", kept().durable(true))
            .gap_mark(|gap| Some(gap.lost.map_or("lost ?".into(), |lost| format!("lost {lost}")).into()));
        let (topics, cluster) = Topics::clustered(options, backplane).expect("these settings are possible");
        let mut server = Self { events: topics.events(), topics };
        tokio::spawn(cluster.run());
        while server.event().await != ClusterEvent::Up {}
        server
    }

    async fn event(&mut self) -> ClusterEvent {
        timeout(PATIENCE, self.events.next()).await.expect("in time").expect("it goes on")
    }

    /// A subscriber that takes everything at once.
    async fn subscribe(&self, topic: &str) -> Subscriber {
        let (near, far) = duplex(1 << 20);
        let socket = WebSocket::from_raw(far, Role::Server, Config::server()).expect("possible");
        let (sender, receiver) = socket.split();
        let subscription =
            self.topics.subscribe(&sender, topic, SubscribeOptions::default()).expect("possible");
        tokio::spawn(receiver.discard());
        timeout(PATIENCE, subscription.begun()).await.expect("it begins in time");
        let client = WebSocket::from_raw(near, Role::Client, Config::client()).expect("possible");
        Subscriber { client, _subscription: subscription }
    }
}

struct Subscriber {
    client: WebSocket<DuplexStream>,
    _subscription: Subscription,
}

impl Subscriber {
    /// The next message, and how many gap marks come before it.
    async fn next(&mut self) -> (String, usize) {
        let mut marks = 0;
        loop {
            let message = timeout(PATIENCE, self.client.recv()).await.expect("in time").expect("connected");
            let text = message.expect("open").as_text().expect("text").to_owned();
            if !text.starts_with("lost ") {
                return (text, marks);
            }
            marks += 1;
        }
    }
}

/// Nothing of a log is dropped for its length here.
fn kept() -> History {
    History::default().max_bytes(32 << 20)
}

/// Some bytes, always the same.
fn noise(length: usize) -> Bytes {
    let mut chance = length as u64;
    let byte = |_| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (chance >> 56) as u8
    };
    (0..length).map(byte).collect()
}

/// What a server has sent on these channels within two heartbeats.
async fn overheard<B: Backplane>(
    backplane: &B,
    channels: &[Channel],
    during: impl Future<Output = ()>,
) -> Vec<Bytes> {
    let (link, mut inbox) = backplane.connect().await.expect("connected");
    for channel in channels {
        link.subscribe(&Interest::Channel(channel.clone())).await.expect("subscribed");
    }
    during.await;
    let mut payloads = Vec::new();
    let _until_then = timeout(Duration::from_millis(2_500), async {
        while let Ok(Incoming::Message(payload)) = inbox.next().await {
            payloads.push(payload);
        }
    })
    .await;
    payloads
}

/// Returns how many steps there were. `payload` is the longest payload; `spoil` writes to the log of a topic and epoch in another way than servers do.
pub(crate) async fn what_no_server_has_sent_is_counted_and_ends_nothing<B: Backplane>(
    new: impl Fn() -> B,
    payload: usize,
    spoil: impl AsyncFn(&str, u64),
) -> usize {
    let names = Names::new();
    let (live, log) = (names.topic("live"), names.topic("log"));
    let backplane = new();
    let (one, mut two) = (Server::start(new()).await, Server::start(new()).await);
    let (mut lives, mut logged) = (two.subscribe(&live).await, two.subscribe(&log).await);
    let watch = [one.topics.watch_presence(&live), two.topics.watch_presence(&live)];
    let channels = [
        Channel::Servers,
        Channel::Topic(live.clone()),
        Channel::Topic(log.clone()),
        Channel::Presence(live.clone()),
    ];
    let mut epoch = 0;
    let honest = overheard(&backplane, &channels, async {
        // A server that has just subscribed is heard of with its next heartbeat.
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        one.topics.publish(&live, "live 0").expect("published");
        let stored = one.topics.publish_confirmed(&log, "log 0").await.expect("stored");
        epoch = stored.expect("a position").epoch;
    })
    .await;
    assert_eq!((lives.next().await, logged.next().await), (("live 0".into(), 0), ("log 0".into(), 0)));
    assert!(honest.len() >= 4, "{honest:?}");

    let (link, _inbox) = backplane.connect().await.expect("connected");
    let before = two.topics.cluster_counts().expect("clustered").foreign;
    let mut garbage = 0_u64;
    for round in 1..=ROUNDS {
        let mut payloads: Vec<Bytes> =
            [0, 1, 2, 30, 5_000].iter().map(|length| noise(length + 7 * round)).collect();
        payloads.push(Bytes::new());
        for real in &honest {
            payloads.push(real.slice(..(real.len() * round / (ROUNDS + 1)).min(real.len() - 9)));
        }
        // The beginning of something, and nothing that belongs to it.
        payloads.push([b"\x01\x02".to_vec(), vec![0xFF; payload - 1_024]].concat().into());
        for payload in &payloads {
            for channel in &channels {
                link.publish(channel, payload.clone()).await.expect("published");
                garbage += 1;
            }
        }
        for (number, payload) in payloads.into_iter().enumerate() {
            // A longer beginning of what is no entry may be one.
            let payload = if honest.iter().any(|real| real.starts_with(&payload)) {
                payload.slice(..payload.len().min(17))
            } else {
                payload
            };
            let id = 1 << 100 | (round << 32 | number) as u128;
            link.append(&log, &kept(), &[Entry { id, payload }]).await.expect("stored");
        }
        spoil(&log, epoch).await;
        one.topics.publish(&live, format!("live {round}")).expect("published");
        one.topics.publish_confirmed(&log, format!("log {round}")).await.expect("stored");
        assert_eq!(lives.next().await, (format!("live {round}"), 0));
        let (text, marks) = logged.next().await;
        assert!(text == format!("log {round}") && marks > 0, "{text} after {marks} marks");
    }
    // And of what is in the log at least some: a log that was spoiled begins anew.
    let (mut reported, enough) = (0, garbage + 1);
    while reported < enough {
        match two.event().await {
            ClusterEvent::Foreign { messages } => reported += messages,
            ClusterEvent::Gap { topic, .. } => assert_eq!(*topic, *log),
            other => panic!("{other:?}"),
        }
    }
    let counts = two.topics.cluster_counts().expect("clustered");
    assert!(counts.foreign - before >= enough, "{counts:?}: {garbage} payloads");
    assert!([&one, &two].iter().all(|server| server.topics.backplane().is_some_and(|state| state.up)));
    drop(watch);
    println!("  {} {garbage} payloads that no server has sent, and {ROUNDS} logs with more", B::NAME);
    ROUNDS
}
