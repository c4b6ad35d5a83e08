//! Administrative acts as typed calls: register, change, withdraw, list.
//!
//! The JSON admin API is one caller of these; a program that embeds the server is another. Nothing here
//! asks who is calling; [`Admin::acting`] says on whose behalf, and the audit remembers it.

mod credentials;
mod effect;
mod issuers;

pub use credentials::{Removal, Rotation};
pub use effect::Effective;
pub(crate) use effect::longest_life;

use std::sync::Arc;
use std::time::Duration;

use m2m_proto::client_id::ClientId;
use m2m_proto::jose::Algorithm;
use m2m_proto::scope::ScopeToken;
use m2m_proto::security_profile::OutsideProfile;
use m2m_proto::time::UnixTime;
use tokio::sync::oneshot;

use crate::audit::{Activity, Entry, Event, Query, Record, Window};
use crate::error::{Error, ErrorKind};
use crate::keys::rotation::{KeyDates, Phase};
use crate::observe;
use crate::own_token::OwnToken;
use crate::profile;
use crate::registry::api::MAX_LIFETIME;
use crate::registry::{
    Api, ApiIdentifier, Change, Client, Conflict, CredentialId, IfVersion, Registration, Registry, Status,
};
use crate::server::State;
use crate::store::{LastUses, StoreError, TokenRef, Usage};

/// The scope that lets a client read through the admin API.
pub const SCOPE_READ: &str = "m2m:read";
/// The scope that lets a client change things through the admin API.
pub const SCOPE_WRITE: &str = "m2m:write";

/// How long revoking a token waits for the audit to say until when it lives.
const PATIENCE: Duration = Duration::from_millis(250);

/// What the issuer's admin API is named as, behind the issuer: the audience of its tokens.
pub const ADMIN_PATH: &str = "/admin/v1";

/// A signing key as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShownKey {
    /// Its `kid`.
    pub kid: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// Where it stands now.
    pub phase: Phase,
    /// When it comes and goes.
    pub dates: KeyDates,
}

/// How signing keys are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Roll {
    /// Announced as usual, so that no verifier meets an unknown key.
    Announced,
    /// At once: what the old keys signed is refused as soon as verifiers fetch the key set.
    Emergency,
}

/// The administrative acts of a server; see [`Server::admin`](crate::Server::admin).
#[derive(Debug, Clone)]
pub struct Admin {
    state: Arc<State>,
    actor: Option<ClientId>,
}

impl Admin {
    pub(crate) fn new(state: Arc<State>) -> Self {
        Self { state, actor: None }
    }

    /// The same acts on behalf of `client`, as the audit tells.
    #[must_use]
    pub fn acting(mut self, client: ClientId) -> Self {
        self.actor = Some(client);
        self
    }

    fn now(&self) -> UnixTime {
        self.state.clock.wall()
    }

    async fn change(&self, change: Change, record: Record) -> Result<Arc<Registry>, Error> {
        Ok(self.make(change, record).await?)
    }

    /// Makes a change and its record, whether or not the caller still waits: a change that happened is
    /// always in the audit.
    async fn make(&self, change: Change, record: Record) -> Result<Arc<Registry>, StoreError> {
        let (admin, (done, made)) = (self.clone(), oneshot::channel());
        m2m_io::task::spawn_detached("administrative act", async move {
            let result = admin.state.store.change(change).await;
            if result.is_ok() {
                admin.keep(record).await;
            }
            // Nobody waits any more when the caller hung up.
            let _gone = done.send(result);
        });
        made.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the act was given up".to_owned())))
    }

    /// Adds the record of an act that was done; with `audit = "durable"` it is stored before the answer.
    async fn keep(&self, record: Record) {
        let record = Record { actor: self.actor.clone(), ..record };
        if let Err(error) = self.state.trail.keep(self.state.store.as_ref(), record).await {
            tracing::error!(%error, "an act was done, and its record waits to be stored");
        }
    }

    fn record(&self, event: Event) -> Record {
        Record::new(self.now(), event)
    }

    fn about_api(&self, event: Event, identifier: &ApiIdentifier) -> Record {
        Record { api: Some(identifier.clone()), ..self.record(event) }
    }

    fn about_client(&self, event: Event, id: &ClientId) -> Record {
        Record { client_id: Some(id.clone()), ..self.record(event) }
    }

    /// Registers an API, and makes a signing key for its algorithm where there is none: that takes
    /// up to a second for RSA.
    ///
    /// # Errors
    /// `Conflict` when the identifier is taken; `Invalid` when the lifetime is not between 1 s and 24 h, or
    /// the algorithm is symmetric or not one of the security profile.
    pub async fn create_api(&self, api: Api) -> Result<Arc<Api>, Error> {
        let api = Api { created_at: self.now(), ..api };
        let identifier = api.identifier.clone();
        let record = self.about_api(Event::ApiCreated, &identifier);
        self.ensure_key(&api).await?;
        api_of(&*self.change(Change::CreateApi(api), record).await?, &identifier)
    }

