//! What a new database needs before anybody can ask a server: a sealing key, and somebody who may administer.
//!
//! `m2m admin init` does it for any database; `m2m serve` does it for a SQLite file that it makes itself, beside that
//! file.
//!
//! Enforces: nothing that is there is replaced. The sealing key is on the disk before anything is sealed under it, and
//! not in a file that everybody on the machine can read.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use m2m_authorization_server::admin::{ADMIN_PATH, SCOPE_READ, SCOPE_WRITE};
use m2m_authorization_server::registry::{Client, CredentialSpec, Proof, SecretUse, SenderConstraint};
use m2m_authorization_server::{ErrorKind, Server};
use m2m_io::Random;
use m2m_io::file::Exposure;
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::{Algorithm, JwkSet, KeyError, SigningKey, base64url};
use m2m_proto::scope::Scope;
use m2m_proto::secret::{SecretBytes, SecretString};
use m2m_proto::uri::Issuer;

use super::database::Claimed;
use super::open::failure;
use super::sqlite::Age;
use crate::Surroundings;
use crate::args::LogFormat;
use crate::exit::Failure;
use crate::settings::edit::Draft;
use crate::settings::field::Field;
use crate::settings::file::Profile;
use crate::settings::secret::SecretReference;
use crate::settings::value::{Origin, Sourced, Value};

/// The client that may administer, and the profile that names it.
pub(crate) const ADMIN: &str = "admin";
/// A key of each run, as a profile says it.
const EPHEMERAL: &str = "ephemeral";
/// Bytes of a sealing key, at least.
const SEALING_KEY_BYTES: usize = 32;

/// [`ADMIN`] as a client identifier.
///
/// # Errors
/// None that can happen.
pub(crate) fn admin_id() -> Result<ClientId, Failure> {
    ClientId::parse(ADMIN).map_err(|error| Failure::internal(error.to_string()))
}

/// Everything that the admin API can do.
///
/// # Errors
/// None that can happen.
pub(crate) fn everything() -> Result<Scope, Failure> {
    Scope::parse(&format!("{SCOPE_READ} {SCOPE_WRITE}")).map_err(|error| Failure::internal(error.to_string()))
}

/// Registers a client with a secret, for everything that the admin API can do.
///
/// # Errors
/// `None` when there is one already; what the server says.
pub(crate) async fn administrator(server: &Server, id: &ClientId) -> Result<Option<SecretString>, Failure> {
    let wrong = |error: m2m_authorization_server::Error| failure(&error);
    let api = server.admin_api().map_err(wrong)?;
    let admin = server.admin();
    let client = Client::new(id.clone()).grant(api, everything()?);
    match admin.create_client(client).await {
        Err(error) if error.kind() == ErrorKind::Conflict => return Ok(None),
        created => created.map_err(wrong)?,
    };
    let proof = Proof::ClientSecret(SecretUse::BasicOrPost);
    let made =
        admin.create_credential(CredentialSpec::new(id.clone(), "first", proof)).await.map_err(wrong)?;
    made.client_secret.map(Some).ok_or_else(|| Failure::internal("the server made no secret"))
}

/// Registers a client with a key, for everything that the admin API can do and for no token that is not bound to a key:
/// what a server under a security profile lets in. Gives the private key, PEM.
///
/// # Errors
/// `None` when there is one already; what the server says.
pub(crate) async fn administrator_with_key(
    server: &Server,
    id: &ClientId,
) -> Result<Option<SecretString>, Failure> {
    let wrong = |error: m2m_authorization_server::Error| failure(&error);
    let api = server.admin_api().map_err(wrong)?;
    let client = Client::new(id.clone()).grant(api, everything()?).sender_constraint(SenderConstraint::Dpop);
    match server.admin().create_client(client).await {
        Err(error) if error.kind() == ErrorKind::Conflict => return Ok(None),
        created => created.map_err(wrong)?,
    };
    key(server, id, "first").await.map(Some)
}

/// One more key of a client that is there: the private half, PEM. The server keeps the public one.
///
/// # Errors
/// What the server says.
pub(crate) async fn key(server: &Server, id: &ClientId, label: &str) -> Result<SecretString, Failure> {
    let unmade = |error: KeyError| Failure::internal(error.to_string());
    let key = SigningKey::generate(Algorithm::Es256).map_err(unmade)?;
    let public = key.public_jwk().ok_or_else(|| Failure::internal("a key without public half"))?;
    let spec = CredentialSpec::new(id.clone(), label, Proof::PublicKeys(JwkSet::from_keys([public])));
    server.admin().create_credential(spec).await.map_err(|error| failure(&error))?;
    key.to_pkcs8_pem().map_err(unmade)
}

/// The key in the file, or a new one that is in the file now. A server takes the text itself, as every secret is read;
/// so what is made is text: 32 random bytes in base64url.
///
/// # Errors
/// Exit 3: the file cannot be written, or it is not there and the database is not new: a new key would open nothing in
/// it. Exit 4: it cannot be read, or is too short.
pub(crate) async fn sealing_key(
    path: &Path,
    database: &Claimed,
    log: LogFormat,
    around: &Surroundings,
) -> Result<SecretBytes, Failure> {
    if path.symlink_metadata().is_err() {
        if matches!(database, Claimed::Sqlite(file) if file.age() == Age::Old) {
            return Err(Failure::configuration(format!(
                "{} is not there, and the database is not new: it was made under another sealing key",
                path.display()
            ))
            .hint(
                "name the file that was made with it: sealing_key = { file = \"/path\" } in the file that m2m serve \
                 --config reads, --sealing-key-file for m2m admin init",
            ));
        }
        let text = random_text(around.random.as_ref());
        write_new(path, text.expose())?;
        tell(&format!("the sealing key is made: {} (mode 0600)", path.display()), log, around);
        let keep = "every node needs the same file; without it every secret and key in the database is lost";
        tell(keep, log, around);
        return Ok(SecretBytes::from(text.expose().as_bytes()));
    }
    let key = kept_sealing_key(&SecretReference::File(path.to_owned()), around).await?;
    if key.expose().len() < SEALING_KEY_BYTES {
        return Err(Failure::secret(format!(
            "the sealing key {} has less than {SEALING_KEY_BYTES} bytes",
            path.display()
        ))
        .hint("name a file that is not there, to have one made"));
    }
    Ok(key)
}

