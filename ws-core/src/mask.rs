//! Masking: RFC 6455 section 5.3.

use alloc::vec::Vec;

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};

use crate::copy;

/// The four bytes a client XORs over a payload, turned so that the first one applies to
/// the next payload byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct MaskKey(pub [u8; 4]);

impl MaskKey {
    /// Returns the key as it applies to the byte `n` places further on.
    #[must_use]
    pub const fn rotated(self, n: usize) -> Self {
        // A byte-wise turn by n mod 4, the same on either endianness.
        #[allow(clippy::cast_possible_truncation, clippy::arithmetic_side_effects)]
        let bits = ((n % 4) * 8) as u32;
        Self(u32::from_le_bytes(self.0).rotate_right(bits).to_le_bytes())
    }
}

/// Masks or unmasks `payload` in place (the two are the same operation) and returns the key
/// for the byte that follows it, so that a payload can be masked piece by piece.
#[inline]
pub fn mask(payload: &mut [u8], key: MaskKey) -> MaskKey {
    if payload.len() < LONG {
        in_words(payload, key);
    } else {
        aligned(payload, key);
    }
    key.rotated(payload.len())
}

/// Appends a payload, masked. A short one is masked between its load and its store, in place of a copy that is then loaded again.
#[inline]
pub(crate) fn append_masked(to: &mut Vec<u8>, payload: &[u8], key: MaskKey) {
    if payload.len() < LONG {
        append_in_words(to, payload, key);
    } else {
        let start = to.len();
        copy::append(to, payload);
        mask(to.get_mut(start..).unwrap_or_default(), key);
    }
}

/// Writes a payload, masked, over as many bytes: each is loaded and stored once.
#[inline(never)]
pub(crate) fn copy_masked(to: &mut [u8], payload: &[u8], key: MaskKey) {
    debug_assert_eq!(to.len(), payload.len(), "a place of another size");
    let word = u32::from_ne_bytes(key.0);
    let double = u64::from(word) | (u64::from(word) << 32);
    let (places, rest_of_places) = to.as_chunks_mut::<64>();
    let (blocks, rest) = payload.as_chunks::<64>();
    for (place, block) in places.iter_mut().zip(blocks) {
        *place = *block;
        xor(place, double);
    }
    for ((place, byte), key) in rest_of_places.iter_mut().zip(rest).zip(key.0.iter().cycle()) {
        *place = byte ^ key;
    }
}

#[inline]
fn append_in_words(to: &mut Vec<u8>, payload: &[u8], key: MaskKey) {
    let word = u32::from_ne_bytes(key.0);
    let double = u64::from(word) | (u64::from(word) << 32);
    let (blocks, rest) = payload.as_chunks::<64>();
    for block in blocks {
        append_xored(to, *block, double);
    }
    let rest = append_step::<32>(to, rest, double);
    let rest = append_step::<16>(to, rest, double);
    let rest = append_step::<8>(to, rest, double);
    let (half, rest) = rest.as_chunks::<4>();
    if let Some(half) = half.first() {
        to.extend_from_slice(&(u32::from_ne_bytes(*half) ^ word).to_ne_bytes());
    }
    for (byte, key) in rest.iter().zip(key.0) {
        to.push(*byte ^ key);
    }
}

/// Appends the first `N` bytes masked if there are this many, fewer than twice as many; returns the rest.
#[inline]
fn append_step<'p, const N: usize>(to: &mut Vec<u8>, payload: &'p [u8], double: u64) -> &'p [u8] {
    let (block, rest) = payload.as_chunks::<N>();
    if let Some(block) = block.first() {
        append_xored(to, *block, double);
    }
    rest
}

#[inline]
fn append_xored<const N: usize>(to: &mut Vec<u8>, mut block: [u8; N], double: u64) {
    xor(&mut block, double);
    to.extend_from_slice(&block);
}

/// From this length on it pays to mask up to the next border of `VECTOR` first.
const LONG: usize = 512;

/// The bytes of a register of SSE2 or NEON.
const VECTOR: usize = 16;

/// Behind a header a payload begins anywhere, and a store across two cache lines counts as two.
#[inline(never)]
fn aligned(payload: &mut [u8], key: MaskKey) {
    let ahead = payload.as_ptr().align_offset(VECTOR).min(payload.len());
    let (unaligned, aligned) = payload.split_at_mut(ahead);
    in_words(unaligned, key);
    in_words(aligned, key.rotated(ahead));
}

#[inline]
fn in_words(payload: &mut [u8], key: MaskKey) {
    let word = u32::from_ne_bytes(key.0);
    let double = u64::from(word) | (u64::from(word) << 32);
    // Wide blocks are what the compiler turns into vector instructions.
    let (blocks, rest) = payload.as_chunks_mut::<64>();
    for block in blocks {
        xor(block, double);
    }
    // At most 63 bytes are left: a step for each bit of their number, and no loop.
    let rest = step::<32>(rest, double);
    let rest = step::<16>(rest, double);
    let rest = step::<8>(rest, double);
    let (half, rest) = rest.as_chunks_mut::<4>();
    if let Some(half) = half.first_mut() {
        *half = (u32::from_ne_bytes(*half) ^ word).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.0) {
        *byte ^= key;
    }
}

/// Masks the first `N` bytes if there are this many, fewer than twice as many; returns the rest.
#[inline]
fn step<const N: usize>(payload: &mut [u8], double: u64) -> &mut [u8] {
    let (block, rest) = payload.as_chunks_mut::<N>();
    if let Some(block) = block.first_mut() {
        xor(block, double);
    }
    rest
}

/// `N` is a multiple of eight.
#[inline]
fn xor<const N: usize>(block: &mut [u8; N], double: u64) {
    for lane in block.as_chunks_mut::<8>().0 {
        *lane = (u64::from_ne_bytes(*lane) ^ double).to_ne_bytes();
    }
}

/// A stream of masking keys from a seed.
///
/// Section 5.3 asks for keys from a strong source of entropy, such that one does not let
/// the next be predicted: this is ChaCha with 8 rounds over a seed of 256 bits, which the
/// caller draws from the system's generator (or fixes, to replay a run).
pub struct MaskKeys(ChaCha8Rng);

impl MaskKeys {
    /// Returns the stream that follows from `seed`.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha8Rng::from_seed(seed))
    }

    /// Returns the next key: a fresh one for each frame.
    #[inline]
    pub fn next_key(&mut self) -> MaskKey {
        MaskKey(self.0.next_u32().to_ne_bytes())
    }
}

impl core::fmt::Debug for MaskKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The state foretells the keys to come.
        f.write_str("MaskKeys(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_or_copied_masked_is_what_is_masked_in_place() {
        let payload: Vec<u8> = (0..1500u32).map(|n| n.wrapping_mul(0x9E37_79B1).to_le_bytes()[3]).collect();
        let key = MaskKey([0x12, 0x34, 0x56, 0x78]);
        for length in (0..300).chain([511, 512, 513, 1500]) {
            let payload = &payload[..length];
            let mut appended = vec![7; 3];
            append_masked(&mut appended, payload, key);
            let mut in_place = payload.to_vec();
            mask(&mut in_place, key);
            let mut copied = vec![9; length];
            copy_masked(&mut copied, payload, key);
            assert_eq!(copied, in_place, "{length} bytes");
            assert_eq!((&appended[..3], &appended[3..]), (&[7; 3][..], &in_place[..]), "{length} bytes");
        }
    }
}
