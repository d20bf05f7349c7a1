//! Closing a WebSocket, and sending on it, from outside the task that owns it.

mod observer;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use ws_core::{CloseCode, CloseFrame, CloseInfo, Message, PreparedMessage, SendError};

use crate::error::Error;
use crate::outbox::Outbox;
use crate::traffic::CloseRecord;
use crate::try_send_error::TrySendError;

pub use self::observer::{Observer, Report, TrafficReport};

/// Asks a [`WebSocket`](super::WebSocket) to close, or to send a message, from any task or thread. A server keeps one for
/// each connection, to close all of them when it shuts down.
///
/// It does not keep the connection alive, and it sends nothing itself: the task that uses the WebSocket
/// is woken, and whichever of its futures is polled next sends the Close or the message. [`recv`](super::WebSocket::recv) then
/// sees the closing handshake through and ends with `None`.
#[derive(Debug, Clone)]
pub struct Closer(Arc<CloseRequest>);

/// What a [`Closer`] asks of the driver, which share it.
#[derive(Debug, Default)]
pub(super) struct CloseRequest {
    /// Whether something was asked that the driver has not seen.
    requested: AtomicBool,
    /// For what the connection is to be failed: nothing, [`INPUT`], [`ALL`] or [`RATE`].
    gives_way: AtomicU8,
    /// Only the first request to close counts. It changes under the lock, and is beside it to take no place.
    is_closing: AtomicBool,
    /// Whether the driver takes messages out of `posted`; as `is_closing`.
    is_attached: AtomicBool,
    /// Whether there is an observer.
    is_observed: AtomicBool,
    /// Whether that counts what goes through.
    counts_traffic: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Boxed, because few connections ever have one.
    close: Option<Box<CloseFrame>>,
    /// The messages to send. Boxed, because few connections ever have one.
    #[expect(clippy::box_collection, reason = "the place for it is there while the connection is open")]
    posted: Option<Box<VecDeque<PreparedMessage>>>,
    /// What was queued when the driver waited last.
    queued: u32,
    /// The round-trip time at that time, in microseconds; zero if there was none.
    rtt: u32,
    owner: Option<Waker>,
    /// What the connection reports to; absent while it does.
    observer: Option<Box<dyn Observer>>,
    /// How the connection ended. Boxed, because it is absent while the connection is open.
    ended: Option<Box<CloseRecord>>,
}

/// What the driver is asked to do.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) close: Option<Box<CloseFrame>>,
    /// To attach the request as an outbox.
    pub(super) attach: bool,
    pub(super) give_way: Option<GiveWay>,
}

/// What a connection drops that gives way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GiveWay {
    /// Input that has not been received.
    Input,
    /// That, and what waits to be written.
    All,
    /// Input, because the peer sends too much.
    Rate,
}

impl Closer {
    pub(super) fn new(request: Arc<CloseRequest>) -> Self {
        Self(request)
    }

    /// Asks for the connection to be closed, without waiting for it, as [`WebSocket::start_close`](super::WebSocket::start_close)
    /// does. Only the first request counts; a connection that is closing or has ended ignores it.
    ///
    /// # Errors
    /// [`SendError`] for a code or reason that must not be sent.
    pub fn start_close(&self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        let frame = CloseFrame::new(code, reason)?;
        let mut state = self.0.state();
        if !self.0.is_closing.swap(true, Ordering::Relaxed) {
            state.close = Some(Box::new(frame));
        }
        self.0.ask(state);
        Ok(())
    }

    /// Asks for the connection to be failed with 1013, without waiting for it, and for what it has received of a message to be dropped
    /// ([`Connection::give_way`](ws_core::Connection::give_way)): for a server whose connections together hold too much memory. A
    /// connection that by then holds no input that is to be received ignores it.
    pub fn give_way(&self) {
        self.ask_to_give_way(INPUT);
    }

    /// As [`give_way`](Self::give_way), and for what waits to be written to be dropped
    /// ([`Connection::give_way_with_output`](ws_core::Connection::give_way_with_output)): for a peer that does not read. A connection whose
    /// transport has taken bytes since it [reported](Observer) last, or that has nothing to drop, ignores it.
    pub fn give_way_with_output(&self) {
        self.ask_to_give_way(ALL);
    }

    /// Asks for the connection to be failed with 1008, without waiting for it, and for what it has received and not returned to be dropped
    /// ([`Connection::fail_over_rate`](ws_core::Connection::fail_over_rate)): for a server whose limits for one client are exceeded.
    pub fn fail_over_rate(&self) {
        self.ask_to_give_way(RATE);
    }

    fn ask_to_give_way(&self, with: u8) {
        self.0.gives_way.fetch_max(with, Ordering::Relaxed);
        self.0.ask(self.0.state());
    }

