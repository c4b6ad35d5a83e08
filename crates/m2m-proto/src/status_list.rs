//! Token Status Lists: whether what a token names is still valid, for all of an
//! issuer's tokens in one signed document.
//!
//! Sections: OAuth Token Status List (draft 21) sections 4.1, 4.2, 5.1, 7.1 and
//! 8.3
//!
//! Enforces, when verifying, in this order:
//! 1. size and shape of a compact JWS; no `crit`
//! 2. `typ` is `statuslist+jwt`, with or without `application/`; no symmetric
//!    algorithm
//! 3. the algorithm is one that the caller accepts from this issuer
//! 4. the signature
//! 5. `sub`, `iat`, `exp` and `status_list` are there; `iss`, where one is
//!    expected; `exp` is in the future, `nbf` reached, `iat` not in the future,
//!    each with the skew
//! 6. `sub` is exactly the address that the token named and the list came from
//! 7. `ttl`, where it is there, is a positive number
//! 8. the list: see [`StatusList::decode`]
//!
//! The signature comes before the claims, other than for tokens: nothing large is
//! read, and nothing inflated, that the issuer did not sign.
//!
//! Does not enforce: that the token itself was verified first, which section 8.3
//! demands; that a token's index is in the list ([`VerifiedStatusList::get`] says
//! so); `exp` and `ttl` of a list that is kept, which outrank the HTTP cache;
//! that a newer list is newer ([`VerifiedStatusList::issued_at`] says so).
//!
//! Limits: 2 MiB of text, 1 MiB inflated, times in whole seconds. Lists in CBOR
//! and `aggregation_uri` are not read.

mod bits;

use std::time::Duration;

use serde_json::{Map, Value};

use crate::jose::kind::{self, Kind, KindError, TypPolicy};
use crate::jose::{
    Algorithm, Claims, Compact, HeaderFields, JwsError, PreparedHeader, SigningKey, VerifyingKey, jws,
};
use crate::names::claim;
use crate::time::{Skew, UnixTime};
use crate::uri::Issuer;

pub use bits::{ListError, MAX_LIST_BYTES, Status, StatusList};

const KIND: Kind = Kind::StatusList;

/// The longest signed list: room for 1 MiB that does not compress, encoded twice.
pub const MAX_DOCUMENT_BYTES: usize = 2 * 1024 * 1024;

