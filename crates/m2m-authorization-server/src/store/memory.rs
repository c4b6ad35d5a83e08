//! The store of one process: nothing survives it.
//!
//! Limits: 1,000,000 replay keys and 100,000 revoked tokens by default, each forgotten at its
//! expiry; the newest 10,000 audit records of what was done and as many of what was refused. When a
//! memory is full of unexpired entries, assertions and proofs are refused rather than accepted unremembered.
//!
//! Does not enforce: anything across a restart. Registrations are gone too, so an assertion from
//! before is refused, unless the same keys are registered again within its lifetime.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use m2m_io::BoxFuture;
use m2m_proto::client_id::ClientId;
use m2m_proto::time::UnixTime;
use tokio::sync::watch;

use super::expiring::{DEFAULT_REPLAY_CAPACITY, DEFAULT_REVOKED_CAPACITY, Expiring};
use super::{Consumption, LastUses, ReplayScope, Store, StoreError, TokenRef, TokenStatus, Usage};
use crate::audit::{Activity, Batch, Entry, Event, LastUse, Place, Query, Record, Window};
use crate::registry::{ApiIdentifier, Change, CredentialId, Registry};
use crate::replay::ReplayKey;

/// Audit records held of what was done, and as many of what was refused.
pub const DEFAULT_RECORDS: usize = 10_000;

/// The newest records. Two rings, because anybody can be refused as often as he likes, and must not
/// push out by that which tokens are live.
#[derive(Debug, Default)]
struct Rings {
    /// How many records there ever were.
    count: u64,
    done: VecDeque<Entry>,
    refused: VecDeque<Entry>,
    uses: HashMap<CredentialId, (ClientId, LastUse)>,
    /// What each client got tokens for, in order: a sorted list, for nearly all have one or two.
    scopes: HashMap<ClientId, Vec<(ApiIdentifier, Box<str>)>>,
}

impl Rings {
    fn push(&mut self, record: Record, capacity: usize) {
        self.note_scopes(&record);
        self.count += 1;
        let place = Place { at_millis: record.at.millis(), node: String::new(), number: self.count };
        let ring = if record.event == Event::RequestRefused { &mut self.refused } else { &mut self.done };
        while ring.len() >= capacity.max(1) {
            ring.pop_front();
        }
        ring.push_back(Entry { place, record });
    }

    /// Only what is new takes room.
    fn note_scopes(&mut self, record: &Record) {
        let (Event::TokenIssued, Some(client), Some(api), Some(scope)) =
            (record.event, &record.client_id, &record.api, &record.scope)
        else {
            return;
        };
        for token in scope.split(' ').filter(|token| !token.is_empty()) {
            let known = match self.scopes.get_mut(client) {
                Some(known) => known,
                None => self.scopes.entry(client.clone()).or_default(),
            };
            let place = known.binary_search_by(|(own, used)| own.cmp(api).then_with(|| (**used).cmp(token)));
            if let Err(place) = place {
                known.reserve_exact(1);
                known.insert(place, (api.clone(), token.into()));
            }
        }
    }

    fn find(&self, query: &Query) -> Vec<Entry> {
        let all = self.done.iter().chain(&self.refused);
        let mut found: Vec<Entry> = all.filter(|entry| query.matches(entry)).cloned().collect();
        found.sort_by(|a, b| b.place.cmp(&a.place));
        found.truncate(query.limit());
        found
    }
}

