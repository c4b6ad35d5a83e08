//! Administrative acts as values, and what each does to the registry. Pure.
//!
//! Enforces: names are taken once; versions match where the act names one; grants stay within their
//! APIs; what was revoked stays revoked. Rules about one sort of thing are in the modules below; clients are here.
//! Does not enforce: who may order the act (the admin API), nor that it is kept (the store).

mod apis;
mod credentials;
mod issuers;
mod keys;
mod rehash;

use std::sync::Arc;
use std::time::Duration;

use m2m_proto::client_id::ClientId;
use m2m_proto::time::UnixTime;

use super::{
    Api, ApiIdentifier, Client, Credential, CredentialId, IssuerId, KeyRecord, MAX_CREDENTIALS, Registration,
    Registry, Status, TrustedIssuer,
};

/// The version that an act was decided on; `None` acts on whatever there is.
pub type IfVersion = Option<u64>;

/// A change of the registry: one administrative act, applied whole or not at all.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Change {
    /// Registers an API.
    CreateApi(Api),
    /// Replaces what is registered of an API.
    UpdateApi(Api, IfVersion),
    /// Removes an API that no client is granted.
    DeleteApi(ApiIdentifier, IfVersion),
    /// Registers a client.
    CreateClient(Client),
    /// Replaces what is registered of a client, but for status, credentials and date of creation.
    UpdateClient(Client, IfVersion),
    /// Activates, disables or revokes a client.
    SetClientStatus(ClientId, Status),
    /// Removes a client with its credentials; its tokens are inactive.
    DeleteClient(ClientId, IfVersion),
    /// Adds a credential to a client.
    CreateCredential(Credential),
    /// Adds a credential that takes the place of another, which ends at the given time.
    RotateCredential(Credential, CredentialId, UnixTime),
    /// Activates, disables or revokes a credential.
    SetCredentialStatus(CredentialId, Status),
    /// Keeps an imported secret as this keyed hash instead of the slow one it came with. Nothing happens
    /// where that was done.
    RehashCredential(CredentialId, [u8; 32]),
    /// Adds a signing key whose time follows that of all others of its algorithm.
    CreateKey(KeyRecord),
    /// Adds a signing key that takes over when it becomes active; the others of its algorithm stay
    /// published for so long after that.
    RollKey(KeyRecord, Duration),
    /// Adds a signing key and withdraws all others of its algorithm, with all that they signed.
    RollKeyNow(KeyRecord),
    /// Forgets signing keys that are retired by then.
    ForgetKeys(UnixTime),
    /// Trusts an issuer.
    CreateIssuer(TrustedIssuer),
    /// Replaces what is registered of an issuer, but for its names, status and date of creation.
    UpdateIssuer(TrustedIssuer, IfVersion),
    /// Activates or disables an issuer.
    SetIssuerStatus(IssuerId, Status),
    /// Removes an issuer that no credential in use maps to.
    DeleteIssuer(IssuerId, IfVersion),
}

