//! What the admin API says of APIs and clients, and how it is read. Times are unix seconds.
//!
//! Kept apart from the registered things and from their stored form, because the three change at
//! different speeds.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use m2m_io::{Network, NetworkError};
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::Algorithm;
use m2m_proto::scope::{Scope, ScopeToken};
use m2m_proto::time::UnixTime;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use crate::admin::Effective;
use crate::registry::api::DEFAULT_LIFETIME;
use crate::registry::{Api, ApiGrant, ApiIdentifier, ApiScope, Client, SenderConstraint, TokenFormat};

/// Characters of names and of purposes.
const MAX_NAME: usize = 256;
const MAX_TEXT: usize = 1024;
/// Entries of a list.
const MAX_ENTRIES: usize = 1000;

/// One of a few names, or what they are.
pub(crate) fn named<T: Copy, const N: usize>(
    what: &str,
    text: &str,
    all: [T; N],
    name: impl Fn(T) -> &'static str,
) -> Result<T, Problem> {
    let names = || all.map(&name).join(", ");
    all.into_iter()
        .find(|one| name(*one) == text)
        .ok_or_else(|| Problem::invalid(format!("{what} is one of {}", names())))
}

/// A text for people: not longer than it may be, and without control characters.
pub(crate) fn text(what: &str, text: String, most: usize) -> Result<String, Problem> {
    if text.chars().count() > most {
        return Err(Problem::invalid(format!("{what} has more than {most} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(Problem::invalid(format!("{what} has control characters")));
    }
    Ok(text)
}

fn few<T>(what: &str, list: Vec<T>) -> Result<Vec<T>, Problem> {
    if list.len() > MAX_ENTRIES {
        return Err(Problem::invalid(format!("{what} has more than {MAX_ENTRIES} entries")));
    }
    Ok(list)
}

pub(crate) fn identifier(text: &str) -> Result<ApiIdentifier, Problem> {
    ApiIdentifier::parse(text).map_err(|error| Problem::invalid(format!("{text:?}: {error}")))
}

pub(crate) fn client_id(text: &str) -> Result<ClientId, Problem> {
    ClientId::parse(text).map_err(|error| Problem::invalid(format!("the client id {text:?}: {error}")))
}

pub(crate) fn algorithm(text: &str) -> Result<Algorithm, Problem> {
    let found = Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == text);
    found.ok_or_else(|| {
        Problem::invalid(format!("alg {text:?} is no signature algorithm that this server has"))
    })
}

fn tokens(what: &str, list: &[String]) -> Result<Scope, Problem> {
    let parse = |text: &String| {
        ScopeToken::parse(text).map_err(|error| Problem::invalid(format!("{what}: {text:?}: {error}")))
    };
    let parsed = list.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    Scope::from_tokens(parsed).map_err(|error| Problem::invalid(format!("{what}: {error}")))
}

pub(crate) fn words(scope: &Scope) -> Vec<String> {
    scope.iter().map(|token| token.as_str().to_owned()).collect()
}

/// A scope alone, or with what it allows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum WireScope {
    Bare(String),
    Described(DescribedScope),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DescribedScope {
    scope: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
}

/// An API, as it is ordered and shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireApi {
    pub(crate) identifier: String,
    pub(crate) name: Option<String>,
    #[serde(default)]
    scopes: Vec<WireScope>,
    format: Option<String>,
    lifetime: Option<u64>,
    alg: Option<String>,
    sender_constraint: Option<String>,
    #[serde(default)]
    resource_servers: Vec<String>,
    #[serde(skip_deserializing, skip_serializing_if = "is_zero")]
    version: u64,
}

fn is_zero(version: &u64) -> bool {
    *version == 0
}

impl WireApi {
    pub(crate) fn of(api: &Api) -> Self {
        let scope = |scope: &ApiScope| {
            let (scope, description) = (scope.token.as_str().to_owned(), scope.description.clone());
            WireScope::Described(DescribedScope { scope, description })
        };
        Self {
            identifier: api.identifier.as_str().to_owned(),
            name: Some(api.name.clone()),
            scopes: api.scopes.iter().map(scope).collect(),
            format: Some(api.format.name().to_owned()),
            lifetime: Some(api.lifetime.as_secs()),
            alg: Some(api.algorithm.name().to_owned()),
            sender_constraint: Some(api.sender_constraint.name().to_owned()),
            resource_servers: api.resource_servers.iter().map(|id| id.as_str().to_owned()).collect(),
            version: api.version,
        }
    }

    pub(crate) fn read(self) -> Result<Api, Problem> {
        let mut api = Api::new(identifier(&self.identifier)?);
        if let Some(name) = self.name {
            api.name = text("name", name, MAX_NAME)?;
        }
        for scope in few("scopes", self.scopes)? {
            let (token, description) = match scope {
                WireScope::Bare(token) => (token, String::new()),
                WireScope::Described(described) => (described.scope, described.description),
            };
            let parsed = ScopeToken::parse(&token)
                .map_err(|error| Problem::invalid(format!("scopes: {token:?}: {error}")))?;
            if api.has(&parsed) {
                return Err(Problem::invalid(format!("scopes: {token:?} is there twice")));
            }
            api = api.scope(parsed, &text("description", description, MAX_TEXT)?);
        }
        let servers = few("resource_servers", self.resource_servers)?;
        api.resource_servers = servers.iter().map(|id| client_id(id)).collect::<Result<BTreeSet<_>, _>>()?;
        if let Some(format) = &self.format {
            api.format = named("format", format, TokenFormat::ALL, TokenFormat::name)?;
        }
        if let Some(alg) = &self.alg {
            api.algorithm = algorithm(alg)?;
        }
        if let Some(constraint) = &self.sender_constraint {
            api.sender_constraint =
                named("sender_constraint", constraint, SenderConstraint::ALL, SenderConstraint::name)?;
        }
        api.lifetime = self.lifetime.map_or(DEFAULT_LIFETIME, Duration::from_secs);
        Ok(api)
    }
}

/// What a client may do at one API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireGrant {
    api: String,
    scopes: Vec<String>,
    default_scopes: Option<Vec<String>>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    permissions: Vec<String>,
}

