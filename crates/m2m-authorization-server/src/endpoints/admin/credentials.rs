//! `/clients/{id}/credentials` and `/credentials`: how each instance of a client proves who it is.

mod shown;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use http::{HeaderMap, StatusCode};

use m2m_proto::client_auth::assertion::TypRule;
use m2m_proto::client_auth::mutual_tls::{CertificateThumbprint, SubjectName};
use m2m_proto::jose::JwkSet;
use m2m_proto::time::UnixTime;
use m2m_proto::uri::{EndpointUri, PlainHttp};
use m2m_proto::workload_token::MAX_SUBJECT_BYTES;
use serde::Deserialize;
use serde_json::Value;

use self::shown::{Shown, method};
use super::caller::{Json, Reader, Writer};
use super::clients;
use super::issuers::{self, WireCondition};
use super::material::{GivenSecret, imported};
use super::overlap::Overlap;
use super::page::{Asked, Page};
use super::problem::Problem;
use super::wire::{named, text};
use super::{Answer, Segment, Served, check_match, created, json, versioned};
use crate::Admin;
use crate::admin::{Rotation, longest_life};
use crate::federation::Pattern;
use crate::registry::{
    AcceptedAudience, CreatedCredential, Credential, CredentialId, CredentialSpec, ExternalSubject,
    Federated, IssuerId, Proof, Registration, SecretUse, Status,
};
use crate::store::Usage;

/// How long the old credential goes on unless told otherwise: a day.
const OVERLAP: u64 = 24 * 60 * 60;
/// Ten years: longer is "until revoked", which is the default.
const MAX_SPAN: u64 = 10 * 366 * 24 * 60 * 60;
const MAX_LABEL: usize = 256;
/// Bytes of a certificate in PEM.
const MAX_PEM: usize = 64 * 1024;

/// An order for a credential.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    label: String,
    method: String,
    jwks: Option<Value>,
    jwks_uri: Option<String>,
    subject: Option<String>,
    subject_dns: Option<String>,
    subject_uri: Option<String>,
    subject_ip: Option<String>,
    subject_email: Option<String>,
    certificate: Option<String>,
    secret_use: Option<String>,
    client_secret: Option<GivenSecret>,
    secret_hash: Option<GivenSecret>,
    issuer: Option<String>,
    external_subject: Option<String>,
    conditions: Option<Vec<WireCondition>>,
    expires_in: Option<u64>,
    not_before: Option<u64>,
    #[serde(default)]
    accept_token_endpoint_audience: bool,
    #[serde(default)]
    accept_untyped_assertion: bool,
}

/// An order for a successor.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateOrder {
    overlap: Option<u64>,
    expires_in: Option<u64>,
    jwks: Option<Value>,
    jwks_uri: Option<String>,
    subject: Option<String>,
    subject_dns: Option<String>,
    subject_uri: Option<String>,
    subject_ip: Option<String>,
    subject_email: Option<String>,
    certificate: Option<String>,
}

impl RotateOrder {
    /// What the successor of a credential is made of; `None` where the order says nothing of it.
    fn proof(self, before: &Credential) -> Result<Option<Proof>, Problem> {
        let order = Order {
            label: before.label.clone(),
            method: method(before).to_owned(),
            jwks: self.jwks,
            jwks_uri: self.jwks_uri,
            subject: self.subject,
            subject_dns: self.subject_dns,
            subject_uri: self.subject_uri,
            subject_ip: self.subject_ip,
            subject_email: self.subject_email,
            certificate: self.certificate,
            ..Order::default()
        };
        if order.material().is_empty() { Ok(None) } else { proof(&order).map(Some) }
    }
}

async fn shown(admin: &Admin, state: &Served, id: &CredentialId) -> Result<Shown, Problem> {
    let client = admin.registry()?.credential(id).map(|credential| credential.client_id.clone());
    let client = client.ok_or_else(|| Problem::unknown("credential", id.as_str()))?;
    let usage = admin.usage(&client).await?;
    shown_with(admin, state, id, &usage)
}

/// After a change that was acknowledged: the answer must not fail because the audit is not to be had, least
/// of all one with a secret that cannot be read again.
fn after_change(admin: &Admin, state: &Served, id: &CredentialId) -> Result<Shown, Problem> {
    shown_with(admin, state, id, &Usage::default())
}

