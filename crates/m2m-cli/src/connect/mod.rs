//! Settings become a [`Client`]: every text is parsed here, and what is wrong names the place it came from.

pub mod credentials;
mod http;
pub mod observer;
mod source;

use std::collections::BTreeMap;
use std::sync::Arc;

use m2m_client::{
    AssertionAudienceRule, Client, ClientBuilder, Dpop, EncryptedFileStore, Endpoints, HttpFactory, Inspect,
    SecretSource, Server,
};
use m2m_io::{HttpClient, HttpError, Limits};
use m2m_proto::client_auth::BasicEncoding;
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::Algorithm;
use m2m_proto::scope::Scope;
use m2m_proto::secret::SecretString;
use m2m_proto::security_profile::SecurityProfile;
use m2m_proto::uri::{EndpointUri, Issuer, Origin, PlainHttp, ResourceUri};

use self::observer::{Observer, Watched};
use crate::Surroundings;
use crate::args::{Global, ProfileFlags};
use crate::exit::Failure;
use crate::settings::field::Field;
use crate::settings::{Inputs, Settings};

use credentials::Reading;
pub use credentials::{Method, method, signs};
pub(crate) use http::DEFAULT_TIMEOUT;
pub use http::{http, http_builder, http_failure, reqwest_http, timeout};

/// Where tokens are kept between runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// In encrypted files below the user's cache directory.
    Encrypted,
    /// Nowhere.
    Nothing,
}

/// What a command needs beyond the settings.
#[derive(Clone, Debug)]
pub struct Need {
    /// Where tokens are kept between runs.
    pub keep: Keep,
    /// An origin that may receive the token because it was typed.
    pub destination: Option<Origin>,
    /// Whether answers of introspection must be signed.
    pub signed_answers: bool,
}

impl Need {
    /// Tokens kept there, and nothing else.
    #[must_use]
    pub fn kept(keep: Keep) -> Self {
        Self { keep, destination: None, signed_answers: false }
    }
}

/// The settings of this run, with warnings of the search already said.
///
/// # Errors
/// As [`Settings::resolve`].
pub fn settings(flags: &ProfileFlags, around: &Surroundings) -> Result<Settings, Failure> {
    settings_for(&around.global, flags, around)
}

/// The same for another profile or file than the one that was typed.
///
/// # Errors
/// As [`Settings::resolve`].
pub fn settings_for(
    global: &Global,
    flags: &ProfileFlags,
    around: &Surroundings,
) -> Result<Settings, Failure> {
    let settings = Settings::resolve(inputs(global, flags, around))?;
    told(&settings, around);
    Ok(settings)
}

/// The same to be looked at, not to be used.
///
/// # Errors
/// As [`Settings::resolve_to_show`].
pub fn settings_to_show(
    global: &Global,
    flags: &ProfileFlags,
    around: &Surroundings,
) -> Result<Settings, Failure> {
    let settings = Settings::resolve_to_show(inputs(global, flags, around))?;
    told(&settings, around);
    Ok(settings)
}

/// The settings for the admin API of an authorization server.
///
/// # Errors
/// As [`Settings::resolve_admin`].
pub fn admin_settings(around: &Surroundings) -> Result<Settings, Failure> {
    let flags = ProfileFlags::default();
    let settings = Settings::resolve_admin(inputs(&around.global, &flags, around))?;
    told(&settings, around);
    Ok(settings)
}

fn inputs<'a>(global: &'a Global, flags: &'a ProfileFlags, around: &'a Surroundings) -> Inputs<'a> {
    Inputs { global, flags, environment: &around.environment, directory: &around.directory }
}

fn told(settings: &Settings, around: &Surroundings) {
    for warning in settings.warnings() {
        around.output.warn(warning);
    }
    if let Some(profile) = settings.profile() {
        around.output.detail(&format!("profile {profile}"));
    }
}

/// A client made of these settings. Reads secrets; sends nothing.
///
/// # Errors
/// Exit 2 or 3: a setting is missing or cannot be, naming flag, variable or line. Exit 4: a secret cannot be read.
pub async fn client(settings: &Settings, around: &Surroundings, need: &Need) -> Result<Client, Failure> {
    build(settings, around, need, Told { observer: None, held: &Held::new() }).await
}

/// The same, which keeps no tokens and tells what it reads and sends.
///
/// # Errors
/// As [`client`]; what was read until then has been told.
pub async fn observed_client(
    settings: &Settings,
    around: &Surroundings,
    observer: Arc<dyn Observer>,
) -> Result<Client, Failure> {
    held_client(settings, around, &Held::new(), observer).await
}

/// Secrets that have no place yet: each stands for what its setting refers to.
pub type Held = BTreeMap<Field, SecretString>;

/// The same with secrets that have no place yet.
///
/// # Errors
/// As [`observed_client`].
pub async fn held_client(
    settings: &Settings,
    around: &Surroundings,
    held: &Held,
    observer: Arc<dyn Observer>,
) -> Result<Client, Failure> {
    let need = Need::kept(Keep::Nothing);
    build(settings, around, &need, Told { observer: Some(observer), held }).await
}

