//! An issuer whose tokens are accepted, as it is configured.
//!
//! Defaults: RFC 9068, all asymmetric algorithms, keys by discovery, neither status lists nor a
//! revocation feed. The audience has no default.

use std::time::Duration;

use m2m_io::remote::Knobs;
use m2m_proto::jose::{Algorithm, JwkSet};
use m2m_proto::token::access_token::DEFAULT_ALGORITHMS;
use m2m_proto::token_profile::TokenProfile;
use m2m_proto::uri::{EndpointUri, Issuer, Origin, PlainHttp};

use crate::error::Error;
use crate::withdrawals::{self, StatusCheck};

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
    pub(crate) key_times: Knobs,
    pub(crate) withdrawals: withdrawals::Settings,
    #[cfg(feature = "introspection")]
    pub(crate) introspection: crate::introspect::Settings,
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
            key_times: Knobs::default(),
            withdrawals: withdrawals::Settings {
                status: StatusCheck::Ignore,
                origins: Vec::new(),
                feed: None,
                times: withdrawals::TIMES,
                plain_http: PlainHttp::LoopbackOnly,
            },
            #[cfg(feature = "introspection")]
            introspection: crate::introspect::Settings::default(),
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

    /// Sets how its tokens look: one of [`token_profiles`](crate::token_profiles), or one of your own. Default: RFC 9068.
    #[must_use]
    pub fn profile(mut self, profile: TokenProfile) -> Self {
        self.profile = profile;
        self
    }

    /// Sets where keys, and lists of what was withdrawn, may be fetched without encryption. Default: on this machine
    /// only, because whoever can change keys on their way can write tokens.
    #[must_use]
    pub fn plain_http(mut self, plain_http: PlainHttp) -> Self {
        self.withdrawals.plain_http = plain_http;
        self
    }

    /// Sets for how long fetched keys are used: `max_age` at most before they are fetched again (default 10 min; the
    /// issuer may say less, not below 30 s), and `outage` beyond that while they cannot be fetched (default 1 h).
    /// The same goes for the metadata that leads to the keys, where they come by discovery. Their sum, for each of the
    /// two documents, bounds how long a key that the issuer withdrew is accepted.
    #[must_use]
    pub fn keys_kept(mut self, max_age: Duration, outage: Duration) -> Self {
        self.key_times = Knobs { max_age, stale_if_error: outage, ..self.key_times };
        self
    }

    /// Sets whether the place that a token names in a Token Status List is looked up. Default:
    /// [`StatusCheck::Ignore`], so that an issuer that is down for longer than its lists are good takes no API along; a
    /// withdrawn token is then good until it expires, as [`Verifier::revocation_window`](crate::Verifier::revocation_window)
    /// says.
    #[must_use]
    pub fn status_list(mut self, check: StatusCheck) -> Self {
        self.withdrawals.status = check;
        self
    }

    /// Lets status lists be at `origin`, besides the issuer's own: where an issuer publishes them on another host.
    #[must_use]
    pub fn status_list_origin(mut self, origin: Origin) -> Self {
        self.withdrawals.origins.push(origin);
        self
    }

    /// Reads which single tokens the issuer withdrew from its feed at `url`: for `m2m server` it is
    /// `ISSUER/oauth2/revocations`. A token without `jti`, which no feed can name, is then refused. Default: no feed is
    /// read.
    #[must_use]
    pub fn revocation_feed(mut self, url: EndpointUri) -> Self {
        self.withdrawals.feed = Some(url);
        self
    }

    /// Sets for how long status lists and feeds are used: `max_age` at most before they are fetched again (default
    /// 60 s; the issuer's `ttl` may say less, not below 5 s), and `outage` beyond that while they cannot be fetched
    /// (default 240 s), but never past their `exp`. After that, tokens are answered 503. Their sum bounds how long a
    /// withdrawn token is accepted.
    #[must_use]
    pub fn withdrawals_kept(mut self, max_age: Duration, outage: Duration) -> Self {
        let times = &mut self.withdrawals.times;
        *times = Knobs { max_age, stale_if_error: outage, ..*times };
        self
    }

    /// Asks this issuer about tokens, as the client given (RFC 7662). Default: as
    /// [`VerifierBuilder::introspection`](crate::VerifierBuilder::introspection) says.
    ///
    /// Where several issuers have opaque tokens, all but one need an
    /// [`opaque_prefix`](TrustedIssuer::opaque_prefix), because a token is sent to the server that it is of and to no
    /// other.
    #[cfg(feature = "introspection")]
    #[must_use]
    pub fn introspection(mut self, client: m2m_client::Client, which: crate::Introspect) -> Self {
        self.introspection.client = Some((client, which));
        self
    }

    /// Sets for how long an answer to the client of [`TrustedIssuer::introspection`] is used again. Default: 10 s for
    /// [`Introspect::Opaque`](crate::Introspect::Opaque), not at all for the others. `exp` is checked on every use.
    #[cfg(feature = "introspection")]
    #[must_use]
    pub fn introspection_max_age(mut self, max_age: Duration) -> Self {
        self.introspection.max_age = Some(max_age);
        self
    }

    /// Says how the issuer's opaque tokens begin: only those are shown to its server. Default: in any way. Needs a client
    /// of the issuer's own ([`TrustedIssuer::introspection`]), set before or after.
    #[cfg(feature = "introspection")]
    #[must_use]
    pub fn opaque_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.introspection.prefix = Some(prefix.into());
        self
    }

    /// What decides about tokens travels encrypted, or not beyond this machine.
    pub(crate) fn check_transport(&self) -> Result<(), Error> {
        let keys = match &self.keys {
            KeysFrom::Discovery => Some(self.issuer.endpoint()),
            KeysFrom::Url(url) => Some(url),
            KeysFrom::Fixed(_) => None,
        };
        for url in keys.into_iter().chain(&self.withdrawals.feed) {
            let plain = self.withdrawals.plain_http;
            url.check_transport(plain).map_err(|_| Error::PlainHttp(url.to_string()))?;
        }
        Ok(())
    }
}
