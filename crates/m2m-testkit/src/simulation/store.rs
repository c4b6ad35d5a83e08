//! The store of one node: a snapshot that follows the database, over a way that may be slow, lossy or cut.
//!
//! Enforces what `store/sql` promises of PostgreSQL: what was acknowledged is committed; a node that heard nothing for
//! [`MAX_STALENESS`] does not say what stands, and after an hour issues nothing. A commit whose answer was lost is an
//! error to whoever waits, and true all the same.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use m2m_authorization_server::audit::{Activity, Batch, Entry, Query, Window};
use m2m_authorization_server::registry::{Change, CredentialId, Registry};
use m2m_authorization_server::replay::ReplayKey;
use m2m_authorization_server::store::{
    Consumption, LastUses, ReplayScope, Store, StoreError, TokenRef, TokenStatus, Usage,
};
use m2m_io::{BoxFuture, Clock};
use m2m_proto::client_id::ClientId;
use m2m_proto::time::UnixTime;
use tokio::sync::{Notify, watch};

use super::chance::Chance;
use super::database::{self, Database, Looking, MAX_STALENESS, News, PROPAGATION, Writing};
use super::defect::Defect;
use super::journal::Journal;
use super::links::{Links, Way};

/// How often a node asks, told or not.
const POLL: Duration = Duration::from_millis(500);
const FORGET_EVERY: Duration = Duration::from_secs(60);
const SNAPSHOT_MAX_AGE: Duration = Duration::from_secs(60 * 60);

#[derive(Debug, Default)]
struct Snapshot {
    registry: Arc<Registry>,
    revision: u64,
}

/// What a store is made of.
#[derive(Debug)]
pub(super) struct Around {
    pub(super) database: Arc<Database>,
    pub(super) links: Arc<Links>,
    pub(super) journal: Arc<Journal>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) chance: Chance,
    pub(super) defect: Option<Defect>,
    /// The node's name.
    pub(super) node: String,
    /// How often the node was started, this time included.
    pub(super) start: u32,
}

#[derive(Debug)]
pub(super) struct NodeStore {
    around: Around,
    alive: AtomicBool,
    snapshot: Mutex<Arc<Snapshot>>,
    changing: tokio::sync::Mutex<()>,
    changes: watch::Sender<u64>,
    told: Arc<Notify>,
    /// When the database last answered the question for news, in milliseconds of the monotonic clock.
    heard_at: AtomicU64,
    revoked: Mutex<BTreeMap<String, UnixTime>>,
    /// Only looked at under [`Defect::ReplayMemoryOfOneNode`].
    own_replay: Mutex<BTreeMap<[u8; 32], UnixTime>>,
    /// Only under [`Defect::NeverReconnects`].
    stuck: AtomicBool,
    acts: AtomicU64,
}

/// The way back of one answer.
struct Back {
    takes: Duration,
    lost: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn away(why: &str) -> StoreError {
    StoreError::Unavailable(why.to_owned())
}

impl NodeStore {
    pub(super) fn new(around: Around) -> Self {
        Self {
            alive: AtomicBool::new(true),
            snapshot: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            changes: watch::Sender::new(0),
            told: Arc::new(Notify::new()),
            heard_at: AtomicU64::new(0),
            revoked: Mutex::default(),
            own_replay: Mutex::default(),
            stuck: AtomicBool::new(false),
            acts: AtomicU64::new(0),
            around,
        }
    }

    /// Listens, and reads everything: what a node does before it serves.
    pub(super) async fn open(&self) -> Result<(), StoreError> {
        self.around.database.listen(&self.around.node, &self.told);
        if self.has(Defect::ForgetsAtRestart) && self.around.start > 1 {
            let revision = self.around.database.latest();
            *lock(&self.snapshot) = Arc::new(Snapshot { revision, ..Snapshot::default() });
        }
        self.catch_up().await
    }

    /// The process is gone: nothing that it still does has an effect.
    pub(super) fn die(&self) {
        self.alive.store(false, Ordering::Relaxed);
    }

    fn has(&self, defect: Defect) -> bool {
        self.around.defect == Some(defect)
    }

    fn note(&self, what: &str) {
        self.around.journal.write(&format!("store {}", self.around.node), what);
    }

