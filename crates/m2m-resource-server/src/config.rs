//! What can be set, with defaults and units.

use std::sync::Arc;
#[cfg(feature = "introspection")]
use std::time::Duration;

use m2m_io::{Clock, HttpClient, OsRandom, Random, SystemClock};
use m2m_proto::metadata::ResourceMetadata;
use m2m_proto::security_profile::SecurityProfile;
use m2m_proto::time::Skew;
use m2m_proto::token::confirmation::SenderConstraint;
use m2m_proto::uri::{EndpointUri, Issuer};

use crate::cache::{DEFAULT_CAPACITY, Recent};
use crate::dpop::Dpop;
use crate::error::{ChallengeTemplate, Error};
#[cfg(feature = "introspection")]
use crate::introspect::Introspect;
use crate::issuers::{Issuers, Outside};
use crate::metadata::Described;
use crate::profile;
use crate::trusted::TrustedIssuer;
use crate::verifier::{Parts, Verifier};

/// Settings of a verifier; [`Verifier::builder`] begins one.
#[derive(Debug)]
#[must_use]
pub struct VerifierBuilder {
    trusted: Vec<TrustedIssuer>,
    http: Option<Arc<dyn HttpClient>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    skew: Skew,
    dpop: Option<Dpop>,
    constraint: SenderConstraint,
    profile: SecurityProfile,
    resource_metadata: Option<EndpointUri>,
    resource: Option<ResourceMetadata>,
    verified_cache: usize,
    #[cfg(feature = "introspection")]
    introspection: crate::introspect::Settings,
}

impl VerifierBuilder {
    pub(crate) fn new() -> Self {
        Self {
            trusted: Vec::new(),
            http: None,
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            skew: Skew::DEFAULT,
            dpop: None,
            constraint: SenderConstraint::WhenBound,
            profile: SecurityProfile::Baseline,
            resource_metadata: None,
            resource: None,
            verified_cache: DEFAULT_CAPACITY,
            #[cfg(feature = "introspection")]
            introspection: crate::introspect::Settings::default(),
        }
    }

    /// Accepts tokens of `issuer` whose `aud` contains `audience`, with all other defaults of
    /// [`TrustedIssuer`].
    pub fn trust(self, issuer: Issuer, audience: impl Into<String>) -> Self {
        self.trust_with(TrustedIssuer::new(issuer).audience(audience))
    }

    /// Accepts tokens of one more issuer.
    pub fn trust_with(mut self, issuer: TrustedIssuer) -> Self {
        self.trusted.push(issuer);
        self
    }

    /// Asks the authorization server about tokens, as the client given: for every issuer that has no client of its own
    /// ([`TrustedIssuer::introspection`]).
    #[cfg(feature = "introspection")]
    pub fn introspection(mut self, client: m2m_client::Client, which: Introspect) -> Self {
        self.introspection.client = Some((client, which));
        self
    }

    /// Sets for how long an answer to the client of [`VerifierBuilder::introspection`] is used again. Default: 10 s for
    /// [`Introspect::Opaque`], not at all for the others. `exp` is checked on every use.
    #[cfg(feature = "introspection")]
    pub fn introspection_max_age(mut self, max_age: Duration) -> Self {
        self.introspection.max_age = Some(max_age);
        self
    }

    /// Sets the HTTP client that fetches keys. Default: one over rustls with the system's roots.
    pub fn http(mut self, http: Arc<dyn HttpClient>) -> Self {
        self.http = Some(http);
        self
    }

    /// Sets the clock. Default: the system's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the source of randomness. Default: the system's.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// Sets the clock skew allowed to issuers. Default 30 s.
    pub fn skew(mut self, skew: Skew) -> Self {
        self.skew = skew;
        self
    }

    /// Accepts DPoP. Default: requests with DPoP are refused.
    pub fn dpop(mut self, dpop: Dpop) -> Self {
        self.dpop = Some(dpop);
        self
    }

    /// Sets whether unbound tokens are accepted. Default: they are.
    pub fn sender_constraint(mut self, constraint: SenderConstraint) -> Self {
        self.constraint = constraint;
        self
    }

    /// Holds the API to a security profile. Default: [`SecurityProfile::Baseline`], the RFCs and these settings alone.
    /// Under [`SecurityProfile::Fapi2`] only bound tokens are accepted, signed with PS256, ES256 or EdDSA as their
    /// proofs are, and whether a credential was withdrawn must be looked up: by status list or by introspection.
    pub fn security_profile(mut self, profile: SecurityProfile) -> Self {
        self.profile = profile;
        self
    }

    /// Describes this API (RFC 9728): the layer answers with the document at its well-known path, and challenges lead
    /// there. Only `resource`, the identifier, must be set; issuers and algorithms are filled in. Default: no document.
    pub fn resource(mut self, document: ResourceMetadata) -> Self {
        self.resource = Some(document);
        self
    }

    /// Sets where this API describes itself, for challenges (RFC 9728 §5.1), if something else serves the document.
    /// Default: where [`VerifierBuilder::resource`] is, or not said.
    pub fn resource_metadata(mut self, url: EndpointUri) -> Self {
        self.resource_metadata = Some(url);
        self
    }

    /// Sets how many verified tokens are remembered, so that a token that comes again costs no signature. Times,
    /// key, withdrawal and possession are checked each time. Default 16,384; 0 remembers none.
    pub fn verified_cache(mut self, tokens: usize) -> Self {
        self.verified_cache = tokens;
        self
    }

    /// Checks the settings. Nothing is fetched yet.
    ///
    /// # Errors
    /// [`Error`], for the first setting that leaves a check open.
    pub fn build(mut self) -> Result<Verifier, Error> {
        profile::restrict(self.profile, &mut self.trusted, self.dpop.as_mut())?;
        let clock = self.clock;
        let outside = Outside {
            http: self.http,
            clock: Arc::clone(&clock),
            skew: self.skew,
            #[cfg(feature = "introspection")]
            introspection: self.introspection.build(&clock, || "all issuers".to_owned())?,
        };
        let issuers = Issuers::new(self.trusted, outside)?;
        profile::check_revocation(self.profile, &issuers)?;
        let dpop = self.dpop.as_ref().map(Dpop::accepted);
        let described = self.resource.map(|document| Described::new(document, &issuers, dpop)).transpose()?;
        let own_place = described.as_ref().map(|described| described.url().clone());
        let template = ChallengeTemplate {
            resource_metadata: self.resource_metadata.or(own_place),
            dpop_algorithms: dpop.map(<[_]>::to_vec),
        };
        Ok(Verifier::from_parts(Parts {
            issuers,
            skew: self.skew,
            dpop: self.dpop.map(|dpop| dpop.checks(self.random.as_ref())).transpose()?,
            constraint: profile::constraint(self.profile, self.constraint),
            described,
            recent: Recent::new(self.verified_cache),
            template: Arc::new(template),
            clock,
        }))
    }
}
