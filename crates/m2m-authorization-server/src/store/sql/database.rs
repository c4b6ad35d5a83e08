//! The connection: which database, its pool, its schema, and the count of statements.
//!
//! Enforces: the schema is brought up to date before anything else, by one node at a time; a SQLite file is
//! written ahead (WAL) and synced before a commit is acknowledged; nothing waits longer than 5 s for
//! a connection.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::any::{AnyArguments, AnyPoolOptions, AnyQueryResult, AnyRow};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::query::Query;
use sqlx::{Any, AnyPool, Executor as _, SqlStr};

use crate::store::StoreError;

/// How long anything waits for a connection.
const PATIENCE: Duration = Duration::from_secs(5);
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
    statements: AtomicU64,
}

/// What a caller binds values to.
pub(super) type Statement<'q> = Query<'q, Any, AnyArguments>;

impl Database {
    /// Connects, and brings the schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], and [`StoreError::Unreadable`] for a schema of another version.
    pub(super) async fn open(url: &str) -> Result<Self, StoreError> {
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
        let pool = AnyPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(PATIENCE)
            .after_connect(move |connection, _| {
                Box::pin(async move { connection.execute(settings).await.map(drop) })
            })
            .connect(&url)
            .await
            .map_err(unavailable)?;
        let database = Self { pool, dialect, statements: AtomicU64::new(0) };
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

    pub(super) async fn begin(&self) -> Result<sqlx::Transaction<'static, Any>, StoreError> {
        self.pool.begin().await.map_err(unavailable)
    }

    pub(super) async fn all(&self, statement: Statement<'_>) -> Result<Vec<AnyRow>, StoreError> {
        statement.fetch_all(&self.pool).await.map_err(unavailable)
    }

    pub(super) async fn run(&self, statement: Statement<'_>) -> Result<AnyQueryResult, StoreError> {
        statement.execute(&self.pool).await.map_err(unavailable)
    }
}

/// WAL, and each commit on the disk before it is acknowledged.
const SQLITE_SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON;";
/// A statement that waits for a lock or the network for longer is given up.
const POSTGRES_SETTINGS: &str = "SET statement_timeout = '5s'; SET lock_timeout = '5s';";

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
