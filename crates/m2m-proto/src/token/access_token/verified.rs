//! What is known of a token once everything about it was checked, and how a profile reads its claims.
//!
//! Enforces: [`VerifiedClaims`] is made by verification alone.
//! Does not enforce: possession, revocation, and what a route demands.

use serde_json::Value;

use super::super::confirmation::Confirmation;
use super::AccessTokenError;
use crate::jose::kind::{self, KindError};
use crate::jose::{Audience, Claims};
use crate::names::claim;
use crate::scope::Scope;
use crate::time::{Skew, UnixTime};
use crate::token_profile::{AudiencePlace, TokenProfile};

/// The claims of a token that its issuer signed, or sealed, for this audience and
/// that is valid now. Only verification makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedClaims {
    claims: Claims,
    client_claim: &'static str,
    scope: Scope,
    confirmation: Option<Confirmation>,
    expires_at: UnixTime,
}

impl VerifiedClaims {
    /// Steps 4 and 7 for what the profile names.
    pub(super) fn of(claims: Claims, profile: &TokenProfile) -> Result<Self, AccessTokenError> {
        let expires_at = claims.exp.ok_or(AccessTokenError::Claim(claim::EXP))?;
        if profile.id_token_marks.iter().any(|mark| claims.has(mark)) {
            return Err(AccessTokenError::IdToken);
        }
        for (name, values) in profile.fixed {
            if claims.text(name).is_none_or(|found| !values.contains(&found)) {
                return Err(AccessTokenError::NotAccessToken(name));
            }
        }
        let client_claim = present(&claims, profile.client_claims);
        let missing = || KindError::MissingClaim(profile.client_claims.join(" or "));
        let client_claim = client_claim.ok_or_else(missing)?;
        if claims.text(client_claim).is_none_or(str::is_empty) {
            return Err(AccessTokenError::Claim(client_claim));
        }
        let scope = scope_of(&claims, profile)?;
        let confirmation = claims.get(claim::CNF).map(Confirmation::from_json).transpose();
        let confirmation = confirmation.map_err(|_| AccessTokenError::Claim(claim::CNF))?;
        Ok(Self { claims, client_claim, scope, confirmation, expires_at })
    }

    /// `iss`: the trusted issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.claims.iss.as_deref().unwrap_or_default()
    }

    /// `sub`; `None` only where the profile does not require it.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.claims.sub.as_deref()
    }

    /// The client. Every profile requires it.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.claims.text(self.client_claim)
    }

    /// Whether the token is for `audience`, by the rule of the profile that it was verified with: for a caller with
    /// several identifiers, who asks for one of them.
    #[must_use]
    pub fn names(&self, audience: &str, profile: &TokenProfile) -> bool {
        is_for(&self.claims, audience, profile)
    }

    /// All values of `aud`.
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        self.claims.aud.iter().flat_map(Audience::iter)
    }

    /// The scope; empty where the token has none.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// `exp`. Whoever keeps the claims checks it on every use.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// Checks `exp`, `nbf` and `iat` again, for whoever keeps the claims.
    ///
    /// # Errors
    /// `Kind`.
    pub fn check_times(&self, now: UnixTime, skew: Skew) -> Result<(), AccessTokenError> {
        Ok(kind::check_times(&self.claims, &kind::Expect::at(now).skew(skew))?)
    }

    /// `iat`; `None` only where the profile does not require it.
    #[must_use]
    pub fn issued_at(&self) -> Option<UnixTime> {
        self.claims.iat
    }

    /// `jti`; `None` only where the profile does not require it.
    #[must_use]
    pub fn jti(&self) -> Option<&str> {
        self.claims.jti.as_deref()
    }

    /// `cred`: the credential that obtained the token.
    #[must_use]
    pub fn credential(&self) -> Option<&str> {
        self.claims.text(claim::CRED)
    }

    /// `cnf`: what the token is bound to.
    #[must_use]
    pub fn confirmation(&self) -> Option<&Confirmation> {
        self.confirmation.as_ref()
    }

    /// Any other claim.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    /// All claims as a JSON object, for introspection and display.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// The first of these that the token has.
fn present(claims: &Claims, names: &[&'static str]) -> Option<&'static str> {
    names.iter().copied().find(|name| claims.has(name))
}

/// Text, separated by spaces (RFC 9068 section 2.2.3), or an array of texts,
/// as some issuers write it.
fn scope_of(claims: &Claims, profile: &TokenProfile) -> Result<Scope, AccessTokenError> {
    let Some(name) = present(claims, profile.scope_claims) else { return Ok(Scope::empty()) };
    let malformed = AccessTokenError::Claim(name);
    match claims.get(name) {
        Some(Value::String(text)) if text.is_empty() => Ok(Scope::empty()),
        Some(Value::String(text)) => Scope::parse(text).map_err(|_| malformed),
        Some(Value::Array(list)) => {
            let words =
                list.iter().map(Value::as_str).collect::<Option<Vec<_>>>().ok_or(malformed.clone())?;
            if words.is_empty() {
                Ok(Scope::empty())
            } else {
                Scope::parse(&words.join(" ")).map_err(|_| malformed)
            }
        }
        _ => Err(malformed),
    }
}

/// The scope as it stands there, unread; `None` where it is no scope at all.
fn words_of<'a>(claims: &'a Claims, profile: &TokenProfile) -> Option<Vec<&'a str>> {
    match claims.get(present(claims, profile.scope_claims)?)? {
        Value::String(text) => Some(text.split(' ').collect()),
        Value::Array(list) => list.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// Whether a token is for `audience`, by what the profile says of where that stands.
pub(super) fn is_for(claims: &Claims, audience: &str, profile: &TokenProfile) -> bool {
    match (&claims.aud, profile.audience) {
        (Some(named), _) => named.contains(audience),
        (None, AudiencePlace::Claim) => false,
        (None, AudiencePlace::ClaimOrScope) => {
            let prefix = |word: &str| word.rsplit_once('/').is_some_and(|(before, _)| before == audience);
            words_of(claims, profile).is_some_and(|words| words.iter().any(|word| prefix(word)))
        }
    }
}
