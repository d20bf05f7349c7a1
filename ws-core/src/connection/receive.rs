//! Bytes from the peer become events: RFC 6455 sections 5.4, 5.5 and 6.2.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::mem;

use super::admit::{Take, admit};
use super::large::LargeMessage;
use super::{Connection, Frame, Incoming, State};
use crate::binary::Binary;
use crate::close::CloseFrame;
use crate::decode::FrameItem;
use crate::error::ProtocolError;
use crate::event::{Event, Piece};
use crate::frame::{FrameHeader, OpCode};
use crate::message::{Assembly, DataType, Payload};
use crate::timers::Time;

/// What one step finds, before it is known whether a whole message or a piece is wanted.
pub(super) enum Step<'b> {
    Data {
        payload: Payload<'b>,
        last: bool,
    },
    /// The turn is over.
    #[cfg(feature = "deflate")]
    Unfinished,
    Ping(Cow<'b, [u8]>),
    Pong(Cow<'b, [u8]>),
    Close(Option<CloseFrame>),
}

/// What [`Connection::receive_next`] found at the front of the input.
#[derive(Debug)]
pub enum Received<'b> {
    /// An event. Its bytes are consumed; it may borrow them.
    Event(Event<'b>),
    /// A large binary message, of which nothing is consumed: [take](LargeMessage::take) it out of the buffer.
    Large(LargeMessage),
    /// 64 KiB have been inflated and compressed: call again after other connections have had their turn, without reading before. There
    /// may be more to inflate although `input` is used up.
    Unfinished,
    /// The input is used up and more is needed.
    Nothing,
}

/// # Input
impl Connection {
    /// Consumes bytes from the front of `input` up to the next event, and returns that; `Ok(None)` when all are used
    /// and more are needed. Call it again until then: one input may hold many events.
    ///
    /// `input` is unmasked in place. Events borrow it, not the connection, so that one can send
    /// while holding one. What follows a Close frame or an error is thrown away.
    ///
    /// # Errors
    /// The peer broke a rule or a limit. The Close frame with the error's code is queued: write the
    /// [`output`](Self::output), then shut down as [`wants_shutdown`](Self::wants_shutdown) says.
    #[inline(always)]
    pub fn receive<'b>(&mut self, input: &mut &'b mut [u8]) -> Result<Option<Event<'b>>, ProtocolError> {
        match self.receive_short(input)? {
            None => match self.receive_other(input, Take::Whole)? {
                Received::Event(event) => Ok(Some(event)),
                _ => Ok(None),
            },
            event => Ok(event),
        }
    }

    /// As [`receive`](Self::receive), but returns messages piece by piece as they arrive, so that a
    /// message of any size passes in constant memory. `max_stream_size` limits them.
    ///
    /// The two can be mixed: what `receive` has assembled of a message becomes its first piece;
    /// the rest of a message of which pieces have been returned is skipped by `receive`.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub fn receive_piece<'b>(
        &mut self,
        input: &mut &'b mut [u8],
    ) -> Result<Option<Piece<'b>>, ProtocolError> {
        let piece = |payload, last| match payload {
            Payload::Text(text) => Piece::Text { text, last },
            Payload::Binary(bytes) => Piece::Binary { bytes, last },
        };
        if let Some(payload) = self.take_whole_message(input, self.config.max_stream_size)? {
            return Ok(Some(piece(payload, true)));
        }
        Ok(match self.step(input, Take::Pieces)? {
            None => None,
            #[cfg(feature = "deflate")]
            Some(Step::Unfinished) => None,
            Some(Step::Data { payload, last }) => Some(piece(payload, last)),
            Some(Step::Ping(payload)) => Some(Piece::Ping(payload)),
            Some(Step::Pong(payload)) => Some(Piece::Pong(payload)),
            Some(Step::Close(frame)) => Some(Piece::Close(frame)),
        })
    }
}

