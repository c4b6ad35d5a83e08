//! Keycloak: the export of a realm, as `kc.sh export` writes it. Secrets of clients stand in it in clear.
//!
//! What a token of a service account is for comes from audience mappers, of the client and of its scopes, and from the
//! roles that its account has at other clients. A scope belongs to the APIs of its own audience mappers; one without
//! belongs to every API of the client.

mod mappers;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::drawn::{Draft, Drawn, Exported, Given};
use super::export::{Object, is_true, number, object, objects, text, words};
use crate::exit::Failure;

/// Scopes that every realm has, and that say something about users or about the token itself.
const BUILT_IN: [&str; 14] = [
    "openid",
    "profile",
    "email",
    "address",
    "phone",
    "offline_access",
    "roles",
    "web-origins",
    "microprofile-jwt",
    "acr",
    "basic",
    "organization",
    "service_account",
    "AuthnContextClassRef",
];
/// Clients of every realm: roles there are about Keycloak itself.
const OWN_CLIENTS: [&str; 6] =
    ["account", "account-console", "admin-cli", "broker", "realm-management", "security-admin-console"];

/// A scope of the realm.
struct RealmScope<'a> {
    description: &'a str,
    /// Whether the claim `scope` names it.
    in_token: bool,
    audiences: Vec<String>,
}

/// What clients refer to.
struct Realm<'a> {
    scopes: BTreeMap<&'a str, RealmScope<'a>>,
    /// Roles of service accounts, by client id.
    accounts: BTreeMap<&'a str, &'a Object>,
    life: Option<u64>,
}

/// Draws the service accounts of a realm.
///
/// # Errors
/// Exit 3: the export is not one of a realm.
pub(super) fn draw(exports: &[Value], drawn: &mut Drawn) -> Result<(), Failure> {
    let mut found = false;
    for export in exports {
        // `kc.sh export --dir` writes users into files of their own.
        let realms: Vec<&Object> = match export {
            Value::Array(list) => list.iter().filter_map(Value::as_object).collect(),
            other => other.as_object().into_iter().collect(),
        };
        for one in realms.into_iter().filter(|one| one.contains_key("clients")) {
            found = true;
            realm(one, exports, drawn);
        }
    }
    match found {
        true => Ok(()),
        false => Err(Failure::configuration("the file is no export of a realm: it has no clients")
            .hint("kc.sh export --realm NAME --users realm_file --file realm.json")),
    }
}

fn realm(export: &Object, all: &[Value], drawn: &mut Drawn) {
    let scope = |one: &&Object| text(one, "protocol").is_none_or(|protocol| protocol == "openid-connect");
    let scopes = objects(export, "clientScopes").into_iter().filter(scope).filter_map(|one| {
        let attributes = one.get("attributes").and_then(Value::as_object);
        let said = attributes.and_then(|attributes| text(attributes, "include.in.token.scope"));
        let scope = RealmScope {
            description: text(one, "description").unwrap_or_default(),
            in_token: said != Some("false"),
            audiences: mappers::audiences(one),
        };
        Some((text(one, "name")?, scope))
    });
    let scopes = scopes.collect();
    let users = all.iter().filter_map(Value::as_object).flat_map(|one| objects(one, "users"));
    let accounts = users.filter_map(|user| Some((text(user, "serviceAccountClientId")?, user))).collect();
    let realm = Realm { scopes, accounts, life: number(export, "accessTokenLifespan") };
    for one in objects(export, "clients") {
        client(one, &realm, drawn);
    }
}

