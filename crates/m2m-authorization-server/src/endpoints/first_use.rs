//! The first use of a secret that was imported with a slow hash: paid for, checked, and kept as a keyed hash.
//!
//! Enforces: nothing costly for whoever is over the budget of failures; each check counts as a failure until it was a
//! success, so that no burst gets around the budget; 503 and `Retry-After` when too many are under way.
//! Does not enforce: that the keyed hash is kept before the answer: a store that cannot write, or not at once, costs
//! the next request the same work, and nobody his token.
//!
//! Two first uses at the same time are harmless: the second change finds nothing to do.

use std::sync::Arc;
use std::time::Duration;

use m2m_io::Now;
use m2m_proto::client_auth::Presented;
use tokio::sync::oneshot;

use super::Incoming;
use crate::audit::{Event, Record};
use crate::authenticate::imported::{FirstUse, FirstUsed, Full};
use crate::authenticate::{AuthenticatedClient, AuthenticationError, Believed};
use crate::limits::OverBudget;
use crate::registry::{Change, Registry};
use crate::server::State;

/// How long the answer waits for the store.
const PATIENCE: Duration = Duration::from_millis(250);

/// Checks what a request presents against the slow hashes of its client.
///
/// # Errors
/// `Refused`, also for clients that have none; `Busy`.
// spec: 6749-AS3
pub(super) async fn check(
    state: &State,
    (presented, incoming): (&Presented, &Incoming),
    registry: &Registry,
    now: Now,
    budget: Result<(), OverBudget>,
) -> Result<AuthenticatedClient, AuthenticationError> {
    let authenticator = &state.authenticator;
    let first = authenticator.first_use(presented, registry, now.wall).filter(|_| budget.is_ok());
    let Some(first) = first else { return Err(AuthenticationError::Refused) };
    let client_id = presented.client_id();
    state.limits.charge(client_id, incoming.address, now.monotonic);
    let checked = checked(state, presented, first, now).await;
    // Whoever was refused is charged as for any other secret.
    state.limits.refund(client_id, incoming.address);
    checked
}

async fn checked(
    state: &State,
    presented: &Presented,
    first: FirstUse,
    now: Now,
) -> Result<AuthenticatedClient, AuthenticationError> {
    let authenticator = &state.authenticator;
    let turn = authenticator
        .slow_checks
        .turn(presented.client_id())
        .await
        .map_err(|Full| AuthenticationError::Busy)?;
    // Many instances of one client come at once; one of them does the work for all.
    if let Ok(registry) = state.store.registry()
        && let Believed::Now(Ok(client)) = authenticator.authenticate(presented, &registry, now.wall)
    {
        return Ok(client);
    }
    let used = authenticator
        .slow_checks
        .check(first, Arc::clone(&turn))
        .await
        .ok_or(AuthenticationError::Refused)?;
    // Whoever was withdrawn meanwhile gets nothing after that was acknowledged.
    let registry = state.store.registry().map_err(|_| AuthenticationError::Busy)?;
    if !used.stands(&registry, state.clock.wall()) {
        return Err(AuthenticationError::Refused);
    }
    keep(state, &used, now).await;
    // Whoever is next finds the keyed hash.
    drop(turn);
    Ok(used.client)
}

/// Replaces the slow hash by a keyed one, whether or not the client still waits.
async fn keep(state: &State, used: &FirstUsed, now: Now) {
    let (store, (done, kept)) = (Arc::clone(&state.store), oneshot::channel());
    let credential = &used.client.credential().id;
    let change = Change::RehashCredential(credential.clone(), state.vault().hash(&used.secret));
    m2m_io::task::spawn_detached("rehash of an imported secret", async move {
        let _gone = done.send(store.change(change).await.map(drop));
    });
    let kept = tokio::select! {
        kept = kept => kept,
        () = async { state.clock.sleep(PATIENCE).await } => return,
    };
    match kept {
        Ok(Ok(())) => {
            let record = Record {
                client_id: Some(used.client.client().id.clone()),
                credential: Some(credential.clone()),
                ..Record::new(now.wall, Event::CredentialRehashed)
            };
            state.trail.append(record);
        }
        Ok(Err(error)) => tracing::warn!(%error, "an imported secret keeps its slow hash for now"),
        Err(_) => {}
    }
}
