//! What a credential is made of, as far as everybody may know it: public keys, names, fingerprints; of a secret where
//! it may be sent and, where another system made it, which hash of it is kept.
//!
//! Enforces: a secret that comes in is never shown, not even by an error that repeats what it could not read.

use std::fmt;

use m2m_proto::client_auth::ClientSecret;
use m2m_proto::client_auth::assertion::TypRule;
use m2m_proto::jose::JwkSet;
use m2m_proto::secret::{Secret, SecretString};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::problem::Problem;
use crate::registry::{AcceptedAudience, Credential, Material, Proof, SecretUse, SlowHash};

/// The members of a shown credential that say what it is made of; those without a value are left out.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct ShownMaterial {
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_use: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    imported_hash: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_dns: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_email: Option<String>,
    #[serde(rename = "certificate_x5t#S256", skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    accept_token_endpoint_audience: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    accept_untyped_assertion: bool,
}

impl ShownMaterial {
    pub(super) fn of(credential: &Credential) -> Self {
        let mut shown = Self {
            accept_token_endpoint_audience: credential.accepted_audience
                == AcceptedAudience::IssuerOrTokenEndpoint,
            accept_untyped_assertion: credential.accepted_typ == TypRule::OrUntyped,
            ..Self::default()
        };
        match &credential.material {
            Material::SecretHash { accepted, .. } => shown.secret_use = Some(accepted.name()),
            Material::ImportedSecret { hash, accepted } => {
                (shown.secret_use, shown.imported_hash) = (Some(accepted.name()), Some(hash.name()));
            }
            Material::PublicKeys(set) => {
                let encoded = JwkSet::encode(set.keys().iter().map(AsRef::as_ref));
                shown.jwks = serde_json::from_slice(&encoded).ok();
            }
            Material::JwksUri(uri) => shown.jwks_uri = Some(uri.as_str().to_owned()),
            Material::CertificateSubject(name) => {
                let place = match name.kind() {
                    "tls_client_auth_san_dns" => &mut shown.subject_dns,
                    "tls_client_auth_san_uri" => &mut shown.subject_uri,
                    "tls_client_auth_san_ip" => &mut shown.subject_ip,
                    "tls_client_auth_san_email" => &mut shown.subject_email,
                    _ => &mut shown.subject,
                };
                *place = Some(name.value());
            }
            Material::Certificate(thumbprint) => shown.certificate = Some(thumbprint.to_text()),
            _ => {}
        }
        shown
    }
}

/// A secret in an order.
pub(crate) struct GivenSecret(SecretString);

impl fmt::Debug for GivenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GivenSecret")
    }
}

impl<'de> Deserialize<'de> for GivenSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The error of a wrong type would repeat the value.
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(Secret::new(text))),
            _ => Err(serde::de::Error::custom("a secret is a text")),
        }
    }
}

/// A secret that another system made, given itself or by its hash.
pub(super) fn imported(
    accepted: SecretUse,
    secret: Option<&GivenSecret>,
    hash: Option<&GivenSecret>,
) -> Result<Proof, Problem> {
    match (secret, hash) {
        (Some(GivenSecret(secret)), None) => {
            ClientSecret::parse(secret.expose())
                .map_err(|error| Problem::invalid(format!("client_secret cannot be used: {error}")))?;
            Ok(Proof::ImportedSecret(secret.clone(), accepted))
        }
        (None, Some(GivenSecret(hash))) => {
            let slow = SlowHash::parse(hash.expose())
                .map_err(|error| Problem::invalid(format!("secret_hash cannot be taken: {error}")))?;
            Ok(Proof::ImportedHash(slow, accepted))
        }
        _ => Err(Problem::invalid("client_secret takes either client_secret or secret_hash, not both")),
    }
}
