//! Runs the claims whose names contain FILTER (all without one) and prints one line
//! each: `bench NAME ours=… limit=… ratio=… bar=… ok|short`. Ends with 1 if one is short.

mod allocations;
mod cold;
mod endpoint;
mod gateway;
mod header;
mod measure;
mod party;
mod report;
mod rivals;
mod signatures;
mod verification;

use anyhow::{Result, bail};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("m2m-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [subcommand, kind] = args.as_slice()
        && subcommand == endpoint::SUBCOMMAND
    {
        return endpoint::serve(kind);
    }
    let wanted = args.first().cloned().unwrap_or_default();
    let filter = |name: &str| name.contains(&wanted);
    let mut report = report::Report::default();
    header::run(&mut report, filter)?;
    cold::run(&mut report, filter)?;
    signatures::run(&mut report, filter)?;
    verification::run(&mut report, filter)?;
    endpoint::run(&mut report, filter)?;
    gateway::run(&mut report, filter)?;
    let short = report.short();
    if !short.is_empty() {
        bail!("short: {}", short.join(", "));
    }
    Ok(())
}
