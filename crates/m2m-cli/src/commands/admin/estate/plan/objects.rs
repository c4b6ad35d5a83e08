//! APIs and clients: made, changed, and where that is asked for withdrawn.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use super::{Action, Difference, Extent, Kind, Name, Plan, Step, differences};
use crate::commands::admin::api::version;
use crate::commands::admin::estate::state::State;
use crate::commands::admin::estate::{Estate, Members, WantedApi, names};
use crate::commands::admin::http::object_path;
use crate::commands::admin::shown::text;
use crate::exit::Failure;

/// APIs that are made or grow, into the plan; those that shrink, which has to wait for the clients, as answer.
pub(super) fn apis(
    plan: &mut Plan,
    estate: &Estate,
    state: &State,
    extent: Extent,
) -> Result<Vec<Step>, Failure> {
    let mut narrowed = Vec::new();
    for api in &estate.apis {
        let Some(current) = state.apis.get(&api.identifier) else {
            let step = created(Kind::Api, ("identifier", &api.identifier), &api.members, "/apis");
            plan.steps.push(Step { place: api.place.clone(), ..step });
            continue;
        };
        let wanted = match extent {
            Extent::Added => Members::from_iter([("scopes".to_owned(), both(api, current))]),
            Extent::Named | Extent::Whole => api.members.clone(),
        };
        let all = differences(&wanted, current);
        let lost = lost_scopes(&wanted, current);
        let first: Vec<Difference> = if lost.is_empty() {
            all
        } else {
            let mut grown = wanted.clone();
            grown.insert("scopes".to_owned(), both(api, current));
            narrowed.push(narrowing(api, current, &lost)?);
            differences(&grown, current)
        };
        if !first.is_empty() {
            let mut step = updated(Kind::Api, &api.identifier, first, current)?;
            step.consequence = looks_other(&step.differences).or_else(|| bound_now(&step.differences));
            step.place = api.place.clone();
            plan.steps.push(step);
        }
    }
    Ok(narrowed)
}

/// Of the scopes that there are, those that shall not be.
fn lost_scopes(wanted: &Members, current: &Members) -> Vec<String> {
    let kept: BTreeSet<&str> = names(wanted.get("scopes"), "scope").into_iter().collect();
    let has = names(current.get("scopes"), "scope").into_iter();
    has.filter(|scope| !kept.contains(scope)).map(str::to_owned).collect()
}

/// The scopes that shall be, and those that there are besides.
fn both(api: &WantedApi, current: &Members) -> Value {
    let list =
        |members: &Members| members.get("scopes").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut scopes = list(&api.members);
    let wanted: BTreeSet<String> =
        names(api.members.get("scopes"), "scope").into_iter().map(str::to_owned).collect();
    let name = |scope: &Value| names(Some(&json!([scope])), "scope").first().map(|name| (*name).to_owned());
    scopes.extend(
        list(current).into_iter().filter(|scope| name(scope).is_none_or(|name| !wanted.contains(&name))),
    );
    Value::Array(scopes)
}

fn narrowing(api: &WantedApi, current: &Members, lost: &[String]) -> Result<Step, Failure> {
    let to = api.members.get("scopes").cloned().unwrap_or_default();
    let from = current.get("scopes").cloned().unwrap_or_default();
    let mut step = updated(
        Kind::Api,
        &api.identifier,
        vec![Difference { member: "scopes".to_owned(), from, to }],
        current,
    )?;
    step.consequence = Some(format!("nobody gets {} any more", lost.join(" ")));
    step.place = api.place.clone();
    Ok(step)
}

/// What verifiers may not expect of new tokens.
fn looks_other(differences: &[Difference]) -> Option<String> {
    let to = |member: &str| differences.iter().find(|one| one.member == member)?.to.as_str();
    if to("format") == Some("opaque") {
        return Some("who checks its tokens offline refuses the next ones".to_owned());
    }
    to("alg").map(|alg| format!("who checks its tokens and does not take {alg} refuses the next ones"))
}

/// Who must be bound to something from now on.
fn bound_now(differences: &[Difference]) -> Option<String> {
    let constraint = differences.iter().find(|one| one.member == "sender_constraint")?;
    let to = constraint.to.as_str().filter(|to| *to != "none")?;
    Some(format!("clients that do not bind their tokens by {to} get none any more"))
}

/// Clients that are made or changed.
pub(super) fn clients(
    plan: &mut Plan,
    estate: &Estate,
    state: &State,
    extent: Extent,
) -> Result<(), Failure> {
    for client in &estate.clients {
        let Some(current) = state.clients.get(&client.id) else {
            let step = created(Kind::Client, ("id", &client.id), &client.members, "/clients");
            plan.steps.push(Step { place: client.place.clone(), ..step });
            continue;
        };
        if extent == Extent::Added && administers(current, &state.own.0) {
            // Whoever wrote the export must not become who administers this server.
            plan.kept.insert(client.id.clone());
            plan.notes.push(format!("the client {} administers this server, and stays as it is", client.id));
            continue;
        }
        match text(current, "status") {
            "active" | "" => {}
            status => plan.notes.push(format!("the client {} is {status}, and stays so", client.id)),
        }
        let differences = differences(&client.members, current);
        match (extent, differences.is_empty()) {
            (_, true) => {}
            (Extent::Added, false) => {
                plan.kept.insert(client.id.clone());
                let members: Vec<&str> = differences.iter().map(|one| one.member.as_str()).collect();
                plan.notes.push(format!(
                    "the client {} is there with other {}, and stays as it is",
                    client.id,
                    members.join(", ")
                ));
            }
            _ => {
                let mut step = updated(Kind::Client, &client.id, differences, current)?;
                step.consequence = cut(&step.differences);
                step.place = client.place.clone();
                plan.steps.push(step);
            }
        }
    }
    Ok(())
}

