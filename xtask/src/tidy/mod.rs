//! `cargo xtask tidy`: the rules of the source tree that neither rustc nor clippy
//! can hold. Also a test of this crate, so that `cargo xtask test` runs it.

mod imports;
pub(crate) mod links;
mod manifests;
mod names;
mod pages;
mod shape;
pub(crate) mod source;

use crate::run;
use anyhow::{Result, bail};
use source::Source;

/// One violated rule.
#[derive(Debug, PartialEq)]
struct Finding {
    place: String,
    text: String,
}

impl Finding {
    fn at(source: &Source, line: usize, text: impl Into<String>) -> Self {
        Self { place: format!("{}:{line}", source.path), text: text.into() }
    }
}

/// Prints every finding; fails if there is one.
pub(crate) fn run() -> Result<()> {
    let findings = findings()?;
    for finding in &findings {
        eprintln!("{}: {}", finding.place, finding.text);
    }
    if !findings.is_empty() {
        bail!("tidy: {} findings", findings.len());
    }
    Ok(())
}

fn findings() -> Result<Vec<Finding>> {
    let sources = source::read_all(&run::root())?;
    let mut findings = manifests::check()?;
    findings.extend(pages::check(&sources)?);
    findings.extend(links::check()?);
    for source in &sources {
        findings.extend(shape::check(source));
        findings.extend(names::check(source));
        findings.extend(imports::check(source));
    }
    for warning in sources.iter().filter_map(shape::warning) {
        println!("{}: warning: {}", warning.place, warning.text);
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() {
        super::run().unwrap();
    }
}
