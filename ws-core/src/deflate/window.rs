//! The history of one direction: the last bytes that a later message may refer back to.

use alloc::collections::VecDeque;

use super::params::WindowBits;

/// The last `2^window_bits` bytes of the messages so far, in a ring that never grows beyond them.
#[derive(Debug)]
pub(super) struct History {
    ring: VecDeque<u8>,
    bytes: usize,
}

impl History {
    pub(super) fn new(bits: WindowBits) -> Self {
        Self { ring: VecDeque::new(), bytes: bits.bytes() }
    }

    /// Takes note of the next bytes of the stream; the oldest ones beyond the window fall out.
    pub(super) fn extend(&mut self, data: &[u8]) {
        let (_, tail) = data.split_at(data.len().saturating_sub(self.bytes));
        let wanted = self.ring.len().saturating_add(tail.len());
        self.ring.drain(..wanted.saturating_sub(self.bytes));
        if self.ring.capacity() < wanted.min(self.bytes) {
            // Doubling, as a vector would, but never beyond the window: its size is what was agreed to be paid.
            let capacity = wanted.max(self.ring.capacity().saturating_mul(2)).min(self.bytes);
            self.ring.reserve_exact(capacity.saturating_sub(self.ring.len()));
        }
        self.ring.extend(tail);
    }

    /// The most it keeps.
    pub(super) fn window(&self) -> usize {
        self.bytes
    }

    /// The history in two slices, oldest byte first: without moving a byte.
    pub(super) fn as_slices(&self) -> (&[u8], &[u8]) {
        self.ring.as_slices()
    }

    /// The history as one slice, oldest byte first.
    pub(super) fn as_slice(&mut self) -> &[u8] {
        self.ring.make_contiguous()
    }

    /// Heap bytes held.
    pub(super) fn memory_usage(&self) -> usize {
        self.ring.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_keeps_the_last_window_of_bytes_however_they_come() {
        let stream: Vec<u8> = (0..5000u32).map(|n| (n * 7 + n / 251).to_le_bytes()[0]).collect();
        for step in [1, 3, 100, 255, 256, 257, 1000, 5000] {
            let mut history = History::new(WindowBits::MIN);
            for (n, piece) in stream.chunks(step).enumerate() {
                history.extend(piece);
                let end = (n * step + piece.len()).min(stream.len());
                assert_eq!(
                    history.as_slice(),
                    &stream[end.saturating_sub(256)..end],
                    "step {step}, piece {n}"
                );
                assert!(history.memory_usage() <= 256, "{} bytes", history.memory_usage());
            }
        }
    }
}
