//! Opens the store and builds the server on it: the one place that knows how the two are put together.
//!
//! Enforces: one process for each SQLite file ([`sqlite`](super::sqlite)); a database that others read is opened under
//! the sealing key that it was made with; somebody who may administer is made for a new SQLite file alone, so that a
//! client that was deleted stays away, and only where profile and secret have a place.

use std::sync::Arc;

use axum::Router;
use m2m_authorization_server::store::sql::{SqlOptions, SqlStore};
use m2m_authorization_server::store::{ReplayScope, Store, StoreError};
use m2m_authorization_server::{
    AuditMode, ErrorKind, MutualTls, Server, ServerBuilder, ServerNonce, TrustingHttp,
};
use m2m_io::{Clock, EgressRules, ReqwestHttp, RootedHttp};
use m2m_proto::client_id::ClientId;
use m2m_proto::secret::SecretBytes;
use m2m_proto::security_profile::SecurityProfile;
use m2m_proto::uri::Issuer;

use super::database::Claimed;
use super::founding::{self, Places};
use super::pkcs11;
use super::settings::Settings;
use super::sqlite::Age;
use super::stated::{Audit, Replay, Tuning};
use crate::Surroundings;
use crate::args::LogFormat;
use crate::connect::http_failure;
use crate::console::server::Console;
use crate::exit::{Exit, Failure};

/// A server on its store, and what is held while it runs.
pub(crate) struct Opened {
    server: Server,
    /// Where the administrator of a new SQLite file is written to.
    founds: Option<Places>,
    profile: SecurityProfile,
    console: bool,
    _held: Claimed,
}

/// Opens what the settings name.
///
/// # Errors
/// Exit 3: settings that the server refuses, a database that is in use or not ours; exit 4: a secret that cannot be
/// read; exit 5: a database that does not answer.
pub(crate) async fn open(
    settings: &Settings,
    issuer: Issuer,
    mutual_tls: Option<MutualTls>,
    around: &Surroundings,
) -> Result<Opened, Failure> {
    let mut builder = tuned(Server::builder(issuer), &settings.tuning)
        .clock(Arc::clone(&around.clock))
        .random(Arc::clone(&around.random))
        .http(Arc::new(http(settings)?))
        .trusting_http(trusting(settings)?)
        .security_profile(settings.security_profile)
        .dpop_nonce(if settings.dpop_nonce { ServerNonce::Required } else { ServerNonce::Off });
    for directory in &settings.issuer_files {
        builder = builder.issuer_files(around.directory.join(directory));
    }
    // Whatever can fail comes before the database: a file that was made is no new one at the next start.
    builder = pkcs11::open(&settings.pkcs11, builder, around).await?;
    let database = settings.database.clone().claim(around).await?;
    if matches!(database, Claimed::Memory) {
        tracing::warn!("a database in memory has no client that may administer; m2m serve --dev makes one");
    }
    let mut founds = founds(&database)?;
    if let (Some(places), Some(own)) = (&mut founds, &settings.tls) {
        places.ca_file = Some(around.directory.join(&own.cert));
    }
    if let Some(key) = sealing_key(settings, &database, around).await? {
        builder = builder.sealing_key(key);
    }
    if let Some(store) = store(&database, &settings.tuning, Arc::clone(&around.clock)).await? {
        builder = builder.store(store);
    }
    if let Some(mutual_tls) = mutual_tls {
        builder = builder.mutual_tls(mutual_tls);
    }
    let server = builder.build().map_err(|error| failure(&error))?;
    let (profile, console) = (settings.security_profile, settings.console);
    Ok(Opened { server, founds, profile, console, _held: database })
}

/// Where the administrator goes, if one is to be made.
///
/// # Errors
/// Exit 3: a file is in the way. Nothing is in the database by then.
fn founds(database: &Claimed) -> Result<Option<Places>, Failure> {
    let Claimed::Sqlite(file) = database else { return Ok(None) };
    if file.age() == Age::Old {
        return Ok(None);
    }
    let places = Places::at(&file.beside(".admin.toml"));
    match places.taken() {
        None => Ok(Some(places)),
        Some(path) => Err(Failure::configuration(format!(
            "{} is of another database and is not replaced",
            path.display()
        ))
        .hint("the database is new: move the file away, or name another database; nothing was made")),
    }
}

fn tuned(mut builder: ServerBuilder, tuning: &Tuning) -> ServerBuilder {
    if tuning.audit == Some(Audit::Durable) {
        builder = builder.audit(AuditMode::Durable);
    }
    match tuning.status_ttl {
        Some(ttl) => builder.status_ttl(ttl),
        None => builder,
    }
}

/// The configured key; beside a SQLite file, one that is made with it.
async fn sealing_key(
    settings: &Settings,
    database: &Claimed,
    around: &Surroundings,
) -> Result<Option<SecretBytes>, Failure> {
    match (&settings.sealing_key, database) {
        (Some(reference), _) => founding::kept_sealing_key(reference, around).await.map(Some),
        (None, Claimed::Sqlite(file)) => {
            let path = file.beside(".sealing-key");
            founding::sealing_key(&path, database, settings.log, around).await.map(Some)
        }
        (None, Claimed::Memory) => Ok(None),
        (None, _) => Err(Failure::configuration("a database that several nodes share needs a sealing key")
            .hint("m2m admin init makes one; then write sealing_key = { file = \"/path\" } into m2m-server.toml")),
    }
}

