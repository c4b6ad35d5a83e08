//! The work besides requests: following other nodes, and forgetting what is old.
//!
//! A node of PostgreSQL asks for changes as soon as another one tells of a change, and in any case every
//! half second, which also shows whether the database is there. A SQLite file has one node, which looks for
//! changes of its own whose end it did not see: when it happened, and later, as the commit may still be under way.

use std::time::Duration;

use tokio::sync::Notify;

use super::SqlStore;
use super::database::Database;
#[cfg(feature = "postgres")]
use super::database::Dialect;
use crate::store::StoreError;

/// How often old records are looked for.
const PURGE_EVERY: Duration = Duration::from_secs(60);
/// How long to wait before listening again.
#[cfg(feature = "postgres")]
const RECONNECT: Duration = Duration::from_secs(1);

impl SqlStore {
    /// As [`Store::work`](crate::store::Store::work).
    pub(super) async fn follow_and_forget(&self) {
        let back = Notify::new();
        tokio::join!(self.listen(&back), self.follow(&back), self.forget());
    }

    async fn forget(&self) {
        loop {
            self.clock.sleep(PURGE_EVERY).await;
            if let Err(error) = self.forget_old(self.clock.wall()).await {
                tracing::warn!(%error, "old records cannot be removed");
            }
        }
    }

    /// Asks for changes when told to, and every half second.
    async fn follow(&self, back: &Notify) {
        let mut followed = Followed { database: &self.database, reachable: true, back };
        loop {
            tokio::select! {
                () = self.told.notified() => {}
                () = self.clock.sleep(self.options.poll) => {}
            }
            followed.heard(&self.catch_up().await);
        }
    }

    /// Listens to what other nodes tell. While it cannot, the poll does its work. Once the database is `back`, it
    /// listens anew: the old connection may never learn that nobody is there.
    #[cfg(feature = "postgres")]
    async fn listen(&self, back: &Notify) {
        if self.database.dialect == Dialect::Sqlite {
            return;
        }
        loop {
            if let Ok(mut listener) = sqlx::postgres::PgListener::connect(&self.options.url).await
                && listener.listen(super::database::CHANNEL).await.is_ok()
            {
                // What was told before it listened.
                self.told.notify_one();
                loop {
                    tokio::select! {
                        heard = listener.try_recv() => match heard {
                            Ok(Some(_)) => self.told.notify_one(),
                            _ => break,
                        },
                        () = back.notified() => break,
                    }
                }
            }
            self.clock.sleep(RECONNECT).await;
        }
    }

    #[cfg(not(feature = "postgres"))]
    async fn listen(&self, _: &Notify) {}
}

/// Whether the database answers whoever follows. While it does not, nobody else waits for it; once nobody
/// follows any more, everybody has to find out for himself.
struct Followed<'d> {
    database: &'d Database,
    reachable: bool,
    back: &'d Notify,
}

impl Followed<'_> {
    fn heard(&mut self, heard: &Result<(), StoreError>) {
        match heard {
            Ok(()) if !self.reachable => {
                tracing::warn!("the database answers again");
                self.back.notify_one();
            }
            Err(error) if self.reachable => tracing::error!(%error, "the database cannot be followed"),
            _ => {}
        }
        self.reachable = heard.is_ok();
        match heard {
            Err(StoreError::Unavailable(_)) => self.database.is_away(),
            _ => self.database.may_answer(),
        }
    }
}

impl Drop for Followed<'_> {
    fn drop(&mut self) {
        self.database.may_answer();
    }
}
