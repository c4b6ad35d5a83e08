//! `m2m admin init`: the first step, on the database itself, before anybody can ask a server.
//!
//! Schema, signing keys and the client `admin` are made in the database ([`prepare`]); here the sealing key is made
//! where there is none, and a profile `admin` is written with its secret beside it (both 0600).
//!
//! Enforces: nothing that is there is replaced, not even by a second run. The sealing key is on the disk before the
//! database holds anything sealed under it, and stays there whatever happens next.

mod database;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use m2m_proto::jose::base64url;
use m2m_proto::secret::{SecretBytes, SecretString};
use m2m_proto::uri::Issuer;
use serde_json::json;

use crate::Surroundings;
use crate::args::admin::AdminInit;
use crate::exit::{Exit, Failure};
use crate::output::Reader;
use crate::settings::admin::PROFILE;
use crate::settings::edit::Draft;
use crate::settings::field::Field;
use crate::settings::file::Profile;
use crate::settings::secret::SecretReference;
use crate::settings::value::{Origin, Sourced, Value};
use database::prepare;

/// Bytes of a sealing key, at least.
const SEALING_KEY_BYTES: usize = 32;

/// What the database shall be prepared for.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// Whose keys and tokens these will be.
    pub(super) issuer: &'a Issuer,
    /// `sqlite:PATH` or `postgres://…`.
    pub(super) database: &'a str,
    /// At least 32 bytes: the text of the file, as a server takes it.
    pub(super) sealing_key: &'a SecretBytes,
}

/// Who may administer from now on.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The client that has both scopes of the admin API.
    pub(super) client_id: String,
    /// A secret of it, made just now.
    pub(super) client_secret: SecretString,
}

pub(super) async fn run(typed: &AdminInit, around: &Surroundings) -> Result<Exit, Failure> {
    let issuer = Issuer::parse(&typed.issuer).map_err(|error| {
        Failure::usage(format!("--issuer: {error}")).hint("such as https://login.example.com")
    })?;
    check_database(&typed.database)?;
    let places = Places::free(typed, around)?;
    let sealing_key = sealing_key(&around.directory.join(&typed.sealing_key_file), around).await?;
    let wanted = Wanted { issuer: &issuer, database: &typed.database, sealing_key: &sealing_key };
    let prepared = prepare(&wanted, around).await?;
    places.write(&issuer, &prepared, around)?;
    Ok(Exit::Ok)
}

/// A database that outlives this process, without a password in its URL. What was typed is not repeated: it may hold
/// one.
fn check_database(typed: &str) -> Result<(), Failure> {
    let known = typed.strip_prefix("sqlite:").is_some_and(|path| !path.is_empty())
        || ["postgres://", "postgresql://"].iter().any(|scheme| typed.starts_with(scheme));
    if !known {
        return Err(Failure::usage("--database: expected sqlite:PATH or postgres://…")
            .hint("for example --database sqlite:/var/lib/m2m/m2m.db"));
    }
    let authority =
        typed.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
    if authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':')) {
        return Err(Failure::usage(
            "--database: a password in this place is refused: others can see it with ps",
        )
        .hint("leave it out of the URL, and set PGPASSFILE to a file that has it"));
    }
    Ok(())
}

/// Where profile and secret go.
struct Places {
    profile: PathBuf,
    secret: PathBuf,
}

impl Places {
    /// Found before anything is made, so that no secret is made that cannot be written.
    fn free(typed: &AdminInit, around: &Surroundings) -> Result<Self, Failure> {
        let profile = around.directory.join(&typed.out);
        let secret = profile.with_extension("secret");
        if profile == secret {
            return Err(Failure::usage(
                "--out: the secret goes beside it into a file .secret; choose another name",
            )
            .hint("for example --out admin.toml"));
        }
        for path in [&profile, &secret] {
            if path.symlink_metadata().is_ok() {
                return Err(Failure::usage(format!("{} exists and is not replaced", path.display()))
                    .hint("choose another --out, or move the files away"));
            }
        }
        match profile.parent() {
            Some(directory) if directory.is_dir() => Ok(Self { profile, secret }),
            _ => Err(Failure::usage(format!("--out: there is no directory for {}", profile.display()))),
        }
    }

    fn write(&self, issuer: &Issuer, prepared: &Prepared, around: &Surroundings) -> Result<(), Failure> {
        write_new(&self.secret, &line(&prepared.client_secret))?;
        let mut draft = Draft::open(&self.profile)?;
        draft.put(PROFILE, &profile(issuer, &prepared.client_id, &self.secret))?;
        draft.save(around.random.as_ref())?;
        let (profile, secret) = (self.profile.display(), self.secret.display());
        if around.output.reader() == Reader::Program {
            return around.output.json(&json!({
                "profile": PROFILE, "file": profile.to_string(), "secret_file": secret.to_string(),
                "issuer": issuer.as_str(), "client_id": prepared.client_id,
            }));
        }
        around.output.result(&format!("{profile}  profile {PROFILE}"))?;
        around.output.result(&format!("{secret}  secret of {}, mode 0600", prepared.client_id))?;
        around.output.note(&format!("try: m2m --config {profile} admin client list"));
        Ok(())
    }
}

fn profile(issuer: &Issuer, client_id: &str, secret: &Path) -> Profile {
    let audience = format!("{}/admin/v1", issuer.as_str().trim_end_matches('/'));
    let values = [
        (Field::Issuer, Value::Text(issuer.as_str().to_owned())),
        (Field::ClientId, Value::Text(client_id.to_owned())),
        (Field::ClientSecret, Value::Secret(SecretReference::File(secret.to_owned()))),
        (Field::Audience, Value::Text(audience)),
    ];
    values.map(|(field, value)| (field, Sourced { value, origin: Origin::Default })).into()
}

/// The key in the file, or a new one that is in the file now. A server takes the text itself, as every secret is read;
/// so what is made is text: 32 random bytes in base64url.
///
/// # Errors
/// Exit 3: the file cannot be written. Exit 4: it cannot be read, or is too short.
async fn sealing_key(path: &Path, around: &Surroundings) -> Result<SecretBytes, Failure> {
    if path.symlink_metadata().is_err() {
        let mut bytes = [0; SEALING_KEY_BYTES];
        around.random.fill(&mut bytes);
        let text = SecretString::new(base64url::encode(bytes));
        write_new(path, &line(&text))?;
        around.output.note(&format!("the sealing key is made: {} (mode 0600)", path.display()));
        around
            .output
            .note("every node needs the same file; without it every secret and key in the database is lost");
        return Ok(SecretBytes::from(text.expose().as_bytes()));
    }
    let read =
        SecretReference::File(path.to_owned()).read(&around.environment, around.clock.as_ref()).await?;
    let key = SecretBytes::from(read.secret.expose().as_bytes());
    if key.expose().len() < SEALING_KEY_BYTES {
        return Err(Failure::secret(format!(
            "the sealing key {} has less than {SEALING_KEY_BYTES} bytes",
            path.display()
        ))
        .hint("name a file that is not there, to have one made"));
    }
    Ok(key)
}

fn line(secret: &SecretString) -> SecretString {
    SecretString::new(format!("{}\n", secret.expose()))
}

/// A file that was not there, for us alone.
fn write_new(path: &Path, text: &SecretString) -> Result<(), Failure> {
    let failed =
        |error: std::io::Error| Failure::configuration(format!("cannot write {}: {error}", path.display()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(text.expose().as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

#[cfg(test)]
mod tests;
