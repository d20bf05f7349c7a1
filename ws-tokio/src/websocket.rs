//! A WebSocket with one owner.

use std::future::poll_fn;

use tokio::io::{AsyncRead, AsyncWrite};
use ws_core::{CloseCode, CloseInfo, Connection, DataType, Event, Ledger, Message, SendError};

use crate::closer::Closer;
use crate::driver::Driver;
use crate::error::Error;
use crate::reader::MessageReader;
use crate::writer::MessageWriter;

/// An open WebSocket over the transport `S`, after the opening handshake.
///
/// Every future here can be dropped at any await without losing anything: what was queued stays
/// queued, what was read stays read.
///
/// ```no_run
/// # async fn echo(mut websocket: ws_tokio::WebSocket<tokio::net::TcpStream>) -> Result<(), ws_tokio::Error> {
/// while let Some(message) = websocket.recv().await? {
///     websocket.send(message).await?;
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct WebSocket<S> {
    pub(super) driver: Driver<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// A WebSocket over `stream`, on which the opening handshake is done; `received` is what was
    /// read beyond the handshake's head.
    pub fn new(stream: S, connection: Connection, received: &[u8]) -> Self {
        Self { driver: Driver::new(stream, connection, received) }
    }

    /// The next message; `None` when the connection has closed without a fault, and ever after: the peer's Close had the
    /// code 1000 or 1001 or none, or repeated the code of ours ([`CloseInfo::is_normal`]).
    ///
    /// Pings are answered, and what is queued is written, while this waits. Dropping the future
    /// loses nothing.
    ///
    /// A binary message of 16 KiB or more comes without a copy, with the buffer it was read into: one that is kept keeps up to
    /// 64 KiB. Copy what is to be kept for long.
    ///
    /// # Errors
    /// [`Error::Protocol`] when the peer broke a rule; [`Error::Closed`] when the peer closed with any other code, such as
    /// 1009 or 1011, or the connection ended without a closing handshake; [`Error::Io`] when the transport failed
    /// otherwise. Each is returned again by later calls.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.driver.poll_recv(cx)).await
    }

    /// Passes every event to `each` until the connection is closed: the cheapest way to receive.
    ///
    /// An event is lent, not given: it lies in the buffer it was read into, and nothing is allocated for it. `each`
    /// may send on the same connection; what it queues goes out in one write once all that has been read is
    /// used up, or `outbound_high_water` is reached: then nothing is received until it is written. Pings
    /// have been answered when `each` sees them.
    ///
    /// ```no_run
    /// # async fn echo(mut websocket: ws_tokio::WebSocket<tokio::net::TcpStream>) -> Result<(), ws_tokio::Error> {
    /// use ws_core::{Binary, Event};
    ///
    /// websocket
    ///     .for_each_event(|connection, event| match event {
    ///         Event::Text(text) => connection.send_text(&text),
    ///         // Large ones come owned, and go without a copy.
    ///         Event::Binary(Binary::Owned(bytes)) => connection.send(bytes.into()),
    ///         Event::Binary(bytes) => connection.send_binary(&bytes),
    ///         _ => Ok(()),
    ///     })
    ///     .await
    /// # }
    /// ```
    ///
    /// Dropping the future loses nothing: an event has been handed to `each`, or the next call delivers it. Nor does a
    /// panic of `each` that is caught: it costs the event that `each` was given, and the connection lives on.
    ///
    /// # Errors
    /// As [`recv`](Self::recv), and what `each` returns, except [`SendError::Closing`]: messages still come while
    /// the connection is closing, and dropping their answers is all that can be done.
    pub async fn for_each_event(
        &mut self,
        mut each: impl FnMut(&mut Connection, Event<'_>) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        poll_fn(|cx| self.driver.poll_each(cx, &mut each)).await
    }

    /// The next message, to be taken in pieces as it arrives: one of any size then passes in constant
    /// memory. `None` as for [`recv`](Self::recv).
    ///
    /// `max_stream_size` limits it, not `max_message_size`.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn recv_stream(&mut self) -> Result<Option<MessageReader<'_>>, Error>
    where
        S: Send,
    {
        MessageReader::open(&mut self.driver).await
    }

    /// Sends a message: waits until less than `outbound_high_water` is queued, queues it, and waits
    /// until all is written.
    ///
    /// What the peer sends meanwhile is read too, up to `inbound_budget` bytes, for later [`recv`](Self::recv)s.
    /// If the future is dropped the message is wholly queued or not at all.
    ///
    /// # Errors
    /// [`Error::Send`] when it cannot be sent, [`Error::Closed`] when the connection is closed, and as
    /// [`recv`](Self::recv).
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.feed(message).await?;
        self.flush().await
    }

    /// As [`send`](Self::send), but leaves the writing to the next `send`, [`flush`](Self::flush), or the
    /// moment [`recv`](Self::recv) would wait: many messages go out in one write.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn feed<M: Into<Message>>(
        &mut self,
        message: M,
    ) -> impl Future<Output = Result<(), Error>> + use<'_, M, S> {
        // Converted at once, so that the future holds the message once: it is part of every task that sends.
        let message = message.into();
        async move {
            poll_fn(|cx| self.driver.poll_ready(cx)).await?;
            self.driver.queue(message)
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
        MessageWriter::new(Box::new(&mut self.driver), data_type)
    }

    /// Sends the next piece of a message in pieces, as a fragment; `last` ends it. No other message
    /// can be sent before. If the future is dropped the piece is wholly queued or not at all:
    /// [`feed_piece`](Self::feed_piece) and [`flush`](Self::flush) tell which.
    ///
    /// # Errors
    /// As [`send`](Self::send); [`SendError::InvalidUtf8`] if the pieces of a text do not add up to UTF-8.
    pub async fn send_piece(&mut self, data_type: DataType, piece: &[u8], last: bool) -> Result<(), Error> {
        self.feed_piece(data_type, piece, last).await?;
        self.flush().await
    }

    /// As [`send_piece`](Self::send_piece), but leaves the writing to what is done next, as [`feed`](Self::feed) does.
    /// If the future is dropped the piece is not queued.
    ///
    /// # Errors
    /// As [`send_piece`](Self::send_piece).
    pub async fn feed_piece(&mut self, data_type: DataType, piece: &[u8], last: bool) -> Result<(), Error> {
        poll_fn(|cx| self.driver.poll_ready(cx)).await?;
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
    /// [`SendError::ControlTooLong`], and as [`send`](Self::send).
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        poll_fn(|cx| self.driver.poll_ready(cx)).await?;
        self.driver.act(|connection| connection.ping(payload))?;
        self.flush().await
    }

    /// Closes the connection: sends a Close behind what is queued, waits for the peer's, and closes the transport.
    /// However slow the link is, it goes on while bytes move: what is queued has `write_timeout` without progress, then
    /// the peer's Close has [`close_timeout`](ws_core::Config::close_timeout) without a byte, and
    /// [`close_total_timeout`](ws_core::Config::close_total_timeout) in all. Messages that still come are dropped;
    /// [`recv`](Self::recv) them first if they matter. On a connection that is closed already it only reports how it ended.
    ///
    /// # Errors
    /// [`Error::Send`] for a code or reason that must not be sent; the connection is open still. How the
    /// peer took it is no error: see the [`CloseInfo`].
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<CloseInfo, Error> {
        match self.driver.connection.close(code, reason) {
            Ok(()) | Err(SendError::Closing) => {}
            Err(error) => return Err(Error::Send(error)),
        }
        let ended = poll_fn(|cx| self.driver.poll_close(cx)).await;
        match (self.driver.close_info(), ended) {
            (Some(info), _) => Ok(info),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => Err(Error::Send(SendError::Closing)),
        }
    }

    /// A handle with which others can ask for the connection to be closed, without being its owner; it
    /// works on after a [`split`](Self::split).
    pub fn closer(&mut self) -> Closer {
        self.driver.closer()
    }

    /// How the connection ended: who began, the cause, both codes; `None` while that is open.
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.driver.close_info()
    }

    /// The state of the protocol: limits, round-trip time, what is queued.
    pub fn connection(&self) -> &Connection {
        &self.driver.connection
    }

    /// The bytes of memory held for this connection, by what they are held for; the transport's own are
    /// not among them.
    pub fn ledger(&self) -> Ledger {
        self.driver.ledger()
    }

    /// The transport.
    pub fn get_ref(&self) -> &S {
        &self.driver.io
    }

    /// The transport. Reading from or writing to it breaks the protocol.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.driver.io
    }
}