/// # For drivers that pool buffers: input
impl Connection {
    /// As [`receive`](Self::receive), for drivers that read into [`BytesMut`](bytes::BytesMut): a large binary message that lies
    /// whole in `input` is not lent but left for the driver to take with its part of the buffer, without a copy.
    ///
    /// This is where it is decided how a message arrives. Call it until it returns [`Received::Nothing`], or fails:
    ///
    /// | what is next in `input` | what is returned | the payload |
    /// |---|---|---|
    /// | a message of at most 125 bytes, whole | [`Received::Event`], on a path that is inlined into the caller's loop | borrows `input` |
    /// | any other uncompressed message, whole | [`Received::Event`] | borrows `input` |
    /// | a binary one of 16 KiB or more, whole and in one frame | [`Received::Large`]: [take](LargeMessage::take) it | a part of the buffer |
    /// | the last of a message that came in steps, or was compressed | [`Received::Event`] | owned |
    /// | a compressed one, and 64 KiB have been inflated since the last time | [`Received::Unfinished`] | kept in the connection |
    /// | a part of one | [`Received::Nothing`], and `input` is used up | kept in the connection |
    ///
    /// The rest of a message of which much is still to come need not pass through `input` at all: before each read a driver calls
    /// [`read_large_payload`](Self::read_large_payload).
    ///
    /// Hand what each call returns to the code that handles it in the same loop, without storing it in between: moving an event
    /// through memory costs as much as receiving a short message. `ws-core/examples/event_loop.rs` and
    /// ws-tokio's driver do so; `ws-core/examples/blocking.rs` needs none of it.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    #[inline(always)]
    pub fn receive_next<'b>(&mut self, input: &mut &'b mut [u8]) -> Result<Received<'b>, ProtocolError> {
        if let Some(event) = self.receive_short(input)? {
            return Ok(Received::Event(event));
        }
        if let Some(large) = self.large_message(input) {
            return Ok(Received::Large(large));
        }
        self.receive_other(input, Take::Steps)
    }
}

