//! Being in a room: a subscription to its topic, which survives losses of connection.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use wasm_bindgen_futures::spawn_local;
use web_sys::Element;
use ws_topics::ws_client::{Backoff, ConnectError, Options, Request};
use ws_topics::{ClientError, Event, SUBPROTOCOL, SubscribeRequest, TopicsClient};

use super::page::{Page, State};

/// The stay in a room, until it is left.
struct Stay {
    topics: TopicsClient,
    topic: String,
    page: Page,
    name: String,
    /// Whether there is a connection, as far as this subscription knows.
    is_open: Cell<bool>,
    /// Whether there was one.
    was_open: Rc<Cell<bool>>,
    has_left: Cell<bool>,
}

/// What the page shows of a room.
#[derive(Default)]
struct Room {
    /// `None` until the server has reported who is there.
    people: Option<BTreeSet<String>>,
    /// The note at the place where the connection was lost.
    lost_at: Option<Element>,
}

/// Waits for somebody to join.
pub(crate) fn start() {
    let page = Page::find();
    let staying: Rc<RefCell<Option<Rc<Stay>>>> = Rc::default();

    let (entered, current) = (page.clone(), Rc::clone(&staying));
    page.on_enter(move |name, room| match Stay::new(&entered, name, &room) {
        Ok(stay) => {
            let stay = Rc::new(stay);
            current.replace(Some(Rc::clone(&stay)));
            entered.show(Some(&room));
            spawn_local(async move { stay.until_left().await });
        }
        Err(error) => entered.enter_error(&error.to_string()),
    });

    let current = Rc::clone(&staying);
    page.on_say(move |text| {
        if let Some(stay) = current.borrow().clone() {
            spawn_local(async move { stay.say(text).await });
        }
    });

    let left = page.clone();
    page.on_leave(move || {
        left.show(None);
        if let Some(stay) = staying.take() {
            stay.has_left.set(true);
            spawn_local(async move { stay.topics.close().await });
        }
    });
}

impl Stay {
    fn new(page: &Page, name: String, room: &str) -> Result<Self, ConnectError> {
        let backoff = Backoff::default().initial(Duration::from_millis(300)).max(Duration::from_secs(5));
        let client = Options::default().backoff(backoff).build()?;
        let request = Request::new(&page.address(&name))?.subprotocol(SUBPROTOCOL);
        let (waiting, was_open) = (page.clone(), Rc::new(Cell::new(false)));
        let opened_before = Rc::clone(&was_open);
        let connections = client.reconnect(request)?.on_wait(move |retry| {
            // Later it is a loss of connection, which the subscription reports.
            if let (Some(error), false) = (retry.error, opened_before.get()) {
                waiting.say_error(&format!("{error}. Again in {:.1} s.", retry.delay.as_secs_f32()));
            }
        });
        page.state(State::Connecting, "connecting …");
        let topics = TopicsClient::with_connections(connections);
        let (topic, page) = (Page::topic(room), page.clone());
        Ok(Self {
            topics,
            topic,
            page,
            name,
            is_open: Cell::new(false),
            was_open,
            has_left: Cell::new(false),
        })
    }

    /// Shows what happens in the room.
    async fn until_left(&self) {
        let error = match self.events().await {
            Ok(()) => return,
            Err(error) => error,
        };
        self.is_open.set(false);
        self.page.state(State::Closed, "not connected");
        if !self.has_left.get() {
            self.page.show(None);
            self.page.enter_error(&error.to_string());
        }
    }

    async fn events(&self) -> Result<(), ClientError> {
        let request = SubscribeRequest::default().last(50).present(self.name.as_str()).watch(true);
        let mut subscription = self.topics.subscribe(self.topic.as_str(), request).await?;
        self.opened(State::Open, "connected");
        self.page.note(&format!("You joined as {}.", self.name));
        let mut room = Room::default();
        loop {
            let event = subscription.next().await?;
            self.happened(&mut room, event);
        }
    }

    fn happened(&self, room: &mut Room, event: Event) {
        match event {
            Event::Message { message, .. } => self.said(message.as_text().unwrap_or_default()),
            Event::Gap { lost, .. } => {
                self.page.lost(lost);
                if self.is_open.get() {
                    self.opened(State::Missing, "connected – messages are missing");
                }
            }
            Event::Presence { all, joined, updated, left, .. } => {
                let names =
                    |members: Vec<ws_topics::Member>| members.into_iter().map(|it| it.identity.to_string());
                let known = room.people.take();
                let mut people = if all { BTreeSet::new() } else { known.clone().unwrap_or_default() };
                people.extend(names(joined).chain(names(updated)));
                for name in names(left) {
                    people.remove(&name);
                }
                if let Some(known) = known {
                    let others = |name: &&String| **name != self.name;
                    for name in people.difference(&known).filter(others) {
                        self.page.note(&format!("{name} joined."));
                    }
                    for name in known.difference(&people).filter(others) {
                        self.page.note(&format!("{name} left."));
                    }
                }
                self.page.people(&people, &self.name);
                room.people = Some(people);
            }
            Event::Disconnected => {
                self.is_open.set(false);
                self.page.state(State::Waiting, "offline – what you write is sent later");
                self.page.pending_while(false);
                self.page.people(&BTreeSet::new(), &self.name);
                room.lost_at = Some(self.page.note("The connection was lost."));
            }
            Event::Resumed { missed, .. } => {
                let lost_at = room.lost_at.take();
                let what = match missed {
                    None => "messages are missing".to_owned(),
                    Some(0) => "you missed nothing".to_owned(),
                    Some(1) => "you missed one message, here it is".to_owned(),
                    Some(missed) => format!("you missed {missed} messages, here they are"),
                };
                if missed.is_some_and(|missed| missed > 0) {
                    self.page.resumed(&format!("Y{}:", &what[1..]), lost_at.as_ref());
                }
                let state = if missed.is_some() { State::Open } else { State::Missing };
                self.opened(state, &format!("connected – {what}"));
            }
            _ => {}
        }
    }

    fn opened(&self, state: State, what: &str) {
        self.is_open.set(true);
        self.was_open.set(true);
        self.page.state(state, what);
        self.page.pending_while(true);
        self.page.say_error("");
    }

    fn said(&self, json: &str) {
        let Ok(said) = serde_json::from_str::<Value>(json) else { return };
        let (name, text) =
            (said["name"].as_str().unwrap_or_default(), said["text"].as_str().unwrap_or_default());
        self.page.line(name, text, said["at"].as_f64().unwrap_or_default(), name == self.name);
    }

    /// Publishes a text. While there is no connection it waits, and is shown so; it is published once when there is one.
    async fn say(&self, text: String) {
        let waiting = self.page.pending(&self.name, &text, self.is_open.get());
        let published = self.topics.publish(self.topic.as_str(), text.as_str()).await;
        if let Err(error) = published
            && !self.has_left.get()
        {
            self.page.say_error(&format!("Not sent: {error}."));
            self.page.keep(&text);
        }
        waiting.remove();
    }
}
