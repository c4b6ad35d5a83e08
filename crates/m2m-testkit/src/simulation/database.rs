//! The one database of all nodes: rows under revisions, single-use identifiers, withdrawn tokens, the audit.
//!
//! Each method is one transaction: it happens whole, at one moment. How long it takes to get here, and whether the answer
//! comes back, is the business of [`super::store`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use m2m_authorization_server::audit::{Batch, Entry, Event, LastUse, Place, Query, Record};
use m2m_authorization_server::registry::{Change, Conflict, CredentialId, Entity, Registry, Restored};
use m2m_authorization_server::replay::ReplayKey;
use m2m_authorization_server::store::{Consumption, LastUses, TokenRef, Usage};
use m2m_io::Clock as _;
use m2m_io::task::spawn_detached;
use m2m_proto::client_id::ClientId;
use m2m_proto::time::UnixTime;
use tokio::sync::Notify;

use super::chance::Chance;
use super::links::{Links, Way};
use crate::ManualClock;

/// Who is told of changes.
#[derive(Debug)]
struct Listener {
    node: String,
    told: Arc<Notify>,
}

#[derive(Debug)]
struct Row {
    revision: u64,
    /// Credentials come after the clients that they are of.
    after: bool,
    restored: Restored,
}

#[derive(Debug, Default)]
struct Tables {
    revision: u64,
    rows: BTreeMap<String, Row>,
    revoked: BTreeMap<String, (UnixTime, u64)>,
    replay: BTreeMap<[u8; 32], UnixTime>,
    audit: BTreeMap<Place, Record>,
    uses: BTreeMap<String, (ClientId, LastUse)>,
    fingerprint: Option<String>,
    listeners: Vec<Listener>,
}

/// What is newer than what a node knows.
#[derive(Debug)]
pub(super) struct News {
    pub(super) registry: Arc<Registry>,
    pub(super) revision: u64,
    pub(super) revoked: Vec<TokenRef>,
}

/// What became of a change.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) news: News,
    pub(super) refused: Option<Conflict>,
}

/// How a change is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    /// As it should be.
    Whole,
    /// Defect: nothing is written.
    Dropped,
    /// Defect: of what the node knows, whatever is newer.
    Stale,
}

/// Whether the replay memory is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looking {
    ForReplays,
    Away,
}

#[derive(Debug)]
pub(super) struct Database {
    tables: Mutex<Tables>,
    links: Arc<Links>,
    time: ManualClock,
    chance: Chance,
}

