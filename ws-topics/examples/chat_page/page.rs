//! The elements of the page: those of `ws-samples/examples/chat.html`.

use std::collections::BTreeSet;

use wasm_bindgen::prelude::*;
use web_sys::{Document, Element, Event, HtmlElement, HtmlInputElement, Window};

/// The page; a clone is the same one.
#[derive(Clone)]
pub(crate) struct Page {
    window: Window,
    document: Document,
}

/// The state of the connection, as it is shown.
#[derive(Clone, Copy)]
pub(crate) enum State {
    Connecting,
    Open,
    /// Open, and messages were lost.
    Missing,
    Waiting,
    Closed,
}

const LOG_LINES: u32 = 500;

impl Page {
    /// Finds the page that this program is in, and fills in what was entered last.
    pub(crate) fn find() -> Self {
        let window = web_sys::window().expect("a page has a window");
        let document = window.document().expect("a window has a document");
        let page = Self { window, document };
        if let Some(name) = page.stored_name() {
            page.input("name").set_value(&name);
        }
        page.input("room").set_value("lobby");
        page
    }

    /// Calls back with name and room when somebody enters.
    pub(crate) fn on_enter(&self, each: impl Fn(String, String) + 'static) {
        let page = self.clone();
        self.on("enter", "submit", move |event| {
            event.prevent_default();
            let (name, room) = (page.value("name"), page.value("room"));
            page.enter_error(if name.is_empty() {
                "Enter a name."
            } else if room.is_empty() {
                "Enter a room."
            } else {
                ""
            });
            if !name.is_empty() && !room.is_empty() {
                page.store_name(&name);
                each(name, room);
            }
        });
    }

    /// Calls back with the text, which is taken out of its field.
    pub(crate) fn on_say(&self, each: impl Fn(String) + 'static) {
        let page = self.clone();
        self.on("say", "submit", move |event| {
            event.prevent_default();
            let text = page.value("text");
            page.input("text").set_value("");
            if !text.is_empty() {
                each(text);
            }
        });
    }

    pub(crate) fn on_leave(&self, each: impl Fn() + 'static) {
        self.on("leave", "click", move |_| each());
    }

    /// Shows the room, or the form to enter one.
    pub(crate) fn show(&self, room: Option<&str>) {
        for id in ["log", "people", "say"] {
            // Each of them lies in a part that is shown in a room, or is one.
            if let Ok(Some(part)) = self.element(id).closest(".chat") {
                part.unchecked_into::<HtmlElement>().set_hidden(room.is_none());
            }
        }
        self.html("join").set_hidden(room.is_some());
        self.html("leave").set_hidden(room.is_none());
        self.element("main").set_class_name(if room.is_some() { "in" } else { "" });
        self.element("where").set_text_content(room);
        if room.is_some() {
            self.element("log").set_text_content(None);
            let _ = self.html("text").focus();
        }
    }

    pub(crate) fn state(&self, state: State, text: &str) {
        let (name, news) = match state {
            State::Connecting => ("connecting", ""),
            State::Open => ("open", ""),
            State::Missing => ("open", "missing"),
            State::Waiting => ("waiting", ""),
            State::Closed => ("closed", ""),
        };
        let element = self.element("state");
        let _ = element.set_attribute("data-news", news);
        let _ = element.set_attribute("data-state", name);
        element.set_text_content(Some(text));
    }

    /// Puts a text that was not sent back into its field, unless another was begun.
    pub(crate) fn keep(&self, text: &str) {
        if self.value("text").is_empty() {
            self.input("text").set_value(text);
        }
    }

    pub(crate) fn say_error(&self, text: &str) {
        self.element("say-error").set_text_content(Some(text));
    }

    pub(crate) fn enter_error(&self, text: &str) {
        self.element("enter-error").set_text_content(Some(text));
    }

    /// Shows what somebody has said.
    pub(crate) fn line(&self, name: &str, text: &str, at: f64, is_mine: bool) {
        let kind = if is_mine { "said mine" } else { "said" };
        self.append(kind, &[("b", name), ("time", &clock(at)), ("p", text)], None);
    }

    /// Shows what is not published yet. Returns its line, to be removed when it is.
    pub(crate) fn pending(&self, name: &str, text: &str, is_open: bool) -> Element {
        self.append("said mine pending", &[("b", name), ("time", unsent(is_open)), ("p", text)], None)
    }

    /// Shows of all that is not published yet whether it waits for the connection.
    pub(crate) fn pending_while(&self, is_open: bool) {
        let Ok(all) = self.document.query_selector_all("#log .pending time") else { return };
        for place in 0..all.length() {
            if let Some(when) = all.item(place) {
                when.set_text_content(Some(unsent(is_open)));
            }
        }
    }

