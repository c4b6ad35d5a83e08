//! Bounded sets whose members leave at their expiry: the replay memory of a node, and revoked tokens.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::hash::Hash;

use m2m_proto::time::UnixTime;

use super::{Consumption, StoreError, TokenRef};
use crate::replay::ReplayKey;

/// Replay keys held at most: 1,000,000, about 60 MB when full.
pub(super) const DEFAULT_REPLAY_CAPACITY: usize = 1_000_000;

/// Revoked, unexpired tokens held at most: 100,000, as many as the signed feed carries.
pub(super) const DEFAULT_REVOKED_CAPACITY: usize = 100_000;

/// A bounded set whose members leave at their expiry.
#[derive(Debug)]
pub(super) struct Expiring<K> {
    members: HashMap<K, UnixTime>,
    by_expiry: BinaryHeap<Reverse<(UnixTime, K)>>,
    capacity: usize,
}

impl<K: Hash + Ord + Clone> Expiring<K> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { members: HashMap::new(), by_expiry: BinaryHeap::new(), capacity }
    }

    /// Each member is pushed once and popped once, so the cost is spread over the insertions.
    pub(super) fn drop_expired(&mut self, now: UnixTime) {
        while self.by_expiry.peek().is_some_and(|Reverse((expiry, _))| *expiry <= now) {
            if let Some(Reverse((_, member))) = self.by_expiry.pop() {
                self.members.remove(&member);
            }
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.members.len()
    }

    fn room_for(&self, more: usize) -> bool {
        self.members.len().saturating_add(more) <= self.capacity
    }

    pub(super) fn insert(&mut self, member: K, expiry: UnixTime) {
        if self.members.insert(member.clone(), expiry).is_none() {
            self.by_expiry.push(Reverse((expiry, member)));
        }
    }

    pub(super) fn contains<Q: Hash + Eq + ?Sized>(&self, member: &Q) -> bool
    where
        K: std::borrow::Borrow<Q>,
    {
        self.members.contains_key(member)
    }

    /// The members that have not expired, in order. Where nodes together made more of them than fit, those
    /// that expire first are left out.
    pub(super) fn alive(&self, now: UnixTime) -> Vec<K> {
        let mut alive: Vec<(&UnixTime, &K)> = self
            .members
            .iter()
            .filter(|(_, expiry)| **expiry > now)
            .map(|(member, expiry)| (expiry, member))
            .collect();
        if alive.len() > self.capacity {
            alive.sort_unstable_by(|a, b| b.cmp(a));
            alive.truncate(self.capacity);
        }
        let mut alive: Vec<K> = alive.into_iter().map(|(_, member)| member.clone()).collect();
        alive.sort_unstable();
        alive
    }
}

impl Expiring<[u8; 32]> {
    /// As [`Store::consume`](super::Store::consume).
    pub(super) fn consume(&mut self, keys: &[ReplayKey], now: UnixTime) -> Consumption {
        self.drop_expired(now);
        let mut own = HashSet::with_capacity(keys.len());
        let known = |digest: &[u8; 32]| self.members.contains_key(digest) || !own.insert(*digest);
        if let Some(position) = keys.iter().map(ReplayKey::digest).position(known) {
            return Consumption::Replayed(position);
        }
        if !self.room_for(keys.len()) {
            return Consumption::Full;
        }
        for key in keys {
            self.insert(*key.digest(), key.expires_at());
        }
        Consumption::Recorded
    }
}

impl Expiring<String> {
    /// Whether `token` has to be remembered and there is room for it; `false` when it is known already, or
    /// expired.
    ///
    /// # Errors
    /// [`StoreError::Full`].
    pub(super) fn must_remember(&mut self, token: &TokenRef, now: UnixTime) -> Result<bool, StoreError> {
        self.drop_expired(now);
        if token.expires_at <= now || self.contains(token.jti.as_str()) {
            return Ok(false);
        }
        if self.room_for(1) { Ok(true) } else { Err(StoreError::Full("revoked tokens")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, expires_at: u64) -> ReplayKey {
        ReplayKey::for_test(name, UnixTime::from_seconds(expires_at))
    }

    #[test]
    fn a_full_replay_memory_refuses_instead_of_forgetting() {
        let mut memory = Expiring::new(2);
        let at = UnixTime::from_seconds;
        assert_eq!(memory.consume(&[key("a", 20), key("b", 30)], at(10)), Consumption::Recorded);
        assert_eq!(memory.consume(&[key("c", 30)], at(10)), Consumption::Full);
        assert_eq!(memory.consume(&[key("a", 20)], at(10)), Consumption::Replayed(0));
        // `a` leaves at its expiry, and there is room for one again.
        assert_eq!(memory.consume(&[key("c", 30)], at(20)), Consumption::Recorded);
        assert_eq!(memory.consume(&[key("d", 30)], at(20)), Consumption::Full);
    }

    #[test]
    fn what_nodes_remember_together_is_cut_to_what_fits() {
        let mut revoked = Expiring::new(2);
        for (jti, expiry) in [("a", 30), ("b", 20), ("c", 40), ("d", 5)] {
            revoked.insert(jti.to_owned(), UnixTime::from_seconds(expiry));
        }
        assert_eq!(revoked.alive(UnixTime::from_seconds(10)), ["a", "c"]);
        assert_eq!(revoked.alive(UnixTime::from_seconds(30)), ["c"]);
    }

    #[test]
    fn expired_entries_are_really_gone() {
        let mut memory = Expiring::new(DEFAULT_REPLAY_CAPACITY);
        for second in 0..1_000 {
            let key = key(&second.to_string(), second + 10);
            assert_eq!(memory.consume(&[key], UnixTime::from_seconds(second)), Consumption::Recorded);
        }
        assert!(memory.len() <= 10, "{}", memory.len());
        assert_eq!(memory.len(), memory.by_expiry.len());
    }

    #[test]
    fn a_full_revocation_memory_says_so() {
        let mut memory: Expiring<String> = Expiring::new(1);
        let at = UnixTime::from_seconds;
        let token = |jti: &str, exp| TokenRef { jti: jti.to_owned(), expires_at: at(exp) };
        assert_eq!(memory.must_remember(&token("a", 20), at(10)), Ok(true));
        memory.insert("a".to_owned(), at(20));
        assert_eq!(memory.must_remember(&token("a", 20), at(10)), Ok(false));
        assert_eq!(memory.must_remember(&token("b", 20), at(10)), Err(StoreError::Full("revoked tokens")));
        assert_eq!(memory.must_remember(&token("b", 30), at(20)), Ok(true));
        assert_eq!(memory.must_remember(&token("b", 30), at(30)), Ok(false), "expired");
    }
}
