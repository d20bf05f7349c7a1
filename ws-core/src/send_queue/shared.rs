//! Payloads that are queued by reference.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::{Buf, Bytes};

use crate::mask::{MaskKey, copy_masked};

/// Payloads by reference, each behind the header that ends at its place in the buffer of the frames.
///
/// Others may share a payload, so a client's is masked in a copy: piece by piece, each when the one before has been written.
#[derive(Debug, Default)]
pub(super) struct SharedPayloads {
    payloads: VecDeque<Shared>,
    /// What all of them add up to.
    bytes: usize,
    /// The beginning of the first payload, masked, if it is to be masked; and how much of it has been written.
    masked: Vec<u8>,
    written: usize,
}

#[derive(Debug)]
struct Shared {
    at: usize,
    /// What has not been written of it.
    payload: Bytes,
    /// As it applies to the first byte of that; `None` if it goes out as it is.
    mask: Option<MaskKey>,
}

impl SharedPayloads {
    /// Appends a payload whose header ends at `at`.
    pub(super) fn push(&mut self, at: usize, payload: Bytes, mask: Option<MaskKey>) {
        self.bytes = self.bytes.saturating_add(payload.len());
        self.payloads.push_back(Shared { at, payload, mask });
    }

    /// Where the header of the first payload ends.
    pub(super) fn first_at(&self) -> Option<usize> {
        self.payloads.front().map(|first| first.at)
    }

    /// What all payloads add up to.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of memory held.
    pub(super) const fn memory(&self) -> usize {
        self.bytes.saturating_add(self.masked.capacity())
    }

    /// Masks the next piece of the first payload, if that is to be masked and the piece before has been written.
    pub(super) fn mask_next(&mut self) {
        if let Some(Shared { payload, mask: Some(key), .. }) = self.payloads.front()
            && self.written == self.masked.len()
        {
            let piece = payload.get(..MASKED).unwrap_or(payload);
            // It keeps its length from piece to piece, so that it is set to zero once.
            self.masked.resize(piece.len(), 0);
            copy_masked(&mut self.masked, piece, *key);
            self.written = 0;
        }
    }

    /// The places of the payloads, and of each the part that can go out now: none of one whose turn to be masked comes later.
    pub(super) fn chunks(&self) -> impl Iterator<Item = Chunk<'_>> {
        let mut masked = self.masked.get(self.written..).unwrap_or_default();
        self.payloads.iter().map(move |Shared { at, payload, mask }| {
            let bytes = if mask.is_some() { core::mem::take(&mut masked) } else { payload };
            Chunk { at: *at, bytes, is_all: bytes.len() == payload.len() }
        })
    }

    /// The first `n` bytes of the first payload have been written, at most those that could go out. Returns how many these were, and
    /// whether the payload has been written wholly.
    pub(super) fn advance(&mut self, n: usize) -> (usize, bool) {
        let Some(Shared { payload, mask, .. }) = self.payloads.front_mut() else { return (0, false) };
        let step = payload.len().min(n);
        debug_assert!(step <= self.bytes, "a payload that was not counted");
        payload.advance(step);
        self.bytes = self.bytes.saturating_sub(step);
        if let Some(key) = mask {
            *key = key.rotated(step);
            self.written = self.written.saturating_add(step).min(self.masked.len());
        }
        let is_written = payload.is_empty();
        if is_written {
            self.payloads.pop_front();
        }
        (step, is_written)
    }

    /// Drops the payloads behind the place `border`.
    pub(super) fn drop_behind(&mut self, border: usize) {
        while self.payloads.back().is_some_and(|last| last.at > border)
            && let Some(Shared { payload, .. }) = self.payloads.pop_back()
        {
            self.bytes = self.bytes.saturating_sub(payload.len());
        }
        self.payloads.shrink_to_fit();
        if self.payloads.is_empty() {
            *self = Self::default();
        }
    }

    /// The first `n` bytes in front of all places have been dropped.
    pub(super) fn move_forward(&mut self, n: usize) {
        for shared in &mut self.payloads {
            debug_assert!(shared.at >= n, "what is dropped has no payload left");
            shared.at = shared.at.saturating_sub(n);
        }
    }
}

/// Of one payload, what can go out now.
#[derive(Debug)]
pub(super) struct Chunk<'a> {
    pub(super) at: usize,
    pub(super) bytes: &'a [u8],
    pub(super) is_all: bool,
}

/// This much of a payload is masked at once: it stays in the processor's cache until it is written.
const MASKED: usize = 64 << 10;
