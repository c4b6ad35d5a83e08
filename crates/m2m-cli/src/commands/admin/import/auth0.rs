//! Auth0: clients, resource servers and client grants, in one file (the Deploy CLI's `tenant.yaml` as JSON) or in the
//! files that `auth0 apps list`, `auth0 apis list` and the Management API give.
//!
//! A client has its secret where it was exported with it (`--reveal-secrets`, or a token with `read:client_keys`).
//! Grants of the Deploy CLI may name a client by its name.

use serde_json::Value;

use super::drawn::{Draft, Drawn, Exported, Given};
use super::export::{Object, is_true, number, objects, text, words};
use crate::exit::Failure;

const ALGORITHMS: [&str; 4] = ["RS256", "PS256", "ES256", "EdDSA"];
/// The longest life of a token here.
const MAX_LIFE: u64 = 24 * 60 * 60;

/// All parts of an export, wherever they stood.
#[derive(Default)]
struct Parts<'a> {
    apis: Vec<&'a Object>,
    clients: Vec<&'a Object>,
    grants: Vec<&'a Object>,
}

/// Draws the machines of Auth0.
///
/// # Errors
/// Exit 3: the exports have no clients.
pub(super) fn draw(exports: &[Value], drawn: &mut Drawn) -> Result<(), Failure> {
    let mut parts = Parts::default();
    for export in exports {
        match export {
            Value::Array(list) => list.iter().filter_map(Value::as_object).for_each(|one| parts.sort(one)),
            Value::Object(object) => parts.of_object(object),
            _ => {}
        }
    }
    if parts.clients.is_empty() {
        return Err(Failure::configuration("the files have no clients of Auth0")
            .hint("auth0 apps list --reveal-secrets --json > clients.json"));
    }
    parts.apis.iter().for_each(|one| api(one, drawn));
    for one in &parts.clients {
        client(one, &parts.grants, drawn);
    }
    Ok(())
}

impl<'a> Parts<'a> {
    fn of_object(&mut self, object: &'a Object) {
        for (camel, snake) in [
            ("resourceServers", "resource_servers"),
            ("clients", "clients"),
            ("clientGrants", "client_grants"),
        ] {
            let member = if object.contains_key(camel) { camel } else { snake };
            let list = objects(object, member);
            match camel {
                "resourceServers" => self.apis.extend(list),
                "clients" => self.clients.extend(list),
                _ => self.grants.extend(list),
            }
        }
    }

    /// An entry of a list that does not say what it is a list of.
    fn sort(&mut self, one: &'a Object) {
        if one.contains_key("identifier") {
            self.apis.push(one);
        } else if one.contains_key("audience") {
            self.grants.push(one);
        } else {
            self.clients.push(one);
        }
    }
}

fn api(one: &Object, drawn: &mut Drawn) {
    let Some(identifier) = text(one, "identifier") else { return };
    if is_true(one, "is_system") || identifier.ends_with(".auth0.com/api/v2/") {
        return drawn.lost(identifier, "it is the API of Auth0 itself");
    }
    if drawn.api(identifier).is_none() {
        return;
    }
    for scope in objects(one, "scopes") {
        let description = text(scope, "description").unwrap_or_default();
        drawn.scope(identifier, text(scope, "value").unwrap_or_default(), description);
    }
    if let Some(name) = text(one, "name") {
        drawn.set(identifier, "name", name);
    }
    match text(one, "signing_alg") {
        Some(algorithm) if ALGORITHMS.contains(&algorithm) => drawn.set(identifier, "alg", algorithm),
        Some(other) => {
            drawn.lost(identifier, format!("signing_alg {other}: its tokens are signed with ES256 here"));
        }
        None => drawn.set(identifier, "alg", "RS256"),
    }
    lifetime(one, identifier, drawn);
    bound(one, identifier, drawn);
    if matches!(text(one, "token_dialect"), Some("access_token_authz" | "rfc9068_profile_authz")) {
        drawn.lost(identifier, "permissions in tokens (RBAC) come from users; a machine's go into its grant");
    }
    if one.get("token_encryption").is_some_and(|value| !value.is_null()) {
        drawn.lost(identifier, "token_encryption: tokens are signed here, not encrypted");
    }
}

