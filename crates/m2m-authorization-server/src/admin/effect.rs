//! How soon a withdrawal is known, at worst: computed from settings and registrations.
//!
//! Enforces: nothing. A verifier that works offline looks up one place in a status list and one `jti`, those of the token
//! itself. A token that was made from another one by exchange says by neither that the other was withdrawn, so that it
//! lives on there until it expires, at the latest when the other one would have. That counts wherever a client may
//! exchange tokens.
//! Does not count: a permission to exchange that was taken away, and a longer life of an API or a grant that there was,
//! a moment before: what they led to ends with the life that it got then.

use std::time::Duration;

use m2m_proto::client_id::ClientId;
use m2m_proto::time::Skew;

use super::Admin;
use crate::error::Error;
use crate::registry::{Client, Registry, Status};

/// Until when a withdrawal is known, at worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Effective {
    /// By introspection, at every node that reaches the database; a node that is cut off answers 503 after
    /// [`Store::max_staleness`](crate::store::Store::max_staleness).
    pub introspection: Duration,
    /// By verifiers that fetch status lists and the revocation feed, and refuse expired ones.
    pub offline: Duration,
}

impl Admin {
    /// How soon the withdrawal of something is known that no other token is made from.
    #[must_use]
    pub fn effective(&self) -> Effective {
        let store = &self.state.store;
        // A node that is cut off signs lists for `max_staleness` more; a list lives twice its `ttl`.
        let offline = store.max_staleness() + 2 * self.state.status_ttl;
        Effective { introspection: store.propagation().max(Duration::from_secs(1)), offline }
    }

    /// The same for tokens of a client, by whatever of it is withdrawn, and what was made of them by exchange. `None`:
    /// for tokens of any client.
    ///
    /// # Errors
    /// `Unavailable` when the store cannot vouch for what is registered.
    pub fn effective_with_exchange(&self, client: Option<&ClientId>) -> Result<Effective, Error> {
        let (registry, effective) = (self.registry()?, self.effective());
        let life = match client.and_then(|id| registry.registration(id)) {
            Some(registration) => longest_life(registration.client(), &registry),
            None => registry.apis().map(|api| api.lifetime).max().unwrap_or_default(),
        };
        if !someone_exchanges(&registry) {
            return Ok(effective);
        }
        // Issued by a node that has not heard of it, and accepted by a clock that is behind.
        let until_expiry = self.state.store.max_staleness() + life + Skew::DEFAULT.get();
        Ok(Effective { offline: effective.offline.max(until_expiry), ..effective })
    }
}

fn someone_exchanges(registry: &Registry) -> bool {
    registry.registrations().any(|registration| {
        let client = registration.client();
        client.token_exchange && client.status != Status::Revoked
    })
}

/// The longest that a token of this client lives.
pub(crate) fn longest_life(client: &Client, registry: &Registry) -> Duration {
    let lives = client.grants.apis().filter_map(|api| registry.api(api.as_str())).map(|api| api.lifetime);
    let longest = lives.max().unwrap_or(Duration::ZERO);
    client.lifetime_cap.map_or(longest, |cap| cap.min(longest))
}
