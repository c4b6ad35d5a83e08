//! Federated credentials of one client: which workload of a trusted issuer it is.
//!
//! A mapping has nothing that a workload would have to be given, so another one takes its place at once: it is made
//! first, then the one before is revoked. Between the two a workload that both mean may be refused for a moment.

use http::Method;
use serde_json::Value;

use super::credentials::{made, name};
use super::{Action, Step, differences};
use crate::commands::admin::estate::state::State;
use crate::commands::admin::estate::{Estate, Members, Place, WantedClient, WantedCredential};
use crate::commands::admin::http::object_path;
use crate::commands::admin::shown::text;
use crate::exit::Failure;

/// What a mapping is.
const MEMBERS: [&str; 3] = ["issuer", "external_subject", "conditions"];

/// That each issuer that a credential maps to is there when it is made.
///
/// # Errors
/// Exit 3, with the place that names it.
pub(super) fn check(estate: &Estate, state: &State) -> Result<(), Failure> {
    let known =
        |id: &str| state.issuers.contains_key(id) || estate.issuers.iter().any(|issuer| issuer.id == id);
    for credential in estate.clients.iter().flat_map(|client| &client.credentials) {
        let issuer = text(&credential.members, "issuer");
        if credential.method == "federated" && !known(issuer) {
            let Place(place) = &credential.place;
            let message = format!("{place}: neither the file nor the server has the issuer {issuer}");
            return Err(Failure::configuration(message).hint("an [[issuer]] of that id makes it"));
        }
    }
    Ok(())
}

/// Makes what there is what shall be: one mapping of the label, and no other. `there` are those in use.
pub(super) fn changed(
    client: &WantedClient,
    wanted: &WantedCredential,
    there: &[&Members],
) -> Result<Vec<Step>, Failure> {
    let to = mapping(&wanted.members);
    let same = there.iter().rposition(|one| differences(&to, &mapping(one)).is_empty());
    let mut steps = Vec::new();
    if same.is_none() {
        let from = there.last().map(|one| mapping(one)).unwrap_or_default();
        let step = made(client, wanted)?;
        steps.push(Step { differences: differences(&to, &from), ..step });
    }
    for (_, one) in there.iter().enumerate().filter(|(index, _)| same != Some(*index)) {
        let path = object_path("credentials", text(one, "id"), "/revoke")?;
        let step = Step::of(Action::Revoke, name(client, &wanted.label), Method::POST, path);
        let consequence =
            format!("{} of {} is refused at once", text(one, "external_subject"), text(one, "issuer"));
        steps.push(Step { place: wanted.place.clone(), consequence: Some(consequence), ..step });
    }
    Ok(steps)
}

/// All that it is, also what it leaves open.
fn mapping(members: &Members) -> Members {
    let of = |member: &&str| {
        let value = members.get(*member).cloned();
        ((*member).to_owned(), value.unwrap_or_else(|| Value::Array(Vec::new())))
    };
    MEMBERS.iter().map(of).collect()
}
