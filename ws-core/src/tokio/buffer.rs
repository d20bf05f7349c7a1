//! Buffers shared by the connections of a thread, so that one that waits owns none.

use std::cell::RefCell;

use crate::frame::FrameHeader;

/// What has been read and not been received yet.
///
/// Its allocation comes from the thread's pool and goes back when it is dropped, on whichever
/// thread that is. A pointer only: most connections have none most of the time.
#[derive(Debug, Default)]
pub(super) struct Input(Option<Box<Buffer>>);

#[derive(Debug)]
struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    /// One that holds `bytes`, from whoever read before us.
    pub(super) fn with(bytes: &[u8]) -> Self {
        let mut input = Self::default();
        if !bytes.is_empty() {
            let buffer = input.buffer();
            match buffer.bytes.get_mut(..bytes.len()) {
                Some(place) => place.copy_from_slice(bytes),
                None => buffer.bytes = bytes.to_vec(),
            }
            buffer.end = bytes.len();
        }
        input
    }

    /// The bytes not received yet.
    pub(super) fn unread(&mut self) -> &mut [u8] {
        let buffer = self.0.as_mut();
        buffer.and_then(|buffer| buffer.bytes.get_mut(buffer.start..buffer.end)).unwrap_or_default()
    }

    /// Tells that all but the last `left` of them have been received; without any it gives up its buffer.
    pub(super) fn set_unread(&mut self, left: usize) {
        match &mut self.0 {
            Some(buffer) if left > 0 => buffer.start = buffer.end.saturating_sub(left),
            _ => self.give_back(),
        }
    }

    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |buffer| buffer.end.saturating_sub(buffer.start))
    }

    /// Bytes of memory held.
    pub(super) fn capacity(&self) -> usize {
        self.0.as_ref().map_or(0, |buffer| buffer.bytes.capacity())
    }

    /// Room behind them to read into: never none. It grows when nothing else is left.
    pub(super) fn room(&mut self) -> &mut [u8] {
        let Buffer { bytes, start, end } = self.buffer();
        if *start == *end {
            (*start, *end) = (0, 0);
        } else if *end == bytes.len() {
            if *start > 0 {
                bytes.copy_within(*start..*end, 0);
                (*start, *end) = (0, end.saturating_sub(*start));
            } else {
                bytes.resize(end.saturating_mul(2), 0);
            }
        }
        bytes.get_mut(*end..).unwrap_or_default()
    }

    /// Tells that so many bytes of the room have been filled; with nothing unread it gives up its buffer.
    pub(super) fn filled(&mut self, n: usize) {
        let buffer = self.buffer();
        buffer.end = buffer.end.saturating_add(n).min(buffer.bytes.len());
        if self.len() == 0 {
            self.give_back();
        }
    }

    fn buffer(&mut self) -> &mut Buffer {
        self.0.get_or_insert_with(|| {
            let pooled = take(|pool| &mut pool.inputs);
            pooled.unwrap_or_else(|| Box::new(Buffer { bytes: vec![0; INPUT], start: 0, end: 0 }))
        })
    }

    fn give_back(&mut self) {
        if let Some(mut buffer) = self.0.take().filter(|buffer| buffer.bytes.len() == INPUT) {
            (buffer.start, buffer.end) = (0, 0);
            give(|pool| &mut pool.inputs, buffer);
        }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.give_back();
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
    #[allow(clippy::vec_box, reason = "the box is what a connection borrows")]
    inputs: Vec<Box<Buffer>>,
    outputs: Vec<Vec<u8>>,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

fn take<T>(sort: impl FnOnce(&mut Pool) -> &mut Vec<T>) -> Option<T> {
    POOL.try_with(|pool| sort(&mut pool.borrow_mut()).pop()).ok().flatten()
}

fn give<T>(sort: impl FnOnce(&mut Pool) -> &mut Vec<T>, buffer: T) {
    // A thread that is ending has no pool any more: the buffer is freed.
    let _ = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        let kept = sort(&mut pool);
        if kept.len() < KEPT {
            kept.push(buffer);
        }
    });
}
