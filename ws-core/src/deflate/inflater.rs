//! The receiving direction (RFC 7692 section 7.2.2).

use alloc::vec::Vec;

use zlib_rs::{InflateError, InflateFlush, Status};

use super::params::WindowBits;
use super::pool::{self, DECOMPRESSOR_BYTES, Decompressor, Stamp};
use super::window::History;
use crate::copy;
use crate::error::ProtocolError;

/// Inflates one direction's messages, bit by bit as they arrive and into bounded room.
///
/// After an error it stays failed: what a broken stream leaves behind is no basis for the next message.
#[derive(Debug)]
pub struct Inflater {
    state: State,
    /// With context takeover: what later messages may refer back to, and the decompressor that had it last.
    history: Option<(History, Option<Stamp>)>,
    consumed: u64,
    produced: u64,
    restart_work: u64,
    calls: u64,
}

/// What one call of [`Inflater::inflate`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inflated {
    /// Bytes taken from the front of the input.
    pub consumed: usize,
    /// Bytes appended to the output.
    pub produced: usize,
    /// Why it returned.
    pub status: InflateStatus,
}

/// Why [`Inflater::inflate`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InflateStatus {
    /// All input is used, and all that it inflates to has been returned.
    NeedInput,
    /// `max` bytes were produced. There may be more: call again with the rest of the input, which can be empty.
    OutputFull,
    /// The message is complete; the next call begins another.
    Done,
}

impl Inflater {
    /// Returns an inflater for a peer that compresses with a window of `bits` and, or not, context takeover.
    ///
    /// Allocates nothing until a message arrives.
    pub fn new(bits: WindowBits, no_context_takeover: bool) -> Self {
        Self {
            state: State::Idle,
            history: (!no_context_takeover).then(|| (History::new(bits), None)),
            consumed: 0,
            produced: 0,
            restart_work: 0,
            calls: 0,
        }
    }

    /// Inflates `input`, the next bytes of a message, and appends at most `max` bytes to `output`.
    ///
    /// `last` says that the message ends with `input` (the frame has FIN set and this is the end of its payload).
    /// While a message goes on, `output` should not be changed except by taking bytes off its front: without context
    /// takeover its end serves as the window for a message of several final blocks (section 7.2.3.4).
    ///
    /// To enforce a limit on the message, pass `max = limit + 1 - produced so far` and fail the connection when more
    /// than `limit` came out: neither memory nor work goes further. `output` never gets a capacity beyond its length
    /// plus `max`.
    ///
    /// A DEFLATE stream of no bytes, at the start of the message or after a final block, is taken as complete at
    /// its end, although section 7.2.1 asks the sender for an empty block there.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::InvalidDeflate`]: the data is not DEFLATE, refers back further than the window reaches, ends
    /// inside a block, or consists of far more final blocks than it has content.
    pub fn inflate(
        &mut self,
        input: &[u8],
        last: bool,
        output: &mut Vec<u8>,
        max: usize,
    ) -> Result<Inflated, ProtocolError> {
        // While this call is in progress the state is `Failed`, so that every early return leaves it so.
        let mut stream = match core::mem::replace(&mut self.state, State::Failed) {
            State::Failed => return Err(ProtocolError::InvalidDeflate),
            State::Message(stream) => stream,
            State::Idle => self.begin()?,
        };
        let mut scratch = pool::take_scratch();
        let mut rest = input;
        let mut produced = 0_usize;
        let status = loop {
            let room = max.saturating_sub(produced);
            if room == 0 {
                break InflateStatus::OutputFull;
            }
            let step = self.step(&mut stream, rest, output, room, &mut scratch)?;
            rest = rest.get(step.consumed..).unwrap_or_default();
            produced = produced.saturating_add(step.produced);
            match step.status {
                Step::More => {}
                Step::StreamEnd => self.restart(&mut stream, output)?,
                Step::Drained if last => break InflateStatus::Done,
                Step::Drained => break InflateStatus::NeedInput,
            }
        };
        pool::give_scratch(scratch);
        self.state = if status == InflateStatus::Done {
            self.finish(stream)?;
            State::Idle
        } else {
            State::Message(stream)
        };
        Ok(Inflated { consumed: input.len().saturating_sub(rest.len()), produced, status })
    }

