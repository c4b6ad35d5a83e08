//! Schema, keys and the client `admin` in a database, made as a server makes them.
//!
//! Enforces: a database of another sealing key is left as it is; a new SQLite file is for its owner alone, and is not
//! touched while a server uses it (the same lock, `PATH.lock`). Repeating it is harmless: what is there stays, and
//! the client gets one more secret.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use m2m_authorization_server::admin::{ADMIN_PATH, SCOPE_READ, SCOPE_WRITE};
use m2m_authorization_server::registry::{ApiIdentifier, Client, CredentialSpec, Proof, SecretUse};
use m2m_authorization_server::store::sql::{SqlOptions, SqlStore};
use m2m_authorization_server::{Admin, Error, ErrorKind, Server};
use m2m_io::file::FileLock;
use m2m_proto::client_id::ClientId;
use m2m_proto::scope::Scope;
use m2m_proto::secret::SecretString;

use super::{Prepared, Wanted, write_new};
use crate::Surroundings;
use crate::exit::{Exit, Failure};

/// The client that may administer.
const CLIENT: &str = "admin";
/// What its credentials of this command are called.
const LABEL: &str = "init";

/// Makes the schema, the signing keys, the admin API and the client `admin` in a database, or finds them there, and
/// gives that client one more secret.
///
/// # Errors
/// Exit 3: the database is in use, is sealed under another key, or was revoked its client `admin`. Exit 5: it cannot
/// be reached.
pub(super) async fn prepare(wanted: &Wanted<'_>, around: &Surroundings) -> Result<Prepared, Failure> {
    let (url, _lock) = opened(wanted.database, around)?;
    let store = SqlStore::open(SqlOptions::new(&url), Arc::clone(&around.clock)).await;
    let store = store.map_err(|error| failure(&error.into()))?;
    let server = Server::builder(wanted.issuer.clone())
        .clock(Arc::clone(&around.clock))
        .random(Arc::clone(&around.random))
        .sealing_key(wanted.sealing_key.clone())
        .store(Arc::new(store))
        .build();
    let server = server.map_err(|error| failure(&error))?;
    server.prepare().await.map_err(|error| failure(&error))?;
    let prepared = client(&server.admin(), wanted).await?;
    server.drain().await.map_err(|error| failure(&error))?;
    Ok(prepared)
}

/// The URL as the store takes it, and for SQLite the lock. A path is relative to where we are.
fn opened(database: &str, around: &Surroundings) -> Result<(String, Option<FileLock>), Failure> {
    let Some(path) = database.strip_prefix("sqlite:") else { return Ok((database.to_owned(), None)) };
    let path = around.directory.join(path.strip_prefix("//").unwrap_or(path));
    let lock = lock(&path)?;
    if path.symlink_metadata().is_err() {
        write_new(&path, &SecretString::from(""))?;
    }
    Ok((format!("sqlite:{}", path.display()), Some(lock)))
}

fn lock(path: &Path) -> Result<FileLock, Failure> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let beside = PathBuf::from(name);
    match FileLock::try_acquire(&beside) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => Err(Failure::configuration(format!("a server uses {}", path.display()))
            .hint("stop it first: one process at a time for each SQLite file")),
        Err(error) => Err(Failure::configuration(format!("cannot lock {}: {error}", beside.display()))
            .hint("the directory of the database must exist and be writable")),
    }
}

