//! [`Client`]: tokens from one authorization server under one credential.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use m2m_io::{RemoteMetadata, ReqwestHttp};
use m2m_proto::names::grant_type;
use m2m_proto::token::TokenRequest;
use m2m_proto::uri::{EndpointUri, Origin};

use crate::cache::{
    Ask, CacheKey, CacheSettings, Entry, Identity, Rejected, Rotation, Snapshot, TokenCache, Watch,
};
use crate::config::{ClientBuilder, Server, ServerKind};
use crate::credentials::{HttpFactory, Transport};
use crate::dpop::DpopSigner;
use crate::error::{Error, Fault};
use crate::exchange::{Directory, Exchange};
use crate::handle::TokenHandle;
use crate::mint::TokenMinter;
use crate::spec::TokenSpec;
use crate::store::Vault;
use crate::token::Token;

/// Tokens from one authorization server under one credential, for any number
/// of APIs. Cloning gives another handle to the same cache.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    exchange: Arc<Exchange>,
    cache: Arc<TokenCache>,
    vault: Option<Vault>,
    identity: Identity,
    spec: TokenSpec,
    destinations: Vec<Origin>,
}

/// What became of a rejected token.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Rejection {
    /// It is dropped, or was before; the next call gets another one.
    Renewing,
    /// Another token had already taken its place.
    Superseded(Arc<Token>),
    /// Not believed: it was obtained a moment ago, or had been rejected before
    /// and the server issued the very same token again.
    Ignored,
}

/// The answer of [`Client::ready`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Readiness {
    /// What is known of each spec, in the order asked.
    pub tokens: Vec<Snapshot>,
}

impl Readiness {
    /// Whether every token can be used now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.tokens.iter().all(|token| token.state.is_usable())
    }
}

impl Client {
    /// Starts the settings of a client for this server.
    #[must_use]
    pub fn builder(server: impl Into<Server>) -> ClientBuilder {
        ClientBuilder::new(server.into())
    }

    pub(crate) fn from_settings(settings: ClientBuilder) -> Result<Self, Error> {
        check(&settings)?;
        let client_id = settings.client_id.ok_or_else(|| Error::misconfigured("client_id is missing"))?;
        let credentials =
            settings.credentials.ok_or_else(|| Error::misconfigured("credentials are missing"))?;
        credentials.check()?;
        let (clock, random) = (settings.clock, settings.random);
        let dpop = DpopSigner::new(&settings.dpop, Arc::clone(&clock), Arc::clone(&random))?.map(Arc::new);
        let identity = Identity {
            server: settings.server.identity().to_owned(),
            client_id: client_id.as_str().to_owned(),
            method: credentials.method().as_str().to_owned(),
            credential: credentials.thumbprint().unwrap_or_default(),
            binding: dpop.as_ref().map(|dpop| dpop.thumbprint().to_owned()).unwrap_or_default(),
            grant: grant_type::CLIENT_CREDENTIALS.to_owned(),
        };
        let factory = settings.http_factory.unwrap_or_else(|| default_http(settings.http.clone()));
        let plain = || settings.http.clone().map_or_else(|| factory.make(None), Ok);
        let directory = match settings.server.0 {
            ServerKind::Endpoints(endpoints) => Directory::Configured(endpoints),
            ServerKind::Issuer(issuer) => {
                Directory::Discovered(RemoteMetadata::new(issuer, plain()?, Arc::clone(&clock)))
            }
        };
        let rotation = match credentials.certificate_source() {
            Some(_) => Rotation::Drop,
            None => Rotation::Keep,
        };
        let transport = match (credentials.certificate_source(), settings.http.clone()) {
            (Some(source), None) => Transport::Certificate {
                source: Arc::clone(source),
                factory,
                made: std::sync::Mutex::default(),
            },
            _ => Transport::Fixed(plain()?),
        };
        let label = settings.spec.label.clone();
        let cache_settings = CacheSettings {
            refresh_lead: settings.tuning.refresh_lead,
            reject_floor: settings.tuning.reject_floor,
            mint_deadline: settings.tuning.mint_deadline,
            max_keys: settings.tuning.max_keys,
            rotation,
            label: label.clone(),
        };
        let exchange = Arc::new(Exchange {
            client_id,
            credentials,
            transport,
            directory,
            introspection: settings.introspection,
            revocation: settings.revocation,
            dpop,
            tuning: settings.tuning,
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            label: label.clone(),
        });
        let vault =
            settings.store.map(|store| Vault::new(store, Arc::clone(&clock), Arc::clone(&random), label));
        let minter = Arc::new(TokenMinter::new(Arc::clone(&exchange), vault.clone()));
        let cache = TokenCache::new(minter, clock, random, cache_settings);
        let (spec, destinations) = (settings.spec, settings.destinations);
        Ok(Self(Arc::new(Inner { exchange, cache, vault, identity, spec, destinations })))
    }