fn client(one: &Object, realm: &Realm<'_>, drawn: &mut Drawn) {
    let Some(id) = text(one, "clientId") else { return drawn.skip("a client", "it has no clientId") };
    let why = match text(one, "protocol") {
        Some(protocol) if protocol != "openid-connect" => Some(format!("its protocol is {protocol}")),
        _ if OWN_CLIENTS.contains(&id) => Some("it is part of Keycloak".to_owned()),
        _ if is_true(one, "bearerOnly") => Some("no machine: it is an API (bearer-only)".to_owned()),
        _ if is_true(one, "publicClient") => Some("no machine: it is public".to_owned()),
        _ if !is_true(one, "serviceAccountsEnabled") => {
            Some("no machine: it has no service account".to_owned())
        }
        _ if one.get("enabled") == Some(&Value::Bool(false)) => Some("it is switched off".to_owned()),
        _ => None,
    };
    if let Some(why) = why {
        return drawn.skip(id, why);
    }
    let Some(mut draft) = drawn.client(id) else { return };
    draft.say("name", text(one, "name").filter(|name| !name.starts_with("${")));
    draft.say("purpose", text(one, "description"));
    let attributes = object(one, "attributes").unwrap_or_default();
    grants(one, realm, &mut draft, drawn);
    drawn.tell_of_several(&draft);
    if let Some(seconds) = number(&attributes, "access.token.lifespan").or(realm.life) {
        draft.cap(seconds);
    }
    if is_true(&attributes, "tls.client.certificate.bound.access.tokens") {
        draft.members.insert("sender_constraint".to_owned(), Value::from("mtls"));
    } else if is_true(&attributes, "dpop.bound.access.tokens") {
        draft.members.insert("sender_constraint".to_owned(), Value::from("dpop"));
    }
    credential(one, &attributes, &mut draft, drawn);
    told(one, &attributes, &draft.id, drawn);
    drawn.add(draft);
}

/// The APIs of a client, with the scopes that belong to each.
fn grants(one: &Object, realm: &Realm<'_>, draft: &mut Draft, drawn: &mut Drawn) {
    let mut assigned: Vec<(String, Given)> = Vec::new();
    for (member, given) in [("defaultClientScopes", Given::Unasked), ("optionalClientScopes", Given::Asked)] {
        assigned.extend(words(one, member).into_iter().map(|scope| (scope, given)));
    }
    assigned.retain(|(scope, _)| !BUILT_IN.contains(&scope.as_str()));
    let of_scope = |scope: &str| realm.scopes.get(scope).map_or(&[][..], |scope| scope.audiences.as_slice());
    let mut audiences: BTreeSet<String> = mappers::audiences(one).into_iter().collect();
    audiences.extend(assigned.iter().flat_map(|(scope, _)| of_scope(scope).iter().cloned()));
    let roles = roles(&draft.id, realm, drawn);
    audiences.extend(roles.keys().map(|api| (*api).to_owned()));
    if audiences.is_empty() {
        audiences.extend(drawn.fallback());
    }
    audiences.retain(|audience| drawn.api(audience).is_some());
    for audience in &audiences {
        draft.grant(audience, None, Given::Asked);
    }
    for (scope, given) in &assigned {
        let known = realm.scopes.get(scope.as_str());
        if known.is_some_and(|known| !known.in_token) {
            continue;
        }
        let own = of_scope(scope);
        for audience in audiences.iter().filter(|audience| own.is_empty() || own.contains(audience)) {
            if drawn.scope(audience, scope, known.map_or("", |known| known.description)) {
                draft.grant(audience, Some(scope), *given);
            }
        }
    }
    for (api, roles) in roles {
        roles.into_iter().for_each(|role| draft.role(api, role));
    }
}

/// The roles of the service account of a client, by the client that they are of.
fn roles<'r>(id: &str, realm: &Realm<'r>, drawn: &mut Drawn) -> BTreeMap<&'r str, Vec<&'r str>> {
    let mut roles: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let Some(account) = realm.accounts.get(id) else {
        drawn.lost(id, "the export has no users, so its roles are unknown: export with --users realm_file");
        return roles;
    };
    let of_clients = account.get("clientRoles").and_then(Value::as_object);
    for (api, names) in of_clients.into_iter().flatten() {
        let names: Vec<&str> = names.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if OWN_CLIENTS.contains(&api.as_str()) {
            drawn.lost(id, format!("its roles at {api}: {}", names.join(", ")));
        } else if !names.is_empty() {
            roles.insert(api, names);
        }
    }
    let of_realm = account.get("realmRoles").and_then(Value::as_array).into_iter().flatten();
    let of_realm: Vec<&str> =
        of_realm.filter_map(Value::as_str).filter(|role| !role.starts_with("default-roles-")).collect();
    if !of_realm.is_empty() {
        drawn.lost(id, format!("its roles of the realm, which no API owns: {}", of_realm.join(", ")));
    }
    roles
}

