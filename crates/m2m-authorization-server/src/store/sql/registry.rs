//! Changes of the registry and of what is revoked, each under the next revision.

use std::sync::Arc;

use m2m_proto::time::UnixTime;
use sqlx::any::AnyRow;
use sqlx::{Any, Row as _, Transaction};
use tokio::sync::Notify;

use super::database::{CHANNEL, Dialect, Statement, unavailable};
use super::document::{self, Row};
use super::{Snapshot, SqlStore, lock, restored, stored};
use crate::registry::{Change, Registry};
use crate::store::{StoreError, TokenRef};

/// What is newer than a revision, clients before their credentials. One statement, so that it is one
/// look at the database: in two, a client that changes in between would be in neither.
const NEWER: &str = "SELECT kind, id, revision, document FROM m2m_registry WHERE revision > $1 \
     ORDER BY CASE kind WHEN 'credential' THEN 1 ELSE 0 END, revision";

/// Takes the next revision. The row stays locked until the transaction ends, so that revisions become
/// visible in their order.
const NEXT_REVISION: &str = "UPDATE m2m_revision SET latest = latest + 1 WHERE one = 1 RETURNING latest";

const PUT: &str = "INSERT INTO m2m_registry (kind, id, revision, document) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (kind, id) DO UPDATE SET revision = excluded.revision, document = excluded.document";

const PUT_REVOKED: &str = "INSERT INTO m2m_revoked (jti, expires_at, revision) VALUES ($1, $2, $3) \
     ON CONFLICT (jti) DO NOTHING";

const REVOKED_NEWER: &str = "SELECT jti, expires_at, revision FROM m2m_revoked WHERE revision > $1";

const LATEST: &str = "SELECT latest FROM m2m_revision WHERE one = 1";

const CLAIM: &str =
    "INSERT INTO m2m_settings (name, value) VALUES ('sealing_key', $1) ON CONFLICT (name) DO NOTHING";
const CLAIMED: &str = "SELECT value FROM m2m_settings WHERE name = 'sealing_key'";

type Open = Transaction<'static, Any>;

fn text(row: &AnyRow, column: usize) -> Result<String, StoreError> {
    row.try_get(column).map_err(unavailable)
}

fn number(row: &AnyRow, column: usize) -> Result<i64, StoreError> {
    row.try_get(column).map_err(unavailable)
}

impl SqlStore {
    /// Applies one change; see [`Store::change`](crate::store::Store::change).
    pub(super) async fn apply(&self, change: Change) -> Result<Arc<Registry>, StoreError> {
        let _one_at_a_time = self.changing.lock().await;
        let mut open = self.database.begin().await?;
        let revision = self.next_revision(&mut open).await?;
        let snapshot = self.snapshot.load_full();
        let rows = run_in(&mut open, self.database.statement(NEWER).bind(snapshot.revision)).await?;
        let revoked =
            run_in(&mut open, self.database.statement(REVOKED_NEWER).bind(snapshot.revision)).await?;
        let newest = newer(&snapshot, &rows)?;
        // Dropping the transaction takes the revision back.
        let applied = newest.apply(change)?;
        for entity in &applied.touched {
            let row = Row::of(&applied.registry, entity)?;
            let put =
                self.database.statement(PUT).bind(row.kind).bind(row.id).bind(revision).bind(row.document);
            execute_in(&mut open, put).await?;
        }
        self.tell(&mut open, revision).await?;
        let unsure = Unsure(Some(&self.told));
        open.commit().await.map_err(unavailable)?;
        unsure.settled();
        self.take_revoked(&revoked)?;
        let registry = Arc::new(applied.registry);
        self.install(Arc::clone(&registry), revision);
        Ok(registry)
    }

    fn take_revoked(&self, rows: &[AnyRow]) -> Result<(), StoreError> {
        let mut known = lock(&self.revoked);
        known.drop_expired(self.clock.wall());
        for row in rows {
            known.insert(text(row, 0)?, restored(number(row, 1)?));
        }
        Ok(())
    }

    fn install(&self, registry: Arc<Registry>, revision: i64) {
        self.snapshot.store(Arc::new(Snapshot { registry, revision }));
        self.heard();
        self.changes.send_modify(|count| *count += 1);
    }

