//! Tokens that platforms give to what runs on them: projected service account tokens, job tokens, JWT-SVIDs. Built
//! by platforms (and by test issuers), verified by authorization servers that trust one.
//!
//! Sections: RFC 7521 §4.1, §4.2; RFC 7523 §2.1, §2.2, §3; RFC 8725 §3; JWT-SVID §3, §4;
//! draft-ietf-oauth-spiffe-client-auth
//!
//! Enforces, when verifying, in this order:
//! 1. a compact JWS with well-formed claims
//! 2. `typ` is none of another kind (a JWT-SVID: `JWT`, `JOSE` or none); the algorithm is one of a key pair
//! 3. no `cnf`: whoever is bound to a key must prove it, and nothing here does
//! 4. all required claims: `sub`, `aud`, `exp`, and but for a JWT-SVID `iss` and `iat`
//! 5. `iss` is the issuer to the letter, or `sub` is a workload of the trust domain
//! 6. `aud` has one of the accepted values (a JWT-SVID: as its only one)
//! 7. `exp` ahead and not further than the longest life, `nbf` reached, `iat` not ahead; `exp` not later after `iat`
//!    than the longest life
//! 8. `sub` of 1 to [`MAX_SUBJECT_BYTES`] bytes, `jti`, where there is one, of 1 to [`MAX_JTI_BYTES`]
//! 9. a key of the issuer for algorithm and `kid`, and the signature
//!
//! Does not enforce: which issuers are trusted and with which keys; whom of them they may speak for; that a token is
//! used once. Where that is wanted, the caller consumes [`VerifiedWorkloadToken::jti`] until
//! [`VerifiedWorkloadToken::expires_at`] plus the skew.
//! Limits: 16 KiB; [`MAX_TRIED_KEYS`] keys are tried at most.

use std::fmt;
use std::time::Duration;

use crate::jose::candidates::{fitting, verify_with_one};
use crate::jose::kind::{self, AudienceRule, Kind, KindError, LifeRule, TypPolicy};
use crate::jose::{Algorithm, Claims, Compact, HeaderFields, JwsError, SigningKey, VerifyingKey, jws};
use crate::names::{claim, typ};
use crate::secret::SecretString;
use crate::spiffe::{SpiffeId, TrustDomain};
use crate::time::{Skew, UnixTime};

pub use crate::jose::candidates::MAX_TRIED_KEYS;

const KIND: Kind = Kind::WorkloadToken;

/// The longest `sub`.
pub const MAX_SUBJECT_BYTES: usize = 2048;
/// The longest `jti`.
pub const MAX_JTI_BYTES: usize = 256;

/// JWT-SVID §2.3; the empty text stands for none.
const SVID_TYPES: [&str; 3] = [typ::JWT, "JOSE", ""];
const SVID_REQUIRED: [&str; 3] = [claim::SUB, claim::AUD, claim::EXP];
const REQUIRED: [&str; 5] = [claim::ISS, claim::SUB, claim::AUD, claim::EXP, claim::IAT];

/// Why a workload token was not built or not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WorkloadTokenError {
    /// Not a compact JWS that we read, or its signature is wrong.
    #[error("not acceptable as a JWS: {0}")]
    Jws(#[from] JwsError),
    /// The claims are not well-formed.
    #[error("the claims are malformed")]
    Claims,
    /// A rule of [`Kind::WorkloadToken`] is broken: `typ`, the sort of key, a missing claim, the audience, a time.
    #[error(transparent)]
    Kind(#[from] KindError),
    /// The token is bound to a key, and a bearer is no proof of holding it (RFC 7800 §3).
    #[error("the token is bound to a key by cnf, which is not proven here")]
    Bound,
    /// `sub` is empty, too long, or no workload of the trust domain.
    #[error("sub is not a subject of this issuer")]
    Subject,
    /// `jti` is empty or too long.
    #[error("jti must have 1 to {MAX_JTI_BYTES} bytes")]
    Jti,
    /// No key of the issuer is for that algorithm and key id.
    #[error("no key of the issuer fits alg and kid")]
    NoKey,
}

/// A workload token to be built, as a platform would.
#[derive(Clone, Debug)]
pub struct WorkloadToken<'a> {
    /// All claims, as they shall be signed.
    pub claims: &'a Claims,
    /// The header's `typ`. Platforms write `JWT` or none.
    pub typ: Option<&'a str>,
}

