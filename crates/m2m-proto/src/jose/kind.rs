//! The kind table: what a JWT must say to serve one purpose.
//!
//! Sections: RFC 8725 §3.8 to §3.12, and those named at each row
//! Enforces, in this order: `typ`; the sort of key; required claims; issuer;
//! audience; expiry, not-before, issued-at; the longest life
//! Does not enforce: the signature ([`super::Compact::verify`]), replay (the
//! caller's store), claims that only one kind has (its own module)
//! Limits: the longest lives of the table
//!
//! Builders and verifiers read the same row and run the same checks, so they
//! cannot disagree, and a token of one kind never passes for another.

use std::time::Duration;

use super::alg::Algorithm;
use super::claims::Claims;
use super::header::{Header, same_media_type};
use crate::names::{claim, typ};
use crate::time::{Skew, UnixTime};

/// The purposes that a JWT can have here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// RFC 9068.
    AccessToken,
    /// RFC 7523 §2.2, RFC 10070.
    ClientAssertion,
    /// RFC 7523 §2.1.
    AuthorizationGrant,
    /// A token of a platform (Kubernetes, GitHub …) presented in federation.
    WorkloadToken,
    /// RFC 9449 §4.2.
    DpopProof,
    /// Our signed feed of revoked, unexpired `jti`.
    RevocationFeed,
    /// OAuth Token Status List.
    StatusList,
    /// RFC 9701.
    IntrospectionResponse,
}

/// What `typ` must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypRule {
    /// Exactly this media type.
    Exactly(&'static str),
    /// Anything, or nothing, that is not the type of another kind.
    NotOurs,
}

/// Who `aud` must name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudienceRule {
    /// The kind has no audience.
    Unchecked,
    /// One of the expected values must be among its values.
    Contains,
    /// Its only value must be one of the expected ones.
    Sole,
}

/// How long such a token may live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifeRule {
    /// The kind sets no limit.
    Unlimited,
    /// `exp` at most this far ahead.
    UntilExpiry(Duration),
    /// `iat` at most this long ago, for kinds without `exp`.
    SinceIssued(Duration),
}

/// Which sort of key signs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRule {
    /// A key pair.
    Asymmetric,
    /// A key pair or a shared secret.
    AsymmetricOrShared,
    /// The key pair whose public half is in the header.
    InHeader,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// `typ`.
    pub typ: TypRule,
    /// Claims that must be there.
    pub required: &'static [&'static str],
    /// `aud`.
    pub audience: AudienceRule,
    /// The longest life.
    pub life: LifeRule,
    /// The sort of key.
    pub keys: KeyRule,
}

const MINUTE: Duration = Duration::from_secs(60);

