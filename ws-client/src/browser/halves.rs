//! The halves of a split WebSocket, in a browser.

use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;

use ws_core::{CloseCode, CloseInfo, Message};

use super::error::{Error, TrySendError};
use super::operations;
use super::room::Room;
use super::socket::Socket;

/// The half of a [`WebSocket`](crate::WebSocket) that sends. Its clones are for other tasks of the same page or worker.
#[derive(Clone)]
pub struct Sender {
    socket: Rc<Socket>,
}

/// The half of a [`WebSocket`](crate::WebSocket) that receives.
pub struct Receiver {
    socket: Rc<Socket>,
}

impl Sender {
    pub(super) fn new(socket: Rc<Socket>) -> Self {
        Self { socket }
    }

    /// As [`WebSocket::send`](crate::WebSocket::send). When many tasks wait, they send in no particular order.
    ///
    /// # Errors
    /// As there.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), Error> {
        operations::send(&self.socket, &message.into()).await
    }

    /// As [`WebSocket::feed`](crate::WebSocket::feed).
    ///
    /// # Errors
    /// As there.
    pub async fn feed(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.send(message).await
    }

    /// As [`WebSocket::try_send`](crate::WebSocket::try_send).
    ///
    /// # Errors
    /// As there.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        operations::try_send(&self.socket, message.into())
    }

    /// As [`WebSocket::flush`](crate::WebSocket::flush).
    ///
    /// # Errors
    /// As there.
    pub async fn flush(&self) -> Result<(), Error> {
        let mut room = Room::default();
        poll_fn(|cx| room.poll_flush(&self.socket, cx)).await
    }

    /// As [`WebSocket::close`](crate::WebSocket::close).
    ///
    /// # Errors
    /// As there.
    pub async fn close(&self, code: CloseCode, reason: &str) -> Result<CloseInfo, Error> {
        operations::close(&self.socket, code, reason).await
    }

    /// As [`WebSocket::start_close`](crate::WebSocket::start_close).
    ///
    /// # Errors
    /// As there.
    pub fn start_close(&self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.socket.start_close(code, reason)
    }

    /// As [`WebSocket::close_info`](crate::WebSocket::close_info).
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.socket.close_info()
    }

    /// As [`WebSocket::is_open`](crate::WebSocket::is_open).
    pub fn is_open(&self) -> bool {
        self.socket.is_open()
    }

    /// As [`WebSocket::queued`](crate::WebSocket::queued).
    pub fn queued(&self) -> usize {
        self.socket.queued()
    }
}

impl Receiver {
    pub(super) fn new(socket: Rc<Socket>) -> Self {
        Self { socket }
    }

    /// As [`WebSocket::recv`](crate::WebSocket::recv).
    ///
    /// # Errors
    /// As there.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.socket.poll_recv(cx)).await
    }

    /// As [`WebSocket::start_close`](crate::WebSocket::start_close).
    ///
    /// # Errors
    /// As there.
    pub fn start_close(&self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.socket.start_close(code, reason)
    }

    /// As [`WebSocket::close_info`](crate::WebSocket::close_info).
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.socket.close_info()
    }

    /// As [`WebSocket::is_open`](crate::WebSocket::is_open).
    pub fn is_open(&self) -> bool {
        self.socket.is_open()
    }

    /// As [`WebSocket::received`](crate::WebSocket::received).
    pub fn received(&self) -> usize {
        self.socket.waiting()
    }

    /// As [`WebSocket::dropped`](crate::WebSocket::dropped).
    pub fn dropped(&self) -> u64 {
        self.socket.dropped()
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("close_info", &self.close_info()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("close_info", &self.close_info()).finish_non_exhaustive()
    }
}
