//! The server: state put together once, and the router over it.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use m2m_io::{Clock, Now, Random};
use m2m_proto::dpop::NonceKey;
use m2m_proto::jose::{Algorithm, SigningKey};
use m2m_proto::secret::{Secret, SecretBytes};
use m2m_proto::security_profile::SecurityProfile;
use m2m_proto::time::{Skew, UnixTime};
use m2m_proto::token::sealed::TokenSeal;
use m2m_proto::uri::{EndpointUri, Issuer, PlainHttp};

use crate::admin::Admin;
use crate::admission::Moment;
use crate::audit::Trail;
use crate::authenticate::imported::SlowChecks;
use crate::authenticate::{Authenticator, PublishedKeys, Rules};
use crate::config::{MutualTls, ServerBuilder, ServerNonce};
use crate::decoy::Decoys;
use crate::endpoints::{self, path};
use crate::error::Error;
use crate::federation::{Federation, IssuerKeySets, KeySource};
use crate::keys;
use crate::keys::rotation::{KeyDates, RotationPlan};
use crate::keys::{Keys, Workshop};
use crate::limits::Limits;
use crate::lists::Lists;
use crate::observe::{Introspected, Issued};
use crate::own_token::Recent;
use crate::profile;
use crate::registry::api::MAX_LIFETIME;
use crate::registry::vault::Vault;
use crate::registry::{ApiIdentifier, Change, Registry};
use crate::store::Store;
use crate::store::memory::MemoryStore;

/// Where this server is.
#[derive(Debug)]
pub(crate) struct Endpoints {
    /// The issuer's path without a slash at its end; empty for most.
    pub(crate) base_path: String,
    /// Paths of the metadata document: RFC 8414 and the OpenID alias.
    pub(crate) well_known: Vec<String>,
    pub(crate) token: EndpointUri,
    pub(crate) introspection: EndpointUri,
    pub(crate) revocation: EndpointUri,
    pub(crate) jwks: EndpointUri,
    status_lists: EndpointUri,
    /// The list that nearly all credentials are in.
    first_status_list: String,
    /// The token endpoint of the listener that asks for certificates.
    pub(crate) token_alias: Option<EndpointUri>,
}

impl Endpoints {
    fn new(issuer: &Issuer, mutual_tls: Option<&MutualTls>) -> Result<Self, Error> {
        let base = issuer.as_str().trim_end_matches('/');
        let base_path = issuer.endpoint().path().trim_end_matches('/').to_owned();
        let alias_base = mutual_tls.and_then(|mutual_tls| mutual_tls.alias_base.as_ref());
        let token_alias = alias_base.map(|alias| under(alias.as_str(), path::TOKEN)).transpose()?;
        Ok(Self {
            well_known: endpoints::metadata::paths(issuer),
            token: under(base, path::TOKEN)?,
            introspection: under(base, path::INTROSPECT)?,
            revocation: under(base, path::REVOKE)?,
            jwks: under(base, path::JWKS)?,
            status_lists: under(base, path::STATUS)?,
            first_status_list: format!("{}/0", under(base, path::STATUS)?.as_str()),
            token_alias,
            base_path,
        })
    }
}

impl Endpoints {
    /// The address of the status list of that number, as tokens name it.
    pub(crate) fn status_list(&self, number: u64) -> Cow<'_, str> {
        match number {
            0 => Cow::Borrowed(&self.first_status_list),
            _ => Cow::Owned(format!("{}/{number}", self.status_lists.as_str())),
        }
    }
}

/// `path` appended to `base`.
pub(crate) fn under(base: &str, path: &str) -> Result<EndpointUri, Error> {
    let text = format!("{}{path}", base.trim_end_matches('/'));
    EndpointUri::parse(&text).map_err(|error| Error::misconfigured(format!("{text}: {error}")))
}

/// Everything that requests share.
pub(crate) struct State {
    pub(crate) issuer: Issuer,
    pub(crate) endpoints: Endpoints,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) authenticator: Authenticator,
    pub(crate) keys: Keys,
    pub(crate) limits: Limits,
    pub(crate) trail: Trail,
    pub(crate) nonce_rule: ServerNonce,
    pub(crate) nonce_key: NonceKey,
    pub(crate) mutual_tls: Option<MutualTls>,
    pub(crate) profile: SecurityProfile,
    pub(crate) skew: Skew,
    pub(crate) jwks_max_age: Duration,
    pub(crate) status_ttl: Duration,
    pub(crate) lists: Lists,
    pub(crate) recent: Recent,
    pub(crate) issued: Issued,
    pub(crate) introspected: Introspected,
    pub(crate) seal: TokenSeal,
    stopping: AtomicBool,
    /// When this process began to remember what is used once.
    pub(crate) started: UnixTime,
}

