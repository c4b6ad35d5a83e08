//! `/issuers`: platforms whose tokens stand for clients, and what becomes of such a token.
//!
//! Enforces: one way to name an issuer and one place for its keys; members within their limits. What else must be, the
//! registry and [`Admin::create_issuer`](crate::Admin::create_issuer) decide.
//! A token that is to be explained is never repeated.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Path;
use http::{HeaderMap, StatusCode};
use m2m_proto::spiffe::{SpiffeBundle, TrustDomain};
use m2m_proto::uri::EndpointUri;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::caller::{Json, Patch, Reader, Writer, read};
use super::clients;
use super::page::{Asked, Page};
use super::problem::Problem;
use super::wire::text;
use super::{Answer, Segment, Served, created, credentials, if_match, json, no_content, versioned};
use crate::Admin;
use crate::error::ErrorKind;
use crate::federation::{
    Check, ClaimPath, Condition, ConditionError, Explanation, Literal, MAX_CONDITIONS, Pattern, Test,
};
use crate::registry::issuer::DEFAULT_MAX_LIFETIME;
use crate::registry::{FetchFiles, IssuerId, IssuerKeys, Named, Reuse, Status, TrustedIssuer};

/// What a patch may change.
const WRITABLE: [&str; 11] = [
    "name",
    "jwks_url",
    "jwks_file",
    "jwks",
    "discovery",
    "ca_file",
    "bearer_file",
    "audiences",
    "max_lifetime",
    "single_use",
    "conditions",
];

const MAX_NAME: usize = 256;

/// A condition, as it is ordered and shown: a claim and exactly one test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WireCondition {
    claim: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    equals: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    one_of: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    matches: Option<String>,
}

impl WireCondition {
    pub(super) fn of(condition: &Condition) -> Self {
        let empty = Self { claim: condition.claim().to_string(), equals: None, one_of: None, matches: None };
        match condition.test() {
            Test::Equals(literal) => Self { equals: Some(literal.to_json()), ..empty },
            Test::OneOf(literals) => {
                Self { one_of: Some(literals.iter().map(Literal::to_json).collect()), ..empty }
            }
            Test::Matches(pattern) => Self { matches: Some(pattern.as_str().to_owned()), ..empty },
        }
    }

    fn read(self) -> Result<Condition, Problem> {
        let wrong = |why: &dyn std::fmt::Display| Problem::invalid(format!("conditions: {why}"));
        let literal = |value: &Value| {
            Literal::of(value).ok_or_else(|| wrong(&"a value is a text, a whole number, true or false"))
        };
        let claim = ClaimPath::parse(&self.claim).map_err(|error| wrong(&error))?;
        let test = match (self.equals, self.one_of, self.matches) {
            (Some(value), None, None) => Test::Equals(literal(&value)?),
            (None, Some(values), None) => Test::OneOf(values.iter().map(literal).collect::<Result<_, _>>()?),
            (None, None, Some(pattern)) => {
                Test::Matches(Pattern::parse(&pattern).map_err(|error| wrong(&error))?)
            }
            _ => return Err(wrong(&"each has a claim and one of equals, one_of and matches")),
        };
        Condition::new(claim, test).map_err(|error: ConditionError| wrong(&error))
    }
}

/// Conditions as they are ordered.
pub(super) fn conditions(list: Vec<WireCondition>) -> Result<Vec<Condition>, Problem> {
    if list.len() > MAX_CONDITIONS {
        return Err(Problem::invalid(format!("there are more than {MAX_CONDITIONS} conditions")));
    }
    list.into_iter().map(WireCondition::read).collect()
}

/// A trusted issuer, as it is ordered and shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WireIssuer {
    id: String,
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trust_domain: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    discovery: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bearer_file: Option<PathBuf>,
    #[serde(default)]
    audiences: Vec<String>,
    max_lifetime: Option<u64>,
    #[serde(default)]
    single_use: bool,
    #[serde(default)]
    conditions: Vec<WireCondition>,
}

