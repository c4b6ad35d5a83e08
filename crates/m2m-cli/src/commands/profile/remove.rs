//! `m2m profile remove`: a profile, and the secret that we put somewhere for it.

use std::io::IsTerminal as _;
use std::path::Path;

use serde_json::json;

use super::asker::{Asker, Terminal};
use super::kept;
use super::owners::Owner;
use super::written::{self, Turn};
use crate::Surroundings;
use crate::args::ProfileRemove;
use crate::exit::{Exit, Failure};
use crate::output::Reader;
use crate::settings::edit::Draft;
use crate::settings::file::{Document, Profile};
use crate::settings::search::{self, Located, Start};
use crate::settings::secret::SecretReference;
use crate::settings::value::Value;

pub(super) async fn run(typed: &ProfileRemove, around: &Surroundings) -> Result<Exit, Failure> {
    let name = typed.name.as_str();
    let has = |file: &&Located| file.document.profiles.contains_key(name);
    let files = search::find(start(around))?;
    let path = &files.located.iter().find(has).ok_or_else(|| nothing(name))?.document.path;
    let path = around.directory.join(path);
    confirm(typed, &format!("profile {name} of {}", path.display()))?;
    let (fate, draft) = take_out(name, &path, around).await?;
    fate.tell(name, &draft, around)?;
    Ok(Exit::Ok)
}

/// Takes a profile out of this file, and the secrets away that we put somewhere for it.
///
/// # Errors
/// Exit 3: it is not there, or a file cannot be written.
pub(crate) async fn take_out(
    name: &str,
    path: &Path,
    around: &Surroundings,
) -> Result<(Fate, Draft), Failure> {
    let start = start(around);
    let has = |file: &&Located| file.document.profiles.contains_key(name);
    let turn = Turn::take(Some(path), around).await?;
    // Others may have changed the files while we asked.
    let files = search::find(start)?;
    let is_it = |file: &&Located| has(file) && around.directory.join(&file.document.path) == path;
    let document = &files.located.iter().find(is_it).ok_or_else(|| nothing(name))?.document;
    let unseen = kept::unseen(&files.located, around)?;
    let owner = Owner::of(path, name);
    let mut draft = Draft::open(path)?;
    let was_default = draft.default_profile() == Some(name);
    draft.remove(name);
    written::save(&draft, &turn, around)?;
    around.output.note(&format!("profile {name} is removed from {}", draft.path().display()));
    if was_default {
        around.output.note("it was the default; there is none now");
    }
    let documents: Vec<&Document> = files.located.iter().chain(&unseen).map(|file| &file.document).collect();
    let others = secrets_of_others(&documents, document, name);
    let mut secrets = Fate::default();
    for reference in document.profiles.get(name).map(secrets_of).unwrap_or_default() {
        match forget(&reference, &owner, &others, &turn, around).await {
            true => secrets.removed.push(reference.to_string()),
            false => secrets.left.push(reference.to_string()),
        }
    }
    Ok((secrets, draft))
}

fn start(around: &Surroundings) -> Start<'_> {
    Start {
        config: around.global.config.as_deref(),
        directory: &around.directory,
        environment: &around.environment,
    }
}

fn nothing(name: &str) -> Failure {
    Failure::configuration(format!("there is no profile {name}")).hint("m2m profile list shows them")
}

/// Where the secrets of a profile are.
fn secrets_of(profile: &Profile) -> Vec<SecretReference> {
    let reference = |value: &Value| match value {
        Value::Secret(reference) => Some(reference.clone()),
        _ => None,
    };
    profile.values().filter_map(|sourced| reference(&sourced.value)).collect()
}

/// Where the secrets of every profile are but this one of this file.
fn secrets_of_others(documents: &[&Document], document: &Document, name: &str) -> Vec<SecretReference> {
    let profiles = documents
        .iter()
        .flat_map(|other| other.profiles.iter().map(|(known, profile)| (&other.path, known, profile)));
    profiles
        .filter(|(path, known, _)| !(**path == document.path && *known == name))
        .flat_map(|(_, _, profile)| secrets_of(profile))
        .collect()
}

/// What became of the profile's secrets.
#[derive(Debug, Default)]
pub(crate) struct Fate {
    pub(crate) removed: Vec<String>,
    pub(crate) left: Vec<String>,
}

impl Fate {
    fn tell(&self, name: &str, draft: &Draft, around: &Surroundings) -> Result<(), Failure> {
        if around.output.reader() == Reader::Program {
            let file = draft.path().display().to_string();
            return around.output.json(&json!({
                "profile": name, "file": file, "secrets_removed": self.removed, "secrets_left": self.left,
            }));
        }
        for secret in &self.removed {
            around.output.note(&format!("its secret is removed: {secret}"));
        }
        for secret in &self.left {
            around.output.note(&format!("its secret stays: {secret}"));
        }
        Ok(())
    }
}

fn confirm(typed: &ProfileRemove, what: &str) -> Result<(), Failure> {
    if typed.yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format!("{what} is not removed without being confirmed"))
            .hint("add --yes; on a terminal its name is asked for"));
    }
    let answer = Terminal.ask(&format!("remove {what}? type its name to confirm"))?;
    if answer == typed.name {
        return Ok(());
    }
    Err(Failure::usage("another name was typed; nothing is removed"))
}

/// Removes what we put there for this profile and nobody else uses. Whether it is gone.
async fn forget(
    reference: &SecretReference,
    owner: &Owner,
    others: &[SecretReference],
    turn: &Turn,
    around: &Surroundings,
) -> bool {
    if others.contains(reference) {
        return false;
    }
    // The profile is gone already; what is left is named.
    let removed = kept::remove(reference, owner, turn, around).await;
    removed.map_err(|failure| around.output.warn(failure.message())).unwrap_or(false)
}
