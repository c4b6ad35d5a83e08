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

mod status;

use serde_json::Value;

use super::AccessToken;
use super::confirmation::Confirmation;
use super::object::ObjectWriter;
use crate::client_id::ClientId;
use crate::jose::kind::{self, AudienceRule, Kind, KindError, TypPolicy};
use crate::jose::{
    Algorithm, Audience, Claims, Compact, HeaderFields, JwsError, PreparedHeader, SigningKey, VerifyingKey,
    jws,
};
use crate::names::claim;
use crate::scope::Scope;
use crate::seal::SealError;
use crate::time::{Skew, UnixTime};
use crate::token_profile::{AudiencePlace, TokenProfile};
use crate::uri::Issuer;

pub use status::{StatusReference, StatusReferenceError};

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

/// Why an access token was not written: a defect of the server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// `exp` is not after `iat`, or `aud` or `jti` is empty.
    #[error("the claims to be signed make no token")]
    Unusable,
    /// The key did not sign.
    #[error("the token was not signed: {0}")]
    Jws(#[from] JwsError),
    /// The token was not sealed, see [`super::sealed`].
    #[error("the token was not sealed: {0}")]
    Seal(#[from] SealError),
    /// More bytes than a sealed token may have: too much scope, too many roles.
    #[error("a sealed token of {bytes} bytes, {limit} allowed")]
    TooLong {
        /// Bytes needed.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
}

/// The claims of a token to be minted (RFC 9068 section 2.2).
#[derive(Clone, Copy, Debug)]
pub struct AccessTokenClaims<'a> {
    /// `iss`.
    pub issuer: &'a Issuer,
    /// `sub`: for client credentials, the client.
    pub subject: &'a str,
    /// `client_id`, and `azp`, which older verifiers read instead.
    pub client_id: &'a ClientId,
    /// `aud`: the API; a bare string where there is one.
    pub audience: &'a [&'a str],
    /// `scope`; left out where empty.
    pub scope: &'a Scope,
    /// `iat` and `nbf`.
    pub issued_at: UnixTime,
    /// `exp`.
    pub expires_at: UnixTime,
    /// `jti`.
    pub jti: &'a str,
    /// `roles`; left out where empty.
    pub roles: &'a [String],
    /// `permissions`; left out where empty.
    pub permissions: &'a [String],
    /// `cred`: the credential that obtained the token.
    pub credential: Option<&'a str>,
    /// `cnf`.
    pub confirmation: Option<&'a Confirmation>,
    /// `status.status_list`.
    pub status: Option<StatusReference<'a>>,
}

impl AccessTokenClaims<'_> {
    /// The header for all access tokens under that key, to be made once.
    // spec: 9068-AS1
    #[must_use]
    pub fn header(key: &SigningKey) -> PreparedHeader {
        PreparedHeader::new(
            &HeaderFields { typ: KIND.typ(), kid: key.key_id(), ..HeaderFields::default() },
            key,
        )
    }

    /// Signs the token. `header` is that of [`AccessTokenClaims::header`] for
    /// the same key.
    ///
    /// # Errors
    /// `Unusable`, and what signing says.
    // spec: 9068-AS1
    pub fn sign(&self, header: &PreparedHeader, key: &SigningKey) -> Result<AccessToken, MintError> {
        let text = jws::sign_prepared(header, self.encode()?.as_bytes(), key)?;
        AccessToken::made(text).map_err(|_| MintError::Unusable)
    }

    /// The payload. Written straight into one string: a map in between would
    /// cost more than all else about a token but its signature.
    ///
    /// # Errors
    /// `Unusable`.
    pub fn encode(&self) -> Result<String, MintError> {
        let usable = self.expires_at > self.issued_at && !self.jti.is_empty() && !self.audience.is_empty();
        if !usable {
            return Err(MintError::Unusable);
        }
        let mut object = ObjectWriter::with_capacity(512);
        object.text(claim::ISS, self.issuer.as_str());
        object.text(claim::SUB, self.subject);
        match self.audience {
            [sole] => object.text(claim::AUD, sole),
            several => object.texts(claim::AUD, several),
        }
        object.number(claim::EXP, self.expires_at.seconds());
        object.number(claim::NBF, self.issued_at.seconds());
        object.number(claim::IAT, self.issued_at.seconds());
        object.text(claim::JTI, self.jti);
        object.text(claim::CLIENT_ID, self.client_id.as_str());
        object.text(claim::AZP, self.client_id.as_str());
        if !self.scope.is_empty() {
            object.words(claim::SCOPE, self.scope.iter().map(crate::scope::ScopeToken::as_str));
        }
        self.encode_optional(&mut object);
        Ok(object.finish())
    }

    fn encode_optional(&self, object: &mut ObjectWriter) {
        if !self.roles.is_empty() {
            object.texts(claim::ROLES, self.roles);
        }
        if !self.permissions.is_empty() {
            object.texts(claim::PERMISSIONS, self.permissions);
        }
        if let Some(credential) = self.credential {
            object.text(claim::CRED, credential);
        }
        if let Some(confirmation) = self.confirmation {
            object.object(claim::CNF, |cnf| confirmation.write(cnf));
        }
        if let Some(status) = self.status {
            object.object(claim::STATUS, |object| status.write(object));
        }
    }
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

/// Whether a token is for `audience`, by what the profile says of where that stands.
fn is_for(claims: &Claims, audience: &str, profile: &TokenProfile) -> bool {
    match (&claims.aud, profile.audience) {
        (Some(named), _) => named.contains(audience),
        (None, AudiencePlace::Claim) => false,
        (None, AudiencePlace::ClaimOrScope) => {
            let prefix = |word: &str| word.rsplit_once('/').is_some_and(|(before, _)| before == audience);
            words_of(claims, profile).is_some_and(|words| words.iter().any(|word| prefix(word)))
        }
    }
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
    fn of(claims: Claims, profile: &TokenProfile) -> Result<Self, AccessTokenError> {
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

#[cfg(test)]
mod tests;
