//! The JWT authorization grant: an assertion of a trusted issuer about a subject,
//! built by whoever holds the issuer's key and verified by authorization servers.
//!
//! Sections: RFC 7521 section 4.1, RFC 7523 sections 2.1 and 3, RFC 10070
//!
//! Enforces, when verifying, in this order:
//! 1. `assertion` is there, a compact JWS with well-formed claims
//! 2. `typ` is none of another kind; the algorithm is one of a key pair
//! 3. an algorithm for which one of the issuer's keys is registered
//! 4. `iss` is the trusted issuer, to the letter
//! 5. all required claims; `aud` names our issuer identifier or our token endpoint
//! 6. `exp` in the future and at most [`MAX_LIFETIME`] away, `nbf` reached, `iat`
//!    not in the future
//! 7. `sub` is not empty; `jti`, where there is one, has 1 to [`MAX_JTI_BYTES`] bytes
//! 8. the signature
//!
//! Does not enforce: which issuers are trusted, and with which keys; whom of them
//! they may speak for; what the subject may have. That the assertion is used
//! once: where that is wanted, the caller consumes [`VerifiedGrant::jti`] until
//! [`VerifiedGrant::expires_at`] plus the skew. The age of `iat`: `exp` bounds what
//! is left, and platforms move `iat` at will.
//!
//! Tokens of platforms, whose audience and life are set for each issuer, are
//! [`crate::workload_token`].
//!
//! A builder may leave out `sub`, which some servers take for a delegation, and
//! `jti`. Limits: 16 KiB; [`MAX_TRIED_KEYS`] keys are tried at most.

use std::fmt;
use std::time::Duration;

use crate::client_auth::CertificateThumbprint;
use crate::form::{Form, FormWriter};
pub use crate::jose::candidates::MAX_TRIED_KEYS;
use crate::jose::candidates::{fitting, verify_with_one};
use crate::jose::kind::{self, AudienceRule, Kind, KindError, TypPolicy};
use crate::jose::{
    Algorithm, Audience, Claims, Compact, ExtraClaimError, HeaderFields, JwsError, SigningKey, VerifyingKey,
    jws,
};
use crate::names::{claim, param, typ};
use crate::scope::{Scope, ScopeError};
use crate::secret::SecretString;
use crate::time::{Skew, UnixTime};
use crate::uri::{EndpointUri, Issuer};

const KIND: Kind = Kind::AuthorizationGrant;

/// The parameters that belong to this grant.
pub(crate) const PARAMETERS: [&str; 1] = [param::ASSERTION];

/// The longest life of an authorization grant: one hour, as in the kind table.
pub const MAX_LIFETIME: Duration = Duration::from_secs(3600);

/// The life of an authorization grant unless told otherwise: one minute.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);

/// The longest `jti`.
pub const MAX_JTI_BYTES: usize = 256;

/// Why an authorization grant could not be built or was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizationGrantError {
    /// The parameter `assertion` is absent.
    #[error("assertion is missing")]
    Missing,
    /// Not a compact JWS that we read, or its signature is wrong.
    #[error("the assertion is not acceptable as a JWS: {0}")]
    Jws(#[from] JwsError),
    /// The claims are not well-formed.
    #[error("the claims of the assertion are malformed")]
    Claims,
    /// A rule of [`Kind::AuthorizationGrant`] is broken: `typ`, the sort of key,
    /// a missing claim, a time, the longest life.
    #[error("the assertion is refused: {0}")]
    Kind(#[from] KindError),
    /// No key of the issuer is registered for that algorithm and key id.
    #[error("no key of the issuer fits alg and kid")]
    NoKey,
    /// `iss` is empty, or not the issuer that is trusted.
    #[error("iss is not the trusted issuer")]
    Issuer,
    /// `aud` names neither our issuer identifier nor our token endpoint.
    #[error("aud must be {expected}")]
    Audience {
        /// The issuer identifier.
        expected: String,
    },
    /// `sub` is empty.
    #[error("sub is empty")]
    Subject,
    /// `jti` is empty or too long.
    #[error("jti must have 1 to {MAX_JTI_BYTES} bytes")]
    Jti,
    /// A claim that cannot be added to what is built.
    #[error(transparent)]
    ExtraClaim(#[from] ExtraClaimError),
}

/// The `typ` that a builder writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GrantTyp {
    /// `JWT`: RFC 7523 registers no type of its own.
    #[default]
    Jwt,
    /// No `typ` at all.
    Absent,
}

impl GrantTyp {
    fn header(self) -> Option<&'static str> {
        match self {
            Self::Jwt => Some(typ::JWT),
            Self::Absent => None,
        }
    }
}

