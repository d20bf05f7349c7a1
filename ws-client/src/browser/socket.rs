//! The browser's WebSocket, and what its events have left.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use js_sys::{ArrayBuffer, JsString, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{BinaryType, CloseEvent, DomException, MessageEvent};
use ws_core::{
    CloseCause, CloseCode, CloseFrame, CloseInfo, Initiator, Message, ProtocolError, SendError, TransportEnd,
};

use super::config::Config;
use super::connect_error::ConnectError;
use super::error::Error;
use super::received::Received;
use super::request::Request;

/// A WebSocket of the browser's; closed when dropped.
pub(super) struct Socket {
    js: web_sys::WebSocket,
    config: Config,
    state: Rc<RefCell<State>>,
    /// What the browser calls; they live as long as the socket.
    _handlers: Handlers,
}

struct State {
    is_opened: bool,
    received: Received,
    /// The code of the Close that this end has begun with.
    sent: Option<CloseCode>,
    /// Why this end closes, if a limit was exceeded.
    fault: Option<Error>,
    ended: Option<CloseInfo>,
    /// Everybody that waits: any event may be theirs.
    wakers: Vec<Waker>,
}

struct Handlers {
    _open: Closure<dyn FnMut()>,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _close: Closure<dyn FnMut(CloseEvent)>,
}

impl Socket {
    /// Begins to open a connection.
    pub(super) fn open(request: &Request, config: &Config) -> Result<Self, ConnectError> {
        let subprotocols: js_sys::Array =
            request.subprotocols().iter().map(|name| JsValue::from_str(name)).collect();
        let js = web_sys::WebSocket::new_with_str_sequence(request.url().as_str(), &subprotocols)
            .map_err(|error| not_allowed(request, &error))?;
        js.set_binary_type(BinaryType::Arraybuffer);
        let state = Rc::new(RefCell::new(State {
            is_opened: false,
            received: Received::new(config.max_received, config.overflow),
            sent: None,
            fault: None,
            ended: None,
            wakers: Vec::new(),
        }));
        let handlers = Handlers::install(&js, &state, config);
        Ok(Self { js, config: config.clone(), state, _handlers: handlers })
    }

    /// Whether the connection has been opened; `false` if it has failed before.
    pub(super) fn poll_open(&self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.state.borrow_mut();
        if state.is_opened || state.ended.is_some() {
            return Poll::Ready(state.is_opened);
        }
        state.wait(cx)
    }

    pub(super) fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        let mut state = self.state.borrow_mut();
        if let Some(message) = state.received.pop() {
            return Poll::Ready(Ok(Some(message)));
        }
        match (&state.fault, &state.ended) {
            (Some(fault), _) => Poll::Ready(Err(fault.clone())),
            (None, Some(info)) if info.is_normal() => Poll::Ready(Ok(None)),
            (None, Some(info)) => Poll::Ready(Err(Error::Closed(Box::new(info.clone())))),
            (None, None) => state.wait(cx),
        }
    }

    pub(super) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<CloseInfo> {
        let mut state = self.state.borrow_mut();
        match &state.ended {
            Some(info) => Poll::Ready(info.clone()),
            None => state.wait(cx),
        }
    }

    /// Has the task woken by the next event.
    pub(super) fn wake_later(&self, cx: &mut Context<'_>) {
        let _: Poll<()> = self.state.borrow_mut().wait(cx);
    }

    /// Gives a message to the browser, which takes any number; [`Room`](super::room::Room) is to be asked before.
    pub(super) fn send(&self, message: &Message) -> Result<(), Error> {
        self.check_open()?;
        let sent = match message {
            Message::Text(text) => self.js.send_with_str(text),
            Message::Binary(bytes) => self.js.send_with_u8_array(bytes),
        };
        // It is an error only while the connection is being opened.
        sent.map_err(|_| Error::Send(SendError::Closing))
    }

    /// Whether messages can be sent; the browser would drop them silently.
    pub(super) fn check_open(&self) -> Result<(), Error> {
        if self.is_open() {
            return Ok(());
        }
        Err(match &self.state.borrow().ended {
            Some(info) => Error::Closed(Box::new(info.clone())),
            None => Error::Send(SendError::Closing),
        })
    }

    pub(super) fn is_open(&self) -> bool {
        self.js.ready_state() == web_sys::WebSocket::OPEN
    }

    /// Bytes that the browser holds and has not sent.
    pub(super) fn queued(&self) -> usize {
        usize::try_from(self.js.buffered_amount()).unwrap_or(usize::MAX)
    }

    pub(super) const fn high_water(&self) -> usize {
        self.config.send_high_water
    }

    pub(super) fn start_close(&self, code: CloseCode, reason: &str) -> Result<(), Error> {
        // The browser throws at any other.
        if !matches!(code.0, 1000 | 3000..=4999) {
            return Err(Error::CloseCode(code));
        }
        if reason.len() > CloseFrame::MAX_REASON {
            return Err(Error::Send(SendError::ReasonTooLong(reason.len())));
        }
        self.check_open()?;
        close(&self.js, &mut self.state.borrow_mut(), code, reason);
        Ok(())
    }

    pub(super) fn close_info(&self) -> Option<CloseInfo> {
        self.state.borrow().ended.clone()
    }

    pub(super) fn waiting(&self) -> usize {
        self.state.borrow().received.bytes()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.state.borrow().received.dropped()
    }

    pub(super) fn subprotocol(&self) -> String {
        self.js.protocol()
    }

    pub(super) fn extensions(&self) -> String {
        self.js.extensions()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.js.set_onopen(None);
        self.js.set_onmessage(None);
        self.js.set_onclose(None);
        // One that is closed already takes no notice.
        let _ = self.js.close();
    }
}

