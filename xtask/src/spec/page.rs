//! `docs/conformance.md`: the rows with what cites them, written by `cargo xtask spec` and by nobody else.

use super::citations::{Citation, Kind};
use super::rows::{Document, Role, Row, Standing};
use std::collections::BTreeSet;
use std::fmt::Write as _;

const HEAD: &str = "\
# Conformance

What the standards demand of clients, authorization servers and resource servers for machines, where it is carried
out, and which test would notice if it were not. `cargo xtask spec` writes this page from `spec/*.toml` and from the
comments `// spec: ID` and `// spec-test: ID` in the code; `cargo xtask check` fails when it is stale, or when a MUST
that we claim has no code or no test.

The texts are ours, not the standards'. *Excepted* says why we do otherwise; *later* is not built yet, and nothing is
claimed. A dash at a SHOULD or MAY means that no place of its own carries it out. Where a standard leaves a choice, see
[choices.md](choices.md); where we depart from one, [divergences.md](divergences.md).
";

/// The whole page.
pub(super) fn render(documents: &[Document], citations: &[Citation]) -> String {
    let mut out = HEAD.to_owned();
    out.push_str(&totals(documents));
    for document in documents {
        out.push_str(&section(document, citations));
    }
    out
}

/// How many rows there are of each role and standing.
fn totals(documents: &[Document]) -> String {
    let mut out = "\n| Role | MUST, claimed | SHOULD and MAY, claimed | excepted | later |\n| --- | --- | --- | --- | --- |\n"
        .to_owned();
    for role in Role::ALL {
        let rows =
            || documents.iter().flat_map(|document| &document.rows).filter(move |row| row.role == role);
        let binding = rows().filter(|row| row.standing == Standing::Claimed && row.level.binds()).count();
        let claimed = rows().filter(|row| row.standing == Standing::Claimed).count();
        let excepted = rows().filter(|row| matches!(row.standing, Standing::Excepted(_))).count();
        let later = rows().filter(|row| matches!(row.standing, Standing::Later(_))).count();
        line(
            &mut out,
            &[role.word(), &text(binding), &text(claimed - binding), &text(excepted), &text(later)],
        );
    }
    out
}

fn text(count: usize) -> String {
    count.to_string()
}

fn section(document: &Document, citations: &[Citation]) -> String {
    let mut out = format!("\n## {}: {}\n\n", document.name, document.title);
    line(&mut out, &["Id", "§", "Level", "Role", "What", "Code", "Tests"]);
    line(&mut out, &["---"; 7]);
    for row in &document.rows {
        let (code, tests) = (code(row, citations), tests(row, citations));
        let cells = [&row.id, &row.section, row.level.word(), row.role.word(), &what(row), &code, &tests];
        line(&mut out, &cells);
    }
    out
}

fn line(out: &mut String, cells: &[&str]) {
    for cell in cells {
        let cell = if cell.is_empty() { "–" } else { cell };
        // Writing to a String cannot fail.
        let _written = write!(out, "| {} ", cell.replace('|', "\\|").replace('\n', " "));
    }
    out.push_str("|\n");
}

fn what(row: &Row) -> String {
    match &row.standing {
        Standing::Claimed => row.summary.clone(),
        Standing::Excepted(reason) => format!("{} **Excepted:** {reason}", row.summary),
        Standing::Later(reason) if reason.is_empty() => format!("{} **Later.**", row.summary),
        Standing::Later(reason) => format!("{} **Later:** {reason}", row.summary),
    }
}

fn code(row: &Row, citations: &[Citation]) -> String {
    let places = of(row, citations, Kind::Code).map(|citation| {
        let path = citation.place.path.trim_start_matches("crates/");
        match &citation.place.item {
            Some(item) => format!("`{path}` `{item}`"),
            None => format!("`{path}`"),
        }
    });
    joined(places)
}

fn tests(row: &Row, citations: &[Citation]) -> String {
    joined(of(row, citations, Kind::Test).filter_map(|one| Some(format!("`{}`", one.place.item.as_ref()?))))
}

fn of<'a>(row: &'a Row, citations: &'a [Citation], kind: Kind) -> impl Iterator<Item = &'a Citation> {
    citations.iter().filter(move |citation| citation.id == row.id && citation.kind == kind)
}

/// In the order of names, so that a moved file is a small difference.
fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::citations;
    use super::super::rows;
    use super::render;
    use crate::tidy::source::Source;

    #[test]
    fn a_row_shows_code_and_tests_and_no_line_numbers() {
        let rows = "document = \"RFC 1\"\ntitle = \"T\"\n[[requirement]]\nid = \"1-AS1\"\nsection = \"2\"\nlevel = \
                    \"MUST\"\nrole = \"authorization-server\"\nsummary = \"a|b\"\n[[requirement]]\nid = \"1-AS2\"\n\
                    section = \"3\"\nlevel = \"MAY\"\nrole = \"all\"\nsummary = \"It may.\"\nstatus = \"excepted\"\n\
                    reason = \"Why.\"\n";
        let documents = [rows::parse("rfc0001.toml", rows).unwrap()];
        let cited = |path: &str, text: &str| {
            let source = Source::parse(&format!("crates/m2m-io/src/{path}"), text.to_owned());
            citations::of(&source).into_iter().flat_map(Result::unwrap).collect::<Vec<_>>()
        };
        let mut found = cited("a.rs", "// spec: 1-AS1\nfn a() {}\n// spec: 1-AS1\nfn b() {}\n");
        found.extend(cited("tests.rs", "// spec-test: 1-AS1\n#[test]\nfn it_does() {}\n"));
        let page = render(&documents, &found);
        let expect = "## RFC 1: T\n\n| Id | § | Level | Role | What | Code | Tests |\n\
                      | --- | --- | --- | --- | --- | --- | --- |\n\
                      | 1-AS1 | 2 | MUST | authorization-server | a\\|b | `m2m-io/src/a.rs` `a`, `m2m-io/src/a.rs` `b` | \
                      `it_does` |\n\
                      | 1-AS2 | 3 | MAY | all | It may. **Excepted:** Why. | – | – |\n";
        assert!(page.ends_with(expect), "{page}");
        assert!(page.contains("| authorization-server | 1 | 0 | 0 | 0 |\n"), "{page}");
        assert!(page.contains("| all | 0 | 0 | 1 | 0 |\n"), "{page}");
    }
}