/// An authorization grant to be built. Build a new one for every attempt where it
/// has a `jti`: a server may consume that.
#[derive(Clone, Copy, Debug)]
pub struct AuthorizationGrant<'a> {
    /// `iss`: the name under which the server knows the signer.
    pub issuer: &'a str,
    /// `sub`: for whom the token is. `None` leaves it out, for servers to which
    /// it means that the signer speaks for somebody else.
    pub subject: Option<&'a str>,
    /// `aud`, as a bare string: the server's issuer identifier or its token
    /// endpoint, whichever its manual says. Empty leaves it out, for services
    /// that take a signed JWT as a bearer token and look for none.
    pub audience: &'a str,
    /// The present time; `iat`, unless [`AuthorizationGrant::backdate`] moves it.
    pub now: UnixTime,
    /// From now to `exp`, at most [`MAX_LIFETIME`]. [`DEFAULT_LIFETIME`] unless
    /// told otherwise.
    pub lifetime: Duration,
    /// How far `iat` lies in the past, for servers whose clock is behind; `exp`
    /// stays. Zero unless told otherwise.
    ///
    /// A server that bounds `exp` minus `iat` sees the sum of both.
    pub backdate: Duration,
    /// `jti`: at least 128 random bits, fresh for each assertion.
    pub jti: Option<&'a str>,
    /// `scope`, for servers that look for it here and not among the parameters.
    pub scope: Option<&'a Scope>,
    /// Claims besides, name and text. See
    /// [`check_extra_claim`](crate::jose::check_extra_claim) for their names.
    pub claims: &'a [(String, String)],
    /// The header's `typ`.
    pub typ: GrantTyp,
    /// The header's `kid`; `None` stands for the key's own, if it has one.
    pub kid: Option<&'a str>,
    /// The header's `x5t#S256`, for servers that find the key by its certificate.
    pub x5t_s256: Option<CertificateThumbprint>,
}

impl<'a> AuthorizationGrant<'a> {
    /// A grant for one minute, with `iss` and `aud` and nothing besides.
    #[must_use]
    pub fn new(issuer: &'a str, audience: &'a str, now: UnixTime) -> Self {
        Self {
            issuer,
            subject: None,
            audience,
            now,
            lifetime: DEFAULT_LIFETIME,
            backdate: Duration::ZERO,
            jti: None,
            scope: None,
            claims: &[],
            typ: GrantTyp::default(),
            kid: None,
            x5t_s256: None,
        }
    }

