//! Buffers shared by the connections of a thread, so that one that waits owns none.

use std::cell::RefCell;
use std::mem;

use crate::frame::FrameHeader;

/// What has been read and not been received yet.
///
/// Its allocation comes from the thread's pool and goes back when it is dropped, on whichever
/// thread that is.
#[derive(Debug)]
pub(super) struct Input {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    /// An empty one with room for [`INPUT`] bytes.
    pub(super) fn new() -> Self {
        let buffer = take(|pool| &mut pool.inputs).unwrap_or_else(|| vec![0; INPUT]);
        Self { buffer, start: 0, end: 0 }
    }

    /// One that holds `bytes`, from whoever read before us.
    pub(super) fn with(bytes: &[u8]) -> Self {
        let mut input = Self::new();
        match input.buffer.get_mut(..bytes.len()) {
            Some(place) => place.copy_from_slice(bytes),
            None => input.buffer = bytes.to_vec(),
        }
        input.end = bytes.len();
        input
    }

    /// The bytes not received yet.
    pub(super) fn unread(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// Tells that all but the last `left` of them have been received.
    pub(super) fn set_unread(&mut self, left: usize) {
        self.start = self.end.saturating_sub(left);
    }

    /// How many they are.
    pub(super) const fn len(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Bytes of memory held.
    pub(super) const fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Room behind them to read into: never none. It grows when nothing else is left.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.len());
            } else {
                self.buffer.resize(self.end.saturating_mul(2), 0);
            }
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// Tells that so many bytes of the room have been filled.
    pub(super) fn filled(&mut self, n: usize) {
        self.end = self.end.saturating_add(n).min(self.buffer.len());
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        if self.buffer.len() == INPUT {
            give(|pool| &mut pool.inputs, mem::take(&mut self.buffer));
        }
    }
}

/// An empty allocation for what is to be written; none if the pool has none, it then grows as needed.
pub(super) fn take_output() -> Vec<u8> {
    take(|pool| &mut pool.outputs).unwrap_or_default()
}

/// Gives such an allocation back. Large ones are freed: they were needed once.
pub(super) fn give_output(buffer: Vec<u8>) {
    if buffer.capacity() <= INPUT * 2 {
        give(|pool| &mut pool.outputs, buffer);
    }
}

/// The size of an input buffer, what one read takes at most: a message of 64 KiB with its header.
const INPUT: usize = (64 << 10) + FrameHeader::MAX_LEN;

/// How many buffers of a sort a thread keeps.
const KEPT: usize = 4;

#[derive(Default)]
struct Pool {
    inputs: Vec<Vec<u8>>,
    outputs: Vec<Vec<u8>>,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

fn take(sort: impl FnOnce(&mut Pool) -> &mut Vec<Vec<u8>>) -> Option<Vec<u8>> {
    POOL.try_with(|pool| sort(&mut pool.borrow_mut()).pop()).ok().flatten()
}

fn give(sort: impl FnOnce(&mut Pool) -> &mut Vec<Vec<u8>>, buffer: Vec<u8>) {
    // A thread that is ending has no pool any more: the buffer is freed.
    let _ = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        let kept = sort(&mut pool);
        if kept.len() < KEPT {
            kept.push(buffer);
        }
    });
}