impl WorkloadToken<'_> {
    /// Signs the token with a key of the platform. The header names the key's `kid` if it has one.
    ///
    /// # Errors
    /// `Kind` for a shared secret and for claims without `sub`, `aud` or `exp`; what signing says.
    pub fn build(&self, key: &SigningKey) -> Result<String, WorkloadTokenError> {
        if key.algorithm().is_symmetric() {
            return Err(KindError::SymmetricAlgorithm(key.algorithm()).into());
        }
        if let Some(missing) = SVID_REQUIRED.into_iter().find(|name| !self.claims.has(name)) {
            return Err(KindError::MissingClaim(missing.to_owned()).into());
        }
        let header = HeaderFields { typ: self.typ, kid: key.key_id(), ..HeaderFields::default() };
        Ok(jws::sign(&header, &self.claims.encode(), key)?)
    }
}

/// Who is trusted to have made a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkloadIssuer<'a> {
    /// Whoever names itself so in `iss`.
    Named(&'a str),
    /// A SPIFFE trust domain, by the name of its workload in `sub`.
    TrustDomain(&'a TrustDomain),
}

/// What a token is measured against.
#[derive(Clone, Copy, Debug)]
pub struct Expect<'a> {
    /// Who is trusted.
    pub issuer: WorkloadIssuer<'a>,
    /// The values of `aud` that stand for us.
    pub audience: &'a [&'a str],
    /// The longest life, from `iat` to `exp`, and what may be left of it.
    pub max_lifetime: Duration,
    /// The present time.
    pub now: UnixTime,
    /// The tolerance for `exp`, `nbf` and `iat`.
    pub skew: Skew,
}

/// A token as it came, read only to find out whose it is. Nothing in it is proven.
#[derive(Clone)]
pub struct UnverifiedWorkloadToken {
    text: SecretString,
    claims: Claims,
    algorithm: Algorithm,
    key_id: Option<String>,
}

impl UnverifiedWorkloadToken {
    /// Checks the shape: a compact JWS whose payload is a set of claims.
    ///
    /// # Errors
    /// `Jws`, `Claims`.
    pub fn parse(text: &str) -> Result<Self, WorkloadTokenError> {
        let compact = Compact::parse(text)?;
        let claims = Claims::parse(compact.payload()).map_err(|_| WorkloadTokenError::Claims)?;
        let header = compact.header();
        let (algorithm, key_id) = (header.alg, header.kid.clone());
        Ok(Self { text: SecretString::from(text), claims, algorithm, key_id })
    }

    /// The claims, as they came.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The claimed `sub`, if it is the name of a SPIFFE workload.
    #[must_use]
    pub fn spiffe_id(&self) -> Option<SpiffeId> {
        SpiffeId::parse(self.claims.sub.as_deref()?).ok()
    }

    /// The header's algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The header's key id, a hint and no more.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Everything that can be checked without a key: of an unsigned token it says nothing but what it claims.
    ///
    /// # Errors
    /// One variant per check, in the order of the module's description, up to 8.
    // spec: 7523-AS3
    pub fn check(&self, expect: &Expect<'_>) -> Result<(), WorkloadTokenError> {
        let compact = Compact::parse(self.text.expose())?;
        let svid = matches!(expect.issuer, WorkloadIssuer::TrustDomain(_));
        let typ = if svid { TypPolicy::OneOf(&SVID_TYPES) } else { TypPolicy::Row };
        kind::check_header(KIND, compact.header(), typ)?;
        if self.claims.get(claim::CNF).is_some() {
            return Err(WorkloadTokenError::Bound);
        }
        let rules = kind::Expect {
            issuer: match expect.issuer {
                WorkloadIssuer::Named(issuer) => Some(issuer),
                WorkloadIssuer::TrustDomain(_) => None,
            },
            audience: expect.audience,
            required: Some(if svid { &SVID_REQUIRED } else { &REQUIRED }),
            audience_rule: Some(if svid { AudienceRule::Sole } else { AudienceRule::Contains }),
            life: Some(LifeRule::UntilExpiry(expect.max_lifetime)),
            ..kind::Expect::at(expect.now).skew(expect.skew)
        };
        kind::check_claims(KIND, &self.claims, &rules)?;
        self.check_whole_life(expect)?;
        self.check_subject(expect.issuer)?;
        match self.claims.jti.as_deref() {
            Some(jti) if !(1..=MAX_JTI_BYTES).contains(&jti.len()) => Err(WorkloadTokenError::Jti),
            _ => Ok(()),
        }
    }