async fn client(admin: &Admin, wanted: &Wanted<'_>) -> Result<Prepared, Failure> {
    let id = ClientId::parse(CLIENT).map_err(wrong)?;
    let api = format!("{}{ADMIN_PATH}", wanted.issuer.as_str().trim_end_matches('/'));
    let api = ApiIdentifier::parse(&api).map_err(wrong)?;
    let both = Scope::parse(&format!("{SCOPE_READ} {SCOPE_WRITE}")).map_err(wrong)?;
    match admin.create_client(Client::new(id.clone()).grant(api, both)).await {
        Err(error) if error.kind() != ErrorKind::Conflict => return Err(failure(&error)),
        // Made just now, or by an earlier run.
        _ => {}
    }
    let proof = Proof::ClientSecret(SecretUse::BasicOrPost);
    let made = admin.create_credential(CredentialSpec::new(id, LABEL, proof)).await;
    let secret = made.map_err(|error| failure(&error))?.client_secret;
    let client_secret = secret.ok_or_else(|| wrong("no secret was made"))?;
    Ok(Prepared { client_id: CLIENT.to_owned(), client_secret })
}

fn wrong(error: impl std::fmt::Display) -> Failure {
    Failure::internal(error.to_string())
}

fn failure(error: &Error) -> Failure {
    let message = error.to_string();
    match error.kind() {
        ErrorKind::Internal => Failure::internal(message),
        ErrorKind::Unavailable => Failure::of(Exit::Unreachable, Exit::Unreachable.kind(), message)
            .hint("does the database run, and is its URL right?"),
        _ => Failure::configuration(message),
    }
}

#[cfg(test)]
mod tests {
    use m2m_io::{OsRandom, SystemClock};
    use m2m_proto::secret::SecretBytes;
    use m2m_proto::uri::Issuer;

    use super::*;
    use crate::args::Global;
    use crate::output::{Output, Stream};
    use crate::settings::env::Environment;

    fn around(place: &Path) -> Surroundings {
        Surroundings {
            output: Output::to(Box::new(std::io::sink()), Box::new(std::io::sink()), [Stream::Pipe; 2]),
            environment: Environment::default(),
            directory: place.to_owned(),
            global: Global::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
        }
    }

    async fn prepared(key: &[u8; 32], around: &Surroundings) -> Result<Prepared, Failure> {
        let issuer = Issuer::parse("https://login.example.com").unwrap();
        let sealing_key = SecretBytes::from(key.as_slice());
        prepare(&Wanted { issuer: &issuer, database: "sqlite:m2m.db", sealing_key: &sealing_key }, around)
            .await
    }

    #[tokio::test]
    async fn a_second_run_gives_one_more_secret_and_another_key_none() {
        use std::os::unix::fs::PermissionsExt as _;
        let place = tempfile::tempdir().unwrap();
        let around = around(place.path());
        let first = prepared(&[1; 32], &around).await.unwrap();
        let path = place.path().join("m2m.db");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let second = prepared(&[1; 32], &around).await.unwrap();
        assert_eq!((first.client_id.as_str(), second.client_id.as_str()), ("admin", "admin"));
        assert!(first.client_secret != second.client_secret);
        let failure = prepared(&[2; 32], &around).await.unwrap_err();
        assert_eq!(failure.exit(), Exit::Configuration);
        assert!(failure.message().contains("another sealing key"), "{}", failure.message());
        let store =
            SqlStore::open(SqlOptions::new(&format!("sqlite:{}", path.display())), around.clock.clone());
        let registry = m2m_authorization_server::store::Store::registry(&store.await.unwrap()).unwrap();
        let admin = registry.registration(&ClientId::parse("admin").unwrap()).unwrap();
        assert_eq!(admin.credentials().len(), 2);
        let grants: Vec<_> =
            admin.client().grants.iter().map(|(api, grant)| format!("{api} {}", grant.scopes)).collect();
        assert_eq!(grants, ["https://login.example.com/admin/v1 m2m:read m2m:write"]);
    }

    #[tokio::test]
    async fn a_file_that_a_server_uses_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let around = around(place.path());
        let held = lock(&place.path().join("m2m.db")).unwrap();
        let failure = prepared(&[1; 32], &around).await.unwrap_err();
        assert!(failure.message().starts_with("a server uses "), "{}", failure.message());
        assert!(!place.path().join("m2m.db").exists());
        drop(held);
        assert!(prepared(&[1; 32], &around).await.is_ok());
    }
}
