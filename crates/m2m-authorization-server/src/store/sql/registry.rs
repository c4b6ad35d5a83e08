//! Changes of the registry and of what is revoked, each under the next revision.

use std::sync::Arc;
use std::time::Duration;

use m2m_proto::time::UnixTime;
use sqlx::Row as _;
use sqlx::any::AnyRow;
use tokio::sync::Notify;

use super::database::{CHANNEL, Dialect, Open, unavailable};
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

const FORGET_USES: &str = "DELETE FROM m2m_last_use WHERE client_id = $1";
const FORGET_SCOPES: &str = "DELETE FROM m2m_scope_use WHERE client_id = $1";

const LATEST: &str = "SELECT latest FROM m2m_revision WHERE one = 1";

const CLAIM: &str =
    "INSERT INTO m2m_settings (name, value) VALUES ('sealing_key', $1) ON CONFLICT (name) DO NOTHING";
const CLAIMED: &str = "SELECT value FROM m2m_settings WHERE name = 'sealing_key'";

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
        let asked = self.clock.monotonic();
        let revision = self.next_revision(&mut open).await?;
        // Nobody else takes one before this transaction ends, so this is all that there is below it.
        let before = self.snapshot.load_full();
        let snapshot = usable(&before, revision - 1);
        let rows =
            self.database.all_in(&mut open, self.database.statement(NEWER).bind(snapshot.revision)).await?;
        let revoked = self.database.statement(REVOKED_NEWER).bind(snapshot.revision);
        let revoked = self.database.all_in(&mut open, revoked).await?;
        let newest = newer(&snapshot, &rows)?;
        let deleted = match &change {
            Change::DeleteClient(client, _) => Some(client.clone()),
            _ => None,
        };
        let applied = match newest.apply(change) {
            Ok(applied) => applied,
            Err(conflict) => {
                // Dropping the transaction takes the revision back. What contradicts may be news here.
                drop(open);
                self.take_revoked(&revoked)?;
                if before.revision != revision - 1 {
                    self.install(&before, Snapshot { registry: newest, revision: revision - 1 }, asked);
                }
                return Err(conflict.into());
            }
        };
        if let Some(client) = deleted {
            for sql in [FORGET_USES, FORGET_SCOPES] {
                let forget = self.database.statement(sql).bind(client.as_str().to_owned());
                self.database.run_in(&mut open, forget).await?;
            }
        }
        for entity in &applied.touched {
            let row = Row::of(&applied.registry, entity)?;
            let put =
                self.database.statement(PUT).bind(row.kind).bind(row.id).bind(revision).bind(row.document);
            self.database.run_in(&mut open, put).await?;
        }
        self.tell(&mut open, revision).await?;
        let unsure = Unsure(Some(&self.told));
        self.database.commit(open).await?;
        unsure.settled();
        self.take_revoked(&revoked)?;
        let registry = Arc::new(applied.registry);
        self.install(&before, Snapshot { registry: Arc::clone(&registry), revision }, asked);
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

    /// Takes over what was read of the database at `asked` and made of `before`, unless something newer came first.
    fn install(&self, before: &Arc<Snapshot>, newest: Snapshot, asked: Duration) {
        {
            let _one_at_a_time = lock(&self.installing);
            let current = self.snapshot.load();
            if Arc::ptr_eq(&current, before) || newest.revision > current.revision {
                self.snapshot.store(Arc::new(newest));
            }
        }
        self.heard(asked);
        self.changes.send_modify(|count| *count += 1);
    }

    async fn next_revision(&self, open: &mut Open) -> Result<i64, StoreError> {
        let rows = self.database.all_in(open, self.database.statement(NEXT_REVISION)).await?;
        rows.first().map_or_else(|| Err(no_revision()), |row| number(row, 0))
    }

    /// Wakes the other nodes when the transaction is committed.
    async fn tell(&self, open: &mut Open, revision: i64) -> Result<(), StoreError> {
        match self.database.dialect {
            Dialect::Sqlite => Ok(()),
            Dialect::Postgres => {
                let notify = self.database.statement("SELECT pg_notify($1, $2)");
                self.database.run_in(open, notify.bind(CHANNEL).bind(revision.to_string())).await
            }
        }
    }

    /// Takes over what other nodes changed. It does not wait for changes made here, which may wait for others.
    pub(super) async fn catch_up(&self) -> Result<(), StoreError> {
        let before = self.snapshot.load_full();
        // What is read is at least as new as this moment; the answer may be long on its way.
        let asked = self.clock.monotonic();
        let latest = self.database.look(self.database.statement(LATEST)).await?;
        let latest = latest.first().map_or_else(|| Err(no_revision()), |row| number(row, 0))?;
        // A change made here meanwhile has told of itself; the next look sees what came after it.
        let snapshot = usable(&before, latest);
        if latest == snapshot.revision {
            self.heard(asked);
            return Ok(());
        }
        let revoked = self.database.statement(REVOKED_NEWER).bind(snapshot.revision);
        let revoked = self.database.look_closer(revoked).await?;
        let rows = self.database.look_closer(self.database.statement(NEWER).bind(snapshot.revision)).await?;
        self.take_revoked(&revoked)?;
        // Rows may be newer than `latest`; the same rows read again change nothing.
        let newest = Snapshot { registry: newer(&snapshot, &rows)?, revision: latest };
        self.install(&before, newest, asked);
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
        self.database.run_in(&mut open, put).await?;
        self.tell(&mut open, revision).await?;
        let unsure = Unsure(Some(&self.told));
        self.database.commit(open).await?;
        unsure.settled();
        // The database answered, but nothing was asked about others: this node is as old as before.
        lock(&self.revoked).insert(token.jti.clone(), token.expires_at);
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

fn no_revision() -> StoreError {
    StoreError::Unreadable("m2m_revision has no row".to_owned())
}

/// What is still good of a snapshot when the database is at revision `latest`: nothing, if it is not the one that
/// it was, but an older copy in its place.
fn usable(snapshot: &Arc<Snapshot>, latest: i64) -> Arc<Snapshot> {
    if snapshot.revision <= latest {
        return Arc::clone(snapshot);
    }
    tracing::error!(
        known = snapshot.revision,
        found = latest,
        "the database went back in time: everything is read again"
    );
    Arc::default()
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
