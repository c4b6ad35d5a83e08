//! Who may ask for what: APIs, clients, credentials, as one immutable snapshot.
//!
//! Changes are values ([`Change`]) and applying one is pure, so every store keeps the same rules:
//! the memory store swaps the snapshot, a database records the change in one transaction.

pub mod api;
pub mod change;
pub mod client;
pub mod credential;
pub mod grants;
pub mod imported;
pub mod issuer;
pub mod key;
pub(crate) mod secret;
pub(crate) mod shards;
pub(crate) mod vault;

use std::collections::BTreeMap;
use std::sync::Arc;

use m2m_proto::client_id::ClientId;
use m2m_proto::time::UnixTime;

pub use api::{Api, ApiIdentifier, ApiScope, SenderConstraint, TokenFormat};
pub use change::{Applied, Change, Conflict, Entity, IfVersion};
pub use client::{Client, Status};
pub use credential::{
    AcceptedAudience, CreatedCredential, Credential, CredentialId, CredentialSpec, Material, Proof, SecretUse,
};
pub use grants::{ApiGrant, Grants};
pub use imported::{ImportedHash, SlowHash, SlowHashError};
pub use issuer::{ExternalSubject, Federated, FetchFiles, IssuerId, IssuerKeys, Named, Reuse, TrustedIssuer};
pub use key::KeyRecord;
pub use secret::SECRET_PREFIX;

use crate::frequency::Rates;
use issuer::Mappings;
use shards::Shards;

/// At most so many credentials per client: 64. The oldest one that is revoked or expired makes room
/// for a new one.
///
/// Bounds what one assertion without `kid` can make the server verify.
pub const MAX_CREDENTIALS: usize = 64;

/// A client with its credentials, as they were at one moment.
#[derive(Debug, Clone)]
pub struct Registration {
    client: Client,
    credentials: Vec<Arc<Credential>>,
    /// Shared by all snapshots, so that a change does not begin a new minute.
    rates: Arc<Rates>,
}

impl Registration {
    /// A client with one credential that nobody registered, for the tests of what comes after.
    #[cfg(test)]
    pub(crate) fn for_test(client: Client, credential: Arc<Credential>) -> Self {
        Self { client, credentials: vec![credential], rates: Arc::default() }
    }

    fn of(client: Client) -> Self {
        Self { client, credentials: Vec::new(), rates: Arc::default() }
    }

    /// What the client did in its current minute.
    pub(crate) fn rates(&self) -> &Rates {
        &self.rates
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

/// An immutable snapshot of everything registered.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    apis: BTreeMap<ApiIdentifier, Arc<Api>>,
    clients: Shards<ClientId, Arc<Registration>>,
    /// Whose credential it is.
    credentials: Shards<CredentialId, ClientId>,
    keys: BTreeMap<String, Arc<KeyRecord>>,
    issuers: BTreeMap<IssuerId, Arc<TrustedIssuer>>,
    /// Which credentials stand for workloads of an issuer.
    mappings: BTreeMap<IssuerId, Arc<Mappings>>,
    /// Places of the status lists given away so far.
    status_indexes: u64,
}

/// One thing as a store kept it, to be put back without asking whether it may be.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Restored {
    /// An API.
    Api(Api),
    /// A client; its credentials come after it.
    Client(Client),
    /// A credential of a client that is there.
    Credential(Credential),
    /// A signing key.
    Key(KeyRecord),
    /// A trusted issuer.
    Issuer(TrustedIssuer),
    /// How many places of the status lists were given away.
    StatusIndexes(u64),
    /// Something that is gone.
    Gone(Entity),
}

impl Registry {
    /// The client of that id, with its credentials.
    #[must_use]
    pub fn registration(&self, id: &ClientId) -> Option<&Arc<Registration>> {
        self.clients.get(id)
    }

    /// The client of that id, which may be any text.
    #[must_use]
    pub fn registration_named(&self, id: &str) -> Option<&Arc<Registration>> {
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

    /// How many clients there are.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// The credential of that id, whosever it is.
    #[must_use]
    pub fn credential(&self, id: &CredentialId) -> Option<&Arc<Credential>> {
        self.clients.get(self.credentials.get(id)?)?.credential(id.as_str())
    }

    /// Every signing key, by `kid`.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<KeyRecord>> {
        self.keys.values()
    }

    /// The signing key of that `kid`.
    #[must_use]
    pub fn key(&self, kid: &str) -> Option<&Arc<KeyRecord>> {
        self.keys.get(kid)
    }

    /// Every trusted issuer, by id.
    pub fn issuers(&self) -> impl Iterator<Item = &Arc<TrustedIssuer>> {
        self.issuers.values()
    }

    /// The trusted issuer of that id.
    #[must_use]
    pub fn issuer(&self, id: &str) -> Option<&Arc<TrustedIssuer>> {
        self.issuers.get(id)
    }

    /// Every credential that stands for a workload of an issuer, with its client.
    pub fn mapped_to(&self, id: &IssuerId) -> impl Iterator<Item = (&Arc<Registration>, &Arc<Credential>)> {
        let ids = self.mappings.get(id).into_iter().flat_map(|mappings| mappings.all());
        ids.filter_map(|id| self.owned(id))
    }