impl WireGrant {
    fn of((api, grant): (&ApiIdentifier, &ApiGrant)) -> Self {
        Self {
            api: api.as_str().to_owned(),
            scopes: words(&grant.scopes),
            default_scopes: Some(words(&grant.defaults)),
            roles: grant.roles.clone(),
            permissions: grant.permissions.clone(),
        }
    }

    fn read(self) -> Result<(ApiIdentifier, ApiGrant), Problem> {
        let api = identifier(&self.api)?;
        let mut grant = ApiGrant::new(tokens("scopes", &few("scopes", self.scopes)?)?);
        if let Some(defaults) = &self.default_scopes {
            grant.defaults = Arc::new(tokens("default_scopes", defaults)?);
        }
        let names = |what: &str, list: Vec<String>| -> Result<Vec<String>, Problem> {
            few(what, list)?.into_iter().map(|name| text(what, name, MAX_NAME)).collect()
        };
        grant.roles = names("roles", self.roles)?;
        grant.permissions = names("permissions", self.permissions)?;
        Ok((api, grant))
    }
}

/// A client, as it is ordered and shown; what only an answer has is in [`ShownClient`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireClient {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    owner: Option<String>,
    purpose: Option<String>,
    review_by: Option<String>,
    #[serde(default)]
    grants: Vec<WireGrant>,
    lifetime_cap: Option<u64>,
    sender_constraint: Option<String>,
    mint_quota: Option<u32>,
    #[serde(default)]
    allowed_networks: Vec<String>,
    #[serde(default)]
    token_exchange: bool,
}

/// Scopes of one API.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct WireScopes {
    pub(crate) api: String,
    pub(crate) scopes: Vec<String>,
}

