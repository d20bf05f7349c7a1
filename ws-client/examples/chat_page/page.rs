//! The elements of the page: those of `ws-samples/examples/chat.html`.

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

    pub(crate) fn on_say(&self, each: impl Fn(&str) + 'static) {
        let page = self.clone();
        self.on("say", "submit", move |event| {
            event.prevent_default();
            let text = page.value("text");
            if !text.is_empty() {
                each(&text);
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

    pub(crate) fn state(&self, state: State) {
        let (name, text) = match state {
            State::Connecting => ("connecting", "connecting …"),
            State::Open => ("open", "connected"),
            State::Waiting => ("waiting", "lost, reconnecting …"),
            State::Closed => ("closed", "not connected"),
        };
        let element = self.element("state");
        let _ = element.set_attribute("data-state", name);
        element.set_text_content(Some(text));
    }

    /// Empties the field of the message.
    pub(crate) fn said(&self, text: &str) {
        self.input("text").set_value(text);
        self.say_error("");
    }

    pub(crate) fn say_error(&self, text: &str) {
        self.element("say-error").set_text_content(Some(text));
    }

    pub(crate) fn enter_error(&self, text: &str) {
        self.element("enter-error").set_text_content(Some(text));
    }

    /// Shows what somebody has said.
    pub(crate) fn line(&self, name: &str, text: &str, at: f64, is_mine: bool) {
        let line = self.create("div", None);
        line.set_class_name(if is_mine { "said mine" } else { "said" });
        for part in [
            self.create("b", Some(name)),
            self.create("time", Some(&clock(at))),
            self.create("p", Some(text)),
        ] {
            let _ = line.append_child(&part);
        }
        self.append(&line);
    }

    pub(crate) fn note(&self, text: &str, at: f64) {
        let line = self.create("div", None);
        line.set_class_name("note");
        for part in [self.create("span", Some(text)), self.create("time", Some(&clock(at)))] {
            let _ = line.append_child(&part);
        }
        self.append(&line);
    }

    pub(crate) fn people(&self, names: &[String], me: &str) {
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

    /// The address of a room on the server that this page comes from.
    pub(crate) fn address(&self, room: &str, name: &str) -> String {
        let location = self.window.location();
        let encrypted = location.protocol().is_ok_and(|protocol| protocol == "https:");
        let encode = |text| String::from(js_sys::encode_uri_component(text));
        let host = location.host().unwrap_or_default();
        format!("ws{}://{host}/chat/{}?name={}", if encrypted { "s" } else { "" }, encode(room), encode(name))
    }

    /// The time of day, in milliseconds since 1970.
    pub(crate) fn now(&self) -> f64 {
        js_sys::Date::now()
    }

    fn append(&self, line: &Element) {
        let log = self.element("log");
        let is_at_end = log.scroll_height() - log.scroll_top() - log.client_height() < 60;
        let _ = log.append_child(line);
        while log.child_element_count() > LOG_LINES {
            log.first_element_child().as_ref().map(Element::remove);
        }
        if is_at_end {
            log.set_scroll_top(log.scroll_height());
        }
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

/// Hours and minutes.
fn clock(at: f64) -> String {
    let date = js_sys::Date::new(&at.into());
    format!("{:02}:{:02}", date.get_hours(), date.get_minutes())
}
