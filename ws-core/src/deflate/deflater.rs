//! The sending direction (RFC 7692 section 7.2.1).

use alloc::vec::Vec;

use flate2::{Compress, FlushCompress};
use thiserror::Error;

use super::params::WindowBits;
use super::pool::{self, Compressor, CompressorKind, Stamp};
use super::window::History;
use crate::error::debug_by_display;

/// Compresses one direction's messages.
#[derive(Debug)]
pub struct Deflater {
    state: State,
    kind: CompressorKind,
    /// With context takeover: what the peer's window holds, and the compressor that had it last.
    history: Option<(History, Option<Stamp>)>,
    /// Counts what the history has been given.
    kept: u64,
}

/// How far what was compressed must be readable by the peer after a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flush {
    /// Not at all: the compressor may keep bytes back, which compresses best. The output may be empty.
    None,
    /// The peer can inflate all pieces up to this one; costs about 5 bytes.
    Sync,
    /// The same, and the message ends here: the next piece begins another.
    Message,
}

/// The compressor failed in the middle of a message, which cannot be finished.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Error)]
#[error("the compressor failed inside a message; the connection cannot go on")]
pub struct DeflateError;

debug_by_display!(DeflateError);

impl Deflater {
    /// Returns a deflater with a window of `bits`, context takeover or not, and a compression level of 0 to 9.
    ///
    /// Allocates nothing until a message is compressed. With 8 bits zlib is given 9, which never refers back further
    /// than 250 bytes.
    pub fn new(bits: WindowBits, no_context_takeover: bool, level: u8) -> Self {
        Self {
            state: State::Idle,
            kind: CompressorKind::new(bits, level),
            history: (!no_context_takeover).then(|| (History::new(bits), None)),
            kept: 0,
        }
    }

    /// Appends the compressed form of a whole message to `output` if that is shorter than the message.
    ///
    /// `false` leaves `output` as it was, and the message is to be sent uncompressed. The peer's window then does
    /// not hold it (section 7.2.3.2), and neither does ours: the history takes a message only once it is kept, and
    /// a compressor that has seen one that was not is never trusted to continue.
    ///
    /// Also `false` while a message is being sent in pieces.
    pub fn deflate_message(&mut self, message: &[u8], output: &mut Vec<u8>) -> bool {
        if !matches!(self.state, State::Idle) {
            return false;
        }
        let start = output.len();
        let Ok(mut compressor) = self.begin() else { return false };
        // Always to the end, even if it does not pay: zlib-rs 0.6.8 does not forget all of its output when it is
        // reset, and one that still holds some panics later.
        let complete = run(&mut compressor.codec, message, FlushCompress::Sync, output).is_ok()
            && strip_tail(output, start);
        if complete && output.len().saturating_sub(start) < message.len() {
            self.keep(message);
            self.give_back(compressor);
            return true;
        }
        output.truncate(start);
        if complete {
            pool::give_compressor(compressor, false);
        }
        false
    }

    /// Begins to compress a whole message in steps: [`finish_message`](Self::finish_message) ends it. `None` while a message is
    /// being sent in pieces.
    ///
    /// What is being compressed can be dropped at any step: the history takes a message only once it is finished.
    pub fn begin_message(&mut self) -> Option<Compressing> {
        if !matches!(self.state, State::Idle) {
            return None;
        }
        let compressor = self.begin().ok()?;
        Some(Compressing { compressor, output: Vec::new(), used: 0, complete: false, kept: self.kept })
    }

    /// Returns the compressed form of a whole message, of which the last [step](Compressing::step) has been done, if it is shorter
    /// than the message, as [`deflate_message`](Self::deflate_message) does. `None` also if the history has been given another
    /// message since this one began: it was compressed as if it came before that one, and is sent after it.
    pub fn finish_message(&mut self, compressing: Compressing, message: &[u8]) -> Option<Vec<u8>> {
        if !matches!(self.state, State::Idle) || (self.history.is_some() && compressing.kept != self.kept) {
            compressing.give_up();
            return None;
        }
        let (compressor, compressed) = compressing.take(message.len())?;
        let Some(compressed) = compressed else {
            pool::give_compressor(compressor, false);
            return None;
        };
        self.keep(message);
        self.give_back(compressor);
        Some(compressed)
    }

    /// Compresses `piece`, the next bytes of a message, and appends what comes of it to `output`.
    ///
    /// What was appended must be sent: the peer needs it to follow. The pieces of a message are one DEFLATE stream
    /// and may be cut into frames anywhere (section 7.2.1); only the first frame has RSV1 set.
    ///
    /// # Errors
    ///
    /// [`DeflateError`] when the compressor failed; the message cannot be finished.
    pub fn deflate(&mut self, piece: &[u8], flush: Flush, output: &mut Vec<u8>) -> Result<(), DeflateError> {
        let mut message = match core::mem::replace(&mut self.state, State::Idle) {
            State::Message(message) => message,
            State::Idle => Message { compressor: self.begin()?, pending: false },
        };
        let start = output.len();
        message.pending |= !piece.is_empty();
        match flush {
            Flush::None => {
                run(&mut message.compressor.codec, piece, FlushCompress::None, output)?;
            }
            Flush::Sync | Flush::Message if message.pending => {
                run(&mut message.compressor.codec, piece, FlushCompress::Sync, output)?;
                message.pending = false;
                if flush == Flush::Message && !strip_tail(output, start) {
                    return Err(DeflateError);
                }
            }
            // §7.2.3.6: with nothing to say the header of an empty stored block is said, less its last four bytes.
            Flush::Message => output.push(0x00),
            Flush::Sync => {}
        }
        self.keep(piece);
        if flush == Flush::Message {
            self.give_back(message.compressor);
        } else {
            self.state = State::Message(message);
        }
        Ok(())
    }

