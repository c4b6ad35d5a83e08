//! `m2m doctor`: looks at everything between the settings and a token, and says what to do.

use crate::Surroundings;
use crate::args::Doctor;
use crate::doctor::finding::{Finding, Report};
use crate::doctor::{self, Effort, catalogue::Check};
use crate::exit::{Exit, Failure};
use crate::output::{Reader, printable};

pub(crate) async fn run(typed: &Doctor, around: &Surroundings) -> Result<Exit, Failure> {
    if typed.probe {
        around.output.note(
            "--probe: if the client is refused, more logins follow, which the server may count as failed",
        );
    }
    let effort = if typed.probe { Effort::Probe } else { Effort::Once };
    let report = doctor::examine(&typed.profile, effort, around).await;
    if around.output.reader() == Reader::Program {
        around.output.json(&report.to_json())?;
        return match report.failure() {
            Some(failure) => Err(failure),
            None => Ok(Exit::Ok),
        };
    }
    show(&report, around)?;
    Ok(report.exit())
}

fn show(report: &Report, around: &Surroundings) -> Result<(), Failure> {
    for (check, finding) in &report.0 {
        line(*check, finding, around)?;
    }
    around.output.result("")?;
    around.output.result(&printable(&report.verdict()))
}

fn line(check: Check, finding: &Finding, around: &Surroundings) -> Result<(), Failure> {
    let (mark, color) = finding.status.mark();
    let mark = around.output.paint_result(mark, color);
    around.output.result(&format!("{mark}  {:<24} {}", check.id(), printable(&finding.evidence)))?;
    for (name, text) in [("cause", &finding.cause), ("fix", &finding.fix)] {
        if let Some(text) = text {
            around.output.result(&format!("        {name:<6}{}", printable(text)))?;
        }
    }
    Ok(())
}