impl Connection {
    /// The common case: a message of at most 125 bytes that lies whole in `input`. `None`, and nothing taken, if
    /// something else is next.
    // Into the caller's loop: an event handed over in memory takes as long as all of the rest.
    #[inline(always)]
    fn receive_short<'b>(&mut self, input: &mut &'b mut [u8]) -> Result<Option<Event<'b>>, ProtocolError> {
        if !self.may_begin_message() {
            return Ok(None);
        }
        match self.decoder.short_message(input, self.config.message_limit()) {
            Some((opcode, payload)) => Ok(Some(self.check_payload(opcode, payload, input)?.into())),
            None => Ok(None),
        }
    }

    /// Whatever comes next.
    #[inline(never)]
    fn receive_other<'b>(
        &mut self,
        input: &mut &'b mut [u8],
        take: Take,
    ) -> Result<Received<'b>, ProtocolError> {
        if let Some(payload) = self.take_whole_message(input, self.config.message_limit())? {
            return Ok(Received::Event(payload.into()));
        }
        Ok(match self.step(input, take)? {
            None => Received::Nothing,
            #[cfg(feature = "deflate")]
            Some(Step::Unfinished) => Received::Unfinished,
            Some(Step::Data { payload, .. }) => Received::Event(payload.into()),
            Some(Step::Ping(payload)) => Received::Event(Event::Ping(payload)),
            Some(Step::Pong(payload)) => Received::Event(Event::Pong(payload)),
            Some(Step::Close(frame)) => Received::Event(Event::Close(frame)),
        })
    }

    fn step<'b>(&mut self, input: &mut &'b mut [u8], take: Take) -> Result<Option<Step<'b>>, ProtocolError> {
        if !self.takes_data() {
            self.discard(mem::take(input).len());
            return Ok(None);
        }
        self.heard |= !input.is_empty();
        self.try_step(input, take).map_err(|error| self.stop(error, input))
    }

    /// The peer broke a rule: nothing more of what it sends counts.
    fn stop(&mut self, error: ProtocolError, input: &mut &mut [u8]) -> ProtocolError {
        self.fail(error);
        self.discard(mem::take(input).len());
        error
    }

    /// A message that lies whole in `input`, without the steps that others need.
    fn take_whole_message<'b>(
        &mut self,
        input: &mut &'b mut [u8],
        limit: u64,
    ) -> Result<Option<Payload<'b>>, ProtocolError> {
        if !self.may_begin_message() {
            return Ok(None);
        }
        match self.decoder.whole_message(input, limit) {
            Some((opcode, payload)) => self.check_payload(opcode, payload, input).map(Some),
            None => Ok(None),
        }
    }

    /// The payload of a whole message, if it is what it says to be.
    #[inline(always)]
    fn check_payload<'b>(
        &mut self,
        opcode: OpCode,
        payload: &'b [u8],
        input: &mut &mut [u8],
    ) -> Result<Payload<'b>, ProtocolError> {
        self.heard = true;
        self.messages_received = self.messages_received.wrapping_add(1);
        if opcode != OpCode::Text {
            return Ok(Payload::Binary(Binary::Lent(payload)));
        }
        // §8.1: fail the connection when text is not UTF-8.
        match simdutf8::basic::from_utf8(payload) {
            Ok(text) => Ok(Payload::Text(Cow::Borrowed(text))),
            Err(_) => Err(self.stop(ProtocolError::InvalidUtf8, input)),
        }
    }

    #[inline]
    fn try_step<'b>(
        &mut self,
        input: &mut &'b mut [u8],
        take: Take,
    ) -> Result<Option<Step<'b>>, ProtocolError> {
        #[cfg(feature = "deflate")]
        if let Some(step) = self.resume_inflating(take)? {
            return Ok(Some(step));
        }
        let compressing = self.is_compressing();
        loop {
            // Before the next frame: what small ones inflate to adds up.
            #[cfg(feature = "deflate")]
            if take == Take::Steps && self.is_turn_over() {
                return Ok(Some(Step::Unfinished));
            }
            let Self { decoder, incoming, config, .. } = &mut *self;
            let admit = |prefix| admit(prefix, incoming.as_deref(), config, compressing, take);
            match decoder.decode_checked(input, admit)? {
                None => return Ok(None),
                Some(FrameItem::Header(header)) => self.begin_frame(header)?,
                Some(FrameItem::Payload { bytes, last }) => {
                    let step = match self.frame {
                        Frame::Data => self.take_data(bytes, last, take)?,
                        Frame::Control(opcode) => self.take_control(opcode, bytes, last)?,
                    };
                    if step.is_some() {
                        return Ok(step);
                    }
                }
            }
        }
    }

    #[inline]
    fn begin_frame(&mut self, header: FrameHeader) -> Result<(), ProtocolError> {
        let data_type = match header.opcode {
            OpCode::Text => DataType::Text,
            OpCode::Binary => DataType::Binary,
            OpCode::Continuation => {
                self.frame = Frame::Data;
                debug_assert!(self.incoming.is_some(), "a continuation of nothing has been admitted");
                if let Some(incoming) = &mut self.incoming {
                    incoming.fin = header.fin;
                    incoming.around = false;
                    incoming.wire = incoming.wire.saturating_add(header.payload_len);
                    incoming.fragments = incoming.fragments.saturating_add(1);
                }
                return Ok(());
            }
            control => {
                self.frame = Frame::Control(control);
                return self.count_control();
            }
        };
        self.frame = Frame::Data;
        debug_assert!(self.incoming.is_none(), "a message within a message has been admitted");
        self.incoming = Some(Box::new(Incoming {
            assembly: Assembly::new(data_type),
            fin: header.fin,
            compressed: header.rsv1,
            handed: false,
            fragments: 1,
            wire: header.payload_len,
            around: false,
            seen: None,
            deadline: Time::NEVER,
        }));
        Ok(())
    }

    #[inline]
    fn take_data<'b>(
        &mut self,
        bytes: &'b [u8],
        last: bool,
        take: Take,
    ) -> Result<Option<Step<'b>>, ProtocolError> {
        debug_assert!(self.incoming.is_some(), "the payload of no message");
        let Some(incoming) = &mut self.incoming else { return Ok(None) };
        let last = last && incoming.fin;
        #[cfg(feature = "deflate")]
        if incoming.compressed {
            return self.inflate(bytes, last, take);
        }
        let pieces = take == Take::Pieces;
        let limit = self.config.message_limit();
        // Its header may have been admitted when pieces were asked for.
        if !pieces && !incoming.handed && incoming.wire > limit {
            return Err(ProtocolError::MessageTooBig { limit });
        }
        if last && incoming.wire == bytes.len() as u64 {
            // The whole message lies in the input.
            let payload = incoming.assembly.whole(bytes)?;
            self.end_message();
            return Ok(Some(Step::Data { payload, last }));
        }
        let step = if pieces {
            let payload = incoming.assembly.piece(bytes)?;
            incoming.handed |= !payload.is_empty();
            (last || !payload.is_empty()).then_some(Step::Data { payload, last })
        } else {
            incoming.assembly.push(bytes)?;
            if incoming.handed {
                // The user skips the rest of this message.
                incoming.assembly.drain();
            }
            (last && !incoming.handed).then(|| Step::Data { payload: incoming.assembly.drain(), last })
        };
        if last {
            incoming.assembly.check_end()?;
            self.end_message();
        } else {
            self.check_memory()?;
        }
        Ok(step)
    }

    /// Whether a message may be next. §5.4: within another message none may begin, which the slow path reports.
    pub(super) fn may_begin_message(&self) -> bool {
        self.takes_data() && self.incoming.is_none()
    }

    /// Whether what the peer sends still counts.
    pub(super) fn takes_data(&self) -> bool {
        matches!(self.state, State::Open | State::CloseSent | State::ReadOnly(_))
    }
}
