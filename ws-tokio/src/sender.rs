//! Sending over a WebSocket from many tasks.

mod turns;

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ws_core::{CloseCode, CloseInfo, Connection, DataType, MemoryUsage, Message, PreparedMessage, SendError};

use crate::backlog::SlowPolicy;
use crate::connection_id::ConnectionId;
use crate::driver::is_large;
use crate::error::Error;
use crate::outbox::Outbox;
use crate::publish_report::{Membership, PublishReport};
use crate::shared::{Identity, Link, Queued};
use crate::traffic::Traffic;
use crate::try_send_error::TrySendError;
use crate::turn::Turn;
use crate::waiting::Waiter;
use crate::waits::Waits;
use crate::writer::{Hold, MessageWriter};

/// The sending half of a WebSocket: clone it into as many tasks as there are.
///
/// It does not depend on the transport's type. Every method takes `&self`; every future can be dropped at any
/// await: a message is then wholly queued or not at all. Senders that wait for room are served in turn.
///
/// Pings are answered and deadlines kept while the [`Receiver`](super::Receiver) is being polled. A program that only sends lets a
/// separate task run [`Receiver::discard`](super::Receiver::discard).
pub struct Sender {
    pub(super) link: Arc<dyn Link>,
    /// Distinguishes this clone from others.
    identity: Identity,
}

impl Clone for Sender {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.link))
    }
}

impl Sender {
    pub(super) fn new(link: Arc<dyn Link>) -> Self {
        let identity = Identity { id: link.waiting().next_sender(), turn: Turn::new() };
        Self { link, identity }
    }

