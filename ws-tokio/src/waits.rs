//! Guards that remove a sender that waits from the lists, however the waiting ends.

use std::task::Poll;

use crate::shared::Link;
use crate::waiting::Waiter;

/// A sender's place among the tasks that wait; its waker is removed however the waiting ends.
pub(super) struct Waits<'a> {
    link: &'a dyn Link,
    waiter: Waiter,
    /// The waker may be in the list.
    listed: bool,
}

impl<'a> Waits<'a> {
    pub(super) fn new(link: &'a dyn Link) -> Self {
        Self { link, waiter: link.waiting().waiter(), listed: false }
    }

    /// Polls for something that leaves the waker in the list if it is not ready.
    pub(super) fn poll<T>(&mut self, poll: impl FnOnce(&dyn Link, Waiter) -> Poll<T>) -> Poll<T> {
        let answer = poll(self.link, self.waiter);
        self.listed |= answer.is_pending();
        answer
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        if self.listed {
            self.link.waiting().forget(self.waiter);
        }
    }
}