static ACCESS_TOKEN: Row = Row {
    typ: TypRule::Exactly(typ::AT_JWT),
    required: &[claim::ISS, claim::EXP, claim::AUD, claim::SUB, claim::CLIENT_ID, claim::IAT, claim::JTI],
    audience: AudienceRule::Contains,
    life: LifeRule::Unlimited, // minting is limited per API
    keys: KeyRule::Asymmetric,
};
static CLIENT_ASSERTION: Row = Row {
    typ: TypRule::Exactly(typ::CLIENT_AUTHENTICATION_JWT),
    required: &[claim::ISS, claim::SUB, claim::AUD, claim::EXP, claim::JTI],
    audience: AudienceRule::Sole,
    life: LifeRule::UntilExpiry(Duration::from_secs(5 * 60)),
    keys: KeyRule::AsymmetricOrShared,
};
static AUTHORIZATION_GRANT: Row = Row {
    typ: TypRule::NotOurs,
    required: &[claim::ISS, claim::SUB, claim::AUD, claim::EXP],
    audience: AudienceRule::Contains,
    life: LifeRule::UntilExpiry(Duration::from_secs(60 * 60)),
    keys: KeyRule::Asymmetric,
};
static WORKLOAD_TOKEN: Row = Row {
    typ: TypRule::NotOurs,
    required: &[claim::ISS, claim::SUB, claim::AUD, claim::EXP],
    audience: AudienceRule::Contains,
    life: LifeRule::Unlimited, // set per trusted issuer
    keys: KeyRule::Asymmetric,
};
static DPOP_PROOF: Row = Row {
    typ: TypRule::Exactly(typ::DPOP_JWT),
    required: &[claim::JTI, claim::HTM, claim::HTU, claim::IAT],
    audience: AudienceRule::Unchecked,
    life: LifeRule::SinceIssued(MINUTE),
    keys: KeyRule::InHeader,
};
static REVOCATION_FEED: Row = Row {
    typ: TypRule::Exactly(typ::M2M_REVOCATIONS_JWT),
    required: &[claim::ISS, claim::IAT, claim::EXP, claim::TTL, claim::REVOKED],
    audience: AudienceRule::Unchecked,
    life: LifeRule::Unlimited,
    keys: KeyRule::Asymmetric,
};
static STATUS_LIST: Row = Row {
    typ: TypRule::Exactly(typ::STATUSLIST_JWT),
    required: &[claim::SUB, claim::IAT, claim::EXP, claim::STATUS_LIST],
    audience: AudienceRule::Unchecked,
    life: LifeRule::Unlimited,
    keys: KeyRule::Asymmetric,
};
static INTROSPECTION_RESPONSE: Row = Row {
    typ: TypRule::Exactly(typ::TOKEN_INTROSPECTION_JWT),
    required: &[claim::ISS, claim::AUD, claim::IAT, claim::TOKEN_INTROSPECTION],
    audience: AudienceRule::Contains,
    life: LifeRule::SinceIssued(MINUTE),
    keys: KeyRule::Asymmetric,
};

impl Kind {
    /// Every kind, in the order of the table.
    pub const ALL: [Self; 8] = [
        Self::AccessToken,
        Self::ClientAssertion,
        Self::AuthorizationGrant,
        Self::WorkloadToken,
        Self::DpopProof,
        Self::RevocationFeed,
        Self::StatusList,
        Self::IntrospectionResponse,
    ];

    /// Its row.
    #[must_use]
    pub fn row(self) -> &'static Row {
        match self {
            Self::AccessToken => &ACCESS_TOKEN,
            Self::ClientAssertion => &CLIENT_ASSERTION,
            Self::AuthorizationGrant => &AUTHORIZATION_GRANT,
            Self::WorkloadToken => &WORKLOAD_TOKEN,
            Self::DpopProof => &DPOP_PROOF,
            Self::RevocationFeed => &REVOCATION_FEED,
            Self::StatusList => &STATUS_LIST,
            Self::IntrospectionResponse => &INTROSPECTION_RESPONSE,
        }
    }

    /// The `typ` that builders write, for kinds that have one.
    #[must_use]
    pub fn typ(self) -> Option<&'static str> {
        match self.row().typ {
            TypRule::Exactly(typ) => Some(typ),
            TypRule::NotOurs => None,
        }
    }
}

/// Which `typ` a verifier takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TypPolicy<'a> {
    /// What the row says.
    #[default]
    Row,
    /// What the row says, or the older custom: `JWT`, or none. A setting, off by default.
    OrUntyped,
    /// One of these instead: an issuer's token profile names them. An empty text stands for no
    /// `typ` at all.
    OneOf(&'a [&'a str]),
}

/// What a verifier expects besides the row, and what the row leaves to it. A builder runs the
/// same checks on what it is about to sign, with its own values and no skew.
#[derive(Clone, Copy, Debug)]
pub struct Expect<'a> {
    /// `iss` must be exactly this, if given.
    pub issuer: Option<&'a str>,
    /// The values by which we are known; see [`AudienceRule`]. Empty refuses every token of a
    /// kind with an audience.
    pub audience: &'a [&'a str],
    /// The time of the check.
    pub now: UnixTime,
    /// How far clocks may differ.
    pub skew: Skew,
    /// Claims that must be there, instead of the row's.
    pub required: Option<&'a [&'a str]>,
    /// The audience rule, instead of the row's.
    pub audience_rule: Option<AudienceRule>,
    /// The longest life, instead of the row's.
    pub life: Option<LifeRule>,
}