    /// Shows something that has happened; returns its line.
    pub(crate) fn note(&self, text: &str) -> Element {
        self.append("note", &[("span", text), ("time", &clock(js_sys::Date::now()))], None)
    }

    /// Shows, behind the line of the loss, that what follows was missed.
    pub(crate) fn resumed(&self, text: &str, behind: Option<&Element>) {
        self.append("note resumed", &[("span", text), ("time", &clock(js_sys::Date::now()))], behind);
    }

    /// Shows that messages are missing at this place.
    pub(crate) fn lost(&self, lost: Option<u64>) {
        let what = match lost {
            None => "Messages are missing here; how many is not known.".to_owned(),
            Some(1) => "One message is missing here.".to_owned(),
            Some(lost) => format!("{lost} messages are missing here."),
        };
        self.append("note lost", &[("span", &what)], None);
    }

    pub(crate) fn people(&self, names: &BTreeSet<String>, me: &str) {
        let count = if names.is_empty() { String::new() } else { format!(" ({})", names.len()) };
        self.element("count").set_text_content(Some(&format!("In this room{count}")));
        let list = self.element("people");
        list.set_text_content(None);
        for name in names {
            let item = self.create("li", Some(name));
            if name == me {
                item.set_class_name("me");
            }
            let _ = list.append_child(&item);
        }
    }

    /// The address of the topics on the server that this page comes from.
    pub(crate) fn address(&self, name: &str) -> String {
        let location = self.window.location();
        let encrypted = location.protocol().is_ok_and(|protocol| protocol == "https:");
        let (host, name) = (location.host().unwrap_or_default(), js_sys::encode_uri_component(name));
        format!("ws{}://{host}/topics?name={name}", if encrypted { "s" } else { "" })
    }

    /// The topic of a room. Encoded, a name has none of the characters that mean something in a topic.
    pub(crate) fn topic(room: &str) -> String {
        format!("chat/{}", js_sys::encode_uri_component(room))
    }

    /// Adds a line, at the end or behind another one.
    fn append(&self, kind: &str, parts: &[(&str, &str)], behind: Option<&Element>) -> Element {
        let (log, line) = (self.element("log"), self.create("div", None));
        line.set_class_name(kind);
        for (tag, text) in parts {
            let _ = line.append_child(&self.create(tag, Some(text)));
        }
        let is_at_end = log.scroll_height() - log.scroll_top() - log.client_height() < 60;
        let next = behind.filter(|behind| behind.is_connected()).and_then(Element::next_element_sibling);
        let _ = log.insert_before(&line, next.as_deref());
        while log.child_element_count() > LOG_LINES {
            log.first_element_child().as_ref().map(Element::remove);
        }
        if is_at_end {
            log.set_scroll_top(log.scroll_height());
        }
        line
    }

    fn create(&self, tag: &str, text: Option<&str>) -> Element {
        let element = self.document.create_element(tag).expect("the name of an element");
        element.set_text_content(text);
        element
    }

    /// The handler lives as long as the page.
    fn on(&self, id: &str, event: &str, handler: impl Fn(Event) + 'static) {
        let handler = Closure::<dyn Fn(Event)>::new(handler).into_js_value();
        let _ = self.element(id).add_event_listener_with_callback(event, handler.unchecked_ref());
    }

    fn value(&self, id: &str) -> String {
        self.input(id).value().trim().to_owned()
    }

    fn stored_name(&self) -> Option<String> {
        self.window.local_storage().ok()??.get_item("name").ok()?
    }

    fn store_name(&self, name: &str) {
        if let Ok(Some(storage)) = self.window.local_storage() {
            // Full, or forbidden: it is entered again next time.
            let _ = storage.set_item("name", name);
        }
    }

    fn element(&self, id: &str) -> Element {
        self.document.get_element_by_id(id).unwrap_or_else(|| panic!("the page has no element {id}"))
    }

    fn html(&self, id: &str) -> HtmlElement {
        self.element(id).unchecked_into()
    }

    fn input(&self, id: &str) -> HtmlInputElement {
        self.element(id).unchecked_into()
    }
}

fn unsent(is_open: bool) -> &'static str {
    if is_open { "sending …" } else { "waits for the connection" }
}

/// Hours and minutes.
fn clock(at: f64) -> String {
    let date = js_sys::Date::new(&at.into());
    format!("{:02}:{:02}", date.get_hours(), date.get_minutes())
}
