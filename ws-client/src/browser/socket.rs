//! An open connection of the browser's, and what has arrived by it.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use js_sys::{ArrayBuffer, JsString, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::DomException;
use ws_core::{
    CloseCause, CloseCode, CloseFrame, CloseInfo, Initiator, Message, ProtocolError, SendError, TransportEnd,
};

use super::config::{Config, Overflow};
use super::connect_error::ConnectError;
use super::error::Error;
use super::event_socket::EventSocket;
use super::received::{Received, charge};
use super::request::Request;
use super::stream_socket::StreamSocket;

/// A connection of the browser's; closed when dropped.
pub(super) struct Socket {
    js: Js,
    config: Config,
    state: Shared,
}

/// The two objects that a browser may have for a WebSocket.
enum Js {
    /// `WebSocket`, which every browser has. It receives as fast as the server sends.
    Events(EventSocket),
    /// `WebSocketStream`, which Chromium has. It receives when it is asked to.
    Stream(StreamSocket),
}

/// The state, which what the browser calls changes as well.
pub(super) type Shared = Rc<RefCell<State>>;

pub(super) struct State {
    pub(super) is_opened: bool,
    pub(super) received: Received,
    /// Whether all that was received before the end is in the queue.
    pub(super) is_whole: bool,
    /// The code of the Close that this end has begun with.
    pub(super) sent: Option<CloseCode>,
    /// Why this end closes, if a limit was exceeded.
    pub(super) fault: Option<Error>,
    pub(super) ended: Option<CloseInfo>,
    /// Everybody that waits: any event may be theirs.
    wakers: Vec<Waker>,
}

impl Socket {
    /// Begins to open a connection.
    pub(super) fn open(request: &Request, config: &Config) -> Result<Self, ConnectError> {
        let state = Rc::new(RefCell::new(State {
            is_opened: false,
            received: Received::new(config.max_received, config.overflow),
            is_whole: false,
            sent: None,
            fault: None,
            ended: None,
            wakers: Vec::new(),
        }));
        // With the other policies messages are to be dropped, so the server is not to wait.
        let stream = match config.overflow {
            Overflow::Close => StreamSocket::open(request, config, &state),
            Overflow::DropOldest | Overflow::DropNewest => None,
        };
        let js = match stream {
            Some(stream) => stream.map(Js::Stream),
            None => EventSocket::open(request, config, &state).map(Js::Events),
        };
        let js = js.map_err(|error| not_allowed(request, &error))?;
        Ok(Self { js, config: config.clone(), state })
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
            drop(state);
            // There is room for another one.
            change(&self.state, |_| ());
            return Poll::Ready(Ok(Some(message)));
        }
        match (&state.fault, &state.ended) {
            (Some(fault), _) => Poll::Ready(Err(fault.clone())),
            (None, Some(_)) if !state.is_whole => state.wait(cx),
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
        match &self.js {
            Js::Events(socket) => socket.send(message),
            Js::Stream(socket) => socket.send(message),
        }
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
        match &self.js {
            Js::Events(socket) => socket.is_open(),
            Js::Stream(socket) => socket.is_open(),
        }
    }

    /// Bytes that the browser holds and has not sent.
    pub(super) fn queued(&self) -> usize {
        match &self.js {
            Js::Events(socket) => socket.queued(),
            Js::Stream(socket) => socket.queued(),
        }
    }

    /// Whether tasks are woken when less is queued.
    pub(super) const fn reports_room(&self) -> bool {
        matches!(self.js, Js::Stream(_))
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
        match &self.js {
            Js::Events(socket) => socket.close(code, reason),
            Js::Stream(socket) => socket.close_behind(code, reason),
        }
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
        match &self.js {
            Js::Events(socket) => socket.subprotocol(),
            Js::Stream(socket) => socket.subprotocol(),
        }
    }

    pub(super) fn extensions(&self) -> String {
        match &self.js {
            Js::Events(socket) => socket.extensions(),
            Js::Stream(socket) => socket.extensions(),
        }
    }
}

impl State {
    pub(super) fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        if !self.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Takes a message into the queue; returns the code and the reason to close with when a limit is exceeded.
    pub(super) fn receive(
        &mut self,
        message: Option<Message>,
        config: &Config,
    ) -> Result<(), (CloseCode, &'static str)> {
        if self.fault.is_some() {
            return Ok(());
        }
        let Some(message) = message else {
            let limit = u64::try_from(config.max_message_size).unwrap_or(u64::MAX);
            self.fault = Some(Error::Protocol(ProtocolError::MessageTooBig { limit }));
            return Err((Config::TOO_BIG, "message too big"));
        };
        self.received.push(message).map_err(|_| {
            self.fault = Some(Error::Overflow { limit: config.max_received });
            (Config::TRY_AGAIN_LATER, "messages are not received as fast as they come")
        })
    }

    /// Waits until a message fits into the queue, or is not to go there any longer.
    pub(super) fn poll_room(&mut self, message: &Message, cx: &mut Context<'_>) -> Poll<()> {
        if self.received.has_room(charge(message)) || self.is_closing() {
            return Poll::Ready(());
        }
        self.wait(cx)
    }

    /// Whether this end has begun to close, so that messages are dropped.
    pub(super) const fn is_closing(&self) -> bool {
        self.sent.is_some() || self.fault.is_some()
    }
}

/// Changes the state, then wakes the tasks that wait: they may run at once, so the state is not borrowed any longer.
pub(super) fn change<T>(state: &RefCell<State>, by: impl FnOnce(&mut State) -> T) -> T {
    let (result, wakers) = {
        let mut state = state.borrow_mut();
        (by(&mut state), std::mem::take(&mut state.wakers))
    };
    wakers.into_iter().for_each(Waker::wake);
    result
}

/// Copies a message out of the browser; `None` if it is over the limit.
pub(super) fn read(data: &JsValue, limit: usize) -> Option<Message> {
    if let Some(text) = data.dyn_ref::<JsString>() {
        // UTF-8 is never shorter than UTF-16 in units.
        if usize::try_from(text.length()).ok()? > limit {
            return None;
        }
        let text = String::from(text);
        return (text.len() <= limit).then(|| text.into());
    }
    let bytes = match data.dyn_ref::<ArrayBuffer>() {
        Some(buffer) => Uint8Array::new(buffer),
        None => data.dyn_ref::<Uint8Array>()?.clone(),
    };
    let len = usize::try_from(bytes.length()).ok()?;
    (len <= limit).then(|| bytes.to_vec().into())
}

/// How a connection ended, as far as the browser reports it.
pub(super) struct End {
    pub(super) was_clean: bool,
    pub(super) code: u16,
    pub(super) reason: String,
}

impl End {
    /// The record of it; `asked` is the code that the browser was asked to close with. If a Close of the peer's has arrived before
    /// that, the browser has answered it with its own code: that is not reported.
    pub(super) fn record(self, asked: Option<CloseCode>, unsent: u64) -> CloseInfo {
        let initiator = if asked.is_some() { Initiator::Local } else { Initiator::Remote };
        let cause = match self.was_clean {
            true => CloseCause::Handshake,
            false => CloseCause::Transport(TransportEnd::Failed),
        };
        let mut info = CloseInfo::new(initiator, cause);
        // RFC 6455 §7.1.5: 1006 stands for no Close frame.
        info.received = Some(CloseCode(self.code)).filter(|&code| code != CloseCode::ABNORMAL_CLOSURE);
        // §5.5.1: a Close is typically answered with its own code.
        info.sent = asked.or(info.received);
        info.reason = self.reason.into();
        info.unsent = unsent;
        info
    }
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
