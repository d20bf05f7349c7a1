//! What a client has asked for, and what it sends and reports next: without I/O.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use ws_core::Message;

use super::error::ClientError;
use super::event::Event;
use super::held::{Done, Events, Held, Stage};
use super::request::SubscribeRequest;
use super::waiting::Waiting;
use crate::name;
use crate::position::Position;
use crate::start::{Member, Start};
use crate::v1::{Content, Person, Reply, Request};

/// A call of the user.
#[derive(Debug)]
pub(super) enum Command {
    Subscribe {
        topic: String,
        request: SubscribeRequest,
        events: Events,
        waiting: Arc<Waiting>,
        done: Done<()>,
    },
    Unsubscribe {
        topic: String,
    },
    /// The events that waited were taken.
    Resume {
        topic: String,
    },
    Publish {
        topic: String,
        message: Message,
        key: String,
        done: Done<Option<Position>>,
    },
    Presence {
        topic: String,
        done: Done<Vec<Member>>,
    },
    /// For the task: close the connection.
    Close,
}

/// Subscriptions, and requests without an answer.
#[derive(Debug, Default)]
pub(super) struct State {
    last_id: u64,
    connected: bool,
    subscriptions: HashMap<String, Held>,
    pending: BTreeMap<u64, Pending>,
    /// What is to be sent; nothing while there is no connection.
    outgoing: VecDeque<Request>,
}

#[derive(Debug)]
enum Pending {
    Subscribe(String),
    Unsubscribe(String),
    /// These are sent again on the next connection.
    Publish(Request, Done<Option<Position>>),
    Presence(Request, Done<Vec<Member>>),
}

impl State {
    /// How many requests wait for an answer.
    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Returns the next request to be sent.
    pub(super) fn next_request(&mut self) -> Option<Request> {
        self.outgoing.pop_front()
    }

    /// Begins what a call asks for.
    pub(super) fn command(&mut self, command: Command) {
        match command {
            Command::Subscribe { topic, done, .. } if self.subscriptions.contains_key(&topic) => {
                let _ = done.send(Err(ClientError::AlreadySubscribed { topic }));
            }
            Command::Subscribe { topic, request, events, waiting, done } => {
                let held = Held::new(name::is_filter(&topic), request, events, waiting, done);
                self.subscriptions.insert(topic.clone(), held);
                self.subscribe(&topic);
            }
            Command::Unsubscribe { topic } => {
                // Unless it has ended, and this is another one.
                if self.subscriptions.get(&topic).is_some_and(Held::is_dropped) {
                    self.unsubscribe(&topic);
                }
            }
            Command::Resume { topic } => self.subscribe(&topic),
            Command::Publish { topic, message, key, done } => {
                let id = self.next_id();
                let content = Content::of(&message);
                let request = Request::Publish { id, topic, content, key: Some(key), echo: true };
                self.send(request.clone());
                self.pending.insert(id, Pending::Publish(request, done));
            }
            Command::Close => {}
            Command::Presence { topic, done } => {
                let id = self.next_id();
                let request = Request::Presence { id, topic };
                self.send(request.clone());
                self.pending.insert(id, Pending::Presence(request, done));
            }
        }
    }

    /// Asks the server for an answer, to see whether it is there.
    pub(super) fn ping(&mut self) {
        let id = self.next_id();
        self.send(Request::Ping { id });
    }

    /// There is a connection: everything is asked for again.
    pub(super) fn connected(&mut self) {
        self.connected = true;
        let topics: Vec<String> = self.subscriptions.keys().cloned().collect();
        for topic in topics {
            self.subscribe(&topic);
        }
        self.outgoing.extend(self.pending.values().filter_map(|pending| match pending {
            Pending::Publish(request, _) | Pending::Presence(request, _) => Some(request.clone()),
            Pending::Subscribe(_) | Pending::Unsubscribe(_) => None,
        }));
    }

    /// The connection is lost.
    pub(super) fn disconnected(&mut self) {
        self.connected = false;
        self.outgoing.clear();
        self.pending.retain(|_, pending| matches!(pending, Pending::Publish(..) | Pending::Presence(..)));
        self.subscriptions.retain(|_, held| !held.is_dropped());
        for held in self.subscriptions.values_mut() {
            if std::mem::replace(&mut held.stage, Stage::Idle) != Stage::Idle && held.was_answered() {
                held.report(None, Event::Disconnected);
            }
        }
    }

    /// There will be no connection any more.
    pub(super) fn fail(&mut self, error: &ClientError) {
        for (_, held) in self.subscriptions.drain() {
            held.end(error.clone());
        }
        for pending in std::mem::take(&mut self.pending).into_values() {
            pending.refuse(error.clone());
        }
    }