/// Why a signed list was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatusListError {
    /// Not a compact JWS that we read, or its signature is wrong.
    #[error("the status list is not acceptable as a JWS: {0}")]
    Jws(#[from] JwsError),
    /// A rule of [`Kind::StatusList`] is broken: `typ`, a missing claim, the issuer, a time.
    #[error("the status list is refused: {0}")]
    Kind(#[from] KindError),
    /// The algorithm is not accepted from this issuer.
    #[error("the algorithm {0} is not accepted from this issuer")]
    Algorithm(Algorithm),
    /// A claim is malformed, or all of them are.
    #[error("the claim {0} is malformed")]
    Claim(&'static str),
    /// `sub` is another address: this is another list.
    #[error("sub is not the address of the status list")]
    Subject,
    /// The list in it is no list, or too long.
    #[error("{0}")]
    List(#[from] ListError),
}

/// Why a list was not signed: a defect of the server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatusListSignError {
    /// `exp` is not after `iat`, `ttl` is below a second, or `sub` is empty.
    #[error("the claims to be signed make no status list")]
    Unusable,
    /// The list was not compressed.
    #[error("{0}")]
    List(#[from] ListError),
    /// The key did not sign, or the document would be too long.
    #[error("the status list was not signed: {0}")]
    Jws(#[from] JwsError),
}

/// What a signed list is to say (section 5.1).
#[derive(Clone, Copy, Debug)]
pub struct StatusListClaims<'a> {
    /// `sub`: the list's own address, to the letter as tokens name it.
    pub subject: &'a str,
    /// `iss`; the draft does not need it.
    pub issuer: Option<&'a Issuer>,
    /// `iat`.
    pub issued_at: UnixTime,
    /// `exp`: when the list must no longer be used.
    pub expires_at: UnixTime,
    /// `ttl`: how long it may be kept before it is fetched again; whole seconds, at least one.
    pub ttl: Duration,
    /// `status_list`.
    pub list: &'a StatusList,
}

impl StatusListClaims<'_> {
    /// The header for all lists under that key, to be made once.
    #[must_use]
    pub fn header(key: &SigningKey) -> PreparedHeader {
        PreparedHeader::new(
            &HeaderFields { typ: KIND.typ(), kid: key.key_id(), ..HeaderFields::default() },
            key,
        )
    }

    /// Signs the list. `header` is that of [`StatusListClaims::header`] for the same key.
    ///
    /// # Errors
    /// [`StatusListSignError`].
    pub fn sign(&self, header: &PreparedHeader, key: &SigningKey) -> Result<String, StatusListSignError> {
        let usable = self.expires_at > self.issued_at && self.ttl.as_secs() > 0 && !self.subject.is_empty();
        if !usable {
            return Err(StatusListSignError::Unusable);
        }
        let mut list = Map::new();
        list.insert(claim::BITS.to_owned(), self.list.bits().into());
        list.insert(claim::LST.to_owned(), self.list.encode()?.into());
        let claims = Claims {
            iss: self.issuer.map(|issuer| issuer.as_str().to_owned()),
            sub: Some(self.subject.to_owned()),
            exp: Some(self.expires_at),
            iat: Some(self.issued_at),
            rest: [(claim::TTL, self.ttl.as_secs().into()), (claim::STATUS_LIST, Value::Object(list))]
                .into_iter()
                .collect(),
            ..Claims::default()
        };
        Ok(jws::sign_document(header, &claims.encode(), key, MAX_DOCUMENT_BYTES)?)
    }
}

/// What a list is measured against.
#[derive(Clone, Copy, Debug)]
pub struct Expect<'a> {
    /// The address that a token named and that was fetched.
    pub uri: &'a str,
    /// `iss`, where the issuer is known to write it.
    pub issuer: Option<&'a Issuer>,
    /// Algorithms accepted from the issuer.
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
pub fn parse(document: &str) -> Result<Unverified<'_>, StatusListError> {
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
    // spec: TSL-RS1
    pub fn verify(
        &self,
        key: &VerifyingKey,
        expect: &Expect<'_>,
    ) -> Result<VerifiedStatusList, StatusListError> {
        kind::check_header(KIND, self.compact.header(), TypPolicy::Row)?;
        if !expect.algorithms.contains(&self.algorithm()) {
            return Err(StatusListError::Algorithm(self.algorithm()));
        }
        let payload = self.compact.verify(key)?.payload();
        let claims =
            Claims::parse_document(payload, MAX_DOCUMENT_BYTES).map_err(|_| StatusListError::Claim("set"))?;
        let rules = kind::Expect::at(expect.now).skew(expect.skew);
        let rules = kind::Expect { issuer: expect.issuer.map(Issuer::as_str), ..rules };
        kind::check_claims(KIND, &claims, &rules)?;
        if claims.sub.as_deref() != Some(expect.uri) {
            return Err(StatusListError::Subject);
        }
        VerifiedStatusList::of(&claims)
    }
}

/// A list that its issuer signed for this address and that is valid now. Only verification makes
/// one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedStatusList {
    list: StatusList,
    issued_at: UnixTime,
    expires_at: UnixTime,
    ttl: Option<Duration>,
}

impl VerifiedStatusList {
    fn of(claims: &Claims) -> Result<Self, StatusListError> {
        let issued_at = claims.iat.ok_or(StatusListError::Claim(claim::IAT))?;
        let expires_at = claims.exp.ok_or(StatusListError::Claim(claim::EXP))?;
        let ttl = claims.positive_seconds(claim::TTL);
        if claims.has(claim::TTL) && ttl.is_none() {
            return Err(StatusListError::Claim(claim::TTL));
        }
        let list = claims.get(claim::STATUS_LIST).and_then(Value::as_object);
        let list = list.ok_or(StatusListError::Claim(claim::STATUS_LIST))?;
        let bits = list.get(claim::BITS).and_then(Value::as_u64);
        let lst = list.get(claim::LST).and_then(Value::as_str);
        let (bits, lst) = (
            bits.ok_or(StatusListError::Claim(claim::BITS))?,
            lst.ok_or(StatusListError::Claim(claim::LST))?,
        );
        Ok(Self { list: StatusList::decode(bits, lst)?, issued_at, expires_at, ttl })
    }

    /// The status of `index`. `None` where the list has no such index: whatever named it must be
    /// refused (section 8.3).
    // spec: TSL-RS1
    #[must_use]
    pub fn get(&self, index: u64) -> Option<Status> {
        self.list.get(index)
    }

    /// All of it.
    #[must_use]
    pub fn list(&self) -> &StatusList {
        &self.list
    }

    /// `iat`. Whoever keeps the list takes no older one in its place.
    #[must_use]
    pub fn issued_at(&self) -> UnixTime {
        self.issued_at
    }

    /// `exp`. Whoever keeps the list checks it on every use.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// `ttl`: how long after it was fetched the list is to be fetched again; `None` where the
    /// issuer leaves that open.
    #[must_use]
    pub fn ttl(&self) -> Option<Duration> {
        self.ttl
    }
}

#[cfg(test)]
mod tests;
