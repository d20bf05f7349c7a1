//! Those who wait for something to happen on a connection that many use.

use std::mem;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError};
#[cfg(not(shuttle))]
use std::sync::{Mutex, MutexGuard};
use std::task::{Wake, Waker};

use ::tokio::sync::Semaphore;

use super::shared::Link;
#[cfg(shuttle)]
use shuttle::sync::{Mutex, MutexGuard};

/// One who waits. Not told apart by wakers: a task may wait for two things at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiter(u32);

impl Waiter {
    /// There is one receiver, and it waits for one thing at a time.
    pub(super) const RECEIVER: Self = Self(0);
    /// Where there is one sender too, that does one thing at a time.
    pub(super) const WRITER: Self = Self(1);
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

impl Waiting {
    pub(super) fn new() -> Self {
        Self {
            wakers: Mutex::new(Vec::new()),
            turn: Semaphore::new(TURNS as usize),
            waiters: AtomicU32::new(0),
            senders: AtomicU32::new(0),
            last_sender: AtomicU32::new(0),
        }
    }

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

    pub(super) fn add(&self, waiter: Waiter, waker: &Waker) {
        let mut wakers = self.lock();
        match wakers.iter_mut().find(|(other, _)| *other == waiter) {
            Some((_, own)) => own.clone_from(waker),
            None => wakers.push((waiter, waker.clone())),
        }
    }

    pub(super) fn wake_others(&self, waiter: Waiter) {
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

    pub(super) fn wake_all(&self) {
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