    /// The client's own spec: what `TokenSpec::default()` stands for.
    #[must_use]
    pub fn spec(&self) -> TokenSpec {
        self.0.spec.clone()
    }

    /// The name under which stores keep this spec's token.
    #[must_use]
    pub fn cache_key(&self, spec: &TokenSpec) -> CacheKey {
        CacheKey::new(&self.0.identity, &spec.over(&self.0.spec))
    }

    /// A token for `spec` that can be used now: the cached one, or the result
    /// of the one request that all callers share. Dropping the future does not
    /// stop that request.
    ///
    /// # Errors
    /// As [`ErrorKind`](crate::ErrorKind) says; while a failing request backs
    /// off, its last error at once.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn token(&self, spec: &TokenSpec) -> Result<Arc<Token>, Error> {
        self.usable(&self.entry(spec)).await
    }

    /// As [`Client::token`], for at least `life` more; asks for another token
    /// if the cached one has less left. What the server then gives is returned
    /// even if that is less.
    ///
    /// # Errors
    /// As [`Client::token`].
    pub async fn token_for(&self, spec: &TokenSpec, life: Duration) -> Result<Arc<Token>, Error> {
        let entry = self.entry(spec);
        let renewals = self.0.cache.snapshot(&entry).renewals;
        let token = self.usable(&entry).await?;
        let left = token.expires_at().since(self.0.cache.clock().wall());
        if left >= life || (renewals == 0 && token.origin() == crate::TokenOrigin::Minted) {
            return Ok(token);
        }
        self.0.cache.renew(&entry).await
    }

    /// A new token, whatever is cached or stored. The old one stays in use if
    /// this fails.
    ///
    /// # Errors
    /// As [`Client::token`].
    pub async fn renew(&self, spec: &TokenSpec) -> Result<Arc<Token>, Error> {
        self.0.cache.renew(&self.entry(spec)).await
    }

    /// A handle for one worker: the fastest way to a ready header.
    #[must_use]
    pub fn handle(&self, spec: &TokenSpec) -> TokenHandle {
        let entry = self.entry(spec);
        TokenHandle::new(self.clone(), spec.clone(), entry, Arc::clone(self.0.cache.clock()))
    }

    /// An API answered 401 to this token. It is dropped if it is still the
    /// cached one, was not obtained a moment ago, and was not rejected before;
    /// so late rejections of old tokens, and storms of them, cost nothing.
    pub fn reject(&self, token: &Token) -> Rejection {
        let Some(entry) = token.key().and_then(|key| self.known_entry(key)) else {
            return Rejection::Ignored;
        };
        match self.0.cache.reject(&entry, token) {
            Rejected::Dropped | Rejected::Renewing => Rejection::Renewing,
            Rejected::Superseded(newer) => Rejection::Superseded(newer),
            Rejected::Ignored => Rejection::Ignored,
        }
    }

    /// Follows what happens to one token.
    #[must_use]
    pub fn watch(&self, spec: &TokenSpec) -> Watch {
        self.entry(spec).subscribe()
    }

    /// What is known of one token, without asking for it.
    #[must_use]
    pub fn snapshot(&self, spec: &TokenSpec) -> Snapshot {
        self.0.cache.snapshot(&self.entry(spec))
    }

    /// Asks for every token and says how each stands: for readiness checks and
    /// for warming up.
    pub async fn ready(&self, specs: &[TokenSpec]) -> Readiness {
        let mut tokens = Vec::with_capacity(specs.len());
        for spec in specs {
            let entry = self.entry(spec);
            // The snapshot tells why it failed.
            let _failed = self.usable(&entry).await;
            tokens.push(self.0.cache.snapshot(&entry));
        }
        Readiness { tokens }
    }

    /// For how long this process can go on if the server dies now: until the
    /// first token in use is no longer served. `None` while there is none.
    #[must_use]
    pub fn outage_runway(&self) -> Option<Duration> {
        self.0.cache.runway()
    }

    /// How many different tokens are cached.
    #[must_use]
    pub fn cached_keys(&self) -> usize {
        self.0.cache.len()
    }

    pub(crate) fn entry(&self, spec: &TokenSpec) -> Arc<Entry> {
        let full = spec.over(&self.0.spec);
        self.0.cache.entry(CacheKey::new(&self.0.identity, &full), || full)
    }

    pub(crate) fn known_entry(&self, key: &CacheKey) -> Option<Arc<Entry>> {
        self.0.cache.known(key)
    }

    pub(crate) async fn usable(&self, entry: &Arc<Entry>) -> Result<Arc<Token>, Error> {
        self.0.cache.token(entry).await
    }

    /// Without waiting; needs a runtime, as it may start a request.
    pub(crate) fn ask(&self, entry: &Arc<Entry>) -> Result<Ask, Error> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(Error::of(Fault::Pending));
        }
        Ok(self.0.cache.ask(entry))
    }

    pub(crate) fn cache(&self) -> &Arc<TokenCache> {
        &self.0.cache
    }

    pub(crate) fn exchange(&self) -> &Exchange {
        &self.0.exchange
    }

    pub(crate) fn vault(&self) -> Option<&Vault> {
        self.0.vault.as_ref()
    }

    pub(crate) fn dpop(&self) -> Option<&DpopSigner> {
        self.0.exchange.dpop.as_deref()
    }

    /// The origins that may receive a token for `spec`.
    pub(crate) fn destinations(&self, spec: &TokenSpec) -> Vec<Origin> {
        if self.0.destinations.is_empty() {
            spec.over(&self.0.spec).origins()
        } else {
            self.0.destinations.clone()
        }
    }
}

