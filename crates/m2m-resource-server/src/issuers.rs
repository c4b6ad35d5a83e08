//! Whom to believe, about what: one entry per issuer, found by the exact `iss`.

use m2m_proto::jose::{Algorithm, JwkSet};
use m2m_proto::token::access_token::DEFAULT_ALGORITHMS;
use m2m_proto::token_profile::TokenProfile;
use m2m_proto::uri::{EndpointUri, Issuer, PlainHttp};

use crate::error::Error;
use crate::keys::IssuerKeys;

/// Where the keys of an issuer come from.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum KeysFrom {
    /// The `jwks_uri` of its metadata (RFC 8414), fetched when first needed.
    #[default]
    Discovery,
    /// This URL, fetched when first needed.
    Url(EndpointUri),
    /// These and no others; nothing is fetched.
    Fixed(JwkSet),
}

/// An issuer whose tokens are accepted, and under which conditions.
#[derive(Debug, Clone)]
pub struct TrustedIssuer {
    pub(crate) issuer: Issuer,
    pub(crate) audience: Option<String>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) keys: KeysFrom,
    pub(crate) profile: TokenProfile,
    pub(crate) plain_http: PlainHttp,
}

impl TrustedIssuer {
    /// An issuer with all defaults; the audience has none and must be set.
    #[must_use]
    pub fn new(issuer: Issuer) -> Self {
        Self {
            issuer,
            audience: None,
            algorithms: DEFAULT_ALGORITHMS.to_vec(),
            keys: KeysFrom::Discovery,
            profile: TokenProfile::rfc9068(),
            plain_http: PlainHttp::LoopbackOnly,
        }
    }

    /// Sets what `aud` must contain: the identifier of this API.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Sets the accepted algorithms. Default: all asymmetric ones; symmetric ones are refused when
    /// the verifier is built.
    #[must_use]
    pub fn algorithms(mut self, algorithms: &[Algorithm]) -> Self {
        self.algorithms = algorithms.to_vec();
        self
    }

    /// Sets where its keys come from. Default: discovery.
    #[must_use]
    pub fn keys(mut self, keys: KeysFrom) -> Self {
        self.keys = keys;
        self
    }

    /// Sets how its tokens look. Default: RFC 9068.
    #[must_use]
    pub fn profile(mut self, profile: TokenProfile) -> Self {
        self.profile = profile;
        self
    }

    /// Sets where keys may be fetched without encryption. Default: on this machine only, because
    /// whoever can change keys on their way can write tokens.
    #[must_use]
    pub fn plain_http(mut self, plain_http: PlainHttp) -> Self {
        self.plain_http = plain_http;
        self
    }

    /// Keys travel encrypted, or not beyond this machine.
    fn check_transport(&self) -> Result<(), Error> {
        let source = match &self.keys {
            KeysFrom::Discovery => self.issuer.endpoint(),
            KeysFrom::Url(url) => url,
            KeysFrom::Fixed(_) => return Ok(()),
        };
        source.check_transport(self.plain_http).map_err(|_| Error::PlainHttp(source.to_string()))
    }
}

/// A trusted issuer, checked, with its keys.
#[derive(Debug)]
pub(crate) struct Trust {
    pub(crate) issuer: Issuer,
    pub(crate) audience: String,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) profile: TokenProfile,
    pub(crate) keys: IssuerKeys,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Issuers(Vec<Trust>);

impl Issuers {
    /// Checks what must not be left open.
    // spec: JWT-V1, JWT-V2
    pub(crate) fn new(
        trusted: Vec<TrustedIssuer>,
        mut keys: impl FnMut(&Issuer, KeysFrom) -> Result<IssuerKeys, Error>,
    ) -> Result<Self, Error> {
        let mut issuers: Vec<Trust> = Vec::with_capacity(trusted.len());
        for one in trusted {
            let name = || one.issuer.as_str().to_owned();
            let audience = one.audience.clone().filter(|audience| !audience.is_empty());
            let audience = audience.ok_or_else(|| Error::NoAudience(name()))?;
            if one.algorithms.is_empty() || one.algorithms.iter().any(|algorithm| algorithm.is_symmetric()) {
                return Err(Error::Algorithms(name()));
            }
            one.check_transport()?;
            if issuers.iter().any(|other| other.issuer == one.issuer) {
                return Err(Error::IssuerTwice(name()));
            }
            let keys = keys(&one.issuer, one.keys)?;
            let TrustedIssuer { issuer, algorithms, profile, .. } =
                TrustedIssuer { keys: KeysFrom::Discovery, ..one };
            issuers.push(Trust { issuer, audience, algorithms, profile, keys });
        }
        if issuers.is_empty() { Err(Error::NoIssuer) } else { Ok(Self(issuers)) }
    }

    /// The one whose tokens carry exactly this `iss`.
    pub(crate) fn find(&self, iss: &str) -> Option<&Trust> {
        self.0.iter().find(|trust| trust.issuer.as_str() == iss)
    }

    /// The only one, where there is only one.
    #[cfg(feature = "introspection")]
    pub(crate) fn sole(&self) -> Option<&Trust> {
        match self.0.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}
