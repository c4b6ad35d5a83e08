//! What a check found, and all of it together: for people and as JSON.

use serde_json::{Value, json};

use super::catalogue::{Cause, Check};
use crate::exit::{Exit, Failure};

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// In order.
    Pass,
    /// Works, and deserves attention.
    Warn,
    /// Does not work.
    Fail,
    /// Could not be looked at, or does not apply.
    Skip,
}

impl Status {
    /// Its word in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }

    /// Its mark for people, and the colour of that (SGR).
    pub fn mark(self) -> (&'static str, &'static str) {
        match self {
            Self::Pass => ("pass", "32"),
            Self::Warn => ("warn", "33"),
            Self::Fail => ("FAIL", "1;31"),
            Self::Skip => ("skip", "2"),
        }
    }
}

/// What one check found. Holds no secret and no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it ended.
    pub status: Status,
    /// What was seen; of a skip, why.
    pub evidence: String,
    /// Why that is, where something is to do.
    pub cause: Option<String>,
    /// What to do.
    pub fix: Option<String>,
    /// The exit code, where it failed.
    pub exit: Exit,
}

impl Finding {
    /// In order.
    pub fn pass(evidence: impl Into<String>) -> Self {
        Self { status: Status::Pass, evidence: evidence.into(), cause: None, fix: None, exit: Exit::Ok }
    }

    /// Not looked at, for this reason.
    pub fn skip(reason: impl Into<String>) -> Self {
        Self { status: Status::Skip, ..Self::pass(reason) }
    }

    /// Works, and deserves attention. `blanks` fill the cause's texts.
    pub fn warn(evidence: impl Into<String>, cause: &Cause, blanks: &[(&str, &str)]) -> Self {
        let (because, fix) = (fill(cause.cause, blanks), fill(cause.fix, blanks));
        Self {
            status: Status::Warn,
            cause: Some(because),
            fix: Some(fix).filter(|fix| !fix.is_empty()),
            ..Self::pass(evidence)
        }
    }

    /// Does not work, and ends the run with this code.
    pub fn fail(exit: Exit, evidence: impl Into<String>, cause: &Cause, blanks: &[(&str, &str)]) -> Self {
        Self { status: Status::Fail, exit, ..Self::warn(evidence, cause, blanks) }
    }
}

/// The text with its blanks filled, and without the page's backticks.
fn fill(text: &str, blanks: &[(&str, &str)]) -> String {
    blanks.iter().fold(text.replace('`', ""), |text, (name, value)| text.replace(&format!("<{name}>"), value))
}

/// All findings, in the order of the catalogue.
#[derive(Clone, Debug, Default)]
pub struct Report(pub Vec<(Check, Finding)>);

impl Report {
    /// The first failure; if nothing failed, the first warning.
    pub fn first(&self) -> Option<&(Check, Finding)> {
        let first = |status| self.0.iter().find(|(_, finding)| finding.status == status);
        first(Status::Fail).or_else(|| first(Status::Warn))
    }

    /// `{"checks":[{"id","status","evidence","cause","fix"}],"first":"ID"}`.
    pub fn to_json(&self) -> Value {
        let check = |(check, finding): &(Check, Finding)| {
            json!({
                "id": check.id(),
                "status": finding.status.as_str(),
                "evidence": finding.evidence,
                "cause": finding.cause,
                "fix": finding.fix,
            })
        };
        json!({
            "checks": self.0.iter().map(check).collect::<Vec<_>>(),
            "first": self.first().map(|(check, _)| check.id()),
        })
    }

    /// The end of the run in one line.
    pub fn verdict(&self) -> String {
        let count = |status| self.0.iter().filter(|(_, finding)| finding.status == status).count();
        let (failed, warned) = (count(Status::Fail), count(Status::Warn));
        match self.first() {
            None => "nothing is wrong".to_owned(),
            Some((check, finding)) if failed == 0 => {
                let more = if warned == 1 { String::new() } else { format!(" (and {} more)", warned - 1) };
                format!("it works; look at {}: {}{more}", check.id(), finding.evidence)
            }
            Some((check, finding)) => format!("start with {}: {}", check.id(), finding.evidence),
        }
    }

    /// How the process ends: well, unless something failed.
    pub fn exit(&self) -> Exit {
        self.first().map_or(Exit::Ok, |(_, finding)| finding.exit)
    }

    /// The first failure as the last line of a run whose reader is a program.
    pub fn failure(&self) -> Option<Failure> {
        let (check, finding) = self.first().filter(|(_, finding)| finding.status == Status::Fail)?;
        let message = format!("{}: {}", check.id(), finding.evidence);
        let failure = Failure::of(finding.exit, finding.exit.kind(), message).code(check.id());
        Some(failure.hint(finding.fix.clone().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{FILE_MODE, NO_NAME};
    use super::*;

    #[test]
    fn the_first_failure_goes_before_every_warning() {
        let warn = || (Check::SecretFileMode, Finding::warn("0644", &FILE_MODE, &[("path", "/s")]));
        let fail =
            || (Check::Dns, Finding::fail(Exit::Unreachable, "no address", &NO_NAME, &[("host", "h")]));
        let pass = (Check::SettingsSource, Finding::pass("fine"));
        let check = |findings: Vec<(Check, Finding)>, first: Option<&str>, exit: u8, verdict: &str| {
            let report = Report(findings);
            assert_eq!(report.to_json()["first"].as_str(), first);
            assert_eq!((report.exit().code(), report.verdict().as_str()), (exit, verdict));
            assert_eq!(report.failure().is_some(), exit != 0);
        };
        check(vec![pass.clone()], None, 0, "nothing is wrong");
        check(
            vec![pass.clone(), warn()],
            Some("secret.file_mode"),
            0,
            "it works; look at secret.file_mode: 0644",
        );
        check(vec![pass, warn(), fail()], Some("dns"), 5, "start with dns: no address");
    }

    #[test]
    fn blanks_are_filled() {
        let finding = Finding::warn("0644", &FILE_MODE, &[("path", "/s")]);
        assert_eq!(finding.fix.as_deref(), Some("chmod 600 /s"));
    }
}
