//! How a connection closes: RFC 6455 sections 5.5.1 and 7.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use bytestring::ByteString;

use super::{Connection, State};
use crate::close::CloseFrame;
use crate::close_code::CloseCode;
use crate::close_info::{CloseCause, CloseInfo, Deadline, Initiator};
use crate::error::{ProtocolError, SendError};
use crate::timers::Time;

/// What is known of the end, from its first sign on.
#[derive(Debug)]
pub(super) struct Ending {
    initiator: Initiator,
    /// `None` while the closing handshake is under way.
    cause: Option<CloseCause>,
    sent: Option<CloseCode>,
    received: Option<CloseCode>,
    reason: ByteString,
    pub(super) unsent: u64,
    /// Input thrown away.
    lingered: u64,
    /// The end of the closing handshake, or of the lingering.
    pub(super) deadline: Time,
    /// When waiting for the peer's Close ends whatever it sends.
    pub(super) latest: Time,
}

/// # Commands: closing
impl Connection {
    /// Begins the closing handshake (RFC 6455 section 7.1.2): queues a Close frame, with a reason of at most 123
    /// bytes, behind what is queued already. Messages can still be received until the peer answers; nothing more can be
    /// sent. While the Close waits to be written `write_timeout` applies; `close_timeout` begins once it has been, and
    /// anew with each byte received.
    ///
    /// While the reply to the peer's Close [is held back](Self::owes_close_reply), this is the reply: with `code` in place of
    /// the peer's.
    ///
    /// # Errors
    /// [`SendError::InvalidCloseCode`] and [`SendError::ReasonTooLong`] for a body that must not be sent;
    /// [`SendError::Closing`] if a Close has been sent, or received and replied to, or the connection has failed.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        let frame = CloseFrame::new(code, reason)?;
        self.begin_close(Some(frame))
    }

    /// As [`close`](Self::close), with neither code nor reason: the peer sees 1005.
    ///
    /// # Errors
    /// [`SendError::Closing`], as there.
    pub fn close_without_code(&mut self) -> Result<(), SendError> {
        self.begin_close(None)
    }

    /// Queues the reply to the peer's Close that [`delay_close_reply`](crate::Config::delay_close_reply) holds back, behind
    /// what is queued already; it echoes the peer's code. Nothing more can be sent afterwards.
    ///
    /// Does nothing unless a reply [is due](Self::owes_close_reply). [`handle_timeout`](Self::handle_timeout) calls it once
    /// `close_timeout` has passed since the Close was received.
    pub fn reply_to_close(&mut self) {
        if self.state != State::CloseReceived {
            return;
        }
        // §5.5.1: the reply typically echoes the code; a frame without one is answered without.
        let received = self.ending(Initiator::Remote).received.unwrap_or(CloseCode::NO_STATUS_RECEIVED);
        let body = received.0.to_be_bytes();
        self.queue_close_reply(received, if received == CloseCode::NO_STATUS_RECEIVED { &[] } else { &body });
    }

    /// Ends the connection at once: nothing more is read or written, and no Close is sent.
    pub fn abort(&mut self) {
        self.end(CloseCause::Aborted, Initiator::Local);
    }
}

/// # State: how it ends
impl Connection {
    /// Whether the peer's Close has been received and the reply to it is held back: only with
    /// [`delay_close_reply`](crate::Config::delay_close_reply). Messages can still be sent.
    pub fn owes_close_reply(&self) -> bool {
        self.state == State::CloseReceived
    }

    /// Whether messages can be sent: no Close has been sent or received, and nothing has failed; or the reply to the peer's
    /// Close [is held back](Self::owes_close_reply).
    #[inline]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open | State::CloseReceived)
    }

    /// Whether the transport can be dropped: nothing is read or written any more.
    pub fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Returns how the connection ended, once that is settled: after the closing handshake, an error, or
    /// the end of the transport.
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.info(self.ending.as_ref()?.cause?)
    }

    /// Returns how the connection is going to end as far as is known, after [`write_failed`](Self::write_failed): what the
    /// transport still brings is awaited, and may make a clean close of it. `None` before, and once it has ended.
    pub fn write_failure(&self) -> Option<CloseInfo> {
        match self.state {
            State::ReadOnly(how) => self.info(CloseCause::Transport(how)),
            _ => None,
        }
    }
}

