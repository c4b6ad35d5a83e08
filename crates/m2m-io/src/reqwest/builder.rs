//! How the default HTTP client is set up.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ::reqwest::{Certificate, Client, ClientBuilder, Identity, redirect, retry};
use m2m_proto::secret::SecretBytes;

use super::proxies::Proxies;
use super::resolve::Resolver;
use super::{Prepared, ReqwestHttp};
use crate::{EgressRules, HttpError, file};

/// Where proxies come from. Nothing to loopback goes through one, whatever is said here.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum ProxyFrom {
    /// `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY` and their lower-case forms, read once when building.
    #[default]
    Environment,
    /// No proxy, whatever the environment says.
    Nowhere,
    /// This URL for everything else. May hold credentials, so it is not shown.
    Url(String),
}

impl Debug for ProxyFrom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Environment => "Environment",
            Self::Nowhere => "Nowhere",
            Self::Url(_) => "Url(..)",
        })
    }
}

/// What a client is built from; kept, because its guarded half is built later.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) egress: EgressRules,
    roots: Vec<Certificate>,
    identity: Option<Identity>,
    proxy: ProxyFrom,
    connect_timeout: Duration,
    names: Arc<BTreeMap<String, Vec<SocketAddr>>>,
}

/// Collects the settings of a [`ReqwestHttp`].
#[derive(Debug)]
pub struct ReqwestHttpBuilder {
    settings: Settings,
}

impl Default for ReqwestHttpBuilder {
    fn default() -> Self {
        Self {
            settings: Settings {
                egress: EgressRules::new(),
                roots: Vec::new(),
                identity: None,
                proxy: ProxyFrom::default(),
                connect_timeout: Duration::from_secs(5),
                names: Arc::default(),
            },
        }
    }
}

/// The longest file of root certificates: all the public ones together are a quarter of this.
pub(super) const MAX_CA_BYTES: u64 = 1024 * 1024;

impl ReqwestHttpBuilder {
    /// Trusts the root certificates in this PEM text as well as the system's.
    ///
    /// # Errors
    ///
    /// [`HttpError::Tls`] when it holds no certificate or a broken one.
    pub fn ca_pem(mut self, pem: &[u8]) -> Result<Self, HttpError> {
        let wrong = |why: &str| HttpError::Tls(format!("root certificates: {why}"));
        let roots = Certificate::from_pem_bundle(pem).map_err(|_| wrong("not a PEM file"))?;
        if roots.is_empty() {
            return Err(wrong("the PEM text holds no certificate"));
        }
        self.settings.roots.extend(roots);
        Ok(self)
    }

    /// Trusts the root certificates in this PEM file (at most 1 MiB) as well as the system's. Read now, once.
    ///
    /// # Errors
    ///
    /// [`HttpError::Tls`] when it cannot be read or holds no certificate.
    pub fn ca_file(self, path: &Path) -> Result<Self, HttpError> {
        let pem = file::read_file(path, MAX_CA_BYTES)
            .map_err(|error| HttpError::Tls(format!("root certificates {}: {error}", path.display())))?;
        self.ca_pem(&pem)
    }

    /// Presents this certificate when a server asks for one (RFC 8705): a PEM chain, leaf first, and its PEM key.
    ///
    /// # Errors
    ///
    /// [`HttpError::Tls`] when either is missing or broken. Whether they fit together shows when building.
    pub fn client_certificate(mut self, chain_pem: &[u8], key_pem: &SecretBytes) -> Result<Self, HttpError> {
        let pem = SecretBytes::new([key_pem.expose(), b"\n".as_slice(), chain_pem].concat());
        let identity = Identity::from_pem(pem.expose());
        self.settings.identity = Some(
            identity.map_err(|error| HttpError::Tls(format!("client certificate: {}", reason(&error))))?,
        );
        Ok(self)
    }

    /// Where URLs chosen by others may lead beyond public addresses.
    #[must_use]
    pub fn egress(mut self, rules: EgressRules) -> Self {
        self.settings.egress = rules;
        self
    }

