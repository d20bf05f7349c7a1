//! Bytes between a connection and its transport.

use std::future::Future;
use std::io::{self, IoSlice};
#[cfg(feature = "http2")]
use std::mem;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BufMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use ws_core::{CloseCause, CloseCode, TransportEnd};

use super::Driver;
use super::state::Transport;
use crate::buffer::{self, Input};

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Reads once. Ready when something new is to be looked at: input, or the transport's end.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Self { io, connection, .. } = self;
        connection.place_long_text(buffer::take_text);
        let large = connection.read_large_payload(|message, most| {
            buffer::enlarge(message, most);
            let room = message.capacity().saturating_sub(message.len());
            pin!(io.read_buf(&mut message.limit(most.min(room)))).poll(cx)
        });
        let Some((read, message)) = large else { return self.poll_fill(cx) };
        if let Some(message) = message {
            self.reading.large = Some(Box::new(buffer::hand_over(message)));
        }
        read.map(|read| self.note_end(read))
    }

    /// Reads once, behind what has been read already.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let read = pin!(self.io.read_buf(&mut self.reading.input.room())).poll(cx);
        // When there was nothing to read, the buffer goes back to the thread.
        self.reading.input.filled();
        read.map(|read| self.note_end(read))
    }

    /// Keeps in mind that the transport has ended, if a read says so.
    fn note_end(&mut self, read: io::Result<usize>) {
        match read {
            Ok(0) => self.receiving.ended = Some(TransportEnd::Eof),
            Ok(n) => self.reading.bytes = self.reading.bytes.wrapping_add(n as u64),
            Err(error) => self.receiving.ended = Some(self.judge(error)),
        }
    }

    /// Writes until nothing is left, and then flushes what the transport itself holds back.
    pub(in super::super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.claim_left();
        self.poll_write_or_leave(cx, false)
    }

    /// As [`poll_write`](Self::poll_write), for a task that waits for the peer: a few bytes that a stream of HTTP/2 has taken
    /// count as written, as those do that are in the buffer of a TCP socket, and the task is not woken when they are. Unless
    /// somebody waits for the flush, or the peer is to answer within a time that begins with it.
    #[inline]
    pub(super) fn poll_write_beside(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let leaves = !self.connection.is_unflushed() && !self.connection.awaits_answer();
        self.poll_write_or_leave(cx, leaves)
    }

    #[inline]
    fn poll_write_or_leave(&mut self, cx: &mut Context<'_>, leaves: bool) -> Poll<()> {
        let written = self.poll_write_all(cx, leaves);
        #[cfg(feature = "http2")]
        if let Some(held) = &self.writing.held {
            let bytes = held.bytes();
            self.reported.has_written |= bytes < self.connection.held();
            self.connection.set_held(bytes);
        }
        // A ping or a Close may have been written, or the transport takes bytes again: the deadlines begin now, also if
        // this is done by a caller that does not wait. Without a timer there are none; one cannot be made everywhere.
        if self.sleep.is_some() && self.connection.timeout_changed() {
            self.set_timer();
        }
        written
    }

    #[inline]
    fn poll_write_all(&mut self, cx: &mut Context<'_>, leaves: bool) -> Poll<()> {
        self.queue_backlog(cx);
        self.queue_outboxes(cx);
        while self.connection.queued() > 0 {
            match ready!(self.poll_write_once(cx)) {
                Ok(0) => self.failed(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    self.writing.written = self.writing.written.saturating_add(n as u64);
                    self.reported.has_written = true;
                    self.connection.set_unflushed(true);
                    self.queue_backlog(cx);
                    self.queue_outboxes(cx);
                }
                Err(error) => self.failed(error),
            }
        }
        if let Some(buffer) = self.connection.reclaim_buffer() {
            buffer::give_output(buffer);
        }
        if leaves && self.connection.is_unflushed() {
            self.leave_few();
        }
        if self.connection.is_unflushed() {
            // Asked again until it is done: there may be nothing left to write by then.
            let flushed = ready!(Pin::new(&mut *self.io).poll_flush(cx));
            match flushed {
                Ok(()) => self.connection.set_unflushed(false),
                Err(error) => self.failed(error),
            }
        }
        Poll::Ready(())
    }

    /// Leaves what has been written to the transport, without a flush, if that is a stream of HTTP/2 and these are a few bytes.
    #[inline]
    fn leave_few(&mut self) {
        #[cfg(feature = "http2")]
        if self.writing.held.as_ref().is_some_and(|held| held.bytes() <= FEW) {
            self.connection.set_unflushed(false);
            self.left = true;
        }
    }

    /// What has been left to the transport is to be flushed after all.
    #[inline]
    pub(super) fn claim_left(&mut self) {
        #[cfg(feature = "http2")]
        if mem::take(&mut self.left) {
            self.connection.set_unflushed(true);
        }
    }

    fn poll_write_once(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut output = self.connection.output();
        let io = Pin::new(&mut *self.io);
        let chunk = output.chunk();
        let written = if chunk.len() == output.remaining() || !io.is_write_vectored() {
            // A vectored write of one chunk is dearer to the kernel than a plain one.
            ready!(io.poll_write(cx, chunk))
        } else {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let used = output.chunks_vectored(&mut slices);
            ready!(io.poll_write_vectored(cx, slices.get(..used).unwrap_or_default()))
        };
        if let Ok(n) = written {
            output.advance(n);
        }
        Poll::Ready(written)
    }

    /// Closes the transport as far as the connection asks for it. Ready when it is done with.
    #[inline]
    pub(super) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.connection.wants_shutdown() && !self.connection.is_ended() {
            return Poll::Pending;
        }
        self.poll_end(cx)
    }

    // Apart, so that what is asked before each read is compiled into its caller.
    #[cold]
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.connection.wants_shutdown() {
            // A transport that cannot be shut down is shut down.
            let _ = ready!(Pin::new(&mut *self.io).poll_shutdown(cx));
            self.closing.transport = Transport::HalfClosed;
            self.connection.shutdown_done();
        }
        if !self.connection.is_ended() {
            return Poll::Pending;
        }
        let reset = CloseCause::Transport(TransportEnd::Reset);
        if self.closing.transport == Transport::Open
            && self.close_info().is_none_or(|info| info.cause != reset)
        {
            // Once, and without waiting: the peer may be gone.
            let _ = Pin::new(&mut *self.io).poll_shutdown(cx);
        }
        self.closing.transport = Transport::Closed;
        self.sleep = None;
        self.reading.input = Input::default();
        self.report();
        Poll::Ready(())
    }

    /// Reports to the connection that the transport has ended, if it has. Pending while what is left is on its way to a peer that
    /// has ended its own half only, and may still read: RFC 6455 section 5.5.1 has its Close answered.
    #[inline]
    pub(super) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.receiving.ended.is_none() {
            return Poll::Ready(());
        }
        self.poll_last_words(cx)
    }

    #[cold]
    fn poll_last_words(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self.receiving.ended, Some(TransportEnd::Eof | TransportEnd::Truncated)) {
            if self.connection.owes_close_reply() {
                // Once that has been queued, the end is read again.
                return Poll::Ready(());
            }
            if self.connection.close_info().is_some() && !self.connection.is_ended() {
                // The deadlines of the connection bound this.
                ready!(self.poll_write(cx));
                if self.closing.transport == Transport::Open && !self.connection.is_ended() {
                    // A transport that cannot be shut down is shut down.
                    let _ = ready!(Pin::new(&mut *self.io).poll_shutdown(cx));
                    self.closing.transport = Transport::HalfClosed;
                }
            }
        }
        if let Some(how) = self.receiving.ended.take() {
            self.connection.transport_ended(how);
        }
        Poll::Ready(())
    }

    /// Nothing more can be written; what has been sent to us can still be read.
    fn failed(&mut self, error: io::Error) {
        let how = self.judge(error);
        self.connection.write_failed(how);
    }

    /// What an error of the transport says of its end; one that says little is kept.
    fn judge(&mut self, error: io::Error) -> TransportEnd {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => TransportEnd::Truncated,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected => TransportEnd::Reset,
            _ => {
                self.transport_error = Some(error);
                TransportEnd::Failed
            }
        }
    }

    /// Sends what can be sent without waiting, a Close last, for a driver that is dropped while it is open.
    pub(in super::super) fn close_on_drop(&mut self) {
        if self.closing.transport != Transport::Open {
            return;
        }
        if !std::thread::panicking() {
            // The peer has closed, and its Close is replied to as it would have been at once.
            self.connection.reply_to_close();
        }
        // A handler that panicked is an unexpected condition; any other simply went away.
        let code = if std::thread::panicking() { CloseCode::INTERNAL_ERROR } else { CloseCode::GOING_AWAY };
        // Closing already is fine too.
        let _ = self.connection.close(code, "");
        let cx = &mut Context::from_waker(Waker::noop());
        if self.poll_write(cx).is_ready() {
            let _ = Pin::new(&mut *self.io).poll_shutdown(cx);
        }
    }
}

/// The most bytes that a stream of HTTP/2 holds while they count as written for a task that waits for the peer.
#[cfg(feature = "http2")]
const FEW: usize = 4 << 10;

/// This many chunks are written in one call: what `send_high_water` lets wait by default is two for
/// each payload of 4 KiB.
const SLICES: usize = 64;