    /// Replaces what is registered of an API; see [`Admin::create_api`].
    ///
    /// # Errors
    /// As [`Admin::create_api`]; `Unknown`, `Outdated`, and `Conflict` when a scope goes that a client has.
    pub async fn update_api(&self, api: Api, version: IfVersion) -> Result<Arc<Api>, Error> {
        let identifier = api.identifier.clone();
        let record = self.about_api(Event::ApiUpdated, &identifier);
        self.ensure_key(&api).await?;
        api_of(&*self.change(Change::UpdateApi(api, version), record).await?, &identifier)
    }

    /// Removes an API that no client is granted. Tokens for it are inactive from then on.
    ///
    /// # Errors
    /// `Unknown`, `Outdated`, and `Conflict` while a client is granted something of it.
    pub async fn delete_api(&self, identifier: &ApiIdentifier, version: IfVersion) -> Result<(), Error> {
        let record = self.about_api(Event::ApiDeleted, identifier);
        self.change(Change::DeleteApi(identifier.clone(), version), record).await.map(drop)
    }

    /// Before the change, so that no change is made whose tokens could not be signed.
    async fn ensure_key(&self, api: &Api) -> Result<(), Error> {
        let algorithm = api.algorithm;
        if algorithm.is_symmetric() {
            // The registry says what is wrong with it.
            return Ok(());
        }
        let outside = |outside: OutsideProfile| Error::new(ErrorKind::Invalid, outside.to_string());
        profile::api(self.state.profile, api).map_err(outside)?;
        if self.state.profile.algorithm(algorithm).is_err() {
            // Nobody signs its tokens, which are sealed.
            return Ok(());
        }
        let made = self.state.keys.ensure(self.state.workshop(), algorithm, self.now()).await;
        made.map(drop)
    }

    /// Registers a client.
    ///
    /// # Errors
    /// `Conflict` when the id is taken; `Invalid` when a grant names an API or a scope that is not
    /// registered.
    pub async fn create_client(&self, client: Client) -> Result<Arc<Registration>, Error> {
        let id = client.id.clone();
        let client = Client { created_at: self.now(), ..client };
        let record = self.about_client(Event::ClientCreated, &id);
        client_of(&*self.change(Change::CreateClient(client), record).await?, &id)
    }

    /// Replaces what is registered of a client, but for status, credentials and date of creation.
    ///
    /// # Errors
    /// As [`Admin::create_client`]; `Unknown` and `Outdated`.
    pub async fn update_client(
        &self,
        client: Client,
        version: IfVersion,
    ) -> Result<Arc<Registration>, Error> {
        let id = client.id.clone();
        let record = self.about_client(Event::ClientUpdated, &id);
        client_of(&*self.change(Change::UpdateClient(client, version), record).await?, &id)
    }

    /// Switches a client off or on, or withdraws it for good with all its credentials and tokens.
    ///
    /// # Errors
    /// `Unknown` when there is none of that id; `Conflict` when it is revoked and shall not be.
    pub async fn set_client_status(&self, id: &ClientId, status: Status) -> Result<Arc<Registration>, Error> {
        let event = match status {
            Status::Active => Event::ClientEnabled,
            Status::Disabled => Event::ClientDisabled,
            Status::Revoked => Event::ClientRevoked,
        };
        let change = Change::SetClientStatus(id.clone(), status);
        let registry = self.change(change, self.about_client(event, id)).await?;
        if status == Status::Revoked {
            observe::count_by(observe::REVOCATIONS, "what", "client");
        }
        client_of(&registry, id)
    }

    /// Withdraws a client for good, with all its credentials and tokens.
    ///
    /// # Errors
    /// `Unknown` when there is none of that id.
    pub async fn revoke_client(&self, id: &ClientId) -> Result<Arc<Registration>, Error> {
        self.set_client_status(id, Status::Revoked).await
    }

    /// Removes a client with its credentials; its tokens are inactive, and its id is free.
    ///
    /// # Errors
    /// `Unknown` and `Outdated`.
    pub async fn delete_client(&self, id: &ClientId, version: IfVersion) -> Result<(), Error> {
        let record = self.about_client(Event::ClientDeleted, id);
        self.change(Change::DeleteClient(id.clone(), version), record).await.map(drop)
    }

