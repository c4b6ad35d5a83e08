//! The assessment for people and for programs.
//!
//! For people: one block a subject, one line a text that it is measured against, below it what is missed and what to do.
//! For programs one JSON object; its members and the ids of rules do not change, others may be added.

use serde_json::{Value, json};

use super::rules::{Assessed, Found, Level, Verdict};
use crate::Surroundings;
use crate::args::admin::Standard;
use crate::exit::Failure;
use crate::output::{Output, Reader, printable};

/// Writes all of it.
///
/// # Errors
/// As [`Output::result`].
pub(super) fn write(subjects: &[Assessed], around: &Surroundings) -> Result<(), Failure> {
    let output = &around.output;
    if output.reader() == Reader::Program {
        return output.json(&document(subjects));
    }
    for (index, subject) in subjects.iter().enumerate() {
        if index > 0 {
            output.result("")?;
        }
        block(subject, if around.global.verbose > 0 { Show::All } else { Show::Open }, output)?;
    }
    output.note(&summary(subjects));
    Ok(())
}

/// Which findings a person sees.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Show {
    /// What is missed or cannot be told.
    Open,
    All,
}

fn block(subject: &Assessed, show: Show, output: &Output) -> Result<(), Failure> {
    output.result(&output.paint_result(&format!("{} {}", subject.kind, printable(&subject.id)), "1"))?;
    for standard in Standard::chosen(&[]) {
        let of: Vec<&Found> =
            subject.findings.iter().filter(|found| found.rule.standard == standard).collect();
        if of.is_empty() {
            continue;
        }
        output.result(&format!("  {:<8} {}", standard.as_str(), count(&of)))?;
        for found in of.into_iter().filter(|found| show == Show::All || is_open(found)) {
            rows(found, output)?;
        }
    }
    Ok(())
}

fn rows(found: &Found, output: &Output) -> Result<(), Failure> {
    let (rule, evidence) = (found.rule, printable(&found.evidence));
    let level = level(rule.level);
    output.result(&format!("    {:<11} {:<7} {level:<6}  {}", rule.id, word(found.verdict), rule.what))?;
    output.result(&format!("{:<29}{evidence}", ""))?;
    if !found.advice.is_empty() {
        output.result(&format!("{:<29}do: {}", "", printable(&found.advice)))?;
    }
    Ok(())
}

fn is_open(found: &Found) -> bool {
    matches!(found.verdict, Verdict::Missed | Verdict::Unknown)
}

fn count(findings: &[&Found]) -> String {
    let of = |verdict, level| {
        findings.iter().filter(|found| found.verdict == verdict && found.rule.level == level).count()
    };
    let unknown = findings.iter().filter(|found| found.verdict == Verdict::Unknown).count();
    let (must, should) = (of(Verdict::Missed, Level::Must), of(Verdict::Missed, Level::Should));
    let mut parts = Vec::new();
    if must > 0 {
        parts.push(format!("misses {must} MUST"));
    }
    if should > 0 {
        parts.push(format!("misses {should} SHOULD"));
    }
    if unknown > 0 {
        parts.push(format!("{unknown} cannot be told"));
    }
    match parts.as_slice() {
        [] => "is met".to_owned(),
        parts => parts.join(", "),
    }
}

fn summary(subjects: &[Assessed]) -> String {
    let clients = subjects.iter().filter(|subject| subject.kind == "client");
    let total = clients.clone().count();
    let missing = clients.filter(|client| must_missed(client) > 0).count();
    let people = if total == 1 { "client" } else { "clients" };
    let server = subjects.iter().any(|subject| subject.kind != "client" && must_missed(subject) > 0);
    match (missing, server) {
        (0, false) => "no MUST is missed".to_owned(),
        (0, true) => "a MUST is missed by the server".to_owned(),
        (_, true) => format!("a MUST is missed by the server and by {missing} of {total} {people}"),
        (_, false) => format!("a MUST is missed by {missing} of {total} {people}"),
    }
}

fn must_missed(subject: &Assessed) -> usize {
    let missed = |found: &&Found| found.verdict == Verdict::Missed && found.rule.level == Level::Must;
    subject.findings.iter().filter(missed).count()
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Met => "met",
        Verdict::Missed => "missed",
        Verdict::Unknown => "unknown",
        Verdict::Moot => "moot",
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Must => "MUST",
        Level::Should => "SHOULD",
    }
}

fn document(subjects: &[Assessed]) -> Value {
    let rule = |found: &Found| {
        json!({
            "id": found.rule.id,
            "standard": found.rule.standard.as_str(),
            "section": found.rule.section,
            "level": level(found.rule.level),
            "rule": found.rule.what,
            "verdict": word(found.verdict),
            "evidence": found.evidence,
            "do": (!found.advice.is_empty()).then_some(&found.advice),
        })
    };
    let subject = |subject: &Assessed| {
        json!({
            "kind": subject.kind,
            "id": subject.id,
            "missed": must_missed(subject),
            "rules": subject.findings.iter().map(rule).collect::<Vec<_>>(),
        })
    };
    json!({
        "missed": subjects.iter().map(must_missed).sum::<usize>(),
        "subjects": subjects.iter().map(subject).collect::<Vec<_>>(),
    })
}
