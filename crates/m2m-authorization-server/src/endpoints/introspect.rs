//! The introspection endpoint.
//!
//! Sections: RFC 7662 §2; RFC 9701 §4, §5
//! Enforces: a client sees tokens issued to itself, and tokens for an API that it represents.
//! Everything else (unknown, expired, withdrawn, somebody else's, no token at all) gets the same
//! answer: `{"active":false}`. Whoever asks for it gets the answer signed: by the key for the algorithm of
//! the token's API, or, where the answer says nothing, by the ES256 key that every server has.

use axum::extract::{Request, State as Extracted};
use bytes::Bytes;
use http::Response;
use m2m_io::Now;
use m2m_proto::client_id::ClientId;
use m2m_proto::error::Endpoint;
use m2m_proto::introspection::signed::{self, SignedAnswer};
use m2m_proto::introspection::{ActiveAnswer, Introspection, IntrospectionRequest};
use m2m_proto::jose::Algorithm;
use m2m_proto::time::UnixTime;
use m2m_proto::token::access_token::VerifiedClaims;

use super::refusal::Refusal;
use super::{Incoming, Served};
use crate::mint::SigningFailed;
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
    match seen {
        Some(_) => state.introspected.count_active(),
        None => state.introspected.count_inactive(),
    }
    if signed::is_wanted(&incoming.headers) {
        let algorithm = seen.as_ref().and_then(|token| algorithm(&token.claims, &registry));
        let told = seen.as_ref().map(|token| token.told());
        return sign(state, asking, told, algorithm, now.wall);
    }
    Ok(match seen {
        Some(token) => token.told().to_response(),
        None => Introspection::inactive().encode(),
    })
}

/// That of the token's API: its resource servers know it.
fn algorithm(claims: &VerifiedClaims, registry: &Registry) -> Option<Algorithm> {
    claims.audience().find_map(|audience| registry.api(audience)).map(|api| api.algorithm)
}

// spec: 9701-AS1
fn sign(
    state: &State,
    asking: &ClientId,
    told: Option<&ActiveAnswer>,
    algorithm: Option<Algorithm>,
    now: UnixTime,
) -> Result<Response<Bytes>, Refusal> {
    let active = |algorithm| state.keys.active(algorithm, now);
    let key = algorithm.and_then(active).or_else(|| active(Algorithm::Es256)).ok_or(Refusal::KeyNotReady)?;
    let answer =
        SignedAnswer { issuer: &state.issuer, audience: asking.as_str(), issued_at: now, answer: told };
    key.signed(|| answer.sign(&key.signing)).map_err(|_| SigningFailed.into())
}

fn may_see(asking: &ClientId, claims: &VerifiedClaims, registry: &Registry) -> bool {
    let own = claims.client_id() == Some(asking.as_str());
    let represents =
        |audience: &str| registry.api(audience).is_some_and(|api| api.resource_servers.contains(asking));
    own || claims.audience().any(represents)
}