/// Why a [`Change`] cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Conflict {
    /// An API, client, credential or key of that name is registered already.
    #[error("{0} is registered already")]
    Exists(String),
    /// Nothing of that name is registered.
    #[error("{0} is not registered")]
    Unknown(String),
    /// It was changed since the version that the act names.
    #[error("{name} is at version {found}, not {expected}: read it again")]
    Version {
        /// What.
        name: String,
        /// The version that the act names.
        expected: u64,
        /// The version there is.
        found: u64,
    },
    /// A grant names an API that is not registered.
    #[error("the grant names {0}, which is not a registered API")]
    UnknownApi(String),
    /// A grant names a scope that its API does not know.
    #[error("the grant for {0} names a scope that this API does not have")]
    UnknownScope(String),
    /// A client is granted what would go.
    #[error("{what} is granted to the client {client}: change that client first")]
    InUse {
        /// The API, or a scope of it.
        what: String,
        /// One of the clients.
        client: String,
    },
    /// The scopes granted by default are not among the scopes granted.
    #[error("the defaults for {0} go beyond the granted scopes")]
    DefaultsBeyondGrant(String),
    /// A lifetime is zero or beyond 24 h.
    #[error("the lifetime for {0} is not between 1 s and 24 h")]
    Lifetime(String),
    /// A client has 64 credentials that are in use.
    #[error("{0} has {MAX_CREDENTIALS} credentials in use: revoke one")]
    TooManyCredentials(String),
    /// The order was given before under the same idempotency key, and made this credential.
    #[error("this order was given before, and made {0}")]
    Repeated(CredentialId),
    /// It was rotated, and the credential that took its place is in use.
    #[error("{0} was rotated already: its successor is {1}")]
    Rotated(String, String),
    /// What was revoked stays revoked.
    #[error("{0} is revoked, and stays so")]
    RevokedForGood(String),
    /// HMAC keys sign nothing that others check.
    #[error("tokens of {0} would be signed with a symmetric algorithm")]
    SymmetricAlgorithm(String),
    /// Another signing key of the algorithm is active then.
    #[error("a signing key for {0} exists for that time")]
    KeyExists(String),
    /// A credential in use stands for a workload of an issuer that would go.
    #[error("the credential {credential} of {client} maps to {issuer}: revoke it first")]
    Mapped {
        /// The trusted issuer.
        issuer: String,
        /// The credential.
        credential: CredentialId,
        /// Whose it is.
        client: String,
    },
    /// What is ordered of a trusted issuer or of a mapping to one cannot be.
    #[error("{name}: {why}")]
    Issuer {
        /// The trusted issuer.
        name: String,
        /// What is wrong, and what to do.
        why: &'static str,
    },
    /// A mint quota of zero lets nothing pass: disable the client instead.
    #[error("a quota of 0 tokens for {0}: disable the client instead")]
    NoQuota(String),
}

/// One thing in the registry, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Entity {
    /// An API.
    Api(ApiIdentifier),
    /// A client, without its credentials.
    Client(ClientId),
    /// A credential.
    Credential(CredentialId),
    /// A signing key, by `kid`.
    Key(String),
    /// A trusted issuer.
    Issuer(IssuerId),
    /// How many places of the status lists were given away.
    StatusIndexes,
}

/// A snapshot after a change, and what in it differs from before (or is gone).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Applied {
    /// The registry after the change.
    pub registry: Registry,
    /// What the change touched.
    pub touched: Vec<Entity>,
}

/// Applies one change to a copy.
pub(super) fn apply(registry: &Registry, change: Change) -> Result<Applied, Conflict> {
    let mut next = Applied { registry: registry.clone(), touched: Vec::with_capacity(2) };
    match change {
        Change::CreateApi(api) => next.create_api(api)?,
        Change::UpdateApi(api, version) => next.update_api(api, version)?,
        Change::DeleteApi(identifier, version) => next.delete_api(&identifier, version)?,
        Change::CreateClient(client) => next.create_client(client)?,
        Change::UpdateClient(client, version) => next.update_client(client, version)?,
        Change::SetClientStatus(id, status) => next.set_client_status(&id, status)?,
        Change::DeleteClient(id, version) => next.delete_client(&id, version)?,
        Change::CreateCredential(credential) => next.create_credential(credential)?,
        Change::RotateCredential(credential, old, end) => next.rotate_credential(credential, &old, end)?,
        Change::SetCredentialStatus(id, status) => next.set_credential_status(&id, status)?,
        Change::RehashCredential(id, hash) => next.rehash_credential(&id, hash)?,
        Change::CreateKey(key) => next.create_key(key)?,
        Change::RollKey(key, retain) => next.roll_key(key, retain),
        Change::RollKeyNow(key) => next.roll_key_now(key),
        Change::ForgetKeys(now) => next.forget_keys(now),
        Change::CreateIssuer(issuer) => next.create_issuer(issuer)?,
        Change::UpdateIssuer(issuer, version) => next.update_issuer(issuer, version)?,
        Change::SetIssuerStatus(id, status) => next.set_issuer_status(&id, status)?,
        Change::DeleteIssuer(id, version) => next.delete_issuer(&id, version)?,
    }
    Ok(next)
}

fn check_version(name: &str, found: u64, expected: IfVersion) -> Result<(), Conflict> {
    match expected {
        Some(expected) if expected != found => {
            Err(Conflict::Version { name: name.to_owned(), expected, found })
        }
        _ => Ok(()),
    }
}