    /// Handles a message of the server. An answer to something else than what was asked is ignored.
    pub(super) fn received(&mut self, reply: Reply) {
        match reply {
            Reply::Subscribed { id, position, missed, .. } => {
                if let Some(Pending::Subscribe(topic)) =
                    self.take(id, |it| matches!(it, Pending::Subscribe(_)))
                {
                    let position = position.and_then(|position| position.parse().ok());
                    self.subscribed(&topic, position, missed.flatten());
                }
            }
            Reply::Unsubscribed { id, .. } => {
                if let Some(Pending::Unsubscribe(topic)) =
                    self.take(id, |it| matches!(it, Pending::Unsubscribe(_)))
                {
                    self.unsubscribed(id, &topic);
                }
            }
            Reply::Published { id, position, .. } => {
                if let Some(Pending::Publish(_, done)) =
                    self.take(id, |it| matches!(it, Pending::Publish(..)))
                {
                    let _ = done.send(Ok(position.and_then(|position| position.parse().ok())));
                }
            }
            Reply::Members { id, members: people, .. } => {
                if let Some(Pending::Presence(_, done)) =
                    self.take(id, |it| matches!(it, Pending::Presence(..)))
                {
                    let _ = done.send(Ok(members(people)));
                }
            }
            Reply::Error { id, code, message } => {
                if let Some(id) = id {
                    self.refused(id, ClientError::Refused { code: code.to_string(), message });
                }
            }
            Reply::Message { topic, position, content } => {
                if let (Ok(position), Ok(message), Some(subscription)) =
                    (position.parse(), content.into_message(), self.subscription_of(&topic))
                {
                    self.report(&subscription, Some(position), Event::Message { topic, position, message });
                }
            }
            Reply::Gap { topic, lost, first, last } => {
                let parse = |position: Option<String>| position.and_then(|position| position.parse().ok());
                let range = parse(first).zip(parse(last));
                self.report(&topic, range.map(|(_, last)| last), Event::Gap { lost, range });
            }
            Reply::Presence { topic, all, joined, updated, left } => {
                let (joined, updated, left) = (members(joined), members(updated), members(left));
                self.report(&topic, None, Event::Presence { all, joined, updated, left });
            }
            Reply::Pong { .. } => {}
        }
    }

    /// Returns the request of this number, if it is of the kind that was answered.
    fn take(&mut self, id: u64, is_asked: impl FnOnce(&Pending) -> bool) -> Option<Pending> {
        self.pending.get(&id).is_some_and(is_asked).then(|| self.pending.remove(&id)).flatten()
    }

    /// Asks for a subscription, unless that is done, or it has to wait.
    fn subscribe(&mut self, topic: &str) {
        let connected = self.connected;
        let Some(held) = self.subscriptions.get_mut(topic) else { return };
        if !connected || held.is_active() || held.is_behind() {
            return;
        }
        // The latest one; it is answered first.
        let after = self.pending.iter().rev().find_map(|(id, pending)| match pending {
            Pending::Unsubscribe(ending) if ending == topic => Some(*id),
            _ => None,
        });
        let (since, last) = match held.begin(after) {
            Start::Live => (None, None),
            Start::Since(position) => (Some(position.to_string()), None),
            Start::Last(messages) => (None, Some(messages)),
        };
        let (present, watch) = (held.request.present.clone(), held.request.watch);
        let (id, topic) = (self.next_id(), topic.to_owned());
        self.pending.insert(id, Pending::Subscribe(topic.clone()));
        self.send(Request::Subscribe { id, topic, since, last, present, watch });
    }

    fn subscribed(&mut self, topic: &str, position: Option<Position>, missed: Option<u64>) {
        let Some(held) = self.subscriptions.get_mut(topic) else { return };
        if held.answered(position) {
            return;
        }
        self.report(topic, None, Event::Resumed { missed });
        if name::is_filter(topic) {
            // It has no history to resume from.
            self.report(topic, None, Event::Gap { lost: None, range: None });
        }
    }

    fn unsubscribe(&mut self, topic: &str) {
        if self.subscriptions.remove(topic).is_some_and(|held| held.is_active()) {
            self.ask_to_unsubscribe(topic);
        }
    }

    fn ask_to_unsubscribe(&mut self, topic: &str) {
        let (id, topic) = (self.next_id(), topic.to_owned());
        self.pending.insert(id, Pending::Unsubscribe(topic.clone()));
        self.send(Request::Unsubscribe { id, topic });
    }

    /// What arrives from now on is of the next subscription, if there is one.
    fn unsubscribed(&mut self, id: u64, topic: &str) {
        if let Some(held) = self.subscriptions.get_mut(topic)
            && held.stage == (Stage::Active { after: Some(id) })
        {
            held.stage = Stage::Active { after: None };
        }
    }

    fn refused(&mut self, id: u64, error: ClientError) {
        match self.pending.remove(&id) {
            Some(Pending::Subscribe(topic)) => {
                if let Some(held) = self.subscriptions.remove(&topic) {
                    held.end(error);
                }
            }
            // There was none any more.
            Some(Pending::Unsubscribe(topic)) => self.unsubscribed(id, &topic),
            Some(pending) => pending.refuse(error),
            None => {}
        }
    }

    /// Reports an event to a subscription. If too many wait there, it is ended, and resumes when they are taken.
    fn report(&mut self, topic: &str, position: Option<Position>, event: Event) {
        let Some(held) = self.subscriptions.get_mut(topic) else { return };
        if held.stage != (Stage::Active { after: None }) || held.report(position, event) {
            return;
        }
        if held.is_dropped() {
            return self.unsubscribe(topic);
        }
        let taken = held.fall_behind();
        self.ask_to_unsubscribe(topic);
        if taken {
            self.subscribe(topic);
        }
    }

    /// The subscription that messages of a topic are for: a connection has one.
    fn subscription_of(&self, topic: &str) -> Option<String> {
        if self.subscriptions.contains_key(topic) {
            return Some(topic.to_owned());
        }
        self.subscriptions.keys().find(|filter| name::matches(filter, topic)).cloned()
    }

    fn send(&mut self, request: Request) {
        if self.connected {
            self.outgoing.push_back(request);
        }
    }

    fn next_id(&mut self) -> u64 {
        self.last_id = self.last_id.saturating_add(1);
        self.last_id
    }
}

impl Pending {
    fn refuse(self, error: ClientError) {
        match self {
            Self::Publish(_, done) => drop(done.send(Err(error))),
            Self::Presence(_, done) => drop(done.send(Err(error))),
            Self::Subscribe(_) | Self::Unsubscribe(_) => {}
        }
    }
}

fn members(people: Vec<Person>) -> Vec<Member> {
    people.into_iter().map(Member::from).collect()
}