impl Database {
    pub(super) fn new(seed: u64, links: &Arc<Links>, time: &ManualClock) -> Self {
        let chance = Chance::new(seed, "notifications");
        Self { tables: Mutex::default(), links: Arc::clone(links), time: time.clone(), chance }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells `told` of the changes of other nodes, in place of what the node listened with before.
    pub(super) fn listen(&self, node: &str, told: &Arc<Notify>) {
        let mut tables = self.tables();
        tables.listeners.retain(|listener| listener.node != node);
        tables.listeners.push(Listener { node: node.to_owned(), told: Arc::clone(told) });
    }

    pub(super) fn news(&self, known: &Arc<Registry>, revision: u64) -> News {
        self.tables().news(known, revision)
    }

    /// The latest revision, and no more.
    pub(super) fn latest(&self) -> u64 {
        self.tables().revision
    }

    /// Makes a change of the newest registry.
    pub(super) fn change(
        &self,
        known: &Arc<Registry>,
        revision: u64,
        change: Change,
        writing: Writing,
    ) -> Written {
        let mut tables = self.tables();
        let mut news = tables.news(known, revision);
        if writing == Writing::Stale {
            news.registry = Arc::clone(known);
        }
        let applied = match news.registry.apply(change) {
            Ok(applied) => applied,
            Err(conflict) => return Written { news, refused: Some(conflict) },
        };
        news.registry = Arc::new(applied.registry);
        if writing != Writing::Dropped {
            tables.revision += 1;
            news.revision = tables.revision;
            for entity in &applied.touched {
                let row = Row {
                    revision: tables.revision,
                    after: matches!(entity, Entity::Credential(_)),
                    restored: restored(&news.registry, entity),
                };
                tables.rows.insert(format!("{entity:?}"), row);
            }
        }
        Written { news, refused: None }
    }

    pub(super) fn revoke(&self, token: &TokenRef) {
        let mut tables = self.tables();
        tables.revision += 1;
        let revision = tables.revision;
        tables.revoked.insert(token.jti.clone(), (token.expires_at, revision));
    }

    /// Wakes the other nodes, in the time that it takes, unless the message is lost on the way.
    pub(super) fn tell(&self, node: &str) {
        let tables = self.tables();
        for listener in tables.listeners.iter().filter(|listener| listener.node != node) {
            let lost = match self.links.way(&listener.node, "database") {
                Way::Good => self.chance.percent(10),
                Way::Slow | Way::Lossy => self.chance.percent(50),
                Way::Cut => true,
            };
            let sleep = self.time.sleep(self.chance.millis(1, 300));
            if !lost {
                let told = Arc::clone(&listener.told);
                spawn_detached("notification", async move {
                    sleep.await;
                    told.notify_one();
                });
            }
        }
    }

    /// As [`Store::consume`](m2m_authorization_server::store::Store::consume). `Away` is a defect.
    pub(super) fn consume(&self, keys: &[ReplayKey], now: UnixTime, looking: Looking) -> Consumption {
        consume(&mut self.tables().replay, keys, now, looking)
    }

    /// Forgets what is over.
    pub(super) fn forget(&self, now: UnixTime) {
        let mut tables = self.tables();
        tables.replay.retain(|_, expires_at| *expires_at > now);
        tables.revoked.retain(|_, (expires_at, _)| *expires_at > now);
    }

    pub(super) fn claim(&self, fingerprint: &str) -> bool {
        self.tables().fingerprint.get_or_insert_with(|| fingerprint.to_owned()) == fingerprint
    }

    /// Stores records; those that are there already are not stored again.
    pub(super) fn append(&self, node: &str, batch: &mut Batch) {
        let mut tables = self.tables();
        for (number, record) in batch.records.drain(..) {
            let place = Place { at_millis: record.at.millis(), node: node.to_owned(), number };
            tables.audit.entry(place).or_insert(record);
        }
        for (id, used) in batch.uses.drain() {
            tables.uses.insert(id.as_str().to_owned(), used);
        }
    }

    pub(super) fn audit(&self, query: &Query) -> Vec<Entry> {
        let tables = self.tables();
        let newest_first = tables.audit.iter().rev();
        let entries =
            newest_first.map(|(place, record)| Entry { place: place.clone(), record: record.clone() });
        entries.filter(|entry| query.matches(entry)).take(query.limit()).collect()
    }

    /// Whether the audit tells of a token of that `jti`.
    pub(super) fn tells_of(&self, jti: &str) -> bool {
        let of = |record: &&Record| record.event == Event::TokenIssued && record.jti.as_deref() == Some(jti);
        self.tables().audit.values().any(|record| of(&record))
    }

    pub(super) fn last_uses(&self, credentials: &[CredentialId]) -> LastUses {
        let tables = self.tables();
        let used = |id: &CredentialId| tables.uses.get(id.as_str()).map(|(_, last)| (id.clone(), *last));
        credentials.iter().filter_map(used).collect()
    }

    pub(super) fn usage(&self, client: &ClientId) -> Usage {
        let tables = self.tables();
        let mut usage = Usage::default();
        for (id, (owner, last)) in &tables.uses {
            if owner == client
                && let Some(id) = m2m_authorization_server::registry::CredentialId::parse(id)
            {
                usage.credentials.insert(id, *last);
            }
        }
        usage.scopes = BTreeSet::new();
        usage
    }
}

impl Tables {
    fn news(&self, known: &Arc<Registry>, revision: u64) -> News {
        let mut rows: Vec<&Row> = self.rows.values().filter(|row| row.revision > revision).collect();
        rows.sort_by_key(|row| (row.after, row.revision));
        let registry = match rows.is_empty() {
            true => Arc::clone(known),
            false => {
                let mut registry = Registry::clone(known);
                rows.iter().for_each(|row| registry.restore(row.restored.clone()));
                Arc::new(registry)
            }
        };
        let revoked = self.revoked.iter().filter(|(_, (_, at))| *at > revision);
        let revoked =
            revoked.map(|(jti, (expires_at, _))| TokenRef { jti: jti.clone(), expires_at: *expires_at });
        News { registry, revision: self.revision, revoked: revoked.collect() }
    }
}

/// As it would be read back.
fn restored(registry: &Registry, entity: &Entity) -> Restored {
    let found = match entity {
        Entity::Api(id) => registry.api(id.as_str()).map(|api| Restored::Api((**api).clone())),
        Entity::Client(id) => registry.registration(id).map(|found| Restored::Client(found.client().clone())),
        Entity::Credential(id) => {
            registry.credential(id).map(|found| Restored::Credential((**found).clone()))
        }
        Entity::Key(kid) => registry.key(kid).map(|key| Restored::Key((**key).clone())),
        Entity::StatusIndexes => Some(Restored::StatusIndexes(registry.status_indexes())),
        other => panic!("the simulated database has no row for {other:?}"),
    };
    found.unwrap_or_else(|| Restored::Gone(entity.clone()))
}

/// Records all keys or none.
pub(super) fn consume(
    known: &mut BTreeMap<[u8; 32], UnixTime>,
    keys: &[ReplayKey],
    now: UnixTime,
    looking: Looking,
) -> Consumption {
    let mut own = BTreeSet::new();
    let is_known = |key: &ReplayKey| known.get(key.digest()).is_some_and(|expires_at| *expires_at > now);
    let place = keys.iter().position(|key| is_known(key) || !own.insert(*key.digest()));
    if let Some(place) = place.filter(|_| looking == Looking::ForReplays) {
        return Consumption::Replayed(place);
    }
    known.extend(keys.iter().map(|key| (*key.digest(), key.expires_at())));
    Consumption::Recorded
}

/// How long a node is sure of what it heard.
pub(super) const MAX_STALENESS: Duration = Duration::from_secs(10);
/// How soon a node that reaches the database knows of a change.
pub(super) const PROPAGATION: Duration = Duration::from_secs(1);
