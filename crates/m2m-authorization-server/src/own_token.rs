//! Reading back the tokens that this server issued, for introspection, revocation and the admin API.
//!
//! Enforces: signed by a key of this server that is still published, or sealed under its sealing key;
//! issued by this issuer, for a registered API, not expired for longer than an API may still accept it.
//! Does not enforce: that it has neither expired nor been withdrawn ([`is_active`]), nor who may see it.
//!
//! What was verified twice lately is remembered by a full hash of the token, so that a token that many APIs
//! ask about costs two signatures. Expiry, key and API are looked at every time.
//! Limits: two generations of 2,048 tokens, about 8 MB when full of ordinary ones.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use m2m_proto::introspection::ActiveAnswer;
use m2m_proto::jose::Algorithm;
use m2m_proto::jose::crypto::sha256;
use m2m_proto::time::{Skew, UnixTime};
use m2m_proto::token::TokenType;
use m2m_proto::token::access_token::{self, Delegation, VerifiedClaims};
use m2m_proto::token::sealed;
use m2m_proto::token_profile::TokenProfile;

use crate::registry::{Api, Registry, Status};
use crate::server::State;
use crate::store::{StoreError, TokenStatus};

/// What nodes of one store differ by in time, and APIs from us: a token of a node whose clock is ahead is one of ours
/// already, and one that has just expired can still be withdrawn.
const SKEW: Skew = Skew::DEFAULT;
const GENERATION: usize = 2_048;
/// Places for the marks of tokens seen once: 64 KiB.
const SEEN: usize = 4_096;

/// A token of ours, verified.
#[derive(Debug)]
pub(crate) struct OwnToken {
    pub(crate) claims: VerifiedClaims,
    /// The key that signed it; none where it was sealed.
    kid: Option<String>,
    /// What introspection says of it while it is active, written once.
    told: OnceLock<ActiveAnswer>,
}

impl OwnToken {
    fn new(claims: VerifiedClaims, kid: Option<&str>) -> Self {
        Self { claims, kid: kid.map(str::to_owned), told: OnceLock::new() }
    }

    /// Whether time, key rotation or the end of its API has caught up with it.
    fn is_current(&self, state: &State, registry: &Registry, now: UnixTime) -> bool {
        let published = |kid: &String| state.keys.find(kid, now).is_some();
        now < self.claims.expires_at().saturating_add(SKEW.get())
            && self.kid.as_ref().is_none_or(published)
            && self
                .claims
                .audience()
                .any(|audience| registry.api(audience).is_some_and(|api| is_of(api, &self.claims)))
    }

    /// The answer of introspection: the claims, and how the token has to be presented.
    // spec: 9449-AS4
    pub(crate) fn told(&self) -> &ActiveAnswer {
        let answer = || {
            let bound = self.claims.confirmation().is_some_and(|confirmation| confirmation.jkt().is_some());
            let token_type = if bound { TokenType::Dpop } else { TokenType::Bearer };
            ActiveAnswer::new(self.claims.claims(), &token_type)
        };
        self.told.get_or_init(answer)
    }
}

#[derive(Debug)]
struct Known {
    /// The first half of the hash of tokens that were asked about once, at places that it decides.
    seen: Vec<u128>,
    current: HashMap<[u8; 32], Arc<OwnToken>>,
    previous: HashMap<[u8; 32], Arc<OwnToken>>,
}

/// Tokens that were verified lately, and more than once: most are asked about by one API, which remembers
/// the answer itself, and keeping them would cost more than it saves.
#[derive(Debug)]
pub(crate) struct Recent(Mutex<Known>);

impl Default for Recent {
    fn default() -> Self {
        Self(Mutex::new(Known { seen: vec![0; SEEN], current: HashMap::new(), previous: HashMap::new() }))
    }
}

