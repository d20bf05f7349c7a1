//! Several servers, a backplane that fails in all ways, and connections that come, go, stall and resume on another server.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::hash::{DefaultHasher, Hasher};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use ws_tokio::{Config, Receiver, Role, Sender, WebSocket};
use ws_topics::{
    ClusterOptions, History, Position, PresenceWatch, Start, SubscribeOptions, Subscription, TopicError,
    Topics, TopicsOptions,
};

use crate::chance::Chance;
use crate::fake::{Faults, Health, Net};
use crate::follow::{Record, View};
use crate::pipe::Pipe;

const LIVE: [&str; 3] = ["live/a", "live/b", "kept/a"];
const DURABLE: [&str; 2] = ["log/a", "log/b"];
const FILTERS: [&str; 3] = ["live/#", "+/a", "log/+"];
/// How many messages may wait to be sent, and to be stored.
const OUTGOING: usize = 40;
/// How many messages may wait for a subscription.
const WAITING: usize = 6;

pub struct Servers {
    chance: Chance,
    net: Net,
    servers: Vec<Server>,
    connections: Vec<Connection>,
    /// Clients that are gone: the server that they were at, and what they have seen.
    gone: Vec<(u64, View)>,
    record: Record,
    /// Durable messages, and what has become of them.
    outcomes: Arc<Mutex<BTreeMap<String, Result<Position, TopicError>>>>,
    accepted: Vec<(u64, String)>,
    numbers: BTreeMap<(String, u64), u64>,
    lives: u64,
    lost_logs: bool,
    trace: DefaultHasher,
    pub received: u64,
    pub gaps: u64,
    pub resumed: u64,
}

struct Server {
    number: usize,
    /// Its name follows from that.
    seed: u64,
    /// Another one after each restart.
    life: u64,
    topics: Topics,
    running: JoinHandle<()>,
    _watch: PresenceWatch,
}

struct Connection {
    life: u64,
    pipe: Pipe,
    sender: Sender,
    receiver: Receiver<Pipe>,
    subscription: Subscription,
    start: Start,
    has_begun: bool,
    identity: Option<String>,
    view: View,
}

fn options(seed: u64) -> TopicsOptions {
    let history = History::default().max_messages(8);
    TopicsOptions::default()
        .history("kept/#", history)
        .history("log/#", history.max_messages(10).durable(true))
        .cluster(
            ClusterOptions::default()
                .seed(Some(seed))
                .linger(Duration::from_secs(3))
                .max_outgoing_messages(OUTGOING)
                .max_unstored_messages(OUTGOING),
        )
        .frame(|it| {
            let text = it.message.as_text().unwrap_or_default();
            format!("M {} {} {text}", it.topic, fixed(it.position)).into()
        })
        .gap_mark(|gap| {
            let lost = gap.lost.map_or("?".into(), |lost| lost.to_string());
            let range = gap.range.map(|(first, last)| format!(" {} {}", fixed(first), fixed(last)));
            Some(format!("G {} {lost}{}", gap.topic, range.unwrap_or_default()).into())
        })
}

/// Epochs are random, and what fits into a pipe must not depend on them.
fn fixed(position: Position) -> String {
    format!("{:016}:{}", position.epoch, position.offset)
}

fn matches(filter: &str, topic: &str) -> bool {
    match filter {
        "live/#" => topic.starts_with("live/"),
        "+/a" => topic.ends_with("/a"),
        "log/+" => topic.starts_with("log/"),
        exact => exact == topic,
    }
}