    /// The way to the database.
    async fn reach(&self, what: &str) -> Result<Back, StoreError> {
        let Around { links, clock, chance, node, .. } = &self.around;
        let way = links.way(node, "database");
        let (there, back, fails, lost) = match way {
            Way::Good => (chance.millis(0, 6), chance.millis(0, 6), false, false),
            Way::Slow => (chance.millis(20, 900), chance.millis(20, 900), false, false),
            Way::Lossy => {
                (chance.millis(1, 80), chance.millis(1, 80), chance.percent(20), chance.percent(20))
            }
            Way::Cut => (chance.millis(0, 1500), Duration::ZERO, true, false),
        };
        clock.sleep(there).await;
        let cut = way == Way::Good && links.way(node, "database") == Way::Cut;
        if fails || cut || self.stuck.load(Ordering::Relaxed) {
            self.stuck.fetch_or(self.has(Defect::NeverReconnects) && way == Way::Cut, Ordering::Relaxed);
            self.note(&format!("{what} refused"));
            return Err(away("no way to the database"));
        }
        match self.alive.load(Ordering::Relaxed) {
            true => Ok(Back { takes: back, lost }),
            false => Err(away("the process is gone")),
        }
    }

    /// The way back. An error says nothing about whether it was done.
    async fn answered(&self, back: Back, what: &str) -> Result<(), StoreError> {
        self.around.clock.sleep(back.takes).await;
        if back.lost || self.around.links.way(&self.around.node, "database") == Way::Cut {
            self.note(&format!("{what} answer lost"));
            return Err(away("the answer was lost"));
        }
        match self.alive.load(Ordering::Relaxed) {
            true => Ok(()),
            false => Err(away("the process is gone")),
        }
    }

    fn known(&self) -> Arc<Snapshot> {
        Arc::clone(&lock(&self.snapshot))
    }

    fn install(&self, before: &Arc<Snapshot>, news: News, asked: Duration) {
        self.take_revoked(news.revoked);
        {
            let mut current = lock(&self.snapshot);
            if Arc::ptr_eq(&current, before) || news.revision > current.revision {
                *current = Arc::new(Snapshot { registry: news.registry, revision: news.revision });
            }
        }
        self.heard(asked);
        self.changes.send_modify(|count| *count += 1);
    }

    fn take_revoked(&self, tokens: Vec<TokenRef>) {
        let now = self.around.clock.wall();
        let mut known = lock(&self.revoked);
        known.retain(|_, expires_at| *expires_at > now);
        known.extend(tokens.into_iter().map(|token| (token.jti, token.expires_at)));
    }

    fn heard(&self, asked: Duration) {
        let millis = u64::try_from(asked.as_millis()).unwrap_or(u64::MAX);
        self.heard_at.fetch_max(millis, Ordering::Relaxed);
    }

    fn not_silent_for(&self, longest: Duration) -> Result<(), StoreError> {
        let heard = Duration::from_millis(self.heard_at.load(Ordering::Relaxed));
        match self.around.clock.monotonic().saturating_sub(heard) <= longest {
            true => Ok(()),
            false => Err(away("no answer from the database")),
        }
    }

    async fn catch_up(&self) -> Result<(), StoreError> {
        let (before, asked) = (self.known(), self.around.clock.monotonic());
        let back = self.reach("question for news").await?;
        let news = self.around.database.news(&before.registry, before.revision);
        self.answered(back, "question for news").await?;
        if news.revision == before.revision {
            self.heard(asked);
        } else {
            self.install(&before, news, asked);
        }
        Ok(())
    }

    async fn follow(&self) {
        loop {
            let polled = tokio::select! {
                biased;
                () = self.told.notified() => false,
                () = self.around.clock.sleep(POLL) => true,
            };
            if polled && self.has(Defect::NeverAsksAgain) {
                let asked = self.around.clock.monotonic();
                if self.reach("question for news").await.is_ok() {
                    self.heard(asked);
                }
                continue;
            }
            // What it could not learn it asks for again.
            let _unknown = self.catch_up().await;
        }
    }

    async fn forget(&self) {
        loop {
            self.around.clock.sleep(FORGET_EVERY).await;
            if self.reach("clearing").await.is_ok() {
                self.around.database.forget(self.around.clock.wall());
            }
        }
    }

    fn writing(&self) -> Writing {
        let act = self.acts.fetch_add(1, Ordering::Relaxed) + 1;
        match self.around.defect {
            Some(Defect::ChangeDropped) if act.is_multiple_of(4) => Writing::Dropped,
            Some(Defect::StaleChange) => Writing::Stale,
            _ => Writing::Whole,
        }
    }

    async fn apply(&self, change: Change) -> Result<Arc<Registry>, StoreError> {
        let _one_at_a_time = self.changing.lock().await;
        let back = self.reach("change").await?;
        let (before, asked) = (self.known(), self.around.clock.monotonic());
        let written = self.around.database.change(&before.registry, before.revision, change, self.writing());
        if written.refused.is_none() {
            self.around.database.tell(&self.around.node);
        }
        if let Err(error) = self.answered(back, "change").await {
            // It may have been made, so whoever follows is sent to look.
            self.told.notify_one();
            return Err(error);
        }
        let registry = Arc::clone(&written.news.registry);
        self.install(&before, written.news, asked);
        written.refused.map_or(Ok(registry), |conflict| Err(conflict.into()))
    }

