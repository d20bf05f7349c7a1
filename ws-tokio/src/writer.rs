//! A message sent in pieces as it is made.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::SemaphorePermit;
use ws_core::{CloseCode, Connection, DataType, SendError};

use crate::driver::Driver;
use crate::error::Error;
use crate::shared::Link;
use crate::waits::Waits;

/// Where pieces go: a WebSocket, or the sending half of one.
pub(super) trait PieceSink {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>>;
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>>;
    /// Does something with the connection that it may refuse.
    fn act(&mut self, act: &mut dyn FnMut(&mut Connection) -> Result<(), SendError>) -> Result<(), Error>;
}

/// A message being sent, piece by piece: see [`WebSocket::send_stream`](super::WebSocket::send_stream).
///
/// No other message can be sent meanwhile; pings, pongs and Close go between the pieces. If it is dropped
/// before it is [finished](Self::finish), after a piece has been sent, the connection is closed with 1011:
/// no other frame says that the rest will not come.
#[must_use = "the message is only whole once it is finished"]
pub struct MessageWriter<'a> {
    sink: Box<dyn PieceSink + Send + 'a>,
    data_type: DataType,
    begun: bool,
}

impl<'a> MessageWriter<'a> {
    pub(super) fn new(sink: Box<dyn PieceSink + Send + 'a>, data_type: DataType) -> Self {
        Self { sink, data_type, begun: false }
    }

    /// Sends the next piece, of any size, as a fragment, and waits until it is written. Pieces of text may be
    /// cut anywhere; together they have to be UTF-8. A piece is compressed at once: where compression is agreed, those of at most 64
    /// KiB let other tasks run in between.
    ///
    /// If the future is dropped the piece is wholly queued or not at all; [`feed`](Self::feed) and
    /// [`flush`](Self::flush) make the difference.
    ///
    /// # Errors
    /// As [`WebSocket::send`](super::WebSocket::send); [`SendError::InvalidUtf8`], and the piece is not sent.
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.feed(piece).await?;
        self.flush().await
    }

    /// As [`write`](Self::write), but leaves the writing to what is done next. If the future is dropped the piece is
    /// not queued.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn feed(&mut self, piece: &[u8]) -> Result<(), Error> {
        if piece.is_empty() {
            return Ok(());
        }
        self.queue(piece, false).await
    }

    /// Waits until all pieces are written.
    ///
    /// # Errors
    /// As [`WebSocket::flush`](super::WebSocket::flush).
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.sink.poll_flush(cx)).await
    }

    /// Ends the message, and waits until it is written. If the future is dropped before the end is queued, the
    /// message is abandoned, as when the writer is dropped.
    ///
    /// # Errors
    /// As [`write`](Self::write); [`SendError::InvalidUtf8`] when a text ends inside a character.
    pub async fn finish(mut self) -> Result<(), Error> {
        self.queue(b"", true).await?;
        poll_fn(|cx| self.sink.poll_flush(cx)).await
    }

    async fn queue(&mut self, piece: &[u8], last: bool) -> Result<(), Error> {
        poll_fn(|cx| self.sink.poll_ready(cx)).await?;
        let data_type = self.data_type;
        self.sink.act(&mut |connection| connection.send_piece(data_type, piece, last))?;
        self.begun = !last;
        Ok(())
    }
}

impl Drop for MessageWriter<'_> {
    fn drop(&mut self) {
        if self.begun {
            // Closing already is fine too.
            let _ = self.sink.act(&mut |connection| {
                connection.close(CloseCode::INTERNAL_ERROR, "the rest of a message will not come")
            });
        }
    }
}

impl fmt::Debug for MessageWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { data_type, begun, .. } = self;
        f.debug_struct("MessageWriter")
            .field("data_type", data_type)
            .field("begun", begun)
            .finish_non_exhaustive()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> PieceSink for &mut Driver<S> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.take_arrived();
        self.poll_ready_in_turn(cx)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Driver::poll_flush(self, cx)
    }

    fn act(&mut self, act: &mut dyn FnMut(&mut Connection) -> Result<(), SendError>) -> Result<(), Error> {
        Driver::act(self, act)
    }
}

/// The line of the senders, held up by one [`Sender`](super::Sender) for a whole message.
pub(super) struct Hold<'a> {
    link: &'a dyn Link,
    waits: Waits<'a>,
    /// None once the connection is closing, when no message can be sent any longer.
    _permit: Option<SemaphorePermit<'a>>,
}

impl<'a> Hold<'a> {
    pub(super) async fn take(link: &'a dyn Link) -> Self {
        let _permit = link.line().acquire().await.ok();
        Self { link, waits: Waits::new(link), _permit }
    }
}

impl PieceSink for Hold<'_> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.waits.poll(|link, waiter| link.poll_ready(cx, waiter))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.waits.poll(|link, waiter| link.poll_flush(cx, waiter))
    }

    fn act(&mut self, act: &mut dyn FnMut(&mut Connection) -> Result<(), SendError>) -> Result<(), Error> {
        self.link.act(act)
    }
}
