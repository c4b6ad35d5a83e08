//! The store in a database: SQLite for one node, PostgreSQL for many, by one set of statements.
//!
//! The registry is a snapshot in memory that follows the database; nothing on the way of a token reads
//! from it. A change takes the next revision in one transaction, which lets one change happen at a time among
//! all nodes, applies the same pure rules as everywhere to the newest registry, and writes what it touched.
//! Whoever follows asks for what is newer than the revision he has.
//!
//! Enforces: what was acknowledged is committed; a node that did not hear from the database for
//! [`SqlOptions::max_staleness`] does not say what stands, and after [`SqlOptions::snapshot_max_age`] issues nothing.
//! Limits: 100,000 revoked, unexpired tokens; replay memory of a node as in `memory`, a shared one is bounded
//! by the database.

mod activity;
mod audit;
mod database;
mod document;
mod follow;
mod registry;
mod replay;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use m2m_io::{BoxFuture, Clock, OsRandom};
use m2m_proto::client_id::ClientId;
use m2m_proto::time::UnixTime;
use tokio::sync::{Notify, watch};

use super::expiring::{DEFAULT_REPLAY_CAPACITY, DEFAULT_REVOKED_CAPACITY, Expiring};
use super::{Consumption, LastUses, ReplayScope, Store, StoreError, TokenRef, TokenStatus, Usage};
use crate::audit::{Activity, Batch, Entry, Query, Window};
use crate::registry::secret::random_letters;
use crate::registry::{Change, CredentialId, Registry};
use crate::replay::ReplayKey;
use database::{Database, Dialect};

/// How a store in a database behaves.
#[derive(Clone)]
#[non_exhaustive]
pub struct SqlOptions {
    /// `sqlite:PATH` or `postgres://USER@HOST/NAME`.
    pub url: String,
    /// What is remembered of single-use identifiers. Default: shared on PostgreSQL, by the node on SQLite.
    pub replay: Option<ReplayScope>,
    /// How long a node that is cut off may go on saying what stands. Default 10 s. PostgreSQL only.
    pub max_staleness: Duration,
    /// How long a node that is cut off may go on issuing tokens. Default 1 h. PostgreSQL only.
    pub snapshot_max_age: Duration,
    /// How long audit records are kept. Default 90 days.
    pub audit_retention: Duration,
    /// How often a node asks for changes, told or not. Default 500 ms. PostgreSQL only.
    pub poll: Duration,
}

impl SqlOptions {
    /// The defaults, for the database at `url`.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            replay: None,
            max_staleness: Duration::from_secs(10),
            snapshot_max_age: Duration::from_secs(60 * 60),
            audit_retention: Duration::from_secs(90 * 24 * 60 * 60),
            poll: Duration::from_millis(500),
        }
    }
}

/// Without the URL, which may hold a password.
impl fmt::Debug for SqlOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url: _, replay, max_staleness, snapshot_max_age, audit_retention, poll } = self;
        f.debug_struct("SqlOptions")
            .field("replay", replay)
            .field("max_staleness", max_staleness)
            .field("snapshot_max_age", snapshot_max_age)
            .field("audit_retention", audit_retention)
            .field("poll", poll)
            .finish_non_exhaustive()
    }
}

/// What this node knows of the database: the registry, and up to which revision.
#[derive(Debug, Default)]
struct Snapshot {
    registry: Arc<Registry>,
    revision: i64,
}

/// A store in a database. Cheap verbs where a request waits: `registry` and `status` read memory.
#[derive(Debug)]
pub struct SqlStore {
    database: Arc<Database>,
    options: SqlOptions,
    replay: ReplayScope,
    clock: Arc<dyn Clock>,
    snapshot: ArcSwap<Snapshot>,
    /// One change at a time in this node. Whoever follows does not wait for it.
    changing: tokio::sync::Mutex<()>,
    /// Held while one snapshot takes the place of another.
    installing: Mutex<()>,
    changes: watch::Sender<u64>,
    /// Wakes whoever follows the database.
    told: Notify,
    /// When the database was last asked for changes and answered, in milliseconds of the monotonic clock.
    heard_at: AtomicU64,
    consumed: Mutex<Expiring<[u8; 32]>>,
    shared: replay::Shared,
    revoked: Mutex<Expiring<String>>,
    /// Sets the audit records of this process apart from those of all others.
    node: String,
}