impl State {
    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        if !self.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Takes a message into the queue, or closes when a limit is exceeded.
    fn receive(&mut self, js: &web_sys::WebSocket, config: &Config, data: &JsValue) {
        if self.fault.is_some() {
            return;
        }
        let Some(message) = read(data, config.max_message_size) else {
            let limit = u64::try_from(config.max_message_size).unwrap_or(u64::MAX);
            self.fault = Some(Error::Protocol(ProtocolError::MessageTooBig { limit }));
            return close(js, self, Config::TOO_BIG, "message too big");
        };
        if self.received.push(message).is_err() {
            self.fault = Some(Error::Overflow { limit: config.max_received });
            close(js, self, Config::TRY_AGAIN_LATER, "messages are not received as fast as they come");
        }
    }
}

impl Handlers {
    fn install(js: &web_sys::WebSocket, state: &Rc<RefCell<State>>, config: &Config) -> Self {
        let opened = Rc::clone(state);
        let open = Closure::<dyn FnMut()>::new(move || change(&opened, |state| state.is_opened = true));

        let (socket, config, receiving) = (js.clone(), config.clone(), Rc::clone(state));
        let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            change(&receiving, |state| state.receive(&socket, &config, &event.data()));
        });

        let (socket, closing) = (js.clone(), Rc::clone(state));
        let close = Closure::<dyn FnMut(CloseEvent)>::new(move |event: CloseEvent| {
            let unsent = u64::from(socket.buffered_amount());
            change(&closing, |state| state.ended = Some(record(&event, state.sent, unsent)));
        });

        js.set_onopen(Some(open.as_ref().unchecked_ref()));
        js.set_onmessage(Some(message.as_ref().unchecked_ref()));
        js.set_onclose(Some(close.as_ref().unchecked_ref()));
        Self { _open: open, _message: message, _close: close }
    }
}

/// Changes the state, then wakes the tasks that wait: they may run at once, so the state is not borrowed any longer.
fn change(state: &RefCell<State>, by: impl FnOnce(&mut State)) {
    let wakers = {
        let mut state = state.borrow_mut();
        by(&mut state);
        std::mem::take(&mut state.wakers)
    };
    wakers.into_iter().for_each(Waker::wake);
}

/// Begins the closing handshake, unless that has begun.
fn close(js: &web_sys::WebSocket, state: &mut State, code: CloseCode, reason: &str) {
    if js.close_with_code_and_reason(code.0, reason).is_ok() {
        state.sent.get_or_insert(code);
    }
}

/// Copies a message out of the browser; `None` if it is over the limit.
fn read(data: &JsValue, limit: usize) -> Option<Message> {
    if let Some(text) = data.dyn_ref::<JsString>() {
        // UTF-8 is never shorter than UTF-16 in units.
        if usize::try_from(text.length()).ok()? > limit {
            return None;
        }
        let text = String::from(text);
        return (text.len() <= limit).then(|| text.into());
    }
    let bytes = Uint8Array::new(data.dyn_ref::<ArrayBuffer>()?);
    let len = usize::try_from(bytes.length()).ok()?;
    (len <= limit).then(|| bytes.to_vec().into())
}

/// How the connection ended, as far as the browser reports it; `asked` is the code that it was asked to close with. If a Close
/// of the peer's has arrived before that, the browser has answered it with its own code: that is not reported.
fn record(event: &CloseEvent, asked: Option<CloseCode>, unsent: u64) -> CloseInfo {
    let initiator = if asked.is_some() { Initiator::Local } else { Initiator::Remote };
    let cause =
        if event.was_clean() { CloseCause::Handshake } else { CloseCause::Transport(TransportEnd::Failed) };
    let mut info = CloseInfo::new(initiator, cause);
    // RFC 6455 §7.1.5: 1006 stands for no Close frame.
    info.received = Some(CloseCode(event.code())).filter(|&code| code != CloseCode::ABNORMAL_CLOSURE);
    // §5.5.1: a Close is typically answered with its own code.
    info.sent = asked.or(info.received);
    info.reason = event.reason().into();
    info.unsent = unsent;
    info
}

/// What the constructor throws.
fn not_allowed(request: &Request, error: &JsValue) -> ConnectError {
    let exception = error.dyn_ref::<DomException>();
    let message = exception.map_or_else(|| format!("{error:?}"), DomException::message);
    match exception.map(DomException::name).as_deref() {
        // The URL has been checked, so it is a subprotocol.
        Some("SyntaxError") => ConnectError::Request(message),
        _ => ConnectError::Blocked { authority: request.authority(), reason: message },
    }
}
