//! The introspection endpoint.
//!
//! Sections: RFC 7662 §2
//! Enforces: a client sees tokens issued to itself, and tokens for an API that it represents.
//! Everything else (unknown, expired, withdrawn, somebody else's, no token at all) gets the same
//! answer: `{"active":false}`.

use axum::extract::{Request, State as Extracted};
use bytes::Bytes;
use http::Response;
use m2m_io::Now;
use m2m_proto::client_id::ClientId;
use m2m_proto::error::Endpoint;
use m2m_proto::introspection::{Introspection, IntrospectionRequest};
use m2m_proto::token::access_token::VerifiedClaims;

use super::refusal::Refusal;
use super::{Incoming, Served};
use crate::own_token;
use crate::registry::Registry;
use crate::server::State;

pub(crate) fn answer(
    Extracted(state): Served,
    request: Request,
) -> impl Future<Output = axum::response::Response> + Send {
    super::serve(state, Endpoint::Introspection, request, |state, incoming, now| {
        Box::pin(introspect(state, incoming, now))
    })
}

// spec: 7662-AS1, 7662-AS1a, 7662-AS2
async fn introspect(state: &State, incoming: &Incoming, now: Now) -> Result<Response<Bytes>, Refusal> {
    let form = incoming.form()?;
    let ask = IntrospectionRequest::decode(&form)?;
    let registry = state.store.registry()?;
    let caller = super::admit_caller(state, incoming, &form, &registry, now).await?;
    let asking = &caller.client().client().id;
    state.store.vouch()?;
    let token = own_token::verify(state, ask.token.expose(), &registry, now.wall);
    let seen = match token.filter(|token| may_see(asking, &token.claims, &registry)) {
        Some(token) if own_token::is_active(state, &token.claims, &registry, now.wall)? => Some(token),
        _ => None,
    };
    Ok(match seen {
        Some(token) => {
            state.introspected.count_active();
            token.told()
        }
        None => {
            state.introspected.count_inactive();
            Introspection::inactive().encode()
        }
    })
}

fn may_see(asking: &ClientId, claims: &VerifiedClaims, registry: &Registry) -> bool {
    let own = claims.client_id() == Some(asking.as_str());
    let represents =
        |audience: &str| registry.api(audience).is_some_and(|api| api.resource_servers.contains(asking));
    own || claims.audience().any(represents)
}
