//! Topics, connections that come, go, stall and resume, and what they see.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use ws_tokio::{Config, Receiver, Role, Sender, WebSocket};
use ws_topics::{
    History, PresenceWatch, SlowSubscriber, Start, SubscribeOptions, Subscription, TopicError, Topics,
    TopicsOptions,
};

use crate::chance::Chance;
use crate::model::{Published, Run};
use crate::pipe::Pipe;

const TOPICS: [&str; 5] = ["kept/a", "kept/b", "live/a", "live/b", "$kept"];
const FILTERS: [&str; 4] = ["#", "kept/+", "+/a", "live/#"];
/// How many messages a history keeps.
const KEPT: u64 = 6;
/// How many messages may wait for a connection.
pub(super) const WAITING: usize = 9;

pub struct World {
    pub(super) chance: Chance,
    pub(super) topics: Topics,
    pub(super) published: Published,
    pub(super) connections: Vec<Connection>,
    /// What clients that are gone have seen last.
    pub(super) seen: Vec<(String, ws_topics::Position)>,
    /// The bytes of all histories suffice, so that the model knows what they keep.
    pub(super) plenty: bool,
    pub(super) watch: PresenceWatch,
    pub(super) present: HashMap<String, String>,
    pub received: u64,
    pub gaps: u64,
    pub resumed: u64,
}

pub(super) struct Connection {
    pub(super) pipe: Pipe,
    pub(super) sender: Sender,
    pub(super) receiver: Receiver<Pipe>,
    pub(super) subscriptions: Vec<(Subscription, Option<String>)>,
    /// Of subscriptions that have ended, too.
    pub(super) runs: Vec<Run>,
    pub(super) by_filter: bool,
}