    /// Sends a message: waits in turn until less than `send_high_water` is queued, queues it, and
    /// waits until it is written.
    ///
    /// # Errors
    /// As [`WebSocket::send`](super::WebSocket::send).
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), Error> {
        let message = message.into();
        if is_large(message.len()) && self.is_compressing() {
            let queued = Box::pin(self.queue_in_turns(message)).await?;
            return self.written(queued).await;
        }
        let mut message = Some(message);
        self.queue_and_write(|connection| take(&mut message, connection, Connection::send)).await
    }

    /// As [`send`](Self::send), for a message that goes to many connections.
    ///
    /// # Errors
    /// As [`WebSocket::send`](super::WebSocket::send).
    pub async fn send_prepared(&self, message: &PreparedMessage) -> Result<(), Error> {
        if is_large(message.message().len()) {
            Box::pin(self.prepare_in_turns(message)).await;
        }
        self.queue_and_write(|connection| connection.send_prepared(message)).await
    }

    /// As [`send`](Self::send), but never compressed, as [`WebSocket::send_uncompressed`](super::WebSocket::send_uncompressed).
    ///
    /// # Errors
    /// As [`WebSocket::send`](super::WebSocket::send).
    pub async fn send_uncompressed(&self, message: impl Into<Message>) -> Result<(), Error> {
        let mut message = Some(message.into());
        self.queue_and_write(|connection| take(&mut message, connection, Connection::send_uncompressed)).await
    }

    /// Queues a message of a broadcast once there is room. If the future is dropped nothing is queued.
    pub(super) async fn feed_prepared(&self, message: &PreparedMessage) -> Result<(), Error> {
        if is_large(message.message().len()) {
            Box::pin(self.prepare_in_turns(message)).await;
        }
        self.queue(|connection| connection.send_prepared(message)).await.map(|_| ())
    }

    /// See [`Driver::offer`](super::driver::Driver::offer).
    pub(super) fn offer(
        &self,
        messages: &[PreparedMessage],
        slow: &SlowPolicy,
        later: bool,
        published: &mut PublishReport,
    ) -> Membership {
        self.link.offer(messages, slow, later, published)
    }

    /// Writes what can be written without waiting.
    pub(super) fn write(&self) {
        self.link.write();
    }

    /// As [`send`](Self::send), but only queues the message. It is written by the next `send` or [`flush`](Self::flush) of any
    /// clone, or by the [`Receiver`](super::Receiver) when it would wait next. A receiver that waits already is not woken:
    /// a last message that is fed needs a `flush`.
    ///
    /// # Errors
    /// As [`WebSocket::send`](super::WebSocket::send).
    pub async fn feed(&self, message: impl Into<Message>) -> Result<(), Error> {
        let message = message.into();
        if is_large(message.len()) && self.is_compressing() {
            return Box::pin(self.queue_in_turns(message)).await.map(|_| ());
        }
        let mut message = Some(message);
        self.queue(|connection| take(&mut message, connection, Connection::send)).await.map(|_| ())
    }

    /// A message to be sent in pieces: one of any size then passes in constant memory. Waits for its turn;
    /// the messages of other senders wait until it is finished.
    pub async fn send_stream(&self, data_type: DataType) -> MessageWriter<'_> {
        MessageWriter::new(Box::new(Hold::take(&*self.link).await), data_type)
    }

    /// Queues a message if there is room for it now, without waiting. It is written by the [`Receiver`](super::Receiver),
    /// which is woken for it, or by the next `send` or [`flush`](Self::flush) of any clone; not by this.
    ///
    /// # Errors
    /// [`TrySendError`], which returns the message.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        let message = message.into();
        // A clone shares the payload.
        match self.link.try_queue(&self.identity, &mut |connection| connection.send(message.clone())) {
            Some(Ok(_)) => {
                self.link.waiting().wake_receiver();
                Ok(())
            }
            Some(Err(error)) => Err(TrySendError::Refused(message, error)),
            None => Err(
                match self.act(
                    |connection| {
                        if connection.is_open() { Ok(()) } else { Err(SendError::Closing) }
                    },
                ) {
                    Ok(()) => TrySendError::Full(message),
                    Err(error) => TrySendError::Refused(message, error),
                },
            ),
        }
    }

    /// Waits until everything queued is written.
    ///
    /// # Errors
    /// As [`WebSocket::flush`](super::WebSocket::flush).
    pub async fn flush(&self) -> Result<(), Error> {
        self.wait(|link, cx, waiter| link.poll_flush(cx, waiter)).await
    }

    /// As [`WebSocket::ping`](super::WebSocket::ping).
    ///
    /// # Errors
    /// As there.
    pub async fn ping(&self, payload: &[u8]) -> Result<(), Error> {
        self.act(|connection| connection.ping(payload))?;
        self.flush().await
    }

    /// As [`WebSocket::pong`](super::WebSocket::pong).
    ///
    /// # Errors
    /// As there.
    pub async fn pong(&self, payload: &[u8]) -> Result<(), Error> {
        self.act(|connection| connection.pong(payload))?;
        self.flush().await
    }

    /// As [`WebSocket::close`](super::WebSocket::close). What the [`Receiver`](super::Receiver) has not received by then is dropped.
    ///
    /// # Errors
    /// As there.
    pub async fn close(&self, code: CloseCode, reason: &str) -> Result<CloseInfo, Error> {
        match self.act(|connection| connection.close(code, reason)) {
            Ok(()) | Err(Error::Closed(_) | Error::Send(SendError::Closing)) => {}
            Err(error) => return Err(error),
        }
        let ended = self.wait(|link, cx, waiter| link.poll_close(cx, waiter)).await;
        match (self.close_info(), ended) {
            (Some(info), _) => Ok(info),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => Err(Error::Send(SendError::Closing)),
        }
    }

    /// As [`WebSocket::start_close`](super::WebSocket::start_close): the [`Receiver`](super::Receiver) sees it through.
    ///
    /// # Errors
    /// As there.
    pub fn start_close(&self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.act(|connection| connection.close(code, reason))
    }

    /// As [`WebSocket::close_info`](super::WebSocket::close_info).
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.look(|connection| connection.close_info())
    }

    /// As [`WebSocket::is_open`](super::WebSocket::is_open).
    pub fn is_open(&self) -> bool {
        self.look(|connection| Some(connection.is_open())).unwrap_or_default()
    }

    /// As [`WebSocket::rtt`](super::WebSocket::rtt).
    pub fn rtt(&self) -> Option<Duration> {
        self.look(|connection| connection.rtt())
    }

    /// As [`WebSocket::queued`](super::WebSocket::queued).
    pub fn queued(&self) -> usize {
        self.look(|connection| Some(connection.queued())).unwrap_or_default()
    }

    /// As [`WebSocket::memory_usage`](super::WebSocket::memory_usage).
    pub fn memory_usage(&self) -> MemoryUsage {
        self.link.memory_usage()
    }

    /// As [`WebSocket::traffic`](super::WebSocket::traffic).
    pub fn traffic(&self) -> Traffic {
        self.link.traffic()
    }

    /// Returns the number of the connection: the same for every clone, and for a WebSocket of a server that of its request.
    pub fn connection_id(&self) -> ConnectionId {
        ConnectionId::of(self.link.waiting().number)
    }

    /// Attaches a queue out of which the connection takes messages when it has room, until it ends or its halves are
    /// reunited. Several may be attached; they take turns.
    ///
    /// # Errors
    /// [`Error::Closed`], or [`SendError::Closing`] in [`Error::Send`], if the connection takes no more messages.
    pub fn attach(&self, outbox: Arc<dyn Outbox>) -> Result<(), Error> {
        self.link.attach(outbox)
    }

    /// Takes messages out of the [attached](Self::attach) outboxes as far as there is room, and writes what can be written without
    /// waiting; also outside of a runtime. Returns whether there is room for more: then nothing is left in the outboxes. What
    /// is left is taken out, and written, while the [`Receiver`](super::Receiver) is being polled; a last message of more than 64 KiB that
    /// is to be compressed, too, whatever room there is.
    pub fn write_now(&self) -> bool {
        self.link.write_now()
    }

    async fn queue_and_write(
        &self,
        queue: impl FnMut(&mut Connection) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        let queued = self.queue(queue).await?;
        self.written(queued).await
    }

    /// Waits until a message that has been queued is written.
    async fn written(&self, queued: Queued) -> Result<(), Error> {
        // If another sender came before, more may be about to: let them queue theirs, for one write.
        if queued.changed {
            step_back().await;
        }
        self.wait(|link, cx, waiter| link.poll_written(cx, waiter, queued.mark)).await
    }

    /// Queues a message as soon as it is this sender's turn and there is room.
    async fn queue(
        &self,
        mut queue: impl FnMut(&mut Connection) -> Result<(), SendError>,
    ) -> Result<Queued, Error> {
        if self.identity.turn.renew() {
            step_back().await;
        }
        // The usual case, in one turn of the lock.
        if let Some(queued) = self.link.try_queue(&self.identity, &mut queue) {
            return queued;
        }
        // Closed with the connection, which then refuses the message.
        let _permit = self.link.line().acquire().await.ok();
        self.wait(|link, cx, waiter| link.poll_queue(cx, waiter, &self.identity, &mut queue)).await
    }

    async fn wait<T>(&self, mut poll: impl FnMut(&dyn Link, &mut Context<'_>, Waiter) -> Poll<T>) -> T {
        let mut waits = Waits::new(&*self.link);
        poll_fn(|cx| waits.poll(|link, waiter| poll(link, cx, waiter))).await
    }

    fn look<T>(&self, look: impl Fn(&Connection) -> Option<T>) -> Option<T> {
        let mut seen = None;
        self.link.with(&mut |connection| seen = look(connection));
        seen
    }

    fn act(&self, mut act: impl FnMut(&mut Connection) -> Result<(), SendError>) -> Result<(), Error> {
        self.link.act(&mut act)
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("id", &self.identity.id).finish_non_exhaustive()
    }
}

/// Queues a message that is there once.
fn take(
    message: &mut Option<Message>,
    connection: &mut Connection,
    send: impl FnOnce(&mut Connection, Message) -> Result<(), SendError>,
) -> Result<(), SendError> {
    message.take().map_or(Ok(()), |message| send(connection, message))
}

/// Lets the tasks that are ready run first. Unlike tokio's `yield_now` it lines up behind those that are
/// woken by others, so that senders go round in turn.
async fn step_back() {
    let mut stepped = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut stepped, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