    /// Returns the window, if no message is compressed with reference to an earlier one.
    pub fn shared_window(&self) -> Option<WindowBits> {
        if self.history.is_none() { Some(self.kind.bits()) } else { None }
    }

    /// Whether a message is being sent in pieces.
    pub fn in_message(&self) -> bool {
        matches!(self.state, State::Message(_))
    }

    /// Heap bytes held now: the history, and inside a message the compressor it borrows.
    pub fn memory_usage(&self) -> usize {
        let history = self.history.as_ref().map_or(0, |(history, _)| history.memory_usage());
        match self.state {
            State::Message(_) => history.saturating_add(self.kind.memory_usage()),
            State::Idle => history,
        }
    }

    /// A compressor that knows what the peer's window holds.
    fn begin(&mut self) -> Result<Compressor, DeflateError> {
        let Some((history, stamp)) = &mut self.history else {
            return Ok(pool::take_compressor(self.kind, None).0);
        };
        let (mut compressor, same) = pool::take_compressor(self.kind, stamp.take());
        let window = history.as_slice();
        if !same && !window.is_empty() {
            compressor.codec.set_dictionary(window).map_err(|_| DeflateError)?;
        }
        Ok(compressor)
    }

    fn keep(&mut self, sent: &[u8]) {
        self.kept = self.kept.wrapping_add(1);
        if let Some((history, _)) = &mut self.history {
            history.extend(sent);
        }
    }

    fn give_back(&mut self, compressor: Compressor) {
        match &mut self.history {
            Some((_, stamp)) => *stamp = pool::give_compressor(compressor, true),
            None => drop(pool::give_compressor(compressor, false)),
        }
    }
}

/// A whole message that is being compressed in steps, from [`Deflater::begin_message`].
#[derive(Debug)]
pub struct Compressing {
    compressor: Compressor,
    output: Vec<u8>,
    /// This much of the message has been compressed.
    used: usize,
    /// All of it has been, and flushed.
    complete: bool,
    /// What the history had been given when it began.
    kept: u64,
}

impl Compressing {
    /// Compresses at most `most` further bytes of `message`, which is the same in each step; returns whether that was the last step.
    pub fn step(&mut self, message: &[u8], most: usize) -> bool {
        if self.complete {
            return true;
        }
        let rest = message.get(self.used..).unwrap_or_default();
        let (now, later) = rest.split_at(most.max(1).min(rest.len()));
        let flush = if later.is_empty() { FlushCompress::Sync } else { FlushCompress::None };
        if run(&mut self.compressor.codec, now, flush, &mut self.output).is_err() {
            // It stays incomplete, and the message is sent as it is.
            return true;
        }
        self.used = self.used.saturating_add(now.len());
        self.complete = later.is_empty();
        self.complete
    }

    /// Returns the compressed form of a message that no other refers to, if it is shorter than the `len` bytes of the message; the
    /// compressor goes back to the pool.
    pub fn finish(self, len: usize) -> Option<Vec<u8>> {
        let (compressor, compressed) = self.take(len)?;
        pool::give_compressor(compressor, false);
        compressed
    }

    /// Returns the bytes of memory held.
    pub fn memory_usage(&self) -> usize {
        self.compressor.memory_usage().saturating_add(self.output.capacity())
    }

    /// The compressor, and what it has made of `len` bytes if that is less; `None` if not all of them have been compressed: zlib-rs
    /// 0.6.8 panics later if a compressor is reset that still holds output.
    fn take(self, len: usize) -> Option<(Compressor, Option<Vec<u8>>)> {
        let Self { compressor, mut output, complete, .. } = self;
        let complete = complete && strip_tail(&mut output, 0);
        complete.then(|| (compressor, Some(output).filter(|output| output.len() < len)))
    }

    fn give_up(self) {
        if let Some((compressor, _)) = self.take(0) {
            pool::give_compressor(compressor, false);
        }
    }
}

#[derive(Debug)]
enum State {
    Idle,
    Message(Message),
}

#[derive(Debug)]
struct Message {
    compressor: Compressor,
    /// The compressor was given bytes since it was last flushed.
    pending: bool,
}

/// Feeds all of `input`, and takes what comes of it.
fn run(
    codec: &mut Compress,
    input: &[u8],
    flush: FlushCompress,
    output: &mut Vec<u8>,
) -> Result<(), DeflateError> {
    let mut rest = input;
    loop {
        // zlib needs more than six bytes for a flush, or writes it twice.
        if output.spare_capacity_mut().len() < MIN_ROOM {
            output.reserve((rest.len() / 4).saturating_add(4 * MIN_ROOM));
        }
        let (in_before, out_before) = (codec.total_in(), output.len());
        codec.compress_vec(rest, output, flush).map_err(|_| DeflateError)?;
        let consumed = usize::try_from(codec.total_in().saturating_sub(in_before)).unwrap_or_default();
        debug_assert!(consumed <= rest.len(), "zlib has consumed more than it was given");
        rest = rest.get(consumed..).unwrap_or_default();
        // Room left over means that nothing waits inside.
        if rest.is_empty() && !output.spare_capacity_mut().is_empty() {
            return Ok(());
        }
        if consumed == 0 && output.len() == out_before {
            return Err(DeflateError);
        }
    }
}

/// §7.2.1: remove 00 00 ff ff from the tail end.
fn strip_tail(output: &mut Vec<u8>, start: usize) -> bool {
    let ends = output.get(start..).is_some_and(|compressed| compressed.ends_with(&TAIL));
    if ends {
        output.truncate(output.len().saturating_sub(TAIL.len()));
    }
    ends
}

const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
const MIN_ROOM: usize = 32;