/// Everything in memory. Cheap verbs: `registry` takes no lock, the others a short one.
#[derive(Debug)]
pub struct MemoryStore {
    registry: ArcSwap<Registry>,
    /// Serializes changes; readers never wait for it.
    changing: Mutex<()>,
    changes: watch::Sender<u64>,
    replay: Mutex<Expiring<[u8; 32]>>,
    revoked: Mutex<Expiring<String>>,
    rings: Mutex<Rings>,
    records: usize,
    fingerprint: Mutex<Option<String>>,
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
            changes: watch::Sender::new(0),
            replay: Mutex::new(Expiring::new(replay)),
            revoked: Mutex::new(Expiring::new(revoked)),
            rings: Mutex::default(),
            records: DEFAULT_RECORDS,
            fingerprint: Mutex::default(),
        }
    }

    /// Holds so many audit records of what was done, and as many of what was refused.
    #[must_use]
    pub fn audit_records(mut self, records: usize) -> Self {
        self.records = records;
        self
    }

    pub(crate) fn apply(&self, change: Change) -> Result<Arc<Registry>, StoreError> {
        let _one_at_a_time = lock(&self.changing);
        let deleted = match &change {
            Change::DeleteClient(client, _) => Some(client.clone()),
            _ => None,
        };
        let next = Arc::new(self.registry.load().apply(change)?.registry);
        self.registry.store(Arc::clone(&next));
        if let Some(client) = deleted {
            let mut rings = lock(&self.rings);
            rings.uses.retain(|_, (owner, _)| *owner != client);
            rings.scopes.remove(&client);
        }
        self.changes.send_modify(|count| *count += 1);
        Ok(next)
    }

    fn revoke_one(&self, token: &TokenRef, now: UnixTime) -> Result<(), StoreError> {
        let mut revoked = lock(&self.revoked);
        if revoked.must_remember(token, now)? {
            revoked.insert(token.jti.clone(), token.expires_at);
            self.changes.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    fn record(&self, batch: &mut Batch) {
        let mut rings = lock(&self.rings);
        for (_, record) in batch.records.drain(..) {
            rings.push(record, self.records);
        }
        rings.uses.extend(batch.uses.drain());
    }

    fn used_by(&self, client: &ClientId) -> Usage {
        let rings = lock(&self.rings);
        let own = |(id, (owner, last)): (&CredentialId, &(ClientId, LastUse))| {
            (owner == client).then(|| (id.clone(), *last))
        };
        let credentials = rings.uses.iter().filter_map(own).collect();
        let scopes = rings.scopes.get(client).into_iter().flatten();
        let scopes = scopes.map(|(api, scope)| (api.as_str().to_owned(), scope.to_string())).collect();
        Usage { credentials, scopes }
    }
}

impl Store for MemoryStore {
    fn registry(&self) -> Result<Arc<Registry>, StoreError> {
        Ok(self.registry.load_full())
    }

    fn vouch(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn change(&self, change: Change) -> BoxFuture<'_, Result<Arc<Registry>, StoreError>> {
        Box::pin(async move { self.apply(change) })
    }

    fn consume<'a>(
        &'a self,
        keys: &'a [ReplayKey],
        now: UnixTime,
    ) -> BoxFuture<'a, Result<Consumption, StoreError>> {
        Box::pin(async move { Ok(lock(&self.replay).consume(keys, now)) })
    }

    fn replay_scope(&self) -> ReplayScope {
        ReplayScope::Process
    }

    fn revoke<'a>(&'a self, token: &'a TokenRef, now: UnixTime) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.revoke_one(token, now) })
    }

    fn status(&self, jti: &str) -> Result<TokenStatus, StoreError> {
        let revoked = lock(&self.revoked).contains(jti);
        Ok(if revoked { TokenStatus::Revoked } else { TokenStatus::Standing })
    }

    fn revoked(&self, now: UnixTime) -> Result<Vec<String>, StoreError> {
        Ok(lock(&self.revoked).alive(now))
    }

    fn append<'a>(&'a self, batch: &'a mut Batch) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.record(batch);
            Ok(())
        })
    }

    fn audit<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        Box::pin(async move { Ok(lock(&self.rings).find(query)) })
    }

    fn activity<'a>(&'a self, window: &'a Window) -> BoxFuture<'a, Result<Activity, StoreError>> {
        Box::pin(async move {
            let rings = lock(&self.rings);
            let all = rings.done.iter().chain(&rings.refused);
            Ok(Activity::of(window, all.map(|entry| &entry.record)))
        })
    }

    fn usage<'a>(&'a self, client: &'a ClientId) -> BoxFuture<'a, Result<Usage, StoreError>> {
        Box::pin(async move { Ok(self.used_by(client)) })
    }

    fn last_uses<'a>(
        &'a self,
        credentials: &'a [CredentialId],
    ) -> BoxFuture<'a, Result<LastUses, StoreError>> {
        Box::pin(async move {
            let rings = lock(&self.rings);
            let used = |id: &CredentialId| rings.uses.get(id).map(|(_, last)| (id.clone(), *last));
            Ok(credentials.iter().filter_map(used).collect())
        })
    }

    fn claim<'a>(&'a self, fingerprint: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let mut known = lock(&self.fingerprint);
            match known.get_or_insert_with(|| fingerprint.to_owned()) == fingerprint {
                true => Ok(()),
                false => Err(StoreError::OtherSealingKey),
            }
        })
    }

    fn work(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }

    fn propagation(&self) -> Duration {
        Duration::ZERO
    }

    fn max_staleness(&self) -> Duration {
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use m2m_proto::error::ErrorCode;

    use super::*;
    use crate::store::conformance;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn passes_the_conformance_suite() {
        let make = || -> BoxFuture<'static, Arc<dyn Store>> {
            Box::pin(async { Arc::new(MemoryStore::default()) as Arc<dyn Store> })
        };
        conformance::run(&make).await;
    }

    #[test]
    fn a_flood_of_strangers_pushes_out_no_decision() {
        let store = MemoryStore::default().audit_records(2);
        let at = UnixTime::from_seconds;
        let refused = |reason: &str| Record::refused(at(1), ErrorCode::InvalidClient, reason.to_owned());
        let mut records = vec![refused("a"), Record::new(at(2), Event::TokenRevoked)];
        records.extend(["b", "c", "d"].map(refused));
        records.push(Record::new(at(4), Event::ClientRevoked));
        store.record(&mut Batch::of(0, records));
        let found = lock(&store.rings).find(&Query::default());
        let shown: Vec<&str> = found
            .iter()
            .map(|entry| entry.record.reason.as_deref().unwrap_or(entry.record.event.name()))
            .collect();
        assert_eq!(shown, ["client_revoked", "token_revoked", "d", "c"]);
    }
}
