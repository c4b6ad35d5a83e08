//! Credentials as they are stored. No secret is among the members: hashes, sealed bytes, public keys.

use std::sync::Arc;

use m2m_proto::client_auth::assertion::TypRule;
use m2m_proto::client_auth::mutual_tls::{CertificateThumbprint, SubjectName};
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::{JwkSet, base64url};
use m2m_proto::time::UnixTime;
use m2m_proto::uri::EndpointUri;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::issuer::StoredMapping;
use super::{bytes, status};
use crate::registry::{
    AcceptedAudience, Credential, CredentialId, ImportedHash, Material, SecretUse, SlowHash,
};

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum StoredMaterial {
    SecretHash { hash: String, accepted: String },
    ImportedSlow { hash: String, accepted: String },
    ImportedKeyed { hash: String, accepted: String },
    SealedSecret { nonce: String, sealed: String },
    PublicKeys { jwks: Value },
    JwksUri { uri: String },
    CertificateSubject { sort: String, value: String },
    Certificate { thumbprint: String },
    Federated { mapping: StoredMapping },
}

#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    id: String,
    client_id: String,
    label: String,
    material: StoredMaterial,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    token_endpoint_audience: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    untyped_assertion: bool,
    created_at: u64,
    not_before: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    status: String,
    status_index: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaces: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaced_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    idempotency: Option<String>,
    version: u64,
}

impl Stored {
    pub(super) fn of(credential: &Credential) -> Self {
        let name = |id: &CredentialId| id.as_str().to_owned();
        Self {
            id: name(&credential.id),
            client_id: credential.client_id.as_str().to_owned(),
            label: credential.label.clone(),
            material: StoredMaterial::of(&credential.material),
            token_endpoint_audience: credential.accepted_audience == AcceptedAudience::IssuerOrTokenEndpoint,
            untyped_assertion: credential.accepted_typ == TypRule::OrUntyped,
            created_at: credential.created_at.millis(),
            not_before: credential.not_before.millis(),
            expires_at: credential.expires_at.map(UnixTime::millis),
            status: credential.status.name().to_owned(),
            status_index: credential.status_index,
            replaces: credential.replaces.as_ref().map(name),
            replaced_by: credential.replaced_by.as_ref().map(name),
            idempotency: credential.idempotency.map(base64url::encode),
            version: credential.version,
        }
    }

    pub(super) fn restore(self) -> Option<Credential> {
        let name = |id: Option<String>| match id {
            None => Some(None),
            Some(id) => CredentialId::parse(&id).map(Some),
        };
        let idempotency = match self.idempotency {
            None => None,
            Some(text) => Some(bytes(&text)?),
        };
        let created_at = UnixTime::from_millis(self.created_at);
        let (id, client_id) = (CredentialId::parse(&self.id)?, ClientId::parse(&self.client_id).ok()?);
        let created = Credential::new(id, client_id, self.material.restore()?, created_at);
        Some(Credential {
            label: self.label,
            accepted_audience: match self.token_endpoint_audience {
                true => AcceptedAudience::IssuerOrTokenEndpoint,
                false => AcceptedAudience::Issuer,
            },
            accepted_typ: if self.untyped_assertion { TypRule::OrUntyped } else { TypRule::Explicit },
            not_before: UnixTime::from_millis(self.not_before),
            expires_at: self.expires_at.map(UnixTime::from_millis),
            status: status(&self.status)?,
            status_index: self.status_index,
            replaces: name(self.replaces)?,
            replaced_by: name(self.replaced_by)?,
            idempotency,
            version: self.version,
            ..created
        })
    }
}

impl StoredMaterial {
    fn of(material: &Material) -> Self {
        match material {
            Material::SecretHash { hash, accepted } => {
                Self::SecretHash { hash: base64url::encode(hash), accepted: accepted.name().to_owned() }
            }
            Material::ImportedSecret { hash: ImportedHash::Slow(slow), accepted } => {
                Self::ImportedSlow { hash: slow.as_str().to_owned(), accepted: accepted.name().to_owned() }
            }
            Material::ImportedSecret { hash: ImportedHash::Keyed(hash), accepted } => {
                Self::ImportedKeyed { hash: base64url::encode(hash), accepted: accepted.name().to_owned() }
            }
            Material::SealedSecret { nonce, sealed } => {
                Self::SealedSecret { nonce: base64url::encode(nonce), sealed: base64url::encode(sealed) }
            }
            Material::PublicKeys(set) => {
                let encoded = JwkSet::encode(set.keys().iter().map(AsRef::as_ref));
                Self::PublicKeys { jwks: serde_json::from_slice(&encoded).unwrap_or_default() }
            }
            Material::JwksUri(uri) => Self::JwksUri { uri: uri.as_str().to_owned() },
            Material::CertificateSubject(name) => {
                Self::CertificateSubject { sort: name.kind().to_owned(), value: name.value() }
            }
            Material::Certificate(thumbprint) => Self::Certificate { thumbprint: thumbprint.to_text() },
            Material::Federated(mapping) => Self::Federated { mapping: StoredMapping::of(mapping) },
        }
    }

    fn restore(self) -> Option<Material> {
        Some(match self {
            Self::SecretHash { hash, accepted } => {
                Material::SecretHash { hash: bytes(&hash)?, accepted: secret_use(&accepted)? }
            }
            Self::ImportedSlow { hash, accepted } => Material::ImportedSecret {
                hash: ImportedHash::Slow(SlowHash::parse(&hash).ok()?),
                accepted: secret_use(&accepted)?,
            },
            Self::ImportedKeyed { hash, accepted } => Material::ImportedSecret {
                hash: ImportedHash::Keyed(bytes(&hash)?),
                accepted: secret_use(&accepted)?,
            },
            Self::SealedSecret { nonce, sealed } => {
                Material::SealedSecret { nonce: bytes(&nonce)?, sealed: base64url::decode(&sealed).ok()? }
            }
            Self::PublicKeys { jwks } => {
                Material::PublicKeys(Arc::new(JwkSet::decode(jwks.to_string().as_bytes()).ok()?))
            }
            Self::JwksUri { uri } => Material::JwksUri(EndpointUri::parse(&uri).ok()?),
            Self::CertificateSubject { sort, value } => {
                Material::CertificateSubject(SubjectName::parse(&sort, &value).ok()?)
            }
            Self::Federated { mapping } => Material::Federated(Arc::new(mapping.restore()?)),
            Self::Certificate { thumbprint } => {
                Material::Certificate(CertificateThumbprint::parse(&thumbprint).ok()?)
            }
        })
    }
}

fn secret_use(name: &str) -> Option<SecretUse> {
    SecretUse::ALL.into_iter().find(|own| own.name() == name)
}
