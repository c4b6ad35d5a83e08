//! Client assertions: `private_key_jwt` and `client_secret_jwt`, built by
//! clients and verified by authorization servers.
//!
//! Sections: RFC 7521 sections 4.2 and 5.2, RFC 7523 sections 2.2 and 3,
//! RFC 10070
//!
//! Enforces, when verifying, in this order:
//! 1. size and shape of a compact JWS with well-formed claims
//! 2. `typ` is `client-authentication+jwt`; `JWT` or none only by [`TypRule`]
//! 3. an algorithm for which one of the client's keys is registered
//! 4. `iss` = `sub` = the client's identifier
//! 5. all required claims; `aud` is the issuer identifier as its sole value (the token endpoint
//!    instead, only where that is switched on)
//! 6. `exp` in the future and at most [`MAX_LIFETIME`] away, `nbf` reached,
//!    `iat` neither in the future nor older than that lifetime
//! 7. `jti` of 1 to [`MAX_JTI_BYTES`] bytes
//! 8. the signature
//!
//! Does not enforce: that the assertion is used once. The caller consumes
//! [`VerifiedAssertion::jti`] until [`VerifiedAssertion::expires_at`] plus the
//! skew, in one atomic step, after every other check.
//!
//! A builder may do what another server wants: without `jti`, with `iat` moved
//! back, with a longer life, with claims and a certificate's thumbprint besides.
//! [`verify`] is our own server's and stays as above.
//!
//! Limits: 16 KiB; [`MAX_TRIED_KEYS`] keys are tried at most.

use std::fmt;
use std::time::Duration;

use super::mutual_tls::CertificateThumbprint;
use crate::client_id::ClientId;
pub use crate::jose::candidates::MAX_TRIED_KEYS;
use crate::jose::candidates::{fitting, verify_with_one};
use crate::jose::kind::{self, Kind, KindError, LifeRule, TypPolicy};
use crate::jose::{
    Algorithm, Audience, Claims, Compact, ExtraClaimError, HeaderFields, JwsError, SigningKey, VerifyingKey,
    jws,
};
use crate::names::{claim, typ};
use crate::secret::SecretString;
use crate::time::{Skew, UnixTime};
use crate::uri::{EndpointUri, Issuer};

const KIND: Kind = Kind::ClientAssertion;

/// The longest life of a client assertion: five minutes, as in the kind table.
pub const MAX_LIFETIME: Duration = Duration::from_secs(300);

/// The longest life that can be built for a server that allows more than ours:
/// one hour. See [`ClientAssertion::longest_life`].
pub const MAX_LIFETIME_ELSEWHERE: Duration = Duration::from_secs(3600);

/// The life of an assertion unless told otherwise: one minute.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);

/// The longest `jti`.
pub const MAX_JTI_BYTES: usize = 256;

/// Why an assertion could not be built or was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssertionError {
    /// Not a compact JWS that we read, or its signature is wrong.
    #[error("the assertion is not acceptable as a JWS: {0}")]
    Jws(#[from] JwsError),
    /// The claims are not well-formed.
    #[error("the claims of the assertion are malformed")]
    Claims,
    /// A rule of [`Kind::ClientAssertion`] is broken: `typ`, a missing claim, a
    /// time, the longest life.
    #[error("the assertion is refused: {0}")]
    Kind(#[from] KindError),
    /// No key of this client is registered for that algorithm and key id.
    #[error("no key of the client fits alg and kid")]
    NoKey,
    /// `iss` or `sub` is absent or is not the client.
    #[error("iss and sub must be the client_id")]
    Subject,
    /// `aud` is not exactly what it must be.
    #[error("aud must be {expected}")]
    Audience {
        /// The issuer identifier, as the sole value.
        expected: String,
    },
    /// `jti` is empty or too long.
    #[error("jti must have 1 to {MAX_JTI_BYTES} bytes")]
    Jti,
    /// `iat` lies further back than the longest life.
    #[error("iat is too long ago")]
    IssuedTooEarly,
    /// A claim that cannot be added to what is built.
    #[error(transparent)]
    ExtraClaim(#[from] ExtraClaimError),
}

/// What a client puts into `aud`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssertionAudience {
    /// The issuer identifier out of validated metadata: the default, and the
    /// only one that RFC 10070 allows.
    Issuer(Issuer),
    /// The endpoint that is being called, for servers that know only this.
    Endpoint(EndpointUri),
    /// What this server's manual says.
    Literal(String),
}

impl AssertionAudience {
    /// The text of the claim.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Issuer(issuer) => issuer.as_str(),
            Self::Endpoint(endpoint) => endpoint.as_str(),
            Self::Literal(text) => text,
        }
    }
}

