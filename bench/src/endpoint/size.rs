//! Many clients: the memory they take, and that a token costs no more for them.

use super::load::{ROUND, Side, compare, measure};
use super::process::Process;
use super::{Requests, token_request};
use crate::report::Report;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};

const MEMORY: &str = "server-memory-10k-clients";
const MEMORY_CLIENTS: u64 = 10_000;
/// The promise, in bytes.
const MEMORY_LIMIT: u64 = 40_000_000;

const RATE: &str = "token-rate-100k-clients";
const MANY: u64 = 100_000;
const FEW: u64 = 10;
/// The promise is that nothing grows; the rest is what a larger table takes to be read.
const RATE_BAR: f64 = 0.97;

/// The claims that `filter` names.
pub fn run(report: &mut Report, filter: impl Fn(&str) -> bool) -> Result<()> {
    if filter(MEMORY) {
        let server = crowd(MEMORY_CLIENTS)?;
        let requests = requests(&server)?;
        report.measure(|report| {
            // The memories of what was done are full only after some tokens.
            for _ in 0..4 {
                measure(&server, Requests::repeated(requests.clone()), ROUND)?;
            }
            match server.resident() {
                Some(bytes) => report.size(MEMORY, bytes, MEMORY_LIMIT),
                None => Report::skipped(MEMORY, "/proc"),
            }
            Ok(())
        })?;
    }
    if filter(RATE) {
        let (many, few) = match (crowd(MANY), crowd(FEW)?) {
            (Ok(many), few) => (many, few),
            (Err(error), _) => {
                report.missed(RATE, &format!("{error:#}"));
                return Ok(());
            }
        };
        report.measure(|report| {
            let sides = [Side::repeated(&many, requests(&many)?), Side::repeated(&few, requests(&few)?)];
            report.endpoint(RATE, compare(sides)?, RATE_BAR);
            Ok(())
        })?;
    }
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
