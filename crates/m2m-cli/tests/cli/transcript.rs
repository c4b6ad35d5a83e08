//! Transcripts.
//!
//! ```text
//! # prose
//! $ a line of shell
//! what it must print on standard output
//! ! what it must print on standard error
//! ? the exit code, when it is not 0
//! ```
//!
//! In expected text `$NAME` stands for a variable's value, `[..]` for anything within a line, and a line `...` for any
//! number of lines. Commands after each other share the directory.

use crate::place::Place;

struct Step {
    line: String,
    number: usize,
    out: Vec<String>,
    err: Vec<String>,
    exit: i32,
}

/// Runs every step and compares.
pub(crate) fn check(place: &Place, name: &str, text: &str) {
    let mut failures = Vec::new();
    for step in parse(text) {
        let (exit, out, err) = place.shell(&step.line);
        let expand = |lines: &[String]| lines.iter().map(|line| substitute(place, line)).collect::<Vec<_>>();
        let fits =
            exit == step.exit && matches(&expand(&step.out), &out) && matches(&expand(&step.err), &err);
        if !fits {
            let (number, line) = (step.number, &step.line);
            failures.push(format!(
                "{name}.txt:{number}: $ {line}\n  exit {exit}, expected {}\n  stdout:\n{out}\n  stderr:\n{err}",
                step.exit
            ));
        }
        assert!(
            !(out + &err).contains(&place.variables()["M2M_CLIENT_SECRET"]),
            "{name}.txt: a secret was printed"
        );
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

fn parse(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(command) = line.strip_prefix("$ ") {
            let line = command.to_owned();
            steps.push(Step { line, number: index + 1, out: Vec::new(), err: Vec::new(), exit: 0 });
        } else if let Some(step) = steps.last_mut() {
            match line.split_once(' ') {
                _ if line.is_empty() || line.starts_with("# ") => {}
                Some(("!", text)) => step.err.push(text.to_owned()),
                Some(("?", code)) => step.exit = code.parse().unwrap(),
                _ => step.out.push(line.to_owned()),
            }
        }
    }
    steps
}

fn substitute(place: &Place, line: &str) -> String {
    let mut line = line.to_owned();
    // Longest names first: $M2M_CLIENT_ID is not $M2M_CLIENT followed by _ID.
    let mut names: Vec<_> = place.variables().iter().collect();
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    for (name, value) in names {
        line = line.replace(&format!("${name}"), value);
    }
    line
}

fn matches(expected: &[String], actual: &str) -> bool {
    let actual: Vec<&str> = actual.lines().collect();
    lines(expected, &actual)
}

fn lines(expected: &[String], actual: &[&str]) -> bool {
    match (expected.split_first(), actual.split_first()) {
        (None, None) => true,
        (Some((any, rest)), _) if any == "..." => {
            lines(rest, actual) || actual.split_first().is_some_and(|(_, after)| lines(expected, after))
        }
        (Some((pattern, rest)), Some((line, after))) => fits(pattern, line) && lines(rest, after),
        _ => false,
    }
}

fn fits(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split("[..]");
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

#[test]
fn patterns() {
    let check = |pattern, line, expect| assert_eq!(fits(pattern, line), expect, "{pattern} {line}");
    check("abc", "abc", true);
    check("abc", "abcd", false);
    check("a[..]d", "abcd", true);
    check("[..]", "anything", true);
    check("a[..]c[..]e", "abcde", true);
    check("a[..]x[..]e", "abcde", false);
    assert!(lines(&["...".into(), "b".into()], &["a", "a", "b"]));
    assert!(!lines(&["...".into(), "b".into()], &["a", "b", "c"]));
    assert!(!lines(&[], &["a"]));
}
