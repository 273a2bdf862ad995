//! [`Entropy`]: where chance comes from.

use std::fmt::Debug;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Gives random numbers. Everything that needs chance (uids, jitter) takes one, so that one seed replays a whole
/// cluster. Not for secrets.
pub trait Entropy: Debug + Send + Sync + 'static {
    /// The next number, uniform over all of `u64`.
    fn next_u64(&self) -> u64;
}

/// A sequence of numbers that its seed determines: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom
/// number generators", OOPSLA 2014).
#[derive(Debug)]
pub struct SeededEntropy {
    state: AtomicU64,
}

impl SeededEntropy {
    /// The sequence of `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed) }
    }

    /// A sequence that differs from run to run, seeded by the operating system through the standard library's
    /// hasher keys.
    #[must_use]
    pub fn from_os() -> Self {
        Self::new(RandomState::new().hash_one(0_u8))
    }
}

impl Entropy for SeededEntropy {
    fn next_u64(&self) -> u64 {
        const GOLDEN_GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.state.fetch_add(GOLDEN_GAMMA, Ordering::Relaxed).wrapping_add(GOLDEN_GAMMA);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_splitmix64_of_its_seed() {
        let entropy = SeededEntropy::new(0);
        assert_eq!(entropy.next_u64(), 0xE220_A839_7B1D_CDAF);
        assert_eq!(entropy.next_u64(), 0x6E78_9E6A_A1B9_65F4);
    }
}
