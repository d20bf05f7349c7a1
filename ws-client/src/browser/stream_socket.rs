//! The browser's `WebSocketStream`, which is read like a file: the server waits while nothing is read.
//!
//! No standard has it yet, so that it is called by name.

use std::cell::{Cell, OnceCell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;

use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use ws_core::{CloseCode, Message, SendError};

use super::config::Config;
use super::error::Error;
use super::request::Request;
use super::socket::{End, Shared, change, read};

/// A `WebSocketStream`; closed when dropped.
pub(super) struct StreamSocket {
    shared: Rc<Stream>,
}

/// What the tasks of a connection share: one reads, one waits for each message that is written, one for the end.
struct Stream {
    js: JsValue,
    state: Shared,
    config: Config,
    opened: OnceCell<Opened>,
    /// Bytes of messages that the browser has not taken from the stream.
    unsent: Cell<usize>,
    /// The Close that is to follow them.
    close: RefCell<Option<(CloseCode, String)>>,
}

struct Opened {
    reader: JsValue,
    writer: JsValue,
    subprotocol: String,
    extensions: String,
}

impl StreamSocket {
    /// Begins to open a connection; `None` where the browser has no `WebSocketStream`.
    pub(super) fn open(request: &Request, config: &Config, state: &Shared) -> Option<Result<Self, JsValue>> {
        let constructor = get(&js_sys::global(), "WebSocketStream").dyn_into::<Function>().ok()?;
        let subprotocols: Array = request.subprotocols().iter().map(|name| JsValue::from_str(name)).collect();
        let options = object(&[("protocols", subprotocols.into())]);
        let arguments = Array::of2(&request.url().into(), &options);
        Some(Reflect::construct(&constructor, &arguments).map(|js| {
            let shared = Rc::new(Stream {
                js,
                state: Rc::clone(state),
                config: config.clone(),
                opened: OnceCell::new(),
                unsent: Cell::new(0),
                close: RefCell::new(None),
            });
            spawn_local(Rc::clone(&shared).receive());
            spawn_local(Rc::clone(&shared).end());
            Self { shared }
        }))
    }

    pub(super) fn send(&self, message: &Message) -> Result<(), Error> {
        let opened = self.shared.opened.get().ok_or(Error::Send(SendError::Closing))?;
        let (len, chunk) = match message {
            Message::Text(text) => (text.len(), JsValue::from_str(text)),
            // Copied: the browser reads it later.
            Message::Binary(bytes) => (bytes.len(), Uint8Array::from(&bytes[..]).into()),
        };
        let written = call(&opened.writer, "write", &[chunk]).map_err(|_| Error::Send(SendError::Closing))?;
        self.shared.unsent.set(self.shared.unsent.get().saturating_add(len));
        spawn_local(Rc::clone(&self.shared).written(written, len));
        Ok(())
    }

    pub(super) fn is_open(&self) -> bool {
        let state = self.shared.state.borrow();
        state.is_opened && !state.is_closing() && state.ended.is_none()
    }

    pub(super) fn queued(&self) -> usize {
        self.shared.unsent.get()
    }

    /// Begins the closing handshake behind what is queued, which no standard promises otherwise.
    pub(super) fn close_behind(&self, code: CloseCode, reason: &str) {
        // From here on nothing is queued, and what is received is dropped.
        change(&self.shared.state, |state| *state.sent.get_or_insert(code));
        *self.shared.close.borrow_mut() = Some((code, reason.to_owned()));
        self.shared.close_when_written();
    }

    pub(super) fn subprotocol(&self) -> String {
        self.shared.opened.get().map_or_else(String::new, |opened| opened.subprotocol.clone())
    }

    pub(super) fn extensions(&self) -> String {
        self.shared.opened.get().map_or_else(String::new, |opened| opened.extensions.clone())
    }
}

impl Drop for StreamSocket {
    fn drop(&mut self) {
        let has_begun = self.shared.state.borrow().is_closing();
        // 1005 stands for no code; what arrives is dropped from here on.
        change(&self.shared.state, |state| *state.sent.get_or_insert(CloseCode::NO_STATUS_RECEIVED));
        if !has_begun {
            let _ = call(&self.shared.js, "close", &[]);
        }
    }
}

impl Stream {
    /// Waits until the connection is open, then reads messages while there is room for them, to the end.
    async fn receive(self: Rc<Self>) {
        if let Some(opened) = self.open().await {
            let reader = opened.reader.clone();
            if self.opened.set(opened).is_ok() {
                change(&self.state, |state| state.is_opened = true);
                while let Some(data) = next(&reader).await {
                    self.take(&data).await;
                }
            }
        }
        change(&self.state, |state| state.is_whole = true);
    }

    async fn open(&self) -> Option<Opened> {
        let info = settled(get(&self.js, "opened")).await.ok()?;
        let text = |name| get(&info, name).as_string().unwrap_or_default();
        Some(Opened {
            reader: call(&get(&info, "readable"), "getReader", &[]).ok()?,
            writer: call(&get(&info, "writable"), "getWriter", &[]).ok()?,
            subprotocol: text("protocol"),
            extensions: text("extensions"),
        })
    }

    /// Waits for room in the queue: meanwhile nothing is read, and the server is slowed down.
    async fn take(&self, data: &JsValue) {
        if self.state.borrow().is_closing() {
            return;
        }
        let message = read(data, self.config.max_message_size);
        if let Some(message) = &message {
            poll_fn(|cx| self.state.borrow_mut().poll_room(message, cx)).await;
        }
        let taken = change(&self.state, |state| match state.is_closing() {
            true => Ok(()),
            false => state.receive(message, &self.config),
        });
        if let Err((code, reason)) = taken {
            self.close(code, reason);
        }
    }

    /// Waits until the browser has taken a message.
    async fn written(self: Rc<Self>, promise: JsValue, len: usize) {
        // What was not written when the connection ended stays counted.
        if settled(promise).await.is_ok() {
            self.unsent.set(self.unsent.get().saturating_sub(len));
            change(&self.state, |_| ());
            self.close_when_written();
        }
    }

    fn close_when_written(&self) {
        if self.unsent.get() == 0
            && let Some((code, reason)) = self.close.take()
        {
            self.close(code, &reason);
        }
    }

    /// Begins the closing handshake, unless that has begun.
    fn close(&self, code: CloseCode, reason: &str) {
        let info = object(&[("closeCode", code.0.into()), ("reason", reason.into())]);
        if call(&self.js, "close", &[info]).is_ok() {
            change(&self.state, |state| *state.sent.get_or_insert(code));
        }
    }

    /// Waits for the end of the connection.
    async fn end(self: Rc<Self>) {
        let closed = settled(get(&self.js, "closed")).await;
        let was_clean = closed.is_ok();
        // A rejection is a `WebSocketError` with the same fields.
        let info = closed.unwrap_or_else(|error| error);
        let code = get(&info, "closeCode").as_f64();
        let code = code.map_or(CloseCode::ABNORMAL_CLOSURE.0, |code| code as u16);
        let end = End { was_clean, code, reason: get(&info, "reason").as_string().unwrap_or_default() };
        let unsent = u64::try_from(self.unsent.get()).unwrap_or(u64::MAX);
        change(&self.state, |state| state.ended = Some(end.record(state.sent, unsent)));
    }
}

/// The next chunk of a readable stream; `None` at its end.
async fn next(reader: &JsValue) -> Option<JsValue> {
    let result = settled(call(reader, "read", &[]).ok()?).await.ok()?;
    (!get(&result, "done").is_truthy()).then(|| get(&result, "value"))
}

/// Waits for a promise.
async fn settled(promise: JsValue) -> Result<JsValue, JsValue> {
    JsFuture::from(Promise::resolve(&promise)).await
}

fn get(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or(JsValue::UNDEFINED)
}

fn call(object: &JsValue, method: &str, arguments: &[JsValue]) -> Result<JsValue, JsValue> {
    let function: Function = get(object, method).dyn_into()?;
    function.apply(object, &arguments.iter().collect())
}

fn object(fields: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in fields {
        // It fails for objects that are frozen only.
        let _ = Reflect::set(&object, &(*name).into(), value);
    }
    object.into()
}