    /// Compressed bytes of the current or last message that were used so far.
    ///
    /// Blocks that inflate to nothing cost time but no memory: bound this number to bound the work.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Bytes the current or last message has inflated to so far.
    pub fn produced(&self) -> u64 {
        self.produced
    }

    /// How often the decompressor was called in the life of this inflater: a measure of work that is not
    /// proportional to bytes.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Heap bytes held now: the history, and inside a message the decompressor it borrows.
    pub fn memory_usage(&self) -> usize {
        let history = self.history.as_ref().map_or(0, |(history, _)| history.memory_usage());
        match self.state {
            State::Message(_) => history.saturating_add(DECOMPRESSOR_BYTES),
            State::Idle | State::Failed => history,
        }
    }

    fn begin(&mut self) -> Result<Stream, ProtocolError> {
        (self.consumed, self.produced, self.restart_work) = (0, 0, 0);
        let Some((history, stamp)) = &mut self.history else {
            return Ok(Stream { codec: pool::take_decompressor(None).0, begun: false });
        };
        let (mut codec, same) = pool::take_decompressor(stamp.take());
        if !same {
            preset(&mut codec, history.as_slices())?;
        }
        Ok(Stream { codec, begun: false })
    }

    /// One call of the decompressor, at most `room` bytes of whose output are appended.
    ///
    /// It writes them into memory that is there for all messages of the thread: it is slower towards the end of its room, and how
    /// much a message needs is known afterwards.
    fn step(
        &mut self,
        stream: &mut Stream,
        input: &[u8],
        output: &mut Vec<u8>,
        room: usize,
        scratch: &mut [u8],
    ) -> Result<StepDone, ProtocolError> {
        let given = room.min(scratch.len());
        let scratch = scratch.get_mut(..given).unwrap_or_default();
        let (result, consumed, produced) = self.call(stream, input, scratch, InflateFlush::SyncFlush);
        let fresh = scratch.get(..produced).unwrap_or_default();
        if output.spare_capacity_mut().len() < produced {
            // Doubling, as a vector would, but never beyond the room there is.
            output.reserve_exact(output.len().min(room).max(produced));
        }
        copy::append(output, fresh);
        debug_assert!(consumed <= input.len() && produced <= given, "zlib has used more than it was given");
        stream.begun |= consumed > 0;
        self.consumed = self.consumed.saturating_add(consumed as u64);
        self.produced = self.produced.saturating_add(fresh.len() as u64);
        if let Some((history, _)) = &mut self.history {
            history.extend(fresh);
        }
        let full = produced == given;
        let status = match result {
            Err(_) if produced == 0 => return Err(ProtocolError::InvalidDeflate),
            // What comes before the fault counts before it, as it does when it arrives by itself: the next call
            // finds the fault again.
            Err(_) => Step::More,
            Ok(Status::StreamEnd) => Step::StreamEnd,
            _ if consumed == 0 && produced == 0 && !input.is_empty() => {
                return Err(ProtocolError::InvalidDeflate);
            }
            // With room to spare nothing can be waiting inside; with none only another call can tell.
            _ if consumed == input.len() && !full => Step::Drained,
            _ => Step::More,
        };
        Ok(StepDone { consumed, produced, status })
    }

    /// §7.2.3.4: a final block ends one DEFLATE stream, not the message; another follows at the next byte.
    fn restart(&mut self, stream: &mut Stream, output: &[u8]) -> Result<(), ProtocolError> {
        stream.codec.reset(false);
        stream.begun = false;
        let window = match &self.history {
            Some((history, _)) => history.as_slices(),
            None => {
                let produced = usize::try_from(self.produced).unwrap_or(usize::MAX);
                let kept = produced.min(WindowBits::MAX.bytes()).min(output.len());
                (output.get(output.len().saturating_sub(kept)..).unwrap_or_default(), &[][..])
            }
        };
        let bytes = window.0.len().saturating_add(window.1.len()) as u64;
        // Final blocks of two bytes each would otherwise buy a copy of the window each.
        self.restart_work = self.restart_work.saturating_add(RESTART_COST).saturating_add(bytes);
        let earned = self.consumed.saturating_add(self.produced).saturating_mul(RESTART_EARNINGS);
        if self.restart_work > RESTART_ALLOWANCE.saturating_add(earned) {
            return Err(ProtocolError::InvalidDeflate);
        }
        preset(&mut stream.codec, window)
    }

