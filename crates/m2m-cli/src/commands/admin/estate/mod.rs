//! An estate: APIs, trusted issuers, clients and credentials as they shall be, compared with what a server has, and made so.
//!
//! `file` reads one from TOML or JSON, [`super::import`] makes one of another product's export; `plan` compares, purely;
//! `state` asks the server, `carry` tells it, `shown` tells the person.
//!
//! Objects here have the members that the admin API shows, with every default filled in, so that a comparison is one of
//! values. Order counts nowhere.

pub(super) mod carry;
pub(super) mod file;
pub(super) mod plan;
pub(super) mod shown;
pub(super) mod state;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use m2m_authorization_server::federation::ClaimPath;
use m2m_proto::client_auth::mutual_tls::CertificateThumbprint;
use m2m_proto::secret::SecretString;
use serde_json::{Map, Value, json};

/// The members of one object.
pub(super) type Members = Map<String, Value>;

/// What shall be.
#[derive(Debug, Default)]
pub(super) struct Estate {
    pub(super) apis: Vec<WantedApi>,
    pub(super) issuers: Vec<WantedIssuer>,
    pub(super) clients: Vec<WantedClient>,
}

/// An API, by the members of the admin API; see [`api_defaults`].
#[derive(Debug)]
pub(super) struct WantedApi {
    pub(super) identifier: String,
    pub(super) members: Members,
    pub(super) place: Place,
}

/// A trusted issuer, by the members of the admin API; see [`issuer_defaults`].
#[derive(Debug)]
pub(super) struct WantedIssuer {
    pub(super) id: String,
    pub(super) members: Members,
    pub(super) place: Place,
}

/// A client with its credentials.
#[derive(Debug)]
pub(super) struct WantedClient {
    pub(super) id: String,
    pub(super) members: Members,
    pub(super) credentials: Vec<WantedCredential>,
    pub(super) place: Place,
}

/// A credential of a client: one of its label.
#[derive(Debug)]
pub(super) struct WantedCredential {
    pub(super) label: String,
    pub(super) method: String,
    /// What an order for it has, besides label, method and secret.
    pub(super) members: Members,
    /// A secret that another system made, under the name of its member.
    pub(super) given: Option<(&'static str, SecretString)>,
    /// Where a secret goes that the server makes.
    pub(super) secret_file: Option<PathBuf>,
    pub(super) place: Place,
}

impl WantedCredential {
    /// Whether the server makes a secret for it.
    pub(super) fn makes_secret(&self) -> bool {
        self.given.is_none() && matches!(self.method.as_str(), "client_secret" | "client_secret_jwt")
    }
}

/// Where something was written: `estate.toml:12`, or what stands for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place(pub(super) String);

/// What an API has where nothing is said.
pub(super) fn api_defaults(identifier: &str) -> Members {
    members(json!({
        "name": identifier, "scopes": [], "format": "jwt", "lifetime": 600, "alg": "ES256",
        "sender_constraint": "none", "resource_servers": [],
    }))
}

/// What a client has where nothing is said.
pub(super) fn client_defaults(id: &str) -> Members {
    members(json!({
        "name": id, "owner": null, "purpose": null, "review_by": null, "grants": [], "lifetime_cap": null,
        "sender_constraint": "none", "mint_quota": null, "allowed_networks": [], "token_exchange": false,
    }))
}

/// What a trusted issuer has where nothing is said, but for what it calls itself.
pub(super) fn issuer_defaults(id: &str) -> Members {
    members(json!({
        "name": id, "issuer": null, "trust_domain": null, "jwks_url": null, "jwks_file": null, "jwks": null,
        "discovery": null, "ca_file": null, "bearer_file": null, "audiences": [], "max_lifetime": 3600,
        "single_use": false, "conditions": [],
    }))
}

fn members(object: Value) -> Members {
    match object {
        Value::Object(members) => members,
        _ => Members::new(),
    }
}

/// A member as it is compared: lists sorted, scopes and grants with all that they leave open.
pub(super) fn canonical(name: &str, value: &Value) -> Value {
    match (name, value) {
        ("scopes", Value::Array(list)) => sorted(list.iter().map(scope).collect()),
        ("grants", Value::Array(list)) => sorted(list.iter().map(grant).collect()),
        ("jwks", Value::Object(set)) => {
            let keys = set.get("keys").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            sorted(keys.iter().map(public_members).collect())
        }
        ("allowed_networks", Value::Array(list)) => sorted(list.iter().map(network).collect()),
        ("conditions", Value::Array(list)) => sorted(list.iter().map(condition).collect()),
        (_, Value::Array(list)) => sorted(list.clone()),
        _ => value.clone(),
    }
}

fn sorted(mut list: Vec<Value>) -> Value {
    list.sort_by_cached_key(ToString::to_string);
    list.dedup();
    Value::Array(list)
}

/// A scope with its description, which is empty where there is none.
fn scope(value: &Value) -> Value {
    match value {
        Value::String(name) => json!({"scope": name, "description": ""}),
        Value::Object(object) => {
            json!({"scope": object.get("scope"), "description": object.get("description").unwrap_or(&json!(""))})
        }
        other => other.clone(),
    }
}

fn grant(value: &Value) -> Value {
    let list = |name: &str| match value.get(name) {
        Some(Value::Array(list)) => sorted(list.clone()),
        _ => Value::Array(Vec::new()),
    };
    let defaults = match value.get("default_scopes") {
        Some(Value::Array(defaults)) => sorted(defaults.clone()),
        _ => list("scopes"),
    };
    json!({
        "api": value.get("api"), "scopes": list("scopes"), "default_scopes": defaults,
        "roles": list("roles"), "permissions": list("permissions"),
    })
}

/// A condition with its claim as the server writes it: `/a` is `a`. Of several values the order does not count.
fn condition(value: &Value) -> Value {
    let Value::Object(mut condition) = value.clone() else { return value.clone() };
    if let Some(Value::String(claim)) = condition.get_mut("claim")
        && let Ok(path) = ClaimPath::parse(claim)
    {
        *claim = path.to_string();
    }
    if let Some(Value::Array(values)) = condition.get_mut("one_of") {
        values.sort_by_cached_key(ToString::to_string);
    }
    Value::Object(condition)
}

/// What makes a public key and what names it; `alg` and `use` may be left out by one side.
fn public_members(key: &Value) -> Value {
    let named = ["kty", "crv", "x", "y", "n", "e", "kid"];
    let object = key.as_object().into_iter().flatten();
    object
        .filter(|(name, _)| named.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect::<Members>()
        .into()
}

fn network(value: &Value) -> Value {
    let parsed = value.as_str().and_then(|text| text.parse::<m2m_io::Network>().ok());
    parsed.map_or_else(|| value.clone(), |network| Value::from(network.to_string()))
}

/// The material of an ordered credential as the API shows it: of a certificate its thumbprint.
pub(super) fn shown_material(ordered: &Members) -> Members {
    let mut shown = ordered.clone();
    if let Some(Value::String(pem)) = shown.remove("certificate")
        && let Ok(thumbprint) = CertificateThumbprint::of_pem(pem.as_bytes())
    {
        shown.insert("certificate_x5t#S256".to_owned(), Value::from(thumbprint.to_text()));
    }
    shown
}

/// The texts of a list, or what `member` of each object says.
pub(super) fn names<'a>(value: Option<&'a Value>, member: &str) -> Vec<&'a str> {
    let list = value.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    list.iter().filter_map(|one| one.as_str().or_else(|| one.get(member)?.as_str())).collect()
}
