//! A connection and its transport, polled.

mod ahead;
mod aside;
mod broadcast;
mod decode;
mod drain;
mod holding;
mod outbox;
mod report;
mod requests;
mod state;
mod timer;
mod transport;
mod transport_slot;
mod turns;

use std::future::Future;
use std::io;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::yield_now;
use tokio::time::{Instant, Sleep};
use ws_core::{CloseCause, CloseInfo, Connection, Event, Message, SendError};

use crate::buffer::{self, Input};
use crate::closer::CloseRequest;
use crate::connection_id::ConnectionId;
use crate::error::Error;
use crate::piece::{OwnedPiece, PieceSource};
use crate::traffic::CloseRecord;
use report::Reported;
pub(super) use state::Progress;
use state::{Closing, Reading, Receiving, Transport, Writing};
use transport_slot::TransportSlot;
pub(super) use turns::{is_large, takes_time};

/// What drives a [`Connection`] over `S`. All progress lives here, so that every future on top of
/// it can be dropped at any await.
#[derive(Debug)]
pub(super) struct Driver<S> {
    pub(super) io: TransportSlot<S>,
    pub(super) connection: Connection,
    reading: Reading,
    writing: Writing,
    receiving: Receiving,
    closing: Closing,
    /// The error that ended the transport, until it has been reported.
    transport_error: Option<io::Error>,
    /// Boxed: it is too large to sit in every future that holds a WebSocket.
    sleep: Option<Pin<Box<Sleep>>>,
    epoch: Instant,
    /// Whether there is a deadline that the timer has not been set to, because no task was waiting.
    unset_deadline: bool,
    /// Whether the last poll was pending only to let other tasks run, and that has not been reported yet.
    stepped_back: bool,
    /// It is written on behalf of no task that waits: a publisher, which has other connections to write to. Here, and not in
    /// `writing`, it takes no memory, as the next.
    in_passing: bool,
    /// Whether a few bytes have been left to a stream of HTTP/2 without waiting until it has written them.
    #[cfg(feature = "http2")]
    left: bool,
    /// A request to close from a [`Closer`], if one exists.
    close_request: Option<Arc<CloseRequest>>,
    /// What the observer knows.
    reported: Reported,
    /// The number of the connection; 0 before it has one.
    number: u64,
    /// What is done when the driver is dropped; a pointer, so that `Drop` needs no bounds on `S`.
    on_drop: fn(&mut Self),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    pub(super) fn new(io: S, connection: Connection, received: &[u8]) -> Self {
        Self {
            io: TransportSlot::new(io),
            connection,
            reading: Reading {
                input: Input::with(received),
                bytes: received.len() as u64,
                ..Reading::default()
            },
            writing: Writing::default(),
            receiving: Receiving::default(),
            closing: Closing::default(),
            transport_error: None,
            sleep: None,
            epoch: Instant::now(),
            unset_deadline: false,
            stepped_back: false,
            in_passing: false,
            #[cfg(feature = "http2")]
            left: false,
            close_request: None,
            reported: Reported::default(),
            number: 0,
            on_drop: Self::close_on_drop,
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
            self.receiving.held_back = room.is_pending();
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
        self.receiving.asked = true;
        loop {
            self.begin_requested_close();
            if let Some(found) = next(self) {
                self.report_received();
                if self.closing.discarding {
                    continue;
                }
                return Poll::Ready(Ok(Some(found)));
            }
            if mem::take(&mut self.receiving.unfinished) {
                return self.let_others_run(cx);
            }
            let is_read_out = self.poll_ended(cx).is_pending();
            if self.holds_close_reply() {
                return Poll::Ready(Ok(None));
            }
            // Only now, with the input used up: what a batch of messages made one write carries.
            // Should it have to wait, reading goes on all the same.
            let stalled = self.poll_write_beside(cx).is_pending();
            if self.poll_closed(cx).is_ready() {
                return Poll::Ready(self.outcome().map(|()| None));
            }
            self.receiving.held_back = !self.may_read();
            if !self.receiving.held_back && !is_read_out && self.poll_read(cx).is_ready() {
                // A peer that never pauses cannot put off the deadlines that apply to it.
                reads = reads.saturating_add(1);
                self.receiving.in_a_row = self.receiving.in_a_row.saturating_add(1);
                let enough = reads == READS || self.receiving.in_a_row >= IN_A_ROW;
                if stalled || enough || !self.connection.is_open() {
                    self.check_timeout();
                }
                if enough {
                    // Nor can it keep other tasks from running, with endless messages or with frames that make no message.
                    return self.step_back(cx);
                }
                continue;
            }
            self.receiving.in_a_row = 0;
            ready!(self.poll_timeout(cx));
        }
    }

    /// Whether the peer's Close is to be reported before it is replied to (RFC 6455 section 5.5.1): once. The next call
    /// that receives or closes has the reply sent.
    fn holds_close_reply(&mut self) -> bool {
        if !self.connection.owes_close_reply() {
            return false;
        }
        if !self.closing.discarding && !mem::replace(&mut self.closing.close_reported, true) {
            return true;
        }
        self.connection.reply_to_close();
        false
    }

    /// Sees the closing handshake through, once it has begun; messages that still come are dropped, from now
    /// on for all callers: what has been received is then the front of what was sent, without a gap.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.closing.discarding = true;
        self.poll_recv(cx).map_ok(|_| ())
    }

