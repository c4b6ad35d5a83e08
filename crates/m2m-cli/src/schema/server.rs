//! Where tokens come from: a provider of the catalogue with its variables and methods, or an issuer, or a token
//! endpoint.

use m2m_client::provider::{self, Provider, Variable, VariableKind};
use m2m_proto::names::auth_method;
use serde_json::{Map, Value, json};

use super::field::Need;
use super::{field, method};
use crate::settings::field::Field;
use crate::settings::grant;
use crate::settings::method::Method;

/// Fields that appear only with a choice of the server.
pub(super) const FIELDS: &[Field] =
    &[Field::Variables, Field::Issuer, Field::TokenUrl, Field::ClientAuthMethod];

/// Providers that give tokens.
fn usable() -> impl Iterator<Item = &'static Provider> {
    provider::all().iter().filter(|provider| provider.is_usable())
}

/// Names of all variables, which are keys of a profile; each once.
pub(super) fn variables() -> Vec<&'static str> {
    let mut names: Vec<&str> =
        usable().flat_map(|provider| &provider.variables).map(|variable| variable.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Providers in the order of their names.
fn by_name() -> Vec<&'static Provider> {
    let mut providers: Vec<&Provider> = usable().collect();
    providers.sort_by_key(|provider| provider.name.to_lowercase());
    providers
}

/// The choice of a provider. An enumeration, because form libraries choose the first of several constants by
/// themselves.
pub(super) fn choice() -> Value {
    let ids: Vec<&str> = by_name().iter().map(|provider| provider.id.as_str()).collect();
    json!({"type": "string", "enum": ids})
}

/// How the choices are called, in the same order.
pub(super) fn titles() -> Vec<&'static str> {
    by_name().iter().map(|provider| provider.name.as_str()).collect()
}

/// What appears with a provider, and without one.
pub(super) fn conditions() -> Vec<Value> {
    let key = Field::Provider.key();
    let with = |provider: &'static Provider| json!({"if": {"properties": {key: {"const": provider.id}}, "required": [key]}, "then": of(provider)});
    let without = json!({"if": {"required": [key]}, "else": elsewhere()});
    [without].into_iter().chain(usable().map(with)).collect()
}

/// Without a provider any method may be right. The issuer or else the token endpoint is named; when neither is
/// there, the issuer is the one that is missed.
fn elsewhere() -> Value {
    let (issuer, token_url) = (Field::Issuer.key(), Field::TokenUrl.key());
    json!({
        "properties": {issuer: field::of(Field::Issuer), Field::ClientAuthMethod.key(): method::choice(&Method::ALL)},
        "required": [Field::ClientId.key()],
        "if": {"required": [issuer]},
        "else": {
            "properties": {token_url: field::of(Field::TokenUrl)},
            "if": {"required": [token_url]},
            "else": {"required": [issuer]},
        },
        "allOf": [method::bare()],
    })
}

fn of(provider: &'static Provider) -> Value {
    let mut properties: Map<String, Value> =
        provider.variables.iter().map(|variable| (variable.name.clone(), gap(variable))).collect();
    let methods: Vec<Method> = provider.auth.methods.iter().filter_map(|name| Method::parse(name)).collect();
    properties.insert(Field::ClientAuthMethod.key().to_owned(), method::choice(&methods));
    let needed = provider.variables.iter().filter(|variable| variable.default.is_none());
    let mut required: Vec<&str> = needed.map(|variable| variable.name.as_str()).collect();
    // What the grant itself needs, whatever the client shows besides, and what may go with it.
    let grant = grant::of(provider);
    for field in grant::needs(grant) {
        required.push(field.key());
        properties.insert(field.key().to_owned(), field::secret(*field, Need::Required));
    }
    properties.extend(grant::optional(grant).iter().map(|field| (field.key().to_owned(), field::of(*field))));
    required.extend(asked(provider).map(Field::key));
    let params = &provider.request.required_params;
    if !params.is_empty() {
        required.push(Field::Params.key());
        let each: Map<String, Value> = params.iter().map(|name| (name.clone(), field::text())).collect();
        properties.insert(Field::Params.key().to_owned(), json!({"properties": each, "required": params}));
    }
    json!({"properties": properties, "required": required})
}

/// What else the service asks for.
fn asked(provider: &Provider) -> impl Iterator<Item = Field> {
    let request = &provider.request;
    let is_named = provider.signs() || provider.auth.methods.iter().any(|method| method != auth_method::NONE);
    let conditions = [
        (is_named, Field::ClientId),
        (request.audience_required, Field::Audience),
        (request.resource_required, Field::Resource),
        (request.scope_required && request.scopes.is_empty(), Field::Scopes),
    ];
    conditions.into_iter().filter(|(is_required, _)| *is_required).map(|(_, field)| field)
}

/// A variable. A host may be pasted as a URL, which its pattern does not know; the importer forgives that.
fn gap(variable: &Variable) -> Value {
    let mut schema = json!({
        "type": "string",
        "title": field::capital(&variable.name.replace('_', " ")),
        "description": format!("{}, such as {}.", field::capital(&variable.help), variable.example),
        "minLength": 1,
    });
    if let Some(pattern) = &variable.pattern {
        schema["pattern"] = match variable.kind {
            VariableKind::Host => format!("^(https?://)?({pattern})(:[0-9]+)?/?$").into(),
            VariableKind::Text => format!("^({pattern})$").into(),
        };
    }
    if let Some(default) = &variable.default {
        schema["default"] = default.as_str().into();
    }
    schema
}
