//! That each grant of an estate is for what its API has: the server would refuse it, when half of the rest is done.

use std::collections::BTreeSet;

use super::Extent;
use crate::commands::admin::estate::state::State;
use crate::commands::admin::estate::{Estate, Members, WantedClient, names};
use crate::commands::admin::shown::text;
use crate::exit::Failure;
use crate::settings::field::nearest;

/// Looks at every grant. An import is not looked at: it takes what the export has, and the server judges it.
///
/// # Errors
/// Exit 3, with the place of the client.
pub(super) fn check(estate: &Estate, state: &State, extent: Extent) -> Result<(), Failure> {
    if extent == Extent::Added {
        return Ok(());
    }
    super::mappings::check(estate, state)?;
    for client in &estate.clients {
        let grants = client.members.get("grants").and_then(serde_json::Value::as_array);
        for grant in grants.into_iter().flatten().filter_map(serde_json::Value::as_object) {
            granted(client, grant, estate, (state, extent))?;
        }
    }
    Ok(())
}

fn granted(
    client: &WantedClient,
    grant: &Members,
    estate: &Estate,
    (state, extent): (&State, Extent),
) -> Result<(), Failure> {
    let api = text(grant, "api");
    let refused = |problem: String| {
        Failure::configuration(format!("{}: the client {} is granted {problem}", client.place.0, client.id))
    };
    let in_file = estate.apis.iter().find(|one| one.identifier == api).map(|one| &one.members);
    let there = state.apis.get(api);
    let has = in_file.or(there).ok_or_else(|| {
        let known = estate.apis.iter().map(|one| one.identifier.as_str());
        let failure = refused(format!("the API {api}, which neither the file nor the server has"));
        match nearest(api, known) {
            Some(name) => failure.hint(format!("did you mean {name}")),
            None => failure.hint("an [[api]] of that identifier makes it"),
        }
    })?;
    if in_file.is_none() && extent == Extent::Whole && api != state.own.0 {
        let failure = refused(format!("the API {api}, which --prune would delete"));
        return Err(failure.hint("name it in the file, or take the grant away"));
    }
    let scopes: BTreeSet<&str> = names(has.get("scopes"), "scope").into_iter().collect();
    match names(grant.get("scopes"), "scope").into_iter().find(|scope| !scopes.contains(scope)) {
        None => Ok(()),
        Some(scope) => {
            let failure = refused(format!("{scope}, which is no scope of {api}"));
            Err(match nearest(scope, scopes.iter().copied()) {
                Some(name) => failure.hint(format!("did you mean {name}")),
                None => failure.hint("name it in scopes of that [[api]]"),
            })
        }
    }
}
