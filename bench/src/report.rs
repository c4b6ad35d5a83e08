//! One line a claim.

use crate::endpoint::Cost;
use anyhow::Result;
use std::fmt;

/// What a number counts.
#[derive(Clone, Copy)]
pub enum Unit {
    Time,
    Count,
    Bytes,
}

/// What the ratio must be.
#[derive(Clone, Copy)]
pub enum Bar {
    AtLeast(f64),
    AtMost(f64),
}

/// Measurements of a claim that falls short: others use the machine too, and noise
/// makes a claim look worse, never better.
const ATTEMPTS: usize = 3;

/// The claims of one run.
#[derive(Default)]
pub struct Report {
    lines: Vec<Line>,
}

struct Line {
    name: String,
    text: String,
    met: bool,
}

impl Report {
    /// Measures, and measures again while a claim in it falls short; the last
    /// measurement counts, and is printed.
    pub fn measure(&mut self, mut claims: impl FnMut(&mut Report) -> Result<()>) -> Result<()> {
        for attempt in 1..=ATTEMPTS {
            let mut report = Self::default();
            claims(&mut report)?;
            if attempt == ATTEMPTS || report.lines.iter().all(|line| line.met) {
                report.lines.iter().for_each(|line| println!("{}", line.text));
                self.lines.append(&mut report.lines);
                break;
            }
        }
        Ok(())
    }

    /// `ours` reaches a part of the limit's speed: the ratio is limit / ours.
    pub fn speed(&mut self, name: &str, ours: f64, limit: f64, bar: f64) {
        self.line(name, Unit::Time, (ours, limit), limit / ours, Bar::AtLeast(bar));
    }

    /// As [`Report::speed`], of answers of a server. Their rates are told besides.
    pub fn endpoint(&mut self, name: &str, [ours, limit]: [Cost; 2], bar: f64) {
        self.speed(name, ours.nanoseconds, limit.nanoseconds, bar);
        self.note(&format!("{name}: {:.0}/s beside {:.0}/s", ours.rate, limit.rate));
    }

    /// `ours` is at most so many times the limit: the ratio is ours / limit.
    pub fn cost(&mut self, name: &str, ours: f64, limit: f64, bar: f64) {
        self.line(name, Unit::Time, (ours, limit), ours / limit, Bar::AtMost(bar));
    }

    /// A count that must not be exceeded.
    pub fn count(&mut self, name: &str, ours: u64, limit: u64) {
        #[expect(clippy::cast_precision_loss, reason = "counts here are small")]
        let (ours, limit) = (ours as f64, limit as f64);
        let ratio = if ours == limit { 1.0 } else { ours / limit };
        self.line(name, Unit::Count, (ours, limit), ratio, Bar::AtMost(1.0));
    }

    /// Bytes that must not be exceeded.
    pub fn size(&mut self, name: &str, ours: u64, limit: u64) {
        #[expect(clippy::cast_precision_loss, reason = "a part of a percent of it does not matter")]
        let (ours, limit) = (ours as f64, limit as f64);
        self.line(name, Unit::Bytes, (ours, limit), ours / limit, Bar::AtMost(1.0));
    }

    /// A claim that could not be measured, and so is not met.
    pub fn missed(&mut self, name: &str, reason: &str) {
        println!("bench {name} short: {reason}");
        self.lines.push(Line { name: name.to_owned(), text: String::new(), met: false });
    }

    /// A claim that cannot be measured here, for want of something that is not ours.
    pub fn skipped(name: &str, want: &str) {
        println!("skipped: {name} needs {want}");
    }

    /// Something besides, that promises nothing.
    pub fn note(&mut self, text: &str) {
        self.lines.push(Line { name: String::new(), text: format!("note {text}"), met: true });
    }

    fn line(&mut self, name: &str, unit: Unit, (ours, limit): (f64, f64), ratio: f64, bar: Bar) {
        let (met, bar) = match bar {
            Bar::AtLeast(bar) => (ratio >= bar, bar),
            Bar::AtMost(bar) => (ratio <= bar, bar),
        };
        let word = if met { "ok" } else { "short" };
        let (ours, limit) = (Shown(ours, unit), Shown(limit, unit));
        let text = format!("bench {name} ours={ours} limit={limit} ratio={ratio:.2} bar={bar:.2} {word}");
        self.lines.push(Line { name: name.to_owned(), text, met });
    }

    /// The claims that fell short.
    pub fn short(self) -> Vec<String> {
        self.lines.into_iter().filter(|line| !line.met).map(|line| line.name).collect()
    }
}

struct Shown(f64, Unit);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.1, self.0) {
            (Unit::Count, count) => write!(f, "{count:.0}"),
            (Unit::Bytes, bytes) => write!(f, "{:.1}MB", bytes / 1e6),
            (Unit::Time, time) if time < 1_000.0 => write!(f, "{time:.1}ns"),
            (Unit::Time, time) if time < 1e7 => write!(f, "{:.2}us", time / 1e3),
            (Unit::Time, time) => write!(f, "{:.1}ms", time / 1e6),
        }
    }
}