/// The key that somebody keeps for us.
///
/// # Errors
/// Exit 4: it cannot be read. Exit 3: it is in a file that everybody on this machine can read.
pub(crate) async fn kept_sealing_key(
    reference: &SecretReference,
    around: &Surroundings,
) -> Result<SecretBytes, Failure> {
    let read = reference.read(&around.environment, around.clock.as_ref()).await?;
    match read.exposure {
        Exposure::Private => {}
        Exposure::Group => {
            tracing::warn!("the sealing key, {reference}, can be read by its group: chmod 600");
        }
        Exposure::Everybody => {
            return Err(Failure::configuration(format!(
                "the sealing key, {reference}, can be read by everybody on this machine"
            ))
            .hint(
                "chmod 600 it, and replace it if others were there; of a mounted secret set the mode \
                 (Kubernetes: defaultMode: 0400)",
            ));
        }
    }
    Ok(SecretBytes::from(read.secret.expose().as_bytes()))
}

/// Says something in the form that the log has.
pub(crate) fn tell(text: &str, log: LogFormat, around: &Surroundings) {
    match log {
        LogFormat::Text => around.output.note(text),
        LogFormat::Json => tracing::info!("{text}"),
    }
}

fn random_text(random: &dyn Random) -> SecretString {
    let mut bytes = [0; SEALING_KEY_BYTES];
    random.fill(&mut bytes);
    SecretString::new(base64url::encode(bytes))
}

/// Where the profile of the administrator and its secret go.
#[derive(Debug)]
pub(crate) struct Places {
    /// `m2m.toml` form.
    pub(crate) profile: PathBuf,
    /// The secret, beside it.
    pub(crate) secret: PathBuf,
    /// The certificates that the profile trusts besides the system's.
    pub(crate) ca_file: Option<PathBuf>,
}

impl Places {
    /// The profile, and beside it the secret.
    pub(crate) fn at(profile: &Path) -> Self {
        Self { profile: profile.to_owned(), secret: profile.with_extension("secret"), ca_file: None }
    }

    /// The first that is there already, if one is.
    pub(crate) fn taken(&self) -> Option<&Path> {
        [&self.profile, &self.secret]
            .into_iter()
            .find(|path| path.symlink_metadata().is_ok())
            .map(PathBuf::as_path)
    }

    /// Writes both, 0600.
    ///
    /// # Errors
    /// Exit 3, naming the file.
    pub(crate) fn write(
        &self,
        issuer: &Issuer,
        id: &ClientId,
        client_secret: &SecretString,
        around: &Surroundings,
    ) -> Result<(), Failure> {
        write_new(&self.secret, client_secret.expose())?;
        let secret = Value::Secret(SecretReference::File(self.secret.clone()));
        self.write_profile(profile(issuer, id, [(Field::ClientSecret, secret)]), around)
    }

    /// The same for a private key; the profile asks for tokens that are bound to a key of each run.
    ///
    /// # Errors
    /// Exit 3, naming the file.
    pub(crate) fn write_key(
        &self,
        issuer: &Issuer,
        id: &ClientId,
        private_key: &SecretString,
        around: &Surroundings,
    ) -> Result<(), Failure> {
        write_new(&self.secret, private_key.expose().trim_end())?;
        let key = Value::Secret(SecretReference::File(self.secret.clone()));
        let dpop = Value::Text(EPHEMERAL.to_owned());
        self.write_profile(profile(issuer, id, [(Field::PrivateKey, key), (Field::Dpop, dpop)]), around)
    }

    fn write_profile(&self, mut profile: Profile, around: &Surroundings) -> Result<(), Failure> {
        let mut draft = Draft::open(&self.profile)?;
        if let Some(path) = &self.ca_file {
            let value = Value::Text(path.display().to_string());
            profile.insert(Field::CaFile, Sourced { value, origin: Origin::Default });
        }
        draft.put(ADMIN, &profile)?;
        draft.save(around.random.as_ref()).map(drop)
    }
}

fn profile<const N: usize>(issuer: &Issuer, id: &ClientId, shown: [(Field, Value); N]) -> Profile {
    let audience = format!("{}{ADMIN_PATH}", issuer.as_str().trim_end_matches('/'));
    let values = [
        (Field::Issuer, Value::Text(issuer.as_str().to_owned())),
        (Field::ClientId, Value::Text(id.as_str().to_owned())),
        (Field::Audience, Value::Text(audience)),
    ];
    let all = values.into_iter().chain(shown);
    all.map(|(field, value)| (field, Sourced { value, origin: Origin::Default })).collect()
}

/// A file that was not there, for us alone, with one line.
///
/// # Errors
/// Exit 3, naming the file.
pub(crate) fn write_new(path: &Path, line: &str) -> Result<(), Failure> {
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
    file.write_all(line.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .map_err(failed)
}
