//! Compressed messages on their way through a connection: RFC 7692 sections 6 and 7.2.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;
use core::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::Connection;
use super::admit::Take;
use super::receive::Step;
use super::send::opcode_of;
use crate::copy;
use crate::deflate::{Compressing, Flush, InflateStatus, PerMessageDeflate, WindowBits};
use crate::error::{ProtocolError, SendError};
use crate::message::{Assembly, DataType, Payload};

/// What a connection with permessage-deflate has beside one without.
#[derive(Debug)]
pub(super) struct Compression {
    codec: PerMessageDeflate,
    /// What the message being received has inflated to; where it is returned in pieces, the end of it.
    output: Vec<u8>,
    /// This much of `output` has been returned in pieces, or skipped.
    handed: usize,
    /// Bytes it has inflated to in all.
    inflated: u64,
    /// Input whose output has not been asked for yet: of a message that is returned in pieces, or inflated in steps.
    pending: Option<Pending>,
    /// Bytes that have been inflated, and compressed at once, since other connections had their turn.
    worked: usize,
    /// Bytes of memory held by messages that are being compressed in steps, which are not the connection's yet.
    under_way: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Pending {
    input: Vec<u8>,
    /// This much of it has been inflated.
    used: usize,
    /// The message ends with it.
    last: bool,
}

impl Compression {
    pub(super) fn memory_usage(&self) -> usize {
        let pending = self.pending.as_ref().map_or(0, |pending| pending.input.capacity());
        size_of::<Self>()
            .saturating_add(self.codec.memory_usage())
            .saturating_add(self.output.capacity())
            .saturating_add(pending)
    }

    /// Bytes of memory held for the message being received.
    pub(super) fn unfinished(&self) -> usize {
        let pending = self.pending.as_ref().map_or(0, |pending| pending.input.capacity());
        self.output.capacity().saturating_add(pending)
    }

    /// Bytes of memory held by messages that are being compressed in steps.
    pub(super) fn memory_under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    fn count(&mut self, bytes: usize) {
        self.worked = self.worked.saturating_add(bytes);
    }

    /// How much is inflated at a time.
    fn left_of_turn(&self, take: Take) -> usize {
        match take {
            Take::Steps => TURN.saturating_sub(self.worked).max(STEP),
            Take::Whole | Take::Pieces => TURN,
        }
    }

    /// See [`Connection::renew_turn`].
    fn is_turn_over(&mut self) -> bool {
        let over = self.worked >= TURN;
        if over {
            self.worked = 0;
        }
        over
    }

    /// How much has been inflated and is in `output` only.
    fn waiting(&self) -> usize {
        self.output.len().saturating_sub(self.handed)
    }

    /// Moves text to where it is put together; an incomplete character stays. A long one is put together as it comes: without unsafe
    /// code a String costs a second look at all of it, which takes a while at its end.
    fn move_text(&mut self, assembly: &mut Assembly) {
        if let Assembly::Text { text, .. } = assembly {
            let whole = whole_characters(self.output.get(self.handed..).unwrap_or_default());
            copy::append_text(text, whole);
            self.handed = self.handed.saturating_add(whole.len());
            self.trim();
        }
    }

    /// A whole message, from what it inflated to.
    fn take_message(&mut self, assembly: &mut Assembly) -> Result<Payload<'static>, ProtocolError> {
        if assembly.len() > 0 {
            self.move_text(assembly);
            return Ok(assembly.drain());
        }
        let output = mem::take(&mut self.output);
        Ok(match assembly {
            // It has been checked as it came.
            Assembly::Text { .. } => {
                Payload::Text(String::from_utf8(output).map_err(|_| ProtocolError::InvalidUtf8)?.into())
            }
            Assembly::Binary(_) => Payload::Binary(output.into()),
        })
    }

    /// Returns what can be returned of what has been inflated, which has been checked; an incomplete character stays.
    fn hand_out(&mut self, assembly: &mut Assembly) -> Payload<'static> {
        if assembly.len() > 0 {
            self.move_text(assembly);
            return assembly.drain();
        }
        let waiting = self.output.get(self.handed..).unwrap_or_default();
        let payload = match assembly {
            Assembly::Text { .. } => Payload::Text(String::from(whole_characters(waiting)).into()),
            Assembly::Binary(_) => Payload::Binary(waiting.to_vec().into()),
        };
        self.pass_over(assembly);
        payload
    }

    /// Counts as returned what can be.
    fn pass_over(&mut self, assembly: &Assembly) {
        debug_assert!(self.handed <= self.output.len(), "more has been returned than was inflated");
        let waiting = self.output.get(self.handed..).unwrap_or_default();
        let len = match assembly {
            Assembly::Text { .. } => whole_characters(waiting).len(),
            Assembly::Binary(_) => waiting.len(),
        };
        self.handed = self.handed.saturating_add(len);
        self.trim();
    }

    /// Drops what has been returned, except what the inflater may look back at.
    fn trim(&mut self) {
        let surplus = self.output.len().saturating_sub(WINDOW).min(self.handed);
        if surplus >= WINDOW {
            self.output.drain(..surplus);
            self.handed = self.handed.saturating_sub(surplus);
        }
    }
}