fn lifetime(one: &Object, identifier: &str, drawn: &mut Drawn) {
    let Some(seconds) = number(one, "token_lifetime").filter(|seconds| *seconds > 0) else { return };
    if seconds > MAX_LIFE {
        drawn.lost(identifier, format!("token_lifetime {seconds}: at most 86400 s here"));
    }
    drawn.set(identifier, "lifetime", seconds.min(MAX_LIFE));
}

fn bound(one: &Object, identifier: &str, drawn: &mut Drawn) {
    let Some(proof) = one.get("proof_of_possession").and_then(Value::as_object) else { return };
    let mechanism = text(proof, "mechanism").unwrap_or_default();
    match (is_true(proof, "required"), mechanism) {
        (true, "dpop" | "mtls") => drawn.set(identifier, "sender_constraint", mechanism),
        _ => drawn.lost(
            identifier,
            format!("proof_of_possession {mechanism}, not required: clients may bind theirs"),
        ),
    }
}

fn client(one: &Object, grants: &[&Object], drawn: &mut Drawn) {
    let name = text(one, "name").unwrap_or("a client");
    let Some(id) = text(one, "client_id") else {
        return drawn.skip(name, "the export has no client_id: a0deploy export --export_ids=true");
    };
    let types = words(one, "grant_types");
    let machine = match types.is_empty() {
        true => text(one, "app_type") == Some("non_interactive"),
        false => types.iter().any(|grant| grant == "client_credentials"),
    };
    if is_true(one, "global") || !machine {
        let why = text(one, "app_type").unwrap_or("its grants have no client_credentials");
        return drawn.skip(id, format!("no machine: {name} ({why})"));
    }
    let Some(mut draft) = drawn.client(id) else { return };
    draft.say("name", Some(name));
    draft.say("purpose", text(one, "description"));
    granted(&mut draft, name, grants, drawn);
    credential(one, &mut draft, drawn);
    let others: Vec<&str> =
        types.iter().map(String::as_str).filter(|grant| *grant != "client_credentials").collect();
    if !others.is_empty() {
        drawn.lost(id, format!("its other grants: {}", others.join(", ")));
    }
    for member in ["client_metadata", "organization_usage", "signed_request_object", "addons"] {
        if one.get(member).is_some_and(super::export::says_something) {
            drawn.lost(id, format!("{member} has no place here"));
        }
    }
    if is_true(one, "require_proof_of_possession") {
        draft.members.insert("sender_constraint".to_owned(), Value::from("dpop"));
    }
    drawn.add(draft);
}

/// Auth0 gives all scopes of the grant where none is asked for.
fn granted(draft: &mut Draft, name: &str, grants: &[&Object], drawn: &mut Drawn) {
    for grant in grants {
        let of = text(grant, "client_id");
        if of != Some(draft.id.as_str()) && of != Some(name) {
            continue;
        }
        let Some(audience) = text(grant, "audience") else { continue };
        if audience.ends_with(".auth0.com/api/v2/") {
            drawn.lost(&draft.id, format!("its grant for {audience}, the API of Auth0 itself"));
            continue;
        }
        if drawn.api(audience).is_none() {
            continue;
        }
        draft.grant(audience, None, Given::Unasked);
        for scope in words(grant, "scope").iter().filter(|scope| drawn.scope(audience, scope, "")) {
            draft.grant(audience, Some(scope), Given::Unasked);
        }
        if is_true(grant, "allow_all_scopes") {
            drawn.lost(&draft.id, format!("allow_all_scopes for {audience}: scopes are named here"));
        }
    }
    if draft.apis().is_empty()
        && let Some(api) = drawn.fallback()
        && drawn.api(&api).is_some()
    {
        draft.grant(&api, None, Given::Asked);
    }
}

fn credential(one: &Object, draft: &mut Draft, drawn: &mut Drawn) {
    let methods = one.get("client_authentication_methods").and_then(Value::as_object);
    if let Some(methods) = methods.filter(|methods| !methods.is_empty()) {
        for method in methods.keys() {
            let text = format!(
                "its {method}: an export of Auth0 names keys and certificates, and does not have them"
            );
            drawn.lost(&draft.id, text);
        }
        return;
    }
    match (text(one, "token_endpoint_auth_method"), text(one, "client_secret")) {
        (Some("none"), _) => drawn.lost(&draft.id, "it is public: it has no secret to carry over"),
        (_, Some(secret)) => drawn.secret(draft, "", &Exported::Plain(secret), None),
        (_, None) => {
            drawn.lost(&draft.id, "the export has no client_secret: auth0 apps list --reveal-secrets --json");
        }
    }
}
