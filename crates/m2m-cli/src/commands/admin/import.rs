//! `m2m admin import hydra|keycloak|auth0 FILE…`: clients of another product, with their ids and secrets.
//!
//! Enforces: what an export says and nothing here can hold is told, line by line; clients that are no machines are
//! named; nothing that is there is changed but for scopes that an API lacks, so that a repeat does nothing; a secret
//! reaches the admin API and nothing else.
//! Limits: files of 64 MiB.

mod auth0;
mod drawn;
mod export;
mod hydra;
mod keycloak;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use super::estate::plan::{Extent, Plan};
use super::estate::state::State;
use super::estate::{Estate, carry, shown};
use super::http::Caller;
use super::table::Table;
use crate::Surroundings;
use crate::args::admin::{Import, ImportSource};
use crate::exit::{Exit, Failure};
use crate::output::Reader;
use drawn::{Drawn, Remark};

const MAX_BYTES: u64 = 64 * 1024 * 1024;

pub(super) async fn run(typed: &Import, around: &Surroundings) -> Result<Exit, Failure> {
    let (name, of_product, typed): (_, Product, _) = match &typed.source {
        ImportSource::Hydra(typed) => ("hydra", hydra::draw, typed),
        ImportSource::Keycloak(typed) => ("keycloak", keycloak::draw, typed),
        ImportSource::Auth0(typed) => ("auth0", auth0::draw, typed),
    };
    let exports: Vec<Value> = typed.files.iter().map(|path| read(path, around)).collect::<Result<_, _>>()?;
    let mut drawn = Drawn::of(name, typed.api.as_deref(), around.clock.wall())?;
    of_product(&exports, &mut drawn)?;
    let (estate, mut told) = drawn.finish();
    let caller = Caller::open(around).await?;
    let ids: BTreeSet<&str> = estate.clients.iter().map(|client| client.id.as_str()).collect();
    let state = State::of(&caller, &ids, around.clock.wall()).await?;
    let estate = without_admin(estate, &state.own.0, &mut told);
    let plan = Plan::of(&estate, &state, Extent::Added, 0)?;
    let person = around.output.reader() == Reader::Person;
    if person {
        for line in shown::lines(&plan) {
            around.output.result(&line)?;
        }
        remarks(&told, around)?;
    }
    if typed.plan {
        return planned(&plan, &told, around);
    }
    let done = carry::out(&plan, Extent::Added, (&caller, around)).await?;
    let refused = done.refused.len();
    told.lost.extend(done.refused.into_iter().map(|(about, text)| Remark { about, text }));
    if !person {
        around.output.json(&json(&plan, &told, done.steps))?;
    } else if done.steps > 0 {
        around.output.note("done; clients go on with the ids and secrets that they have");
    }
    if refused == 0 { Ok(Exit::Ok) } else { Err(incomplete(refused, &told)) }
}

/// The estate without the admin API of this server: whatever an export calls so, nobody administers by an import.
fn without_admin(mut estate: Estate, admin: &str, told: &mut drawn::Told) -> Estate {
    let why = "it is the admin API of this server: grant it by hand";
    let mut lost = |about: &str| told.lost.push(Remark { about: about.to_owned(), text: why.to_owned() });
    estate.apis.retain(|api| {
        let kept = api.identifier != admin;
        if !kept {
            lost(&format!("audience {admin}"));
        }
        kept
    });
    for client in &mut estate.clients {
        if let Some(Value::Array(grants)) = client.members.get_mut("grants") {
            let before = grants.len();
            grants.retain(|grant| grant.get("api").and_then(Value::as_str) != Some(admin));
            if grants.len() < before {
                lost(&client.id);
            }
        }
    }
    estate
}

fn incomplete(refused: usize, told: &drawn::Told) -> Failure {
    let last = told.lost.last().map(|Remark { about, text }| format!("; the last one, {about}: {text}"));
    let message = format!("refused credentials: {refused}{}", last.unwrap_or_default());
    Failure::of(Exit::RequestRefused, "refused", message)
        .hint("everything else is done; a repeat tries these again")
}

/// Exit 13 where there is something to do.
fn planned(plan: &Plan, told: &drawn::Told, around: &Surroundings) -> Result<Exit, Failure> {
    if around.output.reader() == Reader::Program {
        around.output.json(&json(plan, told, 0))?;
    }
    Ok(if plan.is_empty() { Exit::Ok } else { Exit::Changes })
}

/// Draws an estate from the exports of one product.
type Product = fn(&[Value], &mut Drawn) -> Result<(), Failure>;

fn read(path: &PathBuf, around: &Surroundings) -> Result<Value, Failure> {
    let wrong = |problem: String| Failure::configuration(format!("{}: {problem}", path.display()));
    let bytes = m2m_io::file::read_file(&around.directory.join(path), MAX_BYTES)
        .map_err(|error| wrong(error.to_string()))?;
    // A tool that lists on a terminal may leave a mark in front. What is read is never repeated: it holds secrets.
    let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    serde_json::from_slice(text).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        wrong(format!("it is not JSON ({place})")).hint("YAML becomes JSON with: yq -o json FILE")
    })
}

fn remarks(told: &drawn::Told, around: &Surroundings) -> Result<(), Failure> {
    for (title, list) in [("NOT CARRIED OVER", &told.lost), ("SKIPPED", &told.skipped)] {
        if list.is_empty() {
            continue;
        }
        around.output.result("")?;
        let mut table = Table::of([title, "WHY"]);
        table.rows.extend(list.iter().map(|Remark { about, text }| [about.clone(), text.clone()]));
        table.write("", &around.output)?;
    }
    Ok(())
}

fn json(plan: &Plan, told: &drawn::Told, steps: usize) -> Value {
    let mut object = plan.to_json(steps);
    let list = |list: &[Remark]| -> Value {
        list.iter()
            .map(|one| serde_json::json!({"about": one.about, "text": one.text}))
            .collect::<Vec<_>>()
            .into()
    };
    if let Value::Object(members) = &mut object {
        members.insert("not_carried_over".to_owned(), list(&told.lost));
        members.insert("skipped".to_owned(), list(&told.skipped));
    }
    object
}
