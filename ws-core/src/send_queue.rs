//! What waits to be written: frames in order, control frames ahead of them at frame borders.

mod control;
mod shared;

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::{Buf, Bytes};

use control::ControlQueue;
use shared::SharedPayloads;

use crate::frame::encoded_lengths;
use crate::mask::MaskKey;

/// Encoded frames that wait for the transport, as a [`bytes::Buf`] with vectored chunks.
///
/// Headers and small payloads stand in one contiguous buffer; a large payload is queued by
/// reference. Control frames wait apart and go out at the next border between two frames
/// (RFC 6455 section 5.5: they may stand between the fragments of a message).
#[derive(Debug)]
pub(crate) struct SendQueue {
    /// Frames in order; a payload queued by reference is missing here.
    data: Vec<u8>,
    /// Bytes of `data` that have been written.
    written: usize,
    /// The index in `data` where some frame not after `written` begins.
    frame_start: usize,
    /// Allocated only while there is a control frame or a payload by reference.
    extra: Option<Box<Extra>>,
}

#[derive(Debug, Default)]
struct Extra {
    shared: SharedPayloads,
    control: ControlQueue,
    /// The control frames on their way go out once this index of `data` is reached and the payload there is through; and until
    /// they are through nothing behind it does.
    border: usize,
}

impl SendQueue {
    /// Returns an empty queue, which has no memory.
    pub(crate) const fn new() -> Self {
        Self { data: Vec::new(), written: 0, frame_start: 0, extra: None }
    }

    /// Bytes that wait to be written, control frames included.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        debug_assert!(self.written <= self.data.len(), "more has been written than was queued");
        let data = self.data.len().saturating_sub(self.written);
        match &self.extra {
            None => data,
            Some(extra) => data.saturating_add(extra.len()),
        }
    }

    /// Whether everything has been written.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it holds no memory.
    #[inline]
    pub(crate) const fn has_no_memory(&self) -> bool {
        self.data.capacity() == 0 && self.extra.is_none()
    }

    /// Bytes of memory held for messages, payloads by reference and what is masked of them included.
    pub(crate) fn message_memory(&self) -> usize {
        self.data.capacity().saturating_add(self.extra.as_ref().map_or(0, |extra| extra.shared.memory()))
    }

    /// Bytes of memory held for control frames.
    pub(crate) fn control_memory(&self) -> usize {
        self.extra.as_ref().map_or(0, |extra| extra.control.capacity().saturating_add(size_of::<Extra>()))
    }

    /// Where a frame of the next message is written.
    #[inline]
    pub(crate) fn data(&mut self) -> &mut Vec<u8> {
        &mut self.data
    }

    /// Appends a payload by reference, behind the header just written to [`data`](Self::data). With `mask`, what goes out is a masked
    /// copy.
    pub(crate) fn push_shared(&mut self, payload: Bytes, mask: Option<MaskKey>) {
        let at = self.data.len();
        self.extra().shared.push(at, payload, mask);
    }

    /// Queues a control frame that is no automatic pong, ahead of data.
    pub(crate) fn push_control(&mut self, header: &[u8], payload: impl Iterator<Item = u8>) {
        self.extra().control.push(header, payload);
    }

    /// Remembers that the control frame queued last is a keepalive ping.
    pub(crate) fn mark_ping(&mut self) {
        self.extra().control.mark_ping();
    }

    /// Whether the keepalive ping has not been written, or not all of it.
    pub(crate) fn ping_waits(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.control.ping_waits())
    }

    /// Queues an automatic pong, ahead of data: if many wait, in place of those.
    pub(crate) fn push_pong(&mut self, header: &[u8], payload: impl Iterator<Item = u8>) {
        self.extra().control.push_pong(header, payload);
    }

    /// Drops the control frames that are not on their way: nothing follows a Close.
    pub(crate) fn drop_waiting_control(&mut self) {
        if let Some(extra) = &mut self.extra {
            extra.control.drop_waiting();
        }
    }

    /// Drops the frames that have not been begun, and frees their memory. What is left is the rest of a frame, and control frames on their
    /// way.
    pub(crate) fn drop_waiting(&mut self) {
        let border = self.next_border();
        self.data.truncate(border);
        if let Some(extra) = &mut self.extra {
            // A payload belongs to the header that ends where it is: at most one has been begun.
            extra.shared.drop_behind(border);
            extra.control.drop_waiting();
        }
        if self.is_empty() {
            self.clear();
        } else {
            self.compact();
            self.data.shrink_to_fit();
        }
    }

    /// Drops all that waits.
    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    /// Whether it has no allocation to write into: one can be [lent](Self::lend_buffer).
    #[inline]
    pub(crate) const fn wants_buffer(&self) -> bool {
        self.data.capacity() == 0
    }

    /// An allocation to write into, in place of none.
    pub(crate) fn lend_buffer(&mut self, mut buffer: Vec<u8>) {
        if self.data.capacity() == 0 {
            buffer.clear();
            self.data = buffer;
        }
    }

    /// Takes the allocation back, if all is written.
    pub(crate) fn reclaim_buffer(&mut self) -> Option<Vec<u8>> {
        if self.data.capacity() == 0 || !self.is_empty() {
            return None;
        }
        self.reset();
        Some(core::mem::take(&mut self.data))
    }

    /// Moves waiting control frames on their way, and masks what goes out next of a payload by reference. To be called before the
    /// queue is read: a pong that has not been moved can still be replaced.
    #[inline]
    pub(crate) fn prepare(&mut self) {
        if self.extra.is_some() {
            self.prepare_extra();
        }
    }

    fn prepare_extra(&mut self) {
        let control = self.extra.as_ref().is_some_and(|extra| extra.control.is_ready());
        let border = if control { self.next_border() } else { 0 };
        let extra = self.extra();
        if control {
            extra.control.start();
            extra.border = border;
        }
        extra.shared.mask_next();
    }

    /// The first index of `data` not before `written` at which a frame ends, or its header if
    /// the payload follows by reference. Walks over the frames written since the last walk: seldom, where recording each
    /// border would cost every message.
    fn next_border(&mut self) -> usize {
        let by_reference = self.extra.as_ref().and_then(|extra| extra.shared.first_at());
        let mut border = self.frame_start;
        while border < self.written {
            let (header, payload) = encoded_lengths(self.data.get(border..).unwrap_or_default());
            border = border.saturating_add(header);
            if by_reference != Some(border) {
                border = border.saturating_add(payload);
            }
            debug_assert!(border <= self.data.len(), "half a frame is queued");
            if border <= self.written {
                self.frame_start = border;
            }
        }
        border
    }

    fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// All is written: forget the positions, keep the allocation.
    fn reset(&mut self) {
        self.data.clear();
        self.written = 0;
        self.frame_start = 0;
        self.extra = None;
    }

    /// Drops the frames that have been written wholly.
    fn compact(&mut self) {
        self.next_border();
        let start = self.frame_start;
        debug_assert!(start <= self.written, "what is dropped has been written");
        self.data.drain(..start);
        self.written = self.written.saturating_sub(start);
        self.frame_start = 0;
        if let Some(extra) = &mut self.extra {
            extra.border = extra.border.saturating_sub(start);
            extra.shared.move_forward(start);
        }
    }

    /// Calls `each` with the chunks in the order in which they go out, until it returns false or a keepalive ping has been among
    /// them: the time for its answer begins when it has been written, and a transport that takes a large write at once, all but its
    /// end, is not to take it for what follows.
    fn for_each_chunk<'a>(&'a self, mut each: impl FnMut(&'a [u8]) -> bool) {
        let mut from = self.written;
        let Some(extra) = &self.extra else {
            each(self.data.get(from..).unwrap_or_default());
            return;
        };
        let mut control = extra.control.unsent();
        let mut shared = extra.shared.chunks().peekable();
        loop {
            let stop = match (control.is_empty(), shared.peek()) {
                (false, Some(next)) => extra.border.min(next.at),
                (false, None) => extra.border,
                (true, Some(next)) => next.at,
                (true, None) => self.data.len(),
            };
            let stop = stop.max(from);
            if !each(self.data.get(from..stop).unwrap_or_default()) {
                return;
            }
            from = stop;
            if let Some(next) = shared.next_if(|next| next.at <= from) {
                if !each(next.bytes) || !next.is_all {
                    return;
                }
            } else if !control.is_empty() {
                if !each(core::mem::take(&mut control)) || extra.control.ping_waits() {
                    return;
                }
            } else {
                return;
            }
        }
    }
}