    /// A token for a day is none for an hour in its last hour.
    fn check_whole_life(&self, expect: &Expect<'_>) -> Result<(), KindError> {
        let limit = expect.max_lifetime;
        match (self.claims.iat, self.claims.exp) {
            (Some(iat), Some(exp)) if exp > iat.saturating_add(limit).saturating_add(expect.skew.get()) => {
                Err(KindError::LivesTooLong { limit })
            }
            _ => Ok(()),
        }
    }

    fn check_subject(&self, issuer: WorkloadIssuer<'_>) -> Result<(), WorkloadTokenError> {
        let length = self.claims.sub.as_deref().unwrap_or_default().len();
        let own = match issuer {
            WorkloadIssuer::Named(_) => (1..=MAX_SUBJECT_BYTES).contains(&length),
            WorkloadIssuer::TrustDomain(domain) => {
                self.spiffe_id().is_some_and(|id| id.trust_domain() == domain)
            }
        };
        if own { Ok(()) } else { Err(WorkloadTokenError::Subject) }
    }

    /// Whether one of the keys signed.
    ///
    /// # Errors
    /// `NoKey`, `Jws`.
    // spec: JWT-V1
    pub fn check_signature<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k VerifyingKey>,
    ) -> Result<(), WorkloadTokenError> {
        let compact = Compact::parse(self.text.expose())?;
        let keys = fitting(keys, self.algorithm, self.key_id());
        if self.algorithm.is_symmetric() || keys.is_empty() {
            return Err(WorkloadTokenError::NoKey);
        }
        Ok(verify_with_one(&compact, &keys)?)
    }

    /// Verifies the token. The checks and their order are in the module's description.
    ///
    /// # Errors
    /// One variant per check.
    // spec: 7523-AS3, 7523-AS5, SPIFFE-AS1
    pub fn verify<'k>(
        &self,
        expect: &Expect<'_>,
        keys: impl IntoIterator<Item = &'k VerifyingKey>,
    ) -> Result<VerifiedWorkloadToken, WorkloadTokenError> {
        self.check(expect)?;
        self.check_signature(keys)?;
        Ok(VerifiedWorkloadToken { claims: self.claims.clone(), max_lifetime: expect.max_lifetime })
    }
}

impl fmt::Debug for UnverifiedWorkloadToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedWorkloadToken")
            .field("issuer", &self.claims.iss)
            .field("subject", &self.claims.sub)
            .finish_non_exhaustive()
    }
}

/// Evidence that a trusted issuer made this token for this server, and that it is still good.
#[derive(Clone, Debug)]
pub struct VerifiedWorkloadToken {
    claims: Claims,
    max_lifetime: Duration,
}

impl VerifiedWorkloadToken {
    /// Whom the issuer speaks of.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.claims.sub.as_deref().unwrap_or_default()
    }

    /// To be consumed once, together with the issuer, where tokens are single-use.
    #[must_use]
    pub fn jti(&self) -> Option<&str> {
        self.claims.jti.as_deref()
    }

    /// Until when, plus the skew, a `jti` must be remembered.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.claims.exp.unwrap_or(UnixTime::from_seconds(0))
    }

    /// The earliest moment at which it can have been made, and so used.
    #[must_use]
    pub fn issued_at(&self) -> UnixTime {
        self.claims.iat.unwrap_or_else(|| self.expires_at().saturating_sub(self.max_lifetime))
    }

    /// All claims, as they were signed.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }
}

#[cfg(test)]
mod tests;
