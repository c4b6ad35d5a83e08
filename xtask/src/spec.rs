//! `cargo xtask spec`: what the standards demand, who carries it out, and which test would notice.
//!
//! Rows stand in `spec/*.toml` ([`rows`]), citations in comments ([`citations`]), and both together in
//! `docs/conformance.md` ([`page`]). Refused are a citation without a row, a binding row without code or without a
//! test, an exception without a reason, and, in `cargo xtask check`, a page that is not what would be written now.
//! Not checked: that the code does what the row says. The test has to.

mod citations;
mod page;
mod rows;

use crate::run;
use crate::tidy::source::{self, Source};
use anyhow::{Context as _, Result, bail};
use citations::{Citation, Kind};
use rows::{Document, Row, Standing};
use std::collections::BTreeSet;
use std::fs;

/// Where the page is.
const PAGE: &str = "docs/conformance.md";

/// Checks rows and citations, and writes the page.
pub(crate) fn write() -> Result<()> {
    let page = checked()?;
    fs::write(run::root().join(PAGE), page).with_context(|| format!("cannot write {PAGE}"))
}

/// Checks rows and citations, and that the page is theirs.
pub(crate) fn check() -> Result<()> {
    let page = checked()?;
    let found = fs::read_to_string(run::root().join(PAGE)).unwrap_or_default();
    if found != page {
        bail!("{PAGE} is stale: write it with `cargo xtask spec`");
    }
    Ok(())
}

/// The page as it should be; fails with every finding printed.
fn checked() -> Result<String> {
    let documents = rows::read_all(&run::root().join("spec"))?;
    let (citations, mut findings) = cited(&source::read_all(&run::root())?);
    findings.extend(judge(&documents, &citations));
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("spec: {} findings", findings.len());
    }
    Ok(page::render(&documents, &citations))
}

/// The citations of all files of the product, and what is wrong with them.
fn cited(sources: &[Source]) -> (Vec<Citation>, Vec<String>) {
    let (mut citations, mut findings) = (Vec::new(), Vec::new());
    for source in sources.iter().filter(|source| source.path.starts_with("crates/")) {
        for one in citations::of(source) {
            match one {
                Ok(found) => citations.extend(found),
                Err(finding) => findings.push(finding),
            }
        }
    }
    (citations, findings)
}

/// Rows against citations, one line per finding.
fn judge(documents: &[Document], citations: &[Citation]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut ids = BTreeSet::new();
    for (document, row) in
        documents.iter().flat_map(|document| document.rows.iter().map(move |row| (document, row)))
    {
        let place = format!("spec/{}: {}", document.file, row.id);
        if !ids.insert(row.id.as_str()) {
            findings.push(format!("{place}: this id is taken"));
        }
        findings.extend(lacks(row, citations).map(|lack| format!("{place}: {lack}")));
    }
    for citation in citations.iter().filter(|citation| !ids.contains(citation.id.as_str())) {
        let place = &citation.place;
        findings.push(format!("{}:{}: {} has no row in spec/", place.path, place.line, citation.id));
    }
    findings
}

/// What a row lacks, if anything.
fn lacks(row: &Row, citations: &[Citation]) -> Option<String> {
    if let Standing::Excepted(reason) = &row.standing {
        return reason.trim().is_empty().then(|| "excepted without a reason".to_owned());
    }
    if row.standing != Standing::Claimed || !row.level.binds() {
        return None;
    }
    let has = |kind| citations.iter().any(|citation| citation.id == row.id && citation.kind == kind);
    let what = match (has(Kind::Code), has(Kind::Test)) {
        (true, true) => return None,
        (true, false) => "no test cites it (// spec-test: …)",
        (false, true) => "no code cites it (// spec: …)",
        (false, false) => "neither code nor test cites it",
    };
    Some(format!("{}, and {what}", row.level.word()))
}

#[cfg(test)]
mod tests {
    use super::{cited, judge, rows};
    use crate::tidy::source::Source;

    const CODE: &str = "// spec: 1-AS1\nfn a() {}\n";
    const TEST: &str = "// spec-test: 1-AS1\n#[test]\nfn a_is_tested() {}\n";

    #[track_caller]
    fn finds(row: &str, code: &str, test: &str, expect: &[&str]) {
        let text = format!("document = \"RFC 1\"\ntitle = \"T\"\n[[requirement]]\nid = \"1-AS1\"\n{row}");
        let documents = [rows::parse("rfc0001.toml", &text).unwrap()];
        let sources = [("a.rs", code), ("a/tests.rs", test)]
            .map(|(name, text)| Source::parse(&format!("crates/m2m-io/src/{name}"), text.to_owned()));
        let (citations, mut findings) = cited(&sources);
        findings.extend(judge(&documents, &citations));
        assert_eq!(findings.len(), expect.len(), "{findings:?}");
        for (finding, part) in findings.iter().zip(expect) {
            assert!(finding.contains(part), "{finding:?} without {part:?}");
        }
    }

    fn row(level: &str, more: &str) -> String {
        format!(
            "section = \"1\"\nlevel = \"{level}\"\nrole = \"authorization-server\"\nsummary = \"It does.\"\n{more}"
        )
    }

    #[test]
    fn a_binding_row_needs_code_and_test() {
        finds(&row("MUST", ""), CODE, TEST, &[]);
        finds(&row("MUST", ""), CODE, "", &["no test cites it"]);
        finds(&row("MUST NOT", ""), "", TEST, &["no code cites it"]);
        finds(&row("MUST", ""), "", "", &["neither code nor test"]);
        finds(&row("SHOULD", ""), "", "", &[]);
        finds(&row("MAY", ""), "", "", &[]);
    }

    #[test]
    fn what_is_not_claimed_needs_nothing_and_an_exception_a_reason() {
        finds(&row("MUST", "status = \"later\""), "", "", &[]);
        finds(&row("MUST", "status = \"excepted\"\nreason = \"there is none\""), "", "", &[]);
        finds(&row("MUST", "status = \"excepted\""), CODE, TEST, &["excepted without a reason"]);
    }

    #[test]
    fn a_citation_needs_a_row_and_a_row_an_id_of_its_own() {
        let other = "// spec: 1-AS1 1-AS2\nfn a() {}\n";
        finds(&row("MUST", ""), other, TEST, &["crates/m2m-io/src/a.rs:1: 1-AS2 has no row"]);
        let twice = format!("{}\n[[requirement]]\nid = \"1-AS1\"\n{}", row("MUST", ""), row("MUST", ""));
        finds(&twice, CODE, TEST, &["this id is taken"]);
    }

    /// The tree itself; the page is looked at by `cargo xtask check`.
    #[test]
    fn every_binding_row_has_code_and_test() {
        super::checked().unwrap();
    }
}
