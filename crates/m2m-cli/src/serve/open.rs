//! Opens the store and builds the server on it: the one place that knows how the two are put together.
//!
//! Enforces: one process for each SQLite file, by a lock on `PATH.lock` that ends with the process.
//! This build keeps everything in memory; another database is refused with exit 3.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use m2m_authorization_server::{ErrorKind, MutualTls, Server, ServerNonce};
use m2m_io::file::FileLock;
use m2m_io::{EgressRules, ReqwestHttp};
use m2m_proto::secret::SecretBytes;
use m2m_proto::uri::Issuer;

use super::database::Database;
use super::readiness;
use super::settings::Settings;
use super::stated::Tuning;
use crate::Surroundings;
use crate::connect::http_failure;
use crate::exit::{Exit, Failure};

/// A server on its store, and what is held while it runs.
pub(crate) struct Opened {
    server: Server,
    _lock: Option<FileLock>,
}

/// Opens what the settings name.
///
/// # Errors
/// Exit 3: settings that the server refuses, a database that is in use; exit 4: a secret that cannot be read.
pub(crate) async fn open(
    settings: &Settings,
    issuer: Issuer,
    mutual_tls: Option<MutualTls>,
    around: &Surroundings,
) -> Result<Opened, Failure> {
    let database = settings.database.clone().resolve(around).await?;
    let lock = match &database {
        Database::Sqlite(path) => Some(lock(path)?),
        _ => None,
    };
    if database != Database::Memory {
        return Err(not_in_this_build("a database that is kept"));
    }
    refuse_tuning(&settings.tuning)?;
    let mut builder = Server::builder(issuer)
        .clock(Arc::clone(&around.clock))
        .random(Arc::clone(&around.random))
        .http(Arc::new(http(settings)?))
        .dpop_nonce(if settings.dpop_nonce { ServerNonce::Required } else { ServerNonce::Off });
    if let Some(reference) = &settings.sealing_key {
        let read = reference.read(&around.environment, around.clock.as_ref()).await?;
        builder = builder.sealing_key(SecretBytes::from(read.secret.expose().as_bytes()));
    }
    if let Some(mutual_tls) = mutual_tls {
        builder = builder.mutual_tls(mutual_tls);
    }
    Ok(Opened { server: builder.build().map_err(|error| failure(&error))?, _lock: lock })
}

impl Opened {
    /// A server that is in memory, ready as it is.
    pub(crate) fn of(server: Server) -> Self {
        Self { server, _lock: None }
    }

    /// Makes what must be there before the first request: schema, keys, the admin API.
    pub(crate) async fn prepare(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// Everything that it answers, `/livez` and `/readyz` among it.
    pub(crate) fn router(&self) -> Router {
        self.server
            .router()
            .route("/livez", get(async || "alive\n"))
            .route(readiness::PATH, get(async || "ready\n"))
    }

    /// The work besides requests; never ends.
    pub(crate) fn background(&self) -> impl Future<Output = ()> + Send + 'static {
        self.server.background()
    }

    /// Writes out what is held; after the last request.
    pub(crate) async fn drain(&self) -> Result<(), Failure> {
        Ok(())
    }
}

fn not_in_this_build(what: &str) -> Failure {
    Failure::configuration(format!("{what} is not in this build"))
        .hint("--database memory: keeps everything in memory, and loses it at the end")
}

/// What the server in memory has no use for.
fn refuse_tuning(tuning: &Tuning) -> Result<(), Failure> {
    let set = [
        ("audit", tuning.audit.is_some()),
        ("audit_retention", tuning.audit_retention.is_some()),
        ("replay", tuning.replay.is_some()),
        ("max_staleness", tuning.max_staleness.is_some()),
        ("snapshot_max_age", tuning.snapshot_max_age.is_some()),
        ("status_ttl", tuning.status_ttl.is_some()),
    ];
    match set.into_iter().find(|(_, is_set)| *is_set) {
        Some((name, _)) => Err(not_in_this_build(name)),
        None => Ok(()),
    }
}

/// For what registrations point to (`jwks_uri`): public https, and what the operator allowed.
fn http(settings: &Settings) -> Result<ReqwestHttp, Failure> {
    let mut egress = EgressRules::new();
    for rule in &settings.egress {
        egress =
            egress.allow(rule).map_err(|error| Failure::configuration(format!("egress.allow: {error}")))?;
    }
    ReqwestHttp::builder().egress(egress).build().map_err(|error| http_failure(&error))
}

/// Keeps a second process away from the file.
fn lock(path: &Path) -> Result<FileLock, Failure> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let beside = PathBuf::from(name);
    match FileLock::try_acquire(&beside) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => Err(Failure::configuration(format!("another `m2m serve` uses {}", path.display())).hint(
            "one process for each SQLite file: stop the other one, or name another file; several nodes share a \
             postgres:// database",
        )),
        Err(error) => Err(Failure::configuration(format!("cannot lock {}: {error}", beside.display()))
            .hint("the directory of the database must exist and be writable")),
    }
}

fn failure(error: &m2m_authorization_server::Error) -> Failure {
    let message = error.to_string();
    match error.kind() {
        ErrorKind::Misconfigured => Failure::configuration(message),
        ErrorKind::Unavailable => Failure::of(Exit::Unreachable, Exit::Unreachable.kind(), message),
        _ => Failure::internal(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_for_each_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("m2m.db");
        let held = lock(&path).unwrap();
        assert!(directory.path().join("m2m.db.lock").exists());
        let failure = lock(&path).unwrap_err();
        assert_eq!(failure.exit(), Exit::Configuration);
        assert!(failure.message().starts_with("another `m2m serve` uses "), "{}", failure.message());
        drop(held);
        assert!(lock(&path).is_ok());
        let nowhere = lock(&directory.path().join("nowhere/m2m.db")).unwrap_err();
        assert!(nowhere.advice().unwrap().contains("must exist"), "{nowhere:?}");
    }
}
