//! Whom to believe, about what: one entry per issuer, found by the exact `iss`.

use std::sync::Arc;
use std::time::Duration;

use m2m_io::remote::Knobs;
use m2m_proto::jose::{Algorithm, JwkSet};
use m2m_proto::token::access_token::{self, DEFAULT_ALGORITHMS};
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
    pub(crate) audiences: Vec<String>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) keys: KeysFrom,
    pub(crate) profile: TokenProfile,
    pub(crate) plain_http: PlainHttp,
    pub(crate) key_times: Knobs,
}

impl TrustedIssuer {
    /// An issuer with all defaults; the audience has none and must be set.
    #[must_use]
    pub fn new(issuer: Issuer) -> Self {
        Self {
            issuer,
            audiences: Vec::new(),
            algorithms: DEFAULT_ALGORITHMS.to_vec(),
            keys: KeysFrom::Discovery,
            profile: TokenProfile::rfc9068(),
            plain_http: PlainHttp::LoopbackOnly,
            key_times: Knobs::default(),
        }
    }

    /// Sets what `aud` must contain: the identifier of this API.
    #[must_use]
    pub fn audience(self, audience: impl Into<String>) -> Self {
        self.audiences([audience])
    }

    /// Sets several identifiers, one of which `aud` must contain; which one a route is for is the route's own
    /// demand ([`Required::audience`](crate::Required::audience)).
    #[must_use]
    pub fn audiences(mut self, audiences: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.audiences = audiences.into_iter().map(Into::into).collect();
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

    /// Sets for how long fetched keys are used: `max_age` at most before they are fetched again (default 10 min; the
    /// issuer may say less, not below 30 s), and `outage` beyond that while they cannot be fetched (default 1 h).
    /// Their sum bounds how long a key that the issuer withdrew is accepted.
    #[must_use]
    pub fn keys_kept(mut self, max_age: Duration, outage: Duration) -> Self {
        self.key_times = Knobs { max_age, stale_if_error: outage, ..self.key_times };
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
    pub(crate) audiences: Vec<String>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) profile: TokenProfile,
    pub(crate) keys: IssuerKeys,
}

impl Trust {
    /// The identifier of ours that the token names, or any of them, for it to be refused by.
    pub(crate) fn audience_of(&self, token: &access_token::Unverified<'_>) -> &str {
        let named = self.audiences.iter().find(|audience| token.names(audience));
        named.or(self.audiences.first()).map_or("", String::as_str)
    }
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Issuers(Vec<Arc<Trust>>);

impl Issuers {
    /// Checks what must not be left open.
    // spec: JWT-V1, JWT-V2
    pub(crate) fn new(
        trusted: Vec<TrustedIssuer>,
        mut keys: impl FnMut(&Issuer, KeysFrom, Knobs) -> Result<IssuerKeys, Error>,
    ) -> Result<Self, Error> {
        let mut issuers: Vec<Arc<Trust>> = Vec::with_capacity(trusted.len());
        for one in trusted {
            let name = || one.issuer.as_str().to_owned();
            if one.audiences.is_empty() || one.audiences.iter().any(String::is_empty) {
                return Err(Error::NoAudience(name()));
            }
            if one.algorithms.is_empty() || one.algorithms.iter().any(|algorithm| algorithm.is_symmetric()) {
                return Err(Error::Algorithms(name()));
            }
            one.check_transport()?;
            if issuers.iter().any(|other| other.issuer == one.issuer) {
                return Err(Error::IssuerTwice(name()));
            }
            let TrustedIssuer { issuer, audiences, algorithms, keys: from, profile, key_times, .. } = one;
            let keys = keys(&issuer, from, key_times)?;
            issuers.push(Arc::new(Trust { issuer, audiences, algorithms, profile, keys }));
        }
        if issuers.is_empty() { Err(Error::NoIssuer) } else { Ok(Self(issuers)) }
    }

    /// The one whose tokens carry exactly this `iss`.
    pub(crate) fn find(&self, iss: &str) -> Option<&Arc<Trust>> {
        self.0.iter().find(|trust| trust.issuer.as_str() == iss)
    }

    /// The only one, where there is only one.
    #[cfg(feature = "introspection")]
    pub(crate) fn sole(&self) -> Option<&Arc<Trust>> {
        match self.0.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}
