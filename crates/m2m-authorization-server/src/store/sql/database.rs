//! The connection: which database, its pool, its schema, and the count of statements.
//!
//! Enforces: the schema is brought up to date before anything else, by one node at a time; a SQLite file is
//! written ahead (WAL) and synced before a commit is acknowledged; nothing waits longer than 5 s for
//! a connection, nor much longer for an answer of PostgreSQL, even when the network between falls silent; while it is
//! known not to answer, nobody waits at all.

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use m2m_io::Clock;
use sqlx::any::{AnyArguments, AnyPoolOptions, AnyQueryResult, AnyRow};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AnyPool, Connection as _, Executor as _, SqlStr, Transaction};
use tokio::sync::watch;

use crate::store::StoreError;

/// How long anything waits for a connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long anything waits for PostgreSQL. Longer than `statement_timeout`, which says more about what was slow.
const ANSWER: Duration = Duration::from_secs(6);
/// How long whoever follows waits until he says that it does not answer, and a connection until it is given up.
const LOOK: Duration = Duration::from_secs(2);
/// Connections to PostgreSQL per node.
const CONNECTIONS: u32 = 8;
/// Where nodes tell each other of changes.
pub(super) const CHANNEL: &str = "m2m";

/// Every version of the schema, in order. What was released is never edited.
const MIGRATIONS: [(i64, &str, &str); 1] = [(1, "first schema", include_str!("schema.sql"))];

/// Which database it is. The statements are the same; these are the differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// One file, one node.
    Sqlite,
    /// Many nodes, which tell each other.
    Postgres,
}

impl Dialect {
    /// By the scheme of the URL.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] for a scheme that this build does not speak.
    pub(super) fn of(url: &str) -> Result<Self, StoreError> {
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        match scheme {
            "sqlite" if cfg!(feature = "sqlite") => Ok(Self::Sqlite),
            "postgres" | "postgresql" if cfg!(feature = "postgres") => Ok(Self::Postgres),
            _ => Err(StoreError::Unreadable(format!(
                "{scheme:?} is no database that this program speaks: sqlite:PATH or postgres://HOST/NAME"
            ))),
        }
    }
}

/// An open database.
#[derive(Debug)]
pub(super) struct Database {
    pool: AnyPool,
    pub(super) dialect: Dialect,
    clock: Arc<dyn Clock>,
    statements: AtomicU64,
    /// Told by whoever follows and asks again: it does not answer.
    away: watch::Sender<bool>,
}

/// What a caller binds values to.
pub(super) type Statement<'q> = Query<'q, Any, AnyArguments>;

/// A transaction; dropped, it is taken back.
pub(super) type Open = Transaction<'static, Any>;