/// A panic elsewhere cannot leave these sets half changed, so a poisoned lock is still good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SqlStore {
    /// Connects, brings the schema up to date and reads the registry.
    ///
    /// # Errors
    /// `Unavailable` when the database does not answer within 5 s; `Unreadable` for a URL that is none, a shared
    /// replay memory on SQLite, and what another version wrote.
    pub async fn open(options: SqlOptions, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let database = Database::open(&options.url, Arc::clone(&clock)).await?;
        let replay = match (database.dialect, options.replay) {
            (Dialect::Sqlite, Some(ReplayScope::Shared)) => {
                let text = "replay = \"shared\" needs PostgreSQL; SQLite is for one node";
                return Err(StoreError::Unreadable(text.to_owned()));
            }
            (Dialect::Sqlite, _) | (Dialect::Postgres, Some(ReplayScope::Node)) => ReplayScope::Node,
            (Dialect::Postgres, _) => ReplayScope::Shared,
        };
        let store = Self {
            database: Arc::new(database),
            replay,
            snapshot: ArcSwap::default(),
            changing: tokio::sync::Mutex::default(),
            installing: Mutex::default(),
            changes: watch::Sender::new(0),
            told: Notify::new(),
            heard_at: AtomicU64::new(0),
            consumed: Mutex::new(Expiring::new(DEFAULT_REPLAY_CAPACITY)),
            shared: replay::Shared::default(),
            revoked: Mutex::new(Expiring::new(DEFAULT_REVOKED_CAPACITY)),
            node: random_letters(&OsRandom, 8),
            clock,
            options,
        };
        store.catch_up().await?;
        Ok(store)
    }

    fn heard(&self, asked: Duration) {
        self.heard_at.fetch_max(millis(asked), Ordering::Relaxed);
    }

    /// How long the database has not answered; nothing where it is a file of this machine.
    fn silence(&self) -> Duration {
        match self.database.dialect {
            Dialect::Sqlite => Duration::ZERO,
            Dialect::Postgres => {
                let heard = Duration::from_millis(self.heard_at.load(Ordering::Relaxed));
                self.clock.monotonic().saturating_sub(heard)
            }
        }
    }

    fn not_silent_for(&self, longest: Duration) -> Result<(), StoreError> {
        let silence = self.silence();
        if silence > longest {
            let text = format!("no answer from the database for {} s", silence.as_secs());
            return Err(StoreError::Unavailable(text));
        }
        Ok(())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Times are stored as milliseconds; beyond the year 292 million there is none.
fn stored(time: UnixTime) -> i64 {
    i64::try_from(time.millis()).unwrap_or(i64::MAX)
}

fn restored(millis: i64) -> UnixTime {
    UnixTime::from_millis(u64::try_from(millis).unwrap_or_default())
}

impl Store for SqlStore {
    fn registry(&self) -> Result<Arc<Registry>, StoreError> {
        self.not_silent_for(self.options.snapshot_max_age)?;
        Ok(Arc::clone(&self.snapshot.load().registry))
    }

    fn vouch(&self) -> Result<(), StoreError> {
        self.not_silent_for(self.options.max_staleness)
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn change(&self, change: Change) -> BoxFuture<'_, Result<Arc<Registry>, StoreError>> {
        Box::pin(self.apply(change))
    }

    fn consume<'a>(
        &'a self,
        keys: &'a [ReplayKey],
        now: UnixTime,
    ) -> BoxFuture<'a, Result<Consumption, StoreError>> {
        Box::pin(async move {
            match self.replay {
                ReplayScope::Shared => self.shared.consume(&self.database, keys, now).await,
                _ => Ok(lock(&self.consumed).consume(keys, now)),
            }
        })
    }

    fn replay_scope(&self) -> ReplayScope {
        self.replay
    }

    fn revoke<'a>(&'a self, token: &'a TokenRef, now: UnixTime) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.revoke_one(token, now))
    }

    fn status(&self, jti: &str) -> Result<TokenStatus, StoreError> {
        self.vouch()?;
        let revoked = lock(&self.revoked).contains(jti);
        Ok(if revoked { TokenStatus::Revoked } else { TokenStatus::Standing })
    }

    fn revoked(&self, now: UnixTime) -> Result<Vec<String>, StoreError> {
        self.vouch()?;
        Ok(lock(&self.revoked).alive(now))
    }

    fn append<'a>(&'a self, batch: &'a mut Batch) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.store_batch(batch))
    }

    fn audit<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        Box::pin(self.find_records(query))
    }

    fn activity<'a>(&'a self, window: &'a Window) -> BoxFuture<'a, Result<Activity, StoreError>> {
        Box::pin(self.count_decisions(window))
    }

    fn usage<'a>(&'a self, client: &'a ClientId) -> BoxFuture<'a, Result<Usage, StoreError>> {
        Box::pin(self.used_by(client))
    }

    fn last_uses<'a>(
        &'a self,
        credentials: &'a [CredentialId],
    ) -> BoxFuture<'a, Result<LastUses, StoreError>> {
        Box::pin(self.uses_of(credentials))
    }

    fn claim<'a>(&'a self, fingerprint: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.claim_for(fingerprint))
    }

    fn work(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.follow_and_forget())
    }

    fn propagation(&self) -> Duration {
        match self.database.dialect {
            Dialect::Sqlite => Duration::ZERO,
            Dialect::Postgres => Duration::from_secs(1),
        }
    }

    fn max_staleness(&self) -> Duration {
        match self.database.dialect {
            Dialect::Sqlite => Duration::ZERO,
            Dialect::Postgres => self.options.max_staleness,
        }
    }

    fn statements(&self) -> u64 {
        self.database.statements()
    }
}

#[cfg(test)]
mod tests;
