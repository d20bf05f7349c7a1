//! A driver that several tasks use: the lock, and who is to be woken.

use std::mem;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError};
#[cfg(not(shuttle))]
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};

use ::tokio::io::{AsyncRead, AsyncWrite};
use ::tokio::sync::Semaphore;

use super::backlog::{Offered, Slow};
use super::driver::Driver;
use super::error::Error;
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

/// One who waits. Not told apart by wakers: a task may wait for two things at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiter(u32);

impl Waiter {
    /// There is one receiver, and it waits for one thing at a time.
    pub(super) const RECEIVER: Self = Self(0);
}

/// Those who wait, each for something another may bring about.
///
/// The transport and the timer wake all of them. So no wake-up meant for one half can be lost
/// because the other asked last.
pub(super) struct Waiting {
    wakers: Mutex<Vec<(Waiter, Waker)>>,
    /// One of [`TURNS`] is taken by each who queues a message, all by who sends one in pieces: tokio serves
    /// them in the order in which they ask.
    pub(super) turn: Semaphore,
    waiters: AtomicU32,
    senders: AtomicU32,
    last_sender: AtomicU32,
}

/// So many may wait for room at once, and go on together when there is some: handing a single turn
/// from task to task would cost a wake-up for each message.
pub(super) const TURNS: u32 = 1;

impl<S: AsyncRead + AsyncWrite + Unpin> Shared<S> {
    pub(super) fn new(driver: Driver<S>) -> Self {
        let waiting = Arc::new(Waiting {
            wakers: Mutex::new(Vec::new()),
            turn: Semaphore::new(TURNS as usize),
            waiters: AtomicU32::new(0),
            senders: AtomicU32::new(0),
            last_sender: AtomicU32::new(0),
        });
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

/// A sender's place among those who wait; it leaves no waker behind, however the waiting ends.
pub(super) struct Waits<'a> {
    pub(super) link: &'a dyn Link,
    pub(super) waiter: Waiter,
}

impl<'a> Waits<'a> {
    pub(super) fn new(link: &'a dyn Link) -> Self {
        Self { link, waiter: link.waiting().waiter() }
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.link.waiting().forget(self.waiter);
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

impl Waiting {
    /// One more who may wait; it is to be [forgotten](Self::forget) in the end.
    pub(super) fn waiter(&self) -> Waiter {
        // Numbers come again only after four thousand million others; 0 is the receiver's.
        Waiter(self.waiters.fetch_add(1, Ordering::Relaxed).wrapping_add(1).max(1))
    }

    pub(super) fn forget(&self, waiter: Waiter) {
        self.lock().retain(|(other, _)| *other != waiter);
    }

    /// A number for another sender.
    pub(super) fn next_sender(&self) -> u32 {
        self.senders.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether the sender of this number was the last to ask; now it is.
    pub(super) fn sent_last(&self, sender: u32) -> bool {
        self.last_sender.swap(sender, Ordering::Relaxed) == sender
    }

    fn add(&self, waiter: Waiter, waker: &Waker) {
        let mut wakers = self.lock();
        match wakers.iter_mut().find(|(other, _)| *other == waiter) {
            Some((_, own)) => own.clone_from(waker),
            None => wakers.push((waiter, waker.clone())),
        }
    }

    fn wake_others(&self, waiter: Waiter) {
        let mut others = self.lock();
        if others.is_empty() {
            return;
        }
        let mut all = mem::take(&mut *others);
        if let Some(own) = all.iter().position(|(other, _)| *other == waiter) {
            others.push(all.swap_remove(own));
        }
        drop(others);
        all.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// Wakes the receiver, if it waits: there is something to write.
    pub(super) fn wake_receiver(&self) {
        let mut wakers = self.lock();
        let place = wakers.iter().position(|(waiter, _)| *waiter == Waiter::RECEIVER);
        let own = place.map(|place| wakers.swap_remove(place));
        drop(wakers);
        if let Some((_, waker)) = own {
            waker.wake();
        }
    }

    fn wake_all(&self) {
        let all = mem::take(&mut *self.lock());
        all.into_iter().for_each(|(_, waker)| waker.wake());
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Waiter, Waker)>> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}