    /// §7.2.2: append 00 00 ff ff, and see that the last block is complete.
    fn finish(&mut self, mut stream: Stream) -> Result<(), ProtocolError> {
        let between_blocks = !stream.begun || self.finish_blocks(&mut stream)?;
        // A smaller window is made anew for each message: the decompressor's would reach back beyond it.
        let widest =
            self.history.as_ref().is_some_and(|(history, _)| history.window() == WindowBits::MAX.bytes());
        let given = pool::give_decompressor(stream.codec, between_blocks && widest);
        if let Some((_, stamp)) = &mut self.history {
            *stamp = given;
        }
        Ok(())
    }

    /// Returns whether another block may follow, as after all but a final one.
    fn finish_blocks(&mut self, stream: &mut Stream) -> Result<bool, ProtocolError> {
        let mut nothing = [0_u8; TAIL.len()];
        let ended = self.call(stream, TAIL, &mut nothing, InflateFlush::Block);
        if !matches!(ended, (Ok(Status::Ok), 4, 0)) {
            return Err(ProtocolError::InvalidDeflate);
        }
        let (_, empty_block) = TAIL.split_at(4);
        match self.call(stream, empty_block, &mut nothing, InflateFlush::SyncFlush) {
            (Ok(Status::Ok), 5, 0) => Ok(true),
            // A sender may also have removed the four bytes of an empty block that is final itself.
            (Ok(Status::StreamEnd), 0, 0) => Ok(false),
            _ => Err(ProtocolError::InvalidDeflate),
        }
    }

    /// Calls the decompressor; returns as well how many bytes it has consumed and produced.
    fn call(
        &mut self,
        stream: &mut Stream,
        input: &[u8],
        output: &mut [u8],
        flush: InflateFlush,
    ) -> (Result<Status, InflateError>, usize, usize) {
        let (in_before, out_before) = (stream.codec.total_in(), stream.codec.total_out());
        self.calls = self.calls.saturating_add(1);
        let result = stream.codec.decompress(input, output, flush);
        let bytes = |after: u64, before| usize::try_from(after.saturating_sub(before)).unwrap_or_default();
        (result, bytes(stream.codec.total_in(), in_before), bytes(stream.codec.total_out(), out_before))
    }
}

#[derive(Debug)]
enum State {
    Idle,
    Message(Stream),
    Failed,
}

#[derive(Debug)]
struct Stream {
    codec: Decompressor,
    /// A byte of the DEFLATE stream has been read.
    begun: bool,
}

struct StepDone {
    consumed: usize,
    produced: usize,
    status: Step,
}

enum Step {
    More,
    StreamEnd,
    Drained,
}

/// Makes the codec know what came before; `older` goes first.
fn preset(codec: &mut Decompressor, (older, newer): (&[u8], &[u8])) -> Result<(), ProtocolError> {
    for window in [older, newer] {
        if !window.is_empty() {
            codec.set_dictionary(window).map_err(|_| ProtocolError::InvalidDeflate)?;
        }
    }
    Ok(())
}

/// What section 7.2.1 has the sender remove, then another empty block, which shows where the first four bytes have ended: in a
/// stream between two blocks, and at the border of a byte, each of the two does nothing but end. So a message that was cut off
/// inside a block is found out, and the decompressor is left as the next message needs it.
const TAIL: &[u8] = &[0x00, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0xff, 0xff];

/// Work of starting another DEFLATE stream in a message, in bytes copied, beside the window itself.
const RESTART_COST: u64 = 512;
/// What a message may spend on that without earning it ...
const RESTART_ALLOWANCE: u64 = 1024 * 1024;
/// ... and what each byte of its input and output earns.
const RESTART_EARNINGS: u64 = 8;
