//! A WebSocket that is dropped before its end, and continues on a transport that takes it over.

use tokio::io::{AsyncRead, AsyncWrite};
use ws_core::CloseCode;

use crate::driver::Driver;
use crate::websocket::WebSocket;

/// A transport that takes over the [`WebSocket`] on it when that is dropped before it has ended; see
/// [`WebSocket::bequeath`].
///
/// A server closes with another code when a handler has failed than when it has not, and learns which only after
/// the handler's WebSocket has been dropped. What is queued by then is written at the pace of the peer, which a drop
/// cannot wait for.
pub trait Heir: AsyncRead + AsyncWrite + Unpin + Sized {
    /// Moves the transport out of a WebSocket that is being dropped, and leaves something in its place that does
    /// nothing. `None` when it is to be dropped as others are.
    fn take(&mut self) -> Option<Self>;

    /// Receives the WebSocket, as it was before it was dropped, on the transport that was taken: open, or closing after a
    /// panic or a Close. Dropped again, it sends Close 1001 as others do.
    fn inherit(websocket: WebSocket<Self>);
}

impl<S: Heir> WebSocket<S> {
    /// Has the transport [inherit](Heir::inherit) the WebSocket when it, or the last half of it, is dropped before it has
    /// ended; otherwise a Close is sent then, if that needs no waiting. A panic queues Close 1011 first.
    pub fn bequeath(&mut self) {
        self.driver.set_farewell(|driver| {
            if std::thread::panicking() {
                // Closing already is fine too.
                let _ = driver.connection.close(CloseCode::INTERNAL_ERROR, "");
            }
            match if driver.is_open() { driver.io.take() } else { None } {
                Some(io) => S::inherit(WebSocket::of(driver.take_over(io))),
                None => driver.say_goodbye(),
            }
        });
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// All of a driver that is being dropped, on its transport, which has been taken out of it.
    fn take_over(&mut self, io: S) -> Self {
        let config = self.connection.config().clone();
        let mut taken = Self::new(io, ws_core::Connection::server(config), &[]);
        std::mem::swap(self, &mut taken);
        std::mem::swap(&mut self.io, &mut taken.io);
        // Its Close is now for the taken one to send.
        self.set_farewell(|_| {});
        taken.set_farewell(Self::say_goodbye);
        taken
    }
}