    /// Writes until nothing waits, without receiving while messages may still be kept; ready when the connection has ended.
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

    /// Sets what is done when the driver is dropped.
    pub(super) fn set_on_drop(&mut self, on_drop: fn(&mut Self)) {
        self.on_drop = on_drop;
    }

    /// Takes the transport out of the driver without sending anything.
    pub(super) fn into_transport(mut self) -> S {
        self.on_drop = |_| {};
        self.io.take_for_good()
    }

    /// Whether the transport is open in both directions.
    pub(super) fn is_open(&self) -> bool {
        self.closing.transport == Transport::Open
    }

    /// Whether the transport is closed and the outcome has been reported.
    pub(super) fn is_done(&self) -> bool {
        self.closing.transport == Transport::Closed && self.reading.aside.is_none()
    }

    pub(super) fn close_info(&self) -> Option<CloseInfo> {
        self.connection.close_info()
    }

    /// Whether the last poll was pending only to let other tasks run, and has arranged to be polled again; reported once.
    pub(super) const fn has_stepped_back(&mut self) -> bool {
        mem::replace(&mut self.stepped_back, false)
    }

    pub(super) fn progress(&self) -> Progress {
        Progress {
            written: self.writing.written,
            unflushed: self.connection.is_unflushed(),
            held: self.connection.held(),
            held_back: self.receiving.held_back,
            unset_deadline: self.unset_deadline,
            unread: self.reading.input.len(),
            open: self.connection.is_open(),
            ended: self.receiving.ended.is_some(),
            over: self.connection.is_ended(),
        }
    }

    /// Counts what the transport has taken and holds from now on.
    #[cfg(feature = "http2")]
    pub(super) fn count_held(&mut self, held: crate::http2::Held) {
        self.connection.set_held(held.bytes());
        self.writing.held = Some(held);
    }

    /// Returns the number of the connection, which it has from now on.
    pub(super) fn number(&mut self) -> u64 {
        if self.number == 0 {
            self.number = ConnectionId::next().get();
        }
        self.number
    }

    pub(super) fn set_number(&mut self, id: ConnectionId) {
        self.number = id.get();
    }

    /// How the connection ended, for the task that waits for a message.
    fn outcome(&mut self) -> Result<(), Error> {
        let Some(info) = self.connection.close_info() else { return Ok(()) };
        if let Some(error) = self.transport_error.take().filter(|_| !info.is_clean()) {
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

/// This many reads that bring nothing to return are done before other tasks get their turn.
const READS: u32 = 4;

/// This many reads without a pause are done before others get theirs, whatever they bring: with frames of a few bytes
/// a full one takes a millisecond or two to go through.
const IN_A_ROW: u8 = 8;

impl<S> Drop for Driver<S> {
    fn drop(&mut self) {
        (self.on_drop)(self);
        self.close_outboxes();
        self.report();
        if let Some(request) = &self.close_request {
            if !self.connection.is_ended() {
                self.connection.abort();
            }
            let (duration, traffic) = (self.epoch.elapsed(), self.traffic());
            let record = |info| CloseRecord { info, duration, traffic };
            request.ended(self.connection.close_info().map(record));
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> PieceSource for Driver<S> {
    fn poll_piece(&mut self, cx: &mut Context<'_>, inside: bool) -> Poll<Result<Option<OwnedPiece>, Error>> {
        let lost = inside && !self.connection.in_piecewise_message() && self.close_info().is_none();
        if lost {
            // A sender that closes has dropped the rest.
            return Poll::Ready(Err(Error::MessageCutOff));
        }
        self.poll_next(cx, Self::next_piece)
    }

    fn is_inside_message(&self) -> bool {
        self.connection.in_piecewise_message()
    }
}
