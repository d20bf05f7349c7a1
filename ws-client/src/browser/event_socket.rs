//! The browser's `WebSocket`, which calls a function for each message.

use std::rc::Rc;

use js_sys::Array;
use wasm_bindgen::prelude::*;
use web_sys::{BinaryType, CloseEvent, MessageEvent};
use ws_core::{CloseCode, Message, SendError};

use super::config::Config;
use super::error::Error;
use super::request::Request;
use super::socket::{End, Shared, State, change, read};

/// A `WebSocket`; closed when dropped.
pub(super) struct EventSocket {
    js: web_sys::WebSocket,
    state: Shared,
    /// What the browser calls; they live as long as the socket.
    _handlers: Handlers,
}

struct Handlers {
    _open: Closure<dyn FnMut()>,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _close: Closure<dyn FnMut(CloseEvent)>,
}

impl EventSocket {
    /// Begins to open a connection.
    pub(super) fn open(request: &Request, config: &Config, state: &Shared) -> Result<Self, JsValue> {
        let subprotocols: Array = request.subprotocols().iter().map(|name| JsValue::from_str(name)).collect();
        let js = web_sys::WebSocket::new_with_str_sequence(request.url(), &subprotocols)?;
        js.set_binary_type(BinaryType::Arraybuffer);
        let handlers = Handlers::install(&js, state, config);
        Ok(Self { js, state: Rc::clone(state), _handlers: handlers })
    }

    pub(super) fn send(&self, message: &Message) -> Result<(), Error> {
        let sent = match message {
            Message::Text(text) => self.js.send_with_str(text),
            Message::Binary(bytes) => self.js.send_with_u8_array(bytes),
        };
        // It is an error only while the connection is being opened.
        sent.map_err(|_| Error::Send(SendError::Closing))
    }

    pub(super) fn is_open(&self) -> bool {
        self.js.ready_state() == web_sys::WebSocket::OPEN
    }

    pub(super) fn queued(&self) -> usize {
        usize::try_from(self.js.buffered_amount()).unwrap_or(usize::MAX)
    }

    /// Begins the closing handshake behind what is queued.
    pub(super) fn close(&self, code: CloseCode, reason: &str) {
        close(&self.js, &mut self.state.borrow_mut(), code, reason);
    }

    pub(super) fn subprotocol(&self) -> String {
        self.js.protocol()
    }

    pub(super) fn extensions(&self) -> String {
        self.js.extensions()
    }
}

impl Drop for EventSocket {
    fn drop(&mut self) {
        self.js.set_onopen(None);
        self.js.set_onmessage(None);
        self.js.set_onclose(None);
        // One that is closed already takes no notice.
        let _ = self.js.close();
    }
}

impl Handlers {
    fn install(js: &web_sys::WebSocket, state: &Shared, config: &Config) -> Self {
        let opened = Rc::clone(state);
        let open = Closure::<dyn FnMut()>::new(move || change(&opened, |state| state.is_opened = true));

        let (socket, config, receiving) = (js.clone(), config.clone(), Rc::clone(state));
        let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            change(&receiving, |state| {
                if state.fault.is_some() {
                    return;
                }
                let message = read(&event.data(), config.max_message_size);
                if let Err((code, reason)) = state.receive(message, &config) {
                    close(&socket, state, code, reason);
                }
            });
        });

        let (socket, closing) = (js.clone(), Rc::clone(state));
        let close = Closure::<dyn FnMut(CloseEvent)>::new(move |event: CloseEvent| {
            let unsent = u64::from(socket.buffered_amount());
            let end = End { was_clean: event.was_clean(), code: event.code(), reason: event.reason() };
            change(&closing, |state| {
                state.is_whole = true;
                state.ended = Some(end.record(state.sent, unsent));
            });
        });

        js.set_onopen(Some(open.as_ref().unchecked_ref()));
        js.set_onmessage(Some(message.as_ref().unchecked_ref()));
        js.set_onclose(Some(close.as_ref().unchecked_ref()));
        Self { _open: open, _message: message, _close: close }
    }
}

/// Begins the closing handshake, unless that has begun.
fn close(js: &web_sys::WebSocket, state: &mut State, code: CloseCode, reason: &str) {
    if js.close_with_code_and_reason(code.0, reason).is_ok() {
        state.sent.get_or_insert(code);
    }
}
