//! One client.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{Mutex, watch};
use tokio::task::AbortHandle;
use ws_tokio::{Message, Sender};

use super::TopicsEndpoint;
use super::keys::{Key, Outcome, Waiting};
use super::options::EndpointAccess;
use crate::error::TopicError;
use crate::name;
use crate::options::Action;
use crate::position::Position;
use crate::presence_watch::PresenceWatch;
use crate::subscribe_options::SubscribeOptions;
use crate::subscription::Subscription;
use crate::topic::{Begun, PresenceChange, Resumed};
use crate::v1::{Code, Content, NotBase64, Person, Reply, Request, Unreadable, shorten, wrong};

/// A client, and what it has subscribed to.
pub(super) struct Session {
    endpoint: TopicsEndpoint,
    sender: Sender,
    identity: Arc<str>,
    subscriptions: HashMap<String, Subscribed>,
    /// Whoever has it sends a report of presence. One waits for a client that does not read, not one for each topic.
    reporting: Arc<Mutex<()>>,
}

struct Subscribed {
    _subscription: Subscription,
    _watch: Option<Watching>,
}

/// A task that reports changes of presence, until this is dropped.
struct Watching(AbortHandle);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The answer to a request.
pub(super) enum Answer {
    Now(Reply),
    /// When the backplane has answered.
    Later(Pin<Box<dyn Future<Output = Reply> + Send>>),
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self::Now(reply)
    }
}

/// A `subscribe` without its topic.
struct Wanted {
    since: Option<String>,
    last: Option<u64>,
    present: Option<String>,
    watch: bool,
}

/// The longest key of a publication, in bytes.
const MAX_KEY: usize = 64;

impl Session {
    pub(super) fn new(endpoint: TopicsEndpoint, sender: Sender, identity: Arc<str>) -> Self {
        Self { endpoint, sender, identity, subscriptions: HashMap::new(), reporting: Arc::default() }
    }

    /// Does what a message asks for. Returns the answer.
    pub(super) fn answer(&mut self, message: &Message) -> Answer {
        let Some(text) = message.as_text() else {
            let why = format!("a request is a text message, this is a binary one of {} bytes", message.len());
            return invalid(None, &why).into();
        };
        let reply = match Request::parse(text) {
            Err(Unreadable { id, why }) => invalid(id, &why),
            Ok(Request::Subscribe { id, topic, since, last, present, watch }) => {
                return self.subscribe(id, topic, Wanted { since, last, present, watch });
            }
            Ok(Request::Unsubscribe { id, topic }) => match self.subscriptions.remove(&topic) {
                Some(_) => Reply::Unsubscribed { id, topic },
                None => {
                    let why = format!("the client has no subscription to {:?}", shorten(&topic));
                    refused(id, Code::NotSubscribed, &why)
                }
            },
            Ok(Request::Publish { id, topic, content, key, echo }) => {
                return self.publish(id, topic, content, key, echo);
            }
            Ok(Request::Presence { id, topic }) => match self.members(&topic) {
                Ok(members) => Reply::Members { id, topic, members },
                Err(error) => Reply::refused(id, &error),
            },
            Ok(Request::Ping { id }) => Reply::Pong { id },
        };
        reply.into()
    }

