//! Waiting until the browser has sent enough.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::error::Error;
use super::socket::Socket;
use super::timer::Sleep;

/// A wait for `bufferedAmount` to fall. No event of a `WebSocket` reports that, so it is looked at again and again, after 4 ms
/// at first and 64 ms at last.
#[derive(Default)]
pub(super) struct Room {
    sleep: Option<Sleep>,
    looks: u32,
}

const FIRST: Duration = Duration::from_millis(4);
const LAST: Duration = Duration::from_millis(64);

impl Room {
    /// Waits until less than the high-water mark is queued, or the connection is not open any longer.
    pub(super) fn poll_ready(&mut self, socket: &Socket, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll(socket, socket.high_water().saturating_sub(1), cx)
    }

    /// Waits until nothing is queued.
    pub(super) fn poll_flush(&mut self, socket: &Socket, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll(socket, 0, cx)
    }

    fn poll(&mut self, socket: &Socket, most: usize, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            socket.check_open()?;
            if socket.queued() <= most {
                *self = Self::default();
                return Poll::Ready(Ok(()));
            }
            // The end of the connection is an event, and what a `WebSocketStream` has written.
            socket.wake_later(cx);
            if socket.reports_room() {
                return Poll::Pending;
            }
            let delay = FIRST.saturating_mul(1 << self.looks.min(4)).min(LAST);
            ready!(Pin::new(self.sleep.get_or_insert_with(|| Sleep::new(delay))).poll(cx));
            self.sleep = None;
            self.looks = self.looks.saturating_add(1);
        }
    }
}
