//! A connection and its transport, polled.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use ::tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use ::tokio::time::{Instant, Sleep, sleep_until};
use bytes::{Buf, BufMut, Bytes};

use super::buffer::{self, Input};
use super::error::Error;
use crate::close_info::{CloseCause, CloseInfo, TransportEnd};
use crate::connection::Connection;
use crate::error::SendError;
use crate::event::Event;
use crate::message::Message;

/// What drives a [`Connection`] over `S`. All progress lives here, so that every future on top of
/// it can be dropped at any await.
#[derive(Debug)]
pub(super) struct Driver<S> {
    pub(super) io: S,
    pub(super) connection: Connection,
    /// What has been read and not received. `None` while waiting: the buffer is the thread's.
    input: Option<Input>,
    /// Messages received while a send waited for the transport.
    inbox: VecDeque<Message>,
    inbox_bytes: usize,
    /// Boxed: a connection that waits for nothing but data has none.
    sleep: Option<Pin<Box<Sleep>>>,
    epoch: Instant,
    /// Where closing the transport stands.
    transport: Transport,
    /// The error that ended the transport, until it has been reported.
    error: Option<io::Error>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Open,
    /// The write side is shut down.
    HalfClosed,
    /// Nothing more is asked of it.
    Closed,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    pub(super) fn new(io: S, connection: Connection, received: &[u8]) -> Self {
        Self {
            io,
            connection,
            input: (!received.is_empty()).then(|| Input::with(received)),
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            sleep: None,
            epoch: Instant::now(),
            transport: Transport::Open,
            error: None,
        }
    }

