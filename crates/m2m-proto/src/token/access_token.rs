//! JWT access tokens: written by authorization servers, verified by resource
//! servers.
//!
//! Sections: RFC 9068 sections 2, 2.1, 2.2 and 4, RFC 7519 section 4.1,
//! RFC 8725 section 3
//!
//! Enforces, when verifying, in this order:
//! 1. size and shape of a compact JWS with well-formed claims; no `crit`
//! 2. `typ` is the profile's: `at+jwt` or `application/at+jwt`
//! 3. the algorithm is one that the caller accepts from this issuer
//! 4. the profile's claims are there, `iss` and `exp` in any case
//! 5. `iss` is exactly the issuer
//! 6. `aud`, or what the profile names in its place, holds the caller's own
//!    identifier
//! 7. `exp` is in the future, `nbf` reached, `iat` not in the future, each with
//!    the skew; by the profile it is an access token and no ID token; client,
//!    scope and `cnf` are well-formed
//! 8. the signature, by a key that allows the algorithm
//!
//! Steps 2 to 7 are [`Unverified::check`], so that only a plausible token can
//! make the caller look for a key.
//!
//! Does not enforce: revocation, the scope that a route needs, and possession
//! ([`super::confirmation::verify`]); whoever accepts the claims without the
//! last turns bound tokens into bearer tokens.
//!
//! Limits: 16 KiB; skew 30 s by default; the life of a token is the issuer's
//! decision.

mod delegation;
mod minted;
mod status;
mod verified;

use crate::jose::kind::{self, AudienceRule, Kind, KindError, TypPolicy};
use crate::jose::{Algorithm, Claims, Compact, JwsError, VerifyingKey};
use crate::time::{Skew, UnixTime};
use crate::token_profile::TokenProfile;
use crate::uri::Issuer;

pub use delegation::{Delegation, DelegationError, Origin};
pub use minted::{AccessTokenClaims, MintError};
pub use status::{StatusReference, StatusReferenceError};
pub use verified::VerifiedClaims;
use verified::is_for;

const KIND: Kind = Kind::AccessToken;

/// Why an access token was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessTokenError {
    /// Not a compact JWS that we read, or its signature is wrong.
    #[error("the token is not acceptable as a JWS: {0}")]
    Jws(#[from] JwsError),
    /// A claim is malformed, or all of them are.
    #[error("the claim {0} is malformed")]
    Claim(&'static str),
    /// A rule of [`Kind::AccessToken`] or of the profile is broken: `typ`, a
    /// symmetric algorithm, a missing claim, the issuer, a time.
    #[error("the token is refused: {0}")]
    Kind(#[from] KindError),
    /// It is an ID token of an issuer that does not tell them apart by `typ`.
    #[error("this is an ID token, not an access token")]
    IdToken,
    /// A claim by which its issuer tells access tokens says that it is another
    /// kind, or is absent.
    #[error("by its claim {0} this is no access token")]
    NotAccessToken(&'static str),
    /// The algorithm is not accepted from this issuer.
    #[error("the algorithm {0} is not accepted from this issuer")]
    Algorithm(Algorithm),
    /// The token is for someone else.
    #[error("aud does not hold {expected}")]
    Audience {
        /// The identifier that must be among the values.
        expected: String,
    },
}

/// What a token is measured against.
#[derive(Clone, Copy, Debug)]
pub struct Expect<'a> {
    /// The trusted issuer to which `iss` led.
    pub issuer: &'a Issuer,
    /// The caller's own identifier.
    pub audience: &'a str,
    /// Algorithms accepted from this issuer.
    pub algorithms: &'a [Algorithm],
    /// The present time.
    pub now: UnixTime,
    /// The tolerance for `exp`, `nbf` and `iat`.
    pub skew: Skew,
}

/// Algorithms that are accepted from an issuer unless configured otherwise:
/// all asymmetric ones.
pub const DEFAULT_ALGORITHMS: [Algorithm; 11] = [
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Es512,
    Algorithm::EdDsa,
    Algorithm::Ed25519,
];

/// A token of the right shape. Shows only what is needed to find the issuer
/// and the key.
#[derive(Clone, Debug)]
pub struct Unverified<'a> {
    compact: Compact<'a>,
    claims: Claims,
}

/// Reads a token without proving anything about it.
///
/// # Errors
/// `Jws`, `Claim`.
pub fn parse(token: &str) -> Result<Unverified<'_>, AccessTokenError> {
    let compact = Compact::parse(token)?;
    let claims = Claims::parse(compact.payload()).map_err(|_| AccessTokenError::Claim("set"))?;
    Ok(Unverified { compact, claims })
}