pub(super) fn matches(filter: &str, topic: &str) -> bool {
    match filter {
        "#" => !topic.starts_with('$'),
        "kept/+" => topic.starts_with("kept/"),
        "+/a" => topic.ends_with("/a"),
        "live/#" => topic.starts_with("live/"),
        exact => exact == topic,
    }
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let plenty = !chance.one_in(4);
        let history = History::default().max_messages(KEPT as usize);
        let topics = Topics::new(
            TopicsOptions::default()
                .max_topics(4)
                .max_waiting_messages(WAITING)
                .max_history_bytes(if plenty { 1 << 20 } else { 8 * 540 })
                .history("kept/#", history)
                .history("$kept", history)
                .frame(|it| format!("M {} {}", it.topic, it.position).into())
                .gap_mark(|gap| {
                    let lost = gap.lost.map_or("?".into(), |lost| lost.to_string());
                    let range = gap.range.map_or("?".into(), |(first, last)| format!("{first} {last}"));
                    Some(format!("G {} {lost} {range}", gap.topic).into())
                }),
        )
        .unwrap();
        let watch = topics.watch_presence("kept/a").unwrap();
        Self {
            chance,
            topics,
            published: Published::default(),
            connections: Vec::new(),
            seen: Vec::new(),
            plenty,
            watch,
            present: HashMap::new(),
            received: 0,
            gaps: 0,
            resumed: 0,
        }
    }

    pub fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            match self.chance.below(16) {
                0..6 => self.publish(),
                6 => self.publish_batch(),
                7..9 => self.connect(),
                9 => self.subscribe(),
                10 => self.unsubscribe(),
                11 => self.end_one(),
                12 => self.look_at_presence(),
                _ => self.read_some(),
            }
            self.check();
        }
        self.finish();
    }

    fn publish(&mut self) {
        let topic = self.chance.pick(&TOPICS);
        let from = self.some_connection().filter(|_| self.chance.one_in(3));
        let published = match from {
            Some(place) => self.topics.publish_from(&self.connections[place].sender, topic, "x"),
            None => self.topics.publish(topic, "x"),
        };
        match published {
            Ok(published) => {
                if let Some(position) = published.position {
                    let from = from.map(|place| self.connections[place].sender.connection_id().get());
                    self.published.add(topic, position, from);
                }
            }
            Err(TopicError::TooManyTopics { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn publish_batch(&mut self) {
        let mut batch = self.topics.batch();
        for _ in 0..self.chance.below(30) {
            let topic = self.chance.pick(&TOPICS);
            match batch.publish(topic, "x") {
                Ok(Some(position)) => self.published.add(topic, position, None),
                Ok(None) | Err(TopicError::TooManyTopics { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        drop(batch);
    }

    fn connect(&mut self) {
        if self.connections.len() >= 5 {
            return;
        }
        let pipe = Pipe::default();
        pipe.make_room(self.chance.pick(&[0, 30, usize::MAX]));
        let config = Config::server().send_high_water(60).keepalive(None);
        let socket = WebSocket::from_raw(pipe.clone(), Role::Server, config).unwrap();
        let (sender, receiver) = socket.split();
        let by_filter = self.chance.one_in(3);
        let (subscriptions, runs) = (Vec::new(), Vec::new());
        self.connections.push(Connection { pipe, sender, receiver, subscriptions, runs, by_filter });
        self.subscribe_at(self.connections.len() - 1);
    }

    fn subscribe(&mut self) {
        if let Some(place) = self.some_connection() {
            self.subscribe_at(place);
        }
    }

    fn subscribe_at(&mut self, place: usize) {
        let chance = &mut self.chance;
        let connection = &mut self.connections[place];
        let topic = if connection.by_filter { chance.pick(&FILTERS) } else { chance.pick(&TOPICS) };
        // One subscription by a filter for each connection, and one to each topic: so it is known whose a message is.
        let taken = connection.runs.iter().any(|run| connection.by_filter || run.topic == topic);
        if taken || !connection.sender.is_open() {
            return;
        }
        let kept = topic.contains("kept") && self.plenty;
        let back = self.seen.iter().rev().find(|(seen, _)| seen == topic).map(|(_, position)| *position);
        let start = match chance.below(4) {
            _ if connection.by_filter => Start::Live,
            0 => Start::Live,
            1 if kept => Start::Last(chance.below(9) as u64),
            _ => back.map_or(Start::Live, Start::Since),
        };
        let slow = match chance.below(8) {
            0 => SlowSubscriber::Close,
            1..3 => SlowSubscriber::DropNewest,
            3..5 => SlowSubscriber::Conflate(None),
            _ => SlowSubscriber::DropOldest,
        };
        let mut options = SubscribeOptions::default().slow(slow).max_messages(1 + chance.below(5));
        options.start = start;
        let identity =
            (!connection.by_filter && chance.one_in(2)).then(|| format!("user {}", chance.below(3)));
        if let Some(identity) = &identity {
            options = options.present(identity.as_str(), "same");
        }
        let heads = Run::heads(&self.published, |other| matches(topic, other));
        let subscription = match self.topics.subscribe(&connection.sender, topic, options) {
            Ok(subscription) => subscription,
            Err(TopicError::TooManyTopics { .. }) => return,
            Err(error) => panic!("{error}"),
        };
        let id = connection.sender.connection_id().get();
        let run = if connection.by_filter {
            Run::of_filter(topic, id, heads)
        } else {
            let head = self.topics.head(topic).unwrap();
            let kept = kept.then_some(KEPT).or((!topic.contains("kept")).then_some(0));
            self.resumed += u64::from(subscription.resumed().is_some());
            Run::of_topic(topic, id, head, start, subscription.resumed(), kept)
        };
        connection.runs.push(run);
        connection.subscriptions.push((subscription, identity));
    }

    fn unsubscribe(&mut self) {
        let Some(place) = self.some_connection() else { return };
        let subscriptions = &mut self.connections[place].subscriptions;
        if !subscriptions.is_empty() {
            drop(subscriptions.swap_remove(self.chance.below(subscriptions.len())));
        }
    }

    /// A connection ends, in one of several ways, and its client remembers what it has seen.
    fn end_one(&mut self) {
        let Some(place) = self.some_connection() else { return };
        self.look(place);
        let mut connection = self.connections.swap_remove(place);
        match self.chance.below(3) {
            0 => {
                connection.pipe.lose();
                poll_receiver(&mut connection);
            }
            1 => {
                connection.pipe.make_room(usize::MAX);
                connection.pipe.send_close();
                poll_receiver(&mut connection);
                poll_receiver(&mut connection);
            }
            _ => {
                let Connection { sender, receiver, subscriptions, runs, .. } = connection;
                drop((sender, receiver));
                assert!(subscriptions.iter().all(|(subscription, _)| subscription.is_ended()));
                self.seen.extend(runs.into_iter().filter_map(|run| Some((run.topic, run.seen?))));
                return;
            }
        }
        assert!(connection.subscriptions.iter().all(|(subscription, _)| subscription.is_ended()));
        self.seen.extend(connection.runs.into_iter().filter_map(|run| Some((run.topic, run.seen?))));
    }

    fn read_some(&mut self) {
        if let Some(place) = self.some_connection() {
            let room = self.chance.pick(&[1, 20, 200, 2_000]);
            self.connections[place].pipe.make_room(room);
            poll_receiver(&mut self.connections[place]);
            self.look(place);
        }
    }

    fn some_connection(&mut self) -> Option<usize> {
        if self.connections.is_empty() { None } else { Some(self.chance.below(self.connections.len())) }
    }
}

pub(super) fn poll_receiver(connection: &mut Connection) {
    // Several times: after a few steps it lets others run.
    for _ in 0..4 {
        let received = pin!(connection.receiver.recv());
        if received.poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return;
        }
    }
}
