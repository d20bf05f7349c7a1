//! A connection and its transport, polled.

mod ahead;
mod broadcast;
mod decode;
mod drain;
mod timer;
mod transport;
mod transport_slot;

use std::future::Future;
use std::io;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::yield_now;
use tokio::time::{Instant, Sleep};
use ws_core::{CloseCause, CloseInfo, Connection, Event, Ledger, Message, SendError, TransportEnd};

use crate::backlog::Backlog;
use crate::buffer::{self, Input};
use crate::closer::{Closer, Wish};
use crate::error::Error;
use crate::piece::{OwnedPiece, PieceSource};
use ahead::Aside;
use transport_slot::TransportSlot;

/// What drives a [`Connection`] over `S`. All progress lives here, so that every future on top of
/// it can be dropped at any await.
#[derive(Debug)]
pub(super) struct Driver<S> {
    pub(super) io: TransportSlot<S>,
    pub(super) connection: Connection,
    /// What has been read and not received. Nothing while waiting: the buffer is the thread's.
    input: Input,
    /// The transport has ended; what it brought before is still to be received.
    ended: Option<TransportEnd>,
    /// A large message that was read around `input`.
    large: Option<Box<Bytes>>,
    /// Messages that were taken while the user only sent.
    aside: Option<Box<Aside>>,
    /// Boxed: it is too large to sit in every future that holds a WebSocket.
    sleep: Option<Pin<Box<Sleep>>>,
    epoch: Instant,
    /// There is a deadline that the timer has not been set to, because no task was waiting.
    unset_deadline: bool,
    /// Where closing the transport stands.
    transport: Transport,
    /// The error that ended the transport, until it has been reported.
    error: Option<io::Error>,
    /// Bytes written to the transport so far.
    written: u64,
    /// Someone closes and waits for the end: messages that still come are for nobody.
    discarding: bool,
    /// The user has learned of the peer's Close, the reply to which is held back.
    close_reported: bool,
    /// The receiver does not read because too much memory is held; what is written changes that.
    held_back: bool,
    /// Reads without a pause in between; whether they brought anything to hand out or not.
    in_a_row: u8,
    /// It was pending only to let others run, and nobody has asked about that yet.
    stepped_back: bool,
    /// A request to close from a [`Closer`], if one exists.
    wish: Option<Arc<Wish>>,
    /// Messages of a broadcast that wait for room.
    backlog: Option<Box<Backlog>>,
    /// What is done when it is dropped; a pointer, so that `Drop` needs no bounds on `S`.
    farewell: fn(&mut Self),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Open,
    /// The write side is shut down.
    HalfClosed,
    /// Nothing more is asked of it.
    Closed,
}

/// What others that wait for the same connection may have been waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    written: u64,
    unflushed: bool,
    held_back: bool,
    unset_deadline: bool,
    unread: usize,
    open: bool,
    /// The end has been read.
    ended: bool,
    /// The conclusion has been drawn.
    over: bool,
}

impl Progress {
    /// Whether the receiver may have waited for what has happened since `before`. Bytes that are written
    /// concern it only while it is held back, or closes.
    pub(super) fn concerns_receiver(self, before: Self) -> bool {
        let Self { written, unflushed, .. } = self;
        before.held_back || !self.open || self != Self { written, unflushed, ..before }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    pub(super) fn new(io: S, connection: Connection, received: &[u8]) -> Self {
        Self {
            io: TransportSlot::new(io),
            connection,
            input: Input::with(received),
            ended: None,
            large: None,
            aside: None,
            sleep: None,
            epoch: Instant::now(),
            unset_deadline: false,
            transport: Transport::Open,
            error: None,
            written: 0,
            discarding: false,
            close_reported: false,
            held_back: false,
            in_a_row: 0,
            stepped_back: false,
            wish: None,
            backlog: None,
            farewell: Self::say_goodbye,
        }
    }

    /// The next message; `None` after a closing handshake in which the peer reports no fault, when the transport is
    /// closed too.
    pub(super) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        self.poll_next(cx, Self::next_message)
    }

