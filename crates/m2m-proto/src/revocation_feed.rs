//! The revocation feed: the single tokens of an issuer that are withdrawn and not
//! yet expired, in one signed document. Our own; what has no place in a status
//! list of credentials is named here.
//!
//! Sections: none of a standard; a JWT (RFC 7519) with the claims `iss`, `iat`,
//! `exp`, `ttl` and `revoked`, an array of `jti` in ascending order of their bytes
//!
//! Enforces, when verifying, in this order:
//! 1. size and shape of a compact JWS; no `crit`
//! 2. `typ` is `m2m-revocations+jwt`, with or without `application/`; no symmetric
//!    algorithm
//! 3. the algorithm is one that the caller accepts from this issuer
//! 4. the signature; nothing large is read before
//! 5. all five claims are there; `iss` is exactly the issuer; `exp` is in the
//!    future, `nbf` reached, `iat` not in the future, each with the skew
//! 6. `ttl` is a positive number
//! 7. `revoked`: at most [`MAX_REVOKED`] texts of 1 to [`MAX_JTI_BYTES`] bytes,
//!    ascending, none twice
//!
//! Does not enforce: `exp` and `ttl` of a feed that is kept, which its holder
//! checks on every use; that a newer feed is newer (`issued_at` says so).
//!
//! Limits: 8 MiB of text, which is room for 100,000 `jti` of 59 bytes; longer ones
//! fill it sooner, and the encoder refuses what does not fit.

use std::time::Duration;

use serde_json::Value;

use crate::jose::kind::{self, Kind, KindError, TypPolicy};
use crate::jose::{
    Algorithm, Claims, Compact, HeaderFields, JwsError, PreparedHeader, SigningKey, VerifyingKey, jws,
};
use crate::names::claim;
use crate::time::{Skew, UnixTime};
use crate::uri::Issuer;

const KIND: Kind = Kind::RevocationFeed;

/// The most tokens in one feed.
pub const MAX_REVOKED: usize = 100_000;

/// The longest `jti`.
pub const MAX_JTI_BYTES: usize = 256;

/// The longest signed feed.
pub const MAX_DOCUMENT_BYTES: usize = 8 * 1024 * 1024;

/// Why a feed was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationFeedError {
    /// Not a compact JWS that we read, or its signature is wrong.
    #[error("the revocation feed is not acceptable as a JWS: {0}")]
    Jws(#[from] JwsError),
    /// A rule of [`Kind::RevocationFeed`] is broken: `typ`, a missing claim, the issuer, a time.
    #[error("the revocation feed is refused: {0}")]
    Kind(#[from] KindError),
    /// The algorithm is not accepted from this issuer.
    #[error("the algorithm {0} is not accepted from this issuer")]
    Algorithm(Algorithm),
    /// A claim is malformed, or all of them are.
    #[error("the claim {0} is malformed")]
    Claim(&'static str),
    /// More than [`MAX_REVOKED`] tokens.
    #[error("{0} tokens in the revocation feed, {MAX_REVOKED} allowed")]
    TooMany(usize),
}

/// Why a feed was not signed: a defect of the server, or more revoked tokens than a feed holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationFeedSignError {
    /// `exp` is not after `iat`, or `ttl` is below a second.
    #[error("the claims to be signed make no revocation feed")]
    Unusable,
    /// A `jti` is empty or longer than [`MAX_JTI_BYTES`].
    #[error("a jti of {0} bytes, 1 to {MAX_JTI_BYTES} allowed")]
    Jti(usize),
    /// More than [`MAX_REVOKED`] tokens: revoke their credentials, or roll the keys.
    #[error("{0} tokens in the revocation feed, {MAX_REVOKED} allowed")]
    TooMany(usize),
    /// The key did not sign, or the document would be too long.
    #[error("the revocation feed was not signed: {0}")]
    Jws(#[from] JwsError),
}

/// What a feed is to say.
#[derive(Clone, Copy, Debug)]
pub struct RevocationFeedClaims<'a> {
    /// `iss`.
    pub issuer: &'a Issuer,
    /// `iat`.
    pub issued_at: UnixTime,
    /// `exp`: when the feed must no longer be used.
    pub expires_at: UnixTime,
    /// `ttl`: how long it may be kept before it is fetched again; whole seconds, at least one.
    pub ttl: Duration,
    /// `revoked`, in any order.
    pub revoked: &'a [&'a str],
}

