//! A WebSocket with one owner.

mod sending;

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use ws_core::{CloseCode, CloseInfo, Config, Connection, Event, MemoryUsage, Message, Role, SendError};

use crate::closer::{Closer, Observer};
use crate::connection_id::ConnectionId;
use crate::driver::Driver;
use crate::error::Error;
use crate::halves::Halves;
use crate::reader::MessageReader;
use crate::traffic::Traffic;

/// An open WebSocket over the transport `S`, after the opening handshake.
///
/// Every future here can be dropped at any await without losing anything: what was queued stays
/// queued, what was read stays read.
///
/// ```no_run
/// # async fn echo(mut websocket: ws_tokio::WebSocket<tokio::net::TcpStream>) -> Result<(), ws_tokio::Error> {
/// while let Some(message) = websocket.recv().await? {
///     websocket.feed(message).await?; // queued: the next `recv` writes it
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct WebSocket<S> {
    /// Boxed: an async function keeps its argument and the variable that it moves it to, and each is moved around.
    pub(super) driver: Box<Driver<S>>,
    /// The tasks that wait by [`Stream`](futures_core::Stream) and by [`Sink`](futures_sink::Sink).
    pub(super) halves: Option<Box<Halves>>,
}

impl<S> WebSocket<S> {
    pub(super) fn of(driver: Driver<S>) -> Self {
        Self { driver: Box::new(driver), halves: None }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// A WebSocket over `stream`, on which the opening handshake is done; `received` is what was
    /// read beyond the handshake's head.
    pub fn new(stream: S, connection: Connection, received: &[u8]) -> Self {
        Self::of(Driver::new(stream, connection, received))
    }

    /// A WebSocket over `stream`, on which the opening handshake is done, in the given role; a client's masks are drawn
    /// from the system's random generator. Nothing may have been read beyond the handshake's head.
    ///
    /// ```
    /// # async fn example(stream: tokio::net::TcpStream) -> std::io::Result<()> {
    /// use ws_tokio::{Config, Role, WebSocket};
    ///
    /// let websocket = WebSocket::from_raw(stream, Role::Server, Config::server())?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) with a [`SettingError`](ws_core::SettingError) for settings that contradict
    /// each other, or the error of the random generator.
    pub fn from_raw(stream: S, role: Role, config: impl Into<Arc<Config>>) -> io::Result<Self> {
        let config = config.into();
        config.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let connection = match role {
            Role::Server => Connection::server(config),
            Role::Client => {
                let mut seed = [0; 32];
                getrandom::fill(&mut seed).map_err(|error| io::Error::other(error.to_string()))?;
                Connection::client(config, seed)
            }
        };
        Ok(Self::new(stream, connection, &[]))
    }

    /// The next message; `None` when the connection has closed without a fault, and ever after: the peer's Close had the
    /// code 1000 or 1001 or none, or repeated the code of ours ([`CloseInfo::is_normal`]).
    ///
    /// With [`delay_close_reply`](ws_core::Config::delay_close_reply) the first `None` reports the peer's Close: messages can
    /// still be sent until [`close`](Self::close), the next `recv`, which returns how the connection ended, or the drop of
    /// the WebSocket has the reply sent. Once `close_timeout` has passed, any other method that sends does so too; one that is
    /// called then is refused. No task waits for it: a handler that does neither keeps the peer waiting.
    ///
    /// Without that setting the Close has been answered by then (RFC 6455 section 5.5.1): the answer, and the end of what is sent, have
    /// gone through the socket, also where the peer ended its half with its Close, and over HTTP/2, where another task writes.
    /// So a program may end its runtime at once. Only a peer that takes nothing until the deadlines of [`close`](Self::close) pass
    /// goes without.
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
    /// An event is lent, not given: it lies in the buffer it was read into, and nothing is allocated for it. A text that is too long
    /// for that buffer is lent too, from memory that the thread uses again for the next: to keep one without a copy, call
    /// [`recv`](Self::recv). `each`
    /// may send on the same connection; what it queues goes out in one write once all that has been read is
    /// used up, or `send_high_water` is reached: then nothing is received until it is written. Pings
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
        MessageReader::open(&mut *self.driver).await
    }