/// The same with what only an answer has.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    issuer: WireIssuer,
    status: &'static str,
    created_at: u64,
    version: u64,
}

impl Shown {
    fn of(issuer: &TrustedIssuer) -> Self {
        Self {
            issuer: WireIssuer::of(issuer),
            status: issuer.status.name(),
            created_at: issuer.created_at.seconds(),
            version: issuer.version,
        }
    }
}

impl WireIssuer {
    fn of(issuer: &TrustedIssuer) -> Self {
        let (by_iss, trust_domain) = match &issuer.named {
            Named::Issuer(name) => (Some(name.clone()), None),
            Named::TrustDomain(domain) => (None, Some(domain.as_str().to_owned())),
        };
        let mut wire = Self {
            id: issuer.id.as_str().to_owned(),
            name: Some(issuer.name.clone()),
            issuer: by_iss,
            trust_domain,
            jwks_url: None,
            jwks_file: None,
            jwks: None,
            discovery: None,
            ca_file: None,
            bearer_file: None,
            audiences: issuer.audiences.clone(),
            max_lifetime: Some(issuer.max_lifetime.as_secs()),
            single_use: issuer.reuse == Reuse::Once,
            conditions: issuer.conditions.iter().map(WireCondition::of).collect(),
        };
        match &issuer.keys {
            IssuerKeys::Url(url, files) => {
                wire.jwks_url = Some(url.as_str().to_owned());
                (wire.ca_file, wire.bearer_file) = (files.ca_file.clone(), files.bearer_file.clone());
            }
            IssuerKeys::Discovery(files) => {
                wire.discovery = Some(true);
                (wire.ca_file, wire.bearer_file) = (files.ca_file.clone(), files.bearer_file.clone());
            }
            IssuerKeys::File(path) => wire.jwks_file = Some(path.clone()),
            IssuerKeys::Set(set) => {
                let text = m2m_proto::jose::JwkSet::encode(set.keys().iter().map(AsRef::as_ref));
                wire.jwks = serde_json::from_slice(&text).ok();
            }
        }
        wire
    }

    fn read(self) -> Result<TrustedIssuer, Problem> {
        let id = IssuerId::parse(&self.id).ok_or_else(|| {
            Problem::invalid("id has 1 to 64 letters, digits, '-', '_' and '.', and is not explain")
        })?;
        let named = self.named()?;
        let keys = self.keys(&named)?;
        let name = self.name.unwrap_or_else(|| id.as_str().to_owned());
        Ok(TrustedIssuer {
            name: text("name", name, MAX_NAME)?,
            audiences: self.audiences,
            max_lifetime: self.max_lifetime.map_or(DEFAULT_MAX_LIFETIME, Duration::from_secs),
            reuse: if self.single_use { Reuse::Once } else { Reuse::Allowed },
            conditions: conditions(self.conditions)?,
            ..TrustedIssuer::new(id, named, keys)
        })
    }

    fn named(&self) -> Result<Named, Problem> {
        match (&self.issuer, &self.trust_domain) {
            (Some(issuer), None) => Named::issuer(issuer).ok_or_else(|| {
                Problem::invalid("issuer has 1 to 512 printable characters without space, as iss has them")
            }),
            (None, Some(domain)) => {
                let domain =
                    TrustDomain::parse(domain).map_err(|error| Problem::invalid(error.to_string()))?;
                Ok(Named::TrustDomain(domain))
            }
            _ => Err(Problem::invalid("an issuer is named by either issuer or trust_domain")),
        }
    }

