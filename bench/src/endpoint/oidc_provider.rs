//! Our token endpoint beside npm `oidc-provider` in the same run, where `cargo xtask peers`
//! has fetched it.

use super::load::{Requests, Side, answer, compare, measure};
use super::process::Process;
use super::request::{self, Caller};
use super::{ALGORITHMS, Pair, start, token, token_request};
use crate::report::Report;
use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const SCRIPT: &str = include_str!("oidc_provider.mjs");
const SECRET: &str = "no-character-that-needs-encoding-0123456789";

const WARMING: Duration = Duration::from_secs(2);

/// The claims that `filter` names.
pub fn run(report: &mut Report, filter: impl Fn(&str) -> bool, pair: &mut Option<Pair>) -> Result<()> {
    let claim = |name: &str| format!("token-beside-oidc-provider-{name}");
    if !ALGORITHMS.iter().any(|(name, _)| filter(&claim(name))) {
        return Ok(());
    }
    let home = start::target().join("peers/oidc-provider");
    if !home.join("node_modules").is_dir() {
        Report::skipped(&claim("*"), "target/peers/oidc-provider: run cargo xtask peers");
        return Ok(());
    }
    let (ours, theirs) = (&Pair::once(pair)?.ours, start_rival(&home)?);
    for (name, _) in ALGORITHMS {
        let claim = claim(name);
        if !filter(&claim) {
            continue;
        }
        let client = json!({ "id": format!("svc-{name}"), "secret": SECRET });
        let rival = request::post("/token", Caller::Secret(&client), request::TOKEN);
        let given = token(&answer(&theirs, &rival)?)?;
        ensure!(given.split('.').count() == 3, "oidc-provider gives no JWT");
        // Its compiler needs some thousand requests to know what is hot.
        measure(&theirs, Requests::repeated(vec![rival.clone()]), WARMING)?;
        report.measure(|report| {
            let own = token_request(ours.said(&format!("/{name}"))?);
            let sides = [Side::repeated(ours, vec![own]), Side::repeated(&theirs, vec![rival.clone()])];
            report.endpoint(&claim, compare(sides)?, 1.0);
            Ok(())
        })?;
    }
    Ok(())
}

/// Its packages are found from where the script is, so it is put beside them.
fn start_rival(home: &Path) -> Result<Process> {
    let script = home.join("bench.mjs");
    fs::write(&script, SCRIPT).with_context(|| format!("cannot write {}", script.display()))?;
    let mut node = Command::new("node");
    node.arg(&script).current_dir(home).env("NODE_ENV", "production").env("NODE_NO_WARNINGS", "1");
    Process::start(node.stderr(Stdio::null()), &json!({ "secret": SECRET }))
}
