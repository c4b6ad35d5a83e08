//! Client authentication methods as choices, and the fields that appear with each.

use m2m_proto::client_auth::ClientAuthMethod;
use serde_json::{Map, Value, json};

use super::field::{Need, of, secret};
use crate::settings::field::Field;

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

/// The method with one line of what it means.
fn title(method: ClientAuthMethod) -> &'static str {
    use ClientAuthMethod as M;
    match method {
        M::ClientSecretBasic => "Secret in the Authorization header; what most servers expect",
        M::ClientSecretPost => "Secret in the body of the request; for servers that want it there",
        M::ClientSecretJwt => "Assertion signed with the secret, which itself is never sent",
        M::PrivateKeyJwt => "Assertion signed with a private key; the server knows the public one only",
        M::TlsClientAuth => "Client certificate of an authority that the server trusts",
        M::SelfSignedTlsClientAuth => "Client certificate that is registered itself",
    }
}

/// All methods; Basic unless another is chosen.
pub(super) fn choice() -> Value {
    let option = |method: ClientAuthMethod| json!({"const": method.as_str(), "title": title(method)});
    json!({
        "type": "string",
        "oneOf": ClientAuthMethod::ALL.map(option),
        "default": ClientAuthMethod::ClientSecretBasic.as_str(),
    })
}

/// For each method the fields that appear with it.
pub(super) fn conditions() -> Vec<Value> {
    let condition = |method: ClientAuthMethod| {
        let key = Field::ClientAuthMethod.key();
        json!({"if": {"properties": {key: {"const": method.as_str()}}, "required": [key]}, "then": with(method)})
    };
    ClientAuthMethod::ALL.map(condition).to_vec()
}

fn with(method: ClientAuthMethod) -> Value {
    let (required, optional) = fields(method);
    let required_of = |field: &Field| (field.key().to_owned(), secret(*field, Need::Required));
    let optional_of = |field: &Field| (field.key().to_owned(), of(*field));
    let properties: Map<String, Value> =
        required.iter().map(required_of).chain(optional.iter().map(optional_of)).collect();
    let required: Vec<&str> = required.iter().map(|field| field.key()).collect();
    json!({"properties": properties, "required": required})
}

/// What a method needs, and what may go with it.
fn fields(method: ClientAuthMethod) -> (&'static [Field], &'static [Field]) {
    use ClientAuthMethod as M;
    match method {
        M::ClientSecretBasic => (&[Field::ClientSecret], &[Field::NextClientSecret, Field::BasicEncoding]),
        M::ClientSecretPost => (&[Field::ClientSecret], &[Field::NextClientSecret]),
        M::ClientSecretJwt => {
            (&[Field::ClientSecret], &[Field::NextClientSecret, Field::Algorithm, Field::AssertionAudience])
        }
        // A workload token stands for the key: somebody else signed it.
        M::PrivateKeyJwt => (
            &[],
            &[
                Field::PrivateKey,
                Field::WorkloadToken,
                Field::KeyId,
                Field::Algorithm,
                Field::AssertionAudience,
            ],
        ),
        M::TlsClientAuth | M::SelfSignedTlsClientAuth => (&[Field::Certificate, Field::CertificateKey], &[]),
    }
}
