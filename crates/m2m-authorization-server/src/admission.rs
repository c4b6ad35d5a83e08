//! The one atomic step: what may be used once is used now, or the request is refused.
//!
//! Enforces: the client has not used up its quota; every single-use identifier of a request (assertion
//! `jti`, proof `jti`) was fresh, in one transaction, after every other check and before anything is
//! made. Where the memory of the store began with this process, what may be older is not admitted.
//! Does not enforce: anything about the identifiers themselves; they come from evidence.

use std::sync::Arc;
use std::time::Duration;

use m2m_io::{BoxFuture, Now};
use m2m_proto::dpop::VerifiedProof;
use m2m_proto::time::{Skew, UnixTime};

use crate::authenticate::AuthenticatedClient;
use crate::federation::ExternalToken;
use crate::frequency::Counted;
use crate::policy::Grant;
use crate::replay::ReplayKey;
use crate::store::{Consumption, ReplayScope, Store, StoreError};

/// Why a request is not admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAdmitted {
    /// The client assertion was used before.
    #[error("the client assertion was used before")]
    AssertionReplayed,
    /// The authorization grant was used before.
    #[error("the assertion was used before")]
    GrantReplayed,
    /// The DPoP proof was used before.
    #[error("the DPoP proof was used before")]
    ProofReplayed,
    /// The assertion or proof may have been used before this process started, which remembers nothing
    /// of that time. One made now is admitted.
    #[error("made before this server started, which cannot tell whether it was used: make a new one")]
    BeforeStart,
    /// The client used up its tokens, or its revocations, of this minute.
    #[error("the client used up its quota of this minute")]
    OverQuota {
        /// When the next minute begins.
        retry_after: Duration,
    },
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
    counted: Counted,
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

    /// How the token counts among those of this client.
    pub(crate) fn counted(&self) -> Counted {
        self.counted
    }
}

/// The moments that decide how long identifiers are remembered, and which are too old to know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Now,
    /// When this process began to remember.
    pub(crate) started: UnixTime,
    pub(crate) skew: Skew,
}

/// Counts a token against the quota and consumes what a token request may use once.
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
    let registration = Arc::clone(client.registration());
    let counted = registration
        .rates()
        .minted
        .count(client.client().mint_quota, moment.now.monotonic)
        .map_err(|over| NotAdmitted::OverQuota { retry_after: over.retry_after })?;
    // Secrets and certificates consume nothing, so they do not wait for any store.
    if let Some(consumed) = consume(store, &client, proof, moment)
        && let Err(refused) = consumed.await
    {
        // Whoever replays a captured assertion must not use up the quota of its owner.
        registration.rates().minted.give_back(moment.now.monotonic);
        return Err(refused);
    }
    Ok(Admitted { client: AdmittedClient(client), grant, counted })
}

/// Consumes a proof that came with an access token.
///
/// # Errors
/// [`NotAdmitted`]; then nothing was consumed.
pub(crate) async fn admit_proof(
    store: &dyn Store,
    proof: &VerifiedProof,
    moment: Moment,
) -> Result<(), NotAdmitted> {
    if store.replay_scope() == ReplayScope::Node && is_older(proof, moment.started) {
        return Err(NotAdmitted::BeforeStart);
    }
    spend(store, &[ReplayKey::proof(proof)], 0, moment.now).await
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
    if let Some(consumed) = consume(store, &client, None, moment) {
        consumed.await?;
    }
    Ok(AdmittedClient(client))
}

/// Consumes what may be used once; `None` where there is nothing of that kind.
fn consume<'a>(
    store: &'a dyn Store,
    client: &AuthenticatedClient,
    proof: Option<&VerifiedProof>,
    moment: Moment,
) -> Option<BoxFuture<'a, Result<(), NotAdmitted>>> {
    let assertion = client.assertion().map(|assertion| {
        let id = client.client().id.as_str();
        ReplayKey::assertion(id, assertion.jti(), assertion.expires_at(), moment.skew)
    });
    let grant = client.external().is_some_and(ExternalToken::is_grant);
    let external = client.external().and_then(ExternalToken::single_use);
    let external = external
        .map(|(issuer, jti, expires_at)| ReplayKey::external(issuer.as_str(), jti, expires_at, moment.skew));
    let assertions = usize::from(assertion.is_some()) + usize::from(external.is_some());
    let keys = assertion.into_iter().chain(external).chain(proof.map(ReplayKey::proof));
    let keys: Vec<ReplayKey> = keys.collect();
    if keys.is_empty() {
        return None;
    }
    let forgotten =
        store.replay_scope() == ReplayScope::Node && may_be_forgotten(client, proof, moment.started);
    Some(Box::pin(async move {
        if forgotten {
            return Err(NotAdmitted::BeforeStart);
        }
        spend(store, &keys, assertions, moment.now).await.map_err(|refused| match refused {
            NotAdmitted::AssertionReplayed if grant => NotAdmitted::GrantReplayed,
            refused => refused,
        })
    }))
}

/// Records all keys or none; the first `assertions` of them are those of assertions.
async fn spend(
    store: &dyn Store,
    keys: &[ReplayKey],
    assertions: usize,
    now: Now,
) -> Result<(), NotAdmitted> {
    match store.consume(keys, now.wall).await {
        Ok(Consumption::Recorded) => Ok(()),
        Ok(Consumption::Replayed(position)) if position < assertions => Err(NotAdmitted::AssertionReplayed),
        Ok(Consumption::Replayed(_)) => Err(NotAdmitted::ProofReplayed),
        Ok(Consumption::Full) => Err(NotAdmitted::Unavailable(None)),
        Err(error) => Err(NotAdmitted::Unavailable(Some(error))),
    }
}

/// Whether the assertion or proof may have been used before `started`. An assertion under a credential
/// that is younger than the process cannot.
fn may_be_forgotten(client: &AuthenticatedClient, proof: Option<&VerifiedProof>, started: UnixTime) -> bool {
    let known = client.credential().created_at < started;
    client.assertion().is_some_and(|assertion| known && assertion.may_predate(started))
        || client.external().is_some_and(|token| known && token.may_predate(started))
        || proof.is_some_and(|proof| is_older(proof, started))
}

fn is_older(proof: &VerifiedProof, started: UnixTime) -> bool {
    proof.issued_at().seconds() <= started.seconds()
}
