//! The deadlines of a connection on tokio's clock.

use std::future::Future;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};

use super::Driver;
use crate::closer::CloseRequest;

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Ready when a deadline has passed and been dealt with, or when a closer asks to close.
    pub(super) fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Before the report, so that it has the round trip of a pong that has arrived.
        self.set_timer();
        if self.report() {
            return Poll::Ready(());
        }
        let connection = &self.connection;
        let asked = |request: &Arc<CloseRequest>| request.register(cx, connection.queued(), connection.rtt());
        if self.close_request.as_ref().is_some_and(asked) {
            return Poll::Ready(());
        }
        let Some(sleep) = &mut self.sleep else { return Poll::Pending };
        ready!(sleep.as_mut().poll(cx));
        self.handle_timeout();
        Poll::Ready(())
    }

    /// Deals with a deadline that has passed, for callers that do not wait for it.
    pub(super) fn check_timeout(&mut self) {
        self.set_timer();
        if self.sleep.as_ref().is_some_and(|sleep| sleep.deadline() <= Instant::now()) {
            self.handle_timeout();
        }
    }

    /// Deals with a deadline that has passed, and begins those that are due to begin, without the timer: there may be
    /// no runtime here to run it, or another one than the connection's. The next waiting task sets it.
    pub(super) fn note_deadline(&mut self) {
        self.unset_deadline |= self.connection.timeout_changed();
        let now = self.epoch.elapsed();
        if self.connection.next_timeout(now).is_some_and(|deadline| deadline <= now) {
            self.handle_timeout();
        }
    }

    fn handle_timeout(&mut self) {
        let now = self.epoch.elapsed();
        #[cfg(feature = "http2")]
        if let Some(held) = &self.writing.held
            && held.has_moved()
        {
            self.connection.set_held(held.bytes());
            self.connection.shared_transport_moved(now);
        }
        self.connection.handle_timeout(now);
    }

    /// Sends the reply to the peer's Close that is held back, once its deadline has passed: for callers that may send
    /// endlessly without waiting, and where no task receives.
    #[inline]
    pub(super) fn check_close_reply(&mut self, cx: &mut Context<'_>) {
        if self.connection.owes_close_reply() {
            self.note_deadline();
            if !self.connection.is_open() {
                self.write_now(cx);
                let _ = self.poll_closed(cx);
            }
        }
    }

    pub(super) fn set_timer(&mut self) {
        if mem::take(&mut self.unset_deadline) || self.connection.timeout_changed() {
            let deadline = self.connection.next_timeout(self.epoch.elapsed());
            match (deadline.and_then(|deadline| self.epoch.checked_add(deadline)), &mut self.sleep) {
                (None, sleep) => *sleep = None,
                (Some(deadline), None) => self.sleep = Some(Box::pin(sleep_until(deadline))),
                (Some(deadline), Some(sleep)) => {
                    if sleep.deadline() != deadline {
                        sleep.as_mut().reset(deadline);
                    }
                }
            }
        }
    }
}
