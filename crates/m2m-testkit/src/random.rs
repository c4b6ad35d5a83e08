//! Randomness that is the same in every run.

use std::sync::{Mutex, PoisonError};

use m2m_io::Random;

/// A generator that gives the same bytes for the same seed (SplitMix64). Never for anything but tests.
#[derive(Debug)]
pub struct SeededRandom(Mutex<u64>);

impl SeededRandom {
    /// Starts from `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Random for SeededRandom {
    fn fill(&self, buffer: &mut [u8]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in buffer.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = *state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            for (byte, random) in chunk.iter_mut().zip(mixed.to_le_bytes()) {
                *byte = random;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use m2m_io::{Random as _, token};

    use super::SeededRandom;

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_each_call_others() {
        let (one, two) = (SeededRandom::new(1), SeededRandom::new(1));
        let first = token(&one);
        assert_eq!(first, token(&two));
        assert_ne!(first, token(&one));
        assert_ne!(first, token(&SeededRandom::new(2)));
    }

    #[test]
    fn the_published_sequence() {
        let mut bytes = [0; 8];
        SeededRandom::new(0).fill(&mut bytes);
        assert_eq!(u64::from_le_bytes(bytes), 0xe220_a839_7b1d_cdaf);
    }
}
