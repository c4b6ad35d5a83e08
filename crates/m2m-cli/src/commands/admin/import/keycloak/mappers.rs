//! Protocol mappers: what they put into `aud`, and which have no counterpart; and the key in a certificate.

use m2m_proto::jose::VerifyingKey;
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};

use crate::commands::admin::import::export::{Object, objects, text};

/// Mappers that every service account has; their claims are here in other words or not needed.
const USUAL: [&str; 8] = [
    "Client ID",
    "Client IP Address",
    "Client Host",
    "client roles",
    "realm roles",
    "audience resolve",
    "sub",
    "auth_time",
];

/// The audiences that the mappers of a client or a scope put into access tokens.
pub(super) fn audiences(of: &Object) -> Vec<String> {
    let mut audiences = Vec::new();
    for mapper in objects(of, "protocolMappers").into_iter().filter(|mapper| is_audience(mapper)) {
        let Some(config) = mapper.get("config").and_then(Value::as_object) else { continue };
        if text(config, "access.token.claim") == Some("false") {
            continue;
        }
        // A client that is chosen wins over a text that is typed.
        let audience =
            text(config, "included.client.audience").or_else(|| text(config, "included.custom.audience"));
        audiences.extend(audience.map(str::to_owned));
    }
    audiences
}

fn is_audience(mapper: &Object) -> bool {
    text(mapper, "protocolMapper") == Some("oidc-audience-mapper")
}

/// The names of mappers whose claims are not made here.
pub(super) fn others(client: &Object) -> Vec<&str> {
    let mappers = objects(client, "protocolMappers").into_iter();
    let others = mappers.filter(|mapper| !is_audience(mapper)).filter_map(|mapper| text(mapper, "name"));
    others.filter(|name| !USUAL.contains(name)).collect()
}

/// A JWK set of the public key in a certificate, which Keycloak keeps as Base64 of DER.
pub(super) fn key_of_certificate(base64: &str) -> Option<Value> {
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines(base64));
    let der: CertificateDer<'_> = rustls::pki_types::pem::PemObject::from_pem_slice(pem.as_bytes()).ok()?;
    let parsed = rustls::server::ParsedCertificate::try_from(&der).ok()?;
    let key = VerifyingKey::from_spki_der(&parsed.subject_public_key_info()).ok()?;
    Some(json!({"keys": [Value::Object(key.public_jwk()?.to_public_json())]}))
}

fn lines(base64: &str) -> String {
    let letters: Vec<char> = base64.chars().filter(|letter| !letter.is_whitespace()).collect();
    letters.chunks(64).map(|line| line.iter().collect::<String>()).collect::<Vec<_>>().join("\n")
}
