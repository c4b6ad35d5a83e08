//! The one atomic step: what may be used once is used now, or the request is refused.
//!
//! Enforces: every single-use identifier of a request (assertion `jti`, proof `jti`) was fresh, in
//! one transaction, after every other check and before anything is made.
//! Does not enforce: anything about the identifiers themselves; they come from evidence.

use m2m_proto::dpop::VerifiedProof;
use m2m_proto::time::{Skew, UnixTime};

use crate::authenticate::AuthenticatedClient;
use crate::policy::Grant;
use crate::replay::ReplayKey;
use crate::store::{Consumption, Store, StoreError};

/// Why a request is not admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAdmitted {
    /// The client assertion was used before.
    #[error("the client assertion was used before")]
    AssertionReplayed,
    /// The DPoP proof was used before.
    #[error("the DPoP proof was used before")]
    ProofReplayed,
    /// Nothing can be remembered, so nothing can be admitted.
    #[error("the replay memory is not available")]
    Unavailable(#[source] Option<StoreError>),
}

/// A client that is who it says, with nothing left to consume. Made by this module only.
#[derive(Debug)]
pub struct AdmittedClient(AuthenticatedClient);

impl AdmittedClient {
    /// Who it is.
    #[must_use]
    pub fn client(&self) -> &AuthenticatedClient {
        &self.0
    }
}

/// A token that may be made now, once. Made by `admit` only, demanded by `mint`.
#[derive(Debug)]
pub struct Admitted {
    client: AdmittedClient,
    grant: Grant,
}

impl Admitted {
    /// For whom.
    #[must_use]
    pub fn client(&self) -> &AuthenticatedClient {
        self.client.client()
    }

    /// What.
    #[must_use]
    pub fn grant(&self) -> &Grant {
        &self.grant
    }
}

/// The moments that decide how long identifiers are remembered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: UnixTime,
    pub(crate) skew: Skew,
}

/// Consumes what a token request may use once.
///
/// # Errors
/// [`NotAdmitted`]; then nothing was consumed.
pub(crate) async fn admit(
    store: &dyn Store,
    client: AuthenticatedClient,
    proof: Option<&VerifiedProof>,
    grant: Grant,
    moment: Moment,
) -> Result<Admitted, NotAdmitted> {
    let client = consume(store, client, proof, moment).await?;
    Ok(Admitted { client, grant })
}

/// Consumes what a request to another endpoint may use once.
///
/// # Errors
/// [`NotAdmitted`]; then nothing was consumed.
pub(crate) async fn admit_client(
    store: &dyn Store,
    client: AuthenticatedClient,
    moment: Moment,
) -> Result<AdmittedClient, NotAdmitted> {
    consume(store, client, None, moment).await
}

async fn consume(
    store: &dyn Store,
    client: AuthenticatedClient,
    proof: Option<&VerifiedProof>,
    moment: Moment,
) -> Result<AdmittedClient, NotAdmitted> {
    let assertion = client.assertion().map(|assertion| {
        let id = client.client().id.as_str();
        ReplayKey::assertion(id, assertion.jti(), assertion.expires_at(), moment.skew)
    });
    let assertions = usize::from(assertion.is_some());
    let keys: Vec<ReplayKey> = assertion.into_iter().chain(proof.map(ReplayKey::proof)).collect();
    // Secrets and certificates consume nothing, so they do not wait for any store.
    if keys.is_empty() {
        return Ok(AdmittedClient(client));
    }
    match store.consume(&keys, moment.now).await {
        Ok(Consumption::Recorded) => Ok(AdmittedClient(client)),
        Ok(Consumption::Replayed(position)) if position < assertions => Err(NotAdmitted::AssertionReplayed),
        Ok(Consumption::Replayed(_)) => Err(NotAdmitted::ProofReplayed),
        Ok(Consumption::Full) => Err(NotAdmitted::Unavailable(None)),
        Err(error) => Err(NotAdmitted::Unavailable(Some(error))),
    }
}
