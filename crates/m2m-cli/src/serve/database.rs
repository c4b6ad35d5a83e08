//! Where the server keeps what it knows, as `--database` and `database` name it.
//!
//! Enforces: no password in a URL that stands on the command line or in the file. A URL with one comes from a place
//! for secrets, as a reference.

use std::path::{Path, PathBuf};

use m2m_proto::secret::SecretString;

use super::sqlite::SqliteFile;
use crate::Surroundings;
use crate::exit::Failure;
use crate::settings::secret::SecretReference;

/// A database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    /// Nothing outlives the process.
    Memory,
    /// A file of this machine, used by one process.
    Sqlite(PathBuf),
    /// A PostgreSQL URL; may hold a password, so that it is shown nowhere.
    Postgres(SecretString),
    /// The URL is kept as a secret.
    Kept(SecretReference),
}

impl Default for Database {
    fn default() -> Self {
        Self::Sqlite(PathBuf::from("m2m-server.db"))
    }
}

const EXPECTED: &str = "expected sqlite:PATH, postgres://… or memory:";

impl Database {
    /// As it stands on the command line or in the file; a path is relative to `directory`.
    ///
    /// # Errors
    /// What is expected; a URL with a password is refused and not repeated.
    pub(crate) fn parse(text: &str, directory: &Path) -> Result<Self, String> {
        let database = Self::with_secrets(text, directory)?;
        if matches!(database, Self::Postgres(_)) && has_password(text) {
            return Err("a password in this place is refused: ps and backups show it; write database = \
                        { file = \"/path/to/url\" } into the file, or set PGPASSFILE"
                .to_owned());
        }
        Ok(database)
    }

    fn with_secrets(text: &str, directory: &Path) -> Result<Self, String> {
        if text == "memory:" {
            return Ok(Self::Memory);
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(SecretString::from(text)));
        }
        let path = text.strip_prefix("sqlite:").ok_or(EXPECTED)?;
        let path = path.strip_prefix("//").unwrap_or(path);
        match path {
            ":memory:" => {
                Err("sqlite::memory: would lose everything at the end; memory: is for that".to_owned())
            }
            path if path.is_empty() || path.contains('?') => {
                Err("expected sqlite:PATH, with a path and no parameters".to_owned())
            }
            path => Ok(Self::Sqlite(directory.join(path))),
        }
    }

    /// Reads a kept URL, and takes a file for this process alone. Blocks on the file system.
    ///
    /// # Errors
    /// Exit 4: the URL cannot be read. Exit 3: it is no database; as [`SqliteFile::claim`].
    pub(crate) async fn claim(self, around: &Surroundings) -> Result<Claimed, Failure> {
        match self {
            Self::Memory => Ok(Claimed::Memory),
            Self::Postgres(url) => Ok(Claimed::Postgres(url)),
            Self::Sqlite(path) => SqliteFile::claim(&around.directory.join(path)).map(Claimed::Sqlite),
            Self::Kept(reference) => {
                let read = reference.read(&around.environment, around.clock.as_ref()).await?;
                let wrong =
                    |problem| Failure::configuration(format!("database, from {reference}: {problem}"));
                match Self::with_secrets(read.secret.expose(), &around.directory).map_err(wrong)? {
                    Self::Sqlite(path) => SqliteFile::claim(&path).map(Claimed::Sqlite),
                    Self::Postgres(url) => Ok(Claimed::Postgres(url)),
                    Self::Memory | Self::Kept(_) => Ok(Claimed::Memory),
                }
            }
        }
    }
}

/// A database that may be opened.
#[derive(Debug)]
pub(crate) enum Claimed {
    /// Nothing to open.
    Memory,
    /// Ours until this is dropped.
    Sqlite(SqliteFile),
    /// Its URL; may hold a password.
    Postgres(SecretString),
}

/// Whether the URL holds a password, before the host or as a parameter.
fn has_password(url: &str) -> bool {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    let before_host = authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
    before_host || parameters.split('&').any(|pair| pair.starts_with("password="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases() {
        let check = |text: &str, expect: Database| {
            assert_eq!(Database::parse(text, Path::new("/etc/m2m")).unwrap(), expect, "{text}");
        };
        check("memory:", Database::Memory);
        check("sqlite:m2m.db", Database::Sqlite("/etc/m2m/m2m.db".into()));
        check("sqlite:/var/lib/m2m.db", Database::Sqlite("/var/lib/m2m.db".into()));
        check("sqlite:///var/lib/m2m.db", Database::Sqlite("/var/lib/m2m.db".into()));
        let url = "postgres://m2m@db.example/m2m?sslmode=verify-full";
        check(url, Database::Postgres(SecretString::from(url)));
    }

    #[test]
    fn what_is_no_database() {
        let check = |text: &str, expect: &str| {
            let error = Database::parse(text, Path::new("")).unwrap_err();
            assert!(error.contains(expect) && !error.contains("hunter2"), "{text}: {error}");
        };
        check("mysql://x", "expected sqlite:PATH, postgres://… or memory:");
        check("m2m.db", "expected sqlite:PATH");
        check("sqlite:", "with a path");
        check("sqlite:a?mode=memory", "no parameters");
        check("sqlite::memory:", "memory: is for that");
        check("postgres://m2m:hunter2@db/m2m", "a password in this place is refused");
        check("postgres://m2m:hunt@er2@db/m2m", "a password in this place is refused");
        check("postgres://db/m2m?user=m&password=hunter2", "a password in this place is refused");
    }

    #[test]
    fn a_url_with_a_password_is_never_shown() {
        let database = Database::with_secrets("postgres://m2m:hunter2@db/m2m", Path::new("")).unwrap();
        assert!(!format!("{database:?}").contains("hunter2"));
    }
}
