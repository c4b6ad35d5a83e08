//! `m2m admin init`: the first step, on the database itself, before anybody can ask a server.
//!
//! A database that is there stays as it is: it gets what is missing, and the client `admin` one more secret, so that
//! whoever holds database and sealing key is never locked out.
//!
//! Enforces: no file is replaced, not even by a second run; the sealing key is on the disk before the database holds
//! anything sealed under it, and stays there whatever happens next ([`founding`]); a database of another sealing key,
//! or a SQLite file that a server uses, is not touched.

use std::path::Path;
use std::sync::Arc;

use m2m_authorization_server::Server;
use m2m_authorization_server::registry::{CredentialSpec, Proof, SecretUse};
use m2m_proto::client_id::ClientId;
use m2m_proto::secret::{SecretBytes, SecretString};
use m2m_proto::uri::Issuer;
use serde_json::json;

use crate::Surroundings;
use crate::args::admin::AdminInit;
use crate::exit::{Exit, Failure};
use crate::output::Reader;
use crate::serve::database::Database;
use crate::serve::founding::{self, ADMIN, Places};
use crate::serve::open;
use crate::serve::stated::Tuning;

/// What the credentials of a second run are called.
const LABEL: &str = "init";

pub(super) async fn run(typed: &AdminInit, around: &Surroundings) -> Result<Exit, Failure> {
    let issuer = Issuer::parse(&typed.issuer).map_err(|error| {
        Failure::usage(format!("--issuer: {error}")).hint("for example --issuer https://login.example.com")
    })?;
    let database = database(&typed.database, around)?;
    let places = free(&typed.out, around)?;
    let _lock = match &database {
        Database::Sqlite(path) => Some(open::lock(path)?),
        _ => None,
    };
    let key = founding::sealing_key(&around.directory.join(&typed.sealing_key_file), around).await?;
    let secret = prepare(&issuer, &database, key, around).await?;
    places.write(&issuer, &secret, around)?;
    report(&issuer, &places, around)?;
    Ok(Exit::Ok)
}

/// Makes the schema, the signing keys, the admin API and the client `admin`, as a server makes them, where they are
/// missing. Gives a secret of that client that was made just now.
///
/// # Errors
/// Exit 3: the database is sealed under another key, or the client `admin` is revoked. Exit 5: it cannot be reached.
async fn prepare(
    issuer: &Issuer,
    database: &Database,
    sealing_key: SecretBytes,
    around: &Surroundings,
) -> Result<SecretString, Failure> {
    let wrong = |error| open::failure(&error);
    let store = open::store(database, &Tuning::default(), Arc::clone(&around.clock)).await?;
    let server = Server::builder(issuer.clone())
        .clock(Arc::clone(&around.clock))
        .random(Arc::clone(&around.random))
        .sealing_key(sealing_key)
        .store(store.ok_or_else(|| Failure::internal("this database keeps nothing"))?)
        .build()
        .map_err(wrong)?;
    server.prepare().await.map_err(wrong)?;
    let secret = match founding::administrator(&server).await? {
        Some(secret) => secret,
        None => another(&server).await?,
    };
    server.drain().await.map_err(wrong)?;
    Ok(secret)
}

/// One more secret of the client `admin`.
async fn another(server: &Server) -> Result<SecretString, Failure> {
    let id = ClientId::parse(ADMIN).map_err(|error| Failure::internal(error.to_string()))?;
    let proof = Proof::ClientSecret(SecretUse::BasicOrPost);
    let made = server.admin().create_credential(CredentialSpec::new(id, LABEL, proof)).await;
    let made = made.map_err(|error| Failure::configuration(format!("no secret for {ADMIN}: {error}")))?;
    made.client_secret.ok_or_else(|| Failure::internal("the server made no secret"))
}

/// A database that outlives this process.
fn database(typed: &str, around: &Surroundings) -> Result<Database, Failure> {
    let wrong = |problem: &str| {
        Failure::usage(format!("--database: {problem}"))
            .hint("for example --database sqlite:/var/lib/m2m/m2m.db")
    };
    match Database::parse(typed, &around.directory).map_err(|problem| wrong(&problem))? {
        Database::Memory => Err(wrong("what is in memory is gone when this command ends")),
        database => Ok(database),
    }
}

/// Where profile and secret go. Looked at before anything is made, so that no secret is made that cannot be written.
fn free(out: &Path, around: &Surroundings) -> Result<Places, Failure> {
    let places = Places::at(&around.directory.join(out));
    if places.profile == places.secret {
        return Err(Failure::usage(
            "--out: the secret goes beside it into a file .secret; choose another name",
        )
        .hint("for example --out admin.toml"));
    }
    for path in [&places.profile, &places.secret] {
        if path.symlink_metadata().is_ok() {
            return Err(Failure::usage(format!("{} exists and is not replaced", path.display()))
                .hint("choose another --out, or move the files away"));
        }
    }
    match places.profile.parent() {
        Some(directory) if directory.is_dir() => Ok(places),
        _ => Err(Failure::usage(format!("--out: there is no directory for {}", places.profile.display()))),
    }
}

fn report(issuer: &Issuer, places: &Places, around: &Surroundings) -> Result<(), Failure> {
    let (profile, secret) = (places.profile.display(), places.secret.display());
    if around.output.reader() == Reader::Program {
        return around.output.json(&json!({
            "profile": ADMIN, "file": profile.to_string(), "secret_file": secret.to_string(),
            "issuer": issuer.as_str(), "client_id": ADMIN,
        }));
    }
    around.output.result(&format!("{profile}  profile {ADMIN}"))?;
    around.output.result(&format!("{secret}  secret of {ADMIN}, mode 0600"))?;
    around.output.note(&format!("try: m2m --config {profile} admin client list"));
    Ok(())
}

#[cfg(test)]
mod tests;
