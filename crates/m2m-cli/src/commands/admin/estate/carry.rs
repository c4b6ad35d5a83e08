//! Carries a plan out, step by step.
//!
//! Enforces: no secret is made that cannot be kept: its file is made first, 0600, and none that exists is replaced; the
//! first step that fails is the last one, and what was done stays done. A repeat goes on where it ended. An import
//! goes on where the server refuses a credential: others do not depend on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Members;
use super::plan::{Action, Extent, Kind, Plan, Step};
use crate::Surroundings;
use crate::commands::admin::api::version;
use crate::commands::admin::credential::overlap;
use crate::commands::admin::http::{Call, Caller};
use crate::exit::{Exit, Failure};

/// That each file for a secret can be made, before anything is.
///
/// # Errors
/// Exit 3: one is there already, or has no directory.
pub(in crate::commands::admin) fn check(plan: &Plan) -> Result<(), Failure> {
    let files: Vec<&PathBuf> = plan.steps.iter().filter_map(|step| step.secret_file.as_ref()).collect();
    for (index, file) in files.iter().enumerate() {
        if files.iter().take(index).any(|other| other == file) {
            return Err(Failure::configuration(format!("two secrets would go to {}", file.display()))
                .hint("give one of the credentials another secret_file"));
        }
        if file.symlink_metadata().is_ok() {
            let message = format!("{} exists, and a new secret would go there", file.display());
            return Err(Failure::configuration(message)
                .hint("move it away, or keep it: it may be the secret of another server"));
        }
    }
    Ok(())
}

/// What was done, and which credentials the server refused.
#[derive(Debug, Default)]
pub(in crate::commands::admin) struct Done {
    pub(in crate::commands::admin) steps: usize,
    /// Each with why.
    pub(in crate::commands::admin) refused: Vec<(String, String)>,
}

/// Does what the plan says. With [`Extent::Added`] a credential that is refused stops nobody.
///
/// # Errors
/// What [`Caller::send`] says, with how far it came.
pub(in crate::commands::admin) async fn out(
    plan: &Plan,
    extent: Extent,
    (caller, around): (&Caller, &Surroundings),
) -> Result<Done, Failure> {
    // An object that was changed a moment ago has another version than when it was read.
    let mut versions: BTreeMap<&str, Option<String>> = BTreeMap::new();
    let mut done = Done::default();
    for step in &plan.steps {
        let known = versions.get(step.path.as_str()).cloned();
        match one(step, known.unwrap_or_else(|| step.version.clone()), (caller, around)).await {
            Ok(answer) => {
                versions.insert(&step.path, version(&answer));
                overlap::warn(&remaining(answer, plan), around);
                done.steps += 1;
            }
            Err(failure) if extent == Extent::Added && is_refused(&failure, step) => {
                done.refused.push((step.name.1.clone(), failure.message().to_owned()));
            }
            Err(failure) => return Err(stopped(&failure, step, (done.steps, plan.steps.len()))),
        }
    }
    Ok(done)
}

fn is_refused(failure: &Failure, step: &Step) -> bool {
    step.name.0 == Kind::Credential && failure.exit() == Exit::RequestRefused
}

fn stopped(failure: &Failure, step: &Step, (done, all): (usize, usize)) -> Failure {
    let (action, kind, name) = (step.action.name(), step.name.0.name(), &step.name.1);
    let place = if step.place.0.is_empty() { String::new() } else { format!("{}: ", step.place.0) };
    let told = failure.message();
    let text = format!("{place}{action} {kind} {name} failed, {done} of {all} steps are done: {told}");
    let unsure = step.secret_file.is_some() && failure.exit() == Exit::Unreachable;
    let hint = match failure.advice() {
        _ if unsure => "if m2m admin credential list shows it, its secret is lost: rotate it",
        Some(hint) => hint,
        None => "a repeat goes on from there",
    };
    failure.clone().says(text).hint(hint)
}

async fn one(
    step: &Step,
    version_now: Option<String>,
    (caller, around): (&Caller, &Surroundings),
) -> Result<Members, Failure> {
    let mut body = step.body.clone();
    if let (Some((member, secret)), Some(Value::Object(body))) = (&step.given, &mut body) {
        body.insert((*member).to_owned(), Value::from(secret.expose().as_str()));
    }
    let call = Call {
        body,
        if_version: version_now,
        idempotency_key: step.idempotency_key.clone(),
        ..Call::of(step.method.clone(), step.path.clone())
    };
    let Some(file) = &step.secret_file else {
        return Ok(caller.send(call).await?.object);
    };
    keep(file, b"", around)?;
    let answer = match caller.send(call).await {
        Ok(answer) => answer,
        Err(failure) => {
            // Best effort: an empty file would look like a secret.
            let _leftover = m2m_io::file::remove(file);
            return Err(failure);
        }
    };
    match answer.object.get("client_secret").and_then(Value::as_str) {
        Some(secret) => keep(file, secret.as_bytes(), around)?,
        None => return Err(Failure::internal("the server made no secret")),
    }
    Ok(answer.object)
}

/// The answer without the overlaps that the plan ends: what takes the place of a mapping may mean the same workload.
fn remaining(mut answer: Members, plan: &Plan) -> Members {
    let ends = |other: &Value| {
        let id = other.get("credential_id").and_then(Value::as_str).unwrap_or_default();
        plan.steps
            .iter()
            .any(|step| step.action == Action::Revoke && step.path == format!("/credentials/{id}/revoke"))
    };
    if let Some(Value::Array(others)) = answer.get_mut("overlaps") {
        others.retain(|other| !ends(other));
    }
    answer
}

fn keep(file: &Path, bytes: &[u8], around: &Surroundings) -> Result<(), Failure> {
    let wrong = |error: std::io::Error| Failure::configuration(format!("{}: {error}", file.display()));
    if let Some(directory) = file.parent().filter(|directory| !directory.as_os_str().is_empty())
        && !directory.exists()
    {
        m2m_io::file::create_private_dir(directory).map_err(wrong)?;
    }
    m2m_io::file::atomic_write(file, bytes, around.random.as_ref()).map_err(wrong)
}