/// Until when a withdrawal is known, at worst.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct WireEffective {
    introspection_seconds: u64,
    offline_seconds: u64,
}

impl From<Effective> for WireEffective {
    fn from(effective: Effective) -> Self {
        Self {
            introspection_seconds: effective.introspection.as_secs(),
            offline_seconds: effective.offline.as_secs(),
        }
    }
}

/// A client as it is shown.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct ShownClient {
    #[serde(flatten)]
    pub(crate) client: WireClient,
    status: &'static str,
    created_at: u64,
    pub(crate) version: u64,
    review_overdue: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unused_scopes: Option<Vec<WireScopes>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) effective: Option<WireEffective>,
}

impl ShownClient {
    pub(crate) fn of(client: &Client, now: UnixTime) -> Self {
        Self {
            client: WireClient::of(client),
            status: client.status.name(),
            created_at: client.created_at.seconds(),
            version: client.version,
            review_overdue: client.review_by.is_some_and(|day| day <= now),
            unused_scopes: None,
            effective: None,
        }
    }
}

impl WireClient {
    pub(crate) fn of(client: &Client) -> Self {
        Self {
            id: client.id.as_str().to_owned(),
            name: Some(client.name.clone()),
            owner: client.owner.clone(),
            purpose: client.purpose.clone(),
            review_by: client.review_by.map(UnixTime::date),
            grants: client.grants.iter().map(WireGrant::of).collect(),
            lifetime_cap: client.lifetime_cap.map(|cap| cap.as_secs()),
            sender_constraint: Some(client.sender_constraint.name().to_owned()),
            mint_quota: client.mint_quota,
            allowed_networks: client.allowed_networks.iter().map(ToString::to_string).collect(),
            token_exchange: client.token_exchange,
        }
    }

    pub(crate) fn read(self) -> Result<Client, Problem> {
        let mut client = Client::new(client_id(&self.id)?);
        if let Some(name) = self.name {
            client.name = text("name", name, MAX_NAME)?;
        }
        client.owner = self.owner.map(|owner| text("owner", owner, MAX_NAME)).transpose()?;
        client.purpose = self.purpose.map(|purpose| text("purpose", purpose, MAX_TEXT)).transpose()?;
        client.review_by = self.review_by.as_deref().map(date).transpose()?;
        for grant in few("grants", self.grants)? {
            let (api, grant) = grant.read()?;
            if client.grants.insert(api, grant).is_some() {
                return Err(Problem::invalid("grants names an API twice"));
            }
        }
        client.lifetime_cap = self.lifetime_cap.map(Duration::from_secs);
        if let Some(constraint) = &self.sender_constraint {
            client.sender_constraint =
                named("sender_constraint", constraint, SenderConstraint::ALL, SenderConstraint::name)?;
        }
        client.mint_quota = self.mint_quota;
        client.token_exchange = self.token_exchange;
        let networks = few("allowed_networks", self.allowed_networks)?;
        client.allowed_networks = networks.iter().map(|text| network(text)).collect::<Result<_, _>>()?;
        Ok(client)
    }
}

fn network(text: &str) -> Result<Network, Problem> {
    text.parse()
        .map_err(|error: NetworkError| Problem::invalid(format!("allowed_networks: {text:?}: {error}")))
}

/// `YYYY-MM-DD`, at its first second.
fn date(text: &str) -> Result<UnixTime, Problem> {
    let parts: Vec<u64> = text.split('-').filter_map(|part| part.parse().ok()).collect();
    let day = match parts.as_slice() {
        [year, month, day] if text.len() == 10 => UnixTime::from_calendar([*year, *month, *day], [0; 3]),
        _ => None,
    };
    // The thirtieth of February is a day of March: not what was meant.
    day.filter(|day| day.date() == text)
        .ok_or_else(|| Problem::invalid(format!("review_by {text:?} is no date such as 2027-06-01")))
}
