//! Ory Hydra: rows of its table `hydra_client`, or what `hydra list clients` and `hydra get client` print.
//!
//! Only the rows have the hashes of secrets. Lists stand in a row as JSON or with `|` between them, spans as
//! nanoseconds; the API writes lists as lists and spans as `1h0m0s`.

use serde_json::Value;

use super::drawn::{Draft, Drawn, Exported, Given};
use super::export::{Object, number, object, says_something, text, words};
use crate::exit::Failure;

/// Members that are carried over, or mean the same in other words.
const CARRIED: [&str; 16] = [
    "id",
    "client_id",
    "client_name",
    "client_secret",
    "client_secret_expires_at",
    "grant_types",
    "scope",
    "audience",
    "owner",
    "jwks",
    "jwks_uri",
    "token_endpoint_auth_method",
    "client_credentials_grant_access_token_lifespan",
    "access_token_strategy",
    "created_at",
    "updated_at",
];
/// Members that say nothing about a client without users, or nothing outside of Hydra.
const OF_USERS: [&str; 24] = [
    "pk",
    "pk_deprecated",
    "nid",
    "redirect_uris",
    "response_types",
    "post_logout_redirect_uris",
    "subject_type",
    "sector_identifier_uri",
    "allowed_cors_origins",
    "policy_uri",
    "tos_uri",
    "client_uri",
    "logo_uri",
    "skip_consent",
    "skip_logout_consent",
    "userinfo_signed_response_alg",
    "request_object_signing_alg",
    "request_uris",
    "frontchannel_logout_uri",
    "frontchannel_logout_session_required",
    "backchannel_logout_uri",
    "backchannel_logout_session_required",
    "registration_access_token_signature",
    "registration_client_uri",
];

/// Draws the clients of Hydra.
///
/// # Errors
/// Exit 3: an export has no clients.
pub(super) fn draw(exports: &[Value], drawn: &mut Drawn) -> Result<(), Failure> {
    for export in exports {
        let list = match export {
            Value::Array(list) => list.as_slice(),
            Value::Object(page) => match page.get("items").or_else(|| page.get("clients")) {
                Some(Value::Array(list)) => list.as_slice(),
                _ if page.contains_key("client_id") => std::slice::from_ref(export),
                _ => return Err(no_clients()),
            },
            _ => return Err(no_clients()),
        };
        list.iter().filter_map(Value::as_object).for_each(|row| client(row, drawn));
    }
    Ok(())
}

fn no_clients() -> Failure {
    Failure::configuration("the file has no clients of Hydra").hint(
        "psql -At -c \"select json_agg(c) from hydra_client c\" > hydra.json, or hydra list clients --format json",
    )
}

fn client(row: &Object, drawn: &mut Drawn) {
    let Some(id) = text(row, "client_id").or_else(|| text(row, "id")) else {
        return drawn.skip("a client", "it has no id");
    };
    let grants = words(row, "grant_types");
    if !grants.iter().any(|grant| grant == "client_credentials") {
        let why = format!("no machine: its grants are {}", listed(&grants));
        return drawn.skip(id, why);
    }
    let Some(mut draft) = drawn.client(id) else { return };
    draft.say("name", text(row, "client_name"));
    draft.say("owner", text(row, "owner"));
    audiences(row, &mut draft, drawn);
    drawn.tell_of_several(&draft);
    if let Some(seconds) = lifespan(row) {
        draft.cap(seconds);
    }
    credential(row, &mut draft, drawn);
    let others: Vec<String> = grants.into_iter().filter(|grant| grant != "client_credentials").collect();
    if !others.is_empty() {
        drawn.lost(id, format!("its other grants: {}", listed(&others)));
    }
    if text(row, "access_token_strategy") == Some("opaque") {
        drawn.lost(
            id,
            "access_token_strategy opaque: here the API decides, m2m admin api update --format opaque",
        );
    }
    let unknown = |(member, value): &(&String, &Value)| {
        let known = CARRIED.contains(&member.as_str()) || OF_USERS.contains(&member.as_str());
        let span_of_others = member.ends_with("_lifespan");
        !known && !span_of_others && says_something(value)
    };
    for (member, _) in row.iter().filter(unknown) {
        drawn.lost(id, format!("{member} has no place here"));
    }
    drawn.add(draft);
}

fn listed(words: &[String]) -> String {
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// Hydra knows no scopes of an audience: each of its APIs gets all of them.
fn audiences(row: &Object, draft: &mut Draft, drawn: &mut Drawn) {
    let mut audiences = words(row, "audience");
    if audiences.is_empty() {
        audiences.extend(drawn.fallback());
    }
    let scopes = words(row, "scope");
    let mut usable = Vec::new();
    for scope in &scopes {
        match scope.as_str() {
            "openid" | "offline" | "offline_access" => {
                drawn.lost(&draft.id, format!("scope {scope}: it is about users"));
            }
            _ if scope.contains('*') => {
                let text = format!("scope {scope}: wildcards are not known here, name the scopes");
                drawn.lost(&draft.id, text);
            }
            _ => usable.push(scope),
        }
    }
    for audience in &audiences {
        if drawn.api(audience).is_none() {
            continue;
        }
        // Whoever asks for no scope gets none there.
        draft.grant(audience, None, Given::Asked);
        for scope in usable.iter().filter(|scope| drawn.scope(audience, scope, "")) {
            draft.grant(audience, Some(scope), Given::Asked);
        }
    }
}

/// Seconds: nanoseconds in a row, `1h0m0s` in the API.
fn lifespan(row: &Object) -> Option<u64> {
    let member = "client_credentials_grant_access_token_lifespan";
    if let Some(nanoseconds) = number(row, member) {
        return Some(nanoseconds / 1_000_000_000);
    }
    let mut seconds = 0_u64;
    let mut digits = String::new();
    for letter in text(row, member)?.chars() {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        let unit = match letter {
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        seconds = seconds.checked_add(digits.parse::<u64>().ok()?.checked_mul(unit)?)?;
        digits.clear();
    }
    Some(seconds)
}

fn credential(row: &Object, draft: &mut Draft, drawn: &mut Drawn) {
    match text(row, "token_endpoint_auth_method").unwrap_or("client_secret_basic") {
        "client_secret_basic" | "client_secret_post" => {
            let expires_at = number(row, "client_secret_expires_at").filter(|at| *at > 0);
            match text(row, "client_secret") {
                Some(hash) if hash.starts_with('$') => {
                    drawn.secret(draft, "", &Exported::Hashed(hash), expires_at);
                }
                Some(_) => {
                    drawn.lost(
                        &draft.id,
                        "its secret is neither bcrypt nor PBKDF2: is the export one of rows?",
                    );
                }
                None => drawn
                    .lost(&draft.id, "the export has no hash of its secret: export the rows of hydra_client"),
            }
        }
        "private_key_jwt" => {
            let set = object(row, "jwks").map(Value::Object);
            drawn.keys(draft, set.as_ref(), text(row, "jwks_uri"));
        }
        other => drawn.lost(&draft.id, format!("its method {other} is not known here")),
    }
}
