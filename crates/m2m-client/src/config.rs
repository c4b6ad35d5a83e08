//! Settings of a client: [`ClientBuilder`], with every default and its unit.

mod rules;
mod server;

use std::sync::Arc;
use std::time::Duration;

use m2m_io::{Clock, HttpClient, Limits, OsRandom, Random, SystemClock};
use m2m_proto::client_auth::{AssertionType, BasicEncoding};
use m2m_proto::client_id::ClientId;
use m2m_proto::names::typ;
use m2m_proto::scope::Scope;
use m2m_proto::security_profile::SecurityProfile;
use m2m_proto::uri::{EndpointUri, Origin, PlainHttp, ResourceUri};

pub(crate) use rules::Tuning;
pub use rules::{AssertionAudienceRule, DEFAULT_FALLBACK_LIFETIME, DEFAULT_REFRESH_LEAD, Inspect};
pub(crate) use server::ServerKind;
pub use server::{Endpoints, Server};

use crate::client::Client;
use crate::credentials::{Credentials, HttpFactory};
use crate::dialect::Dialect;
use crate::dpop::Dpop;
use crate::error::Error;
use crate::grant::Grant;
use crate::provider::{BasicForm, Preset};
use crate::spec::TokenSpec;
use crate::store::TokenStore;

/// Collects the settings of a [`Client`]; [`ClientBuilder::build`] checks them.
#[derive(Debug)]
pub struct ClientBuilder {
    pub(crate) server: Server,
    pub(crate) client_id: Option<ClientId>,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) spec: TokenSpec,
    pub(crate) grant: Grant,
    pub(crate) dpop: Dpop,
    pub(crate) destinations: Vec<Origin>,
    pub(crate) introspection: Option<EndpointUri>,
    pub(crate) revocation: Option<EndpointUri>,
    pub(crate) signed_introspection: bool,
    pub(crate) tuning: Tuning,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) http: Option<Arc<dyn HttpClient>>,
    pub(crate) http_factory: Option<HttpFactory>,
    pub(crate) store: Option<Arc<dyn TokenStore>>,
}

impl ClientBuilder {
    pub(crate) fn new(server: Server) -> Self {
        Self {
            server,
            client_id: None,
            credentials: None,
            spec: TokenSpec { label: "default".to_owned(), ..TokenSpec::default() },
            grant: Grant::default(),
            dpop: Dpop::None,
            destinations: Vec::new(),
            signed_introspection: false,
            introspection: None,
            revocation: None,
            tuning: Tuning::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            http: None,
            http_factory: None,
            store: None,
        }
    }

    /// Who we are. Required, unless the credentials are [`Credentials::none`]
    /// and the grant signs nothing.
    #[must_use]
    pub fn client_id(mut self, client_id: ClientId) -> Self {
        self.client_id = Some(client_id);
        self
    }

    /// How we prove it. Required.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// On what ground tokens are asked for. Default: the client's own
    /// credentials.
    #[must_use]
    pub fn grant(mut self, grant: Grant) -> Self {
        self.grant = grant;
        self
    }