impl<'a> Expect<'a> {
    /// Expects what the row says, at `now`, with [`Skew::DEFAULT`].
    #[must_use]
    pub fn at(now: UnixTime) -> Self {
        Self {
            issuer: None,
            audience: &[],
            now,
            skew: Skew::DEFAULT,
            required: None,
            audience_rule: None,
            life: None,
        }
    }

    /// With this issuer.
    #[must_use]
    pub fn issuer(self, issuer: &'a str) -> Self {
        Self { issuer: Some(issuer), ..self }
    }

    /// With these audiences.
    #[must_use]
    pub fn audience(self, audience: &'a [&'a str]) -> Self {
        Self { audience, ..self }
    }

    /// With this skew.
    #[must_use]
    pub fn skew(self, skew: Skew) -> Self {
        Self { skew, ..self }
    }
}

/// Which rule of its kind a JWT breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KindError {
    /// `typ` is that of another kind, or absent.
    #[error("`typ` is {}, expected {expected}", found.as_deref().unwrap_or("absent"))]
    WrongTyp {
        /// What the rule asks for.
        expected: &'static str,
        /// What stood there, made fit to be shown: at most 64 characters, strange ones as `?`.
        found: Option<String>,
    },
    /// A shared secret signed what needs a key pair.
    #[error("{0} is not allowed for this kind of token")]
    SymmetricAlgorithm(Algorithm),
    /// The key that should be in the header is not.
    #[error("the header carries no `jwk`")]
    MissingHeaderKey,
    /// The key in the header holds its private half.
    #[error("the header carries a private key")]
    PrivateHeaderKey,
    /// A required claim is absent.
    #[error("the claim `{0}` is missing")]
    MissingClaim(String),
    /// `iss` is another.
    #[error("the issuer is not the expected one")]
    WrongIssuer {
        /// What stood there.
        found: Option<String>,
    },
    /// `aud` does not name us, or not alone.
    #[error("the audience does not name this recipient")]
    WrongAudience,
    /// `exp` has passed.
    #[error("expired {} s ago", since.as_secs())]
    Expired {
        /// How long ago, without skew.
        since: Duration,
    },
    /// `nbf` is ahead.
    #[error("not valid for another {} s", ahead.as_secs())]
    NotYetValid {
        /// How far, without skew.
        ahead: Duration,
    },
    /// `iat` is ahead.
    #[error("issued {} s in the future", ahead.as_secs())]
    IssuedInFuture {
        /// How far, without skew.
        ahead: Duration,
    },
    /// `exp` is further ahead than the kind allows.
    #[error("lives longer than {} s", limit.as_secs())]
    LivesTooLong {
        /// The limit.
        limit: Duration,
    },
    /// `iat` is longer ago than the kind allows.
    #[error("issued more than {} s ago", limit.as_secs())]
    TooOld {
        /// The limit.
        limit: Duration,
    },
}

/// Checks the header of a JWT of `kind`.
///
/// # Errors
/// See the first two checks above.
// spec: JWT-V3, JWT-V1
pub fn check_header(kind: Kind, header: &Header, typ: TypPolicy<'_>) -> Result<(), KindError> {
    let row = kind.row();
    check_typ(row.typ, header, typ)?;
    if row.keys != KeyRule::AsymmetricOrShared && header.alg.is_symmetric() {
        return Err(KindError::SymmetricAlgorithm(header.alg));
    }
    if row.keys == KeyRule::InHeader {
        let jwk = header.jwk.as_ref().ok_or(KindError::MissingHeaderKey)?;
        if jwk.is_private() {
            return Err(KindError::PrivateHeaderKey);
        }
    }
    Ok(())
}

