//! Maps by numbers that are counted up here.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map by numbers that are counted up, such as a `ConnectionId`: no peer can choose them so that many fall together.
pub(crate) type Numbered<K, V> = HashMap<K, V, BuildHasherDefault<NumberHasher>>;

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn write_u64(&mut self, number: u64) {
        // Knuth's multiplicative hash: a map takes the highest bits and the lowest ones.
        self.0 = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write(&mut self, bytes: &[u8]) {
        debug_assert!(false, "keys are numbers of 64 bits");
        bytes.iter().for_each(|byte| self.write_u64(self.0 ^ u64::from(*byte)));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn numbers_in_a_row_fall_into_different_places_of_a_map() {
        let hash = |number| {
            let mut hasher = NumberHasher::default();
            hasher.write_u64(number);
            hasher.finish()
        };
        let low: HashSet<u64> = (0..1024).map(|number| hash(number) % 1024).collect();
        let high: HashSet<u64> = (0..1024).map(|number| hash(number) >> 57).collect();
        assert_eq!((low.len(), high.len()), (1024, 128));
    }
}