/// Whether a client is granted anything of the admin API.
fn administers(client: &Members, admin: &str) -> bool {
    let grants = client.get("grants").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    grants.iter().any(|grant| grant.get("api").and_then(Value::as_str) == Some(admin))
}

/// Which callers of a client are refused from now on.
fn cut(differences: &[Difference]) -> Option<String> {
    let mut told = Vec::new();
    for one in differences {
        match one.member.as_str() {
            "grants" => told.extend(lost_grants(one)),
            "sender_constraint" => told.extend(bound_now(std::slice::from_ref(one))),
            "allowed_networks" if one.to.as_array().is_some_and(|to| !to.is_empty()) => {
                told.push("callers from other networks are refused".to_owned());
            }
            _ => {}
        }
    }
    (!told.is_empty()).then(|| told.join("; "))
}

fn lost_grants(difference: &Difference) -> Option<String> {
    let pairs = |value: &Value| -> BTreeSet<String> {
        let grants = value.as_array().map_or(&[][..], Vec::as_slice);
        let of_one = |grant: &Value| {
            let api = grant.get("api").and_then(Value::as_str).unwrap_or_default().to_owned();
            let scopes = names(grant.get("scopes"), "scope").into_iter();
            let pairs: Vec<String> = scopes.map(|scope| format!("{scope} at {api}")).collect();
            pairs.into_iter().chain([format!("tokens for {api}")])
        };
        grants.iter().flat_map(of_one).collect()
    };
    let (from, to) = (pairs(&difference.from), pairs(&difference.to));
    let lost: Vec<&str> = from.difference(&to).map(String::as_str).collect();
    (!lost.is_empty()).then(|| format!("no more {}", lost.join(", ")))
}

/// What the estate does not name: listed, or withdrawn where it is the whole.
pub(super) fn unmanaged(
    plan: &mut Plan,
    estate: &Estate,
    state: &State,
    extent: Extent,
) -> Result<Vec<Step>, Failure> {
    if extent == Extent::Added {
        return Ok(Vec::new());
    }
    let clients: BTreeSet<&str> = estate.clients.iter().map(|client| client.id.as_str()).collect();
    let apis: BTreeSet<&str> = estate.apis.iter().map(|api| api.identifier.as_str()).collect();
    let mut gone = Vec::new();
    for (id, current) in state.clients.iter().filter(|(id, _)| !clients.contains(id.as_str())) {
        let name = Name(Kind::Client, id.clone());
        if extent == Extent::Named || *id == state.own.1 {
            plan.unmanaged.push(name);
        } else {
            let consequence = "its credentials and all its tokens end at once";
            gone.push(deleted(name, object_path("clients", id, "")?, (current, consequence)));
        }
    }
    for (identifier, current) in state.apis.iter().filter(|(name, _)| !apis.contains(name.as_str())) {
        let name = Name(Kind::Api, identifier.clone());
        if extent == Extent::Named || *identifier == state.own.0 {
            plan.unmanaged.push(name);
        } else {
            let consequence = "its tokens are inactive at once";
            gone.push(deleted(name, object_path("apis", identifier, "")?, (current, consequence)));
        }
    }
    Ok(gone)
}

pub(super) fn created(kind: Kind, (key, id): (&str, &str), members: &Members, collection: &str) -> Step {
    let name = Name(kind, id.to_owned());
    let mut body = members.clone();
    // A default need not be said, and says itself where the server's own is another one.
    body.retain(|_, value| !value.is_null());
    body.insert(key.to_owned(), Value::from(id));
    let set = body.iter().filter(|(member, value)| {
        let defaults = match kind {
            Kind::Api => crate::commands::admin::estate::api_defaults(id),
            Kind::Issuer => crate::commands::admin::estate::issuer_defaults(id),
            _ => crate::commands::admin::estate::client_defaults(id),
        };
        *member != key && defaults.get(*member) != Some(value)
    });
    let differences = set
        .map(|(member, to)| Difference { member: member.clone(), from: Value::Null, to: to.clone() })
        .collect();
    let step = Step::of(Action::Create, name, Method::POST, collection.to_owned());
    Step { differences, body: Some(Value::Object(body)), ..step }
}

pub(super) fn updated(
    kind: Kind,
    id: &str,
    differences: Vec<Difference>,
    current: &Members,
) -> Result<Step, Failure> {
    let collection = match kind {
        Kind::Api => "apis",
        Kind::Issuer => "issuers",
        _ => "clients",
    };
    let patch: Members = differences.iter().map(|one| (one.member.clone(), one.to.clone())).collect();
    let path = object_path(collection, id, "")?;
    let step = Step::of(Action::Update, Name(kind, id.to_owned()), Method::PATCH, path);
    Ok(Step { differences, body: Some(Value::Object(patch)), version: version(current), ..step })
}

pub(super) fn deleted(name: Name, path: String, (current, consequence): (&Members, &str)) -> Step {
    let step = Step::of(Action::Delete, name, Method::DELETE, path);
    Step { version: version(current), consequence: Some(consequence.to_owned()), ..step }
}