/// The `typ` that a client writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AssertionType {
    /// `client-authentication+jwt` (RFC 10070).
    #[default]
    ClientAuthentication,
    /// `JWT`, for older servers.
    Jwt,
    /// No `typ` at all.
    Absent,
}

impl AssertionType {
    fn header(self) -> Option<&'static str> {
        match self {
            Self::ClientAuthentication => KIND.typ(),
            Self::Jwt => Some(typ::JWT),
            Self::Absent => None,
        }
    }
}

/// Whether the assertion says from when it is valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NotBefore {
    /// No `nbf`.
    #[default]
    Absent,
    /// `nbf` equal to `iat`, for servers that demand it.
    IssuedAt,
}

/// An assertion to be built. Build a new one for every attempt: a server
/// consumes its `jti`.
#[derive(Clone, Copy, Debug)]
pub struct ClientAssertion<'a> {
    /// `iss` and `sub`.
    pub client_id: &'a ClientId,
    /// `aud`, as a bare string.
    pub audience: &'a AssertionAudience,
    /// The present time; `iat`, unless [`ClientAssertion::backdate`] moves it.
    pub now: UnixTime,
    /// `jti`: at least 128 random bits, fresh for each assertion. `None` leaves
    /// it out, for servers that want none; ours refuses that.
    pub jti: Option<&'a str>,
    /// From now to `exp`, at most [`ClientAssertion::longest_life`].
    /// [`DEFAULT_LIFETIME`] unless told otherwise.
    pub lifetime: Duration,
    /// What the server that is asked allows: [`MAX_LIFETIME`] unless told
    /// otherwise, and never more than [`MAX_LIFETIME_ELSEWHERE`].
    pub longest_life: Duration,
    /// How far `iat` lies in the past, for servers whose clock is behind; `exp`
    /// stays. Zero unless told otherwise.
    pub backdate: Duration,
    /// The header's `typ`.
    pub typ: AssertionType,
    /// Whether `nbf` is written.
    pub not_before: NotBefore,
    /// The header's `x5t#S256`, for servers that find the key by its certificate.
    pub x5t_s256: Option<CertificateThumbprint>,
    /// Claims besides, name and text. See
    /// [`check_extra_claim`](crate::jose::check_extra_claim) for their names.
    pub claims: &'a [(String, String)],
}

impl<'a> ClientAssertion<'a> {
    /// An assertion as RFC 10070 wants it, for one minute.
    #[must_use]
    pub fn new(
        client_id: &'a ClientId,
        audience: &'a AssertionAudience,
        jti: &'a str,
        now: UnixTime,
    ) -> Self {
        Self {
            client_id,
            audience,
            now,
            jti: Some(jti),
            lifetime: DEFAULT_LIFETIME,
            longest_life: MAX_LIFETIME,
            backdate: Duration::ZERO,
            typ: AssertionType::default(),
            not_before: NotBefore::default(),
            x5t_s256: None,
            claims: &[],
        }
    }