    /// The scope of the client's own token. Default: none asked for.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.spec.scope = Some(scope);
        self
    }

    /// Adds an `audience` parameter to the client's own token.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.spec.audience.push(audience.into());
        self
    }

    /// Adds a `resource` parameter (RFC 8707) to the client's own token.
    #[must_use]
    pub fn resource(mut self, resource: ResourceUri) -> Self {
        self.spec.resources.push(resource);
        self
    }

    /// Adds any other parameter to every token request.
    #[must_use]
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.spec.params.push((name.into(), value.into()));
        self
    }

    /// Binds tokens to a key (RFC 9449). Default: bearer tokens.
    #[must_use]
    pub fn dpop(mut self, dpop: Dpop) -> Self {
        self.dpop = dpop;
        self
    }

    /// Adds an origin that may receive tokens. Default: those of the spec's
    /// audiences and resources that are URLs; once one is added, only these.
    #[must_use]
    pub fn destination(mut self, origin: Origin) -> Self {
        self.destinations.push(origin);
        self
    }

    /// The introspection endpoint, over what discovery says.
    #[must_use]
    pub fn introspection_endpoint(mut self, endpoint: EndpointUri) -> Self {
        self.introspection = Some(endpoint);
        self
    }

    /// Answers of introspection must be signed by the issuer (RFC 9701): they are asked for in that form, checked
    /// with the keys that the issuer's metadata name, and an unsigned one is refused. Needs a server that is named by
    /// its issuer, and a `client_id`. Default: unsigned, as RFC 7662 has them.
    #[must_use]
    pub fn signed_introspection(mut self) -> Self {
        self.signed_introspection = true;
        self
    }

    /// The revocation endpoint, over what discovery says.
    #[must_use]
    pub fn revocation_endpoint(mut self, endpoint: EndpointUri) -> Self {
        self.revocation = Some(endpoint);
        self
    }

    /// Renewal starts this long before expiry, or half the life if that is
    /// less. Default [`DEFAULT_REFRESH_LEAD`]. It is what an outage of the server may last: a
    /// longer lead survives longer outages and costs more token requests.
    #[must_use]
    pub fn refresh_lead(mut self, lead: Duration) -> Self {
        self.tuning.refresh_lead = lead;
        self
    }

    /// The life of a token whose `expires_in` is absent. Default
    /// [`DEFAULT_FALLBACK_LIFETIME`].
    #[must_use]
    pub fn fallback_lifetime(mut self, lifetime: Duration) -> Self {
        self.tuning.fallback_lifetime = lifetime;
        self
    }

    /// No token is kept longer than this. Default 30 days.
    #[must_use]
    pub fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.tuning.max_lifetime = lifetime;
        self
    }

    /// No attempt to get a token takes longer than this, discovery, secrets
    /// and repeats included. Default 10 s.
    #[must_use]
    pub fn mint_deadline(mut self, deadline: Duration) -> Self {
        self.tuning.mint_deadline = deadline;
        self
    }

    /// After a token was obtained, rejections of it are not believed for this
    /// long (half its life at most). Default 10 s; it doubles up to 5 min while
    /// fresh tokens are rejected too.
    #[must_use]
    pub fn reject_floor(mut self, floor: Duration) -> Self {
        self.tuning.reject_floor = floor;
        self
    }

    /// How many different tokens are kept at most. Default 10,000.
    #[must_use]
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.tuning.max_keys = keys;
        self
    }

    /// Bytes and time of one exchange with the authorization server. Default
    /// 256 KiB, 10 s.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.tuning.limits = limits;
        self
    }

    /// Bytes and time of one call in [`Client::execute`]. Default 16 MiB, 30 s.
    #[must_use]
    pub fn api_limits(mut self, limits: Limits) -> Self {
        self.tuning.api_limits = limits;
        self
    }

    /// What happens when a fresh token is not what was asked for. Default
    /// [`Inspect::Warn`].
    #[must_use]
    pub fn inspect(mut self, inspect: Inspect) -> Self {
        self.tuning.inspect = inspect;
        self
    }

    /// How id and secret go into Basic credentials. Default
    /// [`BasicEncoding::Form`] (RFC 6749 section 2.3.1).
    #[must_use]
    pub fn basic_encoding(mut self, encoding: BasicEncoding) -> Self {
        self.tuning.basic_encoding = encoding;
        self
    }

    /// What client assertions carry in `aud`. Default: the issuer.
    #[must_use]
    pub fn assertion_audience(mut self, audience: AssertionAudienceRule) -> Self {
        self.tuning.assertion_audience = audience;
        self
    }

    /// The `typ` of client assertions. Default `client-authentication+jwt`.
    #[must_use]
    pub fn assertion_type(mut self, assertion_type: AssertionType) -> Self {
        self.tuning.assertion_type = assertion_type;
        self
    }

    /// How long assertions are valid. Default 60 s; at most 300 s, or what the
    /// preset allows (an hour at most).
    #[must_use]
    pub fn assertion_lifetime(mut self, lifetime: Duration) -> Self {
        self.tuning.assertion_lifetime = lifetime;
        self
    }

    /// Holds the client to a security profile. Default: [`SecurityProfile::Baseline`], the RFCs and these settings
    /// alone. Under [`SecurityProfile::Fapi2`] every endpoint comes from the issuer's metadata, the client authenticates
    /// by its own key or certificate, and a token that is bound to nothing is not used.
    #[must_use]
    pub fn security_profile(mut self, profile: SecurityProfile) -> Self {
        self.tuning.security_profile = profile;
        self
    }

    /// Whether configured URLs may be plain HTTP. Default: on loopback only.
    #[must_use]
    pub fn plain_http(mut self, plain_http: PlainHttp) -> Self {
        self.tuning.plain_http = plain_http;
        self
    }

    /// Speaks to this service of the catalogue as it wants to be spoken to:
    /// where parameters go, what assertions hold, how answers and errors are
    /// read, what its errors mean. Sets what the service is known to need
    /// (encoding of Basic, `aud`, `typ` and life of assertions, `inspect`, the
    /// fallback life, scope and parameters), so call it first; later calls of
    /// this builder have the last word.
    ///
    /// # Errors
    /// `Misconfigured`: the catalogue entry cannot be used.
    pub fn preset(mut self, preset: &Preset) -> Result<Self, Error> {
        let provider = preset.provider();
        let unusable =
            |what: &str| Error::misconfigured(format!("provider {}: {what} is malformed", provider.id));
        let tuning = &mut self.tuning;
        tuning.dialect = Arc::new(Dialect::of(preset)?);
        tuning.basic_encoding = match provider.auth.basic_encoding {
            BasicForm::Form => BasicEncoding::Form,
            BasicForm::Raw => BasicEncoding::Raw,
        };
        tuning.assertion_audience = AssertionAudienceRule::of(preset);
        tuning.assertion_lifetime = Duration::from_secs(provider.assertion.lifetime);
        tuning.assertion_type = match provider.assertion.typ.as_str() {
            "" => AssertionType::Absent,
            typ::JWT => AssertionType::Jwt,
            _ => AssertionType::ClientAuthentication,
        };
        if provider.response.opaque {
            tuning.inspect = Inspect::Off;
        }
        if let Some(lifetime) = preset.lifetime() {
            tuning.fallback_lifetime = lifetime;
        }
        if !provider.request.scopes.is_empty() {
            let scope = Scope::parse(&provider.request.scopes.join(" ")).map_err(|_| unusable("scopes"))?;
            self.spec.scope = Some(scope);
        }
        Ok(self)
    }

    /// The clocks. Default: this machine's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The randomness. Default: the operating system's.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// The HTTP client. Default: reqwest on rustls with the system's roots.
    /// Client certificates need [`ClientBuilder::http_factory`] instead, or an
    /// HTTP client that already presents one.
    #[must_use]
    pub fn http(mut self, http: Arc<dyn HttpClient>) -> Self {
        self.http = Some(http);
        self
    }

    /// Makes the HTTP client, anew whenever a client certificate changes.
    #[must_use]
    pub fn http_factory(mut self, factory: HttpFactory) -> Self {
        self.http_factory = Some(factory);
        self
    }

    /// Where tokens are kept beyond this process. Default: nowhere.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn TokenStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// The client's name in metrics and logs. Default `default`.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.spec.label = label.into();
        self
    }

    /// Checks the settings and makes the client. No network, no file is
    /// touched; the first token request does that.
    ///
    /// # Errors
    /// `Misconfigured`, naming the setting.
    pub fn build(self) -> Result<Client, Error> {
        Client::from_settings(self)
    }
}
