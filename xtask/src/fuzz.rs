//! The fuzz targets for a minute each: the last stage of `cargo xtask test --long`.
//!
//! Where cargo-fuzz or a C++ compiler is missing, the same targets run for as long from mutated seeds, which needs neither
//! and finds less. cargo-fuzz is used without a sanitizer, so that the stable toolchain will do.

use crate::run;
use anyhow::{Context as _, Result};
use std::fs;

/// Seconds for each target.
const SECONDS: u32 = 60;
/// Mutated seeds for each target where there is no fuzzer: about a minute of an unoptimized build.
const ROUNDS: &str = "6000000";

/// Runs every target of the manifest.
pub(crate) fn run() -> Result<()> {
    let directory = run::root().join("fuzz");
    if !run::exists("cargo-fuzz") || !run::exists("c++") {
        println!(
            "skipped: fuzzing that finds its own way needs cargo-fuzz and c++; mutated seeds take its place"
        );
        let mut seeds = run::cargo();
        seeds.current_dir(directory).args(["test", "--quiet", "--locked", "--target-dir"]).arg(run::target());
        return run::succeed(seeds.env("M2M_FUZZ_ROUNDS", ROUNDS));
    }
    let manifest = fs::read_to_string(directory.join("Cargo.toml")).context("fuzz/Cargo.toml")?;
    for target in targets(&manifest) {
        let mut fuzz = run::cargo();
        fuzz.current_dir(run::root()).args(["fuzz", "run", "--features", "libfuzzer", "--sanitizer", "none"]);
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