    /// Leaves a message for the connection to send when it has room, without waiting; behind what is queued there already.
    /// Messages of up to 64 KiB in all may wait here, or one that is larger.
    ///
    /// # Errors
    /// [`TrySendError`], which returns the message: as many bytes wait here, or the WebSocket was dropped. A message that was
    /// left is dropped with the connection if that ends first.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        let message = message.into();
        let mut state = self.0.state();
        if let Some(record) = &state.ended {
            let error = Error::Closed(Box::new(record.info.clone()));
            return Err(TrySendError::Refused(message, error));
        }
        if self.0.is_closing.load(Ordering::Relaxed) {
            return Err(TrySendError::Refused(message, Error::Send(SendError::Closing)));
        }
        let waiting = state.posted_bytes();
        if waiting > 0 && waiting.saturating_add(message.len()) > MOST_POSTED {
            return Err(TrySendError::Full(message));
        }
        state.posted.get_or_insert_default().push_back(PreparedMessage::new(message));
        self.0.ask(state);
        Ok(())
    }

    /// Returns the number of bytes that waited to be written when the connection waited last, and what [`try_send`](Self::try_send)
    /// has left since.
    pub fn queued(&self) -> usize {
        let state = self.0.state();
        usize::try_from(state.queued).unwrap_or(usize::MAX).saturating_add(state.posted_bytes())
    }

    /// As [`WebSocket::rtt`](super::WebSocket::rtt), as it was when the connection waited last.
    pub fn rtt(&self) -> Option<Duration> {
        let micros = self.0.state().rtt;
        (micros > 0).then(|| Duration::from_micros(micros.into()))
    }

    /// Returns how the connection ended, once the WebSocket has been dropped; `None` before.
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.0.state().ended.as_ref().map(|record| record.info.clone())
    }

    /// As [`close_info`](Self::close_info), with how long the WebSocket was there and what went through it.
    pub fn record(&self) -> Option<CloseRecord> {
        self.0.state().ended.as_deref().cloned()
    }
}

impl CloseRequest {
    /// Records how the connection has ended.
    pub(super) fn ended(&self, record: Option<CloseRecord>) {
        let mut state = self.state();
        state.ended = record.map(Box::new);
        state.posted = None;
        let observer = state.observer.take();
        drop(state);
        // Without the lock, as it may do anything.
        drop(observer);
    }

    pub(super) fn set_observer(&self, observer: Box<dyn Observer>) {
        self.counts_traffic.store(observer.counts_traffic(), Ordering::Relaxed);
        self.state().observer = Some(observer);
        self.is_observed.store(true, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn counts_traffic(&self) -> bool {
        self.counts_traffic.load(Ordering::Relaxed)
    }

    /// Reports to the observer, without the lock, as [`observe`](Self::observe).
    pub(super) fn observe_traffic(&self, report: &TrafficReport) {
        let Some(observer) = self.state().observer.take() else { return };
        observer.observe_traffic(report);
        self.state().observer = Some(observer);
    }

    pub(super) fn is_observed(&self) -> bool {
        self.is_observed.load(Ordering::Relaxed)
    }

    /// Reports to the observer, without the lock: it may use closers, and this is one.
    pub(super) fn observe(self: &Arc<Self>, report: &Report) -> bool {
        let Some(observer) = self.state().observer.take() else { return false };
        let gives_way = observer.observe(report, &Closer(self.clone()));
        self.state().observer = Some(observer);
        gives_way
    }

    /// Takes back that the connection is to give way with its output.
    pub(super) fn keep_output(&self) {
        let _ = self.gives_way.compare_exchange(ALL, 0, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Whether something was asked since this returned `true` last. This runs at every poll, and so takes no lock.
    #[inline]
    pub(super) fn is_asked(&self) -> bool {
        self.requested.load(Ordering::Acquire)
    }

    /// Returns what was asked, once.
    pub(super) fn take(&self) -> Asked {
        let mut state = self.state();
        self.requested.store(false, Ordering::Relaxed);
        let attach = !self.is_attached.load(Ordering::Relaxed) && state.posted_bytes() > 0;
        self.is_attached.fetch_or(attach, Ordering::Relaxed);
        let give_way = match self.gives_way.swap(0, Ordering::Relaxed) {
            ALL => Some(GiveWay::All),
            INPUT => Some(GiveWay::Input),
            RATE => Some(GiveWay::Rate),
            _ => None,
        };
        Asked { close: state.close.take(), attach, give_way }
    }

    /// Stores the waker that a request wakes, and what the connection is like; returns whether there is a request already.
    pub(super) fn register(&self, cx: &Context<'_>, queued: usize, rtt: Option<Duration>) -> bool {
        let mut state = self.state();
        state.queued = u32::try_from(queued).unwrap_or(u32::MAX);
        // At least one, so that there is one.
        state.rtt = rtt.map_or(0, |rtt| u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX).max(1));
        match &mut state.owner {
            Some(owner) => owner.clone_from(cx.waker()),
            owner => *owner = Some(cx.waker().clone()),
        }
        self.requested.load(Ordering::Acquire)
    }

    /// Has the driver see what was asked.
    fn ask(&self, mut state: MutexGuard<'_, State>) {
        self.requested.store(true, Ordering::Release);
        let owner = state.owner.take();
        drop(state);
        if let Some(owner) = owner {
            owner.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn posted_bytes(&self) -> usize {
        let posted = self.posted.iter().flat_map(|posted| posted.iter());
        // At least one for each, so that empty messages count too.
        posted.map(|message| message.message().len().max(1)).fold(0, usize::saturating_add)
    }
}

impl Outbox for CloseRequest {
    fn next(&self) -> Option<PreparedMessage> {
        let mut state = self.state();
        let next = state.posted.as_mut()?.pop_front();
        if next.is_none() {
            state.posted = None;
        }
        next
    }

    fn memory_usage(&self) -> usize {
        self.state().posted_bytes()
    }

    fn closed(&self) {
        // The halves may have been reunited: what is left is attached anew.
        let state = self.state();
        self.is_attached.store(false, Ordering::Relaxed);
        if state.posted_bytes() > 0 {
            self.requested.store(true, Ordering::Release);
        }
    }
}

const INPUT: u8 = 1;
const ALL: u8 = 2;
const RATE: u8 = 3;

/// The most bytes that wait for a connection outside of it, unless one message is longer.
const MOST_POSTED: usize = 64 << 10;
