//! What a WebSocket sends.

use std::future::poll_fn;

use tokio::io::{AsyncRead, AsyncWrite};
use ws_core::{DataType, Message, PreparedMessage};

use super::WebSocket;
use crate::driver::{is_large, takes_time};
use crate::error::Error;
use crate::try_send_error::TrySendError;
use crate::writer::MessageWriter;

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Sends a message: waits until less than `send_high_water` is queued, queues it, and waits
    /// until all is written.
    ///
    /// Unless the handler has received since its last send, what has arrived is taken first; and what the peer sends
    /// meanwhile is read, up to `max_read_ahead` bytes: pings are answered, and messages kept for later [`recv`](Self::recv)s. So a handler that only sends notices the peer's
    /// Close: from then on `send` fails with [`Error::Closed`]. Once that much is kept, or a message that is not all there
    /// or is in fragments is next, what lies behind is noticed only by receiving.
    ///
    /// Where compression is agreed, this and [`feed`](Self::feed) compress a message of more than 64 KiB in steps, between which other
    /// tasks run. [`try_send`](Self::try_send), the `Sink`, a [piece](Self::send_stream) of a message, and what a callback of
    /// [`for_each_event`](Self::for_each_event) sends are compressed at once: 1 MiB of text keeps the thread for some milliseconds.
    ///
    /// If the future is dropped the message is wholly queued or not at all.
    ///
    /// # Errors
    /// [`Error::Send`] when it cannot be sent, [`Error::Closed`] when the connection is closed, and as
    /// [`recv`](Self::recv).
    pub fn send<M: Into<Message>>(
        &mut self,
        message: M,
    ) -> impl Future<Output = Result<(), Error>> + use<'_, M, S> {
        // Converted at once, so that the future holds the message once: it is part of every task that sends.
        let message = message.into();
        async move {
            self.driver.take_arrived();
            poll_fn(|cx| self.driver.poll_ready(cx)).await?;
            if self.driver.connection.is_compressing() && takes_time(message.len()) {
                Box::pin(self.driver.queue_in_turns(message)).await?;
            } else {
                self.driver.queue(|connection| connection.send(message))?;
            }
            self.flush().await
        }
    }

    /// As [`send`](Self::send), for a message that goes to many connections.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_prepared(&mut self, message: &PreparedMessage) -> Result<(), Error> {
        self.driver.take_arrived();
        poll_fn(|cx| self.driver.poll_ready(cx)).await?;
        if is_large(message.message().len()) {
            Box::pin(self.driver.prepare_in_turns(message)).await?;
        }
        self.driver.queue(|connection| connection.send_prepared(message))?;
        self.flush().await
    }

    /// As [`send`](Self::send), but never compressed: for a message that holds a secret beside text that an attacker can
    /// choose, whose compressed length would give the secret away.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_uncompressed(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        let message = message.into();
        self.driver.take_arrived();
        poll_fn(|cx| self.driver.poll_ready(cx)).await?;
        self.driver.queue(|connection| connection.send_uncompressed(message))?;
        self.flush().await
    }

    /// Queues a message if there is room for it now, without waiting. It is written by the next [`send`](Self::send) or
    /// [`flush`](Self::flush), or when [`recv`](Self::recv) or any other receiving method would wait; not by this.
    ///
    /// # Errors
    /// [`TrySendError`], which returns the message.
    pub fn try_send(&mut self, message: impl Into<Message>) -> Result<(), TrySendError> {
        let message = message.into();
        if self.driver.connection.is_open() && !self.driver.has_room() {
            return Err(TrySendError::Full(message));
        }
        // A clone shares the payload.
        let queued = self.driver.queue(|connection| connection.send(message.clone()));
        queued.map_err(|error| TrySendError::Refused(message, error))
    }

    /// As [`send`](Self::send), but only queues the message. It is written by the next `send` or [`flush`](Self::flush), or
    /// when [`recv`](Self::recv) or any other receiving method would wait: many messages go out in one write.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn feed<M: Into<Message>>(
        &mut self,
        message: M,
    ) -> impl Future<Output = Result<(), Error>> + use<'_, M, S> {
        // As in `send`.
        let message = message.into();
        async move {
            poll_fn(|cx| self.driver.poll_ready(cx)).await?;
            if self.driver.connection.is_compressing() && takes_time(message.len()) {
                return Box::pin(self.driver.queue_in_turns(message)).await;
            }
            self.driver.queue(|connection| connection.send(message))
        }
    }

    /// A message to be sent in pieces: one of any size then passes in constant memory.
    ///
    /// ```
    /// # async fn example(mut websocket: ws_tokio::WebSocket<tokio::net::TcpStream>) -> Result<(), ws_tokio::Error> {
    /// let mut message = websocket.send_stream(ws_core::DataType::Binary);
    /// for _ in 0..1024 {
    ///     message.write(&[0; 1 << 20]).await?;
    /// }
    /// message.finish().await?;
    /// # Ok(()) }
    /// ```
    pub fn send_stream(&mut self, data_type: DataType) -> MessageWriter<'_>
    where
        S: Send,
    {
        MessageWriter::new(Box::new(&mut *self.driver), data_type)
    }

    /// Sends the next piece of a message in pieces, as a fragment; `last` ends it. No other message can be sent before.
    /// Unlike [`send_stream`](Self::send_stream), which borrows the WebSocket for a whole message, this lets the same task
    /// receive and ping between the pieces. If the future is dropped the piece is wholly queued or not at all:
    /// [`feed_piece`](Self::feed_piece) and [`flush`](Self::flush) make the difference.
    ///
    /// # Errors
    /// As [`send`](Self::send); [`SendError::InvalidUtf8`](ws_core::SendError::InvalidUtf8) if the pieces of a text do not add up to UTF-8.
    pub async fn send_piece(&mut self, data_type: DataType, piece: &[u8], last: bool) -> Result<(), Error> {
        self.driver.take_arrived();
        self.feed_piece(data_type, piece, last).await?;
        self.flush().await
    }

    /// As [`send_piece`](Self::send_piece), but leaves the writing to what is done next, as [`feed`](Self::feed) does.
    /// If the future is dropped the piece is not queued.
    ///
    /// # Errors
    /// As [`send_piece`](Self::send_piece).
    pub async fn feed_piece(&mut self, data_type: DataType, piece: &[u8], last: bool) -> Result<(), Error> {
        poll_fn(|cx| self.driver.poll_ready_in_turn(cx)).await?;
        self.driver.act(|connection| connection.send_piece(data_type, piece, last))
    }

    /// Waits until everything queued is written.
    ///
    /// # Errors
    /// As [`recv`](Self::recv), when the connection ends before.
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.driver.poll_flush(cx)).await
    }

    /// Sends a ping with a payload of at most 125 bytes; the answer is not reported. The peer's life
    /// is watched without it: see [`Config::keepalive`](ws_core::Config::keepalive).
    ///
    /// # Errors
    /// [`SendError::ControlTooLong`](ws_core::SendError::ControlTooLong), and as [`send`](Self::send).
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        poll_fn(|cx| self.driver.poll_ready(cx)).await?;
        self.driver.act(|connection| connection.ping(payload))?;
        self.flush().await
    }

    /// Sends an unsolicited pong with a payload of at most 125 bytes (RFC 6455 section 5.5.3). Pings are answered without
    /// it.
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub async fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        poll_fn(|cx| self.driver.poll_ready(cx)).await?;
        self.driver.act(|connection| connection.pong(payload))?;
        self.flush().await
    }
}
