//! `m2m demo`: tells the story, one line a step.

use std::sync::Arc;

use m2m_authorization_server::registry::{Proof, SecretUse};
use m2m_io::file::{atomic_write, create_private_dir, remove};
use m2m_proto::secret::SecretString;
use serde_json::json;

use crate::Surroundings;
use crate::args::Demo;
use crate::demo::{self, Parties, Report, Stage, Team};
use crate::exit::{Exit, Failure};
use crate::listen;
use crate::output::Reader;

pub(crate) async fn run(typed: &Demo, around: &Surroundings) -> Result<Exit, Failure> {
    let started = around.clock.monotonic();
    around.output.note("an authorization server, an API and a service with two instances, all on loopback");
    let world = (Arc::clone(&around.clock), Arc::clone(&around.random));
    let mut written = Ok(());
    let (stage, reports) = demo::run(Parties::default(), world, |report| {
        if written.is_ok() {
            written = tell(report, around);
        }
    })
    .await?;
    written?;
    let failed: Vec<_> =
        reports.iter().filter(|report| !report.is_ok()).map(|report| report.step.name()).collect();
    let took = around.clock.monotonic().saturating_sub(started);
    let count = reports.len();
    if typed.keep && failed.is_empty() {
        keep(&stage, around).await?;
    }
    stage.strike().await;
    if failed.is_empty() {
        around.output.note(&format!("{count} steps, all as they should be, in {:.1} s", took.as_secs_f64()));
        return Ok(Exit::Ok);
    }
    Err(Failure::internal(format!("{} of {count} steps failed: {}", failed.len(), failed.join(", ")))
        .hint("this is a defect of m2m or something odd on this machine's loopback; please report it"))
}

fn tell(report: &Report, around: &Surroundings) -> Result<(), Failure> {
    let step = report.step;
    if around.output.reader() == Reader::Program {
        let (seen, error) = match &report.outcome {
            Ok(seen) => (Some(seen), None),
            Err(error) => (None, Some(error)),
        };
        return around.output.json(&json!({
            "step": step.name(), "ok": report.is_ok(), "sent": step.sent(), "why": step.why(),
            "seen": seen, "error": error,
        }));
    }
    around.output.result(&match &report.outcome {
        Ok(seen) => format!("ok    {:<28} {} → {seen}. {}", step.name(), step.sent(), sentence(step.why())),
        Err(error) => format!("FAIL  {:<28} {} → {error}", step.name(), step.sent()),
    })
}

/// With a capital, as it stands after a full stop.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// Tells what to try, and keeps the servers until Ctrl-C. The secret goes to a file and not to the terminal.
async fn keep(stage: &Stage, around: &Surroundings) -> Result<(), Failure> {
    let interrupted = listen::interrupted().map_err(|error| Failure::internal(error.to_string()))?;
    let directory = around.environment.cache_directory().unwrap_or_else(|| around.directory.clone());
    let path = directory.join("demo.env");
    let cannot = |error: std::io::Error| {
        Failure::configuration(format!("cannot write {}: {error}", path.display()))
            .hint("the client's secret needs a file; set HOME or XDG_CACHE_HOME to a directory of yours")
    };
    let text = exports(stage).await?;
    create_private_dir(&directory).map_err(cannot)?;
    atomic_write(&path, text.expose().as_bytes(), around.random.as_ref()).map_err(cannot)?;
    around.output.result("")?;
    around.output.result("# the servers keep running; in another shell:")?;
    around.output.result(&format!(". {}", path.display()))?;
    around.output.result("m2m token --scope orders:read | m2m inspect")?;
    around.output.result(&format!("m2m request GET {} --scope orders:read -i", stage.api_url()))?;
    around.output.result("m2m revoke --scope orders:read </dev/null")?;
    around.output.note("Ctrl-C ends them");
    interrupted.await;
    remove(&path).map_err(cannot)
}

/// A client of the kept servers, as exports for a shell.
async fn exports(stage: &Stage) -> Result<SecretString, Failure> {
    let proof = Proof::ClientSecret(SecretUse::BasicOrPost);
    let created = stage.credential(Team::Billing, "to try", proof).await.map_err(Failure::internal)?;
    let secret = created.client_secret.ok_or_else(|| Failure::internal("the server made no secret"))?;
    let lines = [
        ("M2M_ISSUER", stage.server().issuer().as_str()),
        ("M2M_CLIENT_ID", Team::Billing.id()),
        ("M2M_CLIENT_SECRET", secret.expose()),
        ("M2M_AUDIENCE", demo::API),
    ];
    Ok(SecretString::new(lines.map(|(name, value)| format!("export {name}='{value}'\n")).concat()))
}
