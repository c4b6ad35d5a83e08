//! One field of a profile as JSON Schema: its shape, its title, its sentence.

use m2m_client::Inspect;
use m2m_proto::client_auth::BasicEncoding;
use m2m_proto::jose::Algorithm;
use m2m_proto::security_profile::SecurityProfile;
use serde_json::{Map, Value, json};

use super::{method, server};
use crate::settings::field::{Field, Shape};
use crate::settings::grant;
use crate::settings::method::Method;
use crate::settings::secret::place;

/// The places where a secret can be, with the title of the place and of its one member.
const PLACES: [(&str, &str, &str); 8] = [
    (place::ENV, "Environment variable", "Variable"),
    (place::FILE, "File", "Path"),
    (place::COMMAND, "What a program prints", "Program and arguments"),
    (place::SYSTEMD, "Credential of the systemd unit", "Credential"),
    (place::KEYRING, "Entry of the system's keyring", "Entry"),
    (place::KUBERNETES, "Service account token of Kubernetes", "Path"),
    (place::GITHUB_ACTIONS, "Token of a GitHub Actions job", "Audience"),
    (place::SPIFFE, "JWT-SVID", "Path"),
];

/// In the order of a choice: for secrets a variable is the usual place, for keys a file.
const SECRETS: [&str; 5] = [place::ENV, place::FILE, place::COMMAND, place::SYSTEMD, place::KEYRING];
const KEYS: [&str; 5] = [place::FILE, place::ENV, place::COMMAND, place::SYSTEMD, place::KEYRING];
const WORKLOADS: [&str; 5] =
    [place::KUBERNETES, place::GITHUB_ACTIONS, place::SPIFFE, place::FILE, place::COMMAND];

/// A span of time, as `m2m.toml` takes it as text.
const TIME: &str = "^[0-9]+ *(ms|s|m|h|d)?$";

/// Whether a form may leave a secret out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// It must be named.
    Required,
    /// "None" is the first choice.
    Optional,
}

/// The schema of a field that may be left out.
pub(super) fn of(field: Field) -> Value {
    described(field, &shape(field))
}

/// The schema of a secret.
pub(super) fn secret(field: Field, need: Need) -> Value {
    described(field, &json!({"oneOf": references(field, need)}))
}

/// What the references point at.
pub(super) fn definitions() -> Value {
    let definition = |(key, title, member): &(&str, &str, &str)| {
        let place = match *key {
            place::COMMAND => json!({"type": "array", "items": text(), "minItems": 1, "title": member,
                                "description": "One word for each argument; no shell reads them."}),
            place::ENV => json!({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "title": member}),
            _ => json!({"type": "string", "minLength": 1, "title": member}),
        };
        let schema = json!({"type": "object", "title": title, "properties": {*key: place},
                            "required": [key], "additionalProperties": false});
        ((*key).to_owned(), schema)
    };
    PLACES.iter().map(definition).collect()
}

pub(super) fn described(field: Field, shape: &Value) -> Value {
    let mut schema = Map::new();
    schema.insert("title".to_owned(), field.title().into());
    schema.insert("description".to_owned(), field.help().into());
    schema.extend(shape.as_object().cloned().unwrap_or_default());
    schema.into()
}

/// The values that a field can have, where they are few; methods and providers have a choice of their own.
pub(crate) fn choices(field: Field) -> Vec<String> {
    match field {
        Field::ClientAuthMethod | Field::Provider => Vec::new(),
        field => {
            let known = shape(field)["enum"].as_array().cloned().unwrap_or_default();
            known.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
        }
    }
}

fn shape(field: Field) -> Value {
    match (field, field.shape()) {
        (Field::ClientAuthMethod, _) => method::choice(&Method::ALL),
        (Field::Provider, _) => server::choice(),
        (Field::Algorithm, _) => json!({"type": "string", "enum": Algorithm::ALL.map(Algorithm::name)}),
        (Field::BasicEncoding, _) => {
            json!({"type": "string", "enum": BasicEncoding::ALL.map(BasicEncoding::as_str)})
        }
        (Field::Inspect, _) => json!({"type": "string", "enum": Inspect::ALL.map(Inspect::as_str)}),
        (Field::SecurityProfile, _) => {
            json!({"type": "string", "enum": SecurityProfile::ALL.map(SecurityProfile::name)})
        }
        (Field::Grant, _) => json!({"type": "string", "enum": grant::ALL}),
        (Field::Issuer | Field::TokenUrl | Field::IntrospectionUrl | Field::RevocationUrl, _) => {
            json!({"type": "string", "format": "uri", "pattern": "^https?://"})
        }
        (_, Shape::Text | Shape::Path) => text(),
        (_, Shape::List) => json!({"type": "array", "items": text(), "uniqueItems": true}),
        (_, Shape::Time) => json!({"type": "string", "pattern": TIME}),
        (_, Shape::Switch) => json!({"type": "boolean"}),
        (_, Shape::Pairs) => json!({"type": "object", "additionalProperties": text()}),
        (_, Shape::Secret) => json!({"oneOf": references(field, Need::Optional)}),
        (_, Shape::KeyOrEphemeral) => {
            let mut choices = references(field, Need::Optional);
            choices.insert(1, json!({"const": "ephemeral", "title": "A fresh key for each run"}));
            json!({"oneOf": choices})
        }
    }
}

/// The text as a title begins.
pub(crate) fn capital(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

pub(super) fn text() -> Value {
    json!({"type": "string", "minLength": 1})
}

fn references(field: Field, need: Need) -> Vec<Value> {
    let none = (need == Need::Optional).then(|| json!({"type": "null", "title": "None"}));
    let places = match field {
        Field::ClientSecret | Field::NextClientSecret => SECRETS,
        Field::WorkloadToken => WORKLOADS,
        _ => KEYS,
    };
    none.into_iter().chain(places.map(|key| json!({"$ref": format!("#/definitions/{key}")}))).collect()
}