fn shown_with(admin: &Admin, state: &Served, id: &CredentialId, usage: &Usage) -> Result<Shown, Problem> {
    let registry = admin.registry()?;
    let unknown = || Problem::unknown("credential", id.as_str());
    let credential = registry.credential(id).ok_or_else(unknown)?;
    let registration = registry.registration(&credential.client_id).ok_or_else(unknown)?;
    let life = longest_life(registration.client(), &registry);
    let now = state.clock.wall();
    let overlaps = Overlap::of(&registry, credential, now);
    Ok(Shown::of(&registry, credential, usage, life, now).with_overlaps(overlaps))
}

pub(super) async fn list(
    Reader(admin): Reader,
    state: Served,
    Path(client): Segment,
    asked: Asked,
) -> Answer {
    let registration = clients::found(&admin, &client)?;
    let registry = admin.registry()?;
    let usage = admin.usage(&registration.client().id).await?;
    let (life, now) = (longest_life(registration.client(), &registry), state.clock.wall());
    // In the order of their creation, which is that of their places in the status lists.
    let place = |credential: &Credential| format!("{:020}", credential.status_index);
    let named = registration.credentials().iter().map(|credential| (place(credential), credential));
    let (items, next) = asked.page(named, |(place, _)| place.as_str());
    let items = items
        .into_iter()
        .map(|(_, credential)| Shown::of(&registry, credential, &usage, life, now))
        .collect();
    json(StatusCode::OK, &Page { items, next })
}

/// Which of all credentials.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Which {
    /// Those that authenticate somebody now or later: neither they nor their clients have ended.
    #[serde(default)]
    standing: bool,
}

/// Those of every client, for whoever looks after all of them and must not ask about each.
pub(super) async fn list_all(
    Reader(admin): Reader,
    state: Served,
    asked: Asked,
    which: Result<Query<Which>, QueryRejection>,
) -> Answer {
    let Query(which) = which.map_err(|error| Problem::bad(error.body_text()))?;
    let registry = admin.registry()?;
    let now = state.clock.wall();
    let stands = |of: &Registration, held: &Credential| {
        of.client().status == Status::Active && !registry.is_void(held, now)
    };
    let all = registry.registrations().flat_map(|one| one.credentials().iter().map(move |held| (one, held)));
    let all = all.filter(|(of, held)| !which.standing || stands(of, held));
    let (page, next) = asked.page(all, |(_, credential)| credential.id.as_str());
    let with_successor = |credential: &Credential| {
        [Some(credential.id.clone()), credential.replaced_by.clone()].into_iter().flatten()
    };
    let ids: Vec<_> = page.iter().flat_map(|(_, credential)| with_successor(credential)).collect();
    let usage = Usage { credentials: admin.last_uses(&ids).await?, ..Usage::default() };
    let shown = |(of, credential): &(&Arc<Registration>, &Arc<Credential>)| {
        Shown::of(&registry, credential, &usage, longest_life(of.client(), &registry), now)
    };
    json(StatusCode::OK, &Page { items: page.iter().map(shown).collect(), next })
}

pub(super) async fn show(Reader(admin): Reader, state: Served, Path(id): Segment) -> Answer {
    let credential = shown(&admin, &state, &known(&id)?).await?;
    versioned(StatusCode::OK, &credential, credential.version)
}

pub(super) async fn create(
    Writer(admin): Writer,
    state: Served,
    Path(client): Segment,
    headers: HeaderMap,
    Json(order): Json<Order>,
) -> Answer {
    let mut spec = spec(&client, &order)?;
    spec.idempotency_key = idempotency_key(&headers)?;
    made(&admin, &state, &admin.create_credential(spec).await?)
}

fn made(admin: &Admin, state: &Served, created_credential: &CreatedCredential) -> Answer {
    let CreatedCredential { id, client_secret, repeated } = created_credential;
    let credential = after_change(admin, state, id)?.with_secret(client_secret.as_ref());
    match repeated {
        true => versioned(StatusCode::OK, &credential, credential.version),
        false => created(&credential, credential.version, &state.0, &format!("/credentials/{}", id.as_str())),
    }
}

pub(super) async fn rotate(
    Writer(admin): Writer,
    state: Served,
    Path(id): Segment,
    headers: HeaderMap,
    Json(order): Json<RotateOrder>,
) -> Answer {
    let overlap = span("overlap", order.overlap.unwrap_or(OVERLAP))?;
    let expires_in = order.expires_in.map(|seconds| span("expires_in", seconds)).transpose()?;
    let id = known(&id)?;
    let registry = admin.registry()?;
    let before = registry.credential(&id).ok_or_else(|| Problem::unknown("credential", id.as_str()))?;
    check_match(&headers, id.as_str(), before.version)?;
    let rotation = Rotation { overlap, expires_in, proof: order.proof(before)? };
    made(&admin, &state, &admin.rotate_credential(&id, rotation).await?)
}