    /// Signs the assertion with the client's key, or with an HMAC key made of
    /// its secret. The header names the key's `kid` if it has one.
    ///
    /// # Errors
    /// `Jti`, `ExtraClaim`, `Kind` for a life that is too long, and what signing
    /// says.
    // spec: 7523-C1
    // spec: 7523-C2
    // spec: 7523-C3
    pub fn build(&self, key: &SigningKey) -> Result<String, AssertionError> {
        let claims = self.claims()?;
        let required: &[&str] = match self.jti {
            Some(_) => KIND.row().required,
            None => &[claim::ISS, claim::SUB, claim::AUD, claim::EXP],
        };
        let audience = [self.audience.as_str()];
        let rules = kind::Expect {
            required: Some(required),
            life: Some(LifeRule::UntilExpiry(self.longest_life.min(MAX_LIFETIME_ELSEWHERE))),
            ..kind::Expect::at(self.now).audience(&audience).skew(Skew::NONE)
        };
        kind::check_claims(KIND, &claims, &rules)?;
        let thumbprint = self.x5t_s256.map(|thumbprint| thumbprint.to_text());
        let header = HeaderFields {
            typ: self.typ.header(),
            x5t_s256: thumbprint.as_deref(),
            ..HeaderFields::default()
        };
        Ok(jws::sign(&header, &claims.encode(), key)?)
    }

    fn claims(&self) -> Result<Claims, AssertionError> {
        let issued_at = self.now.saturating_sub(self.backdate);
        let mut claims = Claims {
            iss: Some(self.client_id.as_str().to_owned()),
            sub: Some(self.client_id.as_str().to_owned()),
            aud: Some(Audience::One(self.audience.as_str().to_owned())),
            exp: Some(self.now.saturating_add(self.lifetime)),
            nbf: (self.not_before == NotBefore::IssuedAt).then_some(issued_at),
            iat: Some(issued_at),
            jti: self.jti.map(check_jti).transpose()?.map(str::to_owned),
            ..Claims::default()
        };
        claims.add_extra(self.claims)?;
        Ok(claims)
    }
}

/// Which `typ` a server accepts from a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TypRule {
    /// Only `client-authentication+jwt`.
    #[default]
    Explicit,
    /// That, `JWT`, or none: for clients older than RFC 10070, by registration.
    /// A `typ` that names something else is refused all the same.
    OrUntyped,
}

// spec: 7523-AS2
impl From<TypRule> for TypPolicy<'_> {
    fn from(rule: TypRule) -> Self {
        match rule {
            TypRule::Explicit => Self::Row,
            TypRule::OrUntyped => Self::OrUntyped,
        }
    }
}

/// What an assertion is measured against.
#[derive(Clone, Copy, Debug)]
pub struct Expect<'a> {
    /// The client that is claimed to be asking.
    pub client_id: &'a ClientId,
    /// Our own issuer identifier.
    pub issuer: &'a Issuer,
    /// Set to our token endpoint to accept it as audience, too.
    pub token_endpoint_audience: Option<&'a EndpointUri>,
    /// Which `typ` is accepted.
    pub typ: TypRule,
    /// The present time.
    pub now: UnixTime,
    /// The tolerance for `exp`, `nbf` and `iat`.
    pub skew: Skew,
}

/// An assertion as it came, read only to find out whose it is. Nothing in it
/// is proven.
#[derive(Clone)]
pub struct UnverifiedAssertion {
    text: SecretString,
    claims: Claims,
    algorithm: Algorithm,
    key_id: Option<String>,
}

impl UnverifiedAssertion {
    /// Checks the shape: a compact JWS whose payload is a set of claims.
    ///
    /// # Errors
    /// `Jws`, `Claims`.
    pub fn parse(text: &str) -> Result<Self, AssertionError> {
        let compact = Compact::parse(text)?;
        let claims = Claims::parse(compact.payload()).map_err(|_| AssertionError::Claims)?;
        let header = compact.header();
        let (algorithm, key_id) = (header.alg, header.kid.clone());
        Ok(Self { text: SecretString::from(text), claims, algorithm, key_id })
    }