/// Written bytes are kept until there are this many, and as many as unwritten ones.
const COMPACT: usize = 16 << 10;

impl Extra {
    fn len(&self) -> usize {
        self.control.len().saturating_add(self.shared.bytes())
    }
}

impl Buf for SendQueue {
    /// Bytes that can go out now. Control frames that are still replaceable are not among them.
    fn remaining(&self) -> usize {
        let waiting = self.extra.as_ref().map_or(0, |extra| extra.control.waiting());
        self.len().saturating_sub(waiting)
    }

    fn chunk(&self) -> &[u8] {
        let mut first: &[u8] = &[];
        self.for_each_chunk(|chunk| {
            first = chunk;
            chunk.is_empty()
        });
        first
    }

    #[cfg(feature = "std")]
    fn chunks_vectored<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        let mut used = 0usize;
        let mut places = slices.iter_mut();
        self.for_each_chunk(|chunk| {
            if chunk.is_empty() {
                return true;
            }
            let Some(place) = places.next() else { return false };
            *place = std::io::IoSlice::new(chunk);
            used = used.saturating_add(1);
            true
        });
        used
    }

    fn advance(&mut self, mut n: usize) {
        if self.extra.is_none() {
            self.written = self.written.saturating_add(n).min(self.data.len());
        }
        while n > 0 {
            let Some(extra) = &mut self.extra else { break };
            let control = !extra.control.unsent().is_empty();
            let first = extra.shared.first_at();
            let stop = first.unwrap_or(self.data.len());
            let stop = if control { stop.min(extra.border) } else { stop };
            let step = stop.saturating_sub(self.written).min(n);
            self.written = self.written.saturating_add(step);
            n = n.saturating_sub(step);
            if n == 0 {
                break;
            }
            if let Some(first) = first.filter(|first| *first <= self.written) {
                let (step, is_written) = extra.shared.advance(n);
                n = n.saturating_sub(step);
                if is_written {
                    self.frame_start = first;
                }
            } else if control {
                n = extra.control.advance(n);
            } else {
                break;
            }
        }
        if self.is_empty() {
            self.reset();
        } else if self.written > COMPACT && self.written > self.data.len() / 2 {
            self.compact();
        }
    }
}
