//! Who may ask for what: APIs, clients, credentials, as one immutable snapshot.
//!
//! Changes are values ([`Change`]) and applying one is pure, so every store keeps the same rules:
//! the memory store swaps the snapshot, a database records the change in one transaction.

pub mod api;
pub mod client;
pub mod credential;
pub(crate) mod secret;
pub(crate) mod vault;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use m2m_proto::client_id::ClientId;

pub use api::{Api, ApiIdentifier, ApiScope, SenderConstraint};
pub use client::{ApiGrant, Client, Status};
pub use credential::{
    AcceptedAudience, CreatedCredential, Credential, CredentialId, CredentialSpec, Material, Proof, SecretUse,
};
pub use secret::SECRET_PREFIX;

/// At most so many credentials per client, revoked ones included: 64.
///
/// Bounds what one assertion without `kid` can make the server verify.
pub const MAX_CREDENTIALS: usize = 64;

/// A client with its credentials, as they were at one moment.
#[derive(Debug, Clone)]
pub struct Registration {
    client: Client,
    credentials: Vec<Arc<Credential>>,
}

impl Registration {
    /// A client with one credential that nobody registered, for the tests of what comes after.
    #[cfg(test)]
    pub(crate) fn for_test(client: Client, credential: Arc<Credential>) -> Self {
        Self { client, credentials: vec![credential] }
    }

    /// The client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Its credentials, in the order of their creation.
    #[must_use]
    pub fn credentials(&self) -> &[Arc<Credential>] {
        &self.credentials
    }

    /// The credential of that name.
    #[must_use]
    pub fn credential(&self, id: &str) -> Option<&Arc<Credential>> {
        self.credentials.iter().find(|credential| credential.id.as_str() == id)
    }
}

/// A change of the registry: one administrative act, applied whole or not at all.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Change {
    /// Registers an API.
    CreateApi(Api),
    /// Registers a client.
    CreateClient(Client),
    /// Adds a credential to a client.
    CreateCredential(Credential),
    /// Activates, disables or revokes a credential.
    SetCredentialStatus(CredentialId, Status),
    /// Activates, disables or revokes a client.
    SetClientStatus(ClientId, Status),
}

/// Why a [`Change`] cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Conflict {
    /// An API, client or credential of that name is registered already.
    #[error("{0} is registered already")]
    Exists(String),
    /// Nothing of that name is registered.
    #[error("{0} is not registered")]
    Unknown(String),
    /// A grant names an API that is not registered.
    #[error("the grant names {0}, which is not a registered API")]
    UnknownApi(String),
    /// A grant names a scope that its API does not know.
    #[error("the grant for {0} names a scope that this API does not have")]
    UnknownScope(String),
    /// The scopes granted by default are not among the scopes granted.
    #[error("the defaults for {0} go beyond the granted scopes")]
    DefaultsBeyondGrant(String),
    /// A lifetime is zero or beyond 24 h.
    #[error("the lifetime for {0} is not between 1 s and 24 h")]
    Lifetime(String),
    /// A client has 64 credentials.
    #[error("{0} has {MAX_CREDENTIALS} credentials")]
    TooManyCredentials(String),
    /// What was revoked stays revoked.
    #[error("{0} is revoked, and stays so")]
    RevokedForGood(String),
    /// HMAC keys sign nothing that others check.
    #[error("tokens of {0} would be signed with a symmetric algorithm")]
    SymmetricAlgorithm(String),
}

/// An immutable snapshot of everything registered.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    apis: BTreeMap<ApiIdentifier, Arc<Api>>,
    clients: HashMap<ClientId, Arc<Registration>>,
    /// Whose credential it is.
    credentials: HashMap<CredentialId, ClientId>,
}

impl Registry {
    /// The client of that id, with its credentials.
    #[must_use]
    pub fn registration(&self, id: &ClientId) -> Option<&Arc<Registration>> {
        self.clients.get(id)
    }

    /// The API of that identifier.
    #[must_use]
    pub fn api(&self, identifier: &str) -> Option<&Arc<Api>> {
        self.apis.get(identifier)
    }

    /// Every API, by identifier.
    pub fn apis(&self) -> impl Iterator<Item = &Arc<Api>> {
        self.apis.values()
    }

    /// Every client, in no order.
    pub fn registrations(&self) -> impl Iterator<Item = &Arc<Registration>> {
        self.clients.values()
    }

