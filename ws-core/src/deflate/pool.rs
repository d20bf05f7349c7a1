//! Compressors and decompressors that are between two messages.
//!
//! They are large (250 to 380 and 47 KiB) and the same for every connection, so a thread keeps a few of them and no
//! connection keeps any. No lock is taken: a codec goes back to the pool of the thread its message ended on.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::mem;
use core::num::NonZeroU64;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU64, Ordering};
use std::thread_local;

use flate2::{Compress, Compression};
use zlib_rs::Inflate;

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

/// Names the state in which a codec was returned; no two are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp(NonZeroU64);

impl Stamp {
    fn next() -> Option<Self> {
        NonZeroU64::new(NEXT_STAMP.fetch_add(1, Ordering::Relaxed)).map(Self)
    }
}

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
    let stamp = keep.then(Stamp::next).flatten();
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

/// A decompressor for a raw stream with a window of 15 bits.
///
/// Always 15: only those can be reset without a new allocation, and the outcome for a peer that reaches back beyond
/// the agreed window then does not depend on how its bytes were split.
pub(super) struct Decompressor(Box<Inflate>);

impl Deref for Decompressor {
    type Target = Inflate;

    fn deref(&self) -> &Inflate {
        &self.0
    }
}

impl DerefMut for Decompressor {
    fn deref_mut(&mut self) -> &mut Inflate {
        &mut self.0
    }
}

impl core::fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Decompressor(..)")
    }
}

/// Takes a decompressor out of this thread's pool, or makes one.
///
/// With `stamp` it first looks for the very one that was returned under it; then `true` says that it still is in
/// that state. Otherwise the decompressor is as new.
pub(super) fn take_decompressor(stamp: Option<Stamp>) -> (Decompressor, bool) {
    let found = POOL.try_with(|pool| {
        let idle = &mut pool.borrow_mut().decompressors;
        if let Some(place) = idle.iter().position(|(_, kept)| stamp.is_some() && *kept == stamp) {
            return Some((idle.remove(place).0, true));
        }
        // The last one nobody misses; or the longest idle one, the least likely to be missed by its last user.
        let place = idle.iter().rposition(|(_, kept)| kept.is_none()).unwrap_or_default();
        (place < idle.len()).then(|| (idle.remove(place).0, false))
    });
    match found {
        Ok(Some((codec, true))) => (codec, true),
        Ok(Some((mut codec, false))) => {
            codec.reset(false);
            (codec, false)
        }
        _ => (Decompressor(Box::new(Inflate::new(false, WindowBits::MAX.get()))), false),
    }
}

/// Gives a decompressor back; the longest idle one is dropped when the pool is full.
///
/// With `keep` the stamp finds it again in this very state, unless another message needed it meanwhile.
pub(super) fn give_decompressor(codec: Decompressor, keep: bool) -> Option<Stamp> {
    let stamp = keep.then(Stamp::next).flatten();
    // A thread that is ending has no pool any more: then the codec is simply dropped.
    POOL.try_with(|pool| {
        let idle = &mut pool.borrow_mut().decompressors;
        if idle.len() >= MAX_IDLE {
            idle.remove(0);
        }
        idle.push((codec, stamp));
    })
    .ok()?;
    stamp
}

/// Takes memory to inflate into.
pub(super) fn take_scratch() -> Vec<u8> {
    let mut scratch = POOL.try_with(|pool| mem::take(&mut pool.borrow_mut().scratch)).unwrap_or_default();
    scratch.resize(SCRATCH_BYTES, 0);
    scratch
}

/// Gives it back.
pub(super) fn give_scratch(scratch: Vec<u8>) {
    let _ = POOL.try_with(|pool| pool.borrow_mut().scratch = scratch);
}

/// Heap bytes of one decompressor.
pub(super) const DECOMPRESSOR_BYTES: usize = 47 * 1024;

#[derive(Debug)]
struct Pool {
    /// The longest idle one first.
    compressors: Vec<IdleCompressor>,
    /// The longest idle one first.
    decompressors: Vec<(Decompressor, Option<Stamp>)>,
    /// Empty, or as long as it ever is.
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct IdleCompressor {
    compressor: Compressor,
    stamp: Option<Stamp>,
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { compressors: Vec::new(), decompressors: Vec::new(), scratch: Vec::new() }) };
}

static NEXT_STAMP: AtomicU64 = AtomicU64::new(1);

/// Codecs of each direction that a thread keeps: at most 1.7 MiB when full.
const MAX_IDLE: usize = 4;

/// What a message inflates to passes through this much memory of the thread.
const SCRATCH_BYTES: usize = 32 * 1024;

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

    #[test]
    fn a_pooled_decompressor_is_found_again_in_its_last_state_and_only_once() {
        alone(|| {
            let (codec, same) = take_decompressor(None);
            assert!(!same);
            let stamp = give_decompressor(codec, true);
            assert!(stamp.is_some());
            let (codec, same) = take_decompressor(stamp);
            assert!(same);
            let next = give_decompressor(codec, true);
            assert_ne!(next, stamp);
            assert!(!take_decompressor(stamp).1);
            assert!(!take_decompressor(next).1);
        });
    }

    #[test]
    fn a_decompressor_that_no_message_refers_to_is_taken_before_those_that_have_a_window() {
        alone(|| {
            let taken: Vec<_> = (0..=MAX_IDLE).map(|_| take_decompressor(None).0).collect();
            // The pool holds one less than there were: the first makes room for the last. The third has no window.
            let stamps: Vec<_> =
                taken.into_iter().enumerate().map(|(n, codec)| give_decompressor(codec, n != 2)).collect();
            assert!(!take_decompressor(None).1);
            for stamp in [1, 3, 4].map(|n| stamps[n]) {
                assert!(take_decompressor(stamp).1);
            }
        });
    }
}
