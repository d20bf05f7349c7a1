//! The wakers of the tasks that wait for a connection that many tasks use.

use std::mem;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError};

#[cfg(not(shuttle))]
use std::sync::{Mutex, MutexGuard};
use std::task::{Wake, Waker};

#[cfg(shuttle)]
use shuttle::sync::{Mutex, MutexGuard};

/// The key of a future that waits. Wakers cannot be the keys, because a task may wait for two things at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiter(u32);

impl Waiter {
    /// There is one receiver, and it waits for one thing at a time.
    pub(super) const RECEIVER: Self = Self(0);
    /// Where there is one sender too, that does one thing at a time.
    pub(super) const WRITER: Self = Self(1);
}

/// The wakers of the tasks that wait, each for something that another task may do.
///
/// The transport and the timer wake all of them. So no wake-up meant for one half can be lost
/// because the other polled last.
pub(super) struct Waiting {
    wakers: Mutex<Vec<(Waiter, Waker)>>,
    waiters: AtomicU32,
    senders: AtomicU32,
    /// That of the connection.
    pub(super) number: u64,
}

impl Waiting {
    pub(super) fn new(number: u64) -> Self {
        Self {
            wakers: Mutex::new(Vec::new()),
            waiters: AtomicU32::new(0),
            senders: AtomicU32::new(0),
            number,
        }
    }

    /// Returns the key of another future that may wait; the caller [forgets](Self::forget) it in the end.
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

    pub(super) fn add(&self, waiter: Waiter, waker: &Waker) {
        let mut wakers = self.lock();
        match wakers.iter_mut().find(|(other, _)| *other == waiter) {
            Some((_, own)) => own.clone_from(waker),
            None => wakers.push((waiter, waker.clone())),
        }
    }

    /// Wakes all but one; the receiver only if `receiver`.
    pub(super) fn wake_others(&self, waiter: Option<Waiter>, receiver: bool) {
        let others: Vec<_> = self
            .lock()
            .extract_if(.., |(other, _)| Some(*other) != waiter && (receiver || *other != Waiter::RECEIVER))
            .collect();
        others.into_iter().for_each(|(_, waker)| waker.wake());
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
