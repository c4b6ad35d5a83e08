//! Client authentication methods as choices, and the fields that appear with each.

use m2m_proto::client_auth::ClientAuthMethod;
use serde_json::{Map, Value, json};

use super::field::{Need, of, secret};
use crate::settings::field::{Field, Shape};

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

/// For each method the fields that it needs.
pub(super) fn dependency() -> Value {
    json!({"oneOf": ClientAuthMethod::ALL.map(branch)})
}

fn branch(method: ClientAuthMethod) -> Value {
    let key = Field::ClientAuthMethod.key();
    let mut properties = Map::new();
    properties.insert(key.to_owned(), json!({"enum": [method.as_str()]}));
    let (required, optional) = fields(method);
    for field in required {
        properties.insert(field.key().to_owned(), secret(*field, Need::Required));
    }
    for field in optional {
        let schema = match field.shape() {
            Shape::Secret => secret(*field, Need::Optional),
            _ => of(*field),
        };
        properties.insert(field.key().to_owned(), schema);
    }
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
