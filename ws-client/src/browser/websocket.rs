//! An open WebSocket with one owner, in a browser.

use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;

use ws_core::{CloseCode, CloseInfo, Message};

use super::error::{Error, TrySendError};
use super::halves::{Receiver, Sender};
use super::operations;
use super::room::Room;
use super::socket::Socket;

/// An open WebSocket: the browser's, in a page or in a worker. Messages are received while it exists, into a queue with a
/// [limit](crate::Config::max_received). It is closed, without a code, when it is dropped.
pub struct WebSocket {
    pub(super) socket: Rc<Socket>,
    /// That of the `Sink`, whose waits have no future to lie in.
    pub(super) room: Room,
    /// Whether the `Stream` has ended.
    pub(super) is_done: bool,
}

impl WebSocket {
    pub(super) fn new(socket: Rc<Socket>) -> Self {
        Self { socket, room: Room::default(), is_done: false }
    }

    /// Returns the next message; `None` once the peer has closed with code 1000 or 1001 or none, or repeated the code of ours
    /// ([`CloseInfo::is_normal`]). Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`Error::Closed`] when the peer closed with any other code or the connection ended without a closing handshake;
    /// [`Error::Overflow`] and [`Error::Protocol`] when a limit was exceeded. Each is returned again by later calls.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.socket.poll_recv(cx)).await
    }

    /// Sends a message: waits until less than [`send_high_water`](crate::Config::send_high_water) is queued, then gives it to the
    /// browser. If the future is dropped before, nothing is sent.
    ///
    /// # Errors
    /// [`Error::Closed`] or [`Error::Send`] when the connection is closed or closing.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        operations::send(&self.socket, &message.into()).await
    }

    /// As [`send`](Self::send): the browser writes by itself.
    ///
    /// # Errors
    /// As there.
    pub async fn feed(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.send(message).await
    }

    /// Sends a message if that needs no waiting.
    ///
    /// # Errors
    /// [`TrySendError`], with the message.
    pub fn try_send(&mut self, message: impl Into<Message>) -> Result<(), TrySendError> {
        operations::try_send(&self.socket, message.into())
    }

    /// Waits until the browser has sent everything.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn flush(&mut self) -> Result<(), Error> {
        let mut room = Room::default();
        poll_fn(|cx| room.poll_flush(&self.socket, cx)).await
    }

    /// Closes the connection: the browser sends a Close behind what is queued and waits for the peer's, with a deadline
    /// of the browser. It drops messages that come meanwhile. On a connection that is closed already this only
    /// reports how it ended.
    ///
    /// # Errors
    /// [`Error::CloseCode`] for a code that browsers do not allow, [`Error::Send`] for a reason over 123 bytes; the
    /// connection is open still.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<CloseInfo, Error> {
        operations::close(&self.socket, code, reason).await
    }

    /// Has the browser send a Close behind what is queued, without waiting for anything.
    ///
    /// # Errors
    /// As [`close`](Self::close), and if the connection is closing or closed already.
    pub fn start_close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.socket.start_close(code, reason)
    }

    /// Splits it into a half to send with, which can be cloned, and a half to receive with. The connection is closed when all
    /// halves are dropped.
    pub fn split(self) -> (Sender, Receiver) {
        (Sender::new(Rc::clone(&self.socket)), Receiver::new(self.socket))
    }

    /// Returns how the connection ended, as far as the browser reports it; `None` while it is open.
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.socket.close_info()
    }

    /// Whether messages can be sent.
    pub fn is_open(&self) -> bool {
        self.socket.is_open()
    }

    /// Returns the number of bytes that the browser holds and has not sent (`bufferedAmount`), or has not taken from its
    /// `WebSocketStream`.
    #[doc(alias = "bufferedAmount")]
    pub fn queued(&self) -> usize {
        self.socket.queued()
    }

    /// Returns the size of the received messages that wait for [`recv`](Self::recv), as
    /// [`max_received`](crate::Config::max_received) counts it.
    pub fn received(&self) -> usize {
        self.socket.waiting()
    }

    /// Returns the number of messages that [`Overflow`](crate::Overflow) has dropped.
    pub fn dropped(&self) -> u64 {
        self.socket.dropped()
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("close_info", &self.close_info()).finish_non_exhaustive()
    }
}