impl RevocationFeedClaims<'_> {
    /// The header for all feeds under that key, to be made once.
    #[must_use]
    pub fn header(key: &SigningKey) -> PreparedHeader {
        PreparedHeader::new(
            &HeaderFields { typ: KIND.typ(), kid: key.key_id(), ..HeaderFields::default() },
            key,
        )
    }

    /// Signs the feed, in order and each `jti` once. `header` is that of
    /// [`RevocationFeedClaims::header`] for the same key.
    ///
    /// # Errors
    /// [`RevocationFeedSignError`].
    pub fn sign(&self, header: &PreparedHeader, key: &SigningKey) -> Result<String, RevocationFeedSignError> {
        if self.expires_at <= self.issued_at || self.ttl.as_secs() == 0 {
            return Err(RevocationFeedSignError::Unusable);
        }
        let claims = Claims {
            iss: Some(self.issuer.as_str().to_owned()),
            exp: Some(self.expires_at),
            iat: Some(self.issued_at),
            rest: [(claim::TTL, self.ttl.as_secs().into()), (claim::REVOKED, self.sorted()?)]
                .into_iter()
                .collect(),
            ..Claims::default()
        };
        Ok(jws::sign_document(header, &claims.encode(), key, MAX_DOCUMENT_BYTES)?)
    }

    fn sorted(&self) -> Result<Value, RevocationFeedSignError> {
        if let Some(jti) = self.revoked.iter().find(|jti| !is_jti(jti)) {
            return Err(RevocationFeedSignError::Jti(jti.len()));
        }
        let mut revoked = self.revoked.to_vec();
        revoked.sort_unstable();
        revoked.dedup();
        if revoked.len() > MAX_REVOKED {
            return Err(RevocationFeedSignError::TooMany(revoked.len()));
        }
        Ok(revoked.into_iter().map(Value::from).collect())
    }
}

fn is_jti(text: &str) -> bool {
    (1..=MAX_JTI_BYTES).contains(&text.len())
}

/// What a feed is measured against.
#[derive(Clone, Copy, Debug)]
pub struct Expect<'a> {
    /// The trusted issuer whose feed was fetched.
    pub issuer: &'a Issuer,
    /// Algorithms accepted from this issuer.
    pub algorithms: &'a [Algorithm],
    /// The present time.
    pub now: UnixTime,
    /// The tolerance for `exp`, `nbf` and `iat`.
    pub skew: Skew,
}

/// A document of the right shape. Shows only what is needed to find the key.
#[derive(Clone, Debug)]
pub struct Unverified<'a> {
    compact: Compact<'a>,
}

/// Reads a document without proving anything about it.
///
/// # Errors
/// `Jws`.
pub fn parse(document: &str) -> Result<Unverified<'_>, RevocationFeedError> {
    Ok(Unverified { compact: Compact::parse_document(document, MAX_DOCUMENT_BYTES)? })
}

impl Unverified<'_> {
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

    /// All checks, in the order of the module's description. May be tried with another key.
    ///
    /// # Errors
    /// One variant per check.
    pub fn verify(
        &self,
        key: &VerifyingKey,
        expect: &Expect<'_>,
    ) -> Result<VerifiedRevocationFeed, RevocationFeedError> {
        kind::check_header(KIND, self.compact.header(), TypPolicy::Row)?;
        if !expect.algorithms.contains(&self.algorithm()) {
            return Err(RevocationFeedError::Algorithm(self.algorithm()));
        }
        let payload = self.compact.verify(key)?.payload();
        let claims = Claims::parse_document(payload, MAX_DOCUMENT_BYTES)
            .map_err(|_| RevocationFeedError::Claim("set"))?;
        let rules = kind::Expect::at(expect.now).issuer(expect.issuer.as_str()).skew(expect.skew);
        kind::check_claims(KIND, &claims, &rules)?;
        VerifiedRevocationFeed::of(claims)
    }
}

/// The withdrawn tokens of an issuer, signed by it and valid now. Only verification makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedRevocationFeed {
    /// Ascending.
    revoked: Vec<String>,
    issued_at: UnixTime,
    expires_at: UnixTime,
    ttl: Duration,
}

impl VerifiedRevocationFeed {
    fn of(mut claims: Claims) -> Result<Self, RevocationFeedError> {
        let malformed = RevocationFeedError::Claim;
        let issued_at = claims.iat.ok_or(malformed(claim::IAT))?;
        let expires_at = claims.exp.ok_or(malformed(claim::EXP))?;
        let ttl = claims.positive_seconds(claim::TTL).ok_or(malformed(claim::TTL))?;
        let Some(Value::Array(list)) = claims.rest.remove(claim::REVOKED) else {
            return Err(malformed(claim::REVOKED));
        };
        if list.len() > MAX_REVOKED {
            return Err(RevocationFeedError::TooMany(list.len()));
        }
        let texts = list.into_iter().map(|value| match value {
            Value::String(text) if is_jti(&text) => Some(text),
            _ => None,
        });
        let revoked = texts.collect::<Option<Vec<_>>>().ok_or(malformed(claim::REVOKED))?;
        if !revoked.is_sorted_by(|a, b| a < b) {
            return Err(malformed(claim::REVOKED));
        }
        Ok(Self { revoked, issued_at, expires_at, ttl })
    }

    /// Whether the token with this `jti` is withdrawn.
    #[must_use]
    pub fn contains(&self, jti: &str) -> bool {
        self.revoked.binary_search_by(|known| known.as_str().cmp(jti)).is_ok()
    }

    /// All `jti`, ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.revoked.iter().map(String::as_str)
    }

    /// `iat`.
    #[must_use]
    pub fn issued_at(&self) -> UnixTime {
        self.issued_at
    }

    /// `exp`. Whoever keeps the feed checks it on every use.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// `ttl`: how long after it was fetched the feed is to be fetched again.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        self.ttl
    }
}

#[cfg(test)]
mod tests;
