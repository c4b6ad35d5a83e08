//! Trusted issuers: made, changed, and where that is asked for trusted no more.
//!
//! What an issuer calls itself stays, because credentials map to it. One that is not in the file goes when no credential
//! maps to it any more; the server counts those too that have expired.

use serde_json::Value;

use super::objects::{created, deleted, updated};
use super::{Action, Extent, Kind, Name, Plan, Step, differences};
use crate::commands::admin::estate::state::State;
use crate::commands::admin::estate::{Estate, Members, WantedIssuer};
use crate::commands::admin::http::object_path;
use crate::commands::admin::shown::text;
use crate::exit::Failure;

/// Issuers that are made or changed, before anything maps to them.
pub(super) fn wanted(plan: &mut Plan, estate: &Estate, state: &State) -> Result<(), Failure> {
    for issuer in &estate.issuers {
        let Some(current) = state.issuers.get(&issuer.id) else {
            let step = created(Kind::Issuer, ("id", &issuer.id), &issuer.members, "/issuers");
            plan.steps.push(Step { place: issuer.place.clone(), ..step });
            continue;
        };
        stays(issuer, current)?;
        if text(current, "status") == "disabled" {
            plan.notes.push(format!("the issuer {} is disabled, and stays so", issuer.id));
        }
        let differences = differences(&issuer.members, current);
        if !differences.is_empty() {
            let narrows = ["audiences", "max_lifetime", "single_use", "conditions"];
            let cuts = differences.iter().any(|one| narrows.contains(&one.member.as_str()));
            let mut step = updated(Kind::Issuer, &issuer.id, differences, current)?;
            step.consequence =
                cuts.then(|| "workloads whose tokens do not fulfil this are refused".to_owned());
            step.place = issuer.place.clone();
            plan.steps.push(step);
        }
    }
    Ok(())
}

/// That it still calls itself what the file says.
fn stays(issuer: &WantedIssuer, current: &Members) -> Result<(), Failure> {
    for member in ["issuer", "trust_domain"] {
        let of = |members: &Members| members.get(member).cloned().unwrap_or(Value::Null);
        let (from, to) = (of(current), of(&issuer.members));
        if from != to {
            let message = format!(
                "{}: {member} of the issuer {} is {from} and cannot become {to}",
                issuer.place.0, issuer.id
            );
            return Err(Failure::configuration(message)
                .hint("credentials map to it by that name: give the new one another id"));
        }
    }
    Ok(())
}

/// Issuers that the estate does not name: listed, or trusted no more, and then nothing maps to them before.
pub(super) fn unmanaged(
    plan: &mut Plan,
    estate: &Estate,
    state: &State,
    extent: Extent,
) -> Result<(), Failure> {
    if extent == Extent::Added {
        return Ok(());
    }
    let named = |id: &str| estate.issuers.iter().any(|issuer| issuer.id == id);
    for (id, current) in state.issuers.iter().filter(|(id, _)| !named(id)) {
        let name = Name(Kind::Issuer, id.clone());
        if extent == Extent::Named || is_needed(id, estate, state) {
            plan.unmanaged.push(name);
            continue;
        }
        unmap(plan, id, estate, state)?;
        let consequence = "whoever comes with its tokens is refused";
        plan.steps.push(deleted(name, object_path("issuers", id, "")?, (current, consequence)));
    }
    Ok(())
}

/// Whether a credential maps to it that stays: one of the file, or of the client that administers and is not in it.
fn is_needed(id: &str, estate: &Estate, state: &State) -> bool {
    let maps = |members: &Members| text(members, "issuer") == id;
    let in_file = estate.clients.iter().flat_map(|client| &client.credentials).any(|one| maps(&one.members));
    let own = &state.own.1;
    let administers = state.credentials.get(own).map_or(&[][..], Vec::as_slice);
    let kept = estate.clients.iter().all(|client| client.id != *own)
        && administers.iter().any(|one| maps(one) && text(one, "status") != "revoked");
    in_file || kept
}

/// Revokes what has ended and still maps to it. What is in use was revoked with its label.
fn unmap(plan: &mut Plan, id: &str, estate: &Estate, state: &State) -> Result<(), Failure> {
    for client in &estate.clients {
        let there = state.credentials.get(&client.id).map_or(&[][..], Vec::as_slice);
        for one in there.iter().filter(|one| text(one, "issuer") == id && text(one, "status") != "revoked") {
            let path = object_path("credentials", text(one, "id"), "/revoke")?;
            if plan.steps.iter().all(|step| step.path != path) {
                let name = Name(Kind::Credential, format!("{}/{}", client.id, text(one, "label")));
                let step = Step::of(Action::Revoke, name, http::Method::POST, path);
                plan.steps.push(Step { consequence: Some("it has ended already".to_owned()), ..step });
            }
        }
    }
    Ok(())
}