    /// Those of them that may stand for a subject: patterns are among them, whether or not they match.
    pub(crate) fn mapping_candidates<'r>(
        &'r self,
        id: &IssuerId,
        subject: &str,
    ) -> impl Iterator<Item = (&'r Arc<Registration>, &'r Arc<Credential>)> {
        let ids = self.mappings.get(id).into_iter().flat_map(|mappings| mappings.candidates(subject));
        ids.filter_map(|id| self.owned(id))
    }

    /// Whether a credential and its tokens are void at `now`: it has ended, or its issuer is not trusted any more.
    #[must_use]
    pub fn is_void(&self, credential: &Credential, now: UnixTime) -> bool {
        let trusted = |mapping: &Federated| {
            self.issuer(mapping.issuer.as_str()).is_some_and(|issuer| issuer.status == Status::Active)
        };
        let disowned = matches!(&credential.material, Material::Federated(mapping) if !trusted(mapping));
        disowned || credential.has_ended(now)
    }

    fn owned(&self, id: &CredentialId) -> Option<(&Arc<Registration>, &Arc<Credential>)> {
        let registration = self.clients.get(self.credentials.get(id)?)?;
        Some((registration, registration.credential(id.as_str())?))
    }

    fn map(&mut self, credential: &Credential) {
        if let Material::Federated(mapping) = &credential.material {
            let mappings = self.mappings.entry(mapping.issuer.clone()).or_default();
            Arc::make_mut(mappings).add(&credential.id, &mapping.subject);
        }
    }

    fn unmap(&mut self, credential: &Credential) {
        let Material::Federated(mapping) = &credential.material else { return };
        let Some(mappings) = self.mappings.get_mut(&mapping.issuer) else { return };
        let mappings = Arc::make_mut(mappings);
        mappings.remove(&credential.id, &mapping.subject);
        if mappings.is_empty() {
            self.mappings.remove(&mapping.issuer);
        }
    }

    /// How many places of the status lists were given away: indexes below are or were somebody's.
    #[must_use]
    pub fn status_indexes(&self) -> u64 {
        self.status_indexes
    }

    /// The snapshot after `change`, and what differs in it.
    ///
    /// # Errors
    /// A [`Conflict`] when the change contradicts what is registered; nothing is changed then.
    pub fn apply(&self, change: Change) -> Result<Applied, Conflict> {
        change::apply(self, change)
    }

    /// Puts back what a store kept. A credential whose client is not there is left out.
    pub fn restore(&mut self, restored: Restored) {
        match restored {
            Restored::Api(api) => {
                self.apis.insert(api.identifier.clone(), Arc::new(api));
            }
            Restored::Client(client) => self.restore_client(client),
            Restored::Credential(credential) => self.restore_credential(credential),
            Restored::Key(key) => {
                self.keys.insert(key.kid.clone(), Arc::new(key));
            }
            Restored::Issuer(issuer) => {
                self.issuers.insert(issuer.id.clone(), Arc::new(issuer));
            }
            Restored::StatusIndexes(count) => self.status_indexes = self.status_indexes.max(count),
            Restored::Gone(entity) => self.forget(&entity),
        }
    }

    fn restore_client(&mut self, client: Client) {
        let client = self.sharing(client);
        match self.registration_mut(&client.id) {
            Some(registration) => registration.client = client,
            None => {
                let id = client.id.clone();
                self.clients.insert(id, Arc::new(Registration::of(client)));
            }
        }
    }

    fn restore_credential(&mut self, credential: Credential) {
        let Some(registration) = self.registration_mut(&credential.client_id) else { return };
        let (id, client_id) = (credential.id.clone(), registration.client.id.clone());
        let credential = Arc::new(Credential { client_id: client_id.clone(), ..credential });
        // What it is made of never changes, so an older state of it is mapped alike.
        self.map(&credential);
        let Some(registration) = self.registration_mut(&client_id) else { return };
        match registration.credentials.iter_mut().find(|own| own.id == id) {
            Some(own) => *own = credential,
            None => {
                registration.credentials.push(credential);
                // The order of creation, in whatever order they were read.
                registration.credentials.sort_by_key(|own| own.status_index);
            }
        }
        self.credentials.insert(id, client_id);
    }

    fn forget(&mut self, entity: &Entity) {
        match entity {
            Entity::Api(identifier) => {
                self.apis.remove(identifier);
            }
            Entity::Client(id) => {
                for credential in self.clients.remove(id).iter().flat_map(|gone| gone.credentials()) {
                    self.unmap(credential);
                    self.credentials.remove(&credential.id);
                }
            }
            Entity::Credential(id) => {
                if let Some(gone) = self.credential(id).cloned() {
                    self.unmap(&gone);
                }
                if let Some(client_id) = self.credentials.remove(id)
                    && let Some(registration) = self.registration_mut(&client_id)
                {
                    registration.credentials.retain(|own| own.id != *id);
                }
            }
            Entity::Key(kid) => {
                self.keys.remove(kid);
            }
            Entity::Issuer(id) => {
                self.issuers.remove(id);
            }
            Entity::StatusIndexes => {}
        }
    }

    /// The same client, its names shared with those of the APIs.
    fn sharing(&self, client: Client) -> Client {
        Client { grants: client.grants.sharing(|api| self.api(api)), ..client }
    }

    fn registration_mut(&mut self, id: &ClientId) -> Option<&mut Registration> {
        self.clients.get_mut(id).map(Arc::make_mut)
    }
}

#[cfg(test)]
mod tests;