    /// Closes the connection: sends a Close behind what is queued, waits for the peer's, and closes the transport.
    /// However slow the link is, it goes on while bytes move: what is queued has `write_timeout` without progress, then
    /// the peer's Close has [`close_timeout`](ws_core::Config::close_timeout) without a byte, and
    /// [`close_total_timeout`](ws_core::Config::close_total_timeout) in all. Messages that still come are dropped;
    /// [`recv`](Self::recv) them first if they matter. On a connection that is closed already it only reports how it ended.
    ///
    /// Afterwards the Close has gone through the socket, as after [`recv`](Self::recv), and the runtime may end. A WebSocket that is dropped
    /// instead sends a Close only as far as that needs no waiting; over HTTP/2 that is left to the task of the connection.
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

    /// Queues a Close behind what is queued, without waiting for anything: [`recv`](Self::recv) sees the closing handshake
    /// through, and returns the messages that still come before the peer's Close.
    ///
    /// # Errors
    /// [`Error::Send`] for a code or reason that must not be sent, or if the connection is closing already;
    /// [`Error::Closed`] if it is closed.
    pub fn start_close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.driver.act(|connection| connection.close(code, reason))
    }

    /// Gives the connection a number, in place of the one that it would have from its [`split`](Self::split).
    pub fn set_connection_id(&mut self, id: ConnectionId) {
        self.driver.set_number(id);
    }

    /// A handle with which others can ask for the connection to be closed or to send, without being its owner; it
    /// works on after a [`split`](Self::split).
    pub fn closer(&mut self) -> Closer {
        self.driver.closer()
    }

    /// Returns how the connection ended: which side began, the cause, both codes; `None` before.
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.driver.close_info()
    }

    /// Whether messages can be sent: no Close has been sent or received, and nothing has failed.
    pub fn is_open(&self) -> bool {
        self.driver.connection.is_open()
    }

    /// Returns the round-trip time of the last keepalive ping that was answered ([`Connection::rtt`]).
    pub fn rtt(&self) -> Option<Duration> {
        self.driver.connection.rtt()
    }

    /// Returns the number of bytes that wait to be written.
    pub fn queued(&self) -> usize {
        self.driver.connection.queued()
    }

    /// The state of the protocol: limits, round-trip time, what is queued.
    pub fn connection(&self) -> &Connection {
        &self.driver.connection
    }

    /// The bytes of memory held for this connection, by what they are held for; the transport's own are
    /// not among them, except for what a stream of HTTP/2 has taken and not written yet.
    pub fn memory_usage(&self) -> MemoryUsage {
        self.driver.memory_usage()
    }

    /// Returns what has gone through it: messages and bytes, each way.
    pub fn traffic(&self) -> Traffic {
        self.driver.traffic()
    }

    /// Counts what a stream of HTTP/2 has taken and not written yet as queued: against the limits of what is sent, and in
    /// [`memory_usage`](Self::memory_usage).
    #[cfg(feature = "http2")]
    #[doc(hidden)]
    pub fn count_held(&mut self, held: crate::http2::Held) {
        self.driver.count_held(held);
    }

    /// Has the connection report to `observer` what it holds: now, each time that it is about to wait or has received what it
    /// reported as unfinished, and when it ends; also after a [`split`](Self::split). A report is left out while less than 4 KiB of
    /// input are unfinished and what is held, in steps of 4 KiB, is what was reported last, or nothing before the first report; unless
    /// some of what waits to be written has been.
    pub fn set_observer(&mut self, observer: Box<dyn Observer>) {
        self.driver.set_observer(observer);
    }

    /// Returns the transport as it is: no Close is sent, and what has been queued or received is dropped.
    pub fn into_inner(self) -> S {
        self.driver.into_transport()
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
