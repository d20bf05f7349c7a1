//! Closing a WebSocket from outside the task that owns it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use ws_core::{CloseCode, CloseFrame, CloseInfo, SendError};

/// Asks a [`WebSocket`](super::WebSocket) to close, from anywhere: what a server holds of each connection
/// for the day it shuts down.
///
/// It keeps nothing of the connection alive, and it does nothing by itself: the task that uses the WebSocket
/// is woken, and whichever of its futures is polled next sends the Close. [`recv`](super::WebSocket::recv) then
/// sees the closing handshake through and ends with `None`.
#[derive(Debug, Clone)]
pub struct Closer(Arc<Wish>);

/// That a connection be closed: what a [`Closer`] and the driver share.
#[derive(Debug, Default)]
pub(super) struct Wish {
    expressed: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Boxed: few connections ever hold one.
    close: Option<Box<CloseFrame>>,
    owner: Option<Waker>,
    /// How it ended. Boxed, as it is not there while the connection lives.
    ended: Option<Box<CloseInfo>>,
}

impl Closer {
    pub(super) fn new(wish: Arc<Wish>) -> Self {
        Self(wish)
    }

    /// Asks for the connection to be closed, without waiting for it, as [`WebSocket::start_close`](super::WebSocket::start_close)
    /// does. Only the first request counts; on a connection that is closing or gone nothing happens.
    ///
    /// # Errors
    /// [`SendError`] for a code or reason that must not be sent.
    pub fn start_close(&self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        let frame = CloseFrame::new(code, reason)?;
        let mut state = self.0.state();
        if !self.0.expressed.swap(true, Ordering::Release) {
            state.close = Some(Box::new(frame));
        }
        let owner = state.owner.take();
        drop(state);
        if let Some(owner) = owner {
            owner.wake();
        }
        Ok(())
    }

    /// How the connection ended, once the WebSocket has been dropped; `None` before.
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.0.state().ended.as_deref().cloned()
    }
}

impl Wish {
    /// The connection has ended, for good.
    pub(super) fn ended(&self, info: Option<CloseInfo>) {
        self.state().ended = info.map(Box::new);
    }

    /// Takes the Close that is asked for, once.
    pub(super) fn take(&self) -> Option<Box<CloseFrame>> {
        // Asked at every poll, so the lock is for when there is something to take.
        if self.expressed.load(Ordering::Acquire) { self.state().close.take() } else { None }
    }

    /// Remembers whom to wake; `true` when there is something to take already.
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