    async fn next_revision(&self, open: &mut Open) -> Result<i64, StoreError> {
        let statement = self.database.statement(NEXT_REVISION);
        let row = statement.fetch_one(&mut **open).await.map_err(unavailable)?;
        number(&row, 0)
    }

    /// Wakes the other nodes when the transaction is committed.
    async fn tell(&self, open: &mut Open, revision: i64) -> Result<(), StoreError> {
        match self.database.dialect {
            Dialect::Sqlite => Ok(()),
            Dialect::Postgres => {
                let notify = self.database.statement("SELECT pg_notify($1, $2)");
                execute_in(open, notify.bind(CHANNEL).bind(revision.to_string())).await
            }
        }
    }

    /// Takes over what other nodes changed.
    pub(super) async fn catch_up(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.changing.lock().await;
        let snapshot = self.snapshot.load_full();
        let latest = self.database.all(self.database.statement(LATEST)).await?;
        let latest = latest.first().map_or(Ok(0), |row| number(row, 0))?;
        if latest <= snapshot.revision {
            self.heard();
            return Ok(());
        }
        let revoked =
            self.database.all(self.database.statement(REVOKED_NEWER).bind(snapshot.revision)).await?;
        let rows = self.database.all(self.database.statement(NEWER).bind(snapshot.revision)).await?;
        self.take_revoked(&revoked)?;
        // Rows may be newer than `latest`; the same rows read again change nothing.
        self.install(newer(&snapshot, &rows)?, latest);
        Ok(())
    }

    /// Withdraws a token; see [`Store::revoke`](crate::store::Store::revoke).
    pub(super) async fn revoke_one(&self, token: &TokenRef, now: UnixTime) -> Result<(), StoreError> {
        if !lock(&self.revoked).must_remember(token, now)? {
            return Ok(());
        }
        let mut open = self.database.begin().await?;
        let revision = self.next_revision(&mut open).await?;
        let put = self.database.statement(PUT_REVOKED);
        let put = put.bind(token.jti.clone()).bind(stored(token.expires_at)).bind(revision);
        execute_in(&mut open, put).await?;
        self.tell(&mut open, revision).await?;
        let unsure = Unsure(Some(&self.told));
        open.commit().await.map_err(unavailable)?;
        unsure.settled();
        lock(&self.revoked).insert(token.jti.clone(), token.expires_at);
        self.heard();
        self.changes.send_modify(|count| *count += 1);
        Ok(())
    }

    /// See [`Store::claim`](crate::store::Store::claim).
    pub(super) async fn claim_for(&self, fingerprint: &str) -> Result<(), StoreError> {
        self.database.run(self.database.statement(CLAIM).bind(fingerprint.to_owned())).await?;
        let rows = self.database.all(self.database.statement(CLAIMED)).await?;
        match rows.first().map(|row| text(row, 0)).transpose()? {
            Some(known) if known == fingerprint => Ok(()),
            _ => Err(StoreError::OtherSealingKey),
        }
    }
}

/// A commit whose end nobody saw, because the caller hung up or the connection broke: the database may have
/// it, so whoever follows is sent to look.
struct Unsure<'n>(Option<&'n Notify>);

impl Unsure<'_> {
    fn settled(mut self) {
        self.0 = None;
    }
}

impl Drop for Unsure<'_> {
    fn drop(&mut self) {
        if let Some(told) = self.0 {
            told.notify_one();
        }
    }
}

async fn run_in(open: &mut Open, statement: Statement<'_>) -> Result<Vec<AnyRow>, StoreError> {
    statement.fetch_all(&mut **open).await.map_err(unavailable)
}

async fn execute_in(open: &mut Open, statement: Statement<'_>) -> Result<(), StoreError> {
    statement.execute(&mut **open).await.map(drop).map_err(unavailable)
}

/// The snapshot with newer rows in it.
fn newer(snapshot: &Snapshot, rows: &[AnyRow]) -> Result<Arc<Registry>, StoreError> {
    if rows.is_empty() {
        return Ok(Arc::clone(&snapshot.registry));
    }
    let mut registry = Registry::clone(&snapshot.registry);
    for row in rows {
        registry.restore(document::restore(&text(row, 0)?, &text(row, 1)?, &text(row, 3)?)?);
    }
    Ok(Arc::new(registry))
}
