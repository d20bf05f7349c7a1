//! Compressors and decompressors that are between two messages.
//!
//! They are large (250 to 380 and 47 KiB) and the same for every connection, so a thread keeps a few of them and no
//! connection keeps any. No lock is taken: a codec goes back to the pool of the thread its message ended on.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::num::NonZeroU64;
use core::sync::atomic::{AtomicU64, Ordering};
use std::thread_local;

use flate2::{Compress, Compression, Decompress};

use super::params::WindowBits;

/// A compressor and what it was made for.
#[derive(Debug)]
pub(super) struct Compressor {
    pub(super) codec: Box<Compress>,
    kind: CompressorKind,
}

impl Compressor {
    /// Heap bytes of it.
    pub(super) fn memory_usage(&self) -> usize {
        self.kind.memory_usage()
    }
}

/// What cannot be changed once a compressor exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CompressorKind {
    bits: u8,
    level: u8,
}

impl CompressorKind {
    pub(super) fn new(bits: WindowBits, level: u8) -> Self {
        // zlib has no raw deflate with 8 bits. With 9 it never refers back further than 2^9 - 262 = 250 bytes, which
        // fits into 8 (`what_is_sent_with_eight_bits_never_reaches_back_beyond_256_bytes` checks that).
        Self { bits: bits.get().max(9), level: level.min(9) }
    }

    /// The window.
    pub(super) fn bits(self) -> WindowBits {
        WindowBits::new(self.bits).unwrap_or(WindowBits::MAX)
    }

    /// Heap bytes of one such compressor.
    pub(super) fn memory_usage(self) -> usize {
        COMPRESSOR_BASE.saturating_add(COMPRESSOR_PER_WINDOW_BYTE.saturating_mul(1_usize << self.bits))
    }
}

/// Names the state in which a compressor was returned; no two are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp(NonZeroU64);

/// Takes a compressor out of this thread's pool, or makes one.
///
/// With `stamp` it first looks for the very one that was returned under it; then `true` says that it still is in
/// that state. Otherwise the compressor is as new.
pub(super) fn take_compressor(kind: CompressorKind, stamp: Option<Stamp>) -> (Compressor, bool) {
    let found = POOL.try_with(|pool| {
        let idle = &mut pool.borrow_mut().compressors;
        if let Some(place) = idle.iter().position(|entry| stamp.is_some() && entry.stamp == stamp) {
            return Some((idle.remove(place).compressor, true));
        }
        // The longest idle one is the least likely to be missed by its last user.
        let place = idle.iter().position(|entry| entry.compressor.kind == kind)?;
        Some((idle.remove(place).compressor, false))
    });
    match found {
        Ok(Some((compressor, true))) => (compressor, true),
        Ok(Some((mut compressor, false))) => {
            compressor.codec.reset();
            (compressor, false)
        }
        _ => {
            let level = Compression::new(kind.level.into());
            let codec = Box::new(Compress::new_with_window_bits(level, false, kind.bits));
            (Compressor { codec, kind }, false)
        }
    }
}

/// Gives a compressor back; the longest idle one is dropped when the pool is full.
///
/// With `keep` the stamp finds it again in this very state, unless another message needed it meanwhile.
pub(super) fn give_compressor(compressor: Compressor, keep: bool) -> Option<Stamp> {
    let stamp =
        keep.then(|| NonZeroU64::new(NEXT_STAMP.fetch_add(1, Ordering::Relaxed)).map(Stamp)).flatten();
    POOL.try_with(|pool| {
        let idle = &mut pool.borrow_mut().compressors;
        if idle.len() >= MAX_IDLE {
            idle.remove(0);
        }
        idle.push(IdleCompressor { compressor, stamp });
    })
    .ok()?;
    stamp
}

/// Takes a decompressor for a raw stream with a window of 15 bits out of this thread's pool, or makes one.
///
/// Always 15: flate2 resets only those without a new allocation, and the outcome for a peer that reaches back beyond
/// the agreed window then does not depend on how its bytes were split.
pub(super) fn take_decompressor() -> Box<Decompress> {
    match POOL.try_with(|pool| pool.borrow_mut().decompressors.pop()) {
        Ok(Some(mut codec)) => {
            codec.reset(false);
            codec
        }
        _ => Box::new(Decompress::new(false)),
    }
}

/// Gives a decompressor back.
pub(super) fn give_decompressor(codec: Box<Decompress>) {
    // A thread that is ending has no pool any more: then the codec is simply dropped.
    let _ = POOL.try_with(|pool| {
        let idle = &mut pool.borrow_mut().decompressors;
        if idle.len() < MAX_IDLE {
            idle.push(codec);
        }
    });
}

/// Heap bytes of one decompressor.
pub(super) const DECOMPRESSOR_BYTES: usize = 47 * 1024;

#[derive(Debug)]
struct Pool {
    /// The longest idle one first.
    compressors: Vec<IdleCompressor>,
    #[allow(clippy::vec_box, reason = "moved in and out of connections; the state is large")]
    decompressors: Vec<Box<Decompress>>,
}

#[derive(Debug)]
struct IdleCompressor {
    compressor: Compressor,
    stamp: Option<Stamp>,
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { compressors: Vec::new(), decompressors: Vec::new() }) };
}

static NEXT_STAMP: AtomicU64 = AtomicU64::new(1);

/// Codecs of each direction that a thread keeps: at most 1.7 MiB when full.
const MAX_IDLE: usize = 4;

const COMPRESSOR_BASE: usize = 244 * 1024;
const COMPRESSOR_PER_WINDOW_BYTE: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    /// A separate thread has an empty pool.
    fn alone(test: impl FnOnce() + Send + 'static) {
        std::thread::spawn(test).join().unwrap();
    }

    fn kind() -> CompressorKind {
        CompressorKind::new(WindowBits::DEFAULT, 1)
    }

    #[test]
    fn a_pooled_compressor_is_found_again_in_its_last_state_and_only_once() {
        alone(|| {
            let (compressor, same) = take_compressor(kind(), None);
            assert!(!same);
            let stamp = give_compressor(compressor, true);
            assert!(stamp.is_some());
            let (compressor, same) = take_compressor(kind(), stamp);
            assert!(same);
            let next = give_compressor(compressor, true);
            assert_ne!(next, stamp);
            assert!(!take_compressor(kind(), stamp).1);
            assert!(!take_compressor(kind(), next).1);
        });
    }

    #[test]
    fn a_compressor_returned_without_a_stamp_is_never_found_again() {
        alone(|| {
            assert_eq!(give_compressor(take_compressor(kind(), None).0, false), None);
            assert!(!take_compressor(kind(), None).1);
        });
    }

    #[test]
    fn the_longest_idle_compressor_goes_first() {
        alone(|| {
            let taken: Vec<_> = (0..=MAX_IDLE).map(|_| take_compressor(kind(), None).0).collect();
            let mut stamps: Vec<_> =
                taken.into_iter().map(|compressor| give_compressor(compressor, true)).collect();
            // The pool holds one less than there were: the first has made room for the last.
            let gone = stamps.remove(0);
            for stamp in stamps.iter().rev() {
                assert!(take_compressor(kind(), *stamp).1);
            }
            assert!(!take_compressor(kind(), gone).1);
        });
    }
}
