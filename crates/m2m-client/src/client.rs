//! [`Client`]: tokens from one authorization server under one credential.

mod build;
mod profile;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use m2m_proto::uri::Origin;

use crate::cache::{Ask, CacheKey, Entry, Identity, Rejected, Snapshot, TokenCache, Watch, age};
use crate::config::{ClientBuilder, Server};
use crate::dpop::DpopSigner;
use crate::error::{Error, Fault};
use crate::exchange::Exchange;
use crate::handle::TokenHandle;
use crate::spec::TokenSpec;
use crate::store::Vault;
use crate::token::Token;

/// A token of this age is not replaced by one that lives a little longer.
const TOO_YOUNG: Duration = Duration::from_secs(10);

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
        build::inner(settings).map(|inner| Self(Arc::new(inner)))
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
    /// even if that is less; and no other is asked for if the cached one never
    /// had that much, or is less than 10 s old.
    ///
    /// # Errors
    /// As [`Client::token`].
    pub async fn token_for(&self, spec: &TokenSpec, life: Duration) -> Result<Arc<Token>, Error> {
        let entry = self.entry(spec);
        let renewals = self.0.cache.snapshot(&entry).renewals;
        let token = self.usable(&entry).await?;
        let aged = age(token.obtained(), self.0.cache.clock().now());
        let left = token.life().saturating_sub(aged);
        let just_minted = renewals == 0 && token.origin() == crate::TokenOrigin::Minted;
        // The server does not give that much, or gave what it gives a moment ago.
        let hopeless = token.life() <= life || aged < TOO_YOUNG;
        if left >= life || just_minted || hopeless {
            return Ok(token);
        }
        match self.0.cache.backing_off(&entry) {
            Some(error) => Err(error),
            None => self.0.cache.renew(&entry).await,
        }
    }

    /// A new token, whatever is cached or stored. The old one stays in use if
    /// this fails. An order: it does not wait while an earlier failure backs off.
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
        let entries: Vec<_> = specs.iter().map(|spec| self.entry(spec)).collect();
        for entry in &entries {
            // All requests are under way before the first is waited for.
            let _started = self.0.cache.ask(entry);
        }
        let mut tokens = Vec::with_capacity(specs.len());
        for entry in entries {
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
