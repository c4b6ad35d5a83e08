//! Registered things as they are stored: JSON documents, converted here and nowhere else.
//!
//! Stored forms only grow: a member that is added has a default, and none changes its meaning.
//! Enforces: what is read back is what was stored, or the store cannot be read.

mod credential;
mod issuer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use m2m_proto::client_id::ClientId;
use m2m_proto::jose::{Algorithm, base64url};
use m2m_proto::scope::{Scope, ScopeToken};
use m2m_proto::time::UnixTime;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::keys::rotation::KeyDates;
use crate::registry::{
    Api, ApiGrant, ApiIdentifier, ApiScope, Client, CredentialId, Entity, IssuerId, KeyRecord, Registry,
    Restored, SenderConstraint, Status, TokenFormat,
};
use crate::store::StoreError;

/// A row of the registry: kind, id and document; an empty document stands for something that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) kind: &'static str,
    pub(super) id: String,
    pub(super) document: String,
}

const API: &str = "api";
const CLIENT: &str = "client";
pub(super) const CREDENTIAL: &str = "credential";
const KEY: &str = "key";
const ISSUER: &str = "trusted_issuer";
const STATUS_INDEXES: &str = "status_indexes";

impl Row {
    /// The row of one thing, as it is in `registry` now.
    pub(super) fn of(registry: &Registry, entity: &Entity) -> Result<Self, StoreError> {
        let (kind, id, document) = match entity {
            Entity::Api(id) => {
                (API, id.as_str(), registry.api(id.as_str()).map(|api| text(&StoredApi::of(api))))
            }
            Entity::Client(id) => {
                let found = registry.registration(id);
                (CLIENT, id.as_str(), found.map(|found| text(&StoredClient::of(found.client()))))
            }
            Entity::Credential(id) => {
                let found = registry.credential(id);
                (CREDENTIAL, id.as_str(), found.map(|found| text(&credential::Stored::of(found))))
            }
            Entity::Key(kid) => (KEY, kid.as_str(), registry.key(kid).map(|key| text(&StoredKey::of(key)))),
            Entity::Issuer(id) => {
                let found = registry.issuer(id.as_str());
                (ISSUER, id.as_str(), found.map(|found| text(&issuer::Stored::of(found))))
            }
            Entity::StatusIndexes => (STATUS_INDEXES, "", Some(text(&registry.status_indexes()))),
        };
        let document = document.transpose()?.unwrap_or_default();
        Ok(Self { kind, id: id.to_owned(), document })
    }
}

/// What a row stands for.
///
/// # Errors
/// [`StoreError::Unreadable`].
pub(super) fn restore(kind: &str, id: &str, document: &str) -> Result<Restored, StoreError> {
    let named = || StoreError::Unreadable(format!("{kind} {id}"));
    let read = match (kind, document.is_empty()) {
        (API, true) => ApiIdentifier::parse(id).ok().map(|id| Restored::Gone(Entity::Api(id))),
        (CLIENT, true) => ClientId::parse(id).ok().map(|id| Restored::Gone(Entity::Client(id))),
        (CREDENTIAL, true) => CredentialId::parse(id).map(|id| Restored::Gone(Entity::Credential(id))),
        (ISSUER, true) => IssuerId::parse(id).map(|id| Restored::Gone(Entity::Issuer(id))),
        (KEY, true) => Some(Restored::Gone(Entity::Key(id.to_owned()))),
        (API, false) => read::<StoredApi>(document).and_then(StoredApi::restore).map(Restored::Api),
        (CLIENT, false) => {
            read::<StoredClient>(document).and_then(StoredClient::restore).map(Restored::Client)
        }
        (CREDENTIAL, false) => read::<credential::Stored>(document)
            .and_then(credential::Stored::restore)
            .map(Restored::Credential),
        (KEY, false) => read::<StoredKey>(document).and_then(|key| key.restore(id)).map(Restored::Key),
        (ISSUER, false) => {
            read::<issuer::Stored>(document).and_then(issuer::Stored::restore).map(Restored::Issuer)
        }
        (STATUS_INDEXES, false) => read::<u64>(document).map(Restored::StatusIndexes),
        _ => None,
    };
    read.ok_or_else(named)
}

fn text(document: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(document).map_err(|error| StoreError::Unreadable(error.to_string()))
}

fn read<T: DeserializeOwned>(document: &str) -> Option<T> {
    serde_json::from_str(document).ok()
}

fn algorithm(name: &str) -> Option<Algorithm> {
    Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name)
}

fn constraint(name: &str) -> Option<SenderConstraint> {
    SenderConstraint::ALL.into_iter().find(|own| own.name() == name)
}

fn status(name: &str) -> Option<Status> {
    Status::ALL.into_iter().find(|own| own.name() == name)
}

#[derive(Serialize, Deserialize)]
struct StoredApi {
    identifier: String,
    name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    resource_servers: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<(String, String)>,
    format: String,
    lifetime: u64,
    alg: String,
    sender_constraint: String,
    #[serde(default)]
    created_at: u64,
    version: u64,
}

impl StoredApi {
    fn of(api: &Api) -> Self {
        let scope = |scope: &ApiScope| (scope.token.as_str().to_owned(), scope.description.clone());
        Self {
            identifier: api.identifier.as_str().to_owned(),
            name: api.name.clone(),
            resource_servers: api.resource_servers.iter().map(|id| id.as_str().to_owned()).collect(),
            scopes: api.scopes.iter().map(scope).collect(),
            format: api.format.name().to_owned(),
            lifetime: api.lifetime.as_secs(),
            alg: api.algorithm.name().to_owned(),
            sender_constraint: api.sender_constraint.name().to_owned(),
            created_at: api.created_at.millis(),
            version: api.version,
        }
    }