    /// Withdraws a token by its `jti`, until it would have expired.
    ///
    /// A token that the audit does not remember is withdrawn for 24 h, the longest life there is. Answers whether
    /// it does remember it: if not, the name may be incomplete.
    ///
    /// # Errors
    /// `Unavailable` when the store cannot remember it; the token is active then.
    pub async fn revoke_token(&self, jti: &str) -> Result<bool, Error> {
        let now = self.now();
        let query = Query {
            jti: Some(jti.to_owned()),
            event: Some(Event::TokenIssued),
            limit: 1,
            ..Query::default()
        };
        // Revocation does not wait for the audit: what it does not say in time is taken for the longest life.
        let issued = tokio::select! {
            found = self.audit(&query) => found.unwrap_or_default().pop().map(|entry| entry.record),
            () = self.state.clock.sleep(PATIENCE) => None,
        };
        let known = issued.is_some();
        let expires_at = issued.as_ref().and_then(|record| record.expires_at);
        let (client_id, credential) =
            issued.map_or((None, None), |found| (found.client_id, found.credential));
        let about = Record { client_id, credential, ..self.record(Event::TokenRevoked) };
        self.revoke_until(jti, expires_at.unwrap_or_else(|| longest_end(now)), about).await?;
        Ok(known)
    }

    /// Withdraws the token that the act is done with, which is remembered no longer than it lives.
    ///
    /// # Errors
    /// As [`Admin::revoke_token`].
    pub(crate) async fn revoke_own(&self, token: &OwnToken) -> Result<(), Error> {
        let claims = &token.claims;
        let client_id = claims.client_id().and_then(|id| ClientId::parse(id).ok());
        let about = Record { client_id, ..self.record(Event::TokenRevoked) };
        self.revoke_until(claims.jti().unwrap_or_default(), claims.expires_at(), about).await
    }

    async fn revoke_until(&self, jti: &str, end: UnixTime, about: Record) -> Result<(), Error> {
        self.state.store.revoke(&TokenRef::new(jti, end), self.now()).await?;
        observe::count_by(observe::REVOCATIONS, "what", "token");
        self.keep(Record { jti: Some(jti.into()), ..about }).await;
        Ok(())
    }

    /// Everything registered, as of now.
    ///
    /// # Errors
    /// `Unavailable` when the store cannot vouch for it.
    pub fn registry(&self) -> Result<Arc<Registry>, Error> {
        Ok(self.state.store.registry()?)
    }

