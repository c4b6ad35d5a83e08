//! Decisions of the simulation: one stream of numbers for each party, so that a change in one of them leaves the others
//! as they were.

use std::time::Duration;

use m2m_io::Random as _;

use crate::SeededRandom;

/// The seed of the stream `name` under `seed` (FNV-1a).
pub(super) fn stream(seed: u64, name: &str) -> u64 {
    let start = seed ^ 0xcbf2_9ce4_8422_2325;
    name.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// One stream of decisions.
#[derive(Debug)]
pub(super) struct Chance(SeededRandom);

impl Chance {
    pub(super) fn new(seed: u64, name: &str) -> Self {
        Self(SeededRandom::new(stream(seed, name)))
    }

    /// A number below `end`; 0 for an end of 0.
    pub(super) fn below(&self, end: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes) % end.max(1)
    }

    /// True so many times in a hundred.
    pub(super) fn percent(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A time of so many milliseconds.
    pub(super) fn millis(&self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to.saturating_sub(from) + 1))
    }

    /// One of several; `None` of none.
    pub(super) fn pick<'a, T>(&self, of: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(of.len()).unwrap_or(u64::MAX);
        of.get(usize::try_from(self.below(count)).unwrap_or_default())
    }
}
