//! Which DPoP proofs were used already.
//!
//! Sections: RFC 9449 §11.1
//! Enforces: each proof once, in one step; remembered until its window ends.
//! Does not enforce: anything across replicas or restarts. A proof is good for one use per replica,
//! for a minute; demand nonces where that is too much.
//! Limits: 262,144 proofs by default; when full of fresh ones, proofs are refused, not forgotten.

// spec: 9449-RS2

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use m2m_proto::dpop::VerifiedProof;
use m2m_proto::time::UnixTime;

/// Proofs held at most, by default.
pub const DEFAULT_CAPACITY: usize = 262_144;

/// Remembered for this much longer than anybody accepts it, so that rounding opens no gap.
const MARGIN: Duration = Duration::from_secs(1);

/// What became of a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consumption {
    Recorded,
    Replayed,
    Full,
}

#[derive(Debug, Default)]
struct Used {
    members: HashSet<[u8; 32]>,
    by_expiry: BinaryHeap<Reverse<(UnixTime, [u8; 32])>>,
}

/// A bounded memory of used proofs.
#[derive(Debug)]
pub(crate) struct Replay {
    used: Mutex<Used>,
    capacity: usize,
}

impl Replay {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { used: Mutex::default(), capacity }
    }

    /// Records the proof, unless it was recorded before.
    pub(crate) fn consume(&self, proof: &VerifiedProof, now: UnixTime) -> Consumption {
        self.record(proof.replay_key(), proof.replay_until().saturating_add(MARGIN), now)
    }

    fn record(&self, key: [u8; 32], until: UnixTime, now: UnixTime) -> Consumption {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        while used.by_expiry.peek().is_some_and(|Reverse((expiry, _))| *expiry <= now) {
            if let Some(Reverse((_, member))) = used.by_expiry.pop() {
                used.members.remove(&member);
            }
        }
        if used.members.contains(&key) {
            return Consumption::Replayed;
        }
        if used.members.len() >= self.capacity {
            return Consumption::Full;
        }
        used.members.insert(key);
        used.by_expiry.push(Reverse((until, key)));
        Consumption::Recorded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::from_seconds(seconds)
    }

    #[test]
    fn each_once_until_its_window_ends() {
        let replay = Replay::new(10);
        assert_eq!(replay.record([1; 32], at(60), at(0)), Consumption::Recorded);
        assert_eq!(replay.record([1; 32], at(60), at(59)), Consumption::Replayed);
        assert_eq!(replay.record([2; 32], at(60), at(59)), Consumption::Recorded);
        assert_eq!(replay.record([1; 32], at(99), at(60)), Consumption::Recorded);
    }

    #[test]
    fn full_refuses_instead_of_forgetting() {
        let replay = Replay::new(1);
        assert_eq!(replay.record([1; 32], at(60), at(0)), Consumption::Recorded);
        assert_eq!(replay.record([2; 32], at(60), at(0)), Consumption::Full);
        assert_eq!(replay.record([1; 32], at(60), at(0)), Consumption::Replayed);
        assert_eq!(replay.record([2; 32], at(120), at(60)), Consumption::Recorded);
    }

    #[test]
    fn one_of_many_threads_wins() {
        let replay = Replay::new(10);
        let recorded = std::thread::scope(|scope| {
            let race = || (replay.record([7; 32], at(60), at(0)) == Consumption::Recorded) as usize;
            let racers: Vec<_> = (0..16).map(|_| scope.spawn(race)).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).sum::<usize>()
        });
        assert_eq!(recorded, 1);
    }
}