    /// Hands all that comes to `each`, until the connection is closed or a send is refused.
    pub(super) fn poll_each(
        &mut self,
        cx: &mut Context<'_>,
        mut each: impl FnMut(&mut Connection, Event<'_>) -> Result<(), SendError>,
    ) -> Poll<Result<(), Error>> {
        loop {
            // Answers wait to be written: what would make more of them is left unread.
            let room = self.poll_room(cx);
            self.held_back = room.is_pending();
            ready!(room)?;
            match ready!(self.poll_next(cx, |driver| driver.lend_events(&mut each)))? {
                Some(Ok(())) => {}
                Some(Err(refused)) => return Poll::Ready(self.act(|_| Err(refused))),
                None => return Poll::Ready(Ok(())),
            }
        }
    }

    fn poll_next<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut next: impl FnMut(&mut Self) -> Option<T>,
    ) -> Poll<Result<Option<T>, Error>> {
        let mut reads = 0u32;
        loop {
            self.grant_wish();
            if let Some(found) = next(self) {
                if self.discarding {
                    continue;
                }
                return Poll::Ready(Ok(Some(found)));
            }
            if let Some(how) = self.ended.take() {
                self.connection.transport_ended(how);
            }
            if self.holds_close_reply() {
                return Poll::Ready(Ok(None));
            }
            // Only now, with the input used up: what a batch of messages made one write carries.
            // Should it have to wait, reading goes on all the same.
            let stalled = self.poll_write(cx).is_pending();
            if self.poll_closed(cx).is_ready() {
                return Poll::Ready(self.outcome().map(|()| None));
            }
            self.held_back = !self.may_read();
            if !self.held_back && self.poll_read(cx).is_ready() {
                // A peer that never pauses does not put off the deadlines it is to be held to.
                reads = reads.saturating_add(1);
                self.in_a_row = self.in_a_row.saturating_add(1);
                let enough = reads == READS || self.in_a_row >= IN_A_ROW;
                if stalled || enough || !self.connection.is_open() {
                    self.check_timeout();
                }
                if enough {
                    // Nor does it keep other tasks from running, with messages without end or frames that come to
                    // nothing.
                    self.in_a_row = 0;
                    self.stepped_back = true;
                    step_back(cx);
                    return Poll::Pending;
                }
                continue;
            }
            self.in_a_row = 0;
            ready!(self.poll_timeout(cx));
        }
    }

    /// Whether the peer's Close is to be reported before it is replied to (RFC 6455 section 5.5.1): once. Whoever receives
    /// again, or closes, has the reply sent.
    fn holds_close_reply(&mut self) -> bool {
        if !self.connection.owes_close_reply() {
            return false;
        }
        if !self.discarding && !mem::replace(&mut self.close_reported, true) {
            return true;
        }
        self.connection.reply_to_close();
        false
    }

