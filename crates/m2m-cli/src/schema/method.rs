//! Client authentication methods as choices, and the fields that appear with each.

use serde_json::{Map, Value, json};

use super::field::{Need, capital, described, of, secret};
use crate::settings::field::Field;
use crate::settings::method::Method;

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

/// A choice of these; the first unless another is chosen.
pub(super) fn choice(methods: &[Method]) -> Value {
    let option = |method: &Method| json!({"const": method.as_str(), "title": capital(method.title())});
    described(
        Field::ClientAuthMethod,
        &json!({
            "type": "string",
            "oneOf": methods.iter().map(option).collect::<Vec<_>>(),
            "default": methods.first().map(|method| method.as_str()),
        }),
    )
}

/// For each method the fields that appear with it.
pub(super) fn conditions() -> Vec<Value> {
    Method::ALL.map(|method| json!({"if": is(method), "then": with(method)})).to_vec()
}

/// Without a provider that says which, any grant may need a key or a token of the platform.
pub(super) fn bare() -> Value {
    let fields = [Field::PrivateKey, Field::KeyId, Field::WorkloadToken];
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.key().to_owned(), of(*field))).collect();
    json!({"if": is(Method::None), "then": {"properties": properties}})
}

fn is(method: Method) -> Value {
    let key = Field::ClientAuthMethod.key();
    json!({"properties": {key: {"const": method.as_str()}}, "required": [key]})
}

fn with(method: Method) -> Value {
    let required_of = |field: &Field| (field.key().to_owned(), secret(*field, Need::Required));
    let optional_of = |field: &Field| (field.key().to_owned(), of(*field));
    let (required, optional) = (method.needs(), method.optional());
    let properties: Map<String, Value> =
        required.iter().map(required_of).chain(optional.iter().map(optional_of)).collect();
    let required: Vec<&str> = required.iter().map(|field| field.key()).collect();
    json!({"properties": properties, "required": required})
}
