//! `cargo xtask mutants [FILE]`: changes the code that decides about access, one place at a time, and runs the unit tests
//! of the crate that was changed. Which files: `.cargo/mutants.toml`; what survived and why: `docs/mutants.md`.
//!
//! Not part of the tests: a mutant costs a build, so all of them take hours.

use crate::{run, tools};
use anyhow::Result;
use std::process::Command;

/// Tries every mutant of one file, or of all.
pub(crate) fn run(file: Option<&str>) -> Result<()> {
    let mut mutants = Command::new(tools::MUTANTS.fetch()?);
    mutants.current_dir(run::root()).args(["mutants", "--workspace", "--no-shuffle", "--output"]);
    mutants.arg(run::target());
    if let Some(file) = file {
        mutants.args(["--file", file]);
    }
    run::succeed(&mut mutants)
}
