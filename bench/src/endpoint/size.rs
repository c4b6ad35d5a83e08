//! Many clients: the memory they take, and that a token costs no more for them.

use super::load::{Requests, Side, compare, measure};
use super::process::Process;
use super::token_request;
use crate::report::Report;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::time::Duration;

const MEMORY: &str = "server-memory-10k-clients";
const MEMORY_CLIENTS: u64 = 10_000;
/// The promise, in bytes.
const MEMORY_LIMIT: u64 = 40_000_000;

/// A thousand of them ask: what the server knows of each has left the caches since it asked last.
const RATE: &str = "token-rate-100k-clients";
/// As many ask as of the few: what the others cost who are only registered.
const RATE_SAME: &str = "token-rate-100k-registered";
const MANY: u64 = 100_000;
const FEW: usize = 10;
/// The promise is that nothing grows; the rest is what a larger table takes to be read.
const RATE_BAR: f64 = 0.97;

/// The claims that `filter` names.
pub fn run(report: &mut Report, filter: impl Fn(&str) -> bool) -> Result<()> {
    for (claim, clients, measure) in
        [(MEMORY, MEMORY_CLIENTS, memory as fn(&mut Report, &Process) -> Result<()>), (RATE, MANY, rate)]
    {
        if !filter(claim) {
            continue;
        }
        match crowd(clients) {
            Ok(server) => report.measure(|report| measure(report, &server))?,
            Err(error) => report.missed(claim, &format!("{error:#}")),
        }
    }
    Ok(())
}

fn memory(report: &mut Report, server: &Process) -> Result<()> {
    // The memories of what was done are full only after some tokens.
    measure(server, Requests::repeated(requests(server)?), Duration::from_secs(2))?;
    match server.resident() {
        Some(bytes) => report.size(MEMORY, bytes, MEMORY_LIMIT),
        None => Report::skipped(MEMORY, "/proc"),
    }
    Ok(())
}

fn rate(report: &mut Report, many: &Process) -> Result<()> {
    let few = crowd(FEW as u64)?;
    let all = requests(many)?;
    let some = all.iter().step_by(all.len().div_ceil(FEW).max(1)).cloned().collect();
    let sides =
        [Side::repeated(many, all), Side::repeated(many, some), Side::repeated(&few, requests(&few)?)];
    let [all, some, few] = compare(sides)?;
    report.endpoint(RATE, [all, few], RATE_BAR);
    report.endpoint(RATE_SAME, [some, few], RATE_BAR);
    Ok(())
}

fn crowd(clients: u64) -> Result<Process> {
    Process::of_ours("ours", &json!({ "clients": clients, "jwks": { "keys": [] } }))
}

/// A token request of each client whose secret was told.
fn requests(server: &Process) -> Result<Vec<Vec<u8>>> {
    let told: &Vec<Value> = server.said("/crowd")?.as_array().context("a list of clients")?;
    Ok(told.iter().map(token_request).collect())
}
