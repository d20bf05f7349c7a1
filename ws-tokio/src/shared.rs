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
//!                  ├── room, and no sender has the permit or waits for it ──────▶ Queued
//!                  │                                                              ▲
//!                  ▼                                                  room        │
//!               In line ── the senders before it are done ─▶ Has the permit ──────┤
//!                  │                                           │  ▲               │
//!                  │                                  no room: ▼  │ woken         │
//!                  │                             it alone waits for the transport │
//!                  │                                           │                  │
//!                  └────────── dropped ──▶ Left ◀──────────────┘                  │
//!                              (nothing is queued)       the connection closes ───┘ (and refuses the message)
//!
//!  Queued ── another sender queued before: lets the others queue theirs ──▶ Writing ── all up to its mark written ──▶ done
//! ```
//!
//! - The line is a [`Semaphore`] of tokio's with one permit, which goes to the sender that waits longest. It passes on when
//!   a message has been queued, and however a future ends.
//! - A message in pieces keeps the permit until it ends: `Hold`.
//! - The semaphore is closed with the connection: all that wait in line are woken, and their messages refused.
//! - The transport and the timer have one waker, which wakes all tasks that wait: [`Waiting`]. A task that is polled wakes
//!   those that its progress may concern.
//! - A sender takes no permit while there is room and no line: what a sender with the permit does needs the lock, too.
//!
//! A line made by hand, in which a newcomer could queue past senders that had joined since the transport was last full,
//! took 150 lines more and was no faster: 64 tasks that feed reached 0.93 to 1.04 of the throughput of one (with the
//! semaphore 0.96 to 1.09), and with `send` 0.74 to 0.80 (0.75 to 0.79) of one that flushes as often, in five runs of each
//! of `tests/socket/shared_sender.rs`. One task took 111 to 122 ns a message (112 to 120).

use std::mem;
use std::sync::{Arc, PoisonError};

#[cfg(not(shuttle))]
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;

use crate::backlog::SlowPolicy;
use crate::budget::without_budget;
use crate::driver::{Driver, Progress, step_back};
use crate::error::Error;
use crate::outbox::Outbox;
use crate::publish_report::{Membership, PublishReport};
use crate::traffic::Traffic;
use crate::turn::Turn;
use crate::waiting::{Waiter, Waiting};
#[cfg(shuttle)]
use shuttle::sync::{Mutex, MutexGuard};
use ws_core::{Connection, MemoryUsage, PreparedMessage, SendError};

/// What both halves of a split WebSocket share.
pub(super) struct Shared<S> {
    locked: Mutex<Locked<S>>,
    waiting: Arc<Waiting>,
    /// The order of the senders: the one with the permit queues.
    line: Semaphore,
    /// `waiting` as a waker: the only one that the transport and the timer have.
    waker: Waker,
}

/// What one task uses at a time.
pub(super) struct Locked<S> {
    pub(super) driver: Driver<S>,
    /// The sender that queued last.
    last: u32,
    /// A task other than the receiver's may be in the list of those that wait. Here, because mostly none is: what is written in
    /// passing then leaves the list alone.
    others_wait: bool,
}

