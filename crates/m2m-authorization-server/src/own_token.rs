//! Reading back the tokens that this server issued, for introspection and revocation.
//!
//! Enforces: signed by a key of this server that is still published, or sealed under its sealing key;
//! issued by this issuer, for a registered API, not expired.
//! Does not enforce: that it was not withdrawn ([`is_active`]), nor who may see it.

use m2m_proto::jose::{Algorithm, Claims, Compact};
use m2m_proto::time::{Skew, UnixTime};
use m2m_proto::token::access_token::{self, VerifiedClaims};
use m2m_proto::token::sealed;
use m2m_proto::token_profile::TokenProfile;

use crate::registry::{Registry, Status};
use crate::server::State;
use crate::store::{StoreError, TokenStatus};

/// The claims of a token of ours; `None` for anything else, whatever is wrong with it.
pub(crate) fn verify(
    state: &State,
    token: &str,
    registry: &Registry,
    now: UnixTime,
) -> Option<VerifiedClaims> {
    if sealed::is_sealed(token) {
        return open(state, token, registry, now);
    }
    let unverified = access_token::parse(token).ok()?;
    let key = state.keys.find(unverified.key_hint()?, now)?;
    let audience = claimed_audience(token)?;
    let api = registry.api(&audience)?;
    let algorithms: [Algorithm; 1] = [key.algorithm()];
    let expect = access_token::Expect {
        issuer: &state.issuer,
        audience: api.identifier.as_str(),
        algorithms: &algorithms,
        now,
        // Our own clock wrote these times.
        skew: Skew::NONE,
    };
    access_token::verify(unverified, &key.verifying, &TokenProfile::rfc9068(), &expect).ok()
}

/// The same for a token whose claims were sealed.
fn open(state: &State, token: &str, registry: &Registry, now: UnixTime) -> Option<VerifiedClaims> {
    let opened = state.seal.open(token).ok()?;
    let api = registry.api(opened.audience().next()?)?;
    opened.check(&sealed::Expect { audience: api.identifier.as_str(), now, skew: Skew::NONE }).ok()
}

/// Which API the token says it is for: only used to look the API up, then checked with the rest.
fn claimed_audience(token: &str) -> Option<String> {
    let compact = Compact::parse(token).ok()?;
    let claims = Claims::parse(compact.payload()).ok()?;
    claims.aud?.sole().map(str::to_owned)
}

/// Whether nothing that the token hangs on was withdrawn: itself, its credential, its client.
pub(crate) fn is_active(
    state: &State,
    claims: &VerifiedClaims,
    registry: &Registry,
) -> Result<bool, StoreError> {
    let (Some(jti), Some(client_id)) = (claims.jti(), claims.client_id()) else { return Ok(false) };
    let registration = m2m_proto::client_id::ClientId::parse(client_id).ok().and_then(|id| {
        registry.registration(&id).filter(|registration| registration.client().status == Status::Active)
    });
    let credential = registration.zip(claims.credential()).and_then(|(own, id)| own.credential(id));
    if credential.is_none_or(|credential| credential.status != Status::Active) {
        return Ok(false);
    }
    Ok(state.store.status(jti)? == TokenStatus::Standing)
}