/// Who is told, and what is read from nowhere.
struct Told<'a> {
    observer: Option<Arc<dyn Observer>>,
    held: &'a Held,
}

/// All of a client but its key for DPoP and the store. Reads no secret: this one stands for each. Says nothing of plain
/// HTTP ([`warn_of_plain_http`]).
///
/// # Errors
/// As [`client`].
pub async fn with_stand_in(
    settings: &Settings,
    around: &Surroundings,
    secret: Arc<dyn SecretSource>,
) -> Result<ClientBuilder, Failure> {
    let builder = stated(settings)?.clock(Arc::clone(&around.clock)).random(Arc::clone(&around.random));
    let builder = credentials::attach(settings, around, Reading::StandIn(secret), builder).await?;
    transport(settings, around, builder, None)
}

/// Whether a client can be made of these settings, as far as that can be told without reading a secret.
///
/// # Errors
/// Exit 2 or 3: a setting is missing or cannot be.
pub fn check(settings: &Settings) -> Result<(), Failure> {
    destinations(settings, stated(settings)?, None)?;
    credentials::check(settings)
}

async fn build(
    settings: &Settings,
    around: &Surroundings,
    need: &Need,
    Told { observer, held }: Told<'_>,
) -> Result<Client, Failure> {
    let builder = stated(settings)?.clock(Arc::clone(&around.clock)).random(Arc::clone(&around.random));
    let told = observer.as_deref();
    let builder = credentials::attach(settings, around, Reading::Secrets(told, held), builder).await?;
    let builder = dpop(settings, around, told, builder).await?;
    let builder = transport(settings, around, builder, observer)?;
    warn_of_plain_http(settings, around);
    let builder = destinations(settings, builder, need.destination.as_ref())?;
    let builder = match need.keep {
        Keep::Encrypted => store(around, builder),
        Keep::Nothing => builder,
    };
    let builder = if need.signed_answers { builder.signed_introspection() } else { builder };
    let label = settings.profile().unwrap_or("default").to_owned();
    Ok(builder.label(label).build()?)
}

/// All but credentials and transport.
fn stated(settings: &Settings) -> Result<ClientBuilder, Failure> {
    let mut builder = Client::builder(server(settings)?);
    // What the service is known to want comes first; what is stated has the last word.
    if let Some(preset) = settings.preset() {
        builder = builder.preset(preset)?;
    }
    if let Some(client_id) = client_id(settings)? {
        builder = builder.client_id(client_id);
    }
    protocol(settings, ask(settings, builder)?)
}

fn server(settings: &Settings) -> Result<Server, Failure> {
    let endpoint = |field: Field| match settings.text(field) {
        Some(text) => EndpointUri::parse(text).map(Some).map_err(|error| settings.wrong(field, error)),
        None => Ok(None),
    };
    match (settings.text(Field::Issuer), endpoint(Field::TokenUrl)?) {
        (Some(_), Some(_)) => Err(settings
            .wrong(Field::TokenUrl, "an issuer is given too")
            .hint("give one of them; the issuer's metadata names the token endpoint")),
        (Some(issuer), None) => {
            Issuer::parse(issuer).map(Server::issuer).map_err(|error| settings.wrong(Field::Issuer, error))
        }
        (None, Some(token)) => Ok(Server::endpoints(Endpoints {
            introspection: endpoint(Field::IntrospectionUrl)?,
            revocation: endpoint(Field::RevocationUrl)?,
            ..Endpoints::token(token)
        })),
        // Nothing will be asked for; the client wants to know a server all the same.
        (None, None) if credentials::is_self_signed(settings) => Issuer::parse("https://nobody.invalid")
            .map(Server::issuer)
            .map_err(|error| Failure::internal(error.to_string())),
        (None, None) => Err(Failure::configuration("no token service is named").hint(
            "give --issuer URL, --token-url URL or --provider NAME, set M2M_ISSUER, or write a profile into m2m.toml",
        )),
    }
}

/// `None` where the service goes by where we are, or by the token that we show.
fn client_id(settings: &Settings) -> Result<Option<ClientId>, Failure> {
    match settings.text(Field::ClientId) {
        Some(text) => ClientId::parse(text).map(Some).map_err(|error| settings.wrong(Field::ClientId, error)),
        None if credentials::goes_without_client(settings)? => Ok(None),
        None => Err(Failure::configuration("no client is named")
            .hint("give --client-id ID, set M2M_CLIENT_ID, or write client_id into the profile")),
    }
}

fn ask(settings: &Settings, mut builder: ClientBuilder) -> Result<ClientBuilder, Failure> {
    let scopes = settings.list(Field::Scopes).join(" ");
    if !scopes.is_empty() {
        builder = builder.scope(Scope::parse(&scopes).map_err(|error| settings.wrong(Field::Scopes, error))?);
    }
    if let Some(audience) = settings.text(Field::Audience) {
        builder = builder.audience(audience);
    }
    for resource in settings.list(Field::Resource) {
        let resource =
            ResourceUri::parse(resource).map_err(|error| settings.wrong(Field::Resource, error))?;
        builder = builder.resource(resource);
    }
    for (name, value) in settings.pairs(Field::Params) {
        builder = builder.param(name, value);
    }
    Ok(builder)
}

