//! What can be set, with defaults and units.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use m2m_io::{Clock, HttpClient, OsRandom, Random, SystemClock};
use m2m_proto::client_auth::mutual_tls::ClientAuthorities;
use m2m_proto::jose::SigningKey;
use m2m_proto::secret::SecretBytes;
use m2m_proto::security_profile::SecurityProfile;
use m2m_proto::time::Skew;
use m2m_proto::uri::{EndpointUri, Issuer};

use crate::audit::AuditMode;
use crate::error::Error;
use crate::keys::rotation::RotationPlan;
use crate::limits::FailureBudget;
use crate::server::Server;
use crate::store::Store;

/// How often verifiers fetch status lists and the revocation feed, unless told otherwise.
pub const DEFAULT_STATUS_TTL: Duration = Duration::from_secs(30);

/// Whether a DPoP proof must carry a nonce of this server (RFC 9449 §8).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerNonce {
    /// Proofs are accepted by their `iat`, within a window of 60 s.
    #[default]
    Off,
    /// A proof without a recent nonce is answered with `use_dpop_nonce` and a nonce.
    Required,
}

/// Client certificates, as the listener or a trusted proxy hands them over.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct MutualTls {
    /// Who may vouch for `tls_client_auth` clients. Default: nobody, and the method is not offered.
    pub authorities: ClientAuthorities,
    /// The base of the endpoints that ask for a certificate, advertised as `mtls_endpoint_aliases`
    /// (RFC 8705 §5). Default: the ordinary endpoints ask.
    pub alias_base: Option<EndpointUri>,
}

impl MutualTls {
    /// Accepts chains to `authorities`.
    #[must_use]
    pub fn authorities(mut self, authorities: ClientAuthorities) -> Self {
        self.authorities = authorities;
        self
    }

    /// Advertises aliases under `base`.
    #[must_use]
    pub fn alias_base(mut self, base: EndpointUri) -> Self {
        self.alias_base = Some(base);
        self
    }
}

/// Makes HTTP clients that trust the root certificates in a file besides the usual ones: for trusted issuers that have
/// a certificate authority of their own, as clusters do.
#[derive(Clone)]
pub struct TrustingHttp(Arc<MakeHttp>);

type MakeHttp = dyn Fn(&Path) -> Arc<dyn HttpClient> + Send + Sync;

impl TrustingHttp {
    /// By this function. The clients it makes must follow changes of the file.
    #[must_use]
    pub fn new(make: impl Fn(&Path) -> Arc<dyn HttpClient> + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }

    pub(crate) fn client(&self, ca_file: &Path) -> Arc<dyn HttpClient> {
        (self.0)(ca_file)
    }
}

impl fmt::Debug for TrustingHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TrustingHttp")
    }
}

/// Settings of a server; [`Server::builder`] begins one.
#[derive(Debug)]
#[must_use]
pub struct ServerBuilder {
    pub(crate) issuer: Issuer,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) http: Option<Arc<dyn HttpClient>>,
    pub(crate) trusting: Option<TrustingHttp>,
    pub(crate) issuer_files: Vec<PathBuf>,
    pub(crate) signing_keys: Vec<SigningKey>,
    pub(crate) sealing_key: Option<SecretBytes>,
    pub(crate) store: Option<Arc<dyn Store>>,
    pub(crate) budget: FailureBudget,
    pub(crate) nonce: ServerNonce,
    pub(crate) mutual_tls: Option<MutualTls>,
    pub(crate) rotation: RotationPlan,
    pub(crate) skew: Skew,
    pub(crate) security_profile: SecurityProfile,
    pub(crate) audit: AuditMode,
    pub(crate) status_ttl: Duration,
    pub(crate) jwks_max_age: Duration,
}

