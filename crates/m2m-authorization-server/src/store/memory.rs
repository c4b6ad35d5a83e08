//! The store of one process: nothing survives it.
//!
//! Limits: 1,000,000 replay keys and 100,000 revoked tokens by default, each forgotten at its
//! expiry. When a memory is full of unexpired entries, assertions and proofs are refused rather
//! than accepted unremembered.
//!
//! Does not enforce: anything across a restart. Registrations are gone too, so an assertion from
//! before is refused, unless the same keys are registered again within its lifetime.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use m2m_io::BoxFuture;
use m2m_proto::time::UnixTime;

use super::{Consumption, Store, StoreError, TokenRef, TokenStatus};
use crate::registry::{Change, Registry};
use crate::replay::ReplayKey;

/// Replay keys held at most: 1,000,000, about 60 MB when full.
pub const DEFAULT_REPLAY_CAPACITY: usize = 1_000_000;

/// Revoked, unexpired tokens held at most: 100,000.
pub const DEFAULT_REVOKED_CAPACITY: usize = 100_000;

/// A bounded set whose members leave at their expiry.
#[derive(Debug)]
struct Expiring<K> {
    members: HashSet<K>,
    by_expiry: BinaryHeap<Reverse<(UnixTime, K)>>,
    capacity: usize,
}

impl<K: Hash + Ord + Clone> Expiring<K> {
    fn new(capacity: usize) -> Self {
        Self { members: HashSet::new(), by_expiry: BinaryHeap::new(), capacity }
    }

    /// Each member is pushed once and popped once, so the cost is spread over the insertions.
    fn drop_expired(&mut self, now: UnixTime) {
        while self.by_expiry.peek().is_some_and(|Reverse((expiry, _))| *expiry <= now) {
            if let Some(Reverse((_, member))) = self.by_expiry.pop() {
                self.members.remove(&member);
            }
        }
    }

    fn room_for(&self, more: usize) -> bool {
        self.members.len().saturating_add(more) <= self.capacity
    }

    fn insert(&mut self, member: K, expiry: UnixTime) {
        if self.members.insert(member.clone()) {
            self.by_expiry.push(Reverse((expiry, member)));
        }
    }
}

/// Everything in memory. Cheap verbs: `registry` takes no lock, the others a short one.
#[derive(Debug)]
pub struct MemoryStore {
    registry: ArcSwap<Registry>,
    /// Serializes changes; readers never wait for it.
    changing: Mutex<()>,
    replay: Mutex<Expiring<[u8; 32]>>,
    revoked: Mutex<Expiring<String>>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::with_capacity(DEFAULT_REPLAY_CAPACITY, DEFAULT_REVOKED_CAPACITY)
    }
}

/// A panic elsewhere cannot leave these sets half changed, so a poisoned lock is still good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryStore {
    /// An empty store that holds at most so many replay keys and revoked tokens.
    #[must_use]
    pub fn with_capacity(replay: usize, revoked: usize) -> Self {
        Self {
            registry: ArcSwap::default(),
            changing: Mutex::new(()),
            replay: Mutex::new(Expiring::new(replay)),
            revoked: Mutex::new(Expiring::new(revoked)),
        }
    }

    fn apply(&self, change: Change) -> Result<Arc<Registry>, StoreError> {
        let _one_at_a_time = lock(&self.changing);
        let next = Arc::new(self.registry.load().apply(change)?);
        self.registry.store(Arc::clone(&next));
        Ok(next)
    }

    fn consume_all(&self, keys: &[ReplayKey], now: UnixTime) -> Consumption {
        let mut memory = lock(&self.replay);
        memory.drop_expired(now);
        let mut own = HashSet::with_capacity(keys.len());
        let known = |digest: &[u8; 32]| memory.members.contains(digest) || !own.insert(*digest);
        if let Some(position) = keys.iter().map(ReplayKey::digest).position(known) {
            return Consumption::Replayed(position);
        }
        if !memory.room_for(keys.len()) {
            return Consumption::Full;
        }
        for key in keys {
            memory.insert(*key.digest(), key.expires_at());
        }
        Consumption::Recorded
    }

    fn revoke_one(&self, token: &TokenRef, now: UnixTime) -> Result<(), StoreError> {
        let mut revoked = lock(&self.revoked);
        revoked.drop_expired(now);
        if token.expires_at <= now || revoked.members.contains(&token.jti) {
            return Ok(());
        }
        if !revoked.room_for(1) {
            return Err(StoreError::Full("revoked tokens"));
        }
        revoked.insert(token.jti.clone(), token.expires_at);
        Ok(())
    }
}

