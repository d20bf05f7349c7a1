//! A driver that several tasks use: the lock, and which tasks are to be woken.
//!
//! # How a sender sends
//!
//! ```text
//!                  its turn is over: lets other tasks run once
//!                  ┌──────┐
//!                  ▼      │
//!  send ──────▶ Beginning ┘
//!                  │
//!                  ├── room, and no sender it would overtake ─────────────────▶ Queued
//!                  │                                                            ▲
//!                  ▼                                    room, and not held      │
//!               In line ── those before it have left ─▶ First ─────────────────┤
//!                  │                                      │  ▲                  │
//!                  │                  held, or no room:   ▼  │ woken            │
//!                  │                  it alone waits for the transport          │
//!                  │                                      │                     │
//!                  └────────── dropped ──▶ Left ◀─────────┘                     │
//!                              (nothing is queued)     the connection closes ───┘ (and refuses the message)
//!
//!  Queued ── another sender queued before: lets the others queue theirs ──▶ Writing ── all up to its mark written ──▶ done
//! ```
//!
//! - A sender that leaves the first place wakes the next, so that the line moves on however a future ends: [`Line`].
//! - A message in pieces *holds* the line from its first place on, and wakes the first when it ends: `Hold`.
//! - The transport and the timer have one waker, which wakes all tasks that wait: [`Waiting`]. A task that is polled wakes those
//!   that its progress may concern.
//! - A newcomer may queue past senders that joined the line after the transport was last found full, so that changing
//!   tasks costs little; it overtakes none that was there then.

use std::sync::{Arc, PoisonError};

#[cfg(not(shuttle))]
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::backlog::SlowPolicy;
use crate::driver::{Driver, step_back};
use crate::error::Error;
use crate::line::{Line, Ticket, Turn};
use crate::publish_report::{Membership, PublishReport};
use crate::waiting::{Waiter, Waiting};
#[cfg(shuttle)]
use shuttle::sync::{Mutex, MutexGuard};
use ws_core::{Connection, MemoryUsage, PreparedMessage, SendError};

/// What both halves of a split WebSocket share.
pub(super) struct Shared<S> {
    locked: Mutex<Locked<S>>,
    waiting: Arc<Waiting>,
    /// `waiting` as a waker: the only one that the transport and the timer have.
    waker: Waker,
}

/// What one task uses at a time.
pub(super) struct Locked<S> {
    pub(super) driver: Driver<S>,
    line: Line,
}