impl Connection {
    fn info(&self, cause: CloseCause) -> Option<CloseInfo> {
        let ending = self.ending.as_ref()?;
        Some(CloseInfo {
            initiator: ending.initiator,
            cause,
            sent: ending.sent,
            received: ending.received,
            reason: ending.reason.clone(),
            rtt: self.timers.rtt.get(),
            unsent: ending.unsent,
        })
    }

    pub(super) fn close_received(&mut self, frame: Option<&CloseFrame>) {
        let received = frame.map_or(CloseCode::NO_STATUS_RECEIVED, |frame| frame.code);
        let state = self.state;
        let ending = self.ending(Initiator::Remote);
        ending.received = Some(received);
        if let Some(frame) = frame.filter(|frame| !frame.reason.is_empty()) {
            ending.reason = frame.reason.clone();
        }
        match state {
            State::Open => {
                self.enter(State::CloseReceived);
                // §5.5.1: an endpoint MAY delay the reply until its current message is sent.
                if !self.config.delay_close_reply {
                    self.reply_to_close();
                }
            }
            State::ReadOnly(_) => {
                ending.cause = Some(CloseCause::Handshake);
                // As if the reply had been written before the transport failed.
                ending.sent.get_or_insert(received);
                self.enter(State::Ended);
            }
            State::CloseSent => {
                ending.cause = Some(CloseCause::Handshake);
                self.enter(State::Closed { shut_down: false });
            }
            State::CloseReceived | State::Closed { .. } | State::Failed { .. } | State::Ended => {
                debug_assert!(false, "input counts in {state:?}");
            }
        }
    }

    fn queue_close_reply(&mut self, code: CloseCode, body: &[u8]) {
        self.queue_close_frame(body);
        let ending = self.ending(Initiator::Remote);
        ending.sent = Some(code);
        ending.cause = Some(CloseCause::Handshake);
        // What ran until here was the deadline of the reply.
        self.stop_close_deadline();
        self.enter(State::Closed { shut_down: false });
    }

    /// §7.1.7: fail the WebSocket connection.
    pub(super) fn fail(&mut self, error: ProtocolError) {
        let code = error.close_code();
        let (answer, read_only) = (self.state == State::Open, matches!(self.state, State::ReadOnly(_)));
        let ending = self.ending(Initiator::Remote);
        ending.cause = Some(CloseCause::Protocol(error));
        if answer {
            ending.sent = Some(code);
            let mut body = Vec::from(code.0.to_be_bytes());
            body.extend_from_slice(format!("{error}").as_bytes());
            // Every error's text is ASCII and short; this only guards against a longer one.
            body.truncate(125);
            self.queue_close_frame(&body);
        }
        self.enter(if read_only { State::Ended } else { State::Failed { shut_down: false } });
    }

    /// Counts input that is thrown away. Over the limit that ends the connection, though not before
    /// our Close is written: until then the deadlines bound it.
    pub(super) fn discard(&mut self, bytes: usize) {
        let limit = self.config.max_linger_bytes;
        let ending = self.ending(Initiator::Local);
        ending.lingered = ending.lingered.saturating_add(bytes as u64);
        // A reply that is held back has its own deadline.
        if ending.lingered > limit && self.is_all_written() && self.state != State::CloseReceived {
            self.enter(State::Ended);
        }
    }

    /// A deadline of the connection passed.
    pub(super) fn time_out(&mut self, deadline: Deadline) {
        if deadline == Deadline::Close && self.state == State::CloseReceived {
            return self.reply_to_close();
        }
        let initiator = match deadline {
            Deadline::Close => Initiator::Local,
            Deadline::Keepalive | Deadline::Write => Initiator::Remote,
        };
        if deadline == Deadline::Close && self.awaits_peer() {
            // What has been written may still be on its way: the transport is shut down and read from for a while, since
            // one that is dropped with something unread takes back what it has not delivered.
            self.ending(initiator).cause.get_or_insert(CloseCause::Timeout(deadline));
            self.stop_close_deadline();
            return self.enter(State::Failed { shut_down: false });
        }
        self.end(CloseCause::Timeout(deadline), initiator);
    }