    /// The next message; `None` after a closing handshake, when the transport is closed too.
    pub(super) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        loop {
            if let Some(message) = self.next_message() {
                return Poll::Ready(Ok(Some(message)));
            }
            // Only now, with the input used up: what a batch of messages made one write carries.
            // Should it have to wait, reading goes on all the same.
            let _ = self.poll_write(cx);
            if self.poll_closed(cx).is_ready() {
                return Poll::Ready(self.outcome());
            }
            if self.poll_read(cx).is_ready() {
                continue;
            }
            ready!(self.poll_timeout(cx));
        }
    }

    /// Waits until less than the high-water mark waits to be written, or the connection is closing.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let high_water = self.connection.config().outbound_high_water;
        self.poll_drained(cx, high_water)
    }

    /// Waits until everything has been written.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_drained(cx, 0)
    }

    /// Sees the closing handshake through, once it has begun; messages that still come are dropped.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            self.inbox.clear();
            self.inbox_bytes = 0;
            if let Some(outcome) = ready!(self.poll_recv(cx)).transpose() {
                outcome?;
            } else {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Queues a message, or says why not: the record of the end if there is one.
    pub(super) fn queue(&mut self, message: Message) -> Result<(), Error> {
        if self.connection.queued() == 0 {
            self.connection.queue().lend_buffer(buffer::take_output());
        }
        self.connection.send(message).map_err(|error| self.send_error(error))
    }

    /// What to tell a caller whose message was not queued.
    pub(super) fn send_error(&self, error: SendError) -> Error {
        match (error, self.connection.close_info()) {
            (SendError::Closing, Some(info)) => Error::Closed(Box::new(info)),
            (error, _) => Error::Send(error),
        }
    }

    /// The transport is closed and the outcome has been told.
    pub(super) fn is_done(&self) -> bool {
        self.transport == Transport::Closed
    }

    pub(super) fn close_info(&self) -> Option<CloseInfo> {
        self.connection.close_info()
    }

    /// Writes while more than `level` bytes wait. What the peer sends meanwhile is read too, up to
    /// a bound, so that two ends that both send first do not wait for each other for ever.
    fn poll_drained(&mut self, cx: &mut Context<'_>, level: usize) -> Poll<Result<(), Error>> {
        loop {
            if self.connection.is_ended() {
                return Poll::Ready(self.outcome().map(|_| ()));
            }
            let low = |queued| queued == 0 || queued < level;
            if low(self.connection.queued()) {
                return Poll::Ready(Ok(()));
            }
            if self.poll_write(cx).is_ready() || low(self.connection.queued()) {
                continue;
            }
            if self.inbox_bytes < self.connection.config().inbound_budget {
                if let Some(message) = self.decode() {
                    self.inbox_bytes = self.inbox_bytes.saturating_add(message.len());
                    self.inbox.push_back(message);
                    continue;
                }
                if self.poll_read(cx).is_ready() {
                    continue;
                }
            }
            ready!(self.poll_timeout(cx));
        }
    }

    fn next_message(&mut self) -> Option<Message> {
        if let Some(message) = self.inbox.pop_front() {
            self.inbox_bytes = self.inbox_bytes.saturating_sub(message.len());
            return Some(message);
        }
        self.decode()
    }

    /// Decodes what has been read up to the next message. Errors are the connection's to remember.
    fn decode(&mut self) -> Option<Message> {
        let input = self.input.as_mut()?;
        let mut unread = input.unread();
        let mut message = None;
        while message.is_none() {
            match self.connection.receive(&mut unread) {
                Ok(Some(event)) => message = owned(event),
                Ok(None) | Err(_) => break,
            }
        }
        let left = unread.len();
        input.set_unread(left);
        if input.is_empty() {
            self.input = None;
        }
        message
    }

    /// Reads once. Ready when something new is to be looked at: input, or the transport's end.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.connection.is_ended() {
            return Poll::Ready(());
        }
        let Self { io, connection, .. } = self;
        let large = connection.read_large_payload(|place, most| {
            let mut place = place.limit(most.min(place.capacity().saturating_sub(place.len())));
            pin!(io.read_buf(&mut place)).poll(cx)
        });
        if let Some((read, event)) = large {
            if let Some(message) = event.and_then(owned) {
                self.inbox_bytes = self.inbox_bytes.saturating_add(message.len());
                self.inbox.push_back(message);
            }
            return read.map(|read| match read {
                Ok(0) => self.ended(TransportEnd::Eof),
                Ok(_) => {}
                Err(error) => self.failed(error),
            });
        }
        // Dropped when there was nothing to read: the buffer goes back to the thread.
        let mut input = Input::new();
        let mut room = ReadBuf::new(input.room());
        match ready!(Pin::new(&mut self.io).poll_read(cx, &mut room)) {
            Ok(()) => match room.filled().len() {
                0 => self.ended(TransportEnd::Eof),
                n => {
                    input.filled(n);
                    self.input = Some(input);
                }
            },
            Err(error) => self.failed(error),
        }
        Poll::Ready(())
    }

    /// Writes until nothing is left, and then flushes what the transport itself holds back.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut wrote = false;
        while self.connection.output().has_remaining() {
            match ready!(pin!(self.io.write_buf(&mut self.connection.output())).poll(cx)) {
                Ok(0) => self.failed(io::ErrorKind::WriteZero.into()),
                Ok(_) => wrote = true,
                Err(error) => self.failed(error),
            }
        }
        if let Some(buffer) = self.connection.queue().reclaim_buffer() {
            buffer::give_output(buffer);
        }
        if wrote && let Err(error) = ready!(Pin::new(&mut self.io).poll_flush(cx)) {
            self.failed(error);
        }
        Poll::Ready(())
    }

    /// Closes the transport as far as the connection asks for it. Ready when it is done with.
    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.connection.wants_shutdown() {
            // A transport that cannot be shut down is shut down.
            let _ = ready!(Pin::new(&mut self.io).poll_shutdown(cx));
            self.transport = Transport::HalfClosed;
            self.connection.shutdown_done();
        }
        if !self.connection.is_ended() {
            return Poll::Pending;
        }
        if self.transport == Transport::Open {
            // Once, and without waiting: the peer may be gone.
            let _ = Pin::new(&mut self.io).poll_shutdown(cx);
        }
        self.transport = Transport::Closed;
        self.sleep = None;
        self.input = None;
        Poll::Ready(())
    }

    /// Ready when a deadline has passed and been dealt with.
    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.connection.timeout_changed() {
            let deadline = self.connection.next_timeout(self.epoch.elapsed());
            match (deadline.and_then(|deadline| self.epoch.checked_add(deadline)), &mut self.sleep) {
                (None, sleep) => *sleep = None,
                (Some(deadline), None) => self.sleep = Some(Box::pin(sleep_until(deadline))),
                (Some(deadline), Some(sleep)) => {
                    if sleep.deadline() != deadline {
                        sleep.as_mut().reset(deadline);
                    }
                }
            }
        }
        let Some(sleep) = &mut self.sleep else { return Poll::Pending };
        ready!(sleep.as_mut().poll(cx));
        self.connection.handle_timeout(self.epoch.elapsed());
        Poll::Ready(())
    }

    fn ended(&mut self, how: TransportEnd) {
        self.connection.transport_ended(how);
    }

    fn failed(&mut self, error: io::Error) {
        let how = match error.kind() {
            io::ErrorKind::UnexpectedEof => TransportEnd::Truncated,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected => TransportEnd::Reset,
            _ => TransportEnd::Failed,
        };
        self.connection.transport_ended(how);
        if how == TransportEnd::Failed {
            self.error = Some(error);
        }
    }

    /// How the connection ended, for the one who waits for a message.
    fn outcome(&mut self) -> Result<Option<Message>, Error> {
        let Some(info) = self.connection.close_info() else { return Ok(None) };
        if let Some(error) = self.error.take().filter(|_| !info.is_clean()) {
            return Err(Error::Io(error));
        }
        match info.cause {
            CloseCause::Handshake => Ok(None),
            CloseCause::Protocol(error) => Err(Error::Protocol(error)),
            _ => Err(Error::Closed(Box::new(info))),
        }
    }
}

/// The message in an event, made one's own.
fn owned(event: Event<'_>) -> Option<Message> {
    match event {
        Event::Text(text) => Some(match text {
            std::borrow::Cow::Borrowed(text) => Message::Text(text.into()),
            std::borrow::Cow::Owned(text) => Message::Text(text.into()),
        }),
        Event::Binary(bytes) => Some(match bytes {
            std::borrow::Cow::Borrowed(bytes) => Message::Binary(Bytes::copy_from_slice(bytes)),
            std::borrow::Cow::Owned(bytes) => Message::Binary(bytes.into()),
        }),
        Event::Ping(_) | Event::Pong(_) | Event::Close(_) => None,
    }
}