impl State {
    pub(crate) fn moment(&self, now: Now) -> Moment {
        Moment { now, started: self.started, skew: self.skew }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn vault(&self) -> &Vault {
        &self.authenticator.vault
    }

    pub(crate) fn workshop(&self) -> Workshop<'_> {
        let (store, random) = (self.store.as_ref(), self.random.as_ref());
        Workshop { store, vault: self.vault(), random, trail: &self.trail }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// An authorization server (RFC 6749 §1.1). Cheap to clone: all clones are one server.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use m2m_authorization_server::Server;
/// use m2m_proto::uri::Issuer;
///
/// let server = Server::builder(Issuer::parse("https://as.example")?).build()?;
/// let app: axum::Router = server.router();
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Server {
    state: Arc<State>,
}

impl Server {
    /// Begins the settings of a server that is known as `issuer`.
    ///
    /// Its endpoints are under the issuer: `ISSUER/oauth2/token` and so on.
    pub fn builder(issuer: Issuer) -> ServerBuilder {
        ServerBuilder::new(issuer)
    }

    pub(crate) fn from_settings(settings: ServerBuilder) -> Result<Self, Error> {
        check_rotation(&settings.rotation, settings.jwks_max_age)?;
        profile::settings(&settings).map_err(|outside| Error::misconfigured(outside.to_string()))?;
        // spec: 6749-AS9 8414-AS1
        settings.issuer.endpoint().check_transport(PlainHttp::LoopbackOnly).map_err(|_| {
            Error::misconfigured("the issuer must be https; plain http is for this machine only")
        })?;
        if !(Duration::from_secs(1)..=Duration::from_secs(60 * 60)).contains(&settings.status_ttl) {
            return Err(Error::misconfigured("status lists must be fetched every second to every hour"));
        }
        let now = settings.clock.wall();
        let endpoints = Endpoints::new(&settings.issuer, settings.mutual_tls.as_ref())?;
        let secret = settings.sealing_key.unwrap_or_else(|| fresh_secret(settings.random.as_ref()));
        let wrong = |error: m2m_proto::seal::SealError| Error::misconfigured(error.to_string());
        let source = KeySource {
            http: settings.http.clone(),
            trusting: settings.trusting,
            files: settings.issuer_files,
            clock: Arc::clone(&settings.clock),
        };
        let authenticator = Authenticator {
            federation: Federation {
                own: settings.issuer.clone(),
                skew: settings.skew,
                keys: IssuerKeySets::new(source),
            },
            rules: Rules {
                issuer: settings.issuer.clone(),
                token_endpoint: endpoints.token.clone(),
                skew: settings.skew,
                authorities: settings.mutual_tls.as_ref().map(|mutual_tls| mutual_tls.authorities.clone()),
            },
            vault: Vault::new(&secret).map_err(wrong)?,
            published: PublishedKeys::new(settings.http, Arc::clone(&settings.clock)),
            decoys: Decoys::new().map_err(|error| Error::internal(error.to_string()))?,
            slow_checks: SlowChecks::default(),
        };
        let seal = TokenSeal::new(&secret, &settings.issuer).map_err(wrong)?;
        let keys = Keys::new(settings.signing_keys, settings.rotation, now)
            .map_err(|error| Error::misconfigured(error.to_string()))?
            .under(settings.security_profile);
        let store = match settings.store {
            Some(store) => store,
            None => {
                in_memory(&keys, &settings.rotation, &authenticator.vault, settings.random.as_ref(), now)?
            }
        };
        keys.follow(&registry_of(store.as_ref()), &authenticator.vault, now);
        let state = State {
            issuer: settings.issuer,
            endpoints,
            clock: settings.clock,
            random: settings.random,
            store,
            authenticator,
            keys,
            limits: Limits::new(settings.budget),
            trail: Trail::new(settings.audit),
            nonce_rule: settings.nonce,
            nonce_key: NonceKey::new(&secret, "authorization server")
                .map_err(|error| Error::misconfigured(error.to_string()))?,
            mutual_tls: settings.mutual_tls,
            profile: settings.security_profile,
            skew: settings.skew,
            jwks_max_age: settings.jwks_max_age,
            status_ttl: settings.status_ttl,
            lists: Lists::default(),
            recent: Recent::default(),
            issued: Issued::default(),
            introspected: Introspected::default(),
            seal,
            stopping: AtomicBool::new(false),
            started: now,
        };
        Ok(Self { state: Arc::new(state) })
    }

    #[cfg(test)]
    pub(crate) fn state_for_test(&self) -> Arc<State> {
        Arc::clone(&self.state)
    }

    /// Everything that this server answers: token, introspection and revocation endpoint, key set,
    /// metadata, status lists and revocation feed, the admin API, `/livez` and `/readyz`.
    ///
    /// The listener puts [`ClientAddress`](crate::ClientAddress) and, where the connection has one,
    /// [`PeerCertificate`](m2m_proto::client_auth::PeerCertificate) into the extensions of requests.
    pub fn router(&self) -> axum::Router {
        endpoints::router(Arc::clone(&self.state))
    }

    /// The administrative acts, as typed calls.
    #[must_use]
    pub fn admin(&self) -> Admin {
        Admin::new(Arc::clone(&self.state))
    }

    /// The API that the admin API is itself, `ISSUER/admin/v1`: what an administrator is granted.
    ///
    /// # Errors
    /// `Misconfigured` for an issuer that is too long for it.
    pub fn admin_api(&self) -> Result<ApiIdentifier, Error> {
        crate::admin::own_identifier(&self.state)
    }

    /// The store, for its verbs.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.state.store
    }

    /// Who this server is.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.state.issuer
    }