    /// Whether it is the peer's turn: its Close is to come, or, from a server, the end of the stream (§7.1.1).
    pub(super) fn awaits_peer(&self) -> bool {
        match self.state {
            State::CloseSent => true,
            State::Closed { shut_down } => !shut_down && !self.end.shuts_down_first(),
            State::Open | State::CloseReceived | State::ReadOnly(_) | State::Failed { .. } | State::Ended => {
                false
            }
        }
    }

    fn begin_close(&mut self, frame: Option<CloseFrame>) -> Result<(), SendError> {
        if !self.is_open() {
            return Err(SendError::Closing);
        }
        let mut body = Vec::new();
        let mut sent = CloseCode::NO_STATUS_RECEIVED;
        if let Some(frame) = &frame {
            body.extend_from_slice(&frame.code.0.to_be_bytes());
            body.extend_from_slice(frame.reason.as_bytes());
            sent = frame.code;
        }
        if self.state == State::CloseReceived {
            self.queue_close_reply(sent, &body);
            return Ok(());
        }
        let ending = self.ending(Initiator::Local);
        ending.sent = Some(sent);
        if let Some(frame) = frame {
            ending.reason = frame.reason;
        }
        self.queue_close_frame(&body);
        self.enter(State::CloseSent);
        Ok(())
    }

    /// Ends the connection here and now, for `cause` unless it had one already.
    pub(super) fn end(&mut self, cause: CloseCause, initiator: Initiator) {
        if self.state == State::Ended {
            return;
        }
        let cause = match self.state {
            State::ReadOnly(how) => CloseCause::Transport(how),
            // The peer has closed; that it does not wait for the reply changes nothing.
            State::CloseReceived if cause != CloseCause::Aborted => CloseCause::Handshake,
            _ => cause,
        };
        let ending = self.ending(initiator);
        if cause == CloseCause::Handshake {
            // As if the reply had been written before.
            ending.sent = ending.sent.or(ending.received);
        }
        ending.cause.get_or_insert(cause);
        self.enter(State::Ended);
    }

    pub(super) fn ending(&mut self, initiator: Initiator) -> &mut Ending {
        self.ending.get_or_insert_with(|| {
            Box::new(Ending {
                initiator,
                cause: None,
                sent: None,
                received: None,
                reason: ByteString::new(),
                unsent: 0,
                lingered: 0,
                deadline: Time::NEVER,
                latest: Time::NEVER,
            })
        })
    }

    /// When the closing handshake ends, or the lingering.
    #[inline]
    pub(super) fn close_deadline(&self) -> Time {
        self.ending.as_ref().map_or(Time::NEVER, |ending| ending.deadline)
    }

    pub(super) fn stop_close_deadline(&mut self) {
        if let Some(ending) = &mut self.ending {
            ending.deadline = Time::NEVER;
        }
    }

    /// Frees what only receiving needs: nothing more counts.
    fn stop_receiving(&mut self) {
        self.incoming = None;
        self.control = None;
        #[cfg(feature = "deflate")]
        {
            self.compression = None;
        }
    }

    /// The only place where the state changes.
    pub(super) fn enter(&mut self, state: State) {
        debug_assert!(self.state.may_become(state), "{:?} does not become {state:?}", self.state);
        self.state = state;
        self.timers.changed = true;
        match state {
            State::Open | State::CloseSent | State::ReadOnly(_) => {}
            State::CloseReceived => {
                // What is still sent may need the compressor.
                self.incoming = None;
                self.control = None;
            }
            State::Closed { shut_down } | State::Failed { shut_down } => {
                if shut_down {
                    // From here on it only lingers.
                    self.stop_close_deadline();
                }
                self.stop_receiving();
            }
            State::Ended => {
                let unsent = self.queue.len() as u64;
                self.queue.clear();
                self.timers.unflushed = false;
                self.stop_receiving();
                let ending = self.ending(Initiator::Local);
                ending.unsent = ending.unsent.saturating_add(unsent);
            }
        }
    }
}
