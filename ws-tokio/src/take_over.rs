//! Transports that take over a WebSocket that is dropped before it has ended.

use tokio::io::{AsyncRead, AsyncWrite};
use ws_core::CloseCode;

use crate::driver::Driver;
use crate::websocket::WebSocket;

/// A transport that takes over the [`WebSocket`] on it when that is dropped before it has ended; see
/// [`WebSocket::take_over_on_drop`].
///
/// A server closes with another code when a handler has failed than when it has not, and learns which only after
/// the handler's WebSocket has been dropped. What is queued by then is written at the pace of the peer, which a drop
/// cannot wait for.
pub trait TakeOver: AsyncRead + AsyncWrite + Unpin + Sized {
    /// Moves the transport out of a WebSocket that is being dropped, and leaves something in its place that does
    /// nothing. `None` when it is to be dropped as others are.
    fn take(&mut self) -> Option<Self>;

    /// Receives the WebSocket, as it was before it was dropped, on the transport that was taken: open, or closing after a
    /// panic or a Close. Dropped again, it sends Close 1001 as others do.
    fn take_over(websocket: WebSocket<Self>);
}

impl<S: TakeOver> WebSocket<S> {
    /// Has the transport [take over](TakeOver::take_over) the WebSocket when it, or the last half of it, is dropped before it
    /// has ended. Without this a Close is sent then, if that needs no waiting. A panic queues Close 1011 first.
    pub fn take_over_on_drop(&mut self) {
        self.driver.set_on_drop(|driver| {
            if std::thread::panicking() {
                // Closing already is fine too.
                let _ = driver.connection.close(CloseCode::INTERNAL_ERROR, "");
            }
            match if driver.is_open() { driver.io.take() } else { None } {
                Some(io) => S::take_over(WebSocket::of(driver.move_to(io))),
                None => driver.close_on_drop(),
            }
        });
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Moves a driver that is being dropped to `io`, which has been taken out of it.
    fn move_to(&mut self, io: S) -> Self {
        let config = self.connection.config().clone();
        let mut moved = Self::new(io, ws_core::Connection::server(config), &[]);
        std::mem::swap(self, &mut moved);
        std::mem::swap(&mut self.io, &mut moved.io);
        // No sender reaches these any more: they are closed with what is dropped.
        std::mem::swap(self.outboxes(), moved.outboxes());
        // The driver that continues sends the Close.
        self.set_on_drop(|_| {});
        moved.set_on_drop(Self::close_on_drop);
        moved
    }
}