fn check_typ(rule: TypRule, header: &Header, policy: TypPolicy<'_>) -> Result<(), KindError> {
    let found = header.typ.as_deref();
    let (fits, expected) = match (policy, rule) {
        (TypPolicy::OneOf(names), _) => {
            (names.iter().any(|name| same_media_type(name, found.unwrap_or_default())), "that of its profile")
        }
        (TypPolicy::Row, TypRule::Exactly(typ)) => (header.has_typ(typ), typ),
        (TypPolicy::OrUntyped, TypRule::Exactly(expected)) => {
            let untyped = found.is_none_or(|found| same_media_type(found, typ::JWT));
            (untyped || header.has_typ(expected), expected)
        }
        (TypPolicy::Row | TypPolicy::OrUntyped, TypRule::NotOurs) => {
            let ours = Kind::ALL.into_iter().filter_map(Kind::typ).any(|typ| header.has_typ(typ));
            (!ours, "none of another kind")
        }
    };
    if fits { Ok(()) } else { Err(KindError::WrongTyp { expected, found: found.map(shown) }) }
}

/// The header is unproven when this error is made, and the error ends in logs and on terminals.
fn shown(typ: &str) -> String {
    typ.chars().take(64).map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

/// Checks the claims of a JWT of `kind`. Signature and header come first.
///
/// # Errors
/// See the checks above, from required claims on.
// spec: JOSE-V6, JWT-V2
pub fn check_claims(kind: Kind, claims: &Claims, expect: &Expect<'_>) -> Result<(), KindError> {
    let row = kind.row();
    for name in expect.required.unwrap_or(row.required) {
        if !claims.has(name) {
            return Err(KindError::MissingClaim((*name).to_owned()));
        }
    }
    if expect.issuer.is_some() && claims.iss.as_deref() != expect.issuer {
        return Err(KindError::WrongIssuer { found: claims.iss.clone() });
    }
    check_audience(expect.audience_rule.unwrap_or(row.audience), claims, expect.audience)?;
    check_times(claims, expect)?;
    check_life(expect.life.unwrap_or(row.life), claims, expect)
}

/// Also for the claims of an introspection answer, which are no JWT.
pub(crate) fn check_audience(
    rule: AudienceRule,
    claims: &Claims,
    expected: &[&str],
) -> Result<(), KindError> {
    let audience = claims.aud.as_ref();
    let fits = match rule {
        AudienceRule::Unchecked => true,
        AudienceRule::Contains => audience.is_some_and(|aud| expected.iter().any(|one| aud.contains(one))),
        AudienceRule::Sole => {
            audience.and_then(|aud| aud.sole()).is_some_and(|sole| expected.contains(&sole))
        }
    };
    if fits { Ok(()) } else { Err(KindError::WrongAudience) }
}

/// Like [`check_audience`]. Claims that are absent are not checked.
pub(crate) fn check_times(claims: &Claims, expect: &Expect<'_>) -> Result<(), KindError> {
    let now = expect.now;
    let latest = now.saturating_add(expect.skew.get());
    if let Some(exp) = claims.exp
        && now >= exp.saturating_add(expect.skew.get())
    {
        return Err(KindError::Expired { since: now.since(exp) });
    }
    if let Some(nbf) = claims.nbf
        && nbf > latest
    {
        return Err(KindError::NotYetValid { ahead: nbf.since(now) });
    }
    if let Some(iat) = claims.iat
        && iat > latest
    {
        return Err(KindError::IssuedInFuture { ahead: iat.since(now) });
    }
    Ok(())
}

fn check_life(rule: LifeRule, claims: &Claims, expect: &Expect<'_>) -> Result<(), KindError> {
    match (rule, claims.exp, claims.iat) {
        (LifeRule::UntilExpiry(limit), Some(exp), _)
            if exp > expect.now.saturating_add(limit).saturating_add(expect.skew.get()) =>
        {
            Err(KindError::LivesTooLong { limit })
        }
        (LifeRule::SinceIssued(limit), _, Some(iat))
            if expect.now > iat.saturating_add(limit).saturating_add(expect.skew.get()) =>
        {
            Err(KindError::TooOld { limit })
        }
        _ => Ok(()),
    }
}
