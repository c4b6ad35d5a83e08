//! Programs from crates.io that only the slow stages want: built once into `target/peers`, each at the version named
//! here.

use crate::run;
use anyhow::Result;
use std::fs;
use std::path::PathBuf;

/// The guide as HTML.
pub(crate) const MDBOOK: Tool = Tool { program: "mdbook", version: "0.5.4", features: Some("search") };
/// Fuzzing that finds its own way.
pub(crate) const FUZZ: Tool = Tool { program: "cargo-fuzz", version: "0.13.2", features: None };
/// Changes code, to see whether a test notices.
pub(crate) const MUTANTS: Tool = Tool { program: "cargo-mutants", version: "27.1.0", features: None };

/// A program and where it comes from.
pub(crate) struct Tool {
    program: &'static str,
    version: &'static str,
    /// Instead of the features that it has by default.
    features: Option<&'static str>,
}

impl Tool {
    /// The program, built now if it is missing or of another version.
    pub(crate) fn fetch(&self) -> Result<PathBuf> {
        let home = run::target().join("peers").join(self.program);
        let program = home.join("bin").join(format!("{}{}", self.program, std::env::consts::EXE_SUFFIX));
        // What `cargo install` keeps there; not every one of them tells its version.
        let record = fs::read_to_string(home.join(".crates.toml")).unwrap_or_default();
        if !program.is_file() || !record.contains(&format!("\"{} {} (", self.program, self.version)) {
            let mut install = run::cargo();
            install.args(["install", "--locked"]);
            if let Some(features) = self.features {
                install.args(["--no-default-features", "--features", features]);
            }
            install.arg("--root").arg(home).arg(format!("{}@{}", self.program, self.version));
            run::succeed(&mut install)?;
        }
        Ok(program)
    }
}