    /// What this server tells about itself (RFC 8414), as it is served.
    #[must_use]
    pub fn metadata(&self) -> Bytes {
        endpoints::metadata::document(&self.state)
    }

    /// Makes the store this server's own: compares the sealing key with the one that it was made under,
    /// and makes what every server has (an ES256 key, the API `ISSUER/admin/v1`) where it is missing.
    /// To be called once before serving; repeating it is harmless.
    ///
    /// # Errors
    /// `Misconfigured` for a store of another sealing key; `Unavailable` when it cannot be reached.
    pub async fn prepare(&self) -> Result<(), Error> {
        let state = &self.state;
        let now = state.clock.wall();
        state.store.claim(state.vault().fingerprint()).await?;
        state.keys.follow(&*state.store.registry()?, state.vault(), now);
        state.keys.ensure(state.workshop(), Algorithm::Es256, now).await?;
        crate::admin::register_own_api(state).await
    }

    /// The work besides requests, for as long as it is polled: makes and forgets keys when they are due,
    /// stores audit records, follows the changes of other nodes. Spawn it as a task; at
    /// shutdown [`Server::drain`] writes what is left, whether it still runs or not.
    pub fn background(&self) -> impl Future<Output = ()> + Send + 'static {
        let state = Arc::clone(&self.state);
        async move {
            tokio::join!(
                maintain_keys(&state),
                follow_keys(&state),
                state.trail.write_on(state.store.as_ref(), state.clock.as_ref()),
                state.store.work(),
            );
        }
    }

    /// Lets `/readyz` say that no new requests should come here: the first thing to do at shutdown.
    pub fn stop_accepting(&self) {
        self.state.stopping.store(true, Ordering::Relaxed);
    }

    /// Stores the audit records that still wait: the last thing to do at shutdown, after the last request.
    ///
    /// # Errors
    /// `Unavailable` when the store cannot take them; they are lost with the process then.
    pub async fn drain(&self) -> Result<(), Error> {
        Ok(self.state.trail.flush(self.state.store.as_ref()).await?)
    }
}

async fn maintain_keys(state: &State) {
    loop {
        let now = state.clock.wall();
        let wait = match state.keys.maintain(state.workshop(), now).await {
            Ok(next) => next.since(now).max(LEAST_WAIT),
            // A key that was being made when the process ended is nobody's fault.
            Err(_) if state.is_stopping() => LEAST_WAIT,
            Err(error) => {
                tracing::error!(%error, "cannot maintain the signing keys");
                LEAST_WAIT
            }
        };
        state.clock.sleep(wait.min(LONGEST_WAIT)).await;
    }
}

/// Keys that another node made sign here too, and those it withdrew no more.
async fn follow_keys(state: &State) {
    let mut changes = state.store.changes();
    while changes.changed().await.is_ok() {
        // Without a registry the keys stay as they are: verifiers ask for them.
        if let Ok(registry) = state.store.registry() {
            state.keys.follow(&registry, state.vault(), state.clock.wall());
        }
    }
    std::future::pending::<()>().await;
}

const LEAST_WAIT: Duration = Duration::from_secs(1);
/// Looked at now and then in any case: the wall clock may have been set.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

fn check_rotation(plan: &RotationPlan, jwks_max_age: Duration) -> Result<(), Error> {
    if jwks_max_age >= plan.announce {
        return Err(Error::misconfigured(
            "signing keys must be announced for longer than verifiers cache them",
        ));
    }
    // Else several keys would wait for their turn at once, or endlessly many with no time at all.
    if plan.active < plan.announce {
        return Err(Error::misconfigured(
            "signing keys must sign for at least as long as they are announced",
        ));
    }
    if plan.retain < MAX_LIFETIME {
        return Err(Error::misconfigured("signing keys must be published until their last token expires"));
    }
    Ok(())
}

fn fresh_secret(random: &dyn Random) -> SecretBytes {
    let mut bytes = vec![0; 32];
    random.fill(&mut bytes);
    Secret::new(bytes)
}

/// A store in memory, with an ES256 key if none is configured: APIs sign with it by default.
fn in_memory(
    keys: &Keys,
    plan: &RotationPlan,
    vault: &Vault,
    random: &dyn Random,
    now: UnixTime,
) -> Result<Arc<dyn Store>, Error> {
    let store = MemoryStore::default();
    if keys.active(Algorithm::Es256, now).is_none() {
        let key =
            SigningKey::generate(Algorithm::Es256).map_err(|error| Error::internal(error.to_string()))?;
        let dates = KeyDates::starting(now, plan);
        let record = keys::sealed(&keys::named(key), dates, vault, random)?;
        store.apply(Change::CreateKey(record))?;
    }
    Ok(Arc::new(store))
}

/// The registry, or an empty one while the store has none: nobody is registered then.
fn registry_of(store: &dyn Store) -> Arc<Registry> {
    store.registry().unwrap_or_default()
}