impl Database {
    /// Connects, and brings the schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], and [`StoreError::Unreadable`] for a schema of another version.
    pub(super) async fn open(url: &str, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let dialect = Dialect::of(url)?;
        sqlx::any::install_default_drivers();
        let (url, connections): (Cow<'_, str>, u32) = match dialect {
            Dialect::Postgres => (url.into(), CONNECTIONS),
            // One writer: nobody ever waits for a lock of the file.
            Dialect::Sqlite if url.contains('?') => (url.into(), 1),
            Dialect::Sqlite => (format!("{url}?mode=rwc").into(), 1),
        };
        let settings = match dialect {
            Dialect::Sqlite => SQLITE_SETTINGS,
            Dialect::Postgres => POSTGRES_SETTINGS,
        };
        let options =
            AnyPoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE).after_connect(
                move |connection, _| Box::pin(async move { connection.execute(settings).await.map(drop) }),
            );
        let options = match dialect {
            Dialect::Postgres => {
                let clock = Arc::clone(&clock);
                options.after_release(move |connection, _| {
                    Box::pin(still_answers(connection, Arc::clone(&clock)))
                })
            }
            // What is in memory ends with its connection.
            Dialect::Sqlite => options.idle_timeout(None).max_lifetime(None),
        };
        let pool = options.connect(&url).await.map_err(unavailable)?;
        let database =
            Self { pool, dialect, clock, statements: AtomicU64::new(0), away: watch::Sender::new(false) };
        database.migrate().await?;
        Ok(database)
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        let migration = |(version, name, sql): (i64, &'static str, &'static str)| {
            let kind = MigrationType::Simple;
            Migration::new(version, name.into(), kind, SqlStr::from_static(sql), false)
        };
        let migrator = Migrator::with_migrations(MIGRATIONS.into_iter().map(migration).collect());
        migrator.run(&self.pool).await.map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(error) => unavailable(error),
            error => StoreError::Unreadable(error.to_string()),
        })
    }

    /// A statement that is counted.
    pub(super) fn statement(&self, sql: &'static str) -> Statement<'static> {
        self.count();
        sqlx::query(sql)
    }

    /// A statement that was put together here, of nothing but our own words.
    pub(super) fn composed(&self, sql: String) -> Statement<'static> {
        self.count();
        sqlx::query(sqlx::AssertSqlSafe(sql))
    }

    fn count(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }

    /// Statements sent so far.
    pub(super) fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Nobody waits for it any more: it was asked and did not answer.
    pub(super) fn is_away(&self) {
        self.away.send_replace(true);
    }

    /// It answers, or nobody asks any more whether it does.
    pub(super) fn may_answer(&self) {
        self.away.send_replace(false);
    }

    /// Waits for an answer, but not for a network that fell silent.
    async fn answer<T>(
        &self,
        longest: Duration,
        ask: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, StoreError> {
        match self.dialect {
            Dialect::Sqlite => ask.await.map_err(unavailable),
            Dialect::Postgres => tokio::select! {
                biased;
                answer = ask => answer.map_err(unavailable),
                () = self.clock.sleep(longest) => Err(no_answer()),
            },
        }
    }

    /// The same, and not at all for a database that is known not to answer.
    async fn answer_if_there<T>(
        &self,
        ask: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, StoreError> {
        let mut away = self.away.subscribe();
        tokio::select! {
            biased;
            _ = away.wait_for(|away| *away) => Err(no_answer()),
            answer = self.answer(ANSWER, ask) => answer,
        }
    }

    pub(super) async fn begin(&self) -> Result<Open, StoreError> {
        self.answer_if_there(self.pool.begin()).await
    }

    pub(super) async fn commit(&self, open: Open) -> Result<(), StoreError> {
        self.answer(ANSWER, open.commit()).await
    }

    pub(super) async fn all_in(
        &self,
        open: &mut Open,
        statement: Statement<'_>,
    ) -> Result<Vec<AnyRow>, StoreError> {
        self.answer(ANSWER, statement.fetch_all(&mut **open)).await
    }

    pub(super) async fn run_in(&self, open: &mut Open, statement: Statement<'_>) -> Result<(), StoreError> {
        self.answer(ANSWER, statement.execute(&mut **open)).await.map(drop)
    }

    /// A short question to a database that may not answer, which is how one learns that it does again.
    pub(super) async fn look(&self, statement: Statement<'_>) -> Result<Vec<AnyRow>, StoreError> {
        self.answer(LOOK, statement.fetch_all(&self.pool)).await
    }

    /// For whoever had an answer just now, whatever is said of the database elsewhere.
    pub(super) async fn look_closer(&self, statement: Statement<'_>) -> Result<Vec<AnyRow>, StoreError> {
        self.answer(ANSWER, statement.fetch_all(&self.pool)).await
    }

    pub(super) async fn all(&self, statement: Statement<'_>) -> Result<Vec<AnyRow>, StoreError> {
        self.answer_if_there(statement.fetch_all(&self.pool)).await
    }

    pub(super) async fn run(&self, statement: Statement<'_>) -> Result<AnyQueryResult, StoreError> {
        self.answer_if_there(statement.execute(&self.pool)).await
    }
}

fn no_answer() -> StoreError {
    StoreError::Unavailable("the database does not answer".to_owned())
}

/// Takes back what a caller left open. A connection that does not answer is given up, or it would keep its
/// place in the pool until the network says that it is dead.
async fn still_answers(connection: &mut AnyConnection, clock: Arc<dyn Clock>) -> Result<bool, sqlx::Error> {
    tokio::select! {
        biased;
        answer = connection.ping() => answer.map(|()| true),
        () = clock.sleep(LOOK) => Err(sqlx::Error::PoolTimedOut),
    }
}

/// WAL, and each commit on the disk before it is acknowledged.
const SQLITE_SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON;";
/// A statement that waits for a lock or the network for longer is given up. A node that stops in the middle of a
/// change holds up the others for less than they wait.
const POSTGRES_SETTINGS: &str = "SET statement_timeout = '5s'; SET lock_timeout = '5s'; \
     SET idle_in_transaction_session_timeout = '3s';";

/// What the driver says, as a store says it. A URL is in none of these texts.
pub(super) fn unavailable(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Configuration(_) => {
            StoreError::Unreadable("the URL of the database is not well-formed".to_owned())
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) => {
            StoreError::Unreadable(error.to_string())
        }
        error => StoreError::Unavailable(error.to_string()),
    }
}
