//! `m2m admin apply FILE`: a whole estate from one file.
//!
//! Enforces: `--plan` changes nothing, and its exit code says whether there is something to do; what is withdrawn is
//! named, and confirmed on a terminal. Does not enforce: status of clients and keys, which the file does not have.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::estate::plan::{Extent, Plan};
use super::estate::state::State;
use super::estate::{carry, file, shown};
use super::http::Caller;
use super::{confirm, moment};
use crate::Surroundings;
use crate::args::admin::Apply;
use crate::exit::{Exit, Failure};
use crate::output::Reader;

pub(super) async fn run(typed: &Apply, around: &Surroundings) -> Result<Exit, Failure> {
    let placed = |path: &PathBuf| around.directory.join(path);
    let overlap = moment::seconds("--overlap", &typed.overlap, "24h")?;
    let secrets = typed.secrets.as_ref().map(placed);
    let estate = file::read(&typed.file, secrets.as_deref())?;
    let caller = Caller::open(around).await?;
    let ids: BTreeSet<&str> = estate.clients.iter().map(|client| client.id.as_str()).collect();
    let state = State::of(&caller, &ids, around.clock.wall()).await?;
    let extent = if typed.prune { Extent::Whole } else { Extent::Named };
    let plan = Plan::of(&estate, &state, extent, overlap)?;
    carry::check(&plan)?;
    if typed.plan {
        told(&plan, None, around)?;
        return Ok(if plan.is_empty() { Exit::Ok } else { Exit::Changes });
    }
    done(&plan, extent, (typed, &caller), around).await?;
    Ok(Exit::Ok)
}

/// Shows a plan, asks where something is withdrawn, and carries it out.
///
/// # Errors
/// As [`carry::out`]; exit 2: not confirmed.
async fn done(
    plan: &Plan,
    extent: Extent,
    (typed, caller): (&Apply, &Caller),
    around: &Surroundings,
) -> Result<(), Failure> {
    let person = around.output.reader() == Reader::Person;
    if person {
        told(plan, None, around)?;
    }
    if plan.withdraws() {
        confirm::ask(typed.confirmation, "carry this out? what is withdrawn does not come back", around)?;
    }
    let steps = carry::out(plan, extent, (caller, around)).await?.steps;
    match person {
        true if steps > 0 => around.output.note("done"),
        true => {}
        false => told(plan, Some(steps), around)?,
    }
    Ok(())
}

/// The plan, for whoever reads.
fn told(plan: &Plan, applied: Option<usize>, around: &Surroundings) -> Result<(), Failure> {
    if around.output.reader() == Reader::Program {
        return around.output.json(&plan.to_json(applied.unwrap_or(0)));
    }
    shown::lines(plan).iter().try_for_each(|line| around.output.result(line))
}
