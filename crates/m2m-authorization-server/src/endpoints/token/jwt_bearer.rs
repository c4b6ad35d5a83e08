//! The JWT authorization grant: a token of a trusted issuer is grant and proof in one.
//!
//! Sections: RFC 6749 §4.5; RFC 7521 §4.1; RFC 7523 §2.1
//! Enforces: the assertion stands for exactly one client, which `client_id` may name beforehand; no other client
//! authentication beside it, so that there is one answer to who asks; failures count against whom they name, else
//! against their address.
//! Does not enforce: what the client may have, which `policy` decides as for any other.

use m2m_proto::client_auth::PresentedError;
use m2m_proto::client_id::ClientId;
use m2m_proto::form::Form;
use m2m_proto::grant::AuthorizationGrantError;
use m2m_proto::names::{header, param};
use m2m_proto::security_profile::SecurityProfile;
use m2m_proto::workload_token::{UnverifiedWorkloadToken, WorkloadTokenError};

use m2m_io::Now;

use crate::audit::LastUse;
use crate::authenticate::{AuthenticatedClient, AuthenticationError};
use crate::endpoints::refusal::Refusal;
use crate::endpoints::{Incoming, from_its_network};
use crate::federation::{External, Way};
use crate::observe;
use crate::policy::Denied;
use crate::registry::{Named, Registry, Status, TrustedIssuer};
use crate::server::State;

/// Whether any issuer can be behind such a grant: without one this server does not have it. A JWT-SVID names none, and
/// a profile under which clients authenticate by themselves has no such grant.
pub(crate) fn is_offered(profile: SecurityProfile, registry: &Registry) -> bool {
    let active = |issuer: &TrustedIssuer| issuer.status == Status::Active;
    !profile.restricts()
        && registry.issuers().any(|issuer| active(issuer) && matches!(issuer.named, Named::Issuer(_)))
}

/// Who asks, by the assertion. Nothing is consumed yet.
// spec: 7523-AS5
pub(super) async fn authorize(
    state: &State,
    incoming: &Incoming,
    form: &Form<'_>,
    registry: &Registry,
    now: Now,
) -> Result<AuthenticatedClient, Refusal> {
    if !is_offered(state.profile, registry) {
        return Err(Denied::GrantType.into());
    }
    let authenticates = incoming.headers.contains_key(header::AUTHORIZATION)
        || [param::CLIENT_SECRET, param::CLIENT_ASSERTION].iter().any(|name| form.get(name).is_some());
    if authenticates {
        return Err(PresentedError::SeveralMethods.into());
    }
    let client = form.get(param::CLIENT_ID).map(ClientId::parse).transpose();
    let client = client.map_err(|_| PresentedError::ClientIdMalformed)?;
    if let Some(client) = &client {
        incoming.named.get_or_init(|| client.clone());
    }
    let text = form.get(param::ASSERTION).ok_or(AuthorizationGrantError::Missing)?;
    within_budget(state, incoming, client.as_ref(), now)?;
    let believed = believed(state, incoming, text, client.as_ref(), registry, now).await;
    match &believed {
        Ok(found) => {
            incoming.named.get_or_init(|| found.client().id.clone());
            let last = LastUse { at: now.wall, address: incoming.address };
            state.trail.used(&found.credential().id, &found.client().id, last);
        }
        Err(_) => charge(state, incoming, client.as_ref(), now),
    }
    believed
}

async fn believed(
    state: &State,
    incoming: &Incoming,
    text: &str,
    client: Option<&ClientId>,
    registry: &Registry,
    now: Now,
) -> Result<AuthenticatedClient, Refusal> {
    let token = UnverifiedWorkloadToken::parse(text).map_err(|error| match error {
        WorkloadTokenError::Jws(error) => AuthorizationGrantError::Jws(error),
        _ => AuthorizationGrantError::Claims,
    })?;
    let external = External { token: &token, way: Way::Grant, client };
    let found = state.authenticator.federated(external, registry, now.wall).await;
    found.and_then(|client| from_its_network(client, incoming.address)).map_err(|error| match error {
        AuthenticationError::External(error) => Refusal::AssertionGrant(error),
        error => error.into(),
    })
}

fn within_budget(
    state: &State,
    incoming: &Incoming,
    client: Option<&ClientId>,
    now: Now,
) -> Result<(), Refusal> {
    let (address, now) = (incoming.address, now.monotonic);
    let budget = match client {
        Some(client) => state.limits.check(client, address, now),
        None => state.limits.check_address(address, now),
    };
    budget.map_err(|over| {
        observe::count(observe::OVER_BUDGET);
        Refusal::OverBudget(over)
    })
}

fn charge(state: &State, incoming: &Incoming, client: Option<&ClientId>, now: Now) {
    match client {
        Some(client) => state.limits.charge(client, incoming.address, now.monotonic),
        None => state.limits.charge_address(incoming.address, now.monotonic),
    }
    observe::count_by(observe::AUTHENTICATION_FAILURES, "method", "assertion_grant");
}
