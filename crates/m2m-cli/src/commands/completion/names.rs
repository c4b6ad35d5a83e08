//! Candidates that an authorization server knows: asked for with the settings of `m2m admin`, if there are any.
//!
//! Enforces: a second at most, and what came until then counts; silence about whatever goes wrong; settings whose secret
//! would need a program or a keyring are not used, because pressing Tab must start nothing and open no dialogue, and
//! neither are those of a file that was found and not trusted.

use std::cell::RefCell;
use std::time::Duration;

use tokio::runtime::Builder;

use super::attach::Candidate;
use super::line::Line;
use crate::commands::admin::names::{self, Sink};
use crate::connect;
use crate::settings::Settings;
use crate::settings::secret::SecretReference;
use crate::settings::value::Value;

pub(super) use crate::commands::admin::names::Kind;

const PATIENCE: Duration = Duration::from_secs(1);

/// Names of this kind.
pub(super) fn of(kind: Kind, line: &Line) -> Vec<Candidate> {
    found(kind, line).into_iter().map(|name| (name.id, name.title)).collect()
}

/// `API=`
pub(super) fn apis(line: &Line) -> Vec<Candidate> {
    found(Kind::Api, line).into_iter().map(|api| (format!("{}=", api.id), api.title)).collect()
}

/// `API=`, and after it the scopes that are not there yet, with commas.
pub(super) fn grants(current: &str, line: &Line) -> Vec<Candidate> {
    let Some((typed, scopes)) = current.split_once('=') else { return apis(line) };
    let (before, _) = scopes.rsplit_once(',').unwrap_or(("", scopes));
    let there: Vec<&str> = before.split(',').collect();
    let comma = if before.is_empty() { "" } else { "," };
    let api = found(Kind::Api, line).into_iter().find(|api| api.id == typed);
    let left = api.into_iter().flat_map(|api| api.scopes).filter(|scope| !there.contains(&scope.as_str()));
    left.map(|scope| (format!("{typed}={before}{comma}{scope}"), None)).collect()
}

fn found(kind: Kind, line: &Line) -> Vec<names::Name> {
    let around = line.surroundings();
    if !connect::admin_settings(&around).is_ok_and(|settings| starts_nothing(&settings)) {
        return Vec::new();
    }
    let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return Vec::new() };
    let sink: Sink = RefCell::new(Vec::new());
    runtime.block_on(async {
        tokio::select! {
            _ = names::collect(kind, line.flag("--client"), &around, &sink) => {}
            () = around.clock.sleep(PATIENCE) => {}
        }
    });
    // A host name that is still being looked up must not hold up the end.
    runtime.shutdown_background();
    sink.into_inner()
}

/// Whether every secret of these settings can be read in silence, and whoever wrote them is believed. A file that was
/// only found may name a server of strangers and a secret of ours; that is said before it is used, and Tab says nothing.
fn starts_nothing(settings: &Settings) -> bool {
    let asks = |value: &Value| {
        matches!(
            value,
            Value::Secret(SecretReference::Command(_) | SecretReference::Keyring(_) | SecretReference::Stdin)
        )
    };
    let believed = settings.file().is_none_or(|(_, trust)| trust.runs_commands());
    believed && !settings.values().any(|(_, sourced)| asks(&sourced.value))
}