impl ServerBuilder {
    pub(crate) fn new(issuer: Issuer) -> Self {
        Self {
            issuer,
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            http: None,
            trusting: None,
            issuer_files: Vec::new(),
            signing_keys: Vec::new(),
            sealing_key: None,
            store: None,
            budget: FailureBudget::default(),
            nonce: ServerNonce::Off,
            mutual_tls: None,
            rotation: RotationPlan::default(),
            skew: Skew::DEFAULT,
            security_profile: SecurityProfile::Baseline,
            audit: AuditMode::Batched,
            status_ttl: DEFAULT_STATUS_TTL,
            jwks_max_age: Duration::from_secs(60 * 60),
        }
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

    /// Sets the client that fetches the `jwks_uri` of clients and the keys of trusted issuers. Default: none, and
    /// such credentials and issuers are refused at creation.
    pub fn http(mut self, http: Arc<dyn HttpClient>) -> Self {
        self.http = Some(http);
        self
    }

    /// Sets what makes the clients that fetch the keys of issuers with a `ca_file`. Default: none, and such issuers are
    /// refused at creation.
    pub fn trusting_http(mut self, trusting: TrustingHttp) -> Self {
        self.trusting = Some(trusting);
        self
    }

    /// Adds a directory whose files trusted issuers may name: keys, root certificates, bearer tokens. Default: none.
    ///
    /// Whoever administers the server can have a bearer file below it sent to any URL.
    pub fn issuer_files(mut self, directory: PathBuf) -> Self {
        self.issuer_files.push(directory);
        self
    }

    /// Adds a key that signs from the start and that no store keeps. Default: the keys of the store, and a
    /// fresh ES256 key where it has none; an RS256 key follows in the background.
    pub fn signing_key(mut self, key: SigningKey) -> Self {
        self.signing_keys.push(key);
        self
    }

    /// Sets the secret that client secrets are hashed and sealed under: at least 32 bytes. Default:
    /// 32 random bytes, which suits a store that does not outlive the process.
    pub fn sealing_key(mut self, key: SecretBytes) -> Self {
        self.sealing_key = Some(key);
        self
    }

    /// Sets the store. Default: memory. With any other, call [`Server::prepare`] before serving.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Sets how many failed authentications are borne.
    pub fn failure_budget(mut self, budget: FailureBudget) -> Self {
        self.budget = budget;
        self
    }

    /// Sets whether DPoP proofs must carry a nonce of this server. Default: no.
    pub fn dpop_nonce(mut self, nonce: ServerNonce) -> Self {
        self.nonce = nonce;
        self
    }

    /// Offers client certificates. Default: not offered, and certificates are not looked at.
    pub fn mutual_tls(mut self, mutual_tls: MutualTls) -> Self {
        self.mutual_tls = Some(mutual_tls);
        self
    }

    /// Sets when signing keys come and go.
    pub fn rotation(mut self, plan: RotationPlan) -> Self {
        self.rotation = plan;
        self
    }

    /// Sets the clock skew allowed to clients in assertions. Default 30 s.
    pub fn skew(mut self, skew: Skew) -> Self {
        self.skew = skew;
        self
    }

    /// Sets the security profile. Default: [`SecurityProfile::Baseline`], the RFCs alone. Under
    /// [`SecurityProfile::Fapi2`] tokens are bound to a key or a certificate, clients authenticate by
    /// `private_key_jwt` or a certificate, and PS256, ES256 and EdDSA are the only algorithms: of assertions, of
    /// proofs, and of the keys that are made and published here.
    pub fn security_profile(mut self, profile: SecurityProfile) -> Self {
        self.security_profile = profile;
        self
    }

    /// Sets whether an answer waits until its audit record is stored. Default: it does not.
    pub fn audit(mut self, mode: AuditMode) -> Self {
        self.audit = mode;
        self
    }

    /// Sets how often verifiers fetch status lists and the revocation feed: 1 s to 1 h, default 30 s. Both
    /// are refused by verifiers when they are twice as old.
    pub fn status_ttl(mut self, ttl: Duration) -> Self {
        self.status_ttl = ttl;
        self
    }

    /// Sets for how long verifiers may cache the key set: `max-age`. Default 1 h; must be shorter
    /// than keys are announced.
    pub fn jwks_max_age(mut self, max_age: Duration) -> Self {
        self.jwks_max_age = max_age;
        self
    }

    /// Checks the settings and makes the server. No socket is opened.
    ///
    /// # Errors
    /// `Misconfigured` for an issuer that is neither https nor on loopback, a short sealing key, a
    /// symmetric signing key, a key set cached for longer than keys are announced, a rotation
    /// that withdraws keys before their tokens or makes them faster than it announces them, or status
    /// lists that are fetched more often than every second or less often than every hour; for what the
    /// security profile does not allow.
    pub fn build(self) -> Result<Server, Error> {
        Server::from_settings(self)
    }
}
