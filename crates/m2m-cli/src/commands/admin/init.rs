//! `m2m admin init`: the first step, on the database itself, before anybody can ask a server.
//!
//! A database that is there stays as it is: it gets what is missing, and the client `admin` one more secret. A client
//! that could not administer with a secret (disabled, revoked, without the grant) gets none; `--client-id` makes
//! another one, so that whoever holds database and sealing key has a way in.
//!
//! Enforces: no file is replaced, not even by a second run; the sealing key is on the disk before the database holds
//! anything sealed under it, and stays there whatever happens next ([`founding`]); a database of another sealing key,
//! or a SQLite file that a server uses, is not touched.
//! Does not enforce: that the client may come from here (its networks) or with a secret alone (its sender constraint);
//! the server says that at the first request.

use std::path::Path;
use std::sync::Arc;

use m2m_authorization_server::Server;
use m2m_authorization_server::registry::{CredentialSpec, Proof, SecretUse, Status};
use m2m_proto::client_id::ClientId;
use m2m_proto::secret::{SecretBytes, SecretString};
use m2m_proto::uri::Issuer;
use serde_json::json;

use crate::Surroundings;
use crate::args::LogFormat;
use crate::args::admin::AdminInit;
use crate::exit::{Exit, Failure};
use crate::output::Reader;
use crate::serve::database::{Claimed, Database};
use crate::serve::founding::{self, ADMIN, Places};
use crate::serve::open;
use crate::serve::stated::Tuning;

/// What the credentials of a second run are called.
const LABEL: &str = "init";

pub(super) async fn run(typed: &AdminInit, around: &Surroundings) -> Result<Exit, Failure> {
    let issuer = Issuer::parse(&typed.issuer).map_err(|error| {
        Failure::usage(format!("--issuer: {error}")).hint("for example --issuer https://login.example.com")
    })?;
    let id = ClientId::parse(&typed.client_id).map_err(|error| {
        Failure::usage(format!("--client-id: {error}")).hint("for example --client-id admin2")
    })?;
    let database = database(&typed.database, around)?;
    let places = free(&typed.out, around)?;
    let database = database.claim(around).await?;
    let key_file = around.directory.join(&typed.sealing_key_file);
    let key = founding::sealing_key(&key_file, &database, LogFormat::Text, around).await?;
    let secret = prepare(typed, (&issuer, &id), (&database, key), around).await?;
    match typed.with_key {
        true => places.write_key(&issuer, &id, &secret, around)?,
        false => places.write(&issuer, &id, &secret, around)?,
    }
    report(typed, (&issuer, &id), &places, around)?;
    if around.output.reader() == Reader::Person {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let lines = [
            format!("issuer = {}", quoted(issuer.as_str())),
            format!("database = {}", quoted(&absolute(&typed.database, around))),
            format!("sealing_key = {{ file = {} }}", quoted(&key_file.display().to_string())),
        ];
        around.output.note("m2m serve --config FILE needs in its file:");
        lines.iter().for_each(|line| around.output.note(&format!("  {line}")));
    }
    Ok(Exit::Ok)
}

/// Makes the schema, the signing keys, the admin API and the client, as a server makes them, where they are
/// missing. Gives a secret or a private key of that client that was made just now.
///
/// # Errors
/// Exit 3: the database is sealed under another key, or the client may not administer. Exit 5: it cannot be reached.
async fn prepare(
    typed: &AdminInit,
    (issuer, id): (&Issuer, &ClientId),
    (database, sealing_key): (&Claimed, SecretBytes),
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
    let made = match typed.with_key {
        true => founding::administrator_with_key(&server, id).await?,
        false => founding::administrator(&server, id).await?,
    };
    let secret = match made {
        Some(secret) => secret,
        None => another(typed, &server, id).await?,
    };
    server.drain().await.map_err(wrong)?;
    Ok(secret)
}

/// One more secret, or key, of a client that is there.
///
/// # Errors
/// Exit 3: it could not administer with one.
async fn another(typed: &AdminInit, server: &Server, id: &ClientId) -> Result<SecretString, Failure> {
    if let Some(problem) = unfit(server, id)? {
        return Err(Failure::configuration(format!("{id} {problem}: a secret would be of no use")).hint(
            "mend it with another client that may administer; where there is none, --client-id admin2 makes one",
        ));
    }
    if typed.with_key {
        return founding::key(server, id, LABEL).await;
    }
    let proof = Proof::ClientSecret(SecretUse::BasicOrPost);
    let made = server.admin().create_credential(CredentialSpec::new(id.clone(), LABEL, proof)).await;
    let made = made.map_err(|error| Failure::configuration(format!("no secret for {id}: {error}")))?;
    made.client_secret.ok_or_else(|| Failure::internal("the server made no secret"))
}

/// Why a client that is there cannot administer.
fn unfit(server: &Server, id: &ClientId) -> Result<Option<String>, Failure> {
    let wrong = |error| open::failure(&error);
    let registry = server.admin().registry().map_err(wrong)?;
    let Some(registration) = registry.registration(id) else { return Ok(None) };
    let client = registration.client();
    if client.status != Status::Active {
        return Ok(Some(format!("is {}", client.status.name())));
    }
    let (api, needed) = (server.admin_api().map_err(wrong)?, founding::everything()?);
    let may = client.grants.get(api.as_str()).is_some_and(|grant| needed.is_subset(&grant.scopes));
    Ok((!may).then(|| format!("is not granted {needed} at {api}")))
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

/// The database as a file in any directory can name it.
fn absolute(typed: &str, around: &Surroundings) -> String {
    match Database::parse(typed, &around.directory) {
        Ok(Database::Sqlite(path)) => format!("sqlite:{}", path.display()),
        _ => typed.to_owned(),
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
    if let Some(path) = places.taken() {
        return Err(Failure::usage(format!("{} exists and is not replaced", path.display()))
            .hint("choose another --out, or move the files away"));
    }
    match places.profile.parent() {
        Some(directory) if directory.is_dir() => Ok(places),
        _ => Err(Failure::usage(format!("--out: there is no directory for {}", places.profile.display()))),
    }
}

fn report(
    typed: &AdminInit,
    (issuer, id): (&Issuer, &ClientId),
    places: &Places,
    around: &Surroundings,
) -> Result<(), Failure> {
    let (profile, secret) = (places.profile.display(), places.secret.display());
    if around.output.reader() == Reader::Program {
        return around.output.json(&json!({
            "profile": ADMIN, "file": profile.to_string(), "secret_file": secret.to_string(),
            "issuer": issuer.as_str(), "client_id": id.as_str(),
        }));
    }
    around.output.result(&format!("{profile}  profile {ADMIN}"))?;
    let what = if typed.with_key { "private key" } else { "secret" };
    around.output.result(&format!("{secret}  {what} of {id}, mode 0600"))?;
    around.output.note(&format!("try: m2m --config {profile} admin client list"));
    Ok(())
}

#[cfg(test)]
mod tests;