impl Applied {
    fn touch(&mut self, entity: Entity) {
        if !self.touched.contains(&entity) {
            self.touched.push(entity);
        }
    }

    fn check_client(&self, client: &Client) -> Result<(), Conflict> {
        if client.lifetime_cap.is_some_and(|cap| cap.as_secs() == 0) {
            return Err(Conflict::Lifetime(client.id.as_str().to_owned()));
        }
        if client.mint_quota == Some(0) {
            return Err(Conflict::NoQuota(client.id.as_str().to_owned()));
        }
        for (identifier, grant) in client.grants.iter() {
            let name = || identifier.as_str().to_owned();
            let api = self.registry.apis.get(identifier).ok_or_else(|| Conflict::UnknownApi(name()))?;
            if !api.owns(&grant.scopes) {
                return Err(Conflict::UnknownScope(name()));
            }
            if !grant.defaults.is_subset(&grant.scopes) {
                return Err(Conflict::DefaultsBeyondGrant(name()));
            }
        }
        Ok(())
    }

    fn create_client(&mut self, client: Client) -> Result<(), Conflict> {
        if self.registry.clients.get(&client.id).is_some() {
            return Err(Conflict::Exists(client.id.as_str().to_owned()));
        }
        self.check_client(&client)?;
        self.touch(Entity::Client(client.id.clone()));
        let client = self.registry.sharing(Client { version: 1, ..client });
        let registration = Registration::of(client);
        self.registry.clients.insert(registration.client.id.clone(), Arc::new(registration));
        Ok(())
    }

    fn update_client(&mut self, client: Client, expected: IfVersion) -> Result<(), Conflict> {
        let known = self.registration(&client.id)?.client();
        check_version(client.id.as_str(), known.version, expected)?;
        let (status, created_at, version) = (known.status, known.created_at, known.version + 1);
        self.check_client(&client)?;
        let client = self.registry.sharing(Client { status, created_at, version, ..client });
        let id = client.id.clone();
        self.registration_mut(&id)?.client = client;
        Ok(())
    }

    fn set_client_status(&mut self, id: &ClientId, status: Status) -> Result<(), Conflict> {
        let client = &mut self.registration_mut(id)?.client;
        client.status = changed(client.status, status, id.as_str())?;
        client.version += 1;
        Ok(())
    }

    fn delete_client(&mut self, id: &ClientId, expected: IfVersion) -> Result<(), Conflict> {
        check_version(id.as_str(), self.registration(id)?.client().version, expected)?;
        if let Some(gone) = self.registry.clients.remove(id) {
            for credential in gone.credentials() {
                self.registry.unmap(credential);
                self.registry.credentials.remove(&credential.id);
                self.touched.push(Entity::Credential(credential.id.clone()));
            }
        }
        self.touch(Entity::Client(id.clone()));
        Ok(())
    }

    fn registration(&self, id: &ClientId) -> Result<&Arc<Registration>, Conflict> {
        self.registry.registration(id).ok_or_else(|| unknown(id))
    }

    fn registration_mut(&mut self, id: &ClientId) -> Result<&mut Registration, Conflict> {
        self.touch(Entity::Client(id.clone()));
        self.registry.registration_mut(id).ok_or_else(|| unknown(id))
    }
}

fn unknown(name: &(impl AsName + ?Sized)) -> Conflict {
    Conflict::Unknown(name.as_name().to_owned())
}

/// What a [`Conflict`] names.
trait AsName {
    fn as_name(&self) -> &str;
}

impl AsName for ClientId {
    fn as_name(&self) -> &str {
        self.as_str()
    }
}

impl AsName for CredentialId {
    fn as_name(&self) -> &str {
        self.as_str()
    }
}

fn in_use(what: &str, registration: &Registration) -> Conflict {
    Conflict::InUse { what: what.to_owned(), client: registration.client.id.as_str().to_owned() }
}

/// Revocation is final: a key that leaked once is never trusted again.
fn changed(from: Status, to: Status, name: &str) -> Result<Status, Conflict> {
    match (from, to) {
        (Status::Revoked, Status::Active | Status::Disabled) => {
            Err(Conflict::RevokedForGood(name.to_owned()))
        }
        _ => Ok(to),
    }
}
