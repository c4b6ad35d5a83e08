//! The work besides requests: following other nodes, and forgetting what is old.
//!
//! A node of PostgreSQL asks for changes as soon as another one tells of a change, and in any case every
//! half second, which also shows whether the database is there. A SQLite file has one node, which looks only
//! when it did not see how a change of its own ended.

use std::time::Duration;

use super::SqlStore;
use super::database::Dialect;

/// How often old records are looked for.
const PURGE_EVERY: Duration = Duration::from_secs(60);
/// How long to wait before listening again.
#[cfg(feature = "postgres")]
const RECONNECT: Duration = Duration::from_secs(1);

impl SqlStore {
    /// As [`Store::work`](crate::store::Store::work).
    pub(super) async fn follow_and_forget(&self) {
        tokio::join!(self.listen(), self.follow(), self.forget());
    }

    async fn forget(&self) {
        loop {
            self.clock.sleep(PURGE_EVERY).await;
            if let Err(error) = self.forget_old(self.clock.wall()).await {
                tracing::warn!(%error, "old records cannot be removed");
            }
        }
    }

    /// Asks for changes when told to, and, where there are other nodes, every half second.
    async fn follow(&self) {
        let mut reachable = true;
        loop {
            let poll = async {
                match self.database.dialect {
                    Dialect::Sqlite => std::future::pending().await,
                    Dialect::Postgres => self.clock.sleep(self.options.poll).await,
                }
            };
            tokio::select! {
                () = self.told.notified() => {}
                () = poll => {}
            }
            let heard = self.catch_up().await;
            match &heard {
                Ok(()) if !reachable => tracing::warn!("the database answers again"),
                Err(error) if reachable => tracing::error!(%error, "the database does not answer"),
                _ => {}
            }
            reachable = heard.is_ok();
        }
    }

    /// Listens to what other nodes tell. While it cannot, the poll does its work.
    #[cfg(feature = "postgres")]
    async fn listen(&self) {
        if self.database.dialect == Dialect::Sqlite {
            return;
        }
        loop {
            if let Ok(mut listener) = sqlx::postgres::PgListener::connect(&self.options.url).await
                && listener.listen(super::database::CHANNEL).await.is_ok()
            {
                // What was told before it listened.
                self.told.notify_one();
                while listener.try_recv().await.is_ok_and(|notification| notification.is_some()) {
                    self.told.notify_one();
                }
            }
            self.clock.sleep(RECONNECT).await;
        }
    }

    #[cfg(not(feature = "postgres"))]
    async fn listen(&self) {}
}