/// The store in the database that is named; `None` for the one in memory.
///
/// # Errors
/// Exit 3 and 5, as [`open`].
pub(crate) async fn store(
    database: &Claimed,
    tuning: &Tuning,
    clock: Arc<dyn Clock>,
) -> Result<Option<Arc<dyn Store>>, Failure> {
    let url = match database {
        Claimed::Memory => return Ok(None),
        Claimed::Sqlite(file) => file.url(),
        Claimed::Postgres(url) => url.expose(),
    };
    let mut options = SqlOptions::new(url);
    options.replay = tuning.replay.map(|replay| match replay {
        Replay::Node => ReplayScope::Node,
        Replay::Shared => ReplayScope::Shared,
    });
    options.max_staleness = tuning.max_staleness.unwrap_or(options.max_staleness);
    options.snapshot_max_age = tuning.snapshot_max_age.unwrap_or(options.snapshot_max_age);
    options.audit_retention = tuning.audit_retention.unwrap_or(options.audit_retention);
    let store = SqlStore::open(options, clock).await.map_err(|error| store_failure(&error))?;
    Ok(Some(Arc::new(store)))
}

impl Opened {
    /// A server that is in memory, ready as it is.
    pub(crate) fn of(server: Server) -> Self {
        let profile = SecurityProfile::Baseline;
        Self { server, founds: None, profile, console: true, _held: Claimed::Memory }
    }

    /// Makes what must be there before the first request: keys, the admin API, and for a new SQLite file somebody who
    /// may administer.
    pub(crate) async fn prepare(&self, log: LogFormat, around: &Surroundings) -> Result<(), Failure> {
        self.server.prepare().await.map_err(|error| failure(&error))?;
        self.warn_if_locked_out();
        let Some(places) = &self.founds else { return Ok(()) };
        let id = founding::admin_id()?;
        if self.found(places, &id, around).await? {
            let path = places.profile.display();
            founding::tell(&format!("the client {id} is made, its profile is {path}"), log, around);
            founding::tell(&format!("try: m2m --config {path} admin client list"), log, around);
        }
        Ok(())
    }

    /// A database that was made without the profile may have nobody in it whom the profile lets in.
    fn warn_if_locked_out(&self) {
        if self.profile.restricts() && matches!(self.server.admin().is_locked_out(), Ok(true)) {
            tracing::warn!(
                profile = self.profile.name(),
                "nobody can administer this server: whoever may has no credential that the security profile lets in; \
                 stop it and make a key on the database itself, with m2m admin init --with-key"
            );
        }
    }

    /// Makes the administrator, where there is none, and writes how he shows who he is.
    async fn found(&self, places: &Places, id: &ClientId, around: &Surroundings) -> Result<bool, Failure> {
        let issuer = self.server.issuer();
        if self.profile.restricts() {
            let Some(key) = founding::administrator_with_key(&self.server, id).await? else {
                return Ok(false);
            };
            return places.write_key(issuer, id, &key, around).map(|()| true);
        }
        let Some(secret) = founding::administrator(&self.server, id).await? else { return Ok(false) };
        places
            .write(issuer, id, &secret, around)
            .map_err(|failure| failure.hint("m2m admin init gives the client another secret"))?;
        Ok(true)
    }

    /// Everything that it answers, `/livez` and `/readyz` among it.
    pub(crate) fn router(&self) -> Router {
        self.server.router()
    }

    /// The pages for administering it; none where they are switched off.
    pub(crate) fn console(&self, around: &Surroundings) -> Router {
        if !self.console {
            return Router::new();
        }
        let (clock, random) = (Arc::clone(&around.clock), Arc::clone(&around.random));
        Console::new(self.router(), self.server.issuer(), clock, random).routes()
    }

    /// The work besides requests; never ends.
    pub(crate) fn background(&self) -> impl Future<Output = ()> + Send + 'static {
        self.server.background()
    }

    /// From now on `/readyz` says that nobody should come.
    pub(crate) fn stop_accepting(&self) {
        self.server.stop_accepting();
    }

    /// Writes out what is held; after the last request.
    pub(crate) async fn drain(&self) -> Result<(), Failure> {
        self.server.drain().await.map_err(|error| failure(&error))
    }
}

/// For what registrations point to (`jwks_uri`): public https, and what the operator allowed.
fn http(settings: &Settings) -> Result<ReqwestHttp, Failure> {
    ReqwestHttp::builder().egress(egress(settings)?).build().map_err(|error| http_failure(&error))
}

/// The same for trusted issuers that have a certificate authority of their own.
fn trusting(settings: &Settings) -> Result<TrustingHttp, Failure> {
    let egress = egress(settings)?;
    Ok(TrustingHttp::new(move |ca_file| {
        let egress = egress.clone();
        Arc::new(RootedHttp::new(ca_file.to_path_buf(), move || {
            ReqwestHttp::builder().egress(egress.clone())
        }))
    }))
}

fn egress(settings: &Settings) -> Result<EgressRules, Failure> {
    let mut egress = EgressRules::new();
    for rule in &settings.egress {
        egress =
            egress.allow(rule).map_err(|error| Failure::configuration(format!("egress.allow: {error}")))?;
    }
    Ok(egress)
}

/// What the store says, as an end of the command.
fn store_failure(error: &StoreError) -> Failure {
    let message = format!("the database cannot be opened: {error}");
    match error {
        StoreError::Unavailable(_) => Failure::of(Exit::Unreachable, Exit::Unreachable.kind(), message)
            .hint("is it running, and reachable from here? m2m waits 5 s for it"),
        _ => Failure::configuration(message),
    }
}

/// What the server says, as an end of the command.
pub(crate) fn failure(error: &m2m_authorization_server::Error) -> Failure {
    let message = error.to_string();
    match error.kind() {
        ErrorKind::Misconfigured => Failure::configuration(message),
        ErrorKind::Unavailable => Failure::of(Exit::Unreachable, Exit::Unreachable.kind(), message),
        _ => Failure::internal(message),
    }
}

#[cfg(test)]
mod tests;