impl Servers {
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let net = Net::new(chance.next());
        let mut world = Self {
            servers: Vec::new(),
            net,
            connections: Vec::new(),
            gone: Vec::new(),
            record: Record::default(),
            outcomes: Arc::default(),
            accepted: Vec::new(),
            numbers: BTreeMap::new(),
            lives: 0,
            lost_logs: false,
            trace: DefaultHasher::new(),
            received: 0,
            gaps: 0,
            resumed: 0,
            chance,
        };
        for number in 0..2 + world.chance.below(3) {
            let server = world.start(number);
            world.servers.push(server);
        }
        world
    }

    fn start(&mut self, number: usize) -> Server {
        self.lives += 1;
        // Some have the name of another one that is there, or was a moment ago.
        let another = self.chance.one_in(6).then(|| self.servers.iter().map(|it| it.seed).min()).flatten();
        let seed = another.unwrap_or_else(|| self.chance.next());
        let (topics, cluster) = Topics::clustered(options(seed), self.net.server(number)).unwrap();
        let watch = topics.watch_presence("room").unwrap();
        let running = tokio::spawn(cluster.run());
        Server { number, seed, life: self.lives, topics, running, _watch: watch }
    }

    pub async fn run(&mut self, steps: usize) -> u64 {
        self.rest(1_500).await;
        (0..4).for_each(|_| self.connect());
        for _ in 0..steps {
            match self.chance.below(24) {
                0..7 => self.publish_live(),
                7..10 => self.publish_durable(),
                10..13 => self.connect(),
                13..15 => {
                    self.end_one();
                    self.connect();
                }
                15..17 => self.read_some(),
                17 => self.fail(),
                18 => self.heal(),
                19 if self.chance.one_in(3) => self.restart().await,
                20 if self.chance.one_in(3) => self.lose_log(),
                _ => {
                    let most = self.chance.pick(&[0, 5, 300, 2_500, 9_000]);
                    let most = 1 + self.chance.below(most + 1) as u64;
                    self.rest(most).await;
                }
            }
            self.check();
        }
        self.finish().await;
        self.trace.finish()
    }

    /// Lets time pass; whoever reads goes on reading.
    async fn rest(&mut self, milliseconds: u64) {
        sleep(Duration::from_millis(milliseconds)).await;
        for place in 0..self.connections.len() {
            poll(&mut self.connections[place].receiver);
            self.look(place);
        }
    }

    fn some_server(&mut self) -> usize {
        self.chance.below(self.servers.len())
    }

    fn next_number(&mut self, topic: &str, life: u64) -> u64 {
        let number = self.numbers.entry((topic.into(), life)).or_insert(0);
        *number += 1;
        *number
    }

    fn publish_live(&mut self) {
        let (place, topic) = (self.some_server(), self.chance.pick(&LIVE));
        let (life, topics) = (self.servers[place].life, self.servers[place].topics.clone());
        let mut batch = topics.batch();
        let most = self.chance.pick(&[1, 1, 4, 60]);
        for _ in 0..1 + self.chance.below(most) {
            let number = self.next_number(topic, life);
            batch.publish(topic, format!("{life}.{number}")).unwrap();
            self.record.lives.entry((topic.into(), life)).or_default().push(Instant::now());
        }
    }

    fn publish_durable(&mut self) {
        let (place, topic) = (self.some_server(), self.chance.pick(&DURABLE));
        let (life, topics) = (self.servers[place].life, self.servers[place].topics.clone());
        let most = self.chance.pick(&[1, 1, 4, 60]);
        for _ in 0..1 + self.chance.below(most) {
            let number = self.next_number(topic, life);
            let text = format!("{life}.{number}");
            let (topics, outcomes) = (topics.clone(), Arc::clone(&self.outcomes));
            let key = format!("{topic} {text}");
            self.accepted.push((life, key.clone()));
            tokio::spawn(async move {
                let outcome = topics.publish_confirmed(topic, text).await;
                outcomes.lock().unwrap().insert(key, outcome.map(|position| position.unwrap()));
            });
        }
    }

    fn connect(&mut self) {
        if self.connections.len() >= 6 {
            return;
        }
        let place = self.some_server();
        let (life, topics) = (self.servers[place].life, self.servers[place].topics.clone());
        // A client that was there before resumes, often on another server.
        let back = !self.gone.is_empty() && !self.chance.one_in(4);
        let (topic, start, view) = if back {
            let (before, view) = self.gone.swap_remove(self.chance.below(self.gone.len()));
            let topic = view.topic.clone();
            match view.seen.filter(|_| !topic.contains(['#', '+'])) {
                // Positions of durable topics are valid everywhere.
                Some(seen) if topic.starts_with("log/") || before == life => {
                    (topic, Start::Since(seen), Some(view))
                }
                Some(seen) => (topic, Start::Since(seen), None),
                None => (topic, Start::Live, None),
            }
        } else {
            let topic = match self.chance.below(8) {
                0..3 => self.chance.pick(&LIVE),
                3..6 => self.chance.pick(&DURABLE),
                6 => self.chance.pick(&FILTERS),
                _ => "room",
            };
            (topic.to_owned(), Start::Live, None)
        };
        self.resumed += u64::from(view.is_some());
        let view =
            view.unwrap_or_else(|| View::new(&topic, topic.starts_with("log/") && !topic.contains('+')));
        let mut options = SubscribeOptions::default().max_messages(WAITING - self.chance.below(4));
        options.start = start;
        let identity = (topic == "room").then(|| format!("user {}", self.chance.below(4)));
        if let Some(identity) = &identity {
            options = options.present(identity.as_str(), "same");
        }
        let pipe = Pipe::default();
        pipe.make_room(if self.chance.one_in(4) { self.chance.below(60) } else { usize::MAX });
        let config = Config::server().send_high_water(90).keepalive(None);
        let (sender, receiver) = WebSocket::from_raw(pipe.clone(), Role::Server, config).unwrap().split();
        let subscription = topics.subscribe(&sender, &topic, options).unwrap();
        let has_begun = false;
        let connection =
            Connection { life, pipe, sender, receiver, subscription, start, has_begun, identity, view };
        self.connections.push(connection);
        self.look(self.connections.len() - 1);
    }

    fn end_one(&mut self) {
        if self.connections.is_empty() {
            return;
        }
        let place = self.chance.below(self.connections.len());
        self.look(place);
        let connection = self.connections.swap_remove(place);
        self.gone.push((connection.life, connection.view));
    }

    fn read_some(&mut self) {
        if self.connections.is_empty() {
            return;
        }
        let place = self.chance.below(self.connections.len());
        let room = self.chance.pick(&[30, 300, 3_000]);
        self.connections[place].pipe.make_room(room);
        poll(&mut self.connections[place].receiver);
        self.look(place);
    }

    fn fail(&mut self) {
        if self.chance.one_in(2) {
            let place = self.some_server();
            let health = self.chance.pick(&[Health::Stalled, Health::Dead]);
            self.net.health(self.servers[place].number, health);
        } else {
            let faults = Faults {
                lose: self.chance.pick(&[0, 2, 10]),
                repeat: self.chance.pick(&[0, 2, 10]),
                reorder: self.chance.pick(&[0, 2, 10]),
                refuse: self.chance.pick(&[0, 0, 2, 10]),
                delay: self.chance.pick(&[0, 3, 100, 1_500]),
            };
            self.net.faults(faults);
        }
    }

    fn heal(&mut self) {
        self.net.faults(Faults::default());
        for server in &self.servers {
            self.net.health(server.number, Health::Well);
        }
    }

    /// A server is killed, and another takes its place.
    async fn restart(&mut self) {
        let place = self.some_server();
        let (number, life) = (self.servers[place].number, self.servers[place].life);
        self.servers[place].running.abort();
        self.net.health(number, Health::Dead);
        while let Some(of_it) = self.connections.iter().position(|connection| connection.life == life) {
            self.look(of_it);
            let connection = self.connections.swap_remove(of_it);
            self.gone.push((life, connection.view));
        }
        self.record.killed.push(life);
        self.rest(1).await;
        self.net.health(number, Health::Well);
        self.servers[place] = self.start(number);
    }

    fn lose_log(&mut self) {
        let topic = self.chance.pick(&DURABLE);
        if self.chance.one_in(2) {
            self.lost_logs = true;
            self.net.lose_log(topic);
        } else {
            self.net.lose_entries(topic, self.chance.below(12));
        }
    }

    /// Looks at what a client has read.
    fn look(&mut self, place: usize) {
        let connection = &mut self.connections[place];
        if !connection.has_begun {
            let mut begun = pin!(connection.subscription.begun());
            if let std::task::Poll::Ready(resumed) =
                begun.as_mut().poll(&mut Context::from_waker(Waker::noop()))
            {
                connection.has_begun = true;
                let server = self.servers.iter().find(|server| server.life == connection.life);
                let head = server.and_then(|server| server.topics.head(&connection.view.topic));
                connection.view.begin(connection.start, resumed, head);
            }
        }
        for text in connection.pipe.texts() {
            let words: Vec<_> = text.split(' ').collect();
            match words[..] {
                ["M", topic, at, text] => {
                    let (life, number) = text.split_once('.').unwrap();
                    self.trace.write(format!("{place} {topic} {text}").as_bytes());
                    self.received += 1;
                    let (from, number) = (life.parse().unwrap(), number.parse().unwrap());
                    connection.view.see(topic, at.parse().unwrap(), from, number, &self.record, &self.net);
                }
                ["G", topic, lost, ref range @ ..] => {
                    self.trace.write(format!("{place} {topic} lost {lost}").as_bytes());
                    self.gaps += 1;
                    let range = match range {
                        [first, last] => Some((first.parse().unwrap(), last.parse().unwrap())),
                        _ => None,
                    };
                    connection.view.see_gap(lost.parse().ok(), range);
                }
                _ => panic!("{text}"),
            }
        }
    }

    /// What always is so.
    fn check(&self) {
        for server in &self.servers {
            let stats = server.topics.stats();
            assert_eq!(
                stats.offered,
                stats.delivered + stats.dropped + stats.ended + stats.waiting,
                "{stats:?}"
            );
            assert!(stats.history_bytes <= 3 * 10 * 560, "{stats:?}");
            let counts = server.topics.cluster_counts().unwrap();
            // And a few heartbeats.
            assert!(counts.outgoing <= OUTGOING as u64 + 10, "{counts:?}");
            assert!(counts.unstored <= OUTGOING as u64, "{counts:?}");
        }
        for connection in &self.connections {
            assert!(connection.subscription.waiting() <= WAITING + 1);
        }
    }

    /// Everything heals, and everybody reads everything: then all is delivered or marked, and all lists of members agree.
    async fn finish(&mut self) {
        self.heal();
        for connection in &self.connections {
            connection.pipe.make_room(usize::MAX);
        }
        for _ in 0..6 {
            self.rest(4_000).await;
        }
        self.check();
        for connection in &mut self.connections {
            if !connection.sender.is_open() {
                // Its peer took nothing for longer than a connection waits.
                assert!(connection.subscription.is_ended());
                continue;
            }
            assert!(connection.has_begun, "{}", connection.view.topic);
            assert_eq!(connection.subscription.waiting(), 0);
            let topic = connection.view.topic.clone();
            connection.view.finish(&self.record, &self.net, |other| matches(&topic, other));
        }
        let there = self.connections.iter().filter(|connection| !connection.subscription.is_ended());
        let expected: BTreeSet<_> = there.filter_map(|it| it.identity.clone()).collect();
        for server in &self.servers {
            let present: BTreeSet<_> =
                server.topics.presence("room").iter().map(|member| member.identity.to_string()).collect();
            assert_eq!(present, expected, "presence converges");
            let state = server.topics.backplane().unwrap();
            assert!(state.up, "{state:?}");
        }
        self.check_logs();
    }

    /// What was confirmed is stored, at that place and once; what was refused is not.
    fn check_logs(&mut self) {
        let mut stored = BTreeMap::new();
        for (topic, epoch) in self.net.lives() {
            let mut ids = BTreeSet::new();
            for (place, (id, payload)) in self.net.stored(&topic, epoch).into_iter().enumerate() {
                assert!(ids.insert(id), "{topic}: an entry is stored twice");
                let text = String::from_utf8(payload[18..].to_vec()).unwrap();
                let at = Position { epoch, offset: place as u64 + 1 };
                let before = stored.insert(format!("{topic} {text}"), at);
                assert!(before.is_none() || self.lost_logs, "{topic}: {text} is stored twice");
            }
        }
        let outcomes = self.outcomes.lock().unwrap();
        for (life, message) in &self.accepted {
            match outcomes.get(message) {
                Some(Ok(at)) => assert!(stored.get(message) == Some(at) || self.lost_logs, "{message}"),
                Some(Err(TopicError::BackplaneFull { .. } | TopicError::Refused { .. })) => {
                    assert_eq!(stored.get(message), None, "{message}")
                }
                Some(Err(TopicError::Unconfirmed { .. })) => {}
                None => assert!(self.record.killed.contains(life), "{message} waits for ever"),
                other => panic!("{other:?}"),
            }
        }
    }
}

fn poll(receiver: &mut Receiver<Pipe>) {
    // Several times: after a few steps it lets others run.
    for _ in 0..4 {
        let received = pin!(receiver.recv());
        if received.poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return;
        }
    }
}