/// The side of [`Shared`] that does not depend on the transport's type.
pub(super) trait Link: Send + Sync {
    /// Reads or changes the connection; wakes the tasks that the change concerns.
    fn with(&self, act: &mut dyn FnMut(&mut Connection));
    /// See [`Driver::memory_usage`].
    fn memory_usage(&self) -> MemoryUsage;
    /// Queues a message if that needs no waiting.
    fn try_queue(&self, sender: &Identity, queue: Queue<'_>) -> Option<Result<Queued, Error>>;
    /// Waits in line for room, then queues a message and leaves the line.
    fn poll_queue(
        &self,
        cx: &mut Context<'_>,
        place: &mut Place,
        sender: &Identity,
        queue: Queue<'_>,
    ) -> Poll<Result<Queued, Error>>;
    /// Waits in line, then keeps all others waiting until [`release`](Self::release).
    fn poll_hold(&self, cx: &mut Context<'_>, place: &mut Place) -> Poll<()>;
    /// Ends what `poll_hold` began.
    fn release(&self);
    /// Leaves a place in line.
    fn leave(&self, ticket: Ticket);
    /// See [`Driver::poll_ready`].
    fn poll_ready(&self, cx: &mut Context<'_>, waiter: Waiter) -> Poll<Result<(), Error>>;
    /// See [`Driver::poll_flush`].
    fn poll_flush(&self, cx: &mut Context<'_>, waiter: Waiter) -> Poll<Result<(), Error>>;
    /// See [`Driver::poll_written`].
    fn poll_written(&self, cx: &mut Context<'_>, waiter: Waiter, mark: u64) -> Poll<Result<(), Error>>;
    /// See [`Driver::poll_close`].
    fn poll_close(&self, cx: &mut Context<'_>, waiter: Waiter) -> Poll<Result<(), Error>>;
    /// See [`Driver::offer`].
    fn offer(
        &self,
        messages: &[PreparedMessage],
        slow: &SlowPolicy,
        published: &mut PublishReport,
    ) -> Membership;
    /// Writes what can be written without waiting.
    fn write(&self);
    /// The list of the tasks that wait.
    fn waiting(&self) -> &Waiting;
}

/// What queues a message, once.
pub(super) type Queue<'a> = &'a mut dyn FnMut(&mut Connection) -> Result<(), SendError>;

/// What distinguishes one sender from another.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) id: u32,
    pub(super) turn: Turn,
}

/// Where a sender stands that waits: in the line, and as the first of it among all that wait.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) waiter: Waiter,
    pub(super) ticket: Option<Ticket>,
}

/// A message that has been queued.
#[derive(Debug, Clone, Copy)]
pub(super) struct Queued {
    /// Up to where is to be written before it has gone.
    pub(super) mark: u64,
    /// The one before was another sender's.
    pub(super) changed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Shared<S> {
    pub(super) fn new(driver: Driver<S>) -> Self {
        let waiting = Arc::new(Waiting::new());
        let locked = Mutex::new(Locked { driver, line: Line::default() });
        Self { locked, waker: Waker::from(Arc::clone(&waiting)), waiting }
    }

    pub(super) fn into_driver(self) -> Driver<S> {
        self.locked.into_inner().unwrap_or_else(PoisonError::into_inner).driver
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Locked<S>> {
        // A panic while it was held came from the transport's code; the driver's state is whole.
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Polls the driver for one of the tasks that wait; wakes the others if they may have waited for what
    /// it did.
    pub(super) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        waiter: Waiter,
        mut poll: impl FnMut(&mut Driver<S>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.poll_locked(self.lock(), cx, waiter, |locked, cx| poll(&mut locked.driver, cx))
    }

    fn poll_locked<T>(
        &self,
        mut locked: MutexGuard<'_, Locked<S>>,
        cx: &mut Context<'_>,
        waiter: Waiter,
        mut poll: impl FnMut(&mut Locked<S>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let before = locked.driver.progress();
        let all = &mut Context::from_waker(&self.waker);
        let mut answer = poll(&mut locked, all);
        if answer.is_pending() {
            // Asked again once the list has us: a wake-up in between found us missing.
            self.waiting.add(waiter, cx.waker());
            if locked.driver.has_stepped_back() {
                // That would be no step back; the wake-up is repeated instead.
                step_back(all);
            } else {
                answer = poll(&mut locked, all);
            }
            if answer.is_ready() {
                self.waiting.forget(waiter);
            }
        }
        let after = locked.driver.progress();
        drop(locked);
        if after != before {
            self.waiting.wake_others(Some(waiter), after.concerns_receiver(before));
        }
        answer
    }

    /// Waits in line, and does what is to be done there as the first. Ready leaves the line.
    fn poll_in_line<T>(
        &self,
        cx: &mut Context<'_>,
        place: &mut Place,
        mut poll: impl FnMut(&mut Locked<S>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let mut locked = self.lock();
        if !locked.line.wait(&mut place.ticket, cx) {
            return Poll::Pending;
        }
        let mut next = None;
        let answer = self.poll_locked(locked, cx, place.waiter, |locked, cx| {
            let answer = poll(locked, cx);
            if answer.is_ready() {
                next = place.ticket.take().and_then(|ticket| locked.line.leave(ticket));
            }
            answer
        });
        next.into_iter().for_each(Waker::wake);
        answer
    }

    /// Has the driver do something on behalf of no task that waits.
    fn drive<T>(&self, act: impl FnOnce(&mut Driver<S>, &mut Context<'_>) -> T) -> T {
        let mut locked = self.lock();
        let before = locked.driver.progress();
        let answer = act(&mut locked.driver, &mut Context::from_waker(&self.waker));
        let after = locked.driver.progress();
        drop(locked);
        if after != before {
            self.waiting.wake_others(None, after.concerns_receiver(before));
        }
        answer
    }

    fn queue(locked: &mut Locked<S>, sender: &Identity, queue: Queue<'_>) -> Result<Queued, Error> {
        let Locked { driver, line } = locked;
        driver.queue(queue)?;
        let changed = line.count_message(sender.id, &sender.turn, !driver.has_room());
        Ok(Queued { mark: driver.queue_mark(), changed })
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
        self.drive(|driver, _| act(&mut driver.connection));
    }

    fn memory_usage(&self) -> MemoryUsage {
        self.lock().driver.memory_usage()
    }

    fn try_queue(&self, sender: &Identity, queue: Queue<'_>) -> Option<Result<Queued, Error>> {
        let mut locked = self.lock();
        let free = locked.line.is_free() && locked.driver.has_room();
        free.then(|| Self::queue(&mut locked, sender, queue))
    }

    fn poll_queue(
        &self,
        cx: &mut Context<'_>,
        place: &mut Place,
        sender: &Identity,
        queue: Queue<'_>,
    ) -> Poll<Result<Queued, Error>> {
        self.poll_in_line(cx, place, |locked, cx| {
            if locked.line.is_held() && locked.driver.connection.is_open() {
                return Poll::Pending;
            }
            let ready = locked.driver.poll_ready(cx);
            if ready.is_pending() && locked.driver.connection.is_open() {
                locked.line.is_stuck();
                return Poll::Pending;
            }
            Poll::Ready(match ready {
                // No room is made for what is going to be refused.
                Poll::Pending | Poll::Ready(Ok(())) => Self::queue(locked, sender, queue),
                Poll::Ready(Err(error)) => Err(error),
            })
        })
    }

    fn poll_hold(&self, cx: &mut Context<'_>, place: &mut Place) -> Poll<()> {
        self.poll_in_line(cx, place, |locked, _| {
            if locked.line.is_held() {
                return Poll::Pending;
            }
            locked.line.hold();
            Poll::Ready(())
        })
    }

    fn release(&self) {
        let next = self.lock().line.release();
        next.into_iter().for_each(Waker::wake);
    }

    fn leave(&self, ticket: Ticket) {
        let next = self.lock().line.leave(ticket);
        next.into_iter().for_each(Waker::wake);
    }

    fn poll_ready(&self, cx: &mut Context<'_>, waiter: Waiter) -> Poll<Result<(), Error>> {
        self.poll(cx, waiter, Driver::poll_ready)
    }

    fn poll_flush(&self, cx: &mut Context<'_>, waiter: Waiter) -> Poll<Result<(), Error>> {
        self.poll(cx, waiter, Driver::poll_flush)
    }

    fn poll_written(&self, cx: &mut Context<'_>, waiter: Waiter, mark: u64) -> Poll<Result<(), Error>> {
        let locked = self.lock();
        if locked.driver.has_written(mark) {
            return Poll::Ready(Ok(()));
        }
        self.poll_locked(locked, cx, waiter, |locked, cx| locked.driver.poll_written(cx, mark))
    }

    fn poll_close(&self, cx: &mut Context<'_>, waiter: Waiter) -> Poll<Result<(), Error>> {
        self.poll(cx, waiter, Driver::poll_close)
    }

    fn offer(
        &self,
        messages: &[PreparedMessage],
        slow: &SlowPolicy,
        published: &mut PublishReport,
    ) -> Membership {
        self.drive(|driver, cx| driver.offer(cx, messages, slow, published))
    }

    fn write(&self) {
        self.drive(Driver::write_in_passing);
    }

    fn waiting(&self) -> &Waiting {
        &self.waiting
    }
}