impl Recent {
    fn get(&self, hash: &[u8; 32]) -> Option<Arc<OwnToken>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = known.current.get(hash) {
            return Some(Arc::clone(token));
        }
        let token = known.previous.remove(hash)?;
        known.keep(*hash, Arc::clone(&token));
        Some(token)
    }

    /// Keeps the token, if it is not the first time.
    fn put(&self, hash: [u8; 32], token: &Arc<OwnToken>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.was_seen(&hash) {
            known.keep(hash, Arc::clone(token));
        }
    }
}

impl Known {
    /// Whether the token was seen before, as far as is remembered. From now on it was.
    fn was_seen(&mut self, hash: &[u8; 32]) -> bool {
        let mark = hash.first_chunk().map_or(0, |half| u128::from_le_bytes(*half));
        let place = usize::try_from(mark % SEEN as u128).unwrap_or_default();
        self.seen.get_mut(place).is_some_and(|seen| std::mem::replace(seen, mark) == mark)
    }

    fn keep(&mut self, hash: [u8; 32], token: Arc<OwnToken>) {
        if self.current.len() >= GENERATION {
            self.previous = std::mem::take(&mut self.current);
        }
        self.current.insert(hash, token);
    }
}

/// A token of ours; `None` for anything else, whatever is wrong with it.
pub(crate) fn verify(
    state: &State,
    token: &str,
    registry: &Registry,
    now: UnixTime,
) -> Option<Arc<OwnToken>> {
    let hash = sha256(token.as_bytes());
    if let Some(known) = state.recent.get(&hash) {
        return Some(known).filter(|known| known.is_current(state, registry, now));
    }
    let read = if sealed::is_sealed(token) { open } else { check };
    let own = Arc::new(read(state, token, registry, now)?);
    state.recent.put(hash, &own);
    Some(own)
}

fn check(state: &State, token: &str, registry: &Registry, now: UnixTime) -> Option<OwnToken> {
    let unverified = access_token::parse(token).ok()?;
    let key = state.keys.find(unverified.key_hint()?, now)?;
    // Only used to look the API up, then checked with the rest.
    let api = registry.api(unverified.audience()?)?;
    let algorithms: [Algorithm; 1] = [key.algorithm()];
    let expect = access_token::Expect {
        issuer: &state.issuer,
        audience: api.identifier.as_str(),
        algorithms: &algorithms,
        now,
        skew: SKEW,
    };
    let claims = access_token::verify(unverified, &key.verifying, &TokenProfile::rfc9068(), &expect).ok()?;
    is_of(api, &claims).then(|| OwnToken::new(claims, key.signing.key_id()))
}

/// The same for a token whose claims were sealed.
fn open(state: &State, token: &str, registry: &Registry, now: UnixTime) -> Option<OwnToken> {
    let opened = state.seal.open(token).ok()?;
    let api = registry.api(opened.audience().next()?)?;
    let expect = sealed::Expect { audience: api.identifier.as_str(), now, skew: SKEW };
    let claims = opened.check(&expect).ok()?;
    is_of(api, &claims).then(|| OwnToken::new(claims, None))
}

/// Whether the token is for this API, and not for one of the same name that is gone. `iat` is whole seconds.
fn is_of(api: &Api, claims: &VerifiedClaims) -> bool {
    claims.issued_at().is_some_and(|issued| issued.seconds() >= api.created_at.seconds())
}

/// A token of ours that stands: verified, and nothing that it hangs on was withdrawn. Made by
/// [`standing`] only, demanded by whoever makes another token of it.
#[derive(Debug, Clone)]
pub(crate) struct StandingToken(Arc<OwnToken>);

impl StandingToken {
    pub(crate) fn claims(&self) -> &VerifiedClaims {
        &self.0.claims
    }

    /// A token that nobody checked, for the tests of what comes after.
    #[cfg(test)]
    pub(crate) fn for_test(claims: VerifiedClaims) -> Self {
        Self(Arc::new(OwnToken::new(claims, None)))
    }
}

/// [`verify`] and [`is_active`] in one.
///
/// # Errors
/// [`StoreError`]: this node cannot tell what was withdrawn.
pub(crate) fn standing(
    state: &State,
    token: &str,
    registry: &Registry,
    now: UnixTime,
) -> Result<Option<StandingToken>, StoreError> {
    match verify(state, token, registry, now) {
        Some(own) if is_active(state, &own.claims, registry, now)? => Ok(Some(StandingToken(own))),
        _ => Ok(None),
    }
}

