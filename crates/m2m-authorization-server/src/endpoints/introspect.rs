//! The introspection endpoint.
//!
//! Sections: RFC 7662 §2
//! Enforces: a client sees tokens issued to itself, and tokens for an API that it represents.
//! Everything else (unknown, expired, withdrawn, somebody else's, no token at all) gets the same
//! answer: `{"active":false}`.

use std::sync::Arc;

use axum::extract::{Request, State as Extracted};
use bytes::Bytes;
use http::Response;
use m2m_io::Now;
use m2m_proto::client_id::ClientId;
use m2m_proto::error::Endpoint;
use m2m_proto::introspection::{Introspection, IntrospectionRequest};
use m2m_proto::jose::Claims;
use m2m_proto::names::claim;
use m2m_proto::token::TokenType;
use m2m_proto::token::access_token::VerifiedClaims;

use super::refusal::Refusal;
use super::{Incoming, Served};
use crate::observe;
use crate::own_token;
use crate::registry::Registry;
use crate::server::State;

pub(crate) async fn answer(Extracted(state): Served, request: Request) -> axum::response::Response {
    super::serve(&state, Endpoint::Introspection, request, introspect).await
}

// spec: 7662-AS1
async fn introspect(state: &State, incoming: Arc<Incoming>, now: Now) -> Result<Response<Bytes>, Refusal> {
    let form = incoming.form()?;
    let ask = IntrospectionRequest::decode(&form)?;
    let registry = state.store.registry()?;
    let caller = super::admit_caller(state, &incoming, &form, &registry, now).await?;
    let asking = &caller.client().client().id;
    state.store.vouch()?;
    let token = own_token::verify(state, ask.token.expose(), &registry, now.wall);
    let seen = match token.filter(|claims| may_see(asking, claims, &registry)) {
        Some(claims) if own_token::is_active(state, &claims, &registry)? => Some(claims),
        _ => None,
    };
    observe::count_by(observe::INTROSPECTIONS, "active", if seen.is_some() { "true" } else { "false" });
    Ok(match seen {
        Some(claims) => Introspection::active(told(&claims)).encode(),
        None => Introspection::inactive().encode(),
    })
}

/// The signed claims, and how the token has to be presented.
// spec: 9449-AS4
fn told(claims: &VerifiedClaims) -> Claims {
    let bound = claims.confirmation().is_some_and(|confirmation| confirmation.jkt().is_some());
    let token_type = if bound { TokenType::Dpop } else { TokenType::Bearer };
    let mut told = claims.claims().clone();
    told.rest.insert(claim::TOKEN_TYPE.to_owned(), token_type.as_str().into());
    told
}

fn may_see(asking: &ClientId, claims: &VerifiedClaims, registry: &Registry) -> bool {
    let own = claims.client_id() == Some(asking.as_str());
    let represents =
        |audience: &str| registry.api(audience).is_some_and(|api| api.resource_servers.contains(asking));
    own || claims.audience().any(represents)
}
