//! Pages that make promises: each test that they name exists.

use super::Finding;
use super::source::Source;
use crate::run;
use anyhow::{Context as _, Result};
use std::collections::BTreeSet;
use std::fs;

const PAGES: &[&str] = &["ARCHITECTURE.md", "docs/threat-model.md"];

/// Reads the pages.
pub(super) fn check(sources: &[Source]) -> Result<Vec<Finding>> {
    let tests: BTreeSet<&str> = sources.iter().flat_map(tests_of).collect();
    let mut findings = Vec::new();
    for page in PAGES {
        let text =
            fs::read_to_string(run::root().join(page)).with_context(|| format!("cannot read {page}"))?;
        findings.extend(missing(page, &text, &tests));
    }
    Ok(findings)
}

/// The functions under a `#[test]` or `#[tokio::test]`; macros may give them other
/// attributes in between.
fn tests_of(source: &Source) -> impl Iterator<Item = &str> {
    let marks = source.code.split("test").skip(1).filter(|rest| rest.starts_with([']', '(']));
    marks.filter_map(|rest| {
        let (before, after) = rest.split_once("fn ")?;
        let near = before.matches('\n').count() <= 4 && !before.contains('}');
        near.then(|| after.split('(').next().unwrap_or_default())
    })
}

fn missing(page: &str, text: &str, tests: &BTreeSet<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for word in line.split('`').skip(1).step_by(2) {
            let is_name = word.contains('_')
                && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            if is_name && !tests.contains(word) {
                findings.push(Finding {
                    place: format!("{page}:{}", index + 1),
                    text: format!("there is no test {word}"),
                });
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{missing, tests_of};
    use crate::tidy::source::Source;

    #[test]
    fn named_tests_are_looked_up() {
        let code = "#[test]\nfn one_is() {}\n#[tokio::test(flavor = \"x\")]\nasync fn two_is() {}\nfn no_test() {}\n";
        let source = Source::parse("crates/m2m-io/src/a.rs", code.to_owned());
        let tests = tests_of(&source).collect();
        assert_eq!(missing("p", "| `one_is` `two_is` `Host` |", &tests).len(), 0);
        assert_eq!(missing("p", "| `no_test` `gone_is` |", &tests).len(), 2);
    }
}
