//! A driver that several tasks use: the lock, and who is to be woken.

use std::sync::{Arc, PoisonError};
#[cfg(not(shuttle))]
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use ::tokio::io::{AsyncRead, AsyncWrite};

use super::backlog::{Offered, Slow};
use super::driver::Driver;
use super::error::Error;
use super::waiting::{Waiter, Waiting};
use crate::connection::Connection;
use crate::error::SendError;
use crate::prepared::Prepared;
#[cfg(shuttle)]
use shuttle::sync::{Mutex, MutexGuard};

/// What both halves of a split WebSocket share.
pub(super) struct Shared<S> {
    driver: Mutex<Driver<S>>,
    waiting: Arc<Waiting>,
    /// `waiting` as a waker: the only one that the transport and the timer know.
    waker: Waker,
}

/// The side of [`Shared`] that does not depend on the transport's type.
pub(super) trait Link: Send + Sync {
    /// Looks at the connection, or changes it; wakes whom that concerns.
    fn with(&self, act: &mut dyn FnMut(&mut Connection));
    /// Does what queues a message if there is room for it now, and says up to where that is written.
    fn queue_if_room(
        &self,
        queue: &mut dyn FnMut(&mut Connection) -> Result<(), SendError>,
    ) -> Option<Result<u64, Error>>;
    /// See [`Driver::poll_ready`].
    fn poll_ready(&self, cx: &mut Context<'_>, waiter: Waiter) -> Poll<Result<(), Error>>;
    /// See [`Driver::poll_flush`].
    fn poll_flush(&self, cx: &mut Context<'_>, waiter: Waiter) -> Poll<Result<(), Error>>;
    /// See [`Driver::poll_written`].
    fn poll_written(&self, cx: &mut Context<'_>, waiter: Waiter, mark: u64) -> Poll<Result<(), Error>>;
    /// See [`Driver::poll_close`].
    fn poll_close(&self, cx: &mut Context<'_>, waiter: Waiter) -> Poll<Result<(), Error>>;
    /// See [`Driver::offer`].
    fn offer(&self, message: &Prepared, slow: &Slow) -> Offered;
    /// See [`Driver::queue_mark`].
    fn queue_mark(&self) -> u64;
    /// The list of those who wait, and their turns.
    fn waiting(&self) -> &Waiting;
}

impl<S: AsyncRead + AsyncWrite + Unpin> Shared<S> {
    pub(super) fn new(driver: Driver<S>) -> Self {
        let waiting = Arc::new(Waiting::new());
        Self { driver: Mutex::new(driver), waker: Waker::from(Arc::clone(&waiting)), waiting }
    }

    pub(super) fn into_driver(self) -> Driver<S> {
        self.driver.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Driver<S>> {
        // A panic while it was held came from the transport's code; the driver's state is whole.
        self.driver.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Polls the driver for one of those who wait; wakes the others if they may have waited for what
    /// it did.
    pub(super) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        waiter: Waiter,
        mut poll: impl FnMut(&mut Driver<S>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let mut driver = self.lock();
        let before = driver.progress();
        let all = &mut Context::from_waker(&self.waker);
        let mut answer = poll(&mut driver, all);
        if answer.is_pending() {
            // Asked again once the list has us: a wake-up in between found us missing.
            self.waiting.add(waiter, cx.waker());
            answer = poll(&mut driver, all);
        }
        let changed = driver.progress() != before;
        drop(driver);
        if changed {
            self.waiting.wake_others(waiter);
        }
        answer
    }
}

impl dyn Link + '_ {
    /// Does something with the connection that it may refuse.
    pub(super) fn act(
        &self,
        act: &mut dyn FnMut(&mut Connection) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        let mut result = Ok(());
        self.with(&mut |connection| {
            result = act(connection).map_err(|error| Error::refusal(connection, error));
        });
        result
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Link for Shared<S> {
    fn with(&self, act: &mut dyn FnMut(&mut Connection)) {
        let mut driver = self.lock();
        let before = driver.progress();
        act(&mut driver.connection);
        let changed = driver.progress() != before;
        drop(driver);
        if changed {
            self.waiting.wake_all();
        }
    }

    fn queue_if_room(
        &self,
        queue: &mut dyn FnMut(&mut Connection) -> Result<(), SendError>,
    ) -> Option<Result<u64, Error>> {
        let mut driver = self.lock();
        driver.has_room().then(|| driver.act(queue).map(|()| driver.queue_mark()))
    }

    fn poll_ready(&self, cx: &mut Context<'_>, waiter: Waiter) -> Poll<Result<(), Error>> {
        self.poll(cx, waiter, Driver::poll_ready)
    }

    fn poll_flush(&self, cx: &mut Context<'_>, waiter: Waiter) -> Poll<Result<(), Error>> {
        self.poll(cx, waiter, Driver::poll_flush)
    }

    fn poll_written(&self, cx: &mut Context<'_>, waiter: Waiter, mark: u64) -> Poll<Result<(), Error>> {
        self.poll(cx, waiter, |driver, cx| driver.poll_written(cx, mark))
    }

    fn poll_close(&self, cx: &mut Context<'_>, waiter: Waiter) -> Poll<Result<(), Error>> {
        self.poll(cx, waiter, Driver::poll_close)
    }

    fn offer(&self, message: &Prepared, slow: &Slow) -> Offered {
        let mut driver = self.lock();
        let before = driver.progress();
        let offered = driver.offer(&mut Context::from_waker(&self.waker), message, slow);
        let changed = driver.progress() != before;
        drop(driver);
        if changed {
            self.waiting.wake_all();
        }
        offered
    }

    fn queue_mark(&self) -> u64 {
        self.lock().queue_mark()
    }

    fn waiting(&self) -> &Waiting {
        &self.waiting
    }
}
