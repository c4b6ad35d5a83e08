//! The binary `m2m`, for tests that run it as a stranger would.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the binary is: what `M2M_BIN` says (`cargo xtask test` builds it and sets
/// that), else built now, which takes no time when it is fresh.
///
/// # Panics
///
/// If it cannot be built.
#[must_use]
pub fn m2m() -> PathBuf {
    if let Some(path) = variable("M2M_BIN") {
        return PathBuf::from(path);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut cargo = Command::new(variable("CARGO").unwrap_or_else(|| "cargo".to_owned()));
    cargo.args(["build", "--quiet", "--package", "m2m-cli", "--bin", "m2m"]).current_dir(&root);
    assert!(cargo.status().is_ok_and(|status| status.success()), "m2m cannot be built");
    let target = variable("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("debug").join(format!("m2m{}", std::env::consts::EXE_SUFFIX))
}

#[expect(
    clippy::disallowed_methods,
    reason = "says where the test runner has put things; no setting of ours"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