    fn keys(&self, named: &Named) -> Result<IssuerKeys, Problem> {
        let files = FetchFiles { ca_file: self.ca_file.clone(), bearer_file: self.bearer_file.clone() };
        let fetched = files != FetchFiles::default();
        let discovery = self.discovery.unwrap_or(false);
        match (&self.jwks_url, &self.jwks_file, &self.jwks, discovery) {
            (Some(url), None, None, false) => {
                let url = EndpointUri::parse(url)
                    .map_err(|error| Problem::invalid(format!("jwks_url: {error}")))?;
                url.check_transport(m2m_proto::uri::PlainHttp::LoopbackOnly).map_err(|_| {
                    Problem::invalid("jwks_url must be https; plain http is for this machine only")
                })?;
                Ok(IssuerKeys::Url(url, files))
            }
            (None, Some(_), None, false) | (None, None, Some(_), false) if fetched => {
                Err(Problem::invalid("ca_file and bearer_file are for keys that are fetched"))
            }
            (None, Some(path), None, false) => Ok(IssuerKeys::File(path.clone())),
            (None, None, Some(jwks), false) => key_set(named, jwks).map(IssuerKeys::Set),
            (None, None, None, true) => Ok(IssuerKeys::Discovery(files)),
            (None, None, None, false) if matches!(named, Named::Issuer(_)) => {
                Ok(IssuerKeys::Discovery(files))
            }
            (None, None, None, false) => {
                Err(Problem::invalid("a trust domain has its keys at jwks_url, in jwks_file or as jwks"))
            }
            _ => Err(Problem::invalid("the keys are at one of jwks_url, jwks_file, jwks and discovery")),
        }
    }
}

/// Keys as they were given: those of a trust domain as a bundle, or as a plain set.
fn key_set(named: &Named, jwks: &Value) -> Result<Arc<m2m_proto::jose::JwkSet>, Problem> {
    if let Named::TrustDomain(_) = named
        && let Ok(bundle) = SpiffeBundle::decode(jwks.to_string().as_bytes())
        && !bundle.keys().keys().is_empty()
    {
        return Ok(Arc::new(bundle.into_keys()));
    }
    credentials::key_set(jwks).map(Arc::new)
}

pub(super) async fn list(Reader(admin): Reader, asked: Asked) -> Answer {
    let registry = admin.registry()?;
    let (items, next) = asked.page(registry.issuers(), |issuer| issuer.id.as_str());
    let items = items.into_iter().map(|issuer| Shown::of(issuer)).collect();
    json(StatusCode::OK, &Page { items, next })
}

pub(super) async fn create(Writer(admin): Writer, state: Served, Json(wire): Json<WireIssuer>) -> Answer {
    let issuer = wire.read()?;
    let id = issuer.id.clone();
    match admin.create_issuer(issuer.clone()).await {
        Ok(made) => created(&Shown::of(&made), made.version, &state.0, &format!("/issuers/{id}")),
        Err(error) if error.kind() == ErrorKind::Conflict => repeated(&admin, &issuer, error),
        Err(error) => Err(error.into()),
    }
}

/// The same order twice is one order.
fn repeated(admin: &Admin, ordered: &TrustedIssuer, error: crate::Error) -> Answer {
    match admin.registry()?.issuer(ordered.id.as_str()) {
        Some(known) if WireIssuer::of(known) == WireIssuer::of(ordered) => {
            versioned(StatusCode::OK, &Shown::of(known), known.version)
        }
        Some(_) => Err(Problem::exists(format!("the issuer {} exists with other content", ordered.id))),
        None => Err(error.into()),
    }
}

pub(super) async fn show(Reader(admin): Reader, Path(id): Segment) -> Answer {
    let issuer = found(&admin, &id)?;
    versioned(StatusCode::OK, &Shown::of(&issuer), issuer.version)
}

pub(super) async fn update(
    Writer(admin): Writer,
    Path(id): Segment,
    headers: HeaderMap,
    Patch(patch): Patch,
) -> Answer {
    let version = if_match(&headers)?;
    loop {
        let known = found(&admin, &id)?;
        let mut object = super::patched(&Shown::of(&known), patch.clone(), &WRITABLE)?;
        for fixed in ["status", "created_at", "version"] {
            object.remove(fixed);
        }
        let issuer = read::<WireIssuer>(object)?.read()?;
        match admin.update_issuer(issuer, version.or(Some(known.version))).await {
            // Somebody else changed it in between: the patch is for what there is now.
            Err(error) if error.kind() == ErrorKind::Outdated && version.is_none() => {}
            updated => {
                let updated = updated?;
                return versioned(StatusCode::OK, &Shown::of(&updated), updated.version);
            }
        }
    }
}