    fn restore(self) -> Option<Api> {
        let scope = |(token, description): (String, String)| {
            Some(ApiScope { token: ScopeToken::parse(&token).ok()?, description })
        };
        Some(Api {
            name: self.name,
            resource_servers: self
                .resource_servers
                .iter()
                .map(|id| ClientId::parse(id).ok())
                .collect::<Option<_>>()?,
            scopes: self.scopes.into_iter().map(scope).collect::<Option<_>>()?,
            format: TokenFormat::ALL.into_iter().find(|own| own.name() == self.format)?,
            lifetime: Duration::from_secs(self.lifetime),
            algorithm: algorithm(&self.alg)?,
            sender_constraint: constraint(&self.sender_constraint)?,
            created_at: UnixTime::from_millis(self.created_at),
            version: self.version,
            ..Api::new(ApiIdentifier::parse(&self.identifier).ok()?)
        })
    }
}

#[derive(Serialize, Deserialize)]
struct StoredGrant {
    scopes: String,
    /// Only where they are not all scopes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    defaults: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    roles: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    permissions: Vec<String>,
}

impl StoredGrant {
    fn of(grant: &ApiGrant) -> Self {
        let defaults = (grant.defaults != grant.scopes).then(|| grant.defaults.to_string());
        Self {
            scopes: grant.scopes.to_string(),
            defaults,
            roles: grant.roles.clone(),
            permissions: grant.permissions.clone(),
        }
    }

    fn restore(self) -> Option<ApiGrant> {
        let mut grant = ApiGrant::new(scope(&self.scopes)?);
        if let Some(defaults) = &self.defaults {
            grant.defaults = Arc::new(scope(defaults)?);
        }
        (grant.roles, grant.permissions) = (self.roles, self.permissions);
        Some(grant)
    }
}

fn scope(text: &str) -> Option<Scope> {
    if text.is_empty() { Some(Scope::empty()) } else { Scope::parse(text).ok() }
}

#[derive(Serialize, Deserialize)]
struct StoredClient {
    id: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    purpose: Option<String>,
    status: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    grants: BTreeMap<String, StoredGrant>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lifetime_cap: Option<u64>,
    sender_constraint: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    review_by: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mint_quota: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    allowed_networks: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    token_exchange: bool,
    created_at: u64,
    version: u64,
}

impl StoredClient {
    fn of(client: &Client) -> Self {
        let grant =
            |(api, grant): (&ApiIdentifier, &ApiGrant)| (api.as_str().to_owned(), StoredGrant::of(grant));
        Self {
            id: client.id.as_str().to_owned(),
            name: client.name.clone(),
            owner: client.owner.clone(),
            purpose: client.purpose.clone(),
            status: client.status.name().to_owned(),
            grants: client.grants.iter().map(grant).collect(),
            lifetime_cap: client.lifetime_cap.map(|cap| cap.as_secs()),
            sender_constraint: client.sender_constraint.name().to_owned(),
            review_by: client.review_by.map(UnixTime::seconds),
            mint_quota: client.mint_quota,
            allowed_networks: client.allowed_networks.iter().map(ToString::to_string).collect(),
            token_exchange: client.token_exchange,
            created_at: client.created_at.seconds(),
            version: client.version,
        }
    }

    fn restore(self) -> Option<Client> {
        let grant =
            |(api, grant): (String, StoredGrant)| Some((ApiIdentifier::parse(&api).ok()?, grant.restore()?));
        Some(Client {
            name: self.name,
            owner: self.owner,
            purpose: self.purpose,
            status: status(&self.status)?,
            grants: self.grants.into_iter().map(grant).collect::<Option<_>>()?,
            lifetime_cap: self.lifetime_cap.map(Duration::from_secs),
            sender_constraint: constraint(&self.sender_constraint)?,
            review_by: self.review_by.map(UnixTime::from_seconds),
            mint_quota: self.mint_quota,
            allowed_networks: self
                .allowed_networks
                .iter()
                .map(|one| one.parse().ok())
                .collect::<Option<_>>()?,
            token_exchange: self.token_exchange,
            created_at: UnixTime::from_seconds(self.created_at),
            version: self.version,
            ..Client::new(ClientId::parse(&self.id).ok()?)
        })
    }
}

#[derive(Serialize, Deserialize)]
struct StoredKey {
    alg: String,
    nonce: String,
    sealed: String,
    activates_at: u64,
    retires_at: u64,
    leaves_at: u64,
}

impl StoredKey {
    fn of(key: &KeyRecord) -> Self {
        Self {
            alg: key.algorithm.name().to_owned(),
            nonce: base64url::encode(key.nonce),
            sealed: base64url::encode(&key.sealed),
            activates_at: key.dates.activates_at().millis(),
            retires_at: key.dates.retires_at().millis(),
            leaves_at: key.dates.leaves_at().millis(),
        }
    }

    fn restore(self, kid: &str) -> Option<KeyRecord> {
        let [activates_at, retires_at, leaves_at] =
            [self.activates_at, self.retires_at, self.leaves_at].map(UnixTime::from_millis);
        let dates = KeyDates::from_parts(activates_at, retires_at, leaves_at);
        let nonce = bytes(&self.nonce)?;
        let sealed = base64url::decode(&self.sealed).ok()?;
        Some(KeyRecord::new(kid.to_owned(), algorithm(&self.alg)?, nonce, sealed, dates))
    }
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    base64url::decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests;
