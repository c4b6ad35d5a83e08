//! `cargo xtask bench [FILTER]`: runs the `bench/` workspace, which holds the
//! rivals and has its own lock file.

use crate::run;
use anyhow::{Context as _, Result};

/// Builds and runs; fails if one claim falls short.
///
/// What is not built here is measured where it is there, and named where it is not: the
/// binary (`M2M_BIN`, else that of `cargo build --release`) and the peers of `cargo xtask peers`.
pub(crate) fn run(filter: Option<&str>) -> Result<()> {
    let mut command = run::cargo();
    command.current_dir(run::root().join("bench"));
    command.args(["run", "--quiet", "--release", "--locked", "--"]).args(filter);
    run::succeed(&mut command).context("a claim fell short, or the benches did not build")
}
