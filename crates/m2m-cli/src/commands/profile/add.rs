//! `m2m profile add`: by flags, or on a terminal by a conversation about what the flags leave open. Ends with a test.

use std::io::IsTerminal as _;
use std::path::Path;

use serde_json::{Value as Json, json};

use super::asker::{Asker, Terminal};
use super::trial::{self, Trial};
use super::wish::{Wish, Written};
use super::{conversation, named, written};
use crate::Surroundings;
use crate::args::{Destination, Global, ProfileAdd, ProfileFlags};
use crate::exit::{Exit, Failure};
use crate::output::Reader;
use crate::settings::{self, Inputs, Settings};

pub(super) async fn run(typed: &ProfileAdd, around: &Surroundings) -> Result<Exit, Failure> {
    if typed.destination.keyring && !typed.profile.secret_stdin && !is_terminal() {
        return Err(Failure::usage("--keyring keeps a secret that is read here, and none is")
            .hint("add --secret-stdin"));
    }
    let name = typed.name.clone().or_else(|| around.global.profile.clone());
    // What stands in the way is told before the first question and before a secret is read.
    let target = name.as_deref().map(|name| written::target(&typed.destination, name, around)).transpose()?;
    let mut wish = Wish::stated(settings::stated(&typed.profile, &around.environment)?, around).await?;
    let mut destination = typed.destination.clone();
    let (name, target) = match (name, target) {
        (Some(name), Some(target)) => (name, target),
        _ if is_terminal() => ask_name(&mut Terminal, &typed.destination, around)?,
        _ => return Err(Failure::usage("the profile has no name").hint("m2m profile add NAME …")),
    };
    if is_terminal() && wish.check().is_err() {
        conversation::run(&mut Terminal, &mut wish, &mut destination)?;
    }
    wish.check()?;
    let written = wish.write(&name, target, &destination, around).await?;
    warn_of_variables(around)?;
    if typed.no_test {
        tell(&name, &written, None, around)?;
        return Ok(Exit::Ok);
    }
    let outcome = test(&name, &written, around).await;
    if outcome.is_err() {
        around.output.note(&format!("profile {name} is kept, though its test failed"));
    }
    outcome
}

fn is_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

fn ask_name(
    asker: &mut dyn Asker,
    typed: &Destination,
    around: &Surroundings,
) -> Result<(String, written::Target), Failure> {
    loop {
        let name = asker.ask("name of the profile, such as orders")?;
        match written::target(typed, &name, around) {
            Ok(target) => return Ok((name, target)),
            Err(failure) => asker.say(failure.message()),
        }
    }
}

async fn test(name: &str, written: &Written, around: &Surroundings) -> Result<Exit, Failure> {
    let settings = alone(name, &written.path, around)?;
    let trial = match trial::run(&settings, around).await {
        Ok(trial) => trial,
        Err(failure) => {
            tell(name, written, None, around)?;
            return Err(failure);
        }
    };
    if around.output.reader() == Reader::Program {
        tell(name, written, Some(&trial), around)?;
        return trial.exit();
    }
    trial.tell(around)
}

/// The profile as it stands, without variables that would win over it.
fn alone(name: &str, path: &Path, around: &Surroundings) -> Result<Settings, Failure> {
    let global = Global { config: Some(path.to_owned()), ..named(&around.global, Some(name)) };
    Settings::resolve_without_variables(Inputs {
        global: &global,
        flags: &ProfileFlags::default(),
        environment: &around.environment,
        directory: &around.directory,
    })
}

/// The test passes them by, other commands do not.
pub(super) fn warn_of_variables(around: &Surroundings) -> Result<(), Failure> {
    let layer = settings::variables(&around.environment)?;
    let names: Vec<String> = layer.values().map(|sourced| sourced.origin.to_string()).collect();
    if !names.is_empty() {
        let names = names.join(", ");
        around.output.warn(&format!("set in this shell, and stronger than any profile: {names}"));
    }
    Ok(())
}

/// What a program reads: `{"profile","file","secrets","test"}`.
pub(super) fn tell(
    name: &str,
    written: &Written,
    trial: Option<&Trial>,
    around: &Surroundings,
) -> Result<(), Failure> {
    if around.output.reader() != Reader::Program {
        return Ok(());
    }
    around.output.json(&json!({
        "profile": name,
        "file": written.path.display().to_string(),
        "secrets": written.secrets_json(),
        "test": trial.map_or(Json::Null, |trial| trial.as_json(around)),
    }))
}