    /// The claimed `iss`.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.claims.iss.as_deref()
    }

    /// The claimed `sub`.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.claims.sub.as_deref()
    }

    /// The claimed `aud`, in the form in which it was written.
    #[must_use]
    pub fn audience(&self) -> Option<&Audience> {
        self.claims.aud.as_ref()
    }

    /// The client that signs for itself: `iss` where it equals `sub`. `None`
    /// for tokens of another issuer about a workload.
    #[must_use]
    pub fn self_issued(&self) -> Option<&str> {
        self.issuer().filter(|issuer| Some(*issuer) == self.subject())
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

    /// The assertion itself, for the verifier of its kind.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.text.expose()
    }

    /// Verifies the assertion as a client's own. The checks and their order
    /// are in the module's description.
    ///
    /// # Errors
    /// One variant per check.
    // spec: 7523-AS1
    // spec: 7523-AS3
    pub fn verify<'k>(
        &self,
        expect: &Expect<'_>,
        keys: impl IntoIterator<Item = &'k VerifyingKey>,
    ) -> Result<VerifiedAssertion, AssertionError> {
        let compact = Compact::parse(self.text.expose())?;
        kind::check_header(KIND, compact.header(), expect.typ.into())?;
        let keys = fitting(keys, self.algorithm, self.key_id());
        if keys.is_empty() {
            return Err(AssertionError::NoKey);
        }
        if self.self_issued() != Some(expect.client_id.as_str()) {
            return Err(AssertionError::Subject);
        }
        let expires_at = check_claims(&self.claims, expect)?;
        let jti = check_jti(self.claims.jti.as_deref().unwrap_or_default())?;
        verify_with_one(&compact, &keys)?;
        Ok(VerifiedAssertion {
            client_id: expect.client_id.clone(),
            jti: jti.to_owned(),
            expires_at,
            issued_at: self.claims.iat,
        })
    }
}

impl fmt::Debug for UnverifiedAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedAssertion")
            .field("issuer", &self.issuer())
            .field("subject", &self.subject())
            .finish_non_exhaustive()
    }
}

/// Reads and verifies in one step.
///
/// # Errors
/// As [`UnverifiedAssertion::parse`] and [`UnverifiedAssertion::verify`].
pub fn verify<'k>(
    text: &str,
    expect: &Expect<'_>,
    keys: impl IntoIterator<Item = &'k VerifyingKey>,
) -> Result<VerifiedAssertion, AssertionError> {
    UnverifiedAssertion::parse(text)?.verify(expect, keys)
}

/// Evidence that a client signed this assertion for this server, recently.
#[derive(Clone, Debug)]
pub struct VerifiedAssertion {
    client_id: ClientId,
    jti: String,
    expires_at: UnixTime,
    issued_at: Option<UnixTime>,
}

impl VerifiedAssertion {
    /// Who signed.
    #[must_use]
    pub fn client_id(&self) -> &ClientId {
        &self.client_id
    }

    /// To be consumed once, together with the client's identifier.
    #[must_use]
    pub fn jti(&self) -> &str {
        &self.jti
    }

    /// Until when, plus the skew, the `jti` must be remembered.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// Whether it may have been made, and so used, before `moment` ends its second. Without `iat`
    /// that is told from the longest life that any verifier like this accepts.
    #[must_use]
    pub fn may_predate(&self, moment: UnixTime) -> bool {
        let earliest = self.issued_at.unwrap_or_else(|| self.expires_at.saturating_sub(MAX_LIFETIME));
        earliest.seconds() <= moment.seconds()
    }
}

fn check_jti(jti: &str) -> Result<&str, AssertionError> {
    if (1..=MAX_JTI_BYTES).contains(&jti.len()) { Ok(jti) } else { Err(AssertionError::Jti) }
}

fn check_claims(claims: &Claims, expect: &Expect<'_>) -> Result<UnixTime, AssertionError> {
    let issuer = expect.issuer.as_str();
    let audience = [issuer, expect.token_endpoint_audience.map_or(issuer, EndpointUri::as_str)];
    let rules = kind::Expect::at(expect.now).audience(&audience).skew(expect.skew);
    kind::check_claims(KIND, claims, &rules).map_err(|error| match error {
        KindError::WrongAudience => AssertionError::Audience { expected: issuer.to_owned() },
        other => AssertionError::Kind(other),
    })?;
    let oldest = expect.now.saturating_sub(MAX_LIFETIME).saturating_sub(expect.skew.get());
    if claims.iat.is_some_and(|issued_at| issued_at < oldest) {
        return Err(AssertionError::IssuedTooEarly);
    }
    Ok(claims.exp.unwrap_or(expect.now))
}

#[cfg(test)]
mod tests;
