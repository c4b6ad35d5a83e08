//! Credentials of one client: one of each label that is in use.
//!
//! Material cannot be changed in place: another key or certificate follows the one that is there, and both work for a
//! while. A method cannot follow another one, nor a rule for assertions; that takes another label. Mappings of workloads
//! are another matter (`mappings`).

use http::Method;
use m2m_proto::jose::crypto::sha256;
use serde_json::{Value, json};

use super::{Action, Difference, Extent, Kind, Name, Plan, Step, differences, mappings};
use crate::commands::admin::estate::state::State;
use crate::commands::admin::estate::{Members, WantedClient, WantedCredential, shown_material};
use crate::commands::admin::http::object_path;
use crate::commands::admin::moment;
use crate::commands::admin::shown::{number, text};
use crate::exit::Failure;

/// Members that another credential of the same label may have otherwise.
const MATERIAL: [&str; 8] = [
    "jwks",
    "jwks_uri",
    "subject",
    "subject_dns",
    "subject_uri",
    "subject_ip",
    "subject_email",
    "certificate_x5t#S256",
];
/// Members that stay what they are.
const FIXED: [&str; 3] = ["secret_use", "accept_token_endpoint_audience", "accept_untyped_assertion"];

pub(super) fn of_client(
    plan: &mut Plan,
    client: &WantedClient,
    state: &State,
    (extent, overlap): (Extent, u64),
) -> Result<(), Failure> {
    if plan.kept.contains(&client.id) {
        return Ok(());
    }
    let none = Vec::new();
    let there = state.credentials.get(&client.id).unwrap_or(&none);
    let revoked = state.clients.get(&client.id).is_some_and(|client| text(client, "status") == "revoked");
    for wanted in &client.credentials {
        let of_label = |one: &&Members| text(one, "label") == wanted.label;
        if extent == Extent::Added && there.iter().any(|one| of_label(&one)) {
            // Imported before, and perhaps revoked since: that must not come back.
            continue;
        }
        let used: Vec<&Members> =
            there.iter().filter(|one| in_use(one, state.now)).filter(of_label).collect();
        let mapped = used.iter().all(|one| text(one, "method") == "federated");
        match used.last() {
            Some(_) if mapped && wanted.method == "federated" => {
                plan.steps.extend(mappings::changed(client, wanted, &used)?);
            }
            Some(current) => plan.steps.extend(changed(client, wanted, (current, overlap))?),
            None if revoked => {
                return Err(Failure::configuration(format!(
                    "{}: the client {} is revoked, and gets no credential any more",
                    wanted.place.0, client.id
                ))
                .hint("a client that was revoked does not come back: delete it, or choose another id"));
            }
            None => plan.steps.push(made(client, wanted)?),
        }
    }
    if extent != Extent::Added {
        others(plan, client, (there, state.now), extent)?;
    }
    Ok(())
}

/// Active, not expired, and nothing takes its place.
fn in_use(credential: &Members, now: u64) -> bool {
    let expired = number(credential, "expires_at").is_some_and(|end| end <= now);
    let replaced = credential.get("replaced_by").is_some_and(|next| !next.is_null());
    text(credential, "status") == "active" && !expired && !replaced
}

pub(super) fn name(client: &WantedClient, label: &str) -> Name {
    Name(Kind::Credential, format!("{}/{label}", client.id))
}

pub(super) fn made(client: &WantedClient, wanted: &WantedCredential) -> Result<Step, Failure> {
    let path = object_path("clients", &client.id, "/credentials")?;
    let mut body = wanted.members.clone();
    body.insert("label".to_owned(), Value::from(wanted.label.as_str()));
    body.insert("method".to_owned(), Value::from(wanted.method.as_str()));
    let of_method =
        |to: &str| Difference { member: "method".to_owned(), from: Value::Null, to: Value::from(to) };
    let what = match &wanted.given {
        Some(("secret_hash", _)) => format!("{}, as the old server hashed it", wanted.method),
        Some(_) => format!("{}, the old one", wanted.method),
        None => wanted.method.clone(),
    };
    let step = Step::of(Action::Create, name(client, &wanted.label), Method::POST, path);
    let mapping = ["issuer", "external_subject", "conditions"].into_iter().filter_map(|member| {
        let to = wanted.members.get(member).filter(|_| wanted.method == "federated")?.clone();
        Some(Difference { member: member.to_owned(), from: Value::Null, to })
    });
    Ok(Step {
        place: wanted.place.clone(),
        differences: [of_method(&what)].into_iter().chain(mapping).collect(),
        idempotency_key: wanted.given.as_ref().map(|_| repeatable(&client.id, &wanted.label)),
        given: wanted.given.clone(),
        secret_file: wanted.makes_secret().then(|| wanted.secret_file.clone()).flatten(),
        body: Some(Value::Object(body)),
        ..step
    })
}