impl<'a> Unverified<'a> {
    /// The claimed issuer.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.claims.iss.as_deref()
    }

    /// The claimed audience, where it is a single one.
    #[must_use]
    pub fn audience(&self) -> Option<&str> {
        self.claims.aud.as_ref()?.sole()
    }

    /// Whether the claims name `audience`: for a caller with several identifiers, to say which of
    /// them is to be checked.
    #[must_use]
    pub fn names(&self, audience: &str, profile: &TokenProfile) -> bool {
        is_for(&self.claims, audience, profile)
    }

    /// The header's key id, a hint and no more.
    #[must_use]
    pub fn key_hint(&self) -> Option<&str> {
        self.compact.header().kid.as_deref()
    }

    /// The header's algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.compact.header().alg
    }

    /// All checks but the signature. The checks and their order are in the
    /// module's description.
    ///
    /// # Errors
    /// One variant per check.
    // spec: 9068-RS1
    // spec: 9700-RS1
    pub fn check(
        self,
        profile: &TokenProfile,
        expect: &Expect<'_>,
    ) -> Result<Plausible<'a>, AccessTokenError> {
        let header = self.compact.header();
        kind::check_header(KIND, header, TypPolicy::OneOf(profile.accepted_typ))?;
        if !expect.algorithms.contains(&header.alg) {
            return Err(AccessTokenError::Algorithm(header.alg));
        }
        let claims = check_claims(self.claims, profile, expect)?;
        Ok(Plausible { compact: self.compact, claims })
    }
}

/// Steps 4 to 7, for claims whose origin the caller proves: by the signature to come, or by a seal
/// that was opened.
pub(in crate::token) fn check_claims(
    claims: Claims,
    profile: &TokenProfile,
    expect: &Expect<'_>,
) -> Result<VerifiedClaims, AccessTokenError> {
    let audience = [expect.audience];
    let rules =
        kind::Expect::at(expect.now).issuer(expect.issuer.as_str()).audience(&audience).skew(expect.skew);
    let audience_rule = is_for(&claims, expect.audience, profile).then_some(AudienceRule::Unchecked);
    let rules = kind::Expect { required: Some(profile.required), audience_rule, ..rules };
    kind::check_claims(KIND, &claims, &rules).map_err(|error| match error {
        KindError::WrongAudience => AccessTokenError::Audience { expected: expect.audience.to_owned() },
        other => AccessTokenError::Kind(other),
    })?;
    VerifiedClaims::of(claims, profile)
}

/// A token to which only the signature is missing.
#[derive(Clone, Debug)]
pub struct Plausible<'a> {
    compact: Compact<'a>,
    claims: VerifiedClaims,
}

impl Plausible<'_> {
    /// The header's key id, a hint and no more.
    #[must_use]
    pub fn key_hint(&self) -> Option<&str> {
        self.compact.header().kid.as_deref()
    }

    /// The header's algorithm, accepted from this issuer.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.compact.header().alg
    }

    /// The last check.
    ///
    /// # Errors
    /// `Jws`: the key does not allow the algorithm, or did not sign this.
    // spec: 9068-RS1
    pub fn verify(self, key: &VerifyingKey) -> Result<VerifiedClaims, AccessTokenError> {
        self.verify_any([key])
    }

    /// The last check, where several keys come into question (no `kid`, or one
    /// that is not unique). The caller bounds their number.
    ///
    /// # Errors
    /// `Jws`, for the last key tried.
    pub fn verify_any<'k>(
        self,
        keys: impl IntoIterator<Item = &'k VerifyingKey>,
    ) -> Result<VerifiedClaims, AccessTokenError> {
        let mut failure = JwsError::AlgorithmNotAllowed;
        for key in keys {
            match self.compact.verify(key) {
                Ok(_) => return Ok(self.claims),
                Err(error) => failure = error,
            }
        }
        Err(failure.into())
    }
}

/// All checks at once, for callers that know the key already.
///
/// # Errors
/// As [`Unverified::check`] and [`Plausible::verify`].
pub fn verify(
    token: Unverified<'_>,
    key: &VerifyingKey,
    profile: &TokenProfile,
    expect: &Expect<'_>,
) -> Result<VerifiedClaims, AccessTokenError> {
    token.check(profile, expect)?.verify(key)
}

#[cfg(test)]
mod tests;
