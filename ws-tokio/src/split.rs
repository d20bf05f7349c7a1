//! One WebSocket used by many tasks: a [`Sender`] to clone, and a [`Receiver`].

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use thiserror::Error as ThisError;
use tokio::io::{AsyncRead, AsyncWrite};
use ws_core::{CloseCode, CloseInfo, Connection, Event, MemoryUsage, Message, SendError};

use crate::closer::Closer;
use crate::driver::Driver;
use crate::error::Error;
use crate::piece::{OwnedPiece, PieceSource};
use crate::reader::MessageReader;
use crate::sender::Sender;
use crate::shared::{Link, Shared};
use crate::traffic::Traffic;
use crate::waiting::Waiter;
use crate::websocket::WebSocket;

/// The receiving half of a WebSocket.
pub struct Receiver<S> {
    shared: Arc<Shared<S>>,
}

/// The two halves are not of one WebSocket, or the [`Sender`] has other clones: both come back.
#[derive(ThisError)]
#[error("the sender is not the only one of this receiver's WebSocket")]
pub struct ReuniteError<S>(pub Sender, pub Receiver<S>);

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> WebSocket<S> {
    /// Splits it into a half to send with, for any number of tasks, and a half to receive with.
    ///
    /// The connection is closed when all halves are dropped.
    pub fn split(self) -> (Sender, Receiver<S>) {
        let shared = Arc::new(Shared::new(*self.driver));
        let link: Arc<dyn Link> = Arc::clone(&shared) as _;
        (Sender::new(link), Receiver { shared })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Receiver<S> {
    /// As [`WebSocket::recv`].
    ///
    /// # Errors
    /// As there.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.shared.poll(cx, Waiter::RECEIVER, Driver::poll_recv)).await
    }

    /// As [`WebSocket::for_each_event`]. The connection is locked while `each` runs: it sends on the connection that it is
    /// given. A method of a [`Sender`] of the same WebSocket, or of a [`Broadcast`](super::Broadcast) that one has joined, would
    /// wait for ever.
    ///
    /// # Errors
    /// As there.
    pub async fn for_each_event(
        &mut self,
        mut each: impl FnMut(&mut Connection, Event<'_>) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        poll_fn(|cx| self.shared.poll(cx, Waiter::RECEIVER, |driver, cx| driver.poll_each(cx, &mut each)))
            .await
    }

    /// As [`WebSocket::recv_stream`].
    ///
    /// # Errors
    /// As there.
    pub async fn recv_stream(&mut self) -> Result<Option<MessageReader<'_>>, Error> {
        MessageReader::open(self).await
    }

    /// Receives and drops messages until the connection is closed: what keeps pongs, deadlines and closing
    /// going for callers that only send.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn discard(mut self) -> Result<Option<CloseInfo>, Error> {
        while self.recv().await?.is_some() {}
        // A reply to the peer's Close that was held back is not held back any longer.
        self.recv().await?;
        Ok(self.close_info())
    }

    /// As [`WebSocket::close_info`].
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.shared.lock().driver.close_info()
    }

    /// As [`WebSocket::start_close`]. Senders that wait to send are woken, and their messages refused.
    ///
    /// # Errors
    /// As there.
    pub fn start_close(&self, code: CloseCode, reason: &str) -> Result<(), Error> {
        let link: &dyn Link = &*self.shared;
        link.act(&mut |connection| connection.close(code, reason))
    }

    /// As [`WebSocket::is_open`].
    pub fn is_open(&self) -> bool {
        self.shared.lock().driver.connection.is_open()
    }

    /// As [`WebSocket::queued`].
    pub fn queued(&self) -> usize {
        self.shared.lock().driver.connection.queued()
    }

    /// As [`WebSocket::closer`].
    pub fn closer(&self) -> Closer {
        self.shared.lock().driver.closer()
    }

    /// As [`WebSocket::rtt`].
    pub fn rtt(&self) -> Option<Duration> {
        self.shared.lock().driver.connection.rtt()
    }

    /// As [`WebSocket::memory_usage`].
    pub fn memory_usage(&self) -> MemoryUsage {
        self.shared.lock().driver.memory_usage()
    }

    /// As [`WebSocket::traffic`].
    pub fn traffic(&self) -> Traffic {
        self.shared.lock().driver.traffic()
    }

    /// Makes the WebSocket whole again.
    ///
    /// # Errors
    /// [`ReuniteError`] with both halves, if they do not belong together or the sender has other clones.
    pub fn reunite(self, sender: Sender) -> Result<WebSocket<S>, ReuniteError<S>> {
        let same = std::ptr::addr_eq(Arc::as_ptr(&self.shared), Arc::as_ptr(&sender.link));
        if !same || Arc::strong_count(&self.shared) != 2 {
            return Err(ReuniteError(sender, self));
        }
        drop(sender);
        // No third holder is left to have made a clone meanwhile.
        Arc::try_unwrap(self.shared).map(|shared| WebSocket::of(shared.into_driver())).map_err(|shared| {
            let link: Arc<dyn Link> = Arc::clone(&shared) as _;
            ReuniteError(Sender::new(link), Receiver { shared })
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for Receiver<S> {
    type Item = Result<Message, Error>;

    /// As [`Receiver::recv`]; an error is the last item.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.shared.lock().driver.is_done() {
            return Poll::Ready(None);
        }
        self.shared.poll(cx, Waiter::RECEIVER, Driver::poll_recv).map(Result::transpose)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> PieceSource for Receiver<S> {
    fn poll_piece(&mut self, cx: &mut Context<'_>, inside: bool) -> Poll<Result<Option<OwnedPiece>, Error>> {
        self.shared.poll(cx, Waiter::RECEIVER, |driver, cx| driver.poll_piece(cx, inside))
    }

    fn is_inside_message(&self) -> bool {
        self.shared.lock().driver.connection.in_piecewise_message()
    }
}

impl<S> fmt::Debug for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<S> fmt::Debug for Receiver<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}