/// The side of [`Shared`] that does not depend on the transport's type.
pub(super) trait Link: Send + Sync {
    /// Reads or changes the connection; wakes the tasks that the change concerns.
    fn with(&self, act: &mut dyn FnMut(&mut Connection));
    /// See [`Driver::memory_usage`].
    fn memory_usage(&self) -> MemoryUsage;
    /// See [`Driver::traffic`].
    fn traffic(&self) -> Traffic;
    /// Queues a message if that needs no waiting.
    fn try_queue(&self, sender: &Identity, queue: Queue<'_>) -> Option<Result<Queued, Error>>;
    /// Waits for room, then queues a message; for the sender with the permit.
    fn poll_queue(
        &self,
        cx: &mut Context<'_>,
        waiter: Waiter,
        sender: &Identity,
        queue: Queue<'_>,
    ) -> Poll<Result<Queued, Error>>;
    /// The order of the senders.
    fn line(&self) -> &Semaphore;
    /// See [`Driver::poll_ready_in_turn`].
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
        later: bool,
        published: &mut PublishReport,
    ) -> Membership;
    /// Writes what can be written without waiting.
    fn write(&self);
    /// See [`Driver::attach`].
    fn attach(&self, outbox: Arc<dyn Outbox>) -> Result<(), Error>;
    /// See [`Driver::write_now_and_look`].
    fn write_now(&self) -> bool;
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

/// A message that has been queued.
#[derive(Debug, Clone, Copy)]
pub(super) struct Queued {
    /// Up to where is to be written before it has gone.
    pub(super) mark: u64,
    /// The one before was another sender's.
    pub(super) changed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Shared<S> {
    pub(super) fn new(mut driver: Driver<S>) -> Self {
        let waiting = Arc::new(Waiting::new(driver.number()));
        let line = Semaphore::new(1);
        if !driver.connection.is_open() {
            line.close();
        }
        let locked = Mutex::new(Locked { driver, last: 0, others_wait: false });
        Self { line, locked, waker: Waker::from(Arc::clone(&waiting)), waiting }
    }

    pub(super) fn into_driver(self) -> Driver<S> {
        let mut driver = self.locked.into_inner().unwrap_or_else(PoisonError::into_inner).driver;
        // Nobody reaches it through a weak sender any more.
        driver.close_outboxes();
        driver
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
            locked.others_wait |= waiter != Waiter::RECEIVER;
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
        self.report(locked, before, Some(waiter), answer.is_pending());
        answer
    }

    /// Has the driver do something on behalf of no task that waits.
    fn drive<T>(&self, act: impl FnOnce(&mut Driver<S>, &mut Context<'_>) -> T) -> T {
        let mut locked = self.lock();
        let before = locked.driver.progress();
        let answer = act(&mut locked.driver, &mut Context::from_waker(&self.waker));
        self.report(locked, before, None, false);
        answer
    }

    /// Unlocks, and wakes the tasks that may have waited for what has happened since `before`, except `waiter`, which `still_waits` or
    /// not.
    fn report(
        &self,
        mut locked: MutexGuard<'_, Locked<S>>,
        before: Progress,
        waiter: Option<Waiter>,
        still_waits: bool,
    ) {
        let after = locked.driver.progress();
        if after == before {
            return;
        }
        let receiver = after.concerns_receiver(before);
        // All others are taken out of the list below.
        let stays = still_waits && waiter != Some(Waiter::RECEIVER);
        let others = mem::replace(&mut locked.others_wait, stays);
        drop(locked);
        if !after.is_open() {
            self.line.close();
        }
        if others || receiver {
            self.waiting.wake_others(waiter, receiver);
        }
    }

    fn queue(locked: &mut Locked<S>, sender: &Identity, queue: Queue<'_>) -> Result<Queued, Error> {
        let Locked { driver, last, .. } = locked;
        driver.queue(queue)?;
        sender.turn.count_message(!driver.has_room() || driver.connection.renew_turn());
        let changed = mem::replace(last, sender.id) != sender.id;
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

    fn traffic(&self) -> Traffic {
        self.lock().driver.traffic()
    }

    fn try_queue(&self, sender: &Identity, queue: Queue<'_>) -> Option<Result<Queued, Error>> {
        let mut locked = self.lock();
        // No sender has the permit, or waits for it. It is not taken: what a sender with it does needs the lock, too.
        let free = self.line.available_permits() > 0 && locked.driver.has_room();
        free.then(|| Self::queue(&mut locked, sender, queue))
    }

    fn poll_queue(
        &self,
        cx: &mut Context<'_>,
        waiter: Waiter,
        sender: &Identity,
        queue: Queue<'_>,
    ) -> Poll<Result<Queued, Error>> {
        self.poll_locked(self.lock(), cx, waiter, |locked, cx| {
            let ready = locked.driver.poll_ready(cx);
            if ready.is_pending() && locked.driver.connection.is_open() {
                return Poll::Pending;
            }
            Poll::Ready(match ready {
                // No room is made for what is going to be refused.
                Poll::Pending | Poll::Ready(Ok(())) => Self::queue(locked, sender, queue),
                Poll::Ready(Err(error)) => Err(error),
            })
        })
    }

    fn line(&self) -> &Semaphore {
        &self.line
    }

    fn poll_ready(&self, cx: &mut Context<'_>, waiter: Waiter) -> Poll<Result<(), Error>> {
        self.poll(cx, waiter, Driver::poll_ready_in_turn)
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
        later: bool,
        published: &mut PublishReport,
    ) -> Membership {
        self.drive(|driver, cx| driver.offer(cx, messages, slow, later, published))
    }

    fn write(&self) {
        self.drive(Driver::write_in_passing);
    }

    fn attach(&self, outbox: Arc<dyn Outbox>) -> Result<(), Error> {
        self.drive(|driver, _| driver.attach(outbox))
    }

    fn write_now(&self) -> bool {
        let mut room = false;
        without_budget(|| room = self.drive(Driver::write_now_and_look));
        room
    }

    fn waiting(&self) -> &Waiting {
        &self.waiting
    }
}
