//! Closing a WebSocket from outside the task that owns it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use ws_core::{CloseCode, CloseFrame, CloseInfo, SendError};

/// Asks a [`WebSocket`](super::WebSocket) to close, from any task or thread. A server keeps one for each connection, to
/// close all of them when it shuts down.
///
/// It does not keep the connection alive, and it sends nothing itself: the task that uses the WebSocket
/// is woken, and whichever of its futures is polled next sends the Close. [`recv`](super::WebSocket::recv) then
/// sees the closing handshake through and ends with `None`.
#[derive(Debug, Clone)]
pub struct Closer(Arc<CloseRequest>);

/// A request to close a connection, which a [`Closer`] and the driver share.
#[derive(Debug, Default)]
pub(super) struct CloseRequest {
    requested: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Boxed, because few connections ever have one.
    close: Option<Box<CloseFrame>>,
    owner: Option<Waker>,
    /// How the connection ended. Boxed, because it is absent while the connection is open.
    ended: Option<Box<CloseInfo>>,
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
        if !self.0.requested.swap(true, Ordering::Release) {
            state.close = Some(Box::new(frame));
        }
        let owner = state.owner.take();
        drop(state);
        if let Some(owner) = owner {
            owner.wake();
        }
        Ok(())
    }

    /// Returns how the connection ended, once the WebSocket has been dropped; `None` before.
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.0.state().ended.as_deref().cloned()
    }
}

impl CloseRequest {
    /// Records how the connection has ended.
    pub(super) fn ended(&self, info: Option<CloseInfo>) {
        self.state().ended = info.map(Box::new);
    }

    /// Returns the requested Close, once.
    pub(super) fn take(&self) -> Option<Box<CloseFrame>> {
        // This runs at every poll, so the lock is taken only when there is something to take.
        if self.requested.load(Ordering::Acquire) { self.state().close.take() } else { None }
    }

    /// Stores the waker that a request wakes; returns whether there is a request already.
    pub(super) fn register(&self, cx: &Context<'_>) -> bool {
        let mut state = self.state();
        match &mut state.owner {
            Some(owner) => owner.clone_from(cx.waker()),
            owner => *owner = Some(cx.waker().clone()),
        }
        state.close.is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
