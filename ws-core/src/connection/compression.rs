//! Compressed messages on their way through a connection: RFC 7692 sections 6 and 7.2.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::{mem, str};

use bytes::Bytes;

use super::receive::Step;
use super::send::opcode_of;
use super::{Connection, Incoming};
use crate::deflate::{Flush, InflateStatus, PerMessageDeflate, WindowBits};
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
    /// Input whose output has not been asked for yet; only for a message that is returned in pieces.
    pending: Option<Pending>,
}

#[derive(Debug)]
struct Pending {
    input: Vec<u8>,
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

    /// Returns what can be returned of `output`, which has been checked; an incomplete character stays.
    fn hand_out(&mut self, assembly: &Assembly) -> Payload<'static> {
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
        let compression = Compression { codec, output: Vec::new(), handed: 0, inflated: 0, pending: None };
        self.compression = Some(Box::new(compression));
        self
    }

    /// Inflates the next bytes of a compressed message; `last` says that it ends with them.
    pub(super) fn inflate<'b>(
        &mut self,
        mut bytes: &[u8],
        last: bool,
        pieces: bool,
    ) -> Result<Option<Step<'b>>, ProtocolError> {
        debug_assert!(self.incoming.is_some() && self.compression.is_some(), "there is nothing to inflate");
        let (Some(incoming), Some(compression)) = (&mut self.incoming, &mut self.compression) else {
            return Ok(None);
        };
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
            let done = compression.codec.inflate(bytes, last, &mut compression.output, room)?;
            debug_assert!(done.consumed <= bytes.len() && done.produced <= room, "beyond what was allowed");
            bytes = bytes.get(done.consumed..).unwrap_or_default();
            compression.inflated = compression.inflated.saturating_add(done.produced as u64);
            let ended = done.status == InflateStatus::Done;
            let fresh = compression.output.get(start..).unwrap_or_default();
            incoming.assembly.check(fresh)?;
            let payload = if pieces {
                let payload = compression.hand_out(&incoming.assembly);
                incoming.handed |= !payload.is_empty();
                (ended || !payload.is_empty()).then_some(payload)
            } else {
                if !whole {
                    // The user skips the rest of this message.
                    compression.pass_over(&incoming.assembly);
                }
                None
            };
            // After the text has been checked: the first fault is reported, however the bytes are split.
            if compression.inflated > limit {
                return Err(too_big);
            }
            if ended {
                incoming.assembly.check_end()?;
                let output = mem::take(&mut compression.output);
                (compression.handed, compression.inflated) = (0, 0);
                let payload = if whole { Some(message(incoming, output)?) } else { payload };
                self.end_message();
                return Ok(payload.map(|payload| Step::Data { payload, last: true }));
            }
            if let Some(payload) = payload {
                if done.status == InflateStatus::OutputFull {
                    compression.pending = Some(Pending { input: bytes.to_vec(), last });
                }
                return Ok(Some(Step::Data { payload, last: false }));
            }
            if done.status == InflateStatus::NeedInput {
                self.check_memory()?;
                return Ok(None);
            }
        }
    }

    /// Continues with input whose output was not asked for before.
    pub(super) fn resume_inflating<'b>(&mut self, pieces: bool) -> Result<Option<Step<'b>>, ProtocolError> {
        match self.compression.as_mut().and_then(|compression| compression.pending.take()) {
            None => Ok(None),
            Some(Pending { input, last }) => self.inflate(&input, last, pieces),
        }
    }

    /// The compressed form of a whole message, where it pays.
    pub(crate) fn compress(&mut self, payload: &[u8]) -> Option<Bytes> {
        let compression = self.compression.as_mut()?;
        let mut compressed = Vec::new();
        compression.codec.deflate_message(payload, &mut compressed).then(|| compressed.into())
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
            Some(compression) => compression.codec.deflate(piece, flush, &mut compressed).is_ok(),
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

/// A whole message, from what it inflated to.
fn message(incoming: &Incoming, bytes: Vec<u8>) -> Result<Payload<'static>, ProtocolError> {
    Ok(match incoming.assembly {
        // It has been checked as it came; without unsafe code a String costs a second look.
        Assembly::Text { .. } => {
            Payload::Text(String::from_utf8(bytes).map_err(|_| ProtocolError::InvalidUtf8)?.into())
        }
        Assembly::Binary(_) => Payload::Binary(bytes.into()),
    })
}

/// Text without the character that its end cuts off.
fn whole_characters(text: &[u8]) -> &str {
    let end = str::from_utf8(text).map_or_else(|cut| cut.valid_up_to(), str::len);
    text.get(..end).and_then(|whole| str::from_utf8(whole).ok()).unwrap_or_default()
}

/// The least room for the output of one step.
const STEP: usize = 16 << 10;

/// The furthest that DEFLATE looks back.
const WINDOW: usize = 32 << 10;
