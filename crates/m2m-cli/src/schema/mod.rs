//! A profile as JSON Schema (draft-07), and how a form shows it: the output of `m2m profile schema`.
//!
//! Both are made from the table of fields ([`Field`]), which the parser of `m2m.toml` reads too. Draft-07 because
//! that is what form libraries validate as they come (`@rjsf/validator-ajv8`); nothing newer is needed.
//!
//! What depends on a choice appears with it: the secret with its method, the certificate with mutual TLS. Secrets
//! are references; no member takes a secret. Members that belong to no choice are refused by `propertyNames`.
//!
//! Not stated here: that an issuer can be reached, that a key fits its algorithm. `m2m profile import` reads what
//! this schema allows ([`crate::settings::json`]), and `m2m profile test` tries it.

mod field;
mod form;
mod method;
mod server;

use serde_json::{Map, Value, json};

pub(crate) use field::{capital, choices};
pub(crate) use form::example;
pub use form::ui_schema;

use crate::settings::field::Field;
use crate::settings::json::NAME;

/// The version of JSON Schema that is spoken.
const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// The schema of one profile, as `m2m profile import` takes it.
pub fn schema() -> Value {
    let mut properties = Map::new();
    properties.insert(NAME.to_owned(), name());
    for field in Field::ALL.iter().copied().filter(|field| !is_conditional(*field)) {
        properties.insert(field.key().to_owned(), field::of(field));
    }
    let mut conditions = server::conditions();
    conditions.extend(method::conditions());
    json!({
        "$schema": DRAFT,
        "title": "m2m profile",
        "description": "Everything that a client needs to get access tokens from one place.",
        "type": "object",
        "properties": properties,
        "propertyNames": {"enum": names()},
        "allOf": conditions,
        "definitions": field::definitions(),
    })
}

/// Every key of a profile; variables of providers stand beside the others.
fn names() -> Vec<&'static str> {
    let fields = Field::ALL.iter().filter(|field| **field != Field::Variables).map(|field| field.key());
    [NAME].into_iter().chain(fields).chain(server::variables()).collect()
}

/// Fields that appear only with a choice.
fn is_conditional(field: Field) -> bool {
    server::FIELDS.contains(&field) || method::FIELDS.contains(&field)
}

fn name() -> Value {
    json!({
        "type": "string",
        "title": "Name",
        "description": "What this profile is called: m2m token -p NAME.",
        "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]*$",
    })
}

#[cfg(test)]
mod tests;