/// Two imports at once make one credential. Nothing of the secret is in it: the server keeps it as a plain hash.
fn repeatable(client: &str, label: &str) -> String {
    let digest = sha256(format!("import\n{client}\n{label}").as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn changed(
    client: &WantedClient,
    wanted: &WantedCredential,
    (current, overlap): (&Members, u64),
) -> Result<Option<Step>, Failure> {
    let id = text(current, "id");
    let cannot = |member: &str, from: &Value, to: &Value| {
        let message = format!(
            "{}: {} of the credential {}/{} is {from} and cannot become {to}",
            wanted.place.0, member, client.id, wanted.label
        );
        Err(Failure::configuration(message).hint(format!(
            "give the new one another label; the old one goes with m2m admin credential revoke {id}"
        )))
    };
    if text(current, "method") != wanted.method {
        return cannot("method", &json!(text(current, "method")), &json!(wanted.method));
    }
    let mut ordered = shown_material(&wanted.members);
    if wanted.method == "client_secret" {
        ordered.entry("secret_use").or_insert_with(|| json!("basic_or_post"));
    }
    for member in FIXED {
        let of = |members: &Members| members.get(member).cloned().unwrap_or(Value::Bool(false));
        if of(&ordered) != of(current) {
            return cannot(member, &of(current), &of(&ordered));
        }
    }
    let material = |members: &Members| -> Members {
        MATERIAL
            .into_iter()
            .filter_map(|member| Some((member.to_owned(), members.get(member)?.clone())))
            .collect()
    };
    let (to, from) = (material(&ordered), material(current));
    let differences = differences(&to, &from);
    if differences.is_empty() {
        return Ok(None);
    }
    rotated((client, wanted), id, differences, overlap).map(Some)
}

fn rotated(
    (client, wanted): (&WantedClient, &WantedCredential),
    id: &str,
    differences: Vec<Difference>,
    overlap: u64,
) -> Result<Step, Failure> {
    let mut body = wanted.members.clone();
    body.retain(|member, _| !FIXED.contains(&member.as_str()) && member != "not_before");
    body.insert("overlap".to_owned(), Value::from(overlap));
    let path = object_path("credentials", id, "/rotate")?;
    let step = Step::of(Action::Rotate, name(client, &wanted.label), Method::POST, path);
    let consequence = format!("what is there works for {} more", moment::span(overlap));
    Ok(Step {
        place: wanted.place.clone(),
        differences,
        consequence: Some(consequence),
        body: Some(Value::Object(body)),
        ..step
    })
}

/// Credentials in use whose label the estate does not name.
fn others(
    plan: &mut Plan,
    client: &WantedClient,
    (there, now): (&[Members], u64),
    extent: Extent,
) -> Result<(), Failure> {
    let named = |one: &Members| client.credentials.iter().any(|wanted| wanted.label == text(one, "label"));
    for credential in there.iter().filter(|one| in_use(one, now) && !named(one)) {
        let name = name(client, text(credential, "label"));
        if extent == Extent::Named {
            plan.unmanaged.push(name);
            continue;
        }
        let path = object_path("credentials", text(credential, "id"), "/revoke")?;
        let step = Step::of(Action::Revoke, name, Method::POST, path);
        let consequence = "whoever uses it is refused at once, for good";
        plan.steps.push(Step { consequence: Some(consequence.to_owned()), ..step });
    }
    Ok(())
}