pub(super) async fn revoke(
    Writer(admin): Writer,
    state: Served,
    Path(id): Segment,
    headers: HeaderMap,
) -> Answer {
    let id = known(&id)?;
    if headers.contains_key(http::header::IF_MATCH) {
        let found = admin.registry()?.credential(&id).map(|credential| credential.version);
        let found = found.ok_or_else(|| Problem::unknown("credential", id.as_str()))?;
        check_match(&headers, id.as_str(), found)?;
    }
    let client = admin.revoke_credential(&id).await?.client_id.clone();
    let mut credential = after_change(&admin, &state, &id)?;
    credential.effective = Some(admin.effective_with_exchange(Some(&client))?.into());
    versioned(StatusCode::OK, &credential, credential.version)
}

fn known(id: &str) -> Result<CredentialId, Problem> {
    CredentialId::parse(id).ok_or_else(|| Problem::unknown("credential", id))
}

fn span(what: &str, seconds: u64) -> Result<Duration, Problem> {
    match seconds {
        1..=MAX_SPAN => Ok(Duration::from_secs(seconds)),
        _ => Err(Problem::invalid(format!("{what} is not between 1 second and ten years"))),
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let fine = (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fine {
        Ok(Some(text.to_owned()))
    } else {
        Err(Problem::bad("Idempotency-Key has 1 to 128 printable characters"))
    }
}

fn spec(client: &str, order: &Order) -> Result<CredentialSpec, Problem> {
    if order.label.trim().is_empty() {
        return Err(Problem::invalid("label names the instance and is empty"));
    }
    let label = text("label", order.label.clone(), MAX_LABEL)?;
    let mut spec = CredentialSpec::new(clients::known(client)?, &label, proof(order)?);
    spec.expires_in = order.expires_in.map(|seconds| span("expires_in", seconds)).transpose()?;
    spec.not_before = order.not_before.map(UnixTime::from_seconds);
    if order.accept_token_endpoint_audience {
        spec.accepted_audience = AcceptedAudience::IssuerOrTokenEndpoint;
    }
    if order.accept_untyped_assertion {
        spec.accepted_typ = TypRule::OrUntyped;
    }
    Ok(spec)
}

impl Order {
    /// The members that say what it is made of, by name.
    fn material(&self) -> Vec<&'static str> {
        let given = [
            ("jwks", self.jwks.is_some()),
            ("jwks_uri", self.jwks_uri.is_some()),
            ("subject", self.subject.is_some()),
            ("subject_dns", self.subject_dns.is_some()),
            ("subject_uri", self.subject_uri.is_some()),
            ("subject_ip", self.subject_ip.is_some()),
            ("subject_email", self.subject_email.is_some()),
            ("certificate", self.certificate.is_some()),
            ("secret_use", self.secret_use.is_some()),
            ("issuer", self.issuer.is_some()),
            ("external_subject", self.external_subject.is_some()),
            ("conditions", self.conditions.is_some()),
        ];
        let imported = self.client_secret.is_some() || self.secret_hash.is_some();
        let given = given.into_iter().chain([("imported", imported)]);
        given.filter_map(|(name, given)| given.then_some(name)).collect()
    }
}

/// What each method is made of; what belongs to another method is refused rather than ignored.
fn proof(order: &Order) -> Result<Proof, Problem> {
    let given = order.material();
    let wants = |what: &str| Problem::invalid(format!("{} takes {what}", order.method));
    match (order.method.as_str(), given.as_slice()) {
        ("client_secret", [] | ["secret_use"]) => {
            let accepted = order.secret_use.as_deref().unwrap_or("basic_or_post");
            Ok(Proof::ClientSecret(named("secret_use", accepted, SecretUse::ALL, SecretUse::name)?))
        }
        ("client_secret", ["imported"] | ["secret_use", "imported"]) => {
            let accepted = order.secret_use.as_deref().unwrap_or("basic_or_post");
            let accepted = named("secret_use", accepted, SecretUse::ALL, SecretUse::name)?;
            imported(accepted, order.client_secret.as_ref(), order.secret_hash.as_ref())
        }
        ("client_secret_jwt", []) => Ok(Proof::ClientSecretJwt),
        ("private_key_jwt", ["jwks"]) => {
            key_set(order.jwks.as_ref().unwrap_or(&Value::Null)).map(Proof::PublicKeys)
        }
        ("private_key_jwt", ["jwks_uri"]) => {
            let text = order.jwks_uri.as_deref().unwrap_or_default();
            let wrong = |error: &dyn std::fmt::Display| Problem::invalid(format!("jwks_uri: {error}"));
            let uri = EndpointUri::parse(text).map_err(|error| wrong(&error))?;
            uri.check_transport(PlainHttp::LoopbackOnly).map_err(|error| wrong(&error))?;
            Ok(Proof::JwksUri(uri))
        }
        ("tls_client_auth", [sort]) if sort.starts_with("subject") => {
            subject(order).map(Proof::CertificateSubject)
        }
        ("self_signed_tls_client_auth", ["certificate"]) => {
            certificate(order.certificate.as_deref().unwrap_or_default()).map(Proof::Certificate)
        }
        ("federated", ["issuer", "external_subject"] | ["issuer", "external_subject", "conditions"]) => {
            federated(order).map(Proof::Federated)
        }
        ("federated", _) => Err(wants("issuer and external_subject, and conditions if there are any")),
        ("client_secret", _) => Err(wants("nothing, or secret_use, client_secret or secret_hash")),
        ("client_secret_jwt", _) => Err(wants("nothing")),
        ("private_key_jwt", _) => Err(wants("either jwks or jwks_uri, and nothing else")),
        ("tls_client_auth", _) => Err(wants("exactly one subject, and nothing else")),
        ("self_signed_tls_client_auth", _) => Err(wants("certificate, and nothing else")),
        ("client_secret_basic" | "client_secret_post", _) => {
            Err(Problem::invalid("method client_secret is for both; secret_use pins it to one"))
        }
        (other, _) => {
            let known = "client_secret, client_secret_jwt, private_key_jwt, tls_client_auth, self_signed_tls_client_auth, federated";
            Err(Problem::invalid(format!("method {other:?} is none of {known}")))
        }
    }
}

/// Which workload: a `*` makes a pattern of the subject, which no platform has in a name.
fn federated(order: &Order) -> Result<Federated, Problem> {
    let issuer = order.issuer.as_deref().unwrap_or_default();
    let issuer = IssuerId::parse(issuer)
        .ok_or_else(|| Problem::invalid(format!("issuer: there is no trusted issuer {issuer:?}")))?;
    let text = order.external_subject.clone().unwrap_or_default();
    let wrong = |why: &dyn std::fmt::Display| Problem::invalid(format!("external_subject: {why}"));
    let subject = if text.contains('*') {
        ExternalSubject::Matching(Pattern::parse(&text).map_err(|error| wrong(&error))?)
    } else if (1..=MAX_SUBJECT_BYTES).contains(&text.len()) && !text.chars().any(char::is_control) {
        ExternalSubject::Exact(text)
    } else {
        return Err(wrong(&"it has 1 to 2048 bytes without control characters"));
    };
    let conditions = issuers::conditions(order.conditions.clone().unwrap_or_default())?;
    Ok(conditions.into_iter().fold(Federated::new(issuer, subject), Federated::condition))
}

fn subject(order: &Order) -> Result<SubjectName, Problem> {
    let named = [
        ("tls_client_auth_subject_dn", &order.subject),
        ("tls_client_auth_san_dns", &order.subject_dns),
        ("tls_client_auth_san_uri", &order.subject_uri),
        ("tls_client_auth_san_ip", &order.subject_ip),
        ("tls_client_auth_san_email", &order.subject_email),
    ];
    let given = named.into_iter().find_map(|(kind, value)| Some((kind, value.as_deref()?)));
    let (kind, value) = given.unwrap_or_default();
    if value.is_empty() || value.len() > MAX_LABEL * 4 {
        return Err(Problem::invalid("the subject has 1 to 1024 characters"));
    }
    SubjectName::parse(kind, value).map_err(|error| Problem::invalid(format!("subject {value:?}: {error}")))
}

pub(super) fn key_set(jwks: &Value) -> Result<JwkSet, Problem> {
    let set = JwkSet::decode(jwks.to_string().as_bytes())
        .map_err(|error| Problem::invalid(format!("jwks: {error}")))?;
    if let Some((position, reason)) = set.skipped().first() {
        return Err(Problem::invalid(format!("jwks: key {position} cannot be used: {reason}")));
    }
    if set.keys().is_empty() {
        return Err(Problem::invalid("jwks has no key"));
    }
    Ok(set)
}

fn certificate(pem: &str) -> Result<CertificateThumbprint, Problem> {
    if pem.len() > MAX_PEM {
        return Err(Problem::invalid("certificate has more than 64 KiB"));
    }
    CertificateThumbprint::of_pem(pem.as_bytes())
        .map_err(|error| Problem::invalid(format!("certificate: {error}")))
}