pub(super) async fn delete(Writer(admin): Writer, Path(id): Segment, headers: HeaderMap) -> Answer {
    admin.delete_issuer(&known(&id)?, if_match(&headers)?).await?;
    no_content()
}

pub(super) async fn disable(Writer(admin): Writer, Path(id): Segment) -> Answer {
    set_status(&admin, &id, Status::Disabled).await
}

pub(super) async fn enable(Writer(admin): Writer, Path(id): Segment) -> Answer {
    set_status(&admin, &id, Status::Active).await
}

async fn set_status(admin: &Admin, id: &str, status: Status) -> Answer {
    let issuer = admin.set_issuer_status(&known(id)?, status).await?;
    versioned(StatusCode::OK, &Shown::of(&issuer), issuer.version)
}

/// A token to be explained; no `Debug`, for it is good for use.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    token: String,
    client_id: Option<String>,
}

#[derive(Serialize)]
struct ShownCheck {
    check: String,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<String>,
}

#[derive(Serialize)]
struct ShownMapping {
    client_id: String,
    credential_id: String,
    checks: Vec<ShownCheck>,
}

/// What is said of a token.
#[derive(Serialize)]
struct ShownExplanation {
    accepted: bool,
    issuer: Option<String>,
    external_subject: Option<String>,
    client_id: Option<String>,
    credential_id: Option<String>,
    failed: Vec<String>,
    checks: Vec<ShownCheck>,
    mappings: Vec<ShownMapping>,
}

fn shown(check: Check) -> ShownCheck {
    ShownCheck {
        check: check.name,
        verdict: check.outcome.name(),
        expected: check.expected,
        found: check.found,
    }
}

impl ShownExplanation {
    fn of(explanation: Explanation) -> Self {
        let (client_id, credential_id) = explanation.stands_for.clone().unzip();
        Self {
            accepted: explanation.stands_for.is_some(),
            issuer: explanation.issuer.map(|id| id.to_string()),
            external_subject: explanation.subject,
            client_id: client_id.map(|id| id.as_str().to_owned()),
            credential_id: credential_id.map(|id| id.to_string()),
            failed: explanation.failed,
            checks: explanation.checks.into_iter().map(shown).collect(),
            mappings: explanation
                .mappings
                .into_iter()
                .map(|mapping| ShownMapping {
                    client_id: mapping.client_id.as_str().to_owned(),
                    credential_id: mapping.credential.to_string(),
                    checks: mapping.checks.into_iter().map(shown).collect(),
                })
                .collect(),
        }
    }
}

/// Bytes of a token that is asked about: four times what any may have, so that one that is too long is explained.
const MAX_QUESTION: usize = 64 * 1024;

/// A dry run. It may fetch keys, as every call but GET may do something.
pub(super) async fn explain(Writer(admin): Writer, Json(question): Json<Question>) -> Answer {
    let client = question.client_id.as_deref().map(clients::known).transpose()?;
    if !(1..=MAX_QUESTION).contains(&question.token.len()) {
        return Err(Problem::invalid(format!("token has 1 to {MAX_QUESTION} bytes")));
    }
    let explanation = admin.explain(&question.token, client.as_ref()).await?;
    json(StatusCode::OK, &ShownExplanation::of(explanation))
}

fn known(id: &str) -> Result<IssuerId, Problem> {
    IssuerId::parse(id).ok_or_else(|| Problem::unknown("trusted issuer", id))
}

fn found(admin: &Admin, id: &str) -> Result<Arc<TrustedIssuer>, Problem> {
    admin.registry()?.issuer(id).cloned().ok_or_else(|| Problem::unknown("trusted issuer", id))
}
