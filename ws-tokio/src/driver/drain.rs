//! Waiting until enough has been written.

use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};

use super::Driver;
use crate::error::Error;

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Waits until less than the high-water mark waits to be written and memory is within its limit, or the connection
    /// is closing.
    pub(in super::super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        Poll::Ready(self.check_writable())
    }

    /// As [`poll_ready`](Self::poll_ready); that nothing can be written any more is no error.
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_drained(cx, |driver| driver.connection.has_room())
    }

    /// Whether a message would be queued without waiting.
    pub(in super::super) fn has_room(&self) -> bool {
        self.connection.is_open() && self.connection.has_room()
    }

    /// Waits until everything has been written.
    pub(in super::super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.claim_left();
        ready!(self.poll_drained(cx, |_| false))?;
        Poll::Ready(self.check_writable())
    }

    /// Waits until the transport has taken all that was queued when [`queue_mark`](Self::queue_mark)
    /// gave `mark`.
    pub(in super::super) fn poll_written(
        &mut self,
        cx: &mut Context<'_>,
        mark: u64,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_drained(cx, |driver| driver.has_written(mark)))?;
        Poll::Ready(if self.has_written(mark) { Ok(()) } else { self.check_writable() })
    }

    /// Whether the transport has taken as much.
    pub(in super::super) const fn has_written(&self, mark: u64) -> bool {
        self.writing.written >= mark
    }

    /// How many bytes will have been written once all that waits now is: with an allowance for
    /// control frames that overtake it, a waiting one and one on its way.
    pub(in super::super) fn queue_mark(&self) -> u64 {
        const CONTROL: u64 = 2 * 131;
        self.writing.written.saturating_add(self.connection.queued() as u64).saturating_add(CONTROL)
    }

    /// Returns an error if the transport takes nothing any more.
    #[inline]
    fn check_writable(&mut self) -> Result<(), Error> {
        match self.connection.write_failure() {
            None => Ok(()),
            Some(info) => {
                Err(self.transport_error.take().map_or_else(|| Error::Closed(Box::new(info)), Error::Io))
            }
        }
    }

    /// Whether the connection may read more: while it holds too much, it first has to write.
    #[inline]
    pub(super) fn may_read(&self) -> bool {
        self.connection.queued() == 0 || self.is_within_memory()
    }

    // Apart, so that what comes before each read is compiled into its caller: mostly nothing is queued by then.
    #[inline(never)]
    fn is_within_memory(&self) -> bool {
        self.memory_usage().total() < self.connection.config().memory_bound()
    }

    /// Writes until nothing waits or it is `enough`. What the peer sends meanwhile is read, up to a
    /// bound, and kept as it is, so that two ends that both send first do not deadlock.
    fn poll_drained(
        &mut self,
        cx: &mut Context<'_>,
        enough: impl Fn(&Self) -> bool,
    ) -> Poll<Result<(), Error>> {
        self.check_close_reply(cx);
        loop {
            self.begin_requested_close();
            if self.connection.is_ended() {
                // There may be no write and no receive after this: what waits of a broadcast goes now.
                self.queue_backlog(cx);
                self.queue_outboxes(cx);
                return Poll::Ready(self.outcome());
            }
            if (self.connection.queued() == 0 && !self.connection.is_unflushed()) || enough(self) {
                return Poll::Ready(Ok(()));
            }
            if self.poll_write(cx).is_ready() || enough(self) {
                continue;
            }
            if self.poll_read_ahead(cx).is_pending() {
                ready!(self.poll_timeout(cx));
            }
        }
    }

    /// Reads once, up to a bound, and keeps what it reads as it is. Pending if that brings nothing.
    pub(super) fn poll_read_ahead(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let may_read = self.receiving.ended.is_none()
            && self.unreceived() < self.connection.config().max_read_ahead
            && self.may_read();
        if !may_read {
            return Poll::Pending;
        }
        ready!(self.poll_fill(cx));
        self.connection.heard_from_peer();
        Poll::Ready(())
    }
}