impl Store for MemoryStore {
    fn registry(&self) -> Result<Arc<Registry>, StoreError> {
        Ok(self.registry.load_full())
    }

    fn change(&self, change: Change) -> BoxFuture<'_, Result<Arc<Registry>, StoreError>> {
        Box::pin(async move { self.apply(change) })
    }

    fn consume<'a>(
        &'a self,
        keys: &'a [ReplayKey],
        now: UnixTime,
    ) -> BoxFuture<'a, Result<Consumption, StoreError>> {
        Box::pin(async move { Ok(self.consume_all(keys, now)) })
    }

    fn revoke<'a>(&'a self, token: &'a TokenRef, now: UnixTime) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.revoke_one(token, now) })
    }

    fn status<'a>(&'a self, jti: &'a str) -> BoxFuture<'a, Result<TokenStatus, StoreError>> {
        Box::pin(async move {
            let revoked = lock(&self.revoked).members.contains(jti);
            Ok(if revoked { TokenStatus::Revoked } else { TokenStatus::Standing })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance;

    fn key(name: &str, expires_at: u64) -> ReplayKey {
        ReplayKey::for_test(name, UnixTime::from_seconds(expires_at))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn passes_the_conformance_suite() {
        conformance::run(&|| Arc::new(MemoryStore::default())).await;
    }

    #[test]
    fn a_full_replay_memory_refuses_instead_of_forgetting() {
        let store = MemoryStore::with_capacity(2, 0);
        let at = UnixTime::from_seconds;
        assert_eq!(store.consume_all(&[key("a", 20), key("b", 30)], at(10)), Consumption::Recorded);
        assert_eq!(store.consume_all(&[key("c", 30)], at(10)), Consumption::Full);
        assert_eq!(store.consume_all(&[key("a", 20)], at(10)), Consumption::Replayed(0));
        // `a` leaves at its expiry, and there is room for one again.
        assert_eq!(store.consume_all(&[key("c", 30)], at(20)), Consumption::Recorded);
        assert_eq!(store.consume_all(&[key("d", 30)], at(20)), Consumption::Full);
    }

    #[test]
    fn expired_entries_are_really_gone() {
        let store = MemoryStore::default();
        for second in 0..1_000 {
            let key = key(&second.to_string(), second + 10);
            assert_eq!(store.consume_all(&[key], UnixTime::from_seconds(second)), Consumption::Recorded);
        }
        let memory = lock(&store.replay);
        assert!(memory.members.len() <= 10, "{}", memory.members.len());
        assert_eq!(memory.members.len(), memory.by_expiry.len());
    }

    #[test]
    fn a_full_revocation_memory_says_so() {
        let store = MemoryStore::with_capacity(0, 1);
        let at = UnixTime::from_seconds;
        let token = |jti: &str, exp| TokenRef { jti: jti.to_owned(), expires_at: at(exp) };
        assert_eq!(store.revoke_one(&token("a", 20), at(10)), Ok(()));
        assert_eq!(store.revoke_one(&token("a", 20), at(10)), Ok(()));
        assert_eq!(store.revoke_one(&token("b", 20), at(10)), Err(StoreError::Full("revoked tokens")));
        assert_eq!(store.revoke_one(&token("b", 30), at(20)), Ok(()));
    }
}
