//! Which DPoP proofs were used already.
//!
//! Sections: RFC 9449 §11.1
//! Enforces: each proof once, in one step; remembered until its window ends. Time does not go back here: a proof whose
//! window ended by the latest time that was seen is refused, so that what was forgotten is never taken for new.
//! Does not enforce: anything across replicas or restarts. A proof is good for one use per replica,
//! for a minute; demand nonces where that is too much.
//! Limits: 262,144 proofs by default, some 30 MB; when full of fresh ones, proofs are refused, not forgotten. Only a
//! proof that came with a good token bound to its key is remembered, so strangers fill nothing; and from half full on
//! one key gets no more than a sixteenth of the room, so one client does not lock the others out.

// spec: 9449-RS2

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use m2m_proto::dpop::VerifiedProof;
use m2m_proto::time::UnixTime;

/// Proofs held at most, by default.
pub const DEFAULT_CAPACITY: usize = 262_144;

/// Remembered for this much longer than anybody accepts it, so that rounding opens no gap.
const MARGIN: Duration = Duration::from_secs(1);

/// From half full on, one key gets this part of the room.
const SHARES: usize = 16;

/// What became of a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consumption {
    Recorded,
    Replayed,
    Full,
}

/// What is remembered of one proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    until: UnixTime,
    proof: [u8; 32],
    holder: u64,
}

#[derive(Debug, Default)]
struct Used {
    members: HashSet<[u8; 32]>,
    by_expiry: BinaryHeap<Reverse<Entry>>,
    /// How many of them each key made.
    by_holder: HashMap<u64, usize>,
    /// The latest time that was seen; what ended by then may have been forgotten.
    latest: UnixTime,
}

impl Used {
    fn forget_expired(&mut self, now: UnixTime) {
        self.latest = self.latest.max(now);
        while self.by_expiry.peek().is_some_and(|Reverse(entry)| entry.until <= self.latest) {
            let Some(Reverse(entry)) = self.by_expiry.pop() else { return };
            self.members.remove(&entry.proof);
            if let Some(count) = self.by_holder.get_mut(&entry.holder) {
                *count -= 1;
                if *count == 0 {
                    self.by_holder.remove(&entry.holder);
                }
            }
        }
    }

    /// Whether there is room for one more of this key.
    fn has_room(&self, holder: u64, capacity: usize) -> bool {
        let (all, own) = (self.members.len(), self.by_holder.get(&holder).copied().unwrap_or(0));
        all < capacity && (all < capacity / 2 || own < capacity.div_ceil(SHARES))
    }
}

/// A bounded memory of used proofs.
#[derive(Debug)]
pub(crate) struct Replay {
    used: Mutex<Used>,
    capacity: usize,
    /// Names keys in a way that nobody outside can aim at.
    names: RandomState,
}

impl Replay {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { used: Mutex::default(), capacity, names: RandomState::new() }
    }

    /// Records the proof, unless it was recorded before.
    pub(crate) fn consume(&self, proof: &VerifiedProof, now: UnixTime) -> Consumption {
        let entry = Entry {
            until: proof.replay_until().saturating_add(MARGIN),
            proof: proof.replay_key(),
            holder: self.names.hash_one(proof.jkt()),
        };
        self.record(entry, now)
    }

    fn record(&self, entry: Entry, now: UnixTime) -> Consumption {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.forget_expired(now);
        if entry.until <= used.latest || used.members.contains(&entry.proof) {
            return Consumption::Replayed;
        }
        if !used.has_room(entry.holder, self.capacity) {
            return Consumption::Full;
        }
        used.members.insert(entry.proof);
        *used.by_holder.entry(entry.holder).or_default() += 1;
        used.by_expiry.push(Reverse(entry));
        Consumption::Recorded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::from_seconds(seconds)
    }

    fn used(number: u8, until: u64) -> Entry {
        Entry { until: at(until), proof: [number; 32], holder: u64::from(number) }
    }

    #[test]
    fn each_once_until_its_window_ends() {
        let replay = Replay::new(10);
        assert_eq!(replay.record(used(1, 60), at(0)), Consumption::Recorded);
        assert_eq!(replay.record(used(1, 60), at(59)), Consumption::Replayed);
        assert_eq!(replay.record(used(2, 60), at(59)), Consumption::Recorded);
        assert_eq!(replay.record(used(1, 99), at(60)), Consumption::Recorded);
    }

    /// A clock was set back, or two requests read it in one order and came here in the other.
    #[test]
    fn what_was_forgotten_is_not_recorded_again() {
        let replay = Replay::new(10);
        assert_eq!(replay.record(used(1, 60), at(0)), Consumption::Recorded);
        assert_eq!(replay.record(used(2, 120), at(60)), Consumption::Recorded);
        assert_eq!(replay.record(used(1, 60), at(59)), Consumption::Replayed);
        assert_eq!(replay.record(used(3, 61), at(0)), Consumption::Recorded);
    }

    #[test]
    fn full_refuses_instead_of_forgetting() {
        let replay = Replay::new(1);
        assert_eq!(replay.record(used(1, 60), at(0)), Consumption::Recorded);
        assert_eq!(replay.record(used(2, 60), at(0)), Consumption::Full);
        assert_eq!(replay.record(used(1, 60), at(0)), Consumption::Replayed);
        assert_eq!(replay.record(used(2, 120), at(60)), Consumption::Recorded);
    }

    #[test]
    fn one_of_many_threads_wins() {
        let replay = Replay::new(10);
        let recorded = std::thread::scope(|scope| {
            let race = || (replay.record(used(7, 60), at(0)) == Consumption::Recorded) as usize;
            let racers: Vec<_> = (0..16).map(|_| scope.spawn(race)).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).sum::<usize>()
        });
        assert_eq!(recorded, 1);
    }

    #[test]
    fn one_key_does_not_take_all_the_room() {
        let replay = Replay::new(160);
        let proof = |number: u8, holder| Entry { holder, ..used(number, 60) };
        let recorded =
            (0..160).filter(|number| replay.record(proof(*number, 1), at(0)) == Consumption::Recorded);
        assert_eq!(recorded.count(), 80, "half of it, while nobody else wants it");
        let others = (0..160).filter(|number| {
            replay.record(proof(*number, 100 + u64::from(*number % 8)), at(0)) == Consumption::Recorded
        });
        assert_eq!(others.count(), 80, "the other half, for everybody else");
        assert_eq!(replay.record(proof(200, 2), at(0)), Consumption::Full);
        assert_eq!(replay.record(Entry { holder: 1, ..used(201, 120) }, at(60)), Consumption::Recorded);
        assert_eq!(replay.used.lock().unwrap().by_holder.len(), 1, "nothing is left of the others");
    }

    /// What a key has left over when some of its proofs expire still counts, up to its share and no further.
    #[test]
    fn the_share_of_a_key_is_counted_to_the_end() {
        let replay = Replay::new(160);
        let proof = |number, holder, until| Entry { holder, ..used(number, until) };
        for number in 0..6 {
            let until = if number < 2 { 60 } else { 120 };
            assert_eq!(replay.record(proof(number, 1, until), at(0)), Consumption::Recorded);
        }
        for number in 100..180 {
            assert_eq!(replay.record(proof(number, u64::from(number), 120), at(0)), Consumption::Recorded);
        }
        let more =
            (10..30).filter(|number| replay.record(proof(*number, 1, 120), at(60)) == Consumption::Recorded);
        assert_eq!(more.count(), 6, "ten are a sixteenth of 160, four of which it holds");
    }
}
