//! Client authentication methods as choices, and the fields that appear with each.

use m2m_proto::client_auth::ClientAuthMethod as M;
use m2m_proto::names::auth_method;
use serde_json::{Map, Value, json};

use super::field::{Need, described, of, secret};
use crate::settings::field::Field;
use crate::settings::provider::FEDERATED;

/// Fields that belong to a method.
pub(super) const FIELDS: &[Field] = &[
    Field::ClientSecret,
    Field::NextClientSecret,
    Field::PrivateKey,
    Field::KeyId,
    Field::Algorithm,
    Field::Certificate,
    Field::CertificateKey,
    Field::WorkloadToken,
    Field::BasicEncoding,
    Field::AssertionAudience,
];

/// Every way to prove who the client is.
pub(super) const ALL: [&str; 8] = [
    M::ClientSecretBasic.as_str(),
    M::ClientSecretPost.as_str(),
    M::ClientSecretJwt.as_str(),
    M::PrivateKeyJwt.as_str(),
    M::TlsClientAuth.as_str(),
    M::SelfSignedTlsClientAuth.as_str(),
    FEDERATED,
    auth_method::NONE,
];

/// One line of what it means.
fn title(method: &str) -> &'static str {
    match M::parse(method) {
        Some(M::ClientSecretBasic) => "Secret in the Authorization header; what most servers expect",
        Some(M::ClientSecretPost) => "Secret in the body of the request; for servers that want it there",
        Some(M::ClientSecretJwt) => "Assertion signed with the secret, which itself is never sent",
        Some(M::PrivateKeyJwt) => "Assertion signed with a private key; the server knows the public one only",
        Some(M::TlsClientAuth) => "Client certificate of an authority that the server trusts",
        Some(M::SelfSignedTlsClientAuth) => "Client certificate that is registered itself",
        None if method == FEDERATED => {
            "Token of the platform that the client runs on; there is nothing to keep"
        }
        None => "Nothing: the grant itself says who asks",
    }
}

/// A choice of these; the first unless another is chosen.
pub(super) fn choice(methods: &[&str]) -> Value {
    let option = |method: &&str| json!({"const": method, "title": title(method)});
    described(
        Field::ClientAuthMethod,
        json!({
            "type": "string",
            "oneOf": methods.iter().map(option).collect::<Vec<_>>(),
            "default": methods.first(),
        }),
    )
}

/// For each method the fields that appear with it.
pub(super) fn conditions() -> Vec<Value> {
    ALL.map(|method| json!({"if": is(method), "then": with(method)})).to_vec()
}

/// Without a provider that says which, any grant may need a key or a token of the platform.
pub(super) fn bare() -> Value {
    let fields = [Field::PrivateKey, Field::KeyId, Field::WorkloadToken];
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.key().to_owned(), of(*field))).collect();
    json!({"if": is(auth_method::NONE), "then": {"properties": properties}})
}

fn is(method: &str) -> Value {
    let key = Field::ClientAuthMethod.key();
    json!({"properties": {key: {"const": method}}, "required": [key]})
}

fn with(method: &str) -> Value {
    let (required, optional) = fields(method);
    let required_of = |field: &Field| (field.key().to_owned(), secret(*field, Need::Required));
    let optional_of = |field: &Field| (field.key().to_owned(), of(*field));
    let properties: Map<String, Value> =
        required.iter().map(required_of).chain(optional.iter().map(optional_of)).collect();
    let required: Vec<&str> = required.iter().map(|field| field.key()).collect();
    json!({"properties": properties, "required": required})
}

/// What a method needs, and what may go with it.
fn fields(method: &str) -> (&'static [Field], &'static [Field]) {
    match M::parse(method) {
        Some(M::ClientSecretBasic) => {
            (&[Field::ClientSecret], &[Field::NextClientSecret, Field::BasicEncoding])
        }
        Some(M::ClientSecretPost) => (&[Field::ClientSecret], &[Field::NextClientSecret]),
        Some(M::ClientSecretJwt) => {
            (&[Field::ClientSecret], &[Field::NextClientSecret, Field::Algorithm, Field::AssertionAudience])
        }
        Some(M::PrivateKeyJwt) => {
            (&[Field::PrivateKey], &[Field::KeyId, Field::Algorithm, Field::AssertionAudience])
        }
        Some(M::TlsClientAuth | M::SelfSignedTlsClientAuth) => {
            (&[Field::Certificate, Field::CertificateKey], &[])
        }
        None if method == FEDERATED => (&[Field::WorkloadToken], &[]),
        None => (&[], &[]),
    }
}
