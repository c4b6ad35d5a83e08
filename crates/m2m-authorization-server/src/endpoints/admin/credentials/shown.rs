//! A credential as the admin API shows it.

use std::time::Duration;

use m2m_proto::client_auth::assertion::TypRule;
use m2m_proto::jose::Algorithm;
use m2m_proto::secret::SecretString;
use m2m_proto::time::UnixTime;
use serde::Serialize;

use super::super::issuers::WireCondition;
use super::super::material::ShownMaterial;
use super::super::overlap::Overlap;
use super::super::wire::WireEffective;
use crate::admin::Removal;
use crate::registry::{AcceptedAudience, Credential, CredentialId, Material, Registry};
use crate::store::Usage;

/// A credential as it is shown, with its secret once: no `Debug`.
#[derive(Serialize)]
pub(super) struct Shown {
    id: String,
    client_id: String,
    label: String,
    method: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    algs: Option<Vec<&'static str>>,
    accepted_audience: &'static str,
    accepted_typ: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conditions: Option<Vec<WireCondition>>,
    created_at: u64,
    not_before: u64,
    expires_at: Option<u64>,
    last_used_at: Option<u64>,
    last_used_address: Option<String>,
    status: &'static str,
    replaces: Option<String>,
    replaced_by: Option<String>,
    safe_to_remove: bool,
    safe_to_remove_because: &'static str,
    pub(super) version: u64,
    #[serde(flatten)]
    material: ShownMaterial,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) effective: Option<WireEffective>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    overlaps: Vec<Overlap>,
}

/// The name of a method here: a secret is one credential for two methods.
pub(super) fn method(credential: &Credential) -> &'static str {
    match credential.material {
        Material::SecretHash { .. } | Material::ImportedSecret { .. } => "client_secret",
        Material::Federated(_) => "federated",
        _ => credential.method().as_str(),
    }
}

/// What the registered keys can sign with; `None` where there are none here.
fn algorithms(credential: &Credential) -> Option<Vec<&'static str>> {
    let Material::PublicKeys(set) = &credential.material else { return None };
    let signs = |algorithm: &Algorithm| set.keys().iter().any(|key| key.allows(*algorithm));
    Some(Algorithm::ALL.into_iter().filter(signs).map(Algorithm::name).collect())
}

impl Shown {
    pub(super) fn of(
        registry: &Registry,
        credential: &Credential,
        usage: &Usage,
        life: Duration,
        now: UnixTime,
    ) -> Self {
        let successor = credential.replaced_by.as_ref().and_then(|next| registry.credential(next));
        let removal = Removal::of(credential, successor.map(AsRef::as_ref), usage, life, now);
        let last = usage.credentials.get(&credential.id);
        let name = |id: &CredentialId| id.as_str().to_owned();
        let mapping = match &credential.material {
            Material::Federated(mapping) => Some(mapping),
            _ => None,
        };
        Self {
            issuer: mapping.map(|mapping| mapping.issuer.to_string()),
            external_subject: mapping.map(|mapping| mapping.subject.as_str().to_owned()),
            conditions: mapping.map(|mapping| mapping.conditions.iter().map(WireCondition::of).collect()),
            id: name(&credential.id),
            client_id: credential.client_id.as_str().to_owned(),
            label: credential.label.clone(),
            method: method(credential),
            algs: algorithms(credential),
            accepted_audience: match credential.accepted_audience {
                AcceptedAudience::Issuer => "issuer",
                AcceptedAudience::IssuerOrTokenEndpoint => "issuer_or_token_endpoint",
            },
            accepted_typ: match credential.accepted_typ {
                TypRule::Explicit => "explicit",
                TypRule::OrUntyped => "or_untyped",
            },
            client_secret: None,
            created_at: credential.created_at.seconds(),
            not_before: credential.not_before.seconds(),
            expires_at: credential.expires_at.map(UnixTime::seconds),
            last_used_at: last.map(|last| last.at.seconds()),
            last_used_address: last.and_then(|last| last.address).map(|address| address.to_string()),
            status: credential.status.name(),
            replaces: credential.replaces.as_ref().map(name),
            replaced_by: credential.replaced_by.as_ref().map(name),
            safe_to_remove: removal.is_safe(),
            safe_to_remove_because: removal.because(),
            version: credential.version,
            material: ShownMaterial::of(credential),
            effective: None,
            overlaps: Vec::new(),
        }
    }

    pub(super) fn with_overlaps(mut self, overlaps: Vec<Overlap>) -> Self {
        self.overlaps = overlaps;
        self
    }

    pub(super) fn with_secret(mut self, secret: Option<&SecretString>) -> Self {
        self.client_secret = secret.map(|secret| secret.expose().clone());
        self
    }
}
