//! Clients: who may ask, and for what.

use std::time::Duration;

use m2m_io::Network;
use m2m_proto::client_id::ClientId;
use m2m_proto::scope::Scope;
use m2m_proto::time::UnixTime;

use super::api::{ApiIdentifier, SenderConstraint};
use super::grants::{ApiGrant, Grants};

/// Whether a client or a credential may be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// In use.
    #[default]
    Active,
    /// Switched off; can be switched on again. Its tokens are inactive meanwhile.
    Disabled,
    /// Withdrawn for good; its tokens are inactive.
    Revoked,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Active, Self::Disabled, Self::Revoked];

    /// Its name: `active`, `disabled`, `revoked`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Revoked => "revoked",
        }
    }
}

/// A registered client (RFC 6749 §2). Its secrets and keys are [credentials](super::Credential).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Client {
    /// The client identifier; also `sub` of its tokens.
    pub id: ClientId,
    /// A name for people. Default: the id.
    pub name: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// What it is for.
    pub purpose: Option<String>,
    /// Whether it may be used.
    pub status: Status,
    /// What it may ask for.
    pub grants: Grants,
    /// The longest life of its tokens. Default: that of the API.
    pub lifetime_cap: Option<Duration>,
    /// What its tokens must be bound to. Default: nothing.
    pub sender_constraint: SenderConstraint,
    /// By when its owner looks at it again. Default: never; a review that is overdue is reported.
    pub review_by: Option<UnixTime>,
    /// Tokens that it may get per minute from one node. Default: no limit.
    pub mint_quota: Option<u32>,
    /// Where its token requests may come from. Default: anywhere.
    pub allowed_networks: Vec<Network>,
    /// Whether it may exchange tokens (RFC 8693). Default: no.
    pub token_exchange: bool,
    /// When it was registered.
    pub created_at: UnixTime,
    /// Counts its changes, from 1; 0 before it is registered. The registry writes it.
    pub version: u64,
}

impl Client {
    /// An active client without grants.
    #[must_use]
    pub fn new(id: ClientId) -> Self {
        Self {
            name: id.as_str().to_owned(),
            id,
            owner: None,
            purpose: None,
            status: Status::Active,
            grants: Grants::default(),
            lifetime_cap: None,
            sender_constraint: SenderConstraint::None,
            review_by: None,
            mint_quota: None,
            allowed_networks: Vec::new(),
            token_exchange: false,
            created_at: UnixTime::from_seconds(0),
            version: 0,
        }
    }

    /// Grants `scopes` at `api`, all of them by default.
    #[must_use]
    pub fn grant(mut self, api: ApiIdentifier, scopes: Scope) -> Self {
        self.grants.insert(api, ApiGrant::new(scopes));
        self
    }

    /// Caps the life of its tokens.
    #[must_use]
    pub fn lifetime_cap(mut self, cap: Duration) -> Self {
        self.lifetime_cap = Some(cap);
        self
    }

    /// Sets what its tokens must be bound to.
    #[must_use]
    pub fn sender_constraint(mut self, constraint: SenderConstraint) -> Self {
        self.sender_constraint = constraint;
        self
    }

    /// Sets how many tokens it may get per minute from one node.
    #[must_use]
    pub fn mint_quota(mut self, tokens_per_minute: u32) -> Self {
        self.mint_quota = Some(tokens_per_minute);
        self
    }

    /// Lets it exchange tokens.
    #[must_use]
    pub fn token_exchange(mut self) -> Self {
        self.token_exchange = true;
        self
    }

    /// Lets its token requests come from `network`, and from nowhere that is not named so.
    #[must_use]
    pub fn allowed_network(mut self, network: Network) -> Self {
        self.allowed_networks.push(network);
        self
    }
}
