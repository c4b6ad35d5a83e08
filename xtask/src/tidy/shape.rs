//! The shape of a file: its header, its size, the size of its functions, and what
//! may not stand in it at all.

use super::Finding;
use super::source::Source;

const FILE_WARNING: usize = 500;
const FILE_LIMIT: usize = 900;
const FUNCTION_LIMIT: usize = 100;

/// Files that are one long table, and why.
const TABLES: &[(&str, &str)] = &[];

/// Headers, sizes, marks of unfinished work, lint exceptions without a reason.
pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !source.is_test_file() && !source.text.trim_start().starts_with("//!") {
        findings.push(Finding::at(source, 1, "no `//!` header that says what this module is"));
    }
    let length = length(source);
    if length > FILE_LIMIT {
        findings.push(Finding::at(source, 1, format!("{length} lines, {FILE_LIMIT} is the limit")));
    }
    findings.extend(functions(source));
    for (number, line) in source.text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        if let Some(mark) = marks().into_iter().find(|mark| line.contains(mark)) {
            findings.push(Finding::at(
                source,
                number,
                format!("{mark}: finish it, or say in docs/ what is missing"),
            ));
        }
    }
    for (number, line) in source.code.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        if line.contains("#[allow(") || line.contains("#![allow(") {
            findings.push(Finding::at(source, number, "allow: write #[expect(lint, reason = \"…\")]"));
        }
    }
    findings
}

/// A file that grows too big, before it is refused.
pub(crate) fn warning(source: &Source) -> Option<Finding> {
    let length = length(source);
    let text = format!("{length} lines: split it along a rule");
    (length > FILE_WARNING && length <= FILE_LIMIT).then(|| Finding::at(source, 1, text))
}

/// Lines that count: neither tests nor tables.
fn length(source: &Source) -> usize {
    if TABLES.iter().any(|(path, _)| *path == source.path) {
        return 0;
    }
    source.production_lines().count()
}

// Put together here, so that this file does not contain them.
fn marks() -> [String; 3] {
    [["FIX", "ME"], ["TO", "DO"], ["XX", "X"]].map(|parts| parts.concat())
}

fn functions(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (start, _) in source.code.match_indices("fn ") {
        let before = source.code[..start].chars().next_back().unwrap_or(' ');
        let named = source.code[start + 3..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if before.is_ascii_alphanumeric() || before == '_' || !named {
            continue;
        }
        let first = source.line_at(start);
        let length = source.line_at(source.item_end(start)) - first + 1;
        if length > FUNCTION_LIMIT {
            findings.push(Finding::at(
                source,
                first,
                format!("function of {length} lines, {FUNCTION_LIMIT} is the limit"),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{check, warning};
    use crate::tidy::source::Source;

    fn findings(path: &str, text: &str) -> usize {
        check(&Source::parse(path, text.to_owned())).len()
    }

    #[test]
    fn each_rule_refuses_what_it_names() {
        const PATH: &str = "crates/m2m-io/src/a.rs";
        assert_eq!(findings(PATH, "//! What it is.\nfn a() {}\n"), 0);
        assert_eq!(findings(PATH, "fn a() {}\n"), 1);
        assert_eq!(findings("crates/m2m-io/src/a/tests.rs", "fn a() {}\n"), 0);
        assert_eq!(findings(PATH, &format!("//! It.\n// {}{}\n", "TO", "DO")), 1);
        assert_eq!(findings(PATH, &format!("//! It.\n#[{}(dead_code)]\nfn a() {{}}\n", "allow")), 1);
        assert_eq!(findings(PATH, &format!("//! It.\nfn a() {{\n{}}}\n", "a();\n".repeat(98))), 0);
        assert_eq!(findings(PATH, &format!("//! It.\nfn a() {{\n{}}}\n", "a();\n".repeat(99))), 1);
        assert_eq!(findings(PATH, &format!("//! It.\n{}", "const A: u8 = 1;\n".repeat(900))), 1);
    }

    #[test]
    fn a_big_file_is_warned_of_and_its_tests_do_not_count() {
        let code = "const A: u8 = 1;\n".repeat(501);
        assert!(warning(&Source::parse("crates/m2m-io/src/a.rs", code.clone())).is_some());
        let tests = format!("#[cfg(test)]\nmod tests {{\n{code}}}\n");
        assert!(warning(&Source::parse("crates/m2m-io/src/a.rs", tests)).is_none());
    }
}