/// Settings that can be judged without doing anything.
fn check(settings: &ClientBuilder) -> Result<(), Error> {
    let plain = settings.tuning.plain_http;
    let transport = |what: &str, endpoint: &EndpointUri| {
        endpoint.check_transport(plain).map_err(|error| Error::misconfigured(format!("{what}: {error}")))
    };
    match &settings.server.0 {
        ServerKind::Issuer(issuer) => transport("issuer", issuer.endpoint())?,
        ServerKind::Endpoints(endpoints) => {
            transport("token endpoint", &endpoints.token)?;
            endpoints.introspection.iter().try_for_each(|uri| transport("introspection endpoint", uri))?;
            endpoints.revocation.iter().try_for_each(|uri| transport("revocation endpoint", uri))?;
        }
    }
    settings.introspection.iter().try_for_each(|uri| transport("introspection endpoint", uri))?;
    settings.revocation.iter().try_for_each(|uri| transport("revocation endpoint", uri))?;
    for (name, _) in &settings.spec.params {
        TokenRequest::check_extra(name).map_err(|error| Error::misconfigured(error.to_string()))?;
    }
    if settings.tuning.assertion_lifetime > m2m_proto::client_auth::assertion::MAX_LIFETIME {
        return Err(Error::misconfigured("an assertion lives 300 seconds at most"));
    }
    Ok(())
}

/// reqwest with the system's roots, or the client that was given.
fn default_http(given: Option<Arc<dyn m2m_io::HttpClient>>) -> HttpFactory {
    HttpFactory::new(move |certificate| {
        if let Some(http) = &given {
            return Ok(Arc::clone(http));
        }
        let mut builder = ReqwestHttp::builder();
        if let Some(certificate) = certificate {
            builder = builder.client_certificate(&certificate.chain_pem, &certificate.key_pem)?;
        }
        Ok(Arc::new(builder.build()?))
    })
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("server", &self.0.identity.server)
            .field("client_id", &self.0.identity.client_id)
            .field("method", &self.0.identity.method)
            .field("label", &self.0.spec.label)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