    /// The credential of that id, whosever it is.
    #[must_use]
    pub fn credential(&self, id: &CredentialId) -> Option<&Arc<Credential>> {
        self.clients.get(self.credentials.get(id)?)?.credential(id.as_str())
    }

    /// The snapshot after `change`.
    ///
    /// # Errors
    /// A [`Conflict`] when the change contradicts what is registered; nothing is changed then.
    pub fn apply(&self, change: Change) -> Result<Self, Conflict> {
        let mut next = self.clone();
        match change {
            Change::CreateApi(api) => next.create_api(api)?,
            Change::CreateClient(client) => next.create_client(client)?,
            Change::CreateCredential(credential) => next.create_credential(credential)?,
            Change::SetCredentialStatus(id, status) => next.set_credential_status(&id, status)?,
            Change::SetClientStatus(id, status) => next.set_client_status(&id, status)?,
        }
        Ok(next)
    }

    fn create_api(&mut self, api: Api) -> Result<(), Conflict> {
        let name = api.identifier.as_str();
        if self.apis.contains_key(name) {
            return Err(Conflict::Exists(name.to_owned()));
        }
        if api.lifetime.as_secs() == 0 || api.lifetime > api::MAX_LIFETIME {
            return Err(Conflict::Lifetime(name.to_owned()));
        }
        if api.algorithm.is_symmetric() {
            return Err(Conflict::SymmetricAlgorithm(name.to_owned()));
        }
        self.apis.insert(api.identifier.clone(), Arc::new(api));
        Ok(())
    }

    fn create_client(&mut self, client: Client) -> Result<(), Conflict> {
        if self.clients.contains_key(&client.id) {
            return Err(Conflict::Exists(client.id.as_str().to_owned()));
        }
        if client.lifetime_cap.is_some_and(|cap| cap.as_secs() == 0) {
            return Err(Conflict::Lifetime(client.id.as_str().to_owned()));
        }
        for (identifier, grant) in &client.grants {
            let name = || identifier.as_str().to_owned();
            let api = self.apis.get(identifier).ok_or_else(|| Conflict::UnknownApi(name()))?;
            if !api.owns(&grant.scopes) {
                return Err(Conflict::UnknownScope(name()));
            }
            if !grant.defaults.is_subset(&grant.scopes) {
                return Err(Conflict::DefaultsBeyondGrant(name()));
            }
        }
        let registration = Registration { client, credentials: Vec::new() };
        self.clients.insert(registration.client.id.clone(), Arc::new(registration));
        Ok(())
    }

    fn create_credential(&mut self, credential: Credential) -> Result<(), Conflict> {
        let registration = self.registration_mut(&credential.client_id)?;
        if registration.client.status == Status::Revoked {
            return Err(Conflict::RevokedForGood(credential.client_id.as_str().to_owned()));
        }
        if registration.credentials.len() >= MAX_CREDENTIALS {
            return Err(Conflict::TooManyCredentials(credential.client_id.as_str().to_owned()));
        }
        let (id, client_id) = (credential.id.clone(), credential.client_id.clone());
        registration.credentials.push(Arc::new(credential));
        if self.credentials.insert(id.clone(), client_id).is_some() {
            return Err(Conflict::Exists(id.as_str().to_owned()));
        }
        Ok(())
    }

    fn set_credential_status(&mut self, id: &CredentialId, status: Status) -> Result<(), Conflict> {
        let unknown = || Conflict::Unknown(id.as_str().to_owned());
        let client_id = self.credentials.get(id).cloned().ok_or_else(unknown)?;
        let registration = self.registration_mut(&client_id)?;
        let credential = registration.credentials.iter_mut().find(|own| own.id == *id).ok_or_else(unknown)?;
        let credential = Arc::make_mut(credential);
        credential.status = changed(credential.status, status, id.as_str())?;
        Ok(())
    }

    fn set_client_status(&mut self, id: &ClientId, status: Status) -> Result<(), Conflict> {
        let client = &mut self.registration_mut(id)?.client;
        client.status = changed(client.status, status, id.as_str())?;
        Ok(())
    }

    fn registration_mut(&mut self, id: &ClientId) -> Result<&mut Registration, Conflict> {
        let registration =
            self.clients.get_mut(id).ok_or_else(|| Conflict::Unknown(id.as_str().to_owned()))?;
        Ok(Arc::make_mut(registration))
    }
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

#[cfg(test)]
mod tests;
