//! Being in a room: over one connection after another.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use wasm_bindgen_futures::spawn_local;
use ws_client::{Backoff, CloseCode, ConnectError, Error, Options, Receiver, Sender};

use super::page::{Page, State};

/// The stay in a room, until it is left.
#[derive(Clone, Default)]
struct Stay(Rc<RefCell<Seat>>);

#[derive(Default)]
struct Seat {
    /// That of the connection that is open now.
    sender: Option<Sender>,
    has_left: bool,
    /// Our name, as the server knows it.
    name: String,
    people: Vec<String>,
    /// The time of the last event that is shown: after a reconnection some come again.
    last: f64,
}

/// Waits for somebody to join.
pub(crate) fn start() {
    let page = Page::find();
    let stay: Rc<RefCell<Stay>> = Rc::default();

    let (entered, staying) = (page.clone(), Rc::clone(&stay));
    page.on_enter(move |name, room| {
        let stay = Stay::default();
        staying.replace(stay.clone());
        entered.show(Some(&room));
        let page = entered.clone();
        spawn_local(async move {
            if let Err(error) = stay.chat(&page, &name, &room).await {
                page.show(None);
                page.enter_error(&error.to_string());
            }
            page.state(State::Closed);
        });
    });

    let (said, staying) = (page.clone(), Rc::clone(&stay));
    page.on_say(move |text| match staying.borrow().say(text) {
        Ok(()) => said.said(""),
        // The text stays in the field.
        Err(why) => said.say_error(&why),
    });

    let left = page.clone();
    page.on_leave(move || {
        stay.borrow().leave();
        left.show(None);
    });
}

impl Stay {
    async fn chat(&self, page: &Page, name: &str, room: &str) -> Result<(), ConnectError> {
        let backoff = Backoff::default().max(Duration::from_secs(10)).max_failures(20);
        let client = Options::default().backoff(backoff).build()?;
        let waiting = page.clone();
        let mut connections = client.reconnect(page.address(room, name))?.on_wait(move |retry| {
            waiting.state(State::Waiting);
            if let Some(error) = retry.error {
                waiting.say_error(&format!("{error}. Again in {:.1} s.", retry.delay.as_secs_f32()));
            }
        });
        page.state(State::Connecting);
        while !self.0.borrow().has_left {
            let (ws, _negotiated) = connections.next().await?;
            let (sender, receiver) = ws.split();
            self.0.borrow_mut().sender = Some(sender);
            // Left while it was being opened.
            if self.0.borrow().has_left {
                break;
            }
            page.state(State::Open);
            page.say_error("");
            if let Err(error) = self.listen(page, receiver).await {
                page.note(&format!("The connection was lost: {error}."), page.now());
            }
            let mut seat = self.0.borrow_mut();
            seat.sender = None;
            seat.people.clear();
            page.people(&[], "");
        }
        Ok(())
    }

    /// Shows what happens until the connection is closed.
    async fn listen(&self, page: &Page, mut receiver: Receiver) -> Result<(), Error> {
        while let Some(message) = receiver.recv().await? {
            let event = message.as_text().and_then(|text| serde_json::from_str::<Value>(text).ok());
            if let Some(event) = event {
                self.0.borrow_mut().happened(page, &event);
            }
        }
        Ok(())
    }

    fn say(&self, text: &str) -> Result<(), String> {
        let seat = self.0.borrow();
        let sender = seat.sender.as_ref().ok_or("Not connected; the message was not sent.")?;
        sender.try_send(text).map_err(|error| format!("The message was not sent: {error}."))
    }

    fn leave(&self) {
        let mut seat = self.0.borrow_mut();
        seat.has_left = true;
        if let Some(sender) = seat.sender.take() {
            // Closed already is as good.
            let _ = sender.start_close(CloseCode::NORMAL_CLOSURE, "");
        }
    }
}

impl Seat {
    fn happened(&mut self, page: &Page, event: &Value) {
        let name = event["name"].as_str().unwrap_or_default();
        match event["type"].as_str() {
            Some("welcome") => {
                self.name = name.to_owned();
                let here = event["here"].as_array().into_iter().flatten();
                self.people = here.filter_map(Value::as_str).map(str::to_owned).collect();
                for said in event["history"].as_array().into_iter().flatten() {
                    self.show(page, said);
                }
                page.note(&format!("You joined as {name}."), page.now());
            }
            Some("joined") => {
                self.people.push(name.to_owned());
                self.show(page, event);
            }
            Some("left") => {
                self.people.retain(|person| person != name);
                self.show(page, event);
            }
            _ => self.show(page, event),
        }
        page.people(&self.people, &self.name);
    }

    fn show(&mut self, page: &Page, event: &Value) {
        let (name, at) =
            (event["name"].as_str().unwrap_or_default(), event["at"].as_f64().unwrap_or_default());
        if at <= self.last {
            return;
        }
        self.last = at;
        match event["type"].as_str() {
            Some("said") => {
                page.line(name, event["text"].as_str().unwrap_or_default(), at, name == self.name)
            }
            Some(what) => page.note(&format!("{name} {what}."), at),
            None => {}
        }
    }
}