    /// Where proxies come from; default: the environment.
    #[must_use]
    pub fn proxy(mut self, proxy: ProxyFrom) -> Self {
        self.settings.proxy = proxy;
        self
    }

    /// How long connecting (names, TCP, TLS) may take; default 5 s, and never longer than the exchange's own limit.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// Resolves `host` to `addresses` instead of asking the system; port 0 keeps the URL's port. The egress rules
    /// apply to these as to any other.
    #[must_use]
    pub fn resolve(mut self, host: &str, addresses: Vec<SocketAddr>) -> Self {
        Arc::make_mut(&mut self.settings.names).insert(host.to_ascii_lowercase(), addresses);
        self
    }

    /// Makes the client.
    ///
    /// # Errors
    ///
    /// [`HttpError::Tls`] or [`HttpError::Proxy`] for settings that cannot work.
    pub fn build(self) -> Result<ReqwestHttp, HttpError> {
        ReqwestHttp::new(self.settings)
    }

    /// A plain reqwest client with these settings, for streaming and for middleware: no redirects, no retries, no
    /// decompression, a limit on connecting only. The egress rules do not apply; its caller chooses the URLs.
    ///
    /// # Errors
    ///
    /// As [`Self::build`], and [`HttpError::Tls`] when the system has no root certificates.
    pub fn streaming_client(self) -> Result<Client, HttpError> {
        let builder = self.settings.client()?.no_gzip();
        builder
            .dns_resolver(self.settings.resolver(None))
            .build()
            .map_err(|error| HttpError::Tls(reason(&error)))
    }
}

impl Settings {
    pub(super) fn open(&self) -> Result<Prepared, HttpError> {
        self.prepare(|builder| builder.dns_resolver(self.resolver(None)))
    }

    pub(super) fn guarded(&self) -> Result<Prepared, HttpError> {
        let rules = self.egress.clone();
        self.prepare(|builder| builder.no_proxy().dns_resolver(self.resolver(Some(rules.clone()))))
    }

    /// Which requests go through a proxy.
    pub(super) fn proxies(&self) -> Result<Proxies, HttpError> {
        Proxies::new(&self.proxy)
    }

    fn resolver(&self, rules: Option<EgressRules>) -> Resolver {
        Resolver::new(Arc::clone(&self.names), rules)
    }

    fn prepare(&self, finish: impl Fn(ClientBuilder) -> ClientBuilder) -> Result<Prepared, HttpError> {
        let error = match finish(self.client()?).build() {
            Ok(client) => return Ok(Prepared { client, without_tls: None }),
            Err(error) => reason(&error),
        };
        if !self.roots.is_empty() || self.identity.is_some() {
            return Err(HttpError::Tls(error));
        }
        // Nothing of ours can be wrong: the system has no root certificates.
        let client = finish(self.client()?.tls_certs_only([])).build();
        let client = client.map_err(|error| HttpError::Tls(reason(&error)))?;
        Ok(Prepared { client, without_tls: Some(error) })
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that makes HTTP clients")]
    fn client(&self) -> Result<ClientBuilder, HttpError> {
        let mut builder = Client::builder()
            .user_agent(concat!("m2m/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .connect_timeout(self.connect_timeout)
            .http2_max_header_list_size(64 * 1024)
            // Tokens are asked for minutes apart: a connection kept that long is one the server has closed.
            .pool_idle_timeout(Duration::from_secs(20))
            .pool_max_idle_per_host(8)
            .tls_certs_merge(self.roots.iter().cloned());
        if let Some(identity) = &self.identity {
            builder = builder.identity(identity.clone());
        }
        let proxies = self.proxies()?;
        Ok(proxies.for_reqwest().fold(builder.no_proxy(), ClientBuilder::proxy))
    }
}

/// reqwest says "builder error"; what went wrong is its source.
fn reason(error: &::reqwest::Error) -> String {
    super::classify::text(error)
}