    /// Sees the closing handshake through, once it has begun; messages that still come are dropped, from now
    /// on for everyone: what has been received is then the front of what was sent, without a gap.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.discarding = true;
        self.poll_recv(cx).map_ok(|_| ())
    }

    /// Writes until nothing waits, without taking what comes while it counts; ready when the connection is over.
    pub(super) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while !self.connection.is_ended() {
            if self.connection.close_info().is_some() {
                return self.poll_close(cx);
            }
            ready!(self.poll_flush(cx))?;
            ready!(self.poll_timeout(cx));
        }
        Poll::Ready(self.outcome())
    }

    /// Writes what can be written without waiting, for a caller that continues at once.
    pub(super) fn write_now(&mut self, cx: &mut Context<'_>) {
        let _ = self.poll_write(cx);
    }

    /// Queues a message, or says why not: the record of the end if there is one.
    pub(super) fn queue(
        &mut self,
        queue: impl FnOnce(&mut Connection) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        if self.connection.wants_buffer() {
            self.connection.lend_buffer(buffer::take_output());
        }
        self.act(queue)
    }

    /// Does something with the connection that it may refuse.
    pub(super) fn act(
        &mut self,
        act: impl FnOnce(&mut Connection) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        act(&mut self.connection).map_err(|error| Error::refusal(&self.connection, error))
    }

    /// Sets what is done when it is dropped.
    pub(super) fn set_farewell(&mut self, farewell: fn(&mut Self)) {
        self.farewell = farewell;
    }

    /// Takes the transport out of it, which is left as it is.
    pub(super) fn into_transport(mut self) -> S {
        self.farewell = |_| {};
        self.io.take_for_good()
    }

    /// The transport is open in both directions.
    pub(super) fn is_open(&self) -> bool {
        self.transport == Transport::Open
    }

    /// The transport is closed and the outcome has been told.
    pub(super) fn is_done(&self) -> bool {
        self.transport == Transport::Closed && self.aside.is_none()
    }

    pub(super) fn close_info(&self) -> Option<CloseInfo> {
        self.connection.close_info()
    }

    /// Whether it was pending only to let others run, and has seen to its being polled again; told once.
    pub(super) const fn has_stepped_back(&mut self) -> bool {
        mem::replace(&mut self.stepped_back, false)
    }

    pub(super) fn progress(&self) -> Progress {
        Progress {
            written: self.written,
            unflushed: self.connection.is_unflushed(),
            held_back: self.held_back,
            unset_deadline: self.unset_deadline,
            unread: self.input.len(),
            open: self.connection.is_open(),
            ended: self.ended.is_some(),
            over: self.connection.is_ended(),
        }
    }

    /// The connection's, with what only the driver holds.
    pub(super) fn ledger(&self) -> Ledger {
        let mut ledger = self.connection.ledger();
        ledger.read = self.input.capacity();
        let large = self.large.as_ref().map_or(0, |large| large.len());
        let aside = self.aside.as_ref().map_or(0, |aside| aside.bytes());
        ledger.assembled = ledger.assembled.saturating_add(large).saturating_add(aside);
        let backlog = self.backlog.as_ref().map_or(0, |backlog| backlog.memory_usage());
        ledger.queued = ledger.queued.saturating_add(backlog);
        ledger
    }

    pub(super) fn closer(&mut self) -> Closer {
        Closer::new(Arc::clone(self.wish.get_or_insert_default()))
    }

    /// Begins closing, if a [`Closer`] asks for it.
    #[inline]
    fn grant_wish(&mut self) {
        if let Some(wish) = &self.wish
            && let Some(frame) = wish.take()
        {
            // Closing already is fine too; code and reason have been checked.
            let _ = self.connection.close(frame.code, &frame.reason);
        }
    }

    /// How the connection ended, for the one who waits for a message.
    fn outcome(&mut self) -> Result<(), Error> {
        let Some(info) = self.connection.close_info() else { return Ok(()) };
        if let Some(error) = self.error.take().filter(|_| !info.is_clean()) {
            return Err(Error::Io(error));
        }
        match info.cause {
            CloseCause::Handshake if info.is_normal() => Ok(()),
            CloseCause::Protocol(error) => Err(Error::Protocol(error)),
            _ => Err(Error::Closed(Box::new(info))),
        }
    }
}

/// Has the task polled again behind those that are ready, and behind what the runtime has not looked at yet: that is
/// what the first poll of a `yield_now` does.
pub(super) fn step_back(cx: &mut Context<'_>) {
    let _ = pin!(yield_now()).poll(cx);
}

/// This many reads that bring nothing to hand out are done before other tasks get their turn.
const READS: u32 = 4;

/// This many reads without a pause are done before others get theirs, whatever they bring: with frames of a few bytes
/// a full one takes a millisecond or two to go through.
const IN_A_ROW: u8 = 8;

impl<S> Drop for Driver<S> {
    fn drop(&mut self) {
        (self.farewell)(self);
        if let Some(wish) = &self.wish {
            if !self.connection.is_ended() {
                self.connection.abort();
            }
            wish.ended(self.connection.close_info());
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> PieceSource for Driver<S> {
    fn poll_piece(&mut self, cx: &mut Context<'_>, inside: bool) -> Poll<Result<Option<OwnedPiece>, Error>> {
        let lost = inside && !self.connection.in_piecewise_message() && self.close_info().is_none();
        if lost {
            // A sender that closes has taken the rest.
            return Poll::Ready(Err(Error::MessageCutOff));
        }
        self.poll_next(cx, Self::next_piece)
    }

    fn is_inside_message(&self) -> bool {
        self.connection.in_piecewise_message()
    }
}