impl Connection {
    /// Returns the connection with permessage-deflate as the opening handshake agreed on it.
    #[must_use]
    pub fn with_deflate(mut self, codec: PerMessageDeflate) -> Self {
        let compression = Compression {
            codec,
            output: Vec::new(),
            handed: 0,
            inflated: 0,
            pending: None,
            worked: 0,
            under_way: Arc::default(),
        };
        self.compression = Some(Box::new(compression));
        self
    }

    /// Inflates the next bytes of a compressed message; `last` says that it ends with them.
    pub(super) fn inflate<'b>(
        &mut self,
        mut bytes: &[u8],
        last: bool,
        take: Take,
    ) -> Result<Option<Step<'b>>, ProtocolError> {
        let (step, more) = self.inflate_step(&mut bytes, last, take)?;
        if more && let Some(compression) = &mut self.compression {
            compression.pending = Some(Pending { input: bytes.to_vec(), used: 0, last });
        }
        Ok(step)
    }

    /// Continues with input whose output was not asked for before.
    pub(super) fn resume_inflating<'b>(&mut self, take: Take) -> Result<Option<Step<'b>>, ProtocolError> {
        let pending = self.compression.as_mut().and_then(|compression| compression.pending.take());
        let Some(mut pending) = pending else { return Ok(None) };
        let mut bytes = pending.input.get(pending.used..).unwrap_or_default();
        let (step, more) = self.inflate_step(&mut bytes, pending.last, take)?;
        pending.used = pending.input.len().saturating_sub(bytes.len());
        if more && let Some(compression) = &mut self.compression {
            compression.pending = Some(pending);
        }
        Ok(step)
    }

    /// Inflates from the front of `bytes`; returns whether more may come of the rest, which can be empty.
    fn inflate_step<'b>(
        &mut self,
        bytes: &mut &[u8],
        last: bool,
        take: Take,
    ) -> Result<(Option<Step<'b>>, bool), ProtocolError> {
        debug_assert!(self.incoming.is_some() && self.compression.is_some(), "there is nothing to inflate");
        let (Some(incoming), Some(compression)) = (&mut self.incoming, &mut self.compression) else {
            return Ok((None, false));
        };
        let pieces = take == Take::Pieces;
        let whole = !(pieces || incoming.handed);
        let (limit, too_big) = if !whole {
            let limit = self.config.max_stream_size;
            (limit, ProtocolError::StreamTooBig { limit })
        } else {
            let limit = self.config.message_limit();
            (limit, ProtocolError::MessageTooBig { limit })
        };
        loop {
            // One byte over the limit proves the fault; nothing beyond it is produced. A whole message
            // doubles its room, so that it is moved few times and never has room beyond the limit.
            let start = compression.output.len();
            let room = if whole { start.max(STEP) } else { STEP };
            let allowed = limit.saturating_sub(compression.inflated).saturating_add(1);
            let room = room.min(usize::try_from(allowed).unwrap_or(usize::MAX));
            if room > TURN && compression.output.capacity() == start {
                compression.output.reserve_exact(room);
            }
            let most = compression.left_of_turn(take);
            let room = room.min(most);
            let (now, later) = bytes.split_at(bytes.len().min(most));
            let done =
                compression.codec.inflate(now, last && later.is_empty(), &mut compression.output, room)?;
            debug_assert!(done.consumed <= now.len() && done.produced <= room, "beyond what was allowed");
            *bytes = bytes.get(done.consumed..).unwrap_or_default();
            compression.worked = compression.worked.saturating_add(done.produced.max(done.consumed));
            compression.inflated = compression.inflated.saturating_add(done.produced as u64);
            let ended = done.status == InflateStatus::Done;
            let more = done.status == InflateStatus::OutputFull || !(ended || bytes.is_empty());
            let fresh = compression.output.get(start..).unwrap_or_default();
            incoming.assembly.check(fresh)?;
            let payload = if pieces {
                let payload = compression.hand_out(&mut incoming.assembly);
                incoming.handed |= !payload.is_empty();
                (ended || !payload.is_empty()).then_some(payload)
            } else {
                if !whole {
                    // The user skips the rest of this message.
                    compression.pass_over(&incoming.assembly);
                } else if compression.waiting() >= TURN {
                    compression.move_text(&mut incoming.assembly);
                }
                None
            };
            // After the text has been checked: the first fault is reported, however the bytes are split.
            if compression.inflated > limit {
                return Err(too_big);
            }
            if ended {
                incoming.assembly.check_end()?;
                let payload =
                    if whole { Some(compression.take_message(&mut incoming.assembly)?) } else { payload };
                compression.output = Vec::new();
                (compression.handed, compression.inflated) = (0, 0);
                self.end_message();
                return Ok((payload.map(|payload| Step::Data { payload, last: true }), false));
            }
            if let Some(payload) = payload {
                return Ok((Some(Step::Data { payload, last: false }), more));
            }
            if !more {
                self.check_memory()?;
                return Ok((None, false));
            }
            if take == Take::Steps && compression.is_turn_over() {
                // It does not stand still: its deadline begins anew.
                incoming.seen = None;
                self.check_memory()?;
                return Ok((Some(Step::Unfinished), true));
            }
        }
    }

    /// Whether there is input whose output has not been asked for.
    pub(super) fn has_pending_input(&self) -> bool {
        self.compression.as_ref().is_some_and(|compression| compression.pending.is_some())
    }

    /// Whether a turn is over; another begins then.
    #[inline]
    pub(super) fn is_turn_over(&mut self) -> bool {
        self.compression.as_mut().is_some_and(|compression| compression.is_turn_over())
    }

    /// The compressed form of a whole message, where it pays.
    pub(crate) fn compress(&mut self, payload: &[u8]) -> Option<Bytes> {
        let compression = self.compression.as_mut()?;
        compression.count(payload.len());
        let mut compressed = Vec::new();
        compression.codec.deflate_message(payload, &mut compressed).then(|| compressed.into())
    }

    /// Begins to compress a whole message of `len` bytes in steps, where that may pay.
    pub(crate) fn begin_compressing(&mut self, len: usize) -> Option<Compressing> {
        self.compression.as_mut()?.codec.begin_message(len)
    }

    /// The compressed form of a message all steps of which have been done, where it pays.
    pub(super) fn finish_compressing(&mut self, compressing: Compressing, message: &[u8]) -> Option<Bytes> {
        self.compression.as_mut()?.codec.finish_message(compressing, message).map(Bytes::from)
    }

    /// The count of the bytes of messages that are being compressed in steps.
    pub(super) fn under_way(&mut self) -> Option<Arc<AtomicUsize>> {
        self.compression.as_ref().map(|compression| Arc::clone(&compression.under_way))
    }

    /// The window that messages are compressed with, if any other connection with the same one could
    /// send what this one compresses: without context takeover.
    pub(crate) fn shared_compression_window(&self) -> Option<WindowBits> {
        self.compression.as_ref()?.codec.shared_window()
    }

    /// Queues a message that has been compressed.
    pub(crate) fn send_compressed(&mut self, data_type: DataType, payload: Bytes) -> Result<(), SendError> {
        self.check_message()?;
        self.queue_bytes(opcode_of(data_type), true, payload);
        Ok(())
    }

    /// The compressed form of the next piece of a message: the peer can read it as soon as it has it.
    pub(super) fn compress_piece(&mut self, piece: &[u8], last: bool) -> Result<Bytes, SendError> {
        let flush = if last { Flush::Message } else { Flush::Sync };
        let mut compressed = Vec::new();
        let done = match &mut self.compression {
            Some(compression) => {
                compression.count(piece.len());
                compression.codec.deflate(piece, flush, &mut compressed).is_ok()
            }
            None => false,
        };
        if !done {
            // The message can neither go on nor be taken back.
            self.abort();
            return Err(SendError::CompressionFailed);
        }
        Ok(compressed.into())
    }
}

/// Text without the character that its end cuts off.
fn whole_characters(text: &[u8]) -> &str {
    let end = simdutf8::compat::from_utf8(text).map_or_else(|cut| cut.valid_up_to(), str::len);
    text.get(..end).and_then(|whole| simdutf8::basic::from_utf8(whole).ok()).unwrap_or_default()
}

/// The least room for the output of one step.
const STEP: usize = 16 << 10;

/// This much is inflated, or compressed, before other connections get their turn: a fraction of a millisecond.
pub(crate) const TURN: usize = 64 << 10;

/// The furthest that DEFLATE looks back.
const WINDOW: usize = 32 << 10;