    /// Signs the assertion with the issuer's key.
    ///
    /// # Errors
    /// `Issuer`, `Subject`, `Jti`, `ExtraClaim`; `Kind` for a life that is too
    /// long and for a shared secret; and what signing says.
    // spec: 7523-C5
    // spec: GSA-1
    // spec: GSA-2
    pub fn build(&self, key: &SigningKey) -> Result<String, AuthorizationGrantError> {
        let algorithm = key.algorithm();
        if algorithm.is_symmetric() {
            return Err(KindError::SymmetricAlgorithm(algorithm).into());
        }
        let claims = self.claims()?;
        let absent = |name: &str| match name {
            claim::SUB => self.subject.is_none(),
            claim::AUD => self.audience.is_empty(),
            _ => false,
        };
        let required: Vec<&str> = KIND.row().required.iter().copied().filter(|name| !absent(name)).collect();
        let audience = [self.audience];
        let rules = kind::Expect {
            required: Some(&required),
            audience_rule: self.audience.is_empty().then_some(AudienceRule::Unchecked),
            ..kind::Expect::at(self.now).audience(&audience).skew(Skew::NONE)
        };
        kind::check_claims(KIND, &claims, &rules)?;
        let thumbprint = self.x5t_s256.map(|thumbprint| thumbprint.to_text());
        let header = HeaderFields {
            typ: self.typ.header(),
            kid: self.kid.or(key.key_id()),
            x5t_s256: thumbprint.as_deref(),
            ..HeaderFields::default()
        };
        Ok(jws::sign(&header, &claims.encode(), key)?)
    }

    fn claims(&self) -> Result<Claims, AuthorizationGrantError> {
        if self.issuer.is_empty() {
            return Err(AuthorizationGrantError::Issuer);
        }
        let mut claims = Claims {
            iss: Some(self.issuer.to_owned()),
            sub: self.subject.map(check_subject).transpose()?.map(str::to_owned),
            aud: (!self.audience.is_empty()).then(|| Audience::One(self.audience.to_owned())),
            exp: Some(self.now.saturating_add(self.lifetime)),
            iat: Some(self.now.saturating_sub(self.backdate)),
            jti: self.jti.map(check_jti).transpose()?.map(str::to_owned),
            ..Claims::default()
        };
        if let Some(scope) = self.scope.filter(|scope| !scope.is_empty()) {
            claims.rest.insert(claim::SCOPE, scope.to_string().into());
        }
        claims.add_extra(self.claims)?;
        Ok(claims)
    }
}

/// Writes the parameter of the grant; [`crate::token::TokenRequest`] writes the
/// others. `assertion` is what [`AuthorizationGrant::build`] returns, or a token of
/// another issuer.
pub fn write(form: &mut FormWriter, assertion: &str) {
    form.push(param::ASSERTION, assertion);
}

/// Reads the parameter of the grant.
///
/// # Errors
/// `Missing`, `Jws`, `Claims`.
pub fn read(form: &Form<'_>) -> Result<UnverifiedGrant, AuthorizationGrantError> {
    UnverifiedGrant::parse(form.get(param::ASSERTION).ok_or(AuthorizationGrantError::Missing)?)
}

/// What a grant is measured against.
#[derive(Clone, Copy, Debug)]
pub struct Expect<'a> {
    /// The trusted issuer whose keys are tried, as it names itself in `iss`.
    pub trusted_issuer: &'a str,
    /// Our own issuer identifier.
    pub issuer: &'a Issuer,
    /// Our token endpoint, which is an audience as well (RFC 7523 section 3).
    pub token_endpoint: &'a EndpointUri,
    /// The present time.
    pub now: UnixTime,
    /// The tolerance for `exp`, `nbf` and `iat`.
    pub skew: Skew,
}

/// A grant as it came, read only to find out whose it is. Nothing in it is proven.
#[derive(Clone)]
pub struct UnverifiedGrant {
    text: SecretString,
    claims: Claims,
    algorithm: Algorithm,
    key_id: Option<String>,
}

