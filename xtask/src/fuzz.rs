//! `cargo xtask fuzz [TARGET]`: the fuzz targets for a minute each; also a stage of `cargo xtask test --long`.
//!
//! Where there is no C++ compiler, the same targets run for as long from mutated seeds, which need none and find less.
//! cargo-fuzz is used without a sanitizer, so that the stable toolchain will do.

use crate::{run, tools};
use anyhow::{Context as _, Result, anyhow, bail};
use std::fs;
use std::process::Command;

/// Seconds for each target.
const SECONDS: u32 = 60;
/// Mutated seeds for each target where there is no fuzzer: about a minute of an unoptimized build.
const ROUNDS: &str = "6000000";

/// Runs one target, or every target of the manifest.
pub(crate) fn run(only: Option<&str>) -> Result<()> {
    let directory = run::root().join("fuzz");
    let manifest = fs::read_to_string(directory.join("Cargo.toml")).context("fuzz/Cargo.toml")?;
    let wanted: Vec<&str> =
        targets(&manifest).into_iter().filter(|name| only.is_none_or(|only| only == *name)).collect();
    if wanted.is_empty() {
        bail!("no such target; there are {}", targets(&manifest).join(", "));
    }
    let program = if run::exists("c++") { tools::FUZZ.fetch() } else { Err(anyhow!("there is no c++")) };
    let Ok(program) = program.inspect_err(|error| {
        println!("skipped: the fuzzer: {error:#}; mutated seeds of all targets instead");
    }) else {
        let mut seeds = run::cargo();
        seeds.current_dir(directory).args(["test", "--quiet", "--locked", "--target-dir"]).arg(run::target());
        return run::succeed(seeds.env("M2M_FUZZ_ROUNDS", ROUNDS));
    };
    for target in wanted {
        let mut fuzz = Command::new(&program);
        fuzz.current_dir(run::root()).args(["run", "--features", "libfuzzer", "--sanitizer", "none"]);
        fuzz.arg("--target-dir").arg(run::target().join("fuzz")).arg(target).arg("--");
        fuzz.args([
            format!("-max_total_time={SECONDS}"),
            "-max_len=8192".to_owned(),
            "-verbosity=0".to_owned(),
        ]);
        run::succeed(&mut fuzz).with_context(|| format!("the fuzz target {target}"))?;
    }
    Ok(())
}

/// The names of the binaries in a manifest.
fn targets(manifest: &str) -> Vec<&str> {
    let paths = manifest.lines().filter_map(|line| line.strip_prefix("path = \"fuzz_targets/"));
    paths.filter_map(|rest| rest.strip_suffix(".rs\"")).collect()
}

#[cfg(test)]
mod tests {
    use super::targets;

    #[test]
    fn every_target_of_the_manifest_is_run() {
        let manifest = std::fs::read_to_string(crate::run::root().join("fuzz/Cargo.toml")).unwrap();
        let found = targets(&manifest);
        assert_eq!(found.len(), manifest.matches("[[bin]]").count());
        assert!(found.contains(&"dpop_proof"), "{found:?}");
    }
}