fn credential(one: &Object, attributes: &Object, draft: &mut Draft, drawn: &mut Drawn) {
    match text(one, "clientAuthenticatorType").unwrap_or("client-secret") {
        "client-secret" => secret(one, attributes, draft, drawn),
        "client-jwt" => match (is_true(attributes, "use.jwks.url"), is_true(attributes, "use.jwks.string")) {
            (true, _) => drawn.keys(draft, None, text(attributes, "jwks.url")),
            (_, true) => {
                let set = object(attributes, "jwks.string").map(Value::Object);
                drawn.keys(draft, set.as_ref(), None);
            }
            _ => match text(attributes, "jwt.credential.certificate").map(mappers::key_of_certificate) {
                Some(Some(key)) => drawn.keys(draft, Some(&key), None),
                _ => drawn.keys(draft, None, None),
            },
        },
        "client-x509" => match text(attributes, "x509.subjectdn") {
            Some(_) if is_true(attributes, "x509.allow.regex.pattern.comparison") => {
                drawn.lost(&draft.id, "its certificate's subject is a pattern; a name is wanted here");
            }
            Some(subject) => drawn.subject(draft, "subject", subject),
            None => drawn.lost(&draft.id, "the export has no subject of its certificate"),
        },
        "client-secret-jwt" => {
            let text = "client_secret_jwt: its secret cannot be taken over for signing, give it a new one";
            drawn.lost(&draft.id, text);
        }
        other => drawn.lost(&draft.id, format!("its authenticator {other} is not known here")),
    }
}

/// The secret, and the one before it while both work.
fn secret(one: &Object, attributes: &Object, draft: &mut Draft, drawn: &mut Drawn) {
    let pairs = [
        ("", text(one, "secret"), number(attributes, "client.secret.expiration.time")),
        (
            " (rotated)",
            text(attributes, "client.secret.rotated"),
            number(attributes, "client.secret.rotated.expiration.time"),
        ),
    ];
    for (what, secret, expires_at) in pairs {
        match secret {
            Some(masked) if masked.bytes().all(|byte| byte == b'*') => {
                drawn.lost(
                    &draft.id,
                    format!("its secret{what} is masked: export with kc.sh export, not in the console"),
                );
            }
            Some(reference) if reference.starts_with("${vault.") => {
                drawn.lost(&draft.id, format!("its secret{what} is in a vault: {reference}"));
            }
            Some(secret) => {
                drawn.secret(draft, what, &Exported::Plain(secret), expires_at.filter(|at| *at > 0));
            }
            None if what.is_empty() => drawn.lost(&draft.id, "the export has no secret of it"),
            None => {}
        }
    }
}

/// What else a client does there.
fn told(one: &Object, attributes: &Object, id: &str, drawn: &mut Drawn) {
    for (member, what) in [
        ("standardFlowEnabled", "its authorization code flow"),
        ("implicitFlowEnabled", "its implicit flow"),
        ("directAccessGrantsEnabled", "its password grant"),
        ("authorizationServicesEnabled", "its authorization services (policies, UMA)"),
    ] {
        if is_true(one, member) {
            drawn.lost(id, what);
        }
    }
    for mapper in mappers::others(one) {
        drawn.lost(id, format!("its mapper {mapper}"));
    }
    if let Some(algorithm) = text(attributes, "access.token.signed.response.alg") {
        drawn.lost(id, format!("its tokens are signed with {algorithm}: here the API decides (--alg)"));
    }
    if is_true(attributes, "oauth2.device.authorization.grant.enabled") {
        drawn.lost(id, "its device flow");
    }
    if is_true(attributes, "standard.token.exchange.enabled") {
        drawn.lost(id, "its token exchange");
    }
}