impl UnverifiedGrant {
    /// Checks the shape: a compact JWS whose payload is a set of claims.
    ///
    /// # Errors
    /// `Jws`, `Claims`.
    pub fn parse(text: &str) -> Result<Self, AuthorizationGrantError> {
        let compact = Compact::parse(text)?;
        let claims = Claims::parse(compact.payload()).map_err(|_| AuthorizationGrantError::Claims)?;
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

    /// Verifies the assertion as a grant of a trusted issuer. The checks and
    /// their order are in the module's description.
    ///
    /// # Errors
    /// One variant per check.
    // spec: 7523-AS5
    pub fn verify<'k>(
        &self,
        expect: &Expect<'_>,
        keys: impl IntoIterator<Item = &'k VerifyingKey>,
    ) -> Result<VerifiedGrant, AuthorizationGrantError> {
        let compact = Compact::parse(self.text.expose())?;
        kind::check_header(KIND, compact.header(), TypPolicy::Row)?;
        let keys = fitting(keys, self.algorithm, self.key_id());
        if keys.is_empty() {
            return Err(AuthorizationGrantError::NoKey);
        }
        if self.issuer() != Some(expect.trusted_issuer) {
            return Err(AuthorizationGrantError::Issuer);
        }
        check_claims(&self.claims, expect)?;
        let subject = check_subject(self.subject().unwrap_or_default())?;
        let jti = self.claims.jti.as_deref().map(check_jti).transpose()?;
        verify_with_one(&compact, &keys)?;
        Ok(VerifiedGrant {
            issuer: expect.trusted_issuer.to_owned(),
            subject: subject.to_owned(),
            jti: jti.map(str::to_owned),
            expires_at: self.claims.exp.unwrap_or(expect.now),
            claims: self.claims.clone(),
        })
    }
}

impl fmt::Debug for UnverifiedGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedGrant")
            .field("issuer", &self.issuer())
            .field("subject", &self.subject())
            .finish_non_exhaustive()
    }
}

/// Reads and verifies in one step.
///
/// # Errors
/// As [`UnverifiedGrant::parse`] and [`UnverifiedGrant::verify`].
pub fn verify<'k>(
    text: &str,
    expect: &Expect<'_>,
    keys: impl IntoIterator<Item = &'k VerifyingKey>,
) -> Result<VerifiedGrant, AuthorizationGrantError> {
    UnverifiedGrant::parse(text)?.verify(expect, keys)
}

/// Evidence that a trusted issuer made this grant for this server, and that it is
/// still good.
#[derive(Clone, Debug)]
pub struct VerifiedGrant {
    issuer: String,
    subject: String,
    jti: Option<String>,
    expires_at: UnixTime,
    claims: Claims,
}

impl VerifiedGrant {
    /// Who signed.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whom the issuer speaks of.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// To be consumed once, together with the issuer, where grants are single-use.
    #[must_use]
    pub fn jti(&self) -> Option<&str> {
        self.jti.as_deref()
    }

    /// Until when, plus the skew, a `jti` must be remembered.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// All claims, as they were signed.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The claim `scope`; `None` where it is absent, empty or not a text.
    ///
    /// # Errors
    /// Whatever breaks the grammar of a scope.
    pub fn scope(&self) -> Result<Option<Scope>, ScopeError> {
        let text = self.claims.text(claim::SCOPE).filter(|text| !text.is_empty());
        text.map(Scope::parse).transpose()
    }
}

fn check_subject(subject: &str) -> Result<&str, AuthorizationGrantError> {
    if subject.is_empty() { Err(AuthorizationGrantError::Subject) } else { Ok(subject) }
}

fn check_jti(jti: &str) -> Result<&str, AuthorizationGrantError> {
    if (1..=MAX_JTI_BYTES).contains(&jti.len()) { Ok(jti) } else { Err(AuthorizationGrantError::Jti) }
}

fn check_claims(claims: &Claims, expect: &Expect<'_>) -> Result<(), AuthorizationGrantError> {
    let audience = [expect.issuer.as_str(), expect.token_endpoint.as_str()];
    let rules = kind::Expect::at(expect.now).audience(&audience).skew(expect.skew);
    kind::check_claims(KIND, claims, &rules).map_err(|error| match error {
        KindError::WrongAudience => {
            AuthorizationGrantError::Audience { expected: expect.issuer.as_str().to_owned() }
        }
        other => AuthorizationGrantError::Kind(other),
    })
}

#[cfg(test)]
mod tests;
