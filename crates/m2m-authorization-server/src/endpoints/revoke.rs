//! The revocation endpoint.
//!
//! Sections: RFC 7009 §2
//! Enforces: a client withdraws its own tokens and no others. Everything else about a token
//! (unknown, expired, foreign, no token at all) is answered 200 like success, and nothing happens.
//! Limits: 200 tokens per client and minute, because every node and verifier has to remember them.

use axum::extract::{Request, State as Extracted};
use bytes::Bytes;
use http::Response;
use m2m_io::Now;
use m2m_proto::error::Endpoint;
use m2m_proto::revocation::{self, RevocationRequest};

use super::refusal::Refusal;
use super::{Incoming, Served};
use crate::admission::NotAdmitted;
use crate::audit::{Event, Record};
use crate::observe;
use crate::own_token;
use crate::server::State;
use crate::store::TokenRef;

/// Tokens that a client may revoke in one minute, at this node.
pub(super) const REVOCATIONS: u32 = 200;

pub(crate) fn answer(
    Extracted(state): Served,
    request: Request,
) -> impl Future<Output = axum::response::Response> + Send {
    super::serve(state, Endpoint::Revocation, request, |state, incoming, now| {
        Box::pin(revoke(state, incoming, now))
    })
}

// spec: 7009-AS1, 7009-AS2
async fn revoke(state: &State, incoming: &Incoming, now: Now) -> Result<Response<Bytes>, Refusal> {
    let form = incoming.form()?;
    let ask = RevocationRequest::decode(&form)?;
    let registry = state.store.registry()?;
    let caller = super::admit_caller(state, incoming, &form, &registry, now).await?;
    let client_id = &caller.client().client().id;
    let token = own_token::verify(state, ask.token.expose(), &registry, now.wall);
    if let Some(token) = token.filter(|token| token.claims.client_id() == Some(client_id.as_str()))
        && let Some(jti) = token.claims.jti()
    {
        caller
            .client()
            .registration()
            .rates()
            .revoked
            .count(Some(REVOCATIONS), now.monotonic)
            .map_err(|over| NotAdmitted::OverQuota { retry_after: over.retry_after })?;
        let token = TokenRef::new(jti, token.claims.expires_at());
        state.store.revoke(&token, now.wall).await?;
        observe::count_by(observe::REVOCATIONS, "what", "token");
        let record = Record {
            jti: Some(jti.into()),
            client_id: Some(client_id.clone()),
            credential: Some(caller.client().credential().id.clone()),
            address: incoming.address,
            ..Record::new(now.wall, Event::TokenRevoked)
        };
        if let Err(error) = state.trail.keep(state.store.as_ref(), record).await {
            tracing::error!(%error, "a token was revoked, and its record waits to be stored");
        }
    }
    Ok(revocation::encode_response())
}