    fn subscribe(&mut self, id: u64, topic: String, wanted: Wanted) -> Answer {
        if let Err(error) = self.endpoint.topics().check_name(&topic, true) {
            return Reply::refused(id, &error).into();
        }
        // A message does not say which subscription it is for, so that all subscribers can share it: there is one for each topic.
        if let Some(other) = self.subscriptions.keys().find(|other| name::overlap(other, &topic)) {
            return refused(
                id,
                Code::Subscribed,
                &format!("the subscription to {other:?} matches some of the same topics"),
            )
            .into();
        }
        let topics = self.endpoint.topics().clone();
        let mut options = SubscribeOptions::default().slow(self.endpoint.shared.options.slow.clone());
        match (wanted.since, wanted.last) {
            (Some(_), Some(_)) => {
                return invalid(Some(id), "the members since and last exclude each other").into();
            }
            (Some(since), None) => match since.parse::<Position>() {
                Ok(since) => options = options.since(since),
                Err(_) => {
                    let wanted = "a position of the form EPOCH:OFFSET, two decimal numbers";
                    return invalid(Some(id), &wrong("since", &since.into(), wanted)).into();
                }
            },
            (None, Some(last)) => options = options.last(last),
            (None, None) => {}
        }
        if let Some(value) = wanted.present {
            options = options.present(Arc::clone(&self.identity), value);
        }
        if let Err(error) = self.may_subscribe(&topic, &options, wanted.watch) {
            return Reply::refused(id, &error).into();
        }
        // From before: what is published from here on either follows it, or is in the history after it.
        let before = topics.head(&topic);
        let subscription = match topics.subscribe(&self.sender, &topic, options) {
            Ok(subscription) => subscription,
            Err(error) => return Reply::refused(id, &error).into(),
        };
        let watch = match wanted.watch.then(|| topics.watch_presence(&topic)).transpose() {
            Ok(watch) => watch.map(|watch| self.report_presence(&topic, watch)),
            Err(error) => return Reply::refused(id, &error).into(),
        };
        let (beginning, is_filter) = (subscription.beginning(), name::is_filter(&topic));
        let subscribed = Subscribed { _subscription: subscription, _watch: watch };
        self.subscriptions.insert(topic.clone(), subscribed);
        let reply = move |begun: Begun| {
            let missed = begun.resumed.map(|resumed| match resumed {
                Resumed::Complete { missed } => Some(missed),
                Resumed::Gap(_) => None,
            });
            let position = if is_filter { None } else { before.or(begun.head) };
            let position = position.map(|position| position.to_string());
            Reply::Subscribed { id, topic, position, missed }
        };
        match beginning.now() {
            Some(begun) => reply(begun).into(),
            None => Answer::Later(Box::pin(async move {
                match beginning.wait().await {
                    Some(begun) => reply(begun),
                    None => refused(id, Code::NotSubscribed, "the subscription has ended before it began"),
                }
            })),
        }
    }

    fn may_subscribe(&self, topic: &str, options: &SubscribeOptions, watch: bool) -> Result<(), TopicError> {
        self.authorize(topic, Action::Subscribe)?;
        if watch && name::is_filter(topic) {
            return Err(TopicError::NotForFilters { filter: topic.to_owned(), what: "presence" });
        }
        if watch || options.presence.is_some() {
            self.authorize(topic, Action::Presence)?;
        }
        Ok(())
    }

    fn publish(&self, id: u64, topic: String, content: Content, key: Option<String>, echo: bool) -> Answer {
        if let Err(error) = self.endpoint.topics().check_name(&topic, false) {
            return Reply::refused(id, &error).into();
        }
        if !self.endpoint.shared.options.publish {
            let why = format!("clients may not publish here: topic {topic:?}");
            return refused(id, Code::Forbidden, &why).into();
        }
        if let Err(error) = self.authorize(&topic, Action::Publish) {
            return Reply::refused(id, &error).into();
        }
        let message = match content.into_message() {
            Ok(message) => message,
            Err(NotBase64(text)) => {
                let why = wrong("base64", &text.into(), "base64 (RFC 4648 section 4)");
                return invalid(Some(id), &why).into();
            }
        };
        let key = match key {
            Some(text) if text.len() > MAX_KEY => {
                let wanted = format!("at most {MAX_KEY} bytes long; it has {}", text.len());
                return invalid(Some(id), &wrong("key", &text.into(), &wanted)).into();
            }
            Some(text) => {
                let (identity, topic) = (Arc::clone(&self.identity), topic.as_str().into());
                Some(Key { identity, topic, text: text.into() })
            }
            None => None,
        };
        let mut batch = self.endpoint.topics().batch();
        let publish = || {
            let access = self.access(&topic, Action::Publish);
            let message = self.endpoint.shared.options.prepared(&access, message);
            let message = message.map_err(|why| refused(id, Code::Content, &why))?;
            if self.endpoint.topics().is_durable(&topic) {
                let stored = self.store(&topic, message, key.clone(), echo);
                return stored.map(Outcome::Waiting).map_err(|error| Reply::refused(id, &error));
            }
            let published = if echo {
                batch.publish(&topic, message)
            } else {
                batch.publish_from(&self.sender, &topic, message)
            };
            published.map(Outcome::Known).map_err(|error| Reply::refused(id, &error))
        };
        let published = match &key {
            Some(key) => self.endpoint.shared.keys.once(key.clone(), publish),
            None => publish(),
        };
        // Here the connections write, and no lock is held.
        batch.finish();
        let reply = move |published: Result<Option<Position>, TopicError>| match published {
            Ok(position) => {
                Reply::Published { id, topic, position: position.map(|position| position.to_string()) }
            }
            Err(error) => Reply::refused(id, &error),
        };
        match published {
            Ok(Outcome::Known(position)) => reply(Ok(position)).into(),
            Ok(Outcome::Waiting(mut stored)) => Answer::Later(Box::pin(async move {
                let stored = stored.wait_for(Option::is_some).await.map(|stored| stored.clone());
                match stored {
                    Ok(Some(stored)) => reply(stored),
                    _ => refused(id, Code::Unconfirmed, "the server ended before the message was stored"),
                }
            })),
            Err(refusal) => refusal.into(),
        }
    }