fn protocol(settings: &Settings, mut builder: ClientBuilder) -> Result<ClientBuilder, Failure> {
    if let Some(encoding) = settings.text(Field::BasicEncoding) {
        let wrong = || settings.wrong(Field::BasicEncoding, "expected form or raw");
        builder = builder.basic_encoding(BasicEncoding::parse(encoding).ok_or_else(wrong)?);
    }
    if let Some(audience) = settings.text(Field::AssertionAudience) {
        builder = builder.assertion_audience(AssertionAudienceRule::parse(audience));
    }
    if let Some(profile) = settings.text(Field::SecurityProfile) {
        let wrong = || settings.wrong(Field::SecurityProfile, "expected baseline or fapi2");
        builder = builder.security_profile(SecurityProfile::parse(profile).ok_or_else(wrong)?);
    }
    if let Some(inspect) = settings.text(Field::Inspect) {
        let wrong = || settings.wrong(Field::Inspect, "expected off, warn or error");
        builder = builder.inspect(Inspect::parse(inspect).ok_or_else(wrong)?);
    }
    if let Some(lead) = settings.time(Field::RefreshLead) {
        builder = builder.refresh_lead(lead);
    }
    if let Some(lifetime) = settings.time(Field::FallbackLifetime) {
        builder = builder.fallback_lifetime(lifetime);
    }
    Ok(builder)
}

async fn dpop(
    settings: &Settings,
    around: &Surroundings,
    observer: Option<&dyn Observer>,
    builder: ClientBuilder,
) -> Result<ClientBuilder, Failure> {
    if settings.text(Field::Dpop).is_some() {
        return Ok(builder.dpop(Dpop::Ephemeral(Algorithm::Es256)));
    }
    let Some(reference) = settings.secret(Field::Dpop) else { return Ok(builder) };
    let key = credentials::signing_key(reference, around, observer).await?;
    Ok(builder.dpop(Dpop::Key(Arc::new(key))))
}

fn transport(
    settings: &Settings,
    around: &Surroundings,
    builder: ClientBuilder,
    observer: Option<Arc<dyn Observer>>,
) -> Result<ClientBuilder, Failure> {
    // Broken settings are told before the factory runs, where a person can be told which one it is.
    http_builder(settings)?;
    let (owned, clock) = (settings.clone(), Arc::clone(&around.clock));
    let factory = HttpFactory::new(move |certificate| {
        let mut http =
            http_builder(&owned).map_err(|failure| HttpError::Protocol(failure.message().to_owned()))?;
        if let Some(certificate) = certificate {
            http = http.client_certificate(&certificate.chain_pem, &certificate.key_pem)?;
        }
        let http = Arc::new(http.build()?) as Arc<dyn HttpClient>;
        Ok(match &observer {
            Some(observer) => Arc::new(Watched::over(http, Arc::clone(&clock), Arc::clone(observer))),
            None => http,
        })
    });
    let timeout = timeout(settings);
    let limits = Limits { timeout, ..Limits::default() };
    let mut builder =
        builder.http_factory(factory).limits(limits).mint_deadline(timeout.max(DEFAULT_TIMEOUT));
    if settings.is_on(Field::AllowHttp) {
        builder = builder.plain_http(PlainHttp::Allowed);
    }
    Ok(builder)
}

/// Says that secrets may be read on the way, where the settings allow it: once for each run.
pub fn warn_of_plain_http(settings: &Settings, around: &Surroundings) {
    if settings.is_on(Field::AllowHttp) {
        around.output.warn("allow_http: secrets and tokens may travel unencrypted");
    }
}

fn destinations(
    settings: &Settings,
    mut builder: ClientBuilder,
    typed: Option<&Origin>,
) -> Result<ClientBuilder, Failure> {
    for text in settings.list(Field::Destinations) {
        let origin = Origin::parse(text).map_err(|error| settings.wrong(Field::Destinations, error))?;
        builder = builder.destination(origin);
    }
    match typed {
        Some(origin) => Ok(builder.destination(origin.clone())),
        None => Ok(builder),
    }
}

/// The store, or none when there is no place for it: a token can still be got, only not kept.
fn store(around: &Surroundings, builder: ClientBuilder) -> ClientBuilder {
    let Some(directory) = around.environment.cache_directory() else {
        around.output.detail("tokens are not kept: neither HOME nor XDG_CACHE_HOME names a directory");
        return builder;
    };
    let (clock, random) = (Arc::clone(&around.clock), Arc::clone(&around.random));
    match EncryptedFileStore::open(directory.join("tokens"), clock, random) {
        Ok(store) => builder.store(Arc::new(store)),
        Err(error) => {
            around.output.warn(&format!("tokens are not kept: {error}"));
            builder
        }
    }
}