    /// The tokens issued that have not expired and fit `query`, as the audit remembers them, newest first.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn live_tokens(&self, query: Query) -> Result<Vec<Entry>, Error> {
        self.audit(&Query { live_at: Some(self.now()), event: Some(Event::TokenIssued), ..query }).await
    }

    /// Audit records, newest first. What this node decided before the call is among them.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn audit(&self, query: &Query) -> Result<Vec<Entry>, Error> {
        let store = self.state.store.as_ref();
        self.state.trail.flush(store).await?;
        Ok(store.audit(query).await?)
    }

    /// Counts what was issued and refused in a time, including what was decided just now.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn activity(&self, window: &Window) -> Result<Activity, Error> {
        let store = self.state.store.as_ref();
        self.state.trail.flush(store).await?;
        Ok(store.activity(window).await?)
    }

    /// Whether a token that was issued is inactive before its time: it, its credential, its client or its API
    /// was withdrawn.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn is_withdrawn(&self, issued: &Record) -> Result<bool, Error> {
        let (registry, now) = (self.registry()?, self.now());
        let api = issued.api.as_ref().and_then(|name| registry.api(name.as_str()));
        let registration = issued.client_id.as_ref().and_then(|id| registry.registration(id));
        let standing = registration.filter(|found| found.client().status == Status::Active);
        let credential = standing
            .zip(issued.credential.as_ref())
            .and_then(|(found, id)| found.credential(id.as_str()))
            .filter(|credential| !registry.is_void(credential, now));
        if credential.is_none() || api.is_none_or(|api| issued.at < api.created_at) {
            return Ok(true);
        }
        let revoked =
            |jti: &str| Ok::<_, Error>(self.state.store.status(jti)? == crate::store::TokenStatus::Revoked);
        // Where it was exchanged, the token that it was made from counts too.
        Ok(revoked(issued.jti.as_deref().unwrap_or_default())?
            || issued.subject.as_deref().map(revoked).transpose()?.unwrap_or_default())
    }

    /// What a client has used of what it may.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn usage(&self, client: &ClientId) -> Result<Usage, Error> {
        let store = self.state.store.as_ref();
        self.state.trail.flush(store).await?;
        Ok(store.usage(client).await?)
    }

    /// The last use of each of these credentials that was used.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn last_uses(&self, credentials: &[CredentialId]) -> Result<LastUses, Error> {
        let store = self.state.store.as_ref();
        self.state.trail.flush(store).await?;
        Ok(store.last_uses(credentials).await?)
    }

    /// The signing keys, in the order in which they sign.
    #[must_use]
    pub fn keys(&self) -> Vec<ShownKey> {
        let now = self.now();
        let shown = |(kid, algorithm, dates): (String, Algorithm, KeyDates)| ShownKey {
            kid,
            algorithm,
            phase: dates.phase(now),
            dates,
        };
        self.state.keys.list().into_iter().map(shown).collect()
    }

    /// Replaces the signing keys of `algorithm`, or of every algorithm in use.
    ///
    /// # Errors
    /// `Unavailable`; keys of algorithms before the one that failed are replaced.
    pub async fn roll_keys(&self, algorithm: Option<Algorithm>, how: Roll) -> Result<Vec<ShownKey>, Error> {
        let state = &self.state;
        let algorithms = algorithm.map_or_else(|| state.keys.algorithms(), |one| vec![one]);
        for algorithm in algorithms {
            let event = match how {
                Roll::Announced => {
                    state.keys.roll(state.workshop(), algorithm, self.now()).await?;
                    Event::KeyRolled
                }
                Roll::Emergency => {
                    state.keys.roll_now(state.workshop(), algorithm, self.now()).await?;
                    Event::KeyWithdrawn
                }
            };
            self.keep(Record { subject: Some(algorithm.name().to_owned()), ..self.record(event) }).await;
        }
        Ok(self.keys())
    }

    /// Whether clients may administer and none of them has a credential that the security profile lets in: what was
    /// registered before the profile was set.
    ///
    /// # Errors
    /// `Unavailable` when the store cannot vouch for what is registered.
    pub fn is_locked_out(&self) -> Result<bool, Error> {
        let (registry, now) = (self.registry()?, self.now());
        let own = own_identifier(&self.state)?;
        let administer = |registration: &&Arc<Registration>| {
            let client = registration.client();
            let scopes = client.grants.get(own.as_str()).map(|grant| &grant.scopes);
            client.status == Status::Active && scopes.is_some_and(|scopes| scopes.contains(SCOPE_WRITE))
        };
        let enters = |registration: &Arc<Registration>| {
            let mut usable = registration.credentials().iter().filter(|credential| credential.usable(now));
            usable.any(|credential| profile::serves(self.state.profile, credential))
        };
        let mut administrators = registry.registrations().filter(administer).peekable();
        Ok(administrators.peek().is_some() && !administrators.any(enters))
    }

    /// How long verifiers may go on trusting a signing key that was withdrawn in an emergency.
    #[must_use]
    pub fn key_withdrawal(&self) -> Duration {
        self.state.jwks_max_age
    }
}

fn api_of(registry: &Registry, identifier: &ApiIdentifier) -> Result<Arc<Api>, Error> {
    registry.api(identifier.as_str()).cloned().ok_or_else(|| gone(identifier.as_str()))
}

fn client_of(registry: &Registry, id: &ClientId) -> Result<Arc<Registration>, Error> {
    registry.registration(id).cloned().ok_or_else(|| gone(id.as_str()))
}

/// Registered a moment ago, and removed by somebody else since.
fn gone(name: &str) -> Error {
    Error::new(ErrorKind::Unknown, format!("{name} is not registered any more"))
}

fn longest_end(now: UnixTime) -> UnixTime {
    now.saturating_add(MAX_LIFETIME).saturating_add(Duration::from_secs(60))
}

/// The API that the admin API is itself, with its two scopes, unless it is registered already.
pub(crate) async fn register_own_api(state: &Arc<State>) -> Result<(), Error> {
    let identifier = own_identifier(state)?;
    if state.store.registry()?.api(identifier.as_str()).is_some() {
        return Ok(());
    }
    let mut api = Api::new(identifier);
    "Administration of this server".clone_into(&mut api.name);
    for (name, description) in
        [(SCOPE_READ, "read everything but secrets"), (SCOPE_WRITE, "change everything")]
    {
        let token = ScopeToken::parse(name).map_err(|error| Error::internal(error.to_string()))?;
        api = api.scope(token, description);
    }
    match state.store.change(Change::CreateApi(api)).await {
        // Another node was faster.
        Ok(_) | Err(StoreError::Conflict(Conflict::Exists(_))) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// `ISSUER/admin/v1`.
pub(crate) fn own_identifier(state: &State) -> Result<ApiIdentifier, Error> {
    let text = format!("{}{ADMIN_PATH}", state.issuer.as_str().trim_end_matches('/'));
    ApiIdentifier::parse(&text).map_err(|error| Error::misconfigured(format!("{text}: {error}")))
}