/// Whether it has not expired, and nothing that it hangs on was withdrawn: itself, its credential, its client, and the
/// same of each token that it was made from by exchange.
pub(crate) fn is_active(
    state: &State,
    claims: &VerifiedClaims,
    registry: &Registry,
    now: UnixTime,
) -> Result<bool, StoreError> {
    let (Some(jti), Some(client_id)) = (claims.jti(), claims.client_id()) else { return Ok(false) };
    if now >= claims.expires_at() {
        return Ok(false);
    }
    let (Some(credential), Ok(delegation)) = (claims.credential(), Delegation::decode(claims.claims()))
    else {
        return Ok(false);
    };
    // spec: 8693-AS4
    for origin in delegation.iter().flat_map(Delegation::origins) {
        let stands = vouched_for(registry, &origin.client_id, &origin.credential, now);
        if !stands || state.store.status(&origin.jti)? != TokenStatus::Standing {
            return Ok(false);
        }
    }
    let stands = vouched_for(registry, client_id, credential, now);
    Ok(stands && state.store.status(jti)? == TokenStatus::Standing)
}

/// Whether the client and its credential, under which a token was made, are still in use.
fn vouched_for(registry: &Registry, client_id: &str, credential: &str, now: UnixTime) -> bool {
    let registration = registry
        .registration_named(client_id)
        .filter(|registration| registration.client().status == Status::Active);
    let credential = registration.and_then(|own| own.credential(credential));
    credential.is_some_and(|credential| !registry.is_void(credential, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_keeps_what_is_asked_for() {
        let (recent, claims) = (Recent::default(), crate::fixture::verified_claims());
        let hash = |number: u32| sha256(&number.to_be_bytes());
        let put = |number: u32| recent.put(hash(number), &Arc::new(OwnToken::new(claims.clone(), None)));
        put(0);
        assert!(recent.get(&hash(0)).is_none(), "once is not worth it");
        put(0);
        for number in 1..20_000 {
            put(number);
            put(number);
            assert!(recent.get(&hash(0)).is_some(), "asked for all the time, {number}");
        }
        let known = recent.0.lock().unwrap();
        assert!(known.current.len() + known.previous.len() <= 2 * GENERATION);
        assert_eq!(known.seen.len(), SEEN);
        assert!(!known.current.contains_key(&hash(5)) && !known.previous.contains_key(&hash(5)));
    }

    /// Marks that share no place do not take each other's, and a generation holds more than one token.
    #[test]
    fn tokens_that_come_in_turns_are_all_kept() {
        let (recent, claims) = (Recent::default(), crate::fixture::verified_claims());
        let hash = |number: u8| [number; 32];
        for number in (1..=4).chain(1..=4) {
            recent.put(hash(number), &Arc::new(OwnToken::new(claims.clone(), None)));
        }
        for number in 1..=4 {
            assert!(recent.get(&hash(number)).is_some(), "{number}");
        }
    }

    /// As for a token that is read for the first time: one that is gone is not found again because it was remembered.
    #[tokio::test]
    async fn a_remembered_token_is_one_until_an_api_may_no_longer_accept_it() {
        let harness = crate::endpoints::tests::Harness::new().await;
        let secret = harness.secret("app").await;
        let token = harness.token("app", &secret).await;
        let state = crate::endpoints::tests::state_of(&harness.server);
        let is_known = |now| verify(&state, &token, &state.store.registry().unwrap(), now).is_some();
        let end =
            harness.now().saturating_add(std::time::Duration::from_secs(600)).saturating_add(SKEW.get());
        assert!(is_known(harness.now()) && is_known(harness.now()));
        assert!(state.recent.get(&sha256(token.as_bytes())).is_some());
        assert!(is_known(end.saturating_sub(std::time::Duration::from_millis(1))));
        assert!(!is_known(end), "the very moment");
    }
}