    /// Has a message stored. That goes on when the client has gone, so that it may ask again by the key.
    fn store(
        &self,
        topic: &str,
        message: Message,
        key: Option<Key>,
        echo: bool,
    ) -> Result<Waiting, TopicError> {
        let topics = self.endpoint.topics();
        let confirming = topics.start_confirmed_for(&self.sender, topic, message, echo)?;
        let (outcome, waiting) = watch::channel(None);
        let shared = Arc::clone(&self.endpoint.shared);
        tokio::spawn(async move {
            let stored = confirming.wait().await;
            if let Some(key) = key {
                shared.keys.settle(&key, &stored);
            }
            outcome.send_replace(Some(stored));
        });
        Ok(waiting)
    }

    fn members(&self, topic: &str) -> Result<Vec<Person>, TopicError> {
        self.endpoint.topics().check_name(topic, true)?;
        if name::is_filter(topic) {
            return Err(TopicError::NotForFilters { filter: topic.to_owned(), what: "presence" });
        }
        self.authorize(topic, Action::Presence)?;
        let members = self.endpoint.topics().presence_for(&self.sender, topic)?;
        Ok(members.into_iter().map(Person::from).collect())
    }

    fn authorize(&self, topic: &str, action: Action) -> Result<(), TopicError> {
        if self.endpoint.shared.options.allows(&self.access(topic, action)) {
            Ok(())
        } else {
            Err(TopicError::Forbidden { topic: topic.to_owned() })
        }
    }

    fn access<'a>(&'a self, topic: &'a str, action: Action) -> EndpointAccess<'a> {
        EndpointAccess { identity: &self.identity, topic, action }
    }

    /// Sends who is present, and who comes and goes. A slow client gets fewer messages, which add up to the same.
    fn report_presence(&self, topic: &str, mut watch: PresenceWatch) -> Watching {
        let (sender, topic) = (self.sender.clone(), topic.to_owned());
        let interval = self.endpoint.shared.options.presence_interval;
        let reporting = Arc::clone(&self.reporting);
        let task = tokio::spawn(async move {
            let mut is_first = true;
            loop {
                let turn = reporting.lock().await;
                let changes = watch.take();
                if changes.is_empty() {
                    drop(turn);
                    watch.moved().await;
                    continue;
                }
                let reply = presence(&topic, std::mem::take(&mut is_first), changes);
                if sender.send(Message::text(reply.to_json())).await.is_err() {
                    return;
                }
                drop(turn);
                tokio::time::sleep(interval).await;
            }
        });
        Watching(task.abort_handle())
    }
}

fn presence(topic: &str, mut all: bool, changes: Vec<PresenceChange>) -> Reply {
    let (mut joined, mut updated, mut left) = (Vec::new(), Vec::new(), Vec::new());
    for change in changes {
        match change {
            PresenceChange::Reset => all = true,
            PresenceChange::Joined(member) => joined.push(member.into()),
            PresenceChange::Updated(member) => updated.push(member.into()),
            PresenceChange::Left(member) => left.push(member.into()),
        }
    }
    Reply::Presence { topic: topic.to_owned(), all, joined, updated, left }
}

fn invalid(id: Option<u64>, why: &str) -> Reply {
    Reply::Error { id, code: Code::Invalid, message: why.to_owned() }
}

fn refused(id: u64, code: Code, why: &str) -> Reply {
    Reply::Error { id: Some(id), code, message: why.to_owned() }
}