    async fn revoke_one(&self, token: &TokenRef, now: UnixTime) -> Result<(), StoreError> {
        if token.expires_at <= now || lock(&self.revoked).contains_key(&token.jti) {
            return Ok(());
        }
        let back = self.reach("revocation").await?;
        if !self.has(Defect::RevocationDropped) {
            self.around.database.revoke(token);
            self.around.database.tell(&self.around.node);
        }
        if let Err(error) = self.answered(back, "revocation").await {
            self.told.notify_one();
            return Err(error);
        }
        lock(&self.revoked).insert(token.jti.clone(), token.expires_at);
        self.changes.send_modify(|count| *count += 1);
        Ok(())
    }

    async fn consume_all(&self, keys: &[ReplayKey], now: UnixTime) -> Result<Consumption, StoreError> {
        let back = self.reach("consumption").await?;
        let looking = if self.has(Defect::ReplaysAdmitted) { Looking::Away } else { Looking::ForReplays };
        let done = match self.has(Defect::ReplayMemoryOfOneNode) {
            true => database::consume(&mut lock(&self.own_replay), keys, now, looking),
            false => self.around.database.consume(keys, now, looking),
        };
        self.answered(back, "consumption").await?;
        Ok(done)
    }
}

impl Store for NodeStore {
    fn registry(&self) -> Result<Arc<Registry>, StoreError> {
        self.not_silent_for(SNAPSHOT_MAX_AGE)?;
        Ok(Arc::clone(&self.known().registry))
    }

    fn vouch(&self) -> Result<(), StoreError> {
        match self.has(Defect::VouchesForever) {
            true => Ok(()),
            false => self.not_silent_for(MAX_STALENESS),
        }
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
        Box::pin(self.consume_all(keys, now))
    }

    fn replay_scope(&self) -> ReplayScope {
        ReplayScope::Shared
    }

    fn revoke<'a>(&'a self, token: &'a TokenRef, now: UnixTime) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.revoke_one(token, now))
    }

    fn status(&self, jti: &str) -> Result<TokenStatus, StoreError> {
        self.vouch()?;
        let revoked = lock(&self.revoked).contains_key(jti);
        Ok(if revoked { TokenStatus::Revoked } else { TokenStatus::Standing })
    }

    fn revoked(&self, now: UnixTime) -> Result<Vec<String>, StoreError> {
        self.vouch()?;
        let known = lock(&self.revoked);
        Ok(known.iter().filter(|(_, expires_at)| **expires_at > now).map(|(jti, _)| jti.clone()).collect())
    }

    fn append<'a>(&'a self, batch: &'a mut Batch) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let back = self.reach("audit").await?;
            let process = format!("{}.{}", self.around.node, self.around.start);
            let mut stored = batch.clone();
            self.around.database.append(&process, &mut stored);
            self.answered(back, "audit").await?;
            *batch = stored;
            Ok(())
        })
    }

    fn audit<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        Box::pin(async move {
            let back = self.reach("audit").await?;
            let found = self.around.database.audit(query);
            self.answered(back, "audit").await?;
            Ok(found)
        })
    }

    fn activity<'a>(&'a self, window: &'a Window) -> BoxFuture<'a, Result<Activity, StoreError>> {
        Box::pin(async move {
            let back = self.reach("activity").await?;
            let all = Query { limit: usize::MAX, ..Query::default() };
            let found = self.around.database.audit(&all);
            self.answered(back, "activity").await?;
            Ok(Activity::of(window, found.iter().map(|entry| &entry.record)))
        })
    }

    fn usage<'a>(&'a self, client: &'a ClientId) -> BoxFuture<'a, Result<Usage, StoreError>> {
        Box::pin(async move {
            let back = self.reach("usage").await?;
            self.answered(back, "usage").await?;
            Ok(self.around.database.usage(client))
        })
    }

    fn last_uses<'a>(
        &'a self,
        credentials: &'a [CredentialId],
    ) -> BoxFuture<'a, Result<LastUses, StoreError>> {
        Box::pin(async move {
            let back = self.reach("last_uses").await?;
            self.answered(back, "last_uses").await?;
            Ok(self.around.database.last_uses(credentials))
        })
    }

    fn claim<'a>(&'a self, fingerprint: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let back = self.reach("claim").await?;
            let own = self.around.database.claim(fingerprint);
            self.answered(back, "claim").await?;
            if own { Ok(()) } else { Err(StoreError::OtherSealingKey) }
        })
    }

    fn work(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            tokio::join!(self.follow(), self.forget());
        })
    }

    fn propagation(&self) -> Duration {
        PROPAGATION
    }

    fn max_staleness(&self) -> Duration {
        MAX_STALENESS
    }
}
